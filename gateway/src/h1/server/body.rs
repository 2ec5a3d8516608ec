//! A request's body, pulled from its connection by whoever wants it.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};

use super::Client;
use crate::body::InboundError;
use crate::h1::decode::{BadBody, Piece};
use crate::h1::encode;
use crate::message::HeaderMap;

/// A request's body on an HTTP/1.1 connection.
#[derive(Debug)]
pub struct RequestBody {
    client: Rc<Client>,
}

impl RequestBody {
    /// The body that the client's decoder follows.
    pub(super) const fn new(client: Rc<Client>) -> Self {
        Self { client }
    }

    /// The client waits for `100 Continue`: nobody has asked for the body yet, and nothing of it has come (RFC 9110 §10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.client.expects.get() && self.client.wire.borrow().read.is_empty()
    }

    /// Ready when the client sends its body although it may wait for `100 Continue`.
    pub fn poll_comes_anyway(&self, cx: &mut Context<'_>) -> Poll<()> {
        let wire = &mut *self.client.wire.borrow_mut();
        if wire.read.is_empty() && !wire.ended() {
            // What is wrong with the socket is told by whoever reads the body.
            let _ = ready!(wire.poll_fill(cx));
        }
        Poll::Ready(())
    }

    /// Sends an interim answer (RFC 9110 §15.2), if the client understands one.
    pub fn interim(&self, status: StatusCode, headers: &HeaderMap) {
        if status == StatusCode::CONTINUE {
            self.client.expects.set(false);
        }
        let mut wire = self.client.wire.borrow_mut();
        if self.client.interim.get() && wire.has_room() {
            let out = wire.out();
            encode::status_line(out, status);
            encode::fields(out, headers.iter());
            out.extend_from_slice(b"\r\n");
            // What the socket does not take now goes out with what comes next.
            let _ = wire.poll_flush(&mut Context::from_waker(std::task::Waker::noop()));
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        let client = &self.client;
        loop {
            if client.expects.get() && !client.body.borrow().is_done() {
                if client.wire.borrow().read.is_empty() {
                    self.interim(StatusCode::CONTINUE, &HeaderMap::new());
                }
                // It was told, or did not wait.
                client.expects.set(false);
            }
            let wire = &mut *client.wire.borrow_mut();
            let ended = wire.ended();
            match client.body.borrow_mut().decode(&mut wire.read, ended) {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Piece::End) => return Poll::Ready(None),
                Err(BadBody::Truncated) => return Poll::Ready(Some(Err(gone(io::ErrorKind::UnexpectedEof)))),
                Err(error) => return Poll::Ready(Some(Err(InboundError::Malformed(error)))),
                Ok(Piece::More) => {
                    if wire.has_unwritten() {
                        let _ = wire.poll_flush(cx);
                    }
                    if let Err(error) = ready!(wire.poll_fill(cx)) {
                        return Poll::Ready(Some(Err(InboundError::Gone(error))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.client.body.borrow().is_done()
    }

    fn size_hint(&self) -> SizeHint {
        self.client.body.borrow().left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn gone(kind: io::ErrorKind) -> InboundError {
    InboundError::Gone(kind.into())
}
