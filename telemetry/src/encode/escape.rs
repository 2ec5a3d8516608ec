//! Escaping for the Prometheus text formats.

/// `backend="…",model="…"` with both values escaped.
pub(crate) fn label_pair(backend: &str, model: &str) -> String {
    let mut labels = String::with_capacity(backend.len() + model.len() + 18);
    labels.push_str("backend=\"");
    label_value(backend, &mut labels);
    labels.push_str("\",model=\"");
    label_value(model, &mut labels);
    labels.push('"');
    labels
}

/// Backslash, double quote and line feed, as the text format 0.0.4 and OpenMetrics want it in label values.
pub(crate) fn label_value(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

/// Backslash and line feed, as the text format 0.0.4 wants it in HELP.
pub(crate) fn help(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_line_feeds_are_escaped_and_nothing_else_is() {
        assert_eq!(
            label_pair("a\"b", "c\\d\ne\u{202e}模"),
            "backend=\"a\\\"b\",model=\"c\\\\d\\ne\u{202e}模\""
        );
        let mut out = String::new();
        help("say \"a\\b\"\nc", &mut out);
        assert_eq!(out, "say \"a\\\\b\"\\nc");
    }
}
