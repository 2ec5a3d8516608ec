//! The container seat: `weir serve -- CMD…` takes the port that the platform gave to a model server, starts the server behind it on
//! another one, and stands for it: signals go on to it, its zombies are reaped, its exit code is weir's.
//!
//! So the container's image needs one word before its old entry point, and every load, unload and request passes weir. Written after
//! the contract of SageMaker (`SAGEMAKER_BIND_TO_PORT`, `SAGEMAKER_SAFE_PORT_RANGE`), and of use wherever a server takes its port
//! from the environment.
//!
//! | what happens | what weir does |
//! | --- | --- |
//! | SIGTERM, SIGINT, SIGQUIT | drains, then passes the signal to the server's whole process group, waits, exits with its code; a second one is passed on at once |
//! | SIGUSR2 | passes it on (SIGHUP, which reloads, and SIGUSR1 are weir's own) |
//! | the server ends by itself | drains, ends what is left of its group, exits with its code, 128 + n after signal n |
//! | the server does not end | SIGKILL to the group after [`CHILD_GRACE`] |
//!
//! Entry: [`Seat::choose`], before the configuration is used, and [`run`].

mod child;
mod ports;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::oneshot;
use weir_config::{Admin, BackendFlag, Config};

pub use ports::{Ports, PortsError};

use crate::app::{Gateway, Start, StartError};
use crate::life::Ask;
use child::Child;

/// SageMaker ends a container 30 seconds after it asked it to end: this much of it is for the requests in flight,
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// and this much for the server to end after them.
pub const CHILD_GRACE: Duration = Duration::from_secs(8);

/// The dialect of a server that is not named.
const DIALECT: &str = "mms";

/// Where weir and the server sit, and what the command line said about it.
#[derive(Debug, Clone, Copy)]
pub struct Seat {
    ports: Ports,
    said: Said,
}

/// Why the seat could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SeatError {
    /// No ports.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// The gateway did not start.
    #[error("cannot start")]
    Start(#[from] StartError),
    /// A runtime or a thread could not be had.
    #[error("cannot watch over the server")]
    Watch(#[source] std::io::Error),
}

/// Whether the command line said where something is to be.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    /// `--listen`.
    pub listen: bool,
    /// `--admin`.
    pub admin: bool,
    /// The port of `--backend`: where the server will listen whatever its environment says.
    pub server: Option<u16>,
}

impl Seat {
    /// Chooses the ports, from the environment that the platform gave.
    ///
    /// # Errors
    /// A variable is malformed, or no port is free.
    pub fn choose(said: Said) -> Result<Self, SeatError> {
        let variable = |name| std::env::var(name).ok();
        let mut ports = Ports::choose(
            variable(ports::BIND).as_deref(),
            variable(ports::RANGE).as_deref(),
            &ports::is_free,
        )?;
        ports.child = said.server.unwrap_or(ports.child);
        Ok(Self { ports, said })
    }

    /// The backend where nobody named one.
    #[must_use]
    pub fn flag(&self) -> Option<BackendFlag> {
        format!("{DIALECT}=http://127.0.0.1:{}", self.ports.child).parse().ok()
    }

    /// Puts weir before the server: its first listener at the platform's port, its first backend at the server's.
    pub fn take(&self, config: &mut Config) {
        if let (false, Some(first)) = (self.said.listen, config.listeners.first_mut()) {
            first.address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.ports.listen)).into();
        }
        let server = format!("http://127.0.0.1:{}", self.ports.child).parse();
        if let (None, Some(backend), Ok(server)) = (self.said.server, config.backends.first_mut(), server) {
            backend.endpoints = vec![server];
        }
        // Containers of one endpoint may share their ports: only those of the range are ours.
        if let (false, Some(port)) = (self.said.admin, self.ports.admin)
            && config.admin.address == Admin::default().address
        {
            config.admin.address.set_port(port);
        }
        config.drain.deadline = config.drain.deadline.min(DRAIN_MAX);
    }

    /// What the server's environment has instead of weir's.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![(ports::BIND, self.ports.child.to_string())];
        all.extend(self.ports.left.map(|(first, last)| (ports::RANGE, format!("{first}-{last}"))));
        all
    }
}

