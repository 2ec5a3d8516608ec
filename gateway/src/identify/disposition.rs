//! Parameters of header values: the boundary of a Content-Type, the name in a Content-Disposition.

/// A parameter's value, by its name in any case: `multipart/form-data; boundary="a b"`. The first one counts.
pub(super) fn parameter(value: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut rest = value;
    loop {
        let start = rest.iter().position(|byte| *byte == b';')?;
        let part = rest.get(start + 1..)?.trim_ascii_start();
        let end = part.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(part.len());
        let (found, after) = part.split_at_checked(end)?;
        rest = after;
        let Some((b'=', after)) = after.split_first() else { continue };
        let (text, after) = text(after.trim_ascii_start());
        if found.trim_ascii().eq_ignore_ascii_case(name.as_bytes()) {
            return Some(text);
        }
        rest = after;
    }
}

/// The name of a text field, if the line is its Content-Disposition. A file is none.
pub(super) fn field_name(line: &[u8]) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"content-disposition:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    let is_field = name.eq_ignore_ascii_case(NAME)
        && parameter(value, "filename").is_none()
        && parameter(value, "filename*").is_none();
    is_field.then(|| parameter(value, "name"))?
}

/// A token, or a quoted text with its escapes undone; and what follows.
fn text(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some((b'"', mut rest)) = bytes.split_first() else {
        let end = bytes.iter().position(|byte| *byte == b';').unwrap_or(bytes.len());
        let (token, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        return (token.trim_ascii().to_vec(), rest);
    };
    let mut text = Vec::new();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after.split_first()) {
            (b'"', _) => break,
            // Old browsers put a Windows path into `filename` and escape nothing: only a quote or a backslash is escaped.
            (b'\\', Some((escaped @ (b'"' | b'\\'), after))) => {
                text.push(*escaped);
                rest = after;
            }
            _ => text.push(*byte),
        }
    }
    (text, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_name_in_any_case() {
        for (value, found) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("multipart/form-data;charset=utf-8 ; Boundary = \"a b;c\" ; x=y", Some("a b;c")),
            ("m; boundary=\"a\\\"b\\\\c\\d\"", Some("a\"b\\c\\d")),
            ("m; x=\"; boundary=no\"; boundary=yes", Some("yes")),
            ("m; boundary; boundary=b", Some("b")),
            ("m; boundary=", Some("")),
            ("m; boundary=\"never closed", Some("never closed")),
            ("m; xboundary=a", None),
            ("boundary=a", None),
            ("", None),
        ] {
            assert_eq!(
                parameter(value.as_bytes(), "boundary").as_deref(),
                found.map(str::as_bytes),
                "{value}"
            );
        }
    }

    #[test]
    fn a_field_has_a_name_and_no_file() {
        for (line, name) in [
            ("Content-Disposition: form-data; name=\"model\"", Some("model")),
            ("content-disposition:form-data;name=model", Some("model")),
            ("Content-Disposition: form-data; name=\"model\"; filename=\"a\"", None),
            ("Content-Disposition: form-data; filename*=UTF-8''a; name=model", None),
            ("Content-Disposition: form-data", None),
            ("Content-Type: text/plain; name=model", None),
            ("", None),
        ] {
            assert_eq!(field_name(line.as_bytes()).as_deref(), name.map(str::as_bytes), "{line}");
        }
    }
}
