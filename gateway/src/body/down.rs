//! The way down: a backend's answer, relayed piece by piece, counted, watched for silence, and settled at its end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use weir_telemetry::Outcome;

use super::{BodyError, UploadState};
use crate::exchange::Exchange;
use crate::upstream::Lease;

/// A response body: a backend's, or a small one of our own.
#[derive(Debug)]
pub enum Outbound {
    /// Ours.
    Own(Option<Bytes>),
    /// A backend's.
    Relay(Box<RelayDown>),
}

/// A backend's answer on its way down.
#[derive(Debug)]
pub struct RelayDown {
    inner: Incoming,
    exchange: Exchange,
    lease: Option<Lease>,
    limits: DownLimits,
    timer: Option<Pin<Box<Sleep>>>,
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
    pub fn new(inner: Incoming, exchange: Exchange, lease: Lease, limits: DownLimits) -> Self {
        let mut relay = Self { inner, exchange, lease: Some(lease), limits, timer: None };
        if relay.inner.is_end_stream() {
            relay.finish();
        }
        relay
    }

    /// The answer is complete: the exchange is settled and the connection is kept if the request was complete too.
    fn finish(&mut self) {
        self.exchange.settle_answered();
        if let Some(lease) = self.lease.take()
            && self.exchange.upload_state() == UploadState::Done
        {
            lease.give_back();
        }
    }

    fn fail(&mut self, outcome: Outcome, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.lease = None;
        self.exchange.settle(outcome);
        Poll::Ready(Some(Err(error)))
    }

    /// Nothing to read now: silence is limited from here.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let limits = self.limits;
        let timer = self.timer.get_or_insert_with(|| {
            let until = (Instant::now() + limits.between_bytes).min(limits.deadline);
            Box::pin(tokio::time::sleep_until(until))
        });
        ready!(timer.as_mut().poll(cx));
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
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending => this.poll_silence(cx),
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => this.fail(Outcome::ServerError, error.into()),
            Poll::Ready(Some(Ok(frame))) => {
                this.timer = None;
                if let Some(data) = frame.data_ref() {
                    this.exchange.relayed(data.len());
                }
                if let Some(trailers) = frame.trailers_ref() {
                    this.exchange.trailed(trailers);
                }
                // Trailers are the last frame (RFC 9112 §7.1.2), and nobody polls behind them.
                if frame.is_trailers() || this.inner.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
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
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Relay(relay) => relay.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Relay(relay) => relay.size_hint(),
        }
    }
}
