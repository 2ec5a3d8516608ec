//! Bodies, both ways, streamed with back-pressure: a frame is taken from one side when the other side has room for it.
//!
//! Up: [`RelayUp`] gives back what the peek held, then pulls from the client. It keeps cheap handles to what it gave away until an
//! answer begins, within the peek's bound, so that a request on a connection that had died idle can be sent once more.
//! Down: [`RelayDown`] counts, watches for silence, and settles the exchange at its end, on error, or when dropped.

mod down;

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

pub use down::{DownLimits, Outbound, RelayDown};

use crate::h1::client::AnswerError;
use crate::h1::decode::BadBody;
use crate::h1::server::RequestBody;
use crate::message::HeaderMap;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The other side's transfer failed.
    #[error("the transfer broke off")]
    Transfer(#[from] AnswerError),
    /// Nothing came for too long.
    #[error("nothing for {0:?}")]
    Stalled(Duration),
    /// The whole request took too long.
    #[error("not finished within {0:?}")]
    Overdue(Duration),
}

/// Why a client's body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum InboundError {
    /// The client went away.
    #[error("the client went away")]
    Gone(#[source] io::Error),
    /// What the client sent is malformed.
    #[error("the body is malformed")]
    Malformed(#[source] BadBody),
    /// The same over HTTP/2.
    #[error("the stream failed")]
    Stream(#[source] hyper::Error),
    /// More than the route allows.
    #[error("more than {0} bytes")]
    TooLarge(u64),
}

/// A request body as it comes in: from a socket, or whole (tests and calls of our own).
#[derive(Debug)]
pub enum Inbound {
    /// From a client's HTTP/1.1 connection.
    H1(RequestBody),
    /// From a client's HTTP/2 stream.
    Socket(Incoming),
    /// All of it at once.
    Whole(Option<Bytes>),
}

impl Inbound {
    /// No body.
    pub fn empty() -> Self {
        Self::Whole(None)
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        match &mut *self {
            Self::H1(body) => Pin::new(body).poll_frame(cx),
            Self::Socket(body) => {
                Poll::Ready(ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(stream_error)))
            }
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::H1(body) => body.is_end_stream(),
            Self::Socket(body) => body.is_end_stream(),
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::H1(body) => body.size_hint(),
            Self::Socket(body) => body.size_hint(),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

/// How far a request body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadState {
    /// Frames are still to come from the client.
    Open,
    /// All of it has been taken.
    Done,
    /// What the client sent is malformed.
    Failed,
    /// The client went away within it.
    Gone,
    /// It is larger than allowed.
    TooLarge,
}

/// One request body on its way up, shared by the attempt that sends it and the exchange that watches it.
#[derive(Debug)]
pub struct Upload {
    body: RefCell<Inbound>,
    kept: RefCell<Kept>,
    bytes: Cell<u64>,
    state: Cell<UploadState>,
    progress: Cell<Instant>,
    waiting: Cell<bool>,
    bytes_max: Cell<Option<u64>>,
}

/// Frames kept for the (re)play.
#[derive(Debug, Default)]
struct Kept {
    frames: Vec<Bytes>,
    trailers: Option<http::HeaderMap>,
    bytes: usize,
    bytes_max: usize,
    /// A frame was let go, so the body cannot be sent again.
    lost: bool,
}

impl Upload {
    /// A body not yet touched. Up to `keep_bytes_max` of it can be held and replayed.
    pub fn new(body: Inbound, keep_bytes_max: usize, now: Instant) -> Rc<Self> {
        let state = if body.is_end_stream() { UploadState::Done } else { UploadState::Open };
        Rc::new(Self {
            body: RefCell::new(body),
            kept: RefCell::new(Kept { bytes_max: keep_bytes_max, ..Kept::default() }),
            bytes: Cell::new(0),
            state: Cell::new(state),
            progress: Cell::new(now),
            waiting: Cell::new(false),
            bytes_max: Cell::new(None),
        })
    }

    /// Limits the whole body; of several limits the smallest holds. False: its announced length is already above.
    pub fn limit(&self, bytes_max: u64) -> bool {
        self.bytes_max.set(Some(self.bytes_max.get().map_or(bytes_max, |known| known.min(bytes_max))));
        self.body.borrow().size_hint().lower() <= bytes_max
    }

    /// The limit, 0 if there is none.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max.get().unwrap_or(0)
    }

    /// Whether the client waits for `100 Continue` and nothing of the body has been asked for.
    pub fn expects_continue(&self) -> bool {
        matches!(&*self.body.borrow(), Inbound::H1(body) if body.expects_continue())
    }

    /// Ready when the client sends its body although it may wait for `100 Continue`.
    fn poll_comes_anyway(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &*self.body.borrow() {
            Inbound::H1(body) => body.poll_comes_anyway(cx),
            Inbound::Socket(_) | Inbound::Whole(_) => Poll::Ready(()),
        }
    }

    /// Passes an interim answer on, where the client's protocol has them.
    pub fn interim(&self, status: StatusCode, headers: &HeaderMap) {
        if let Inbound::H1(body) = &*self.body.borrow() {
            body.interim(status, headers);
        }
    }

    /// Body bytes taken from the client.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// How far it is.
    pub fn state(&self) -> UploadState {
        self.state.get()
    }

    /// When bytes last came.
    pub fn progress(&self) -> Instant {
        self.progress.get()
    }

    /// True while it is the client that is waited for, and not a backend that takes no more.
    pub fn awaits_client(&self) -> bool {
        self.state.get() == UploadState::Open && self.waiting.get()
    }

    /// Pulls the next frame from the client and keeps it; true when a data frame came, false at the end.
    pub fn poll_hold(&self, cx: &mut Context<'_>) -> Poll<Result<bool, InboundError>> {
        Poll::Ready(match ready!(self.poll_pull(cx)) {
            None => Ok(false),
            Some(Err(error)) => Err(error),
            Some(Ok(frame)) => {
                let is_data = frame.is_data();
                self.keep(&frame);
                Ok(is_data)
            }
        })
    }

    /// The data frame held last.
    pub fn last_held(&self) -> Option<Bytes> {
        self.kept.borrow().frames.last().cloned()
    }

    /// Hands out all data frames that are held, in order.
    pub fn each_held(&self, each: impl FnMut(&Bytes)) {
        self.kept.borrow().frames.iter().for_each(each);
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.kept.borrow().bytes
    }

    /// Whether all that was taken from the client is still at hand.
    pub fn is_replayable(&self) -> bool {
        !self.kept.borrow().lost && matches!(self.state.get(), UploadState::Open | UploadState::Done)
    }

    /// An answer has begun, or no retry is wanted: what is given away from now on is not kept.
    pub fn stop_keeping(&self) {
        self.kept.borrow_mut().bytes_max = 0;
    }

    fn poll_pull(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        let polled = Pin::new(&mut *self.body.borrow_mut()).poll_frame(cx);
        self.waiting.set(polled.is_pending());
        let mut polled = ready!(polled);
        if let Some(Ok(frame)) = &polled
            && let Some(bytes_max) = self.bytes_max.get()
            && self.bytes.get() + frame.data_ref().map_or(0, Bytes::len) as u64 > bytes_max
        {
            polled = Some(Err(InboundError::TooLarge(bytes_max)));
        }
        match &polled {
            None => self.state.set(UploadState::Done),
            Some(Err(InboundError::Gone(_))) => self.state.set(UploadState::Gone),
            Some(Err(InboundError::TooLarge(_))) => self.state.set(UploadState::TooLarge),
            Some(Err(_)) => self.state.set(UploadState::Failed),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.bytes.set(self.bytes.get() + data.len() as u64);
                }
                if self.body.borrow().is_end_stream() {
                    self.state.set(UploadState::Done);
                }
            }
        }
        Poll::Ready(polled)
    }

    fn keep(&self, frame: &Frame<Bytes>) {
        let mut kept = self.kept.borrow_mut();
        if let Some(data) = frame.data_ref() {
            kept.bytes += data.len();
            kept.frames.push(data.clone());
        } else if let Some(trailers) = frame.trailers_ref() {
            kept.trailers = Some(trailers.clone());
        }
    }

    /// Keeps a frame that is being given away, if the bound allows.
    fn keep_or_lose(&self, frame: &Frame<Bytes>) {
        let mut kept = self.kept.borrow_mut();
        let size = frame.data_ref().map_or(0, Bytes::len);
        if kept.lost || kept.bytes + size > kept.bytes_max {
            kept.lost = true;
            kept.frames.clear();
            return;
        }
        drop(kept);
        self.keep(frame);
    }
}

