//! What one receiver has taken of the alerts there are, and what it is owed. Pure.
//!
//! An episode of an alert, from its firing to its resolution, is told when it fires, again after a while, and once when it is
//! resolved, also if its firing could not be told in time. Nothing that fired is forgotten before that, but for a bound on
//! resolved episodes, of which the oldest go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use weir_telemetry::{Alert, AlertKind, Phase};

use super::message::is_told;

/// One episode of one alert.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Episode {
    backend: Arc<str>,
    model: Arc<str>,
    version: Option<Arc<str>>,
    slo: Arc<str>,
    kind: AlertKind,
    fired_at: Option<Duration>,
}

impl Episode {
    fn of(alert: &Alert) -> Self {
        Self {
            backend: Arc::clone(&alert.backend),
            model: Arc::clone(&alert.model),
            version: alert.version.clone(),
            slo: Arc::clone(&alert.rule.name),
            kind: alert.kind,
            fired_at: alert.fired_at,
        }
    }
}

#[derive(Debug)]
struct Entry {
    alert: Alert,
    /// When it was last taken, and whether as resolved.
    taken: Option<(Duration, bool)>,
    is_here: bool,
}

/// A receiver's knowledge.
#[derive(Debug, Default)]
pub(super) struct Told {
    episodes: HashMap<Episode, Entry>,
}

impl Told {
    /// Takes over how things stand. No more than `max` resolved episodes are kept for who has not heard of them; tells how
    /// many were dropped.
    pub(super) fn update(&mut self, alerts: Vec<Alert>, now: Duration, max: usize) -> u64 {
        self.episodes.values_mut().for_each(|entry| entry.is_here = false);
        for alert in alerts.into_iter().filter(is_told) {
            let entry = Entry { alert: alert.clone(), taken: None, is_here: true };
            let entry = self.episodes.entry(Episode::of(&alert)).or_insert(entry);
            entry.alert = alert;
            entry.is_here = true;
        }
        self.episodes.retain(|_, entry| {
            if !entry.is_here && entry.alert.phase == Phase::Firing {
                // It ended between two looks, and perhaps fires anew already.
                (entry.alert.phase, entry.alert.resolved_at) = (Phase::Resolved, Some(now));
            }
            entry.is_here || !entry.is_settled()
        });
        self.forget(max)
    }

    /// What the receiver is owed now; resolved ones first, so that a long list of firing ones does not hold them back.
    pub(super) fn due(&self, now: Duration, again_after: Duration) -> Vec<Alert> {
        let is_due = |entry: &&Entry| match (entry.alert.phase, entry.taken) {
            (Phase::Firing, Some((at, false))) => now.saturating_sub(at) >= again_after,
            _ => !entry.is_settled(),
        };
        let mut due: Vec<Alert> =
            self.episodes.values().filter(is_due).map(|entry| entry.alert.clone()).collect();
        due.sort_by(|a, b| {
            let order = |alert: &Alert| (alert.phase != Phase::Resolved, alert.fired_at);
            order(a).cmp(&order(b)).then_with(|| a.model.cmp(&b.model))
        });
        due
    }

    /// The receiver has taken these.
    pub(super) fn took(&mut self, alerts: &[Alert], now: Duration) {
        for alert in alerts {
            if let Some(entry) = self.episodes.get_mut(&Episode::of(alert)) {
                entry.taken = Some((now, alert.phase == Phase::Resolved));
            }
        }
    }

    fn forget(&mut self, max: usize) -> u64 {
        let gone = |entry: &Entry| entry.alert.phase == Phase::Resolved && !entry.is_here;
        let mut over = self.episodes.iter().filter(|(_, entry)| gone(entry)).collect::<Vec<_>>();
        let surplus = over.len().saturating_sub(max);
        if surplus == 0 {
            return 0;
        }
        over.sort_by_key(|(_, entry)| entry.alert.resolved_at);
        let oldest: Vec<Episode> =
            over.into_iter().take(surplus).map(|(episode, _)| episode.clone()).collect();
        oldest.iter().for_each(|episode| _ = self.episodes.remove(episode));
        oldest.len() as u64
    }
}

impl Entry {
    /// Nothing more is to be told of it.
    const fn is_settled(&self) -> bool {
        matches!((self.alert.phase, self.taken), (Phase::Resolved, Some((_, true))))
    }
}

#[cfg(test)]
mod tests;
