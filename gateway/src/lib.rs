//! weir-gateway.

pub mod identify;
pub mod classify;
pub mod residency;