/// Whether a stream ended because its connection did, and not because of what came over it.
fn stream_error(error: hyper::Error) -> InboundError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>() {
            use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
            return match io.kind() {
                kind @ (BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof) => {
                    InboundError::Gone(kind.into())
                }
                _ => InboundError::Stream(error),
            };
        }
        cause = one.source();
    }
    InboundError::Stream(error)
}

/// The request body of one attempt.
#[derive(Debug)]
pub struct RelayUp {
    upload: Rc<Upload>,
    next: usize,
    clock: Rc<crate::front::CoarseClock>,
}

impl RelayUp {
    /// The body from its start: what is kept first.
    pub fn new(upload: Rc<Upload>, clock: Rc<crate::front::CoarseClock>) -> Self {
        Self { upload, next: 0, clock }
    }

    /// Ready when the client sends its body although it may wait for `100 Continue`.
    pub fn poll_comes_anyway(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.upload.poll_comes_anyway(cx)
    }

    fn next_kept(&mut self) -> Option<Bytes> {
        let kept = self.upload.kept.borrow();
        let frame = kept.frames.get(self.next).cloned();
        self.next += usize::from(frame.is_some());
        frame
    }

    fn is_drained(&self) -> bool {
        let kept = self.upload.kept.borrow();
        self.next >= kept.frames.len() && kept.trailers.is_none()
    }
}

impl Body for RelayUp {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        if let Some(frame) = self.next_kept() {
            return Poll::Ready(Some(Ok(Frame::data(frame))));
        }
        if self.upload.state() == UploadState::Done {
            return Poll::Ready(
                self.upload.kept.borrow_mut().trailers.take().map(|t| Ok(Frame::trailers(t))),
            );
        }
        let polled = ready!(self.upload.poll_pull(cx));
        if let Some(Ok(frame)) = &polled {
            self.upload.progress.set(self.clock.now());
            self.upload.keep_or_lose(frame);
            let held = self.upload.kept.borrow().frames.len();
            self.next = held;
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.upload.state() == UploadState::Done && self.is_drained()
    }
}
