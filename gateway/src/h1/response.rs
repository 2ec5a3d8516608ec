//! A backend's response head: as strict as a request's where its end is concerned. Backends are not trusted.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version};

use super::decode::Framing;
use super::head::{BadHead, HeadLimits};
use super::lines::{Lines, fields, split};
use super::notable::{Field, Notable};
use super::request::{content_length, keeps_alive};
use crate::message::{HeaderMap, ResponseParts as Parts};

/// Heads above these are refused: `bad_answer`.
pub const LIMITS: HeadLimits =
    HeadLimits { bytes_max: 256 * 1024, line_bytes_max: 8 * 1024, fields_max: 256 };

/// A response's head.
#[derive(Debug)]
pub struct ResponseHead {
    /// Status, version, fields.
    pub parts: Parts,
    /// Where its body ends.
    pub framing: Framing,
    /// Whether the connection can carry another request afterwards.
    pub keep_alive: bool,
}

/// Reads a whole head of the answer to a request of `method`.
///
/// # Errors
/// The first fault.
pub fn parse(block: &Bytes, method: &Method) -> Result<ResponseHead, BadHead> {
    let mut lines = Lines::new(block);
    let (version, status) = status_line(lines.next()?.unwrap_or_default())?;
    let (headers, notable) = fields(block, lines, LIMITS.fields_max, true)?;
    let mut parts = Parts { status, version, headers, notable };
    let has_length = parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    let framing = framing(&mut parts, notable, method)?;
    // Chunks beside a length; or a body announced where none may be, which may still be on its way.
    let ambiguous = framing == Framing::Chunked && notable.has(Field::ContentLength)
        || parts.status.as_u16() == 204 && (has_length || notable.has(Field::TransferEncoding));
    let keep_alive =
        framing != Framing::Close && !ambiguous && keeps_alive(parts.version, &parts.headers, notable);
    Ok(ResponseHead { parts, framing, keep_alive })
}

/// RFC 9112 §4. The space before a reason that is empty is left out by some.
fn status_line(line: &[u8]) -> Result<(Version, StatusCode), BadHead> {
    let malformed = BadHead::Malformed("the answer's status is malformed");
    let (version, rest) = split(line, b' ').ok_or(malformed)?;
    let version = match version {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        [b'H', b'T', b'T', b'P', b'/', _, b'.', _] => return Err(BadHead::Version),
        _ => return Err(malformed),
    };
    let (code, reason) = rest.split_at_checked(3).ok_or(malformed)?;
    let is_text = |byte: u8| byte >= b' ' && byte != 0x7f || byte == b'\t';
    if !(reason.is_empty() || reason.starts_with(b" ")) || !reason.iter().all(|byte| is_text(*byte)) {
        return Err(malformed);
    }
    Ok((version, StatusCode::from_bytes(code).map_err(|_| malformed)?))
}

/// RFC 9112 §6.3. Equal lengths are made one; chunks win over a length, and the connection is not used again.
fn framing(parts: &mut Parts, notable: Notable, method: &Method) -> Result<Framing, BadHead> {
    let (status, version, headers) = (parts.status, parts.version, &mut parts.headers);
    let length = if notable.has(Field::ContentLength) { one_length(headers, notable)? } else { None };
    let chunked = notable.has(Field::TransferEncoding) && is_chunked(headers)?;
    if chunked && version != Version::HTTP_11 {
        return Err(BadHead::Malformed("Transfer-Encoding in HTTP/1.0"));
    }
    let empty = status.is_informational() || matches!(status.as_u16(), 204 | 304);
    if status.as_u16() == 204 || status.is_informational() {
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRANSFER_ENCODING);
    }
    Ok(match length {
        _ if empty || method == Method::HEAD => Framing::None,
        _ if chunked => Framing::Chunked,
        Some(0) => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    })
}

fn one_length(headers: &mut HeaderMap, notable: Notable) -> Result<Option<u64>, BadHead> {
    let Some(first) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let malformed = BadHead::Malformed("the answer's Content-Length is malformed");
    let length = content_length(first.as_bytes()).ok_or(malformed)?;
    let several = notable.has_several(Field::ContentLength);
    let differs = |other: &HeaderValue| content_length(other.as_bytes()) != Some(length);
    if several && headers.get_all(CONTENT_LENGTH).iter().any(differs) {
        return Err(BadHead::Malformed("the answer has several Content-Lengths"));
    }
    if several || first.len() > 1 && first.as_bytes().starts_with(b"0") {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(Some(length))
}

fn is_chunked(headers: &HeaderMap) -> Result<bool, BadHead> {
    let mut all = headers.get_all(TRANSFER_ENCODING).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(BadHead::Coding),
    }
}

#[cfg(test)]
mod tests;
