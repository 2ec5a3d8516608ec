//! The frames of a streamed answer: server-sent events, lines of JSON, AWS's binary messages (`event_stream`), or one whole JSON, which is a
//! stream too if it is an array (Gemini's `streamGenerateContent`). Each piece of the body is handed on to the
//! JSON reader as it comes, nothing is kept but where in a line it ended.
//!
//! Server-sent events as WHATWG's HTML §9.2 has them: lines end in `\n`, `\r` or `\r\n`, several `data` lines are one event, an empty
//! line ends it. `[DONE]` as an event's data is OpenAI's mark of the end.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use memchr::memchr2;

use super::base64::Chunk;
use super::event_stream::{EventStream, Payload, Read};
use super::json::{Scan, Sink};
use super::places::{Places, Roles};
use crate::message::HeaderMap;

const DATA: &[u8] = b"data:";
const DONE: &[u8] = b"[DONE]";

/// How an answer's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// One JSON text.
    Whole,
    /// A JSON text on each line.
    Lines,
    /// Server-sent events with JSON in them.
    Events,
    /// AWS's binary messages.
    Binary,
}

/// Why a body's frames are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is no JSON.
    Other,
    /// It is compressed.
    Compressed,
}

/// How far the frames have been read.
#[derive(Debug)]
pub(super) struct Frames {
    framing: Framing,
    line: Line,
    /// The last byte was a `\r` that ended a line.
    after_return: bool,
    json: Scan,
    /// Of binary messages: how far they were read, what chunks of them hold, and how the parts are framed of which they make one stream.
    binary: EventStream,
    chunk: Chunk,
    parts: Option<Framing>,
    /// The first byte that is no space.
    first: Option<u8>,
    /// `[DONE]` was seen.
    pub(super) done: bool,
    /// Some text was malformed.
    pub(super) lost: bool,
}

/// Where in a line of events the last piece ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// So many bytes of `data:` were there.
    Field(usize),
    /// The value has not begun; one space may stand before it, and so many bytes of `[DONE]` were there.
    Begin { space: bool, done: usize },
    /// Within the value.
    Data,
    /// Another field, or a comment.
    Other,
}

impl Framing {
    /// As the head says.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Unread> {
        let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], http::HeaderValue::as_bytes);
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is = |names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name.as_bytes()));
        let framing = if is(&["text/event-stream"]) {
            Self::Events
        } else if is(&["application/vnd.amazon.eventstream"]) {
            Self::Binary
        } else if is(&["application/json"]) {
            Self::Whole
        } else if is(&[
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/json-lines",
        ]) {
            Self::Lines
        } else {
            return Err(Unread::Other);
        };
        let encoding = headers.get(CONTENT_ENCODING).map(http::HeaderValue::as_bytes);
        match encoding {
            Some(encoding) if !encoding.trim_ascii().eq_ignore_ascii_case(b"identity") => {
                Err(Unread::Compressed)
            }
            _ => Ok(framing),
        }
    }
}

