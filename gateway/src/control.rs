//! Telemetry's ticker, and the gauges that are read off rather than counted. It never touches a request.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::time::MissedTickBehavior;
use weir_config::Severity;
use weir_telemetry::{Alert, Phase, names};

use crate::app::State;

/// How soon a model's name is published to every worker after its first success.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);
/// How often the exporter's recorder is drained of its samples, and gauges are refreshed.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// Publishes admissions, folds, and keeps gauges fresh.
pub async fn tick(state: Arc<State>) {
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
