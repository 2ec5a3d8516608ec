//! A request's head: from bytes to `http` types, with everything refused that two parties could read in two ways.
//!
//! Nothing is copied but names that http does not know; values are slices of the bytes that came.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Uri};
use http::{Method, Version};

use super::decode::Framing;
use super::head::{BadHead, HeadLimits};
use super::host;
use super::lines::{Lines, fields, split};
use super::notable::{Field, Notable};
use crate::message::{HeaderMap, RequestParts as Parts};

/// The longest method (RFC 9110 §9 has none beyond 7; WebDAV and others have up to 17).
const METHOD_BYTES_MAX: usize = 32;

/// A request's head.
#[derive(Debug)]
pub struct RequestHead {
    /// Method, target, version, fields.
    pub parts: Parts,
    /// Where its body ends.
    pub framing: Framing,
    /// Whether the client keeps the connection.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// Reads a whole head, which [`super::head::Scan`] has delimited.
///
/// # Errors
/// The first fault.
pub fn parse(block: &Bytes, limits: &HeadLimits) -> Result<RequestHead, BadHead> {
    let malformed = BadHead::Malformed("the request line is malformed");
    let mut lines = Lines::new(block);
    let line = lines.next()?.ok_or(malformed)?;
    let (method_word, rest) = split(line, b' ').ok_or(malformed)?;
    let (target_word, version_word) = split(rest, b' ').ok_or(malformed)?;
    let version = match version_word {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        other => return Err(no_version(other)),
    };
    let method = method(method_word)?;
    let uri = target(block, target_word, &method)?;
    let (headers, notable) = fields(block, lines, limits.fields_max, false)?;
    finish(Parts { method, uri, version, headers, notable })
}

/// A version of HTTP that is not spoken, or not HTTP at all.
fn no_version(word: &[u8]) -> BadHead {
    let is_version = matches!(word, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit());
    if is_version { BadHead::Version } else { BadHead::Malformed("the request line is malformed") }
}

fn method(word: &[u8]) -> Result<Method, BadHead> {
    if word.len() > METHOD_BYTES_MAX {
        return Err(BadHead::Malformed("the method is too long"));
    }
    match Method::from_bytes(word) {
        Ok(Method::CONNECT | Method::TRACE) => Err(BadHead::Method),
        Ok(method) => Ok(method),
        Err(_) => Err(BadHead::Malformed("the method is malformed")),
    }
}

/// Origin form, absolute form of http and https, and `*` for OPTIONS (RFC 9112 §3.2).
fn target(block: &Bytes, path: &[u8], method: &Method) -> Result<Uri, BadHead> {
    let malformed = BadHead::Malformed("the request target is malformed");
    // Every byte is looked at: without a branch that is done many at a time.
    let is_odd = |byte: u8| byte <= b' ' || byte >= 0x7f || byte == b'#';
    if path.iter().fold(false, |odd, byte| odd | is_odd(*byte)) {
        return Err(malformed);
    }
    let uri = Uri::from_maybe_shared(block.slice_ref(path)).map_err(|_| malformed)?;
    let is_http =
        |uri: &Uri| matches!(uri.scheme_str(), Some(scheme) if scheme == "http" || scheme == "https");
    match path.first() {
        Some(b'/') => Ok(uri),
        Some(b'*') if path.len() == 1 && method == Method::OPTIONS => Ok(uri),
        _ if is_http(&uri) && uri.authority().is_some() => {
            let is_bare =
                uri.authority().is_some_and(|authority| path.ends_with(authority.as_str().as_bytes()));
            if is_bare && method == Method::OPTIONS { of_the_server(uri).ok_or(malformed) } else { Ok(uri) }
        }
        _ => Err(malformed),
    }
}

/// OPTIONS of an absolute form without path and query is about the server itself: `*` (RFC 9112 §3.2.4).
fn of_the_server(uri: Uri) -> Option<Uri> {
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(PathAndQuery::from_static("*"));
    Uri::from_parts(parts).ok()
}

fn finish(mut parts: Parts) -> Result<RequestHead, BadHead> {
    let notable = parts.notable;
    check_host(&parts, notable)?;
    if notable.has(Field::Underscore) {
        check_names(&parts.headers)?;
    }
    let framing = framing(&parts, notable)?;
    if notable.has(Field::ContentLength)
        && parts
            .headers
            .get(CONTENT_LENGTH)
            .is_some_and(|text| text.len() > 1 && text.as_bytes().starts_with(b"0"))
    {
        // One spelling goes on: `010` is eight to some.
        let length = if let Framing::Length(length) = framing { length } else { 0 };
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let keep_alive = keeps_alive(parts.version, &parts.headers, notable);
    let expects_continue = notable.has(Field::Expect) && expects_continue(&parts, framing)?;
    Ok(RequestHead { parts, framing, keep_alive, expects_continue })
}

/// Exactly one Host in HTTP/1.1, a valid one, and the same as an absolute target's.
pub(crate) fn check_host(parts: &Parts, notable: Notable) -> Result<(), BadHead> {
    if notable.has_several(Field::Host) {
        return Err(BadHead::Malformed("more than one Host"));
    }
    let host = match parts.headers.get(HOST) {
        None if parts.version == Version::HTTP_11 => return Err(BadHead::Malformed("no Host")),
        None => None,
        Some(host) if host::is_valid(host.as_bytes()) => host.to_str().ok(),
        Some(_) => return Err(BadHead::Malformed("Host is malformed")),
    };
    let Some(authority) = parts.uri.authority().map(Authority::as_str) else { return Ok(()) };
    if !host::is_valid(authority.as_bytes()) {
        return Err(BadHead::Malformed("the request target is malformed"));
    }
    let scheme = parts.uri.scheme_str().unwrap_or("http");
    match host {
        Some(host) if !host::is_same(host, authority, scheme) => {
            Err(BadHead::Malformed("Host is not the host of the request target"))
        }
        _ => Ok(()),
    }
}

/// Names that a server which turns `-` into `_` (CGI, WSGI) would take for a field that decides about framing or identity.
pub(crate) fn check_names(headers: &HeaderMap) -> Result<(), BadHead> {
    const CONFUSABLE: [&str; 10] = [
        "content_length",
        "transfer_encoding",
        "x_forwarded_for",
        "x_forwarded_host",
        "x_forwarded_proto",
        "x_real_ip",
        "remote_user",
        "remote_addr",
        "proxy_authorization",
        "content_type",
    ];
    let confusable = headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| name.contains('_'))
        .any(|name| CONFUSABLE.contains(&name.replace('-', "_").as_str()));
    if confusable {
        return Err(BadHead::Malformed("a header field's name can be taken for another's"));
    }
    Ok(())
}

/// RFC 9112 §6.3, with nothing left to interpretation: one plain Content-Length or `Transfer-Encoding: chunked`, never both.
fn framing(parts: &Parts, notable: Notable) -> Result<Framing, BadHead> {
    match (notable.has(Field::ContentLength), notable.has(Field::TransferEncoding)) {
        (false, false) => Ok(Framing::None),
        (true, true) => Err(BadHead::Malformed("both Transfer-Encoding and Content-Length")),
        (true, false) if notable.has_several(Field::ContentLength) => {
            Err(BadHead::Malformed("more than one Content-Length"))
        }
        (true, false) => parts
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|length| content_length(length.as_bytes()))
            .map(|length| if length == 0 { Framing::None } else { Framing::Length(length) })
            .ok_or(BadHead::Malformed("Content-Length is malformed")),
        (false, true) if notable.has_several(Field::TransferEncoding) => {
            Err(BadHead::Malformed("more than one Transfer-Encoding"))
        }
        (false, true) if parts.version != Version::HTTP_11 => {
            Err(BadHead::Malformed("Transfer-Encoding in HTTP/1.0"))
        }
        (false, true) => {
            coding_of(parts.headers.get(TRANSFER_ENCODING).map_or(b"", |coding| coding.as_bytes()))
        }
    }
}

