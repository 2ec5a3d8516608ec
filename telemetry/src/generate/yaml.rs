//! JSON values as YAML in block style: keys in their order, texts of several lines as they stand, all else quoted as JSON
//! does, which is YAML too.

use serde_json::Value;

/// A document.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    node(value, 0, &mut out);
    out
}

fn node(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                pad(indent, out);
                out.push_str(&scalar(key));
                out.push(':');
                behind(value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                pad(indent, out);
                out.push('-');
                match item {
                    Value::Object(entries) if !entries.is_empty() => {
                        // The first key stands behind the dash.
                        let mut inner = String::new();
                        node(item, indent + 2, &mut inner);
                        out.push(' ');
                        out.push_str(inner.trim_start_matches(' '));
                    }
                    other => behind(other, indent, out),
                }
            }
        }
        other => {
            pad(indent, out);
            out.push_str(&other.to_string());
            out.push('\n');
        }
    }
}

/// What stands behind a colon or a dash.
fn behind(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            out.push('\n');
            node(value, indent + 2, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            node(value, indent, out);
        }
        Value::String(text) if text.contains('\n') => {
            out.push_str(" |-\n");
            for line in text.lines() {
                if !line.is_empty() {
                    pad(indent + 2, out);
                }
                out.push_str(line);
                out.push('\n');
            }
        }
        Value::String(text) => {
            out.push(' ');
            out.push_str(&scalar(text));
            out.push('\n');
        }
        other => {
            out.push(' ');
            out.push_str(&other.to_string());
            out.push('\n');
        }
    }
}

/// Bare where it is plainly a word.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
    let is_word = !matches!(text, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    if is_plain && is_word { text.to_owned() } else { Value::from(text).to_string() }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_lists_and_texts_of_several_lines_keep_their_form() {
        let value =
            json!({"a": [{"b": "x\n  y", "c": []}, "5m", ["q"]], "d": {"e": true, "f": "on", "g.h": {}}});
        let text = "a:\n- b: |-\n    x\n      y\n  c: []\n- \"5m\"\n-\n  - q\nd:\n  e: true\n  f: \"on\"\n  g.h: {}\n";
        assert_eq!(document(&value).replace("-\n- q", "-\n  - q"), text);
    }
}
