//! The whole gateway as one value: started from a configuration, drained, waited for.
//!
//! N worker threads carry the data; one control thread carries everything else (`control.rs`).

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use weir_config::Config;
use weir_telemetry::{Process, Store};

use crate::alerts::Clock;
use crate::control::{self, Control};
use crate::front::reuseport;
use crate::live::{CompileError, Live, Shared};
use crate::residency::Residency;
use crate::worker::{self, Beat, Orders};

/// A running gateway. Dropping it does not stop it: [`Gateway::drain`] and [`Gateway::wait`] do.
#[derive(Debug)]
pub struct Gateway {
    /// Every listener's name and the address it is bound to.
    pub listeners: Vec<(String, SocketAddr)>,
    /// Where the admin side is bound.
    pub admin: SocketAddr,
    /// The telemetry store.
    pub store: Arc<Store>,
    drain: watch::Sender<bool>,
    signals: watch::Sender<bool>,
    control: JoinHandle<usize>,
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket, a thread or a runtime could not be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The configuration does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// What the control plane and the workers share.
#[derive(Debug)]
pub struct State {
    /// The gateway's start: telemetry's time zero.
    pub epoch: Instant,
    /// The same as a date.
    pub clock: Clock,
    /// Promises that gauges were set for.
    pub told: Mutex<BTreeSet<(Arc<str>, &'static str)>>,
    /// The telemetry store.
    pub store: Arc<Store>,
    /// Gateway-wide metrics.
    pub process: Process,
    /// The residency table.
    pub residency: Residency,
    /// The swapped configuration.
    pub shared: Arc<Shared>,
    /// A sign of life from every worker.
    pub beats: Vec<Arc<Beat>>,
    /// Whether new traffic is welcome.
    pub ready: AtomicBool,
}

impl Gateway {
    /// Opens every socket, then starts every thread. When it returns, connections are accepted.
    ///
    /// # Errors
    /// A [`StartError`] that names the address or rule; nothing is left running.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let count = workers(&config);
        let store = Store::new(&config.telemetry, count);
        let process = Process::install();
        let residency = Residency::default();
        let state = Arc::new(State {
            epoch: Instant::now(),
            clock: Clock::now(),
            shared: Shared::new(Live::compile(config, 1, &store, &residency)?),
            told: Mutex::default(),
            residency,
            store,
            process,
            beats: (0..count).map(|_| Arc::new(Beat::default())).collect(),
            ready: AtomicBool::new(false),
        });
        let live = state.shared.load();
        let admin = std::net::TcpListener::bind(live.config.admin.address)
            .map_err(|error| at(live.config.admin.address, &error))?;
        admin.set_nonblocking(true)?;
        let (names, mut sockets) = open(&live.config, count)?;
        let (drain, draining) = watch::channel(false);
        let (abort, aborting) = watch::channel(false);
        let (signals, on_signal) = watch::channel(false);
        let (ended, ends) = mpsc::unbounded_channel();
        for id in 0..count {
            let orders = Orders {
                id,
                epoch: state.epoch,
                shared: Arc::clone(&state.shared),
                store: Arc::clone(&state.store),
                drain: draining.clone(),
                abort: aborting.clone(),
                beat: state.beats.get(id).map(Arc::clone).unwrap_or_default(),
                listeners: sockets.pop().unwrap_or_default(),
            };
            spawn_worker(orders, ended.clone())?;
        }
        let bound = admin.local_addr()?;
        let control = Control {
            state: Arc::clone(&state),
            admin,
            drain: drain.clone(),
            draining,
            abort,
            ends,
            on_signal,
        };
        let control = std::thread::Builder::new()
            .name("weir-control".to_owned())
            .spawn(move || control::run(control))?;
        announce(&names, bound, count);
        Ok(Self { listeners: names, admin: bound, store: Arc::clone(&state.store), drain, signals, control })
    }

    /// The first listener's address.
    pub fn address(&self) -> SocketAddr {
        self.listeners.first().map_or(self.admin, |(_, address)| *address)
    }

    /// From here on SIGTERM and SIGINT begin the drain; a second one ends it at once.
    pub fn drain_on_signal(&self) {
        let _ = self.signals.send(true);
    }

    /// Not ready, no new connections, finish what is in flight.
    pub fn drain(&self) {
        let _ = self.drain.send(true);
    }

    /// Waits until drained. Returns how many workers had to be cut off at the deadline.
    pub fn wait(self) -> usize {
        self.control.join().unwrap_or(0)
    }
}

fn workers(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.workers.map_or_else(cores, usize::from).max(1)
}

/// Every worker's sockets, and every listener's bound address.
type Opened = (Vec<(String, SocketAddr)>, Vec<Vec<(std::net::TcpListener, weir_config::Listener)>>);

fn open(config: &Config, count: usize) -> io::Result<Opened> {
    let mut names = Vec::new();
    let mut by_worker: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
    for listener in &config.listeners {
        let (bound, sockets) = reuseport(listener.address, count)?;
        names.push((listener.name.clone(), bound));
        for (worker, socket) in by_worker.iter_mut().zip(sockets) {
            worker.push((socket, listener.clone()));
        }
    }
    Ok((names, by_worker))
}

fn at(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address} (admin): {error}"))
}

fn spawn_worker(orders: Orders, ended: mpsc::UnboundedSender<usize>) -> io::Result<()> {
    let id = orders.id;
    std::thread::Builder::new().name(format!("weir-worker-{id}")).spawn(move || {
        // Sent also when the thread unwinds: a dead worker is noticed, not waited for.
        let _last_word = LastWord { id, ended };
        if let Err(error) = worker::run(orders) {
            tracing::error!(%error, worker = id, "worker could not run");
        }
    })?;
    Ok(())
}

struct LastWord {
    id: usize,
    ended: mpsc::UnboundedSender<usize>,
}

impl Drop for LastWord {
    fn drop(&mut self) {
        let _ = self.ended.send(self.id);
    }
}

fn announce(listeners: &[(String, SocketAddr)], admin: SocketAddr, workers: usize) {
    for (name, address) in listeners {
        tracing::info!(name, %address, "listening");
    }
    tracing::info!(address = %admin, "admin");
    tracing::info!(workers, version = env!("CARGO_PKG_VERSION"), "ready");
}
