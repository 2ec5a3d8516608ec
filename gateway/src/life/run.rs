//! The control plane's thread: it starts what is not a request, does what it is asked, and leads the drain.
//!
//! The drain: `/readyz` says 503 at once; connections are still accepted for `drain.delay`; then listeners close, connections end after
//! what they are serving (HTTP/1.1 `Connection: close`, HTTP/2 GOAWAY), and at `drain.deadline` what is left is cut.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use super::file::{LOOK_EVERY, Watched};
use super::fleet::Fleet;
use super::inherited::{Given, Role};
use super::reload::{self, ReloadError, Reloaded};
use super::sockets::refresh;
use super::source::{Loaded, Source};
use super::{Ask, notify, pulse};
use crate::admin::Side;
use crate::app::State;
use crate::front::Listening;
use crate::{admin, alerts, control, export, sign};

/// After the drain's deadline workers are cut; this long they have to settle what was cut.
const CUT_GRACE: Duration = Duration::from_secs(2);

/// How long the last lines of the access log may take to be written.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// How often files of certificates are looked at: a few small reads.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(5);

/// What the control plane is started with.
#[derive(Debug)]
pub struct Control {
    /// What it shares with the workers and the admin side.
    pub state: Arc<State>,
    /// The workers.
    pub fleet: Fleet,
    /// Where the configuration came from; none: it cannot be loaded again.
    pub source: Option<Source>,
    /// The admin side's socket.
    pub admin: Side,
    /// The socket for metrics alone.
    pub metrics: Option<Side>,
    /// What it is asked to do.
    pub asks: mpsc::UnboundedReceiver<Ask>,
    /// Tells that the drain is wanted.
    pub want_drain: watch::Sender<bool>,
    /// Makes the workers drain.
    pub drain: watch::Sender<bool>,
    /// Cuts what is left.
    pub abort: watch::Sender<bool>,
    /// Every worker's last word.
    pub ends: mpsc::UnboundedReceiver<usize>,
    /// Whether signals are to be obeyed.
    pub signals: bool,
    /// The service manager's watchdog.
    pub watchdog: Option<Duration>,
    /// Told once signals can come.
    pub ready: std::sync::mpsc::Sender<()>,
}

/// How the gateway ended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Workers whose connections had to be cut at the deadline.
    pub cut: usize,
    /// Why it ended, if nobody wanted it to.
    pub failure: Option<String>,
}

/// Runs the control plane on the calling thread until the gateway has drained.
#[must_use]
pub fn run(control: Control) -> Ended {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let ended = runtime.block_on(supervise(control));
            // A scrape that stalls does not hold the exit.
            runtime.shutdown_timeout(Duration::from_millis(200));
            ended
        }
        Err(error) => Ended { cut: 0, failure: Some(format!("the control plane could not run: {error}")) },
    }
}

async fn supervise(mut control: Control) -> Ended {
    let state = Arc::clone(&control.state);
    state.ready.store(true, Ordering::Release);
    let mut serving_admin = Some(start_tasks(&mut control));
    let failure = serve(&mut control, &mut serving_admin).await;
    if serving_admin.is_some() {
        // Whoever has taken over goes on.
        notify::tell("STOPPING=1");
    }
    if let Some(failure) = &failure {
        tracing::error!(failure, "weir cannot go on");
    }
    state.ready.store(false, Ordering::Release);
    control.want_drain.send_replace(true);
    let cut = end(control, serving_admin.is_none()).await;
    export::last(&state).await;
    if let Some(log) = &state.shared.load().access {
        log.flush(FLUSH_PATIENCE);
    }
    tracing::info!(cut, "drained");
    Ended { cut, failure }
}