/// Runs weir and the server until both have ended; gives the server's exit code.
///
/// # Errors
/// A [`SeatError`]; nothing is left running. That the command cannot be run is no error here but, as with shells, exit code 127 or
/// 126.
pub fn run(seat: &Seat, start: Start, command: &[OsString]) -> Result<ExitCode, SeatError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SeatError::Watch)?;
    // Before the server is there: none of these may end weir without it.
    let entered = runtime.enter();
    let signals = Signals::new().map_err(SeatError::Watch)?;
    drop(entered);
    let gateway = Gateway::start_from(start)?;
    let (child, ended) = match Child::start(command, &seat.environment()) {
        Ok(started) => started,
        Err(error) => {
            tracing::error!(%error, command = ?command.first(), "the server cannot be run");
            gateway.drain();
            gateway.wait();
            let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
            return Ok(ExitCode::from(code));
        }
    };
    tracing::info!(pid = child.id(), port = seat.ports.child, "server started");
    let code = runtime.block_on(watch(gateway, &child, ended, signals)).map_err(SeatError::Watch)?;
    Ok(ExitCode::from(code))
}

/// Until both have ended.
async fn watch(
    gateway: Gateway,
    child: &Child,
    mut ended: oneshot::Receiver<u8>,
    mut signals: Signals,
) -> std::io::Result<u8> {
    let (drain, mut drained) = oneshot::channel();
    let (draining, asks) = (gateway.drainer(), gateway.asks.clone());
    std::thread::Builder::new().name("weir-seat".to_owned()).spawn(move || {
        gateway.wait();
        let _ = drain.send(());
    })?;
    let mut told = None;
    let code = loop {
        tokio::select! {
            code = &mut ended => {
                let code = code.unwrap_or(1);
                tracing::warn!(code, "the server has ended");
                draining.drain();
                let _ = (&mut drained).await;
                break code;
            }
            got = signals.next() => match got {
                Got::End(signal) => {
                    tracing::info!(?signal, "told to end");
                    draining.drain();
                    // The second one does not wait for requests.
                    if told.replace(signal).is_some() {
                        child.signal(signal);
                    }
                }
                Got::PassOn(signal) => child.signal(signal),
                Got::Reload => {
                    let (reply, _) = oneshot::channel();
                    let _ = asks.send(Ask::Reload { by: "SIGHUP", reply });
                }
            },
            _ = &mut drained => {
                child.signal(told.unwrap_or(Signal::TERM));
                break child_ended(child, ended).await;
            }
        }
    };
    // Whatever it left behind goes with it.
    child.signal(Signal::TERM);
    Ok(code)
}

async fn child_ended(child: &Child, mut ended: oneshot::Receiver<u8>) -> u8 {
    if let Ok(code) = tokio::time::timeout(CHILD_GRACE, &mut ended).await {
        return code.unwrap_or(1);
    }
    tracing::warn!(after = ?CHILD_GRACE, "the server did not end; it is killed");
    child.signal(Signal::KILL);
    ended.await.unwrap_or(1)
}

/// What a signal asks for.
enum Got {
    End(Signal),
    PassOn(Signal),
    Reload,
}

struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    user: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            user: signal(SignalKind::user_defined2())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Got {
        tokio::select! {
            _ = self.terminate.recv() => Got::End(Signal::TERM),
            _ = self.interrupt.recv() => Got::End(Signal::INT),
            _ = self.quit.recv() => Got::End(Signal::QUIT),
            _ = self.user.recv() => Got::PassOn(Signal::USR2),
            _ = self.hangup.recv() => Got::Reload,
        }
    }
}
