//! Writes heads and frames bodies.

use std::io::Write;

use http::header::{HeaderName, HeaderValue};
use http::{StatusCode, Version};

use crate::message::RequestParts;

/// A request's head in origin form. Its fields say how its body is framed.
pub fn request_head(out: &mut Vec<u8>, head: &RequestParts) {
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    // `http://a?b` has a query and no path (RFC 9112 §3.2.1).
    let is_rootless = head.uri.path_and_query().is_some_and(|target| target.as_str().starts_with('?'));
    out.extend_from_slice(if is_rootless { b"/" } else { b"" });
    let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    fields(out, head.headers.iter());
    out.extend_from_slice(b"\r\n");
}

/// A status line. HTTP/1.1 also to HTTP/1.0 clients: the version is the sender's (RFC 9110 §6.2).
pub fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Fields, one a line.
pub fn fields<'f>(out: &mut Vec<u8>, headers: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>) {
    for (name, value) in headers {
        field(out, name.as_str(), value.as_bytes());
    }
}

/// One field.
pub fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// What stands before a chunk.
pub fn chunk_size(out: &mut Vec<u8>, size: usize) {
    let _ = write!(out, "{size:x}\r\n");
}

/// The last chunk, and the trailer section.
pub fn last_chunk(out: &mut Vec<u8>, trailers: Option<&http::HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        fields(out, trailers.iter());
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a client of this version understands chunks.
pub fn knows_chunks(version: Version) -> bool {
    version >= Version::HTTP_11
}