#[expect(clippy::disallowed_methods, reason = "these are the control plane's own; they end with its runtime")]
/// The admin side is served until the returned sender is dropped.
fn start_tasks(control: &mut Control) -> watch::Sender<()> {
    let state = &control.state;
    let (serving_admin, admin_over) = watch::channel(());
    if let Ok(admin) = control.admin.try_clone() {
        let metrics = control.metrics.as_ref().and_then(|side| side.try_clone().ok());
        tokio::task::spawn(admin::serve(admin, metrics, Arc::clone(state), admin_over.clone()));
    }
    tokio::task::spawn(alerts::run(Arc::clone(state), control.want_drain.subscribe()));
    tokio::task::spawn(export::run(Arc::clone(state)));
    tokio::task::spawn(control::tick(Arc::clone(state)));
    tokio::task::spawn(pulse::watch(Arc::clone(state)));
    tokio::task::spawn(sign::keep_fresh(Arc::clone(state)));
    tokio::task::spawn(crate::poll::run(Arc::clone(state)));
    if let Some(within) = control.watchdog {
        tokio::task::spawn(pulse::ping(Arc::clone(state), within, admin_over));
    }
    // Caught from here on, though nobody has looked yet.
    if let Ok(asked) = caught(SignalKind::user_defined1()) {
        tokio::task::spawn(reopen_logs(asked, Arc::clone(state)));
    }
    if control.signals {
        let (drain, abort) = (control.want_drain.clone(), control.abort.clone());
        if let (Ok(terminate), Ok(interrupt)) =
            (caught(SignalKind::terminate()), caught(SignalKind::interrupt()))
        {
            tokio::task::spawn(obey(terminate, interrupt, drain, abort));
        }
        if let Ok(hangup) = caught(SignalKind::hangup()) {
            tokio::task::spawn(reload_on_signal(hangup, Arc::clone(state)));
        }
    }
    let _ = control.ready.send(());
    serving_admin
}

/// Does what it is asked until the drain is wanted; or says why it cannot go on.
async fn serve(control: &mut Control, serving_admin: &mut Option<watch::Sender<()>>) -> Option<String> {
    let mut wanted = control.want_drain.subscribe();
    let mut file = watched(control);
    let mut certificates = tokio::time::interval(CERTIFICATES_EVERY);
    certificates.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = wanted.wait_for(|wanted| *wanted) => return None,
            Some(ask) = control.asks.recv() => match ask {
                Ask::Reload { by, reply } => {
                    let done = reload(control, by).await;
                    if let (Ok(done), Some(file)) = (&done, &mut file) {
                        file.loaded(&done.hash);
                    }
                    let _ = reply.send(done);
                }
                Ask::Drain => return None,
                Ask::Handles(reply) => {
                    let _ = reply.send(handles(control));
                }
                Ask::Leave(reply) => {
                    control.fleet.leave_queues();
                    *serving_admin = None;
                    let _ = reply.send(());
                    return None;
                }
                #[cfg(feature = "faults")]
                Ask::Fault(worker, command) => control.fleet.tell(worker, *command),
            },
            Some(id) = control.ends.recv() => {
                tracing::error!(worker = id, "a worker ended; its connections are lost, another one goes on");
                if let Err(error) = control.fleet.replace(id) {
                    return Some(format!("worker {id} ended and is not started again: {error}"));
                }
            }
            _ = certificates.tick() => {
                refresh_certificates(control);
            }
            _ = look.tick() => {
                if file.as_mut().is_some_and(Watched::look) {
                    let _ = reload(control, "the file changed").await;
                }
            }
        }
    }
}

fn refresh_certificates(control: &Control) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    control.fleet.sockets.refresh_tls(now);
    for (name, side) in [("admin", Some(&control.admin)), ("admin_metrics", control.metrics.as_ref())] {
        if let Some(tls) = side.and_then(|side| side.tls.as_ref()) {
            refresh(name, tls, now);
        }
    }
}

/// Every listening socket, for another process.
fn handles(control: &Control) -> std::io::Result<Vec<Given>> {
    let asked = control.state.shared.load().config.admin.address;
    let socket = Listening::Tcp(control.admin.socket.try_clone()?);
    let mut all = vec![Given { role: Role::Admin, asked: Some(asked.into()), socket }];
    if let (Some(asked), Some(side)) =
        (control.state.shared.load().config.admin.metrics_address, &control.metrics)
    {
        let socket = Listening::Tcp(side.socket.try_clone()?);
        all.push(Given { role: Role::Admin, asked: Some(asked.into()), socket });
    }
    for open in control.fleet.sockets.iter() {
        for socket in &open.sockets {
            let role = Role::Listener(open.listener.name.clone());
            let asked = Some(open.listener.address.clone());
            all.push(Given { role, asked, socket: socket.try_clone()? });
        }
    }
    Ok(all)
}

