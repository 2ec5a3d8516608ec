//! Idle upstream connections of one endpoint, owned by one worker: a stack, no lock, no shared pool.
//!
//! Last in, first out, so that a quiet hour lets the surplus grow old and be closed by the sweep. The idle limit stays below
//! five seconds by default: uvicorn and llama.cpp close idle connections at 5.0 s, and a request must not race that.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::alarm::Alarm;
use super::h2::Conns;
use crate::front::CoarseClock;
use crate::h1::wire::Wire;
use crate::live::Target;
use crate::net::Stream;

/// A connection, and the timer of whoever waits on it.
#[derive(Debug)]
struct Line {
    wire: Wire<Stream>,
    alarm: Alarm,
}

#[derive(Debug)]
struct Idle {
    line: Box<Line>,
    served: u32,
    since: Instant,
}

/// The idle connections to one endpoint.
#[derive(Debug)]
pub struct Pool {
    /// Where its connections lead, and how.
    pub target: Target,
    /// Its HTTP/2 connections.
    pub h2: Conns,
    idle: RefCell<Vec<Idle>>,
    lent: Cell<u32>,
    pending: Cell<u32>,
    seats: Arc<Semaphore>,
    clock: Rc<CoarseClock>,
}

/// A connection lent to one request. Dropped without [`Lease::give_back`], it closes: nothing half-read is ever reused.
#[derive(Debug)]
pub struct Lease {
    line: Box<Line>,
    /// True when it has carried a request before, so that its death may be an idle death.
    pub reused: bool,
    served: u32,
    lent: Lent,
    /// Held while the connection is in use.
    _seat: OwnedSemaphorePermit,
}

/// Counts a request while it waits its turn.
struct Waiting<'a>(&'a Cell<u32>);

impl<'a> Waiting<'a> {
    fn new(pending: &'a Cell<u32>) -> Self {
        pending.set(pending.get() + 1);
        Self(pending)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// Counts a connection while it is lent.
#[derive(Debug)]
struct Lent(Rc<Pool>);

impl Lent {
    fn new(pool: &Rc<Pool>) -> Self {
        pool.lent.set(pool.lent.get() + 1);
        Self(Rc::clone(pool))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.lent.set(self.0.lent.get().saturating_sub(1));
    }
}

impl Pool {
    /// An empty pool.
    pub fn new(target: Target, clock: Rc<CoarseClock>) -> Rc<Self> {
        let seats = Arc::new(Semaphore::new(target.pool.connections_max as usize));
        let idle = RefCell::new(Vec::new());
        let h2 = Conns::default();
        Rc::new(Self { target, h2, idle, lent: Cell::new(0), pending: Cell::new(0), seats, clock })
    }

    /// A seat for one more request, if there is one now.
    pub(super) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// A seat, in turn. None: too many wait, or it took too long.
    pub(super) async fn seat_in_turn(&self) -> Option<OwnedSemaphorePermit> {
        if self.pending.get() >= self.target.pool.pending_max {
            return None;
        }
        let _waiting = Waiting::new(&self.pending);
        let seat = Arc::clone(&self.seats).acquire_owned();
        tokio::time::timeout(self.target.pool.pending_timeout, seat).await.ok()?.ok()
    }

    /// The youngest idle connection that is still usable.
    pub fn take(self: &Rc<Self>, seat: OwnedSemaphorePermit) -> Result<Lease, OwnedSemaphorePermit> {
        loop {
            let Some(Idle { mut line, served, since }) = self.idle.borrow_mut().pop() else {
                return Err(seat);
            };
            if !self.expired(since) && line.wire.is_quiet() {
                return Ok(Lease { line, reused: true, served, lent: Lent::new(self), _seat: seat });
            }
        }
    }

    /// A lease on a connection just opened.
    pub(super) fn lease(self: &Rc<Self>, stream: Stream, seat: OwnedSemaphorePermit) -> Lease {
        let line = Box::new(Line { wire: Wire::new(stream), alarm: Alarm::default() });
        Lease { line, reused: false, served: 0, lent: Lent::new(self), _seat: seat }
    }

    /// Connections open now, idle or not.
    pub fn open(&self) -> u32 {
        self.lent.get() + u32::try_from(self.idle() + self.h2.open()).unwrap_or(u32::MAX)
    }

    /// Idle connections held now.
    pub fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Closes what is idle for too long or already closed.
    pub fn sweep(&self) {
        self.idle.borrow_mut().retain_mut(|idle| idle.line.wire.is_quiet() && !self.expired(idle.since));
        self.h2.sweep(|since| self.expired(since));
    }

    fn expired(&self, since: Instant) -> bool {
        self.clock.now().duration_since(since) >= self.target.pool.idle_timeout
    }
}

impl Lease {
    /// The socket and its buffers.
    pub fn wire(&mut self) -> &mut Wire<Stream> {
        &mut self.line.wire
    }

    /// The timer of whoever waits on it.
    pub fn alarm(&mut self) -> &mut Alarm {
        &mut self.line.alarm
    }

    /// The exchange over this connection is complete in both directions: keep it for the next.
    pub fn give_back(self) {
        let Self { mut line, served, lent, .. } = self;
        let wire = &mut line.wire;
        let (pool, served) = (&lent.0, served + 1);
        let limit = pool.target.pool.requests_per_connection_max;
        if !wire.read.is_empty() || wire.ended() || (limit != 0 && served >= limit) {
            return;
        }
        wire.rest();
        let mut idle = pool.idle.borrow_mut();
        if idle.len() < pool.target.pool.idle_max as usize {
            idle.push(Idle { line, served, since: pool.clock.now() });
        }
    }
}
