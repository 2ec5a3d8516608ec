//! Heads and chunks of HTTP/1.1.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Version};
use weir_gateway::h1::decode::{BadBody, Decoder, Framing, Piece};
use weir_gateway::h1::head::{HeadLimits, Scan};
use weir_gateway::h1::{encode, request, response};

pub(crate) const LIMITS: HeadLimits = HeadLimits { bytes_max: 4096, line_bytes_max: 1024, fields_max: 32 };

/// The length of the head that stands at the beginning, found however the bytes come.
pub(crate) fn end(data: &[u8], limits: &HeadLimits) -> Option<usize> {
    super::uncut(data, |pieces| {
        let (mut scan, mut seen) = (Scan::default(), 0);
        for piece in pieces {
            seen += piece.len();
            match scan.end(&data[..seen], limits) {
                Ok(None) => {}
                Ok(Some(end)) => return Ok(Some(end)),
                Err(_) => return Err(()),
            }
        }
        Ok(None)
    })
    .ok()
    .flatten()
}

/// What no head may hold, whatever else it says.
fn assert_plain(headers: &weir_gateway::message::HeaderMap) {
    for (name, value) in headers.iter() {
        assert!(!name.as_str().is_empty() && !name.as_str().contains([' ', '\t', ':']), "{name:?}");
        assert!(!value.as_bytes().iter().any(|byte| b"\r\n\0".contains(byte)), "{value:?}");
    }
}

/// A request that is taken has one reading, and what is sent on of it has the same.
pub(crate) fn request_head(data: &[u8]) {
    let Some(end) = end(data, &LIMITS) else { return };
    let Ok(head) = request::parse(&Bytes::copy_from_slice(&data[..end]), &LIMITS) else { return };
    let headers = &head.parts.headers;
    assert_plain(headers);
    let lengths = headers.get_all("content-length").iter().count();
    let codings = headers.get_all("transfer-encoding").iter().count();
    assert!(lengths + codings <= 1, "two framings");
    assert!(head.framing != Framing::Close, "a request has an end");
    assert_eq!(head.framing == Framing::Chunked, codings == 1);
    if head.parts.version != Version::HTTP_11 {
        return;
    }
    assert_eq!(headers.get_all("host").iter().count(), 1);
    let mut again = Vec::new();
    encode::request_head(&mut again, &head.parts);
    let found = Scan::default().end(&again, &HeadLimits { bytes_max: 16 * 1024, ..LIMITS });
    assert_eq!(found, Ok(Some(again.len())), "what is sent on has another end");
    let second = request::parse(&Bytes::from(again), &LIMITS).unwrap();
    assert_eq!(second.parts.method, head.parts.method);
    assert_eq!(
        (second.parts.uri.path(), second.parts.uri.query()),
        (head.parts.uri.path(), head.parts.uri.query())
    );
    assert_eq!(&second.parts.headers, headers);
    assert_eq!((second.framing, second.keep_alive), (head.framing, head.keep_alive));
}

/// The first byte chooses the method that is answered.
pub(crate) fn response_head(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let method = if choice % 2 == 0 { Method::GET } else { Method::HEAD };
    let Some(end) = end(data, &response::LIMITS) else { return };
    let Ok(head) = response::parse(&Bytes::copy_from_slice(&data[..end]), &method) else { return };
    let (parts, headers) = (&head.parts, &head.parts.headers);
    assert_plain(headers);
    let lengths: Vec<_> = headers.get_all("content-length").iter().collect();
    assert!(lengths.len() <= 1, "two lengths");
    let is_empty = parts.status.is_informational() || matches!(parts.status.as_u16(), 204 | 304);
    if is_empty || method == Method::HEAD {
        assert_eq!(head.framing, Framing::None);
    }
    match head.framing {
        Framing::Chunked => {
            assert!(lengths.is_empty() || !head.keep_alive, "an ambiguous answer's connection")
        }
        Framing::Length(length) => assert_eq!(lengths, [length.to_string().as_str()]),
        Framing::Close => assert!(!head.keep_alive),
        Framing::None => {}
    }
    let mut again = Vec::new();
    encode::status_line(&mut again, parts.status);
    encode::fields(&mut again, headers.iter());
    again.extend_from_slice(b"\r\n");
    let second = response::parse(&Bytes::from(again), &method).unwrap();
    assert_eq!((second.parts.status, &second.parts.headers), (parts.status, headers));
}

/// What a body came to: its data, trailers, fault, and what was taken of the bytes.
#[derive(Debug, PartialEq)]
struct Body {
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    fault: Option<BadBody>,
    taken: usize,
}

fn decode(pieces: &[&[u8]]) -> Body {
    let mut body = Body { data: Vec::new(), trailers: None, fault: None, taken: 0 };
    let (mut decoder, mut read) = (Decoder::new(Framing::Chunked), BytesMut::new());
    let mut pieces = pieces.iter();
    let mut ended = false;
    loop {
        match decoder.decode(&mut read, ended) {
            Ok(Piece::Data(data)) => body.data.extend_from_slice(&data),
            Ok(Piece::Trailers(trailers)) => body.trailers = Some(trailers),
            Ok(Piece::End) => break,
            Ok(Piece::More) => match pieces.next() {
                Some(piece) => {
                    read.extend_from_slice(piece);
                    body.taken += piece.len();
                }
                None => ended = true,
            },
            Err(fault) => {
                // How far it had been read is nobody's matter.
                body.fault = Some(fault);
                body.taken = 0;
                return body;
            }
        }
    }
    assert!(decoder.is_done());
    body.taken -= read.len();
    body
}

/// The body, its end and its faults are the same however the bytes come; and what is sent on of it says the same.
pub(crate) fn chunks(data: &[u8]) {
    let body = super::uncut(data, decode);
    if body.fault.is_some() {
        return;
    }
    // What stands behind the body changes nothing.
    let more = [&data[..body.taken], b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n"].concat();
    assert_eq!(decode(&[&more]), body, "what stands behind the body");
    let mut again = Vec::new();
    if !body.data.is_empty() {
        encode::chunk_size(&mut again, body.data.len());
        again.extend_from_slice(&body.data);
        again.extend_from_slice(b"\r\n");
    }
    encode::last_chunk(&mut again, body.trailers.as_ref());
    let second = decode(&[&again]);
    assert_eq!((second.fault, second.data), (None, body.data));
    assert_eq!(second.trailers.unwrap_or_default(), body.trailers.unwrap_or_default());
}
