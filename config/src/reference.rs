//! The annotated reference file: every key with its comment and default, made from the schema, so that no key can be forgotten.
//!
//! A key stands as it would be by default. What is not there by default is switched off by a `#` in the first column,
//! without a space
//! behind it: taking that `#` away from every such line gives a file with an example of everything.

mod example;

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::schema::{self, target};
use example::{live, sample};

/// Columns of a comment's line.
const WIDTH: usize = 110;

const HEAD: &str = "\
# yaml-language-server: $schema=weir.schema.json
#
# Every key of weir's configuration, with its default. Generated from the code; a file needs only `backends`.
# `${VAR}`, `${VAR:-default}` and `${VAR:?message}` come from the environment, in values without quotes that are not inside `[…]` or `{…}`.
# What is switched off by `#` at the line's beginning is an example of what is not there by default. Keys that stand in several places
# are explained in the first.
";

/// The annotated reference file. As it stands it is the default configuration in front of one backend.
#[must_use]
pub fn reference() -> String {
    let [live, sample] = [live(), sample()].map(|config| serde_json::to_value(config).unwrap_or_default());
    let mut writer = Writer::default();
    writer.keys(&schema::schema(), Some(&live), &sample, At { hashes: 0, indent: 0 });
    let text: Vec<String> = writer.lines.iter().map(Line::text).collect();
    format!("{HEAD}{}\n", text.join("\n"))
}

/// Where lines stand: how many `#` switch them off, and how far they are indented.
#[derive(Clone, Copy)]
struct At {
    hashes: usize,
    indent: usize,
}

struct Line {
    at: At,
    text: String,
}

impl Line {
    fn text(&self) -> String {
        format!("{}{}{}", "#".repeat(self.at.hashes), " ".repeat(self.at.indent), self.text)
    }

    fn is_comment(&self) -> bool {
        self.text.starts_with('#')
    }
}

#[derive(Default)]
struct Writer {
    lines: Vec<Line>,
    /// Structs whose keys have their comments already; the next time they stand without.
    told: HashSet<String>,
}

impl Writer {
    /// All keys of a struct: those of `live` as they are, the others switched off with the value of `sample` or of the schema.
    fn keys(&mut self, schema: &Value, live: Option<&Value>, sample: &Value, at: At) {
        let none = Map::new();
        let properties = target(schema).get("properties").and_then(Value::as_object).unwrap_or(&none);
        let first = self.told.insert(schema::name(schema).to_owned());
        for (key, property) in properties {
            let live = live.and_then(|live| live.get(key)).filter(|value| !is_empty(value));
            let sample = sample.get(key).filter(|value| !is_empty(value));
            if !first && live.is_none() && sample.is_none() {
                continue;
            }
            if at.indent == 0 && at.hashes == 0 {
                self.line(at, String::new());
            }
            if first {
                self.comment(property, at);
            }
            let off = At { hashes: at.hashes + 1, ..at };
            let example = || property.get("examples").and_then(|all| all.get(0));
            match (live, sample) {
                (Some(live), sample) => self.value(key, property, Some(live), sample.unwrap_or(live), at),
                (None, Some(sample)) => self.value(key, property, None, sample, off),
                (None, None) => {
                    let fallback = example().or_else(|| property.get("default")).unwrap_or(&Value::Null);
                    self.value(key, property, None, fallback, off);
                }
            }
        }
    }

    /// One key and its value; `live` is none where the value is an example.
    fn value(&mut self, key: &str, schema: &Value, live: Option<&Value>, sample: &Value, at: At) {
        // Inside of what is switched off as a whole, the example is what stands there.
        match live.unwrap_or(sample) {
            shown @ Value::Object(_) => {
                self.line(at, format!("{key}:"));
                self.keys(schema, Some(shown), sample, At { indent: at.indent + 2, ..at });
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                self.line(at, format!("{key}:"));
                let Some(schema) = target(schema).get("items") else { return };
                for (i, item) in items.iter().enumerate() {
                    let from = self.lines.len();
                    let sample = sample.get(i).unwrap_or(item);
                    self.keys(schema, Some(item), sample, At { indent: at.indent + 4, ..at });
                    self.dash(from, at);
                }
            }
            scalar => self.line(at, format!("{key}: {}", inline(scalar))),
        }
    }

    /// Puts the dash of a list before the first key of the item that begins at line `from`.
    fn dash(&mut self, from: usize, at: At) {
        let mut item = self.lines.iter_mut().skip(from);
        if let Some(first) = item.find(|line| !line.is_comment() && line.at.hashes == at.hashes) {
            first.at.indent -= 2;
            first.text.insert_str(0, "- ");
        }
    }

    fn comment(&mut self, schema: &Value, at: At) {
        let said =
            |schema: &Value| schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut texts = vec![said(schema)];
        for word in target(schema).get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            let name = word.get("const").and_then(Value::as_str).unwrap_or_default();
            texts.push(format!("`{name}`: {}", said(word)));
        }
        let width = WIDTH.saturating_sub(at.indent + 2);
        for text in texts.iter().flat_map(|text| wrapped(text, width)) {
            self.line(at, format!("# {text}"));
        }
    }

    fn line(&mut self, at: At, text: String) {
        self.lines.push(Line { at, text });
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        // JSON's quoting is YAML's too; bare where the text is plainly a word.
        Value::String(text) if bare(text) => text.clone(),
        other => other.to_string(),
    }
}

fn bare(text: &str) -> bool {
    let word =
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':'));
    let other = matches!(text, "true" | "false" | "null" | "on" | "off" | "yes" | "no");
    word && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && !other
        && text.parse::<f64>().is_err()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::read::{finish, parse};

    fn parsed(text: &str) -> Config {
        parse(text, "weir.reference.yaml", &|_| None).unwrap()
    }

    #[test]
    fn the_reference_is_the_default_configuration_before_one_backend() {
        assert_eq!(parsed(&reference()), finish(live(), "live").unwrap());
    }

    #[test]
    fn the_reference_without_its_hashes_has_an_example_of_everything() {
        let on = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => rest.to_owned(),
            _ => line.to_owned(),
        };
        let text: Vec<String> = reference().lines().map(on).collect();
        assert_eq!(parsed(&text.join("\n")), finish(sample(), "sample").unwrap());
    }

    #[test]
    fn every_key_of_the_schema_stands_in_the_reference() {
        let text = reference();
        let schema = schema::schema();
        let all = schema["$defs"].as_object().unwrap().values().chain([&schema]);
        for key in all.filter_map(|def| def["properties"].as_object()).flat_map(Map::keys) {
            assert!(text.contains(&format!("{key}:")), "{key}");
        }
    }
}
