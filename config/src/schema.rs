//! The JSON Schema of the file, for editors and for the generated reference.

use serde_json::Value;

use crate::config::Config;

/// The JSON Schema (draft 2020-12) of the file: every key with its description, default and bounds.
#[must_use]
pub fn schema() -> Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<Config>().to_value()
}