fn coding_of(coding: &[u8]) -> Result<Framing, BadHead> {
    if coding.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let mut all = coding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let last_is_chunked = all.clone().next_back().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let chunked = all.by_ref().filter(|one| one.eq_ignore_ascii_case(b"chunked")).count();
    if last_is_chunked && chunked == 1 {
        return Err(BadHead::Coding);
    }
    // Without chunked at its end the body's end cannot be known (RFC 9112 §6.3).
    Err(BadHead::Malformed("Transfer-Encoding does not end with one chunked"))
}

/// Digits and nothing else (RFC 9110 §8.6), and no number that is negative to those who count with signs.
pub(super) fn content_length(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|length| *length <= i64::MAX as u64)
}

/// RFC 9112 §9.3.
pub(super) fn keeps_alive(version: Version, headers: &HeaderMap, notable: Notable) -> bool {
    let mut keeps = version == Version::HTTP_11;
    if !notable.has(Field::Connection) {
        return keeps;
    }
    for value in headers.get_all(CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                return false;
            }
            keeps |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    keeps
}

/// RFC 9110 §10.1.1: ignored in HTTP/1.0 and where there is no body to wait with.
fn expects_continue(parts: &Parts, framing: Framing) -> Result<bool, BadHead> {
    let Some(expectation) = parts.headers.get(EXPECT) else { return Ok(false) };
    if !expectation.as_bytes().eq_ignore_ascii_case(b"100-continue") {
        return Err(BadHead::Expectation);
    }
    Ok(parts.version == Version::HTTP_11 && framing != Framing::None)
}

#[cfg(test)]
mod tests;
