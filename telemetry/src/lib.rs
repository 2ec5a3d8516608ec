//! weir-telemetry.
