//! All alerts that are on their way. One for each promise of each model, and one for each level at which its budget can
//! burn; no more than `max` together, what has no room is counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::alert::{Alert, AlertKind, Clockwork, Holds, Measured, Phase, step};
use super::peaks::peaks;
use super::record::Promise;
use super::rule::Target;
use super::verdict::{BURN_LEVELS, Burn, Counts, Level, State};
use crate::observation::Start;
use crate::store::{Book, Books, ModelRef};

/// How often what is told with a firing alert is measured anew.
const MEASURE_EVERY: Duration = Duration::from_secs(15);

/// Alerts by what they are about.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    alerts: HashMap<Key, Entry>,
    pub(crate) max: usize,
    /// Alerts that had no room.
    pub(crate) left_out: u64,
    round: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    model: ModelRef,
    slo: Arc<str>,
    /// The level, if it is about the budget.
    level: Option<u8>,
}

#[derive(Debug)]
struct Entry {
    alert: Alert,
    clockwork: Clockwork,
    measured_at: Duration,
    round: u64,
}

impl Watch {
    /// Looks at every model, and writes down which do not keep what they promised; alerts of models and promises that are
    /// no more are resolved.
    pub(crate) fn look(&mut self, now: Duration, books: &mut Books) {
        self.round += 1;
        books.each_of(
            |books| &books.promised,
            |book| {
                let mut burns = false;
                for promise in book.slo.iter().flat_map(|record| &record.promises) {
                    // What never was bad is not broken, and nobody was alerted of it.
                    burns |= promise.bad > 0 && self.promise(now, book, promise);
                }
                book.burns = burns;
            },
        );
        let round = self.round;
        self.alerts.retain(|_, entry| entry.round == round || entry.forsaken(now));
    }

    /// All of them, pending and resolved ones too.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        let mut all: Vec<_> = self.alerts.values().map(|entry| entry.alert.clone()).collect();
        all.sort_by(|a, b| (a.since, &a.model, a.kind.name()).cmp(&(b.since, &b.model, b.kind.name())));
        all
    }

    /// Says whether it is broken.
    fn promise(&mut self, now: Duration, book: &Book, promise: &Promise) -> bool {
        let slo = &promise.rule.slo;
        let verdict = promise.verdict(now);
        let broken = verdict.state == State::Broken;
        let holds = Holds { hold: slo.hold, keep: slo.keep_for };
        self.step(now, book, promise, (None, broken, holds, verdict.counts, None));
        if !slo.burn_alerts {
            return broken;
        }
        let burn = promise.burn(now);
        for (at, level) in (0_u8..).zip(&BURN_LEVELS) {
            let holds = Holds { hold: slo.budget / level.hold, keep: slo.keep_for };
            let burns = burn.is_at(level, slo.requests_min);
            self.step(now, book, promise, (Some(at), burns, holds, verdict.counts, rates(&burn, level)));
        }
        broken
    }

    fn step(
        &mut self,
        now: Duration,
        book: &Book,
        promise: &Promise,
        (level, broken, holds, counts, burn): Look,
    ) {
        if !broken && self.alerts.is_empty() {
            return;
        }
        let key = Key { model: book.model, slo: Arc::clone(&promise.rule.name), level };
        let Some(entry) = self.alerts.get_mut(&key) else {
            if let Some(clockwork) = step(None, broken, now, holds) {
                self.begin(now, key, clockwork, book, promise, (counts, burn));
            }
            return;
        };
        entry.round = self.round;
        let before = entry.clockwork.phase;
        let Some(after) = step(Some(entry.clockwork), broken, now, holds) else {
            self.alerts.remove(&key);
            return;
        };
        entry.clockwork = after;
        entry.alert.rule = Arc::clone(&promise.rule);
        let fires = after.phase == Phase::Firing && before != Phase::Firing;
        let is_old = now.saturating_sub(entry.measured_at) >= MEASURE_EVERY;
        // What is resolved keeps what it fired for.
        if fires || (broken && is_old && after.phase != Phase::Resolved) {
            entry.alert.measured = measured(now, book, counts, burn);
            entry.measured_at = now;
        }
        if fires {
            entry.alert.kind = kind(promise, level, &entry.alert.measured);
        }
        entry.tell();
    }

    fn begin(
        &mut self,
        now: Duration,
        key: Key,
        clockwork: Clockwork,
        book: &Book,
        promise: &Promise,
        (counts, burn): (Counts, Option<(f64, f64)>),
    ) {
        if self.alerts.len() >= self.max {
            self.left_out += 1;
            return;
        }
        let measured = measured(now, book, counts, burn);
        let alert = Alert {
            kind: kind(promise, key.level, &measured),
            rule: Arc::clone(&promise.rule),
            backend: Arc::clone(&book.backend),
            model: Arc::clone(&book.name),
            version: book.version.clone(),
            phase: clockwork.phase,
            since: clockwork.since,
            fired_at: clockwork.fired_at,
            resolved_at: None,
            measured,
        };
        self.alerts.insert(key, Entry { alert, clockwork, measured_at: now, round: self.round });
    }
}

