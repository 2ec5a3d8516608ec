//! Which listeners are open, and what a new configuration would change about them.
//!
//! The control plane keeps a handle of every listening socket beside the worker that accepts on it: so that a worker that died can be
//! started again on the same sockets, and another process can take them over. Whoever closes a listener closes both.

use std::io;
use std::net::{SocketAddr, TcpListener};

use weir_config::Listener;

use crate::front::{beside, reuseport};

/// Every open listener.
#[derive(Debug)]
pub struct Sockets {
    workers: usize,
    next: u64,
    open: Vec<Opening>,
}

/// One open listener.
#[derive(Debug)]
pub struct Opening {
    /// Its number, the same in every worker.
    pub number: u64,
    /// Where it is bound.
    pub bound: SocketAddr,
    /// Its settings.
    pub listener: Listener,
    /// Worker `n` accepts on number `n`, `n` + workers and so on.
    pub sockets: Vec<TcpListener>,
}

/// What a new configuration changes about listeners: sockets are open already, nobody accepts on them yet. Dropped, it changes nothing.
#[derive(Debug)]
pub struct Plan {
    /// New ones.
    pub opened: Vec<Opening>,
    /// Those that stay and get other settings.
    pub changed: Vec<(u64, Listener)>,
    /// Those that go.
    pub closed: Vec<u64>,
}

/// Listening sockets that were opened by somebody else: a service manager, or the process that this one takes over from.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Each with the address that it was asked for, if that is known: it may have been port 0.
    pub sockets: Vec<(Option<SocketAddr>, TcpListener)>,
}

impl Inherited {
    /// Those of an address; the others stay.
    pub fn take(&mut self, address: SocketAddr) -> Vec<TcpListener> {
        let is_it = |(asked, socket): &mut (Option<SocketAddr>, TcpListener)| {
            *asked == Some(address) || socket.local_addr().is_ok_and(|bound| bound == address)
        };
        self.sockets.extract_if(.., is_it).map(|(_, socket)| socket).collect()
    }
}

impl Sockets {
    /// None yet.
    #[must_use]
    pub const fn new(workers: usize) -> Self {
        Self { workers, next: 0, open: Vec::new() }
    }

    /// Opens what is new and says what is to change.
    ///
    /// # Errors
    /// A socket could not be had; what was opened is closed again.
    pub fn plan(&mut self, listeners: &[Listener], inherited: &mut Inherited) -> io::Result<Plan> {
        let mut plan = Plan { opened: Vec::new(), changed: Vec::new(), closed: Vec::new() };
        let mut kept: Vec<u64> = Vec::new();
        let ours: Vec<u16> = self.open.iter().map(|open| open.bound.port()).collect();
        for listener in listeners {
            match self.same(listener, &kept) {
                Some(open) => {
                    kept.push(open.number);
                    if open.listener != *listener {
                        plan.changed.push((open.number, listener.clone()));
                    }
                }
                None => {
                    let given = inherited.take(listener.address);
                    let (bound, sockets) = match given.is_empty() {
                        true => reuseport(listener.address, self.workers, &ours)?,
                        false => beside(given, self.workers)?,
                    };
                    self.next += 1;
                    plan.opened.push(Opening {
                        number: self.next,
                        bound,
                        listener: listener.clone(),
                        sockets,
                    });
                }
            }
        }
        let goes = |open: &&Opening| !kept.contains(&open.number);
        plan.closed = self.open.iter().filter(goes).map(|open| open.number).collect();
        Ok(plan)
    }

    /// The open listener that a configured one is: of the same address, best of the same name too.
    fn same(&self, listener: &Listener, taken: &[u64]) -> Option<&Opening> {
        let of_address =
            |open: &&Opening| open.listener.address == listener.address && !taken.contains(&open.number);
        let mut all = self.open.iter().filter(of_address);
        let named = all.clone().find(|open| open.listener.name == listener.name);
        named.or_else(|| all.next())
    }

    /// What changed is remembered; sockets of listeners that go are closed here.
    pub fn take_over(&mut self, plan: Plan) {
        self.open.retain(|open| !plan.closed.contains(&open.number));
        for (number, listener) in plan.changed {
            if let Some(open) = self.open.iter_mut().find(|open| open.number == number) {
                open.listener = listener;
            }
        }
        self.open.extend(plan.opened);
    }

    /// Every open listener.
    pub fn iter(&self) -> impl Iterator<Item = &Opening> {
        self.open.iter()
    }

    /// The control plane's handles are closed: the drain begins.
    pub fn forget(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.open).iter().map(|open| open.number).collect()
    }
}

impl Opening {
    /// The sockets that a worker accepts on, as handles of its own.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn of_worker(&self, id: usize, workers: usize) -> io::Result<Vec<TcpListener>> {
        self.sockets.iter().skip(id).step_by(workers).map(TcpListener::try_clone).collect()
    }
}
