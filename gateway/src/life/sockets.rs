//! Which listeners are open, and what a new configuration would change about them.
//!
//! The control plane keeps a handle of every listening socket beside the worker that accepts on it: so that a worker that died can be
//! started again on the same sockets, and another process can take them over. Whoever closes a listener closes both.

use std::io;
use std::sync::Arc;

use metrics::{counter, gauge};
use weir_config::{ListenAddress, Listener};
use weir_telemetry::names;

use super::inherited::Inherited;
use crate::front::{Listening, TlsDoor, bind, bind_beside};

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
    pub bound: ListenAddress,
    /// Its settings.
    pub listener: Listener,
    /// Its TLS, the same for every worker.
    pub tls: Option<Arc<TlsDoor>>,
    /// Worker `n` accepts on number `n`, `n` + workers and so on.
    pub sockets: Vec<Listening>,
}

/// What a new configuration changes about listeners: sockets are open already, nobody accepts on them yet. Dropped, it changes nothing.
#[derive(Debug)]
pub struct Plan {
    /// New ones.
    pub opened: Vec<Opening>,
    /// Those that stay and get other settings.
    pub changed: Vec<(u64, Listener, Option<Arc<TlsDoor>>)>,
    /// Those that go.
    pub closed: Vec<u64>,
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
        let ours: Vec<u16> =
            self.open.iter().filter_map(|open| open.bound.tcp()).map(|address| address.port()).collect();
        for listener in listeners {
            match self.same(listener, &kept) {
                Some(open) => {
                    kept.push(open.number);
                    if open.listener != *listener {
                        let tls = door(listener, open.tls.as_ref())?;
                        plan.changed.push((open.number, listener.clone(), tls));
                    }
                }
                None => {
                    let tls = door(listener, None)?;
                    let given = inherited.take(listener);
                    let (bound, sockets) = match given.is_empty() {
                        true => bind(&listener.address, self.workers, &ours)?,
                        false => bind_beside(given, self.workers)?,
                    };
                    self.next += 1;
                    plan.opened.push(Opening {
                        number: self.next,
                        bound,
                        listener: listener.clone(),
                        tls,
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
        for gone in self.open.extract_if(.., |open| plan.closed.contains(&open.number)) {
            remove_file(&gone.bound);
        }
        for (number, listener, tls) in plan.changed {
            if let Some(open) = self.open.iter_mut().find(|open| open.number == number) {
                (open.listener, open.tls) = (listener, tls);
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
        let all = std::mem::take(&mut self.open);
        all.iter().for_each(|open| remove_file(&open.bound));
        all.iter().map(|open| open.number).collect()
    }

    /// The same when another process has the sockets: files of Unix sockets stay.
    pub fn leave(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.open).iter().map(|open| open.number).collect()
    }

    /// Reads certificates again that have changed, and says when each ends. `now` in seconds since 1970.
    pub fn refresh_tls(&self, now: i64) {
        for open in &self.open {
            if let Some(tls) = &open.tls {
                refresh(&open.listener.name, tls, now);
            }
        }
    }
}

impl Opening {
    /// The sockets that a worker accepts on, as handles of its own.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn of_worker(&self, id: usize, workers: usize) -> io::Result<Vec<Listening>> {
        if let [shared @ Listening::Unix(_)] = self.sockets.as_slice() {
            return Ok(vec![shared.try_clone()?]);
        }
        self.sockets.iter().skip(id).step_by(workers).map(Listening::try_clone).collect()
    }
}

/// A listener's TLS: what is there already if its settings are the same, else read from its files.
fn door(listener: &Listener, earlier: Option<&Arc<TlsDoor>>) -> io::Result<Option<Arc<TlsDoor>>> {
    let Some(settings) = &listener.tls else { return Ok(None) };
    if let Some(earlier) = earlier.filter(|earlier| earlier.is_of(settings, &listener.protocols)) {
        return Ok(Some(Arc::clone(earlier)));
    }
    let loaded = TlsDoor::load(settings, &listener.protocols).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("TLS of listener {:?}: {error}", listener.name))
    })?;
    Ok(Some(Arc::new(loaded)))
}

/// A certificate that ends within this time is worth a warning.
const EXPIRES_SOON_SECONDS: i64 = 30 * 24 * 3600;

/// Reads certificates again that have changed, and says when each ends. `now` in seconds since 1970.
pub(super) fn refresh(name: &str, tls: &TlsDoor, now: i64) {
    let count = |result: &'static str| {
        counter!(names::TLS_RELOADS, "listener" => name.to_owned(), "result" => result).increment(1);
    };
    let fresh = match tls.refresh() {
        Ok(fresh) => fresh,
        Err(error) => {
            count("error");
            tracing::error!(%error, name, "certificates have changed and do not do; the old ones stay");
            return;
        }
    };
    if fresh {
        count("ok");
        tracing::info!(name, "certificates read again");
    }
    for expiry in tls.expiries(fresh) {
        let left = expiry.not_after - now;
        if expiry.is_news && left < EXPIRES_SOON_SECONDS {
            let days = left.div_euclid(24 * 3600);
            tracing::warn!(name, certificate = expiry.name, days, "a certificate ends soon or has ended");
        }
        let labels = [("listener", name.to_owned()), ("certificate", expiry.name)];
        gauge!(names::TLS_EXPIRY, &labels).set(expiry.not_after as f64);
    }
}

fn remove_file(address: &ListenAddress) {
    if let ListenAddress::Unix(path) = address {
        let _ = std::fs::remove_file(path);
    }
}
