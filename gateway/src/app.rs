//! The whole gateway as one value: started from a configuration, drained, waited for.
//!
//! N worker threads carry the data; one control thread carries everything else (`life/run.rs`).

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use weir_config::{Config, HttpProtocol, ListenAddress, ListenTls};
use weir_telemetry::{Process, Store};

use crate::admin::{Side, Token, TokenError};
use crate::alerts::Clock;
use crate::export::Lines;
use crate::front::TlsDoor;
use crate::life::{self, Ask, Control, Ended, Fleet, Inherited, Present, Sockets, Source};
use crate::live::{CompileError, Live, Shared};
use crate::residency::Residency;
use crate::worker::Beat;

/// Time between two looks at whether the workers run.
const STARTED_LOOK: Duration = Duration::from_millis(5);

/// A running gateway. Dropping it does not stop it: [`Gateway::drain`] and [`Gateway::wait`] do.
#[derive(Debug)]
pub struct Gateway {
    /// Every listener's name and the address it is bound to.
    pub listeners: Vec<(String, ListenAddress)>,
    /// Where the admin side is bound.
    pub admin: SocketAddr,
    /// Where metrics and health alone are bound, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// The telemetry store.
    pub store: Arc<Store>,
    /// Asks something of the control plane.
    pub asks: mpsc::UnboundedSender<Ask>,
    beats: Vec<Arc<Beat>>,
    drain: watch::Sender<bool>,
    control: JoinHandle<Ended>,
}

/// What a gateway is started with.
#[derive(Debug)]
pub struct Start {
    /// The configuration.
    pub config: Config,
    /// What tells it from others.
    pub hash: String,
    /// Where it came from, if it can be loaded again.
    pub source: Option<Source>,
    /// Listening sockets that are open already.
    pub inherited: Inherited,
    /// Whether SIGTERM and SIGINT begin the drain (a second one ends it at once) and SIGHUP reloads: from before it is ready.
    pub signals: bool,
    /// The service manager's watchdog: told well within this time as long as every worker lives.
    pub watchdog: Option<Duration>,
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
    /// The admin side would be open to other machines.
    #[error(
        "the admin address {0} is open to other machines, and there is neither admin.token_file nor admin.tls with required client certificates"
    )]
    AdminOpen(SocketAddr),
    /// The admin side's token cannot be had.
    #[error(transparent)]
    Token(#[from] TokenError),
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
    /// What CloudWatch was told last.
    pub emf: Lines,
    /// The residency table.
    pub residency: Residency,
    /// The swapped configuration.
    pub shared: Arc<Shared>,
    /// A sign of life from every worker.
    pub beats: Vec<Arc<Beat>>,
    /// Whether new traffic is welcome.
    pub ready: AtomicBool,
    /// What runs, as it is told to operators.
    pub present: Mutex<Present>,
    /// Asks something of the control plane.
    pub asks: mpsc::UnboundedSender<Ask>,
    /// What callers of the admin side have to show, if anything.
    pub token: Token,
}

impl Gateway {
    /// Starts from a configuration that cannot be loaded again.
    ///
    /// # Errors
    /// See [`Gateway::start_from`].
    pub fn start(config: Config) -> Result<Self, StartError> {
        let hash = life::hash_of(weir_config::show(&config).as_bytes());
        let inherited = Inherited::default();
        Self::start_from(Start { config, hash, source: None, inherited, signals: false, watchdog: None })
    }

    /// Opens every socket, then starts every thread. When it returns, connections are accepted.
    ///
    /// # Errors
    /// A [`StartError`] that names the address or rule; nothing is left running.
    pub fn start_from(start: Start) -> Result<Self, StartError> {
        let Start { config, hash, source, mut inherited, signals, watchdog } = start;
        let count = workers(&config);
        let (asks, to_do) = mpsc::unbounded_channel();
        let state = Arc::new(state(config, count, asks.clone())?);
        let live = state.shared.load();
        let (admin, metrics) = sides(&live.config.admin, &mut inherited)?;
        let of_metrics = metrics.as_ref().map(|side| side.socket.local_addr()).transpose()?;
        let bound = (admin.socket.local_addr()?, of_metrics);
        let mut sockets = Sockets::new(count);
        let plan = sockets.plan(&live.config.listeners, &mut inherited)?;
        sockets.take_over(plan);
        for unused in inherited.sockets {
            let address = unused.socket.bound().map(|bound| bound.to_string());
            tracing::warn!(
                address,
                "a socket was handed over that no listener is configured for; it is closed"
            );
        }
        let listeners: Vec<_> =
            sockets.iter().map(|open| (open.listener.name.clone(), open.bound.clone())).collect();
        {
            let mut present = state.present.lock().unwrap_or_else(PoisonError::into_inner);
            present.succeeded(&hash, Vec::new());
            present.listeners.clone_from(&listeners);
        }
        let (drain, draining) = watch::channel(false);
        let (abort, aborting) = watch::channel(false);
        let (ready, is_ready) = std::sync::mpsc::channel();
        let want_drain = watch::Sender::new(false);
        let (fleet, ends) = Fleet::start(&state, sockets, draining, aborting)?;
        let wanted = want_drain.clone();
        let (store, beats) = (Arc::clone(&state.store), state.beats.clone());
        let control = Control {
            state,
            fleet,
            source,
            admin,
            metrics,
            asks: to_do,
            want_drain,
            drain,
            abort,
            ends,
            signals,
            watchdog,
            ready,
        };
        let control =
            std::thread::Builder::new().name("weir-control".to_owned()).spawn(move || life::run(control))?;
        // No signal is lost or deadly from here on. A control plane that cannot run says so when it is waited for.
        let _ = is_ready.recv();
        announce(&listeners, bound, count);
        let (admin, metrics) = bound;
        Ok(Self { listeners, admin, metrics, store, asks, beats, drain: wanted, control })
    }

