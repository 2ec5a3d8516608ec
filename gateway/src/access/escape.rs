//! Text from clients on its way into a line: nothing of it can end the line, the field or the reader's terminal state.

use std::fmt::Write;

/// Appends text as a JSON string with its quotes (RFC 8259 §7). Controls are escaped, also DEL and those above 127, which terminals
/// obey; so are line separators and marks that turn the direction of writing, which make a line look like another.
pub(super) fn json(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || is_misleading(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

const fn is_misleading(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Appends bytes as web servers write them within quotes: what is not printable ASCII, and `"` and `\`, as `\xHH`.
pub(super) fn clf(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b'"' | b'\\' | 0..=31 | 127.. => {
                let _ = write!(out, "\\x{byte:02X}");
            }
            _ => out.push(char::from(*byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_a_json_string_or_the_line() {
        let evil = "a\"b\\c\n\r\t\0\x1b[31m\u{9b}31m\u{7f}\u{2028}\u{202e}é☃";
        let mut out = String::new();
        json(evil, &mut out);
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), evil);
        assert!(out.chars().all(|c| !c.is_control() && !is_misleading(c)), "{out:?}");
        assert!(out.contains("é☃"), "what is harmless stays as it is");
    }

    #[test]
    fn no_bytes_end_a_quoted_field() {
        let mut out = String::new();
        clf(b"a\" \\ \n\x1b\x7f\xc3\xa9z", &mut out);
        assert_eq!(out, "a\\x22 \\x5C \\x0A\\x1B\\x7F\\xC3\\xA9z");
    }

    proptest::proptest! {
        #[test]
        fn every_text_comes_back_from_json_and_stays_on_its_line(text in ".{0,64}") {
            let mut out = String::new();
            json(&text, &mut out);
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
            proptest::prop_assert!(!out.contains(['\n', '\r']));
        }
    }
}
