//! The way down: a backend's answer, relayed piece by piece, counted, watched for silence, and settled at its end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;
use weir_telemetry::Outcome;

use super::{BodyError, InboundError, UploadState};
use crate::exchange::Exchange;
use crate::h1::client::AnswerError;
use crate::h1::tunnel::Tunnel;
use crate::upstream::AnswerBody;

/// A response body: a backend's, or a small one of our own.
#[derive(Debug)]
pub enum Outbound {
    /// Ours.
    Own(Option<Bytes>),
    /// A backend's.
    Relay(Box<RelayDown>),
    /// None: the connection carries another protocol from here on (HTTP/1.1 alone).
    Tunnel(Box<Tunnel>),
}

/// A backend's answer on its way down.
#[derive(Debug)]
pub struct RelayDown {
    /// None once it has ended or broken.
    inner: Option<AnswerBody>,
    exchange: Box<Exchange>,
    limits: DownLimits,
    /// When the silence that has begun becomes too long.
    silent_until: Option<Instant>,
}

/// How long an answer may take once it has begun.
#[derive(Debug, Clone, Copy)]
pub struct DownLimits {
    /// Silence between two pieces (`timeouts.between_bytes`).
    pub between_bytes: Duration,
    /// The whole request (`timeouts.request`).
    pub request: Duration,
    /// When that ends.
    pub deadline: Instant,
}

impl RelayDown {
    /// Takes over an answer whose head has been forwarded. An answer without a body is settled here.
    pub fn new(inner: AnswerBody, exchange: Box<Exchange>, limits: DownLimits) -> Self {
        let ended = inner.is_end();
        let mut relay = Self { inner: Some(inner), exchange, limits, silent_until: None };
        if ended {
            relay.finish();
        }
        relay
    }

    /// The answer is complete: the exchange is settled and the connection is kept if the request was complete too.
    fn finish(&mut self) {
        self.exchange.settle_answered();
        if let Some(inner) = self.inner.take()
            && self.exchange.upload_state() == UploadState::Done
        {
            inner.give_back();
        }
    }

    fn fail(&mut self, outcome: Outcome, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.inner = None;
        self.exchange.settle(outcome);
        Poll::Ready(Some(Err(error)))
    }

    /// Nothing to read now: silence is limited from here.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let limits = self.limits;
        let until = *self
            .silent_until
            .get_or_insert_with(|| (Instant::now() + limits.between_bytes).min(limits.deadline));
        if let Some(inner) = &mut self.inner {
            ready!(inner.poll_alarm(cx, until));
        }
        if Instant::now() >= limits.deadline {
            return self.fail(Outcome::Timeout, BodyError::Overdue(limits.request));
        }
        self.fail(Outcome::Timeout, BodyError::Stalled(limits.between_bytes))
    }
}

impl Body for RelayDown {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        match inner.poll_frame(cx) {
            Poll::Pending => this.poll_silence(cx),
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => this.fail(whose_fault(&error), error.into()),
            Poll::Ready(Some(Ok(frame))) => {
                this.silent_until = None;
                if let Some(data) = frame.data_ref() {
                    this.exchange.relayed(data);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    this.exchange.trailed(trailers);
                }
                // Trailers are the last frame (RFC 9112 §7.1.2), and nobody polls behind them.
                if frame.is_trailers() || this.inner.as_ref().is_none_or(AnswerBody::is_end) {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(AnswerBody::is_end)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            None => SizeHint::with_exact(0),
            Some(inner) => inner.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relay(relay) => Pin::new(&mut **relay).poll_frame(cx),
            Self::Tunnel(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Relay(relay) => relay.is_end_stream(),
            Self::Tunnel(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Relay(relay) => relay.size_hint(),
            Self::Tunnel(_) => SizeHint::with_exact(0),
        }
    }
}

/// An answer may also break because the client's body did.
fn whose_fault(error: &AnswerError) -> Outcome {
    match error {
        AnswerError::Upload(InboundError::Gone(_)) => Outcome::Cancelled,
        AnswerError::Upload(_) => Outcome::ClientError,
        _ => Outcome::ServerError,
    }
}