    /// The address of the first listener that has one.
    pub fn address(&self) -> SocketAddr {
        self.listeners.iter().find_map(|(_, address)| address.tcp()).unwrap_or(self.admin)
    }

    /// Waits until every worker runs; false when one does not within that time.
    #[must_use]
    pub fn wait_started(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        loop {
            if self.beats.iter().all(|beat| beat.started.load(Ordering::Relaxed)) {
                return true;
            }
            if Instant::now() > until {
                return false;
            }
            std::thread::park_timeout(STARTED_LOOK);
        }
    }

    /// Not ready, no new connections, finish what is in flight.
    pub fn drain(&self) {
        self.drain.send_replace(true);
    }

    /// What begins the drain from elsewhere, while somebody waits for its end.
    pub fn drainer(&self) -> Drainer {
        Drainer(self.drain.clone())
    }

    /// Waits until drained. Returns how many workers had to be cut off at the deadline.
    pub fn wait(self) -> usize {
        self.wait_ended().cut
    }

    /// Waits until drained, and tells why if nobody wanted it.
    pub fn wait_ended(self) -> Ended {
        let died = || Ended { cut: 0, failure: Some("the control plane panicked".to_owned()) };
        self.control.join().unwrap_or_else(|_| died())
    }
}

fn state(config: Config, count: usize, asks: mpsc::UnboundedSender<Ask>) -> Result<State, StartError> {
    let token = token(&config.admin)?;
    let store = Store::new(&config.telemetry, count);
    let process = Process::install();
    let residency = Residency::default();
    Ok(State {
        epoch: Instant::now(),
        clock: Clock::now(),
        shared: Shared::new(Live::compile(config, 1, &store, &residency)?),
        told: Mutex::default(),
        emf: Lines::default(),
        residency,
        store,
        process,
        beats: (0..count).map(|_| Arc::new(Beat::default())).collect(),
        ready: AtomicBool::new(false),
        present: Mutex::default(),
        asks,
        token,
    })
}

/// The admin side's token, if it has one. Flags may have changed the addresses since the configuration was checked.
fn token(admin: &weir_config::Admin) -> Result<Token, StartError> {
    if !admin.is_guarded() {
        return Err(StartError::AdminOpen(admin.address));
    }
    let token = Token::default();
    if let Some(path) = &admin.token_file {
        token.load(path)?;
    }
    Ok(token)
}

/// Begins a gateway's drain.
#[derive(Debug, Clone)]
pub struct Drainer(watch::Sender<bool>);

impl Drainer {
    /// As [`Gateway::drain`].
    pub fn drain(&self) {
        self.0.send_replace(true);
    }
}

fn workers(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.workers.map_or_else(cores, usize::from).max(1)
}

/// Where the admin side is, and where metrics alone are.
fn sides(admin: &weir_config::Admin, inherited: &mut Inherited) -> io::Result<(Side, Option<Side>)> {
    let main = side(admin.address, admin.tls.as_ref(), inherited)?;
    let metrics = admin.metrics_address.map(|address| side(address, admin.metrics_tls.as_ref(), inherited));
    Ok((main, metrics.transpose()?))
}

/// A socket of the admin side, one that is open already or a new one, and its TLS.
fn side(address: SocketAddr, tls: Option<&ListenTls>, inherited: &mut Inherited) -> io::Result<Side> {
    let at = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {address} (admin): {error}"))
    };
    let load = |tls| {
        TlsDoor::load(tls, &[HttpProtocol::Http1])
            .map_err(|error| at(io::Error::new(io::ErrorKind::InvalidInput, error)))
    };
    let tls = tls.map(load).transpose()?.map(Arc::new);
    let given = inherited.take_admin(address);
    let socket = given.map_or_else(|| TcpListener::bind(address).map_err(at), Ok)?;
    socket.set_nonblocking(true)?;
    Ok(Side { socket, tls })
}

fn announce(
    listeners: &[(String, ListenAddress)],
    (admin, metrics): (SocketAddr, Option<SocketAddr>),
    workers: usize,
) {
    for (name, address) in listeners {
        tracing::info!(name, %address, "listening");
    }
    tracing::info!(address = %admin, "admin");
    if let Some(address) = metrics {
        tracing::info!(%address, "metrics alone");
    }
    tracing::info!(workers, version = env!("CARGO_PKG_VERSION"), "ready");
}