/// One look at one promise: level, whether it is broken, how long that must hold, and what was counted.
type Look = (Option<u8>, bool, Holds, Counts, Option<(f64, f64)>);

impl Entry {
    /// What it was about is no more: it is kept as far as that goes. Says whether it is still to be told of.
    fn forsaken(&mut self, now: Duration) -> bool {
        let slo = &self.alert.rule.slo;
        let holds = Holds { hold: slo.hold, keep: slo.keep_for };
        let Some(after) = step(Some(self.clockwork), false, now, holds) else { return false };
        self.clockwork = after;
        self.tell();
        true
    }

    fn tell(&mut self) {
        let Clockwork { phase, since, fired_at, resolved_at, .. } = self.clockwork;
        let alert = &mut self.alert;
        (alert.phase, alert.since, alert.fired_at, alert.resolved_at) = (phase, since, fired_at, resolved_at);
    }
}

fn rates(burn: &Burn, level: &Level) -> Option<(f64, f64)> {
    let at = |window: usize| burn.rates.get(window).copied().flatten();
    Some((at(level.long)?, at(level.short)?))
}

fn measured(now: Duration, book: &Book, counts: Counts, burn: Option<(f64, f64)>) -> Measured {
    let window = book.windows.recent(now).five_minutes;
    let quantiles = Start::ALL.map(|start| window.quantile(start, 0.50).zip(window.quantile(start, 0.95)));
    let unknown = window.durations.as_ref().map(|[.., unknown]| unknown);
    let slow_peak = unknown.and_then(peaks).map(|peaks| peaks.slow_share);
    Measured { counts, burn, quantiles, evictions: book.totals.evictions, slow_peak }
}

/// Slowness that comes from cold starts alone is called by its name.
fn kind(promise: &Promise, level: Option<u8>, measured: &Measured) -> AlertKind {
    let target = promise.rule.target;
    if let Some(level) = level {
        return AlertKind::burn(target, level);
    }
    let Target::Latency { start: None, limit } = target else { return AlertKind::broken(target) };
    let Counts { total, bad, cold, bad_cold } = measured.counts;
    let is_from_cold = bad_cold * 5 >= bad * 4 && !promise.rule.is_broken_by(bad - bad_cold, total - cold);
    let [.., unknown] = measured.quantiles;
    let looks_cold = cold == 0 && measured.slow_peak.is_some() && unknown.is_some_and(|(p50, _)| p50 < limit);
    // Where most starts are cold, nothing is bimodal about it.
    let is_rare = cold * 2 < total;
    if (is_from_cold && is_rare) || looks_cold { AlertKind::LatencyBimodal } else { AlertKind::LatencyHigh }
}