impl Frames {
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            framing,
            line: Line::Field(0),
            after_return: false,
            json: Scan::default(),
            binary: EventStream::default(),
            chunk: Chunk::default(),
            parts: None,
            first: None,
            done: false,
            lost: false,
        }
    }

    /// Reads on.
    pub(super) fn feed(&mut self, bytes: &[u8], places: &Places, sink: &mut impl Sink) {
        if self.first.is_none() {
            self.first = bytes.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
        }
        match self.framing {
            Framing::Whole => self.json.feed(bytes, places, sink),
            Framing::Lines => self.lines(bytes, places, sink),
            Framing::Events => self.events(bytes, places, sink),
            Framing::Binary => self.binary(bytes, places, sink),
        }
        self.lost |= self.json.is_lost();
    }

    /// Whether what was read is one of several answers.
    pub(super) fn is_stream(&self) -> bool {
        self.framing != Framing::Whole || self.first == Some(b'[')
    }

    /// Whether the stream's own frames are not whole.
    pub(super) fn is_cut(&self) -> bool {
        self.binary.is_within()
    }

    fn lines(&mut self, bytes: &[u8], places: &Places, sink: &mut impl Sink) {
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if number > 0 {
                self.end_value(places, sink);
            }
            self.json.feed(line, places, sink);
        }
    }

    fn binary(&mut self, bytes: &[u8], places: &Places, sink: &mut impl Sink) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (read, after) = self.binary.read(rest);
            rest = after;
            match read {
                Read::Payload(Payload::Event, run) => self.json.feed(run, places, sink),
                Read::Payload(Payload::Chunk, run) => {
                    let Self { chunk, json, .. } = self;
                    chunk.feed(run, |decoded| json.feed(decoded, places, sink));
                }
                Read::Payload(Payload::Part, run) => self.part(run, places, sink),
                Read::Exception => sink.something(Roles::ERROR, false),
                Read::End(Payload::Event | Payload::Chunk) => {
                    self.chunk.reset();
                    self.end_value(places, sink);
                }
                Read::End(Payload::Part) | Read::More => {}
            }
        }
        self.lost |= self.binary.is_lost();
    }

    /// A part of the stream that a container sends, cut anywhere: lines of JSON, or server-sent events.
    fn part(&mut self, bytes: &[u8], places: &Places, sink: &mut impl Sink) {
        if self.parts.is_none() {
            let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
            self.parts = first.map(|first| match first {
                b'{' | b'[' => Framing::Lines,
                _ => Framing::Events,
            });
        }
        match self.parts {
            Some(Framing::Lines) => self.lines(bytes, places, sink),
            Some(_) => self.events(bytes, places, sink),
            None => {}
        }
    }

    /// The body has ended.
    pub(super) fn end(&mut self, places: &Places, sink: &mut impl Sink) {
        self.end_value(places, sink);
    }

    /// What comes next does not belong to what was.
    fn end_value(&mut self, places: &Places, sink: &mut impl Sink) {
        self.json.end(places, sink);
        self.lost |= self.json.is_lost();
        self.json.reset();
    }

    fn events(&mut self, bytes: &[u8], places: &Places, sink: &mut impl Sink) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if std::mem::take(&mut self.after_return) && byte == b'\n' {
                rest = after;
                continue;
            }
            if matches!(byte, b'\n' | b'\r') {
                self.after_return = byte == b'\r';
                self.end_line(places, sink);
                rest = after;
                continue;
            }
            rest = match self.line {
                Line::Field(seen) => {
                    self.line = match DATA.get(seen) {
                        Some(wanted) if *wanted == byte && seen + 1 == DATA.len() => {
                            Line::Begin { space: true, done: 0 }
                        }
                        Some(wanted) if *wanted == byte => Line::Field(seen + 1),
                        _ => Line::Other,
                    };
                    after
                }
                Line::Begin { space: true, done: 0 } if byte == b' ' => {
                    self.line = Line::Begin { space: false, done: 0 };
                    after
                }
                Line::Begin { done, .. } if DONE.get(done) == Some(&byte) => {
                    self.line = Line::Begin { space: false, done: done + 1 };
                    after
                }
                Line::Begin { done, .. } => {
                    self.json.feed(DONE.get(..done).unwrap_or_default(), places, sink);
                    self.line = Line::Data;
                    rest
                }
                Line::Data => {
                    let (data, more) = up_to_line_end(rest);
                    self.json.feed(data, places, sink);
                    more
                }
                Line::Other => up_to_line_end(rest).1,
            };
        }
    }

    fn end_line(&mut self, places: &Places, sink: &mut impl Sink) {
        match std::mem::replace(&mut self.line, Line::Field(0)) {
            // An empty line ends the event.
            Line::Field(0) => self.end_value(places, sink),
            Line::Begin { done, .. } if done == DONE.len() => self.done = true,
            Line::Begin { done, .. } => {
                self.json.feed(DONE.get(..done).unwrap_or_default(), places, sink);
                self.json.feed(b"\n", places, sink);
            }
            Line::Data => self.json.feed(b"\n", places, sink),
            Line::Field(_) | Line::Other => {}
        }
        self.lost |= self.json.is_lost();
    }
}

fn up_to_line_end(bytes: &[u8]) -> (&[u8], &[u8]) {
    memchr2(b'\n', b'\r', bytes).map_or((bytes, &[]), |at| bytes.split_at_checked(at).unwrap_or((bytes, &[])))
}

#[cfg(test)]
mod tests;
