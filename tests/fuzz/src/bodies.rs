//! The scanners that look into bodies for a model's name.

use serde_json::Value;
use weir_gateway::identify::{FormScanner, JsonScanner, MultipartScanner, ProtobufScanner, ScanFlags};

const VALUE_BYTES_MAX: usize = 64;

/// Two values and what was noticed.
type Found = (Option<String>, Option<String>, ScanFlags);

macro_rules! found {
    ($scanner:expr) => {{
        let value = |key| $scanner.value(key).map(str::to_owned);
        (value(0), value(1), $scanner.flags())
    }};
}

/// A value that can be a name.
fn name(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= VALUE_BYTES_MAX).then(|| text.to_owned())
}

/// Where serde_json reads an object, the scanner finds the same values in it.
pub(crate) fn json(data: &[u8]) {
    let scan = |to_the_end: bool| {
        super::uncut(data, |pieces| {
            let mut scanner = JsonScanner::new(["model", "x"], VALUE_BYTES_MAX);
            if to_the_end {
                scanner = scanner.to_the_end();
            }
            for piece in pieces {
                scanner.feed(piece);
            }
            let found: Found = found!(scanner);
            found
        })
    };
    let _: Found = scan(false);
    let (model, x, flags) = scan(true);
    let Ok(Value::Object(object)) = serde_json::from_slice(data) else { return };
    let expected = |key| object.get(key).and_then(Value::as_str).and_then(name);
    assert_eq!((model, x, flags.malformed), (expected("model"), expected("x"), false));
}

/// The first line is the Content-Type.
pub(crate) fn multipart(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (content_type, body) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    super::uncut(body, |pieces| -> Option<Found> {
        let mut scanner = MultipartScanner::new(content_type, ["model", "x"], VALUE_BYTES_MAX)?;
        for piece in pieces {
            scanner.feed(piece);
        }
        Some(found!(scanner))
    });
}

/// The same fields however the bytes come; without escapes, those that a plain split finds.
pub(crate) fn form(data: &[u8]) {
    let (model, _, _) = super::uncut(data, |pieces| -> Found {
        // Nobody sends the second, so that the last of the first counts.
        let mut scanner = FormScanner::new(["model", "\u{1}none\u{1}"], VALUE_BYTES_MAX);
        for piece in pieces {
            scanner.feed(piece);
        }
        scanner.end();
        found!(scanner)
    });
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains(['%', '+', '\u{1}']) {
        return;
    }
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let last = pairs.rev().find(|(field, _)| *field == "model");
    assert_eq!(model, last.and_then(|(_, value)| name(value)));
}

/// Where a plain parser reads a message, the scanner finds the same value in it.
pub(crate) fn protobuf(data: &[u8]) {
    let scan = |fields: [&'static str; 2]| {
        super::uncut(data, |pieces| -> Found {
            let mut scanner = ProtobufScanner::new(fields, VALUE_BYTES_MAX).unwrap();
            for piece in pieces {
                scanner.feed(piece);
            }
            found!(scanner)
        })
    };
    scan(["1.1", "2"]);
    // Nobody sends the second, so that the last of the first counts.
    let (value, _, _) = scan(["1", "500000001"]);
    let Some((&[0, a, b, c, d], rest)) = data.split_first_chunk::<5>() else { return };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap();
    let Some(values) = rest.get(..length).and_then(|message| fields(message, 1)) else { return };
    let last = values.last().map(|value| std::str::from_utf8(value));
    // What is not text ends the scan.
    if values.iter().all(|value| std::str::from_utf8(value).is_ok()) {
        assert_eq!(value, last.and_then(|text| name(text.unwrap())));
    }
}

/// The values of a field in a message (protobuf, "Encoding"); none if it is not one, has groups, or the field is no text.
fn fields(mut message: &[u8], wanted: u64) -> Option<Vec<&[u8]>> {
    let mut all = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let (number, kind) = (tag >> 3, tag & 7);
        if number == 0 || number > 0x1fff_ffff || number == 500_000_001 || number == wanted && kind != 2 {
            return None;
        }
        let length = match kind {
            0 => {
                varint(&mut message)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (value, rest) = message.split_at_checked(length)?;
        message = rest;
        if number == wanted {
            all.push(value);
        }
    }
    Some(all)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for i in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        // The tenth byte has one bit to give.
        if i == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
