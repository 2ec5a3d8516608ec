//! One request and its answer on one HTTP/2 stream, polled side by side by the request's own task.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::h2::client::ResponseFuture;
use ::h2::{Reason, RecvStream, SendStream};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};

use super::conns::Slot;
use crate::body::{InboundError, RelayUp};
use crate::h1::client::{AnswerError, INTERIM_MAX};
use crate::h1::head::BadHead;
use crate::message::{HeaderMap, ResponseParts};
use crate::upstream::Alarm;

/// A request's body on its way up.
#[derive(Debug)]
struct Sending {
    body: RelayUp,
    stream: SendStream<Bytes>,
    /// What waits for the peer's window.
    piece: Bytes,
    /// Nothing is left to send, or the peer takes no more of it.
    done: bool,
}

impl Sending {
    /// Sends what the peer has room for.
    ///
    /// # Errors
    /// The client's body failed; the stream is reset. A peer that takes no more is not an error here: what it says is read.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), InboundError>> {
        while !self.done {
            if self.piece.is_empty() {
                match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                    None => self.last(Bytes::new()),
                    Some(Ok(frame)) => self.take(frame),
                    Some(Err(error)) => {
                        self.done = true;
                        self.stream.send_reset(Reason::CANCEL);
                        return Poll::Ready(Err(error));
                    }
                }
            } else if ready!(self.poll_room(cx)) {
                let room = self.stream.capacity().min(self.piece.len());
                let piece = self.piece.split_to(room);
                if self.piece.is_empty() && self.body.is_end_stream() {
                    self.last(piece);
                } else {
                    self.done = self.stream.send_data(piece, false).is_err();
                }
            } else {
                self.done = true;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the peer takes more: false once it has closed or reset its side.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.stream.reserve_capacity(self.piece.len());
        while self.stream.capacity() == 0 {
            if !matches!(ready!(self.stream.poll_capacity(cx)), Some(Ok(_))) {
                return Poll::Ready(false);
            }
        }
        Poll::Ready(true)
    }

    fn take(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) if data.is_empty() && self.body.is_end_stream() => self.last(data),
            Ok(data) => self.piece = data,
            Err(frame) => {
                self.done = true;
                if let Ok(trailers) = frame.into_trailers() {
                    // Of a stream that is closed already the answer tells.
                    let _ = self.stream.send_trailers(trailers);
                }
            }
        }
    }

    fn last(&mut self, piece: Bytes) {
        self.done = true;
        let _ = self.stream.send_data(piece, true);
    }
}

/// A request that waits for its answer's head.
#[derive(Debug)]
pub(super) struct Asking {
    sending: Sending,
    response: ResponseFuture,
    interim: u32,
}

impl Asking {
    /// Opens the stream.
    ///
    /// # Errors
    /// The connection is of no more use, or has no more stream numbers.
    pub(super) fn begin(slot: &mut Slot, request: Request<()>, body: RelayUp) -> Result<Self, ::h2::Error> {
        let done = body.is_end_stream();
        let (response, stream) = slot.sender().send_request(request, done).inspect_err(|_| slot.retire())?;
        Ok(Self { sending: Sending { body, stream, piece: Bytes::new(), done }, response, interim: 0 })
    }

    /// The answer's head. Interim heads go to `interim`.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut interim: impl FnMut(StatusCode, &HeaderMap),
    ) -> Poll<Result<Response<RecvStream>, AnswerError>> {
        if let Poll::Ready(Err(error)) = self.sending.poll(cx) {
            return Poll::Ready(Err(error.into()));
        }
        while let Poll::Ready(Some(head)) = self.response.poll_informational(cx) {
            let head = head.map_err(AnswerError::Stream)?;
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Poll::Ready(Err(BadHead::TooMany.into()));
            }
            // HTTP/2 has no such thing (RFC 9113 §8.6).
            if head.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(AnswerError::Unasked));
            }
            interim(head.status(), &HeaderMap::from(head.headers()));
        }
        Pin::new(&mut self.response).poll(cx).map_err(AnswerError::Stream)
    }

    /// Behind the answer's head.
    pub(super) fn answered(self, answer: Response<RecvStream>, slot: Slot) -> (ResponseParts, Receiving) {
        let (head, stream) = answer.into_parts();
        let head = ResponseParts::from(head);
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let alarm = Alarm::default();
        (head, Receiving { sending: self.sending, stream, left: length, ended: false, alarm, _slot: slot })
    }
}

/// An answer's body on its way down, and what of the request is still on its way up.
#[derive(Debug)]
pub struct Receiving {
    sending: Sending,
    stream: RecvStream,
    left: Option<u64>,
    ended: bool,
    /// The timer of whoever waits for the next piece.
    pub alarm: Alarm,
    _slot: Slot,
}

impl Receiving {
    /// The next piece.
    ///
    /// # Errors
    /// [`AnswerError`]; the stream has ended.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        if let Poll::Ready(Err(error)) = self.sending.poll(cx) {
            return Poll::Ready(Some(Err(error.into())));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.stream.poll_data(cx)) {
            Some(Ok(data)) => {
                // Whoever polls has room for it; more may come.
                let _ = self.stream.flow_control().release_capacity(data.len());
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                Some(Ok(Frame::data(data)))
            }
            Some(Err(error)) => Some(Err(AnswerError::Stream(error))),
            None => match ready!(self.stream.poll_trailers(cx)) {
                Ok(trailers) => {
                    self.ended = true;
                    trailers.map(|trailers| Ok(Frame::trailers(trailers)))
                }
                Err(error) => Some(Err(AnswerError::Stream(error))),
            },
        })
    }

    /// Whether its end has been taken.
    pub fn is_end(&self) -> bool {
        self.ended || self.stream.is_end_stream()
    }

    /// The bytes still to come, if known.
    pub fn left(&self) -> Option<u64> {
        self.left
    }
}
