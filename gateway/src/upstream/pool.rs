//! Idle upstream connections of one endpoint, owned by one worker: a stack, no lock, no shared pool.
//!
//! Last in, first out, so that a quiet hour lets the surplus grow old and be closed by the sweep. The idle limit stays below
//! five seconds by default: uvicorn and llama.cpp close idle connections at 5.0 s, and a request must not race that.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;
use weir_config::{Endpoint, Pool as Settings};

use crate::body::RelayUp;
use crate::front::CoarseClock;

/// A connection that may carry a request.
pub(super) type Sender = SendRequest<RelayUp>;

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
    served: u32,
}

/// The idle connections to one endpoint.
#[derive(Debug)]
pub struct Pool {
    /// Where its connections lead.
    pub endpoint: Endpoint,
    /// Its limits.
    pub settings: Settings,
    idle: RefCell<Vec<Idle>>,
    open: Cell<u32>,
    clock: Rc<CoarseClock>,
}

/// A connection lent to one request. Dropped without [`Lease::give_back`], it closes: nothing half-read is ever reused.
#[derive(Debug)]
pub struct Lease {
    /// The connection.
    pub(super) sender: Sender,
    /// True when it has carried a request before, so that its death may be an idle death.
    pub reused: bool,
    served: u32,
    pool: Rc<Pool>,
}

impl Pool {
    /// An empty pool.
    pub fn new(endpoint: Endpoint, settings: Settings, clock: Rc<CoarseClock>) -> Rc<Self> {
        Rc::new(Self { endpoint, settings, idle: RefCell::new(Vec::new()), open: Cell::new(0), clock })
    }

    /// The youngest idle connection that is still usable.
    pub async fn take(self: &Rc<Self>) -> Option<Lease> {
        loop {
            let Idle { mut sender, since, served } = self.idle.borrow_mut().pop()?;
            if sender.is_closed() || self.expired(since) {
                continue;
            }
            // The driver may not have run since the last answer ended; this settles within one turn of the loop.
            if !sender.is_ready() && sender.ready().await.is_err() {
                continue;
            }
            return Some(Lease { sender, reused: true, served, pool: Rc::clone(self) });
        }
    }

    /// A lease on a connection just opened.
    pub(super) fn lease(self: &Rc<Self>, sender: Sender) -> Lease {
        Lease { sender, reused: false, served: 0, pool: Rc::clone(self) }
    }

    /// Connections open now, idle or not.
    pub fn open(&self) -> u32 {
        self.open.get()
    }

    /// Counts one connection for as long as its driver runs.
    pub fn opened(self: &Rc<Self>) -> OpenGuard {
        self.open.set(self.open.get() + 1);
        OpenGuard(Rc::clone(self))
    }

    /// Idle connections held now.
    pub fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Closes what is idle for too long or already closed.
    pub fn sweep(&self) {
        self.idle.borrow_mut().retain(|idle| !idle.sender.is_closed() && !self.expired(idle.since));
    }

    fn expired(&self, since: Instant) -> bool {
        self.clock.now().duration_since(since) >= self.settings.idle_timeout
    }
}

impl Lease {
    /// The exchange over this connection is complete in both directions: keep it for the next.
    pub fn give_back(self) {
        let served = self.served + 1;
        let limit = self.pool.settings.requests_per_connection_max;
        if self.sender.is_closed() || (limit != 0 && served >= limit) {
            return;
        }
        let mut idle = self.pool.idle.borrow_mut();
        if idle.len() < self.pool.settings.idle_max as usize {
            idle.push(Idle { sender: self.sender, since: self.pool.clock.now(), served });
        }
    }
}

/// Keeps a pool's count of open connections while a driver runs.
#[derive(Debug)]
pub struct OpenGuard(Rc<Pool>);

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
    }
}
