//! Reads a field's name. The common ones are found in a table by their length and cost a comparison; the others are made by `http`.

use http::header::{self, HeaderName};
use memchr::memchr;

use super::head::BadHead;
use super::notable::{Field, Notable};

struct Known {
    text: &'static [u8],
    name: HeaderName,
    field: Option<Field>,
}

const fn plain(text: &'static str, name: HeaderName) -> Known {
    Known { text: text.as_bytes(), name, field: None }
}

const fn notable(text: &'static str, name: HeaderName, field: Field) -> Known {
    Known { text: text.as_bytes(), name, field: Some(field) }
}

const fn own(text: &'static str, field: Option<Field>) -> Known {
    Known { text: text.as_bytes(), name: HeaderName::from_static(text), field }
}

static L2: [Known; 1] = [notable("te", header::TE, Field::Te)];
static L3: [Known; 1] = [notable("via", header::VIA, Field::Via)];
static L4: [Known; 4] = [
    notable("host", header::HOST, Field::Host),
    notable("date", header::DATE, Field::Date),
    plain("vary", header::VARY),
    plain("etag", header::ETAG),
];
static L6: [Known; 5] = [
    plain("accept", header::ACCEPT),
    plain("server", header::SERVER),
    notable("expect", header::EXPECT, Field::Expect),
    plain("cookie", header::COOKIE),
    plain("origin", header::ORIGIN),
];
static L7: [Known; 3] = [
    notable("upgrade", header::UPGRADE, Field::Upgrade),
    plain("trailer", header::TRAILER),
    plain("referer", header::REFERER),
];
static L9: [Known; 1] = [notable("forwarded", header::FORWARDED, Field::Forwarded)];
static L10: [Known; 4] = [
    notable("connection", header::CONNECTION, Field::Connection),
    plain("user-agent", header::USER_AGENT),
    own("keep-alive", Some(Field::KeepAlive)),
    own("tracestate", None),
];
static L11: [Known; 3] =
    [own("traceparent", None), own("grpc-status", None), plain("retry-after", header::RETRY_AFTER)];
static L12: [Known; 2] = [plain("content-type", header::CONTENT_TYPE), own("x-request-id", None)];
static L13: [Known; 3] = [
    plain("authorization", header::AUTHORIZATION),
    plain("cache-control", header::CACHE_CONTROL),
    plain("last-modified", header::LAST_MODIFIED),
];
static L14: [Known; 1] = [notable("content-length", header::CONTENT_LENGTH, Field::ContentLength)];
static L15: [Known; 3] = [
    plain("accept-encoding", header::ACCEPT_ENCODING),
    own("x-forwarded-for", Some(Field::XForwardedFor)),
    plain("accept-language", header::ACCEPT_LANGUAGE),
];
static L16: [Known; 3] = [
    plain("content-encoding", header::CONTENT_ENCODING),
    own("x-forwarded-host", Some(Field::XForwardedHost)),
    own("proxy-connection", Some(Field::ProxyConnection)),
];
static L17: [Known; 2] = [
    notable("transfer-encoding", header::TRANSFER_ENCODING, Field::TransferEncoding),
    own("x-forwarded-proto", Some(Field::XForwardedProto)),
];

fn of_length(length: usize) -> &'static [Known] {
    match length {
        2 => &L2,
        3 => &L3,
        4 => &L4,
        6 => &L6,
        7 => &L7,
        9 => &L9,
        10 => &L10,
        11 => &L11,
        12 => &L12,
        13 => &L13,
        14 => &L14,
        15 => &L15,
        16 => &L16,
        17 => &L17,
        _ => &[],
    }
}

/// Whether a name, of the same length, is this one but for capitals. What is known are letters and dashes, and a line holds no CR:
/// nothing else becomes one of them by setting that bit.
fn is_same(name: &[u8], known: &[u8]) -> bool {
    const BIT: u64 = 0x2020_2020_2020_2020;
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let ends = (name.first_chunk(), name.last_chunk(), known.first_chunk(), known.last_chunk());
    match ends {
        (Some(start), Some(end), Some(first), Some(last)) if name.len() <= 16 => {
            word(start) | BIT == word(first) && word(end) | BIT == word(last)
        }
        _ => name.eq_ignore_ascii_case(known),
    }
}

/// The name, in lower case, and what is notable about it.
///
/// # Errors
/// It is none (RFC 9110 §5.6.2).
pub(super) fn read(name: &[u8], notable: &mut Notable) -> Result<HeaderName, BadHead> {
    let malformed = BadHead::Malformed("a header field's name is malformed");
    let first = name.first().ok_or(malformed)? | 0x20;
    let mut alike = of_length(name.len()).iter().filter(|known| known.text.first() == Some(&first));
    if let Some(known) = alike.find(|known| is_same(name, known.text)) {
        if let Some(field) = known.field {
            notable.mark(field);
        }
        return Ok(known.name.clone());
    }
    if memchr(b'_', name).is_some() {
        notable.mark(Field::Underscore);
    }
    HeaderName::from_bytes(name).map_err(|_| malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_what_http_makes_of_it_in_any_spelling() {
        let all = (0..20).flat_map(of_length);
        let mut count = 0;
        for known in all {
            let text = std::str::from_utf8(known.text).unwrap();
            for spelling in [text.to_owned(), text.to_ascii_uppercase()] {
                let (mut read_as, mut noted) = (Notable::default(), Notable::default());
                let name = read(spelling.as_bytes(), &mut read_as).unwrap();
                assert_eq!(name, HeaderName::from_bytes(spelling.as_bytes()).unwrap());
                noted.note(name.as_str());
                assert_eq!(read_as, noted, "{text}");
            }
            count += 1;
        }
        assert_eq!(count, 36);
    }

    #[test]
    fn others_are_read_and_refused_as_http_does() {
        let mut notable = Notable::default();
        assert_eq!(read(b"X-Own", &mut notable).unwrap(), "x-own");
        assert_eq!(notable, Notable::default());
        assert_eq!(read(b"Content_Length", &mut notable).unwrap(), "content_length");
        assert!(notable.has(Field::Underscore) && !notable.has(Field::ContentLength));
        for bad in ["", "a b", "a:", "ä", "a\u{0}", "h\u{f}st", "content\nlength", "content\u{7f}length"] {
            assert!(read(bad.as_bytes(), &mut notable).is_err(), "{bad:?}");
        }
    }
}
