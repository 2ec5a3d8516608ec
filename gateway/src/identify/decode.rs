//! Percent-decoding, once. An invalid escape stays as it is (as Python's, Go's and Java's servers mostly do, and as no error can be
//! answered from here); what would not be UTF-8 afterwards is kept raw.
//!
//! Cost: text without `%` (and, in a query, without `+`) is borrowed, not copied.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// A part of a path. `+` is a plus.
#[must_use]
pub(super) fn path(raw: &str) -> Cow<'_, str> {
    if memchr(b'%', raw.as_bytes()).is_none() { Cow::Borrowed(raw) } else { owned(raw, false) }
}

/// A name or a value of a query or a form. `+` is a space.
#[must_use]
pub(super) fn query(raw: &str) -> Cow<'_, str> {
    if memchr2(b'%', b'+', raw.as_bytes()).is_none() { Cow::Borrowed(raw) } else { owned(raw, true) }
}

/// Whether a raw part of a query or form means `text`; allocates nothing.
#[must_use]
pub(super) fn query_is(raw: &[u8], text: &str) -> bool {
    if memchr2(b'%', b'+', raw).is_none() {
        raw == text.as_bytes()
    } else {
        bytes(raw, true).eq(text.bytes())
    }
}

fn owned(raw: &str, plus_is_space: bool) -> Cow<'_, str> {
    String::from_utf8(bytes(raw.as_bytes(), plus_is_space).collect()).map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// The decoded bytes.
pub(super) fn bytes(raw: &[u8], plus_is_space: bool) -> impl Iterator<Item = u8> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'%' => {
                let decoded =
                    after.split_first_chunk::<2>().and_then(|(two, after)| Some((hex(*two)?, after)));
                let (byte, after) = decoded.unwrap_or((b'%', after));
                rest = after;
                Some(byte)
            }
            b'+' if plus_is_space => Some(b' '),
            byte => Some(*byte),
        }
    })
}

fn hex([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once_and_a_plus_in_it_stays() {
        for (raw, text) in [
            ("plain", "plain"),
            ("a%2Fb", "a/b"),
            ("a%2fb%20c", "a/b c"),
            ("a+b", "a+b"),
            ("%2525", "%25"),
            ("%D0%BC", "м"),
            ("a%00b", "a\0b"),
        ] {
            assert_eq!(path(raw), text, "{raw}");
        }
    }

    #[test]
    fn an_invalid_escape_stays_and_a_result_that_is_no_text_stays_raw() {
        for raw in ["%", "a%2", "%zz", "%ff%fe", "x%C3", "%2x%g0"] {
            assert_eq!(path(raw), raw, "{raw}");
        }
        assert_eq!(path("%zz%41"), "%zzA");
        assert_eq!(path("%%41"), "%A");
    }

    #[test]
    fn a_plus_in_a_query_is_a_space() {
        assert_eq!(query("a+b%2Bc"), "a b+c");
        assert!(query_is(b"model", "model"));
        assert!(query_is(b"m%6fdel", "model"));
        assert!(query_is(b"a+b", "a b"));
        for (raw, text) in
            [("a+b", "a+b"), ("model", "mode"), ("mode", "model"), ("m%6fde", "model"), ("", "a")]
        {
            assert!(!query_is(raw.as_bytes(), text), "{raw}");
        }
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        assert!(matches!(path("a+b"), Cow::Borrowed(_)));
        assert!(matches!(query("ab"), Cow::Borrowed(_)));
    }
}
