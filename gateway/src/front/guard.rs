//! One client connection as the worker sees it: the socket, and what the connection is doing right now.
//!
//! The guard carries no timer of its own. It writes down *when* a phase began, with the worker's coarse clock; the worker's
//! sweep (`front/sweep.rs`) walks its connections twice a second and ends those that overstay. So a request costs no timer, and
//! ten thousand idle connections cost ten thousand small structs.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use weir_config::ListenLimits;

use super::clock::CoarseClock;
use crate::net::Stream;

/// A client may be sending at the moment when its idle connection is to end, and would see a close without an answer: this long it can
/// still ask. The clock is coarse: it may be half a second less.
const IDLE_GRACE: Duration = Duration::from_millis(1500);

/// What a client connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing asked: before the first byte, or between two requests.
    Idle,
    /// A request head has begun to arrive and is not whole.
    Head,
    /// At least one request is being served.
    Busy,
}

/// Facts about one client connection, shared by its socket, its requests and the sweep. All on one thread.
#[derive(Debug)]
pub struct Conn {
    /// The caller's address; unspecified over a Unix socket.
    pub peer: SocketAddr,
    /// The caller's address as a header value, made once a connection.
    pub peer_value: HeaderValue,
    /// Whether the client speaks TLS.
    pub secure: bool,
    /// What a request's body may have, in bytes, where its route does not say; 0 means no limit.
    pub body_bytes_max: u64,
    /// How long this client may be silent within a body.
    pub body_idle_timeout: Duration,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    in_flight: Cell<u32>,
    write_blocked: Cell<Option<Instant>>,
    clock: Rc<CoarseClock>,
    /// It ends after the present request.
    retired: Cell<bool>,
    /// When it is to end although nothing is asked: the gateway or its listener is going.
    leave_at: Cell<Option<Instant>>,
    /// That time has come.
    leaving: Cell<bool>,
    /// It has overstayed and is told so once before it is cut.
    overdue: Cell<bool>,
    /// A client that has closed its sending half gets its answer.
    half_close: Cell<bool>,
    parked: RefCell<Option<Waker>>,
}

impl Conn {
    /// A connection that has said nothing yet.
    pub fn new(peer: SocketAddr, body_idle_timeout: Duration, clock: Rc<CoarseClock>) -> Rc<Self> {
        let limits = ListenLimits { body_idle_timeout, ..ListenLimits::default() };
        Rc::new(Self::of(peer, false, &limits, clock))
    }

    /// The same, over TLS or not.
    pub fn of(peer: SocketAddr, secure: bool, limits: &ListenLimits, clock: Rc<CoarseClock>) -> Self {
        let ip = peer.ip().to_canonical();
        let text = if ip.is_unspecified() { "unknown".to_owned() } else { ip.to_string() };
        Self {
            peer,
            secure,
            peer_value: HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown")),
            body_idle_timeout: limits.body_idle_timeout,
            body_bytes_max: limits.body_bytes_max.0,
            phase: Cell::new(Phase::Idle),
            since: Cell::new(clock.now()),
            in_flight: Cell::new(0),
            write_blocked: Cell::new(None),
            clock,
            retired: Cell::new(false),
            leave_at: Cell::new(None),
            leaving: Cell::new(false),
            overdue: Cell::new(false),
            half_close: Cell::new(false),
            parked: RefCell::new(None),
        }
    }

    /// A request's head is whole and it is being served.
    pub fn request_began(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
        self.phase.set(Phase::Busy);
        self.overdue.set(false);
    }

    /// A client that has closed its sending half gets its answer.
    pub(super) fn keep_half_closed(&self) {
        self.half_close.set(true);
    }

    /// Whether it does.
    pub fn keeps_half_closed(&self) -> bool {
        self.half_close.get()
    }

    /// A request has been settled.
    pub fn request_ended(&self) {
        let left = self.in_flight.get().saturating_sub(1);
        self.in_flight.set(left);
        if left == 0 {
            self.phase.set(Phase::Idle);
            self.since.set(self.clock.now());
        }
    }

