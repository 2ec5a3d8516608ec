//! Whether every worker shows signs of life.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::notify;
use crate::app::State;

/// A worker that has not swept for this long is wedged: it sweeps twice a second.
pub const WEDGED_AFTER: Duration = Duration::from_secs(5);

/// Workers that are wedged, each with the time since its last sign of life.
#[must_use]
pub fn wedged(state: &State) -> Vec<(usize, Duration)> {
    let now = state.epoch.elapsed();
    let silent = state
        .beats
        .iter()
        .map(|beat| now.saturating_sub(Duration::from_millis(beat.swept_ms.load(Ordering::Relaxed))));
    silent.enumerate().filter(|(_, silent)| *silent > WEDGED_AFTER).collect()
}

/// Looks once a second and says when a worker falls silent and when it is back.
pub(super) async fn watch(state: Arc<State>) {
    let mut known = BTreeSet::new();
    let mut look = tokio::time::interval(Duration::from_secs(1));
    loop {
        look.tick().await;
        let now = wedged(&state);
        for (worker, silent) in &now {
            if known.insert(*worker) {
                tracing::error!(
                    worker,
                    ?silent,
                    "a worker shows no sign of life; its connections stand still"
                );
            }
        }
        known.retain(|worker| {
            let is_wedged = now.iter().any(|(id, _)| id == worker);
            if !is_wedged {
                tracing::info!(worker, "the worker is back");
            }
            is_wedged
        });
    }
}

/// Tells the service manager, twice within its time, that the control plane and every worker live. A wedged worker is silence: the
/// service manager then ends and restarts weir. Ends when another process has taken over, which speaks for the service from then on.
pub(super) async fn ping(state: Arc<State>, within: Duration, mut over: watch::Receiver<()>) {
    let mut turn = tokio::time::interval(within / 2);
    loop {
        tokio::select! {
            _ = turn.tick() => {}
            _ = over.changed() => return,
        }
        if wedged(&state).is_empty() {
            notify::tell("WATCHDOG=1");
        }
    }
}
