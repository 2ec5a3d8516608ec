//! The JSON Schema of the file, for editors, for messages and for the generated reference.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::config::Config;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    unwrap_lines(&mut schema);
    schema
});

/// The JSON Schema (draft 2020-12) of the file: every key with its description, default and bounds.
#[must_use]
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// What the schema says of the key at this path, `backends[0].pool.idle_max`.
pub(crate) fn describe(path: &str) -> Option<String> {
    let mut at: &Value = &SCHEMA;
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        let node = target(at);
        at = if part.ends_with(']') { node.get("items")? } else { node.get("properties")?.get(part)? };
    }
    at.get("description").and_then(Value::as_str).map(str::to_owned)
}

/// The schema itself, where `at` only points to it: behind a `$ref`, or in an `anyOf` beside null.
pub(crate) fn target(at: &Value) -> &Value {
    SCHEMA.get("$defs").and_then(|all| all.get(name(at))).unwrap_or(at)
}

/// Name of the type that `at` points to; empty if it points to none.
pub(crate) fn name(at: &Value) -> &str {
    let at = at.get("anyOf").and_then(Value::as_array).and_then(|all| all.first()).unwrap_or(at);
    at.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/")).unwrap_or("")
}

/// A comment's lines end where the source file's do; in a description they are one text.
fn unwrap_lines(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(text) if key == "description" => *text = text.replace('\n', " "),
                    other => unwrap_lines(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unwrap_lines),
        _ => {}
    }
}