    /// The connection waits for a head: whoever changes its mind wakes this.
    pub fn park(&self, waker: &Waker) {
        let mut parked = self.parked.borrow_mut();
        if !parked.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            *parked = Some(waker.clone());
        }
    }

    fn unpark(&self) {
        if let Some(waker) = &*self.parked.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The next answer says that it is the last one. If nothing is asked for `IDLE_GRACE`, it ends without.
    pub fn retire(&self) {
        self.retired.set(true);
        if self.leave_at.get().is_none() {
            self.leave_at.set(Some(self.clock.now() + IDLE_GRACE));
        }
        self.unpark();
    }

    /// The grace is over: it ends as soon as nothing is being asked.
    pub(super) fn leave_if_due(&self, now: Instant) {
        if !self.leaving.get() && self.leave_at.get().is_some_and(|due| due <= now) {
            self.leaving.set(true);
            self.unpark();
        }
    }

    /// The next request is its last.
    pub fn is_last(&self) {
        self.retired.set(true);
    }

    /// Whether it ends at once when nothing is asked.
    pub fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    /// Whether it ends after the present request.
    pub fn is_retired(&self) -> bool {
        self.retired.get()
    }

    /// It has overstayed: told once, so that it can answer; false when it had been told already.
    pub fn tell_overdue(&self) -> bool {
        self.unpark();
        !self.overdue.replace(true)
    }

    /// Whether it has been told that it has overstayed.
    pub fn is_overdue(&self) -> bool {
        self.overdue.get()
    }

    /// Why the sweep should end this connection now, if it should.
    pub fn overstayed(&self, now: Instant, limits: &ListenLimits) -> Option<&'static str> {
        if let Some(since) = self.write_blocked.get()
            && now.duration_since(since) > limits.body_idle_timeout
        {
            return Some("write_idle");
        }
        let spent = now.duration_since(self.since.get());
        match self.phase.get() {
            Phase::Idle if spent > limits.idle_timeout => Some("idle"),
            Phase::Head if spent > limits.header_read_timeout => Some("header_timeout"),
            _ => None,
        }
    }

    /// Bytes came: if nothing was asked, a head has begun.
    pub(crate) fn bytes_arrived(&self) {
        if self.phase.get() == Phase::Idle {
            self.phase.set(Phase::Head);
            self.since.set(self.clock.now());
        }
    }

    /// What came was whole, so that nothing is being waited for (HTTP/2, where not everything that comes is a head).
    pub(super) fn head_is_whole(&self) {
        if self.phase.get() == Phase::Head {
            self.phase.set(Phase::Idle);
            self.since.set(self.clock.now());
        }
    }

    fn wrote(&self, blocked: bool) {
        match (blocked, self.write_blocked.get()) {
            (true, None) => self.write_blocked.set(Some(self.clock.now())),
            (false, Some(_)) => self.write_blocked.set(None),
            _ => {}
        }
    }
}

/// A client's socket that keeps its [`Conn`] informed.
#[derive(Debug)]
pub struct Guard {
    io: Stream,
    conn: Rc<Conn>,
    /// Read already, to tell the protocol.
    first: Bytes,
}

impl Guard {
    /// Wraps an accepted socket.
    pub(super) fn new(io: Stream, conn: Rc<Conn>) -> Self {
        Self { io, conn, first: Bytes::new() }
    }

    /// Puts bytes back in front of what the socket has.
    pub(super) fn give_back(&mut self, bytes: Bytes) {
        self.first = bytes;
    }

    /// From here on a close is a reset.
    pub fn reset_on_close(&self) {
        self.io.reset_on_close();
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let count = self.first.len().min(buf.remaining());
            buf.put_slice(&self.first.split_to(count));
            self.conn.bytes_arrived();
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.conn.bytes_arrived();
        }
        polled
    }
}

impl AsyncWrite for Guard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.conn.wrote(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.conn.wrote(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
