//! Asks a backend over one connection: writes a request's head and body, reads the answer's head, then its body.
//!
//! Writing and reading go on side by side in the request's own task: a backend may answer before it has all of the body, and a
//! body may be longer than what lies between.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{EXPECT, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use http_body::{Body, Frame};

use super::decode::{BadBody, Decoder, Framing, Piece};
use super::encode;
use super::head::{BadHead, Scan};
use super::response::{LIMITS, ResponseHead, parse};
use super::wire::Wire;
use crate::body::{InboundError, RelayUp};
use crate::forward;
use crate::message::{HeaderMap, RequestParts, ResponseParts};
use crate::net::Stream;
use crate::upstream::{Alarm, Lease};

/// Interim answers to one request; more is a backend gone mad.
pub(crate) const INTERIM_MAX: u32 = 32;

/// Why an answer did not come, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The connection ended or broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// The HTTP/2 stream or its connection failed.
    #[error("the stream failed")]
    Stream(#[source] h2::Error),
    /// What came is not HTTP.
    #[error("the answer is malformed")]
    Head(#[from] BadHead),
    /// What came is not the body that the head announced.
    #[error("the answer's body is malformed")]
    Body(#[from] BadBody),
    /// The backend switched protocols, and nobody had asked for that one.
    #[error("the backend switched protocols unasked")]
    Unasked,
    /// The client's own body failed.
    #[error("the request's body failed")]
    Upload(#[from] InboundError),
}

impl AnswerError {
    /// The connection died before the first byte of an answer: another one may do better.
    pub fn is_death(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

/// A request on its way up.
#[derive(Debug)]
pub struct Sending {
    body: RelayUp,
    stage: Stage,
    chunked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The client's `Expect: 100-continue` went along: the body waits for the backend's word.
    Held,
    Body,
    Flush,
    Done,
    /// The backend takes no more. It may have answered all the same.
    Refused,
}

impl Sending {
    /// Writes the head into the connection's buffer; nothing is sent yet.
    pub fn begin(wire: &mut Wire<Stream>, head: &RequestParts, body: RelayUp) -> Self {
        encode::request_head(wire.out(), head);
        let chunked = head.headers.contains_key(TRANSFER_ENCODING);
        let stage = if head.headers.contains_key(EXPECT) { Stage::Held } else { Stage::Body };
        Self { body, stage, chunked }
    }

    /// Whether all of it is with the system.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether the body waits for `100 Continue`.
    pub fn is_held(&self) -> bool {
        self.stage == Stage::Held
    }

    /// The backend wants the body, or has been silent for long enough (RFC 9110 §10.1.1).
    pub fn release(&mut self) {
        if self.stage == Stage::Held {
            self.stage = Stage::Body;
        }
    }

    /// Sends what there is.
    ///
    /// # Errors
    /// The client's body failed. A backend that takes no more is not an error here: what it says is read.
    pub fn poll(&mut self, cx: &mut Context<'_>, wire: &mut Wire<Stream>) -> Poll<Result<(), InboundError>> {
        loop {
            if matches!(self.stage, Stage::Done | Stage::Refused) {
                return Poll::Ready(Ok(()));
            }
            let starved = self.fill(cx, wire)?;
            match wire.poll_flush(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "the backend takes no more of the request");
                    self.stage = Stage::Refused;
                }
                Poll::Ready(Ok(())) if self.stage == Stage::Flush => self.stage = Stage::Done,
                Poll::Ready(Ok(())) if starved => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
            }
        }
    }

    /// Takes from the body while there is room; true when it has nothing now.
    fn fill(&mut self, cx: &mut Context<'_>, wire: &mut Wire<Stream>) -> Result<bool, InboundError> {
        if self.stage == Stage::Held {
            if self.body.poll_comes_anyway(cx).is_pending() {
                return Ok(true);
            }
            self.stage = Stage::Body;
        }
        while self.stage == Stage::Body && wire.has_room() {
            if self.body.is_end_stream() {
                self.end(wire, None);
                break;
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(None) => self.end(wire, None),
                Poll::Ready(Some(Err(error))) => return Err(error),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) if self.chunked => {
                        encode::chunk_size(wire.out(), data.len());
                        wire.push(data, b"\r\n");
                    }
                    Ok(data) => wire.push(data, b""),
                    Err(frame) => self.end(wire, frame.into_trailers().ok().as_ref()),
                },
            }
        }
        Ok(false)
    }

    fn end(&mut self, wire: &mut Wire<Stream>, trailers: Option<&http::HeaderMap>) {
        self.stage = Stage::Flush;
        if self.chunked {
            encode::last_chunk(wire.out(), trailers);
        }
    }
}

/// Waits for an answer's head while the request is being sent.
#[derive(Debug)]
pub struct Awaiting<'a> {
    /// The request's method: it decides about the answer's body.
    pub method: &'a Method,
    /// The protocol that the client wants to switch to.
    pub upgrade: Option<&'a str>,
    scan: Scan,
    interim: u32,
    /// Whether a byte of an answer was seen.
    pub seen: bool,
}

