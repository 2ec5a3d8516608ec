//! Finds the end of a message's body: by length, by chunks, or by the connection's end. Never reads past it.
//!
//! Chunk lines end with CR LF and nothing else (RFC 9112 §7.1); extensions are skipped within a limit; a trailer section has the
//! limits below. Fields that must not stand in trailers (RFC 9110 §6.5.1) are dropped.

use bytes::{Buf, Bytes, BytesMut};
use http::header::HeaderMap;
use memchr::memchr;

use super::head::{BadHead, HeadLimits, Scan};
use super::lines::{Lines, fields};

/// A chunk's line: its size and extensions.
const CHUNK_LINE_BYTES_MAX: usize = 1024;
/// Extensions of a whole body: they are dead weight, and only attackers send many.
const EXTENSION_BYTES_MAX: usize = 64 * 1024;
const TRAILERS: HeadLimits = HeadLimits { bytes_max: 16 * 1024, line_bytes_max: 16 * 1024, fields_max: 64 };

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// After so many bytes, at least one.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// With the connection: answers only.
    Close,
}

/// A body's next piece.
#[derive(Debug)]
pub enum Piece {
    /// Some of it.
    Data(Bytes),
    /// The trailer section, which is the last of it.
    Trailers(HeaderMap),
    /// Nothing more.
    End,
    /// More has to be read first.
    More,
}

/// Why a body is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// A chunk's line or end is malformed.
    #[error("{0}")]
    Malformed(&'static str),
    /// The connection ended within it.
    #[error("the body broke off")]
    Truncated,
}

/// Follows one body.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    extensions: usize,
}

#[derive(Debug)]
enum State {
    Done,
    Length(u64),
    Close,
    Size,
    Chunk(u64),
    ChunkEnd,
    Trailers(Scan),
}

impl Decoder {
    /// At the start of a body.
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size,
            Framing::Close => State::Close,
        };
        Self { state, extensions: 0 }
    }

    /// Whether the body's end has been taken.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The bytes that are still to come, if known.
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Takes the next piece out of what was read. `ended`: nothing more will come.
    ///
    /// # Errors
    /// [`BadBody`]; the connection is of no more use.
    pub fn decode(&mut self, read: &mut BytesMut, ended: bool) -> Result<Piece, BadBody> {
        loop {
            match &mut self.state {
                State::Done => return Ok(Piece::End),
                State::Close if read.is_empty() && ended => self.state = State::Done,
                State::Close if read.is_empty() => return Ok(Piece::More),
                State::Close => return Ok(Piece::Data(read.split().freeze())),
                State::Length(left) => {
                    let Some(data) = take(read, left) else { return more(ended) };
                    if *left == 0 {
                        self.state = State::Done;
                    }
                    return Ok(Piece::Data(data));
                }
                State::Size => match self.size(read)? {
                    None => return more(ended),
                    Some(0) => self.state = State::Trailers(Scan::default()),
                    Some(size) => self.state = State::Chunk(size),
                },
                State::Chunk(left) => {
                    let Some(data) = take(read, left) else { return more(ended) };
                    if *left == 0 {
                        self.state = State::ChunkEnd;
                    }
                    return Ok(Piece::Data(data));
                }
                State::ChunkEnd => match (read.first(), read.get(1)) {
                    (Some(b'\r'), Some(b'\n')) => {
                        read.advance(2);
                        self.state = State::Size;
                    }
                    (None, _) | (Some(b'\r'), None) => return more(ended),
                    _ => return Err(BadBody::Malformed("a chunk is longer than its size")),
                },
                State::Trailers(scan) => {
                    let Some(trailers) = trailers(scan, read)? else { return more(ended) };
                    self.state = State::Done;
                    if !trailers.is_empty() {
                        return Ok(Piece::Trailers(trailers));
                    }
                }
            }
        }
    }

    /// A chunk's size, once its line is whole.
    fn size(&mut self, read: &mut BytesMut) -> Result<Option<u64>, BadBody> {
        let seen = read.get(..read.len().min(CHUNK_LINE_BYTES_MAX)).unwrap_or_default();
        let Some(end) = memchr(b'\n', seen) else {
            let long = seen.len() == CHUNK_LINE_BYTES_MAX;
            return if long { Err(BadBody::Malformed("a chunk's line is too long")) } else { Ok(None) };
        };
        let line = seen.get(..end).and_then(|line| line.strip_suffix(b"\r"));
        let size = line.and_then(chunk_size).ok_or(BadBody::Malformed("a chunk's size is malformed"))?;
        self.extensions += end;
        if self.extensions > EXTENSION_BYTES_MAX && size < 64 {
            return Err(BadBody::Malformed("too many small chunks or extensions"));
        }
        if size >= 64 {
            self.extensions = 0;
        }
        read.advance(end + 1);
        Ok(Some(size))
    }
}

fn more(ended: bool) -> Result<Piece, BadBody> {
    if ended { Err(BadBody::Truncated) } else { Ok(Piece::More) }
}

fn take(read: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    if read.is_empty() {
        return None;
    }
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    *left -= count as u64;
    Some(read.split_to(count).freeze())
}

/// Hexadecimal digits, and perhaps extensions behind a semicolon (RFC 9112 §7.1.1).
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at_checked(digits)?;
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let is_extension = rest.first() == Some(&b';')
        && rest.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
    if !rest.is_empty() && !is_extension {
        return None;
    }
    // Whitespace alone behind a size is not an extension.
    if rest.is_empty() && line.len() != digits.len() {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok().filter(|size| *size <= i64::MAX as u64)
}

/// The trailer section, once it is whole.
fn trailers(scan: &mut Scan, read: &mut BytesMut) -> Result<Option<HeaderMap>, BadBody> {
    let malformed = BadBody::Malformed("the trailer section is malformed");
    let Some(end) = scan.end(read, &TRAILERS).map_err(|_| malformed)? else { return Ok(None) };
    let block = read.split_to(end).freeze();
    if end == 2 {
        return Ok(Some(HeaderMap::new()));
    }
    let read = fields(&block, Lines::new(&block), TRAILERS.fields_max, false);
    let (mut all, _) = read.map_err(|_: BadHead| malformed)?;
    for name in FORBIDDEN {
        all.remove(name);
    }
    Ok(Some(all.into()))
}

/// What a trailer must not say: framing, routing, authentication, content (RFC 9110 §6.5.1).
pub const FORBIDDEN: [&str; 17] = [
    "transfer-encoding",
    "content-length",
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "te",
    "trailer",
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "content-type",
    "content-encoding",
    "content-range",
    "expect",
];

#[cfg(test)]
mod tests;
