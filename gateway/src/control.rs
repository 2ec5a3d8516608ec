//! The control plane's thread: admin server, telemetry's ticker, signals, and the drain. It never touches a request.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use weir_config::Severity;
use weir_telemetry::{Alert, Phase, names};

use crate::app::State;
use crate::{admin, alerts, sign};

/// How soon a model's name is published to every worker after its first success.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);
/// How often the exporter's recorder is drained of its samples, and gauges are refreshed.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// After the drain's deadline workers are cut; this long they have to settle what was cut.
const CUT_GRACE: Duration = Duration::from_secs(2);

/// What the control plane is started with.
#[derive(Debug)]
pub struct Control {
    /// What it shares with the workers and the admin side.
    pub state: Arc<State>,
    /// The admin side's socket.
    pub admin: TcpListener,
    /// Begins the drain.
    pub drain: watch::Sender<bool>,
    /// True once it has begun.
    pub draining: watch::Receiver<bool>,
    /// Cuts what is left.
    pub abort: watch::Sender<bool>,
    /// Every worker's last word.
    pub ends: mpsc::UnboundedReceiver<usize>,
    /// True once signals are to be obeyed.
    pub on_signal: watch::Receiver<bool>,
}

/// Runs the control plane on the calling thread until the gateway has drained; returns how many workers were cut off.
pub fn run(control: Control) -> usize {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let cut = runtime.block_on(supervise(control));
            // A scrape that stalls does not hold the exit.
            runtime.shutdown_timeout(Duration::from_millis(200));
            cut
        }
        Err(error) => {
            tracing::error!(%error, "control plane could not run");
            0
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "these three are the control plane's own; they end with its runtime"
)]
async fn supervise(control: Control) -> usize {
    let Control { state, admin, drain, mut draining, abort, mut ends, on_signal } = control;
    let workers = state.beats.len();
    state.ready.store(true, Ordering::Release);
    tokio::task::spawn(admin::serve(admin, Arc::clone(&state)));
    tokio::task::spawn(alerts::run(Arc::clone(&state), draining.clone()));
    tokio::task::spawn(tick(Arc::clone(&state)));
    tokio::task::spawn(sign::keep_fresh(Arc::clone(&state)));
    tokio::task::spawn(obey(on_signal, drain, abort.clone()));
    let mut ended = 0;
    loop {
        tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => break,
            Some(id) = ends.recv() => {
                ended += 1;
                tracing::error!(worker = id, "a worker ended; its share of connections is lost");
                if ended == workers {
                    break;
                }
            }
        }
    }
    state.ready.store(false, Ordering::Release);
    let deadline = state.shared.load().config.drain.deadline;
    tracing::info!(?deadline, "draining");
    let all = async {
        while ended < workers && ends.recv().await.is_some() {
            ended += 1;
        }
    };
    let cut = match tokio::time::timeout(deadline, all).await {
        Ok(()) => 0,
        Err(_) => {
            let _ = abort.send(true);
            let left = async { while ends.recv().await.is_some() {} };
            let _ = tokio::time::timeout(CUT_GRACE, left).await;
            workers.saturating_sub(ended)
        }
    };
    tracing::info!(cut, "drained");
    cut
}

/// Publishes admissions, folds, and keeps gauges fresh.
async fn tick(state: Arc<State>) {
    let mut publish = tokio::time::interval(PUBLISH_EVERY);
    publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = publish.tick() => {
                // Tens of thousands of busy models take tens of milliseconds: not of this thread, which has others to answer.
                let state = Arc::clone(&state);
                _ = tokio::task::spawn_blocking(move || state.store.tick(state.epoch.elapsed())).await;
            }
            _ = upkeep.tick() => {
                refresh(&state);
                state.process.upkeep();
            }
        }
    }
}

/// Gauges that are read off rather than counted.
pub fn refresh(state: &State) {
    let sum =
        |read: fn(&crate::worker::Beat) -> u64| state.beats.iter().map(|beat| read(beat)).sum::<u64>() as f64;
    gauge!(names::UPSTREAM_IDLE_CONNECTIONS).set(sum(|beat| beat.upstream_idle.load(Ordering::Relaxed)));
    gauge!(names::UPSTREAM_OPEN_CONNECTIONS).set(sum(|beat| beat.upstream_open.load(Ordering::Relaxed)));
    for (place, source) in crate::worker::FOUND_IN.into_iter().enumerate() {
        let found =
            state.beats.iter().filter_map(|beat| Some(beat.found.get(place)?.load(Ordering::Relaxed))).sum();
        counter!(names::IDENTIFY, "source" => source).absolute(found);
    }
    slos(state);
    gauge!(names::READY).set(f64::from(u8::from(state.ready.load(Ordering::Acquire))));
    gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// What is promised, and how many alerts are firing. What was told once is told as 0 when it is no more.
fn slos(state: &State) {
    let rules = state.store.rules();
    let mut told = state.told.lock().unwrap_or_else(PoisonError::into_inner);
    let now: BTreeSet<_> = rules.iter().map(|rule| (Arc::clone(&rule.name), rule.target.as_str())).collect();
    for (slo, target) in told.union(&now) {
        let is_now = now.contains(&(Arc::clone(slo), *target));
        gauge!(names::SLO_INFO, "slo" => slo.to_string(), "target" => *target)
            .set(f64::from(u8::from(is_now)));
    }
    *told = now;
    let alerts = state.store.alerts();
    for name in weir_telemetry::alert_names() {
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            let is_such = |alert: &&Alert| {
                alert.phase == Phase::Firing && alert.kind.name() == name && alert.severity() == severity
            };
            let firing = alerts.iter().filter(is_such).count();
            gauge!(names::ALERTS_FIRING, "alertname" => name, "severity" => severity.as_str())
                .set(firing as f64);
        }
    }
    counter!(names::ALERTS_LEFT_OUT).absolute(state.store.alerts_left_out());
}

/// The first signal drains, the second cuts.
async fn obey(mut on_signal: watch::Receiver<bool>, drain: watch::Sender<bool>, abort: watch::Sender<bool>) {
    if on_signal.wait_for(|on| *on).await.is_err() {
        return;
    }
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be caught; stop weir through its admin side or by SIGKILL");
        return;
    };
    for channel in [drain, abort] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = channel.send(true);
    }
}
