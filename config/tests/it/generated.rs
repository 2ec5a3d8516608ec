//! The files that are made from the code are as the code would make them.

use crate::golden::fresh;

#[test]
fn the_committed_schema_is_fresh() {
    let schema = serde_json::to_string_pretty(&weir_config::schema()).unwrap();
    fresh("weir.schema.json", &(schema + "\n"));
}

#[test]
fn the_committed_reference_is_fresh() {
    fresh("weir.reference.yaml", &weir_config::reference());
}