impl<'a> Awaiting<'a> {
    /// Nothing has come.
    pub fn new(method: &'a Method, upgrade: Option<&'a str>) -> Self {
        Self { method, upgrade, scan: Scan::default(), interim: 0, seen: false }
    }

    /// The answer's head. Interim heads go to `interim`, and `100 Continue` sets the body free.
    ///
    /// # Errors
    /// [`AnswerError`]; the connection is of no more use.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire<Stream>,
        sending: &mut Sending,
        mut interim: impl FnMut(StatusCode, &HeaderMap),
    ) -> Poll<Result<ResponseHead, AnswerError>> {
        loop {
            if let Poll::Ready(Err(error)) = sending.poll(cx, wire) {
                return Poll::Ready(Err(error.into()));
            }
            while let Some(mut head) = self.next(wire)? {
                let status = head.parts.status;
                if status == StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(if self.is_asked(&head.parts) {
                        Ok(head)
                    } else {
                        Err(AnswerError::Unasked)
                    });
                }
                if !status.is_informational() {
                    return Poll::Ready(Ok(head));
                }
                self.interim += 1;
                if self.interim > INTERIM_MAX {
                    return Poll::Ready(Err(BadHead::TooMany.into()));
                }
                if status == StatusCode::CONTINUE {
                    sending.release();
                }
                forward::interim(&mut head.parts.headers);
                interim(status, &head.parts.headers);
            }
            // What an interim answer has set free is sent before the next read.
            if let Poll::Ready(Err(error)) = sending.poll(cx, wire) {
                return Poll::Ready(Err(error.into()));
            }
            match ready!(wire.poll_fill(cx)) {
                Ok(0) => return Poll::Ready(Err(AnswerError::Broken(io::ErrorKind::UnexpectedEof.into()))),
                Ok(_) => self.seen = true,
                Err(error) => return Poll::Ready(Err(AnswerError::Broken(error))),
            }
        }
    }

    fn next(&mut self, wire: &mut Wire<Stream>) -> Result<Option<ResponseHead>, BadHead> {
        if wire.read.iter().zip(b"HTTP/1.").any(|(got, want)| got != want) {
            return Err(BadHead::Malformed("the answer is not HTTP/1"));
        }
        let Some(end) = self.scan.end(&wire.read, &LIMITS)? else { return Ok(None) };
        self.scan = Scan::default();
        let block = wire.read.split_to(end).freeze();
        parse(&block, self.method).map(Some)
    }

    /// Whether the backend switches to what was asked for (RFC 9110 §7.8).
    fn is_asked(&self, head: &ResponseParts) -> bool {
        let switched = head.headers.get(http::header::UPGRADE).map(http::HeaderValue::as_bytes);
        self.upgrade.zip(switched).is_some_and(|(asked, got)| asked.as_bytes().eq_ignore_ascii_case(got))
    }
}

/// An answer's body on its way down, and what of the request is still on its way up.
#[derive(Debug)]
pub struct Receiving {
    lease: Lease,
    sending: Sending,
    body: Decoder,
    reusable: bool,
}

impl Receiving {
    /// Behind the answer's head.
    pub fn new(lease: Lease, sending: Sending, framing: Framing, keep_alive: bool) -> Self {
        Self { lease, sending, body: Decoder::new(framing), reusable: keep_alive }
    }

    /// The next piece.
    ///
    /// # Errors
    /// [`AnswerError`]; the connection is of no more use.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let wire = self.lease.wire();
        if !self.sending.is_done()
            && let Poll::Ready(Err(error)) = self.sending.poll(cx, wire)
        {
            return Poll::Ready(Some(Err(error.into())));
        }
        loop {
            let ended = wire.ended();
            match self.body.decode(&mut wire.read, ended) {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::More) => {
                    if let Err(error) = ready!(wire.poll_fill(cx)) {
                        return Poll::Ready(Some(Err(AnswerError::Broken(error))));
                    }
                }
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// The timer of whoever waits for the next piece.
    pub fn alarm(&mut self) -> &mut Alarm {
        self.lease.alarm()
    }

    /// Whether the body's end has been taken.
    pub fn is_end(&self) -> bool {
        self.body.is_done()
    }

    /// The bytes still to come, if known.
    pub fn left(&self) -> Option<u64> {
        self.body.left()
    }

    /// The answer is complete: the connection is kept if everything on it is, in both directions, and not a byte more has come.
    pub fn give_back(self) {
        if self.reusable && self.sending.is_done() && self.body.is_done() {
            self.lease.give_back();
        }
    }

    /// The connection itself, for a tunnel.
    pub fn into_lease(self) -> Lease {
        self.lease
    }
}
