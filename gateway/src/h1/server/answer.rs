//! Writes an answer: its head, then its body as it comes, flushed whenever nothing more is at hand.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode, Version};
use http_body::{Body, Frame};

use super::{Asked, Client, Then, ending};
use crate::body::Outbound;
use crate::h1::encode;
use crate::h1::notable::Field;
use crate::message::ResponseParts as Parts;
use crate::worker::Worker;

/// How the answer's body is framed for this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frames {
    None,
    Length(u64),
    Chunks,
    /// For HTTP/1.0 clients that know no chunks: to the connection's end.
    Close,
}

/// An answer's body on its way.
struct Relay<'a> {
    client: &'a Client,
    body: &'a mut Outbound,
    frames: Frames,
    trailers: bool,
    done: bool,
    /// The body broke off: what there is of it goes out, and nothing that looks like an end.
    broken: bool,
}

impl Client {
    /// Writes the whole answer.
    pub(super) async fn relay(
        &self,
        worker: &Worker,
        asked: Asked,
        mut head: Parts,
        body: &mut Outbound,
    ) -> Then {
        let notable = head.notable;
        let frames = frames(&asked, &head, body);
        let close = !asked.keep_alive
            || frames == Frames::Close
            || self.conn.is_retired()
            || notable.has(Field::Connection)
            || !self.body.borrow().is_done()
            // Half closed, and kept for this answer.
            || self.wire.borrow().ended();
        finish_head(&mut head, frames, close, asked.version);
        {
            let out = &mut *self.wire.borrow_mut();
            let out = out.out();
            encode::status_line(out, head.status);
            encode::fields(out, head.headers.iter());
            if !notable.has(Field::Date) {
                encode::field(out, "date", &worker.clock.date());
            }
            out.extend_from_slice(b"\r\n");
        }
        drop(head);
        let done = frames == Frames::None;
        let mut relay =
            Relay { client: self, body, frames, trailers: asked.wants_trailers, done, broken: false };
        match poll_fn(|cx| relay.poll(cx)).await {
            Ok(()) if close => Then::Close,
            Ok(()) => Then::Next,
            Err(Broken) => {
                // To a client that waits for the connection's end an orderly one would look like a whole answer.
                if frames == Frames::Close {
                    ending::reset(self);
                }
                Then::Drop
            }
        }
    }
}

/// The answer cannot be finished: its backend or its client broke off.
struct Broken;

impl Relay<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            let starved = !self.broken
                && self.fill(cx).unwrap_or_else(|Broken| {
                    self.broken = true;
                    false
                });
            let flushed = self.client.wire.borrow_mut().poll_flush(cx);
            match flushed {
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken)),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if self.broken => return Poll::Ready(Err(Broken)),
                Poll::Ready(Ok(())) if self.done => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) if starved => {
                    ready!(self.client.poll_gone(cx));
                    return Poll::Ready(Err(Broken));
                }
                Poll::Ready(Ok(())) => {}
            }
        }
    }

    /// Takes from the body while there is room; true when the body has nothing now.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        while !self.done && self.client.wire.borrow().has_room() {
            match Pin::new(&mut *self.body).poll_frame(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Some(Ok(frame))) => self.push(frame)?,
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(%error, "answer cut");
                    return Err(Broken);
                }
                Poll::Ready(None) => self.end(None)?,
            }
        }
        Ok(false)
    }

    fn push(&mut self, frame: Frame<Bytes>) -> Result<(), Broken> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok().filter(|_| self.trailers).as_ref()),
        };
        if data.is_empty() {
            return Ok(());
        }
        let mut wire = self.client.wire.borrow_mut();
        match &mut self.frames {
            // Nothing may follow this head.
            Frames::None => {}
            Frames::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Broken)?;
                self.done = *left == 0;
                wire.push(data, b"");
            }
            Frames::Chunks => {
                encode::chunk_size(wire.out(), data.len());
                wire.push(data, b"\r\n");
            }
            Frames::Close => wire.push(data, b""),
        }
        if self.done {
            // The body's owner learns that it is over (trailers or an end without data).
            drop(wire);
            self.run_out();
        }
        Ok(())
    }

    /// Polls a body of known length once more behind its last byte, so that it can settle.
    fn run_out(&mut self) {
        if !self.body.is_end_stream() {
            let _ = Pin::new(&mut *self.body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        }
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), Broken> {
        self.done = true;
        match self.frames {
            Frames::Length(left) if left > 0 => return Err(Broken),
            Frames::Chunks => {
                let mut wire = self.client.wire.borrow_mut();
                encode::last_chunk(wire.out(), trailers);
            }
            Frames::None | Frames::Length(_) | Frames::Close => {}
        }
        Ok(())
    }
}

fn frames(asked: &Asked, head: &Parts, body: &Outbound) -> Frames {
    if asked.is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Frames::None;
    }
    let said = || head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    match head.notable.has(Field::ContentLength).then(said).flatten().or_else(|| body.size_hint().exact()) {
        Some(length) => Frames::Length(length),
        None if encode::knows_chunks(asked.version) => Frames::Chunks,
        None => Frames::Close,
    }
}

fn finish_head(head: &mut Parts, frames: Frames, close: bool, version: Version) {
    let (headers, notable) = (&mut head.headers, head.notable);
    match frames {
        Frames::Length(length) if !notable.has(Field::ContentLength) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Frames::Chunks => {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Frames::None | Frames::Length(_) | Frames::Close => {}
    }
    match (close, version) {
        (true, _) => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        (false, Version::HTTP_10) => {
            headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        }
        (false, _) => {}
    }
}