fn watched(control: &Control) -> Option<Watched> {
    let present = control.state.present.lock().unwrap_or_else(PoisonError::into_inner);
    Some(Watched::new(control.source.as_ref()?.file()?, &present.hash))
}

async fn reload(control: &mut Control, by: &'static str) -> Result<Reloaded, ReloadError> {
    notify::reloading();
    let done = match load(control.source.as_ref()).await {
        Ok(loaded) => reload::take_over(&control.state, &mut control.fleet, loaded),
        Err(error) => Err(error),
    };
    let mut present = control.state.present.lock().unwrap_or_else(PoisonError::into_inner);
    match &done {
        Ok(reloaded) => {
            present.succeeded(&reloaded.hash, reloaded.needs_restart.clone());
            let listeners =
                control.fleet.sockets.iter().map(|open| (open.listener.name.clone(), open.bound.clone()));
            present.listeners = listeners.collect();
            tracing::info!(
                by,
                hash = reloaded.hash,
                changes = reloaded.changes.len(),
                "configuration reloaded"
            );
            for change in &reloaded.needs_restart {
                tracing::warn!(%change, "this holds from the start of the process: not taken over");
            }
        }
        Err(error) => {
            present.failed();
            tracing::error!(by, %error, "the configuration was not reloaded; the running one stays");
        }
    }
    notify::tell("READY=1");
    done
}

/// The file may be slow: it is read on a thread of its own.
async fn load(source: Option<&Source>) -> Result<Loaded, ReloadError> {
    let source = source.filter(|source| source.file().is_some()).cloned().ok_or(ReloadError::NoFile)?;
    let loaded = tokio::task::spawn_blocking(move || source.load()).await;
    Ok(loaded.map_err(std::io::Error::other)??)
}

/// Drains; returns how many workers had to be cut.
async fn end(control: Control, was_taken_over: bool) -> usize {
    let Control { state, mut fleet, drain, abort, mut ends, asks, .. } = control;
    // Whoever still asks is told at once that nobody answers.
    drop(asks);
    let settings = state.shared.load().config.drain.clone();
    let mut aborted = abort.subscribe();
    if !settings.delay.is_zero() && !was_taken_over {
        tracing::info!(delay = ?settings.delay, "not ready; still accepting");
        let now = aborted.wait_for(|aborted| *aborted);
        let _ = tokio::time::timeout(settings.delay, now).await;
    }
    tracing::info!(deadline = ?settings.deadline, "draining");
    let workers = fleet.len();
    drain.send_replace(true);
    fleet.sockets.forget();
    // With it goes the sender that would keep `ends` open.
    drop(fleet);
    let mut ended = 0;
    let all = async {
        while ends.recv().await.is_some() {
            ended += 1;
        }
    };
    if tokio::time::timeout(settings.deadline, all).await.is_ok() {
        return 0;
    }
    abort.send_replace(true);
    let left = async { while ends.recv().await.is_some() {} };
    let _ = tokio::time::timeout(CUT_GRACE, left).await;
    workers.saturating_sub(ended)
}

fn caught(kind: SignalKind) -> std::io::Result<Signal> {
    signal(kind).inspect_err(|error| {
        tracing::error!(%error, ?kind, "a signal cannot be caught; it will end weir at once");
    })
}

/// The first signal drains, the second cuts.
async fn obey(
    mut terminate: Signal,
    mut interrupt: Signal,
    drain: watch::Sender<bool>,
    abort: watch::Sender<bool>,
) {
    for channel in [drain, abort] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = channel.send(true);
    }
}

/// SIGUSR1: whoever turns logs over has moved the access log's file.
async fn reopen_logs(mut asked: Signal, state: Arc<State>) {
    while asked.recv().await.is_some() {
        if let Some(log) = &state.shared.load().access {
            log.reopen();
        }
    }
}

async fn reload_on_signal(mut hangup: Signal, state: Arc<State>) {
    while hangup.recv().await.is_some() {
        let (reply, _done) = oneshot::channel();
        let _ = state.asks.send(Ask::Reload { by: "SIGHUP", reply });
    }
}
