//! Decides which models are exported under their own name, within a budget of series; the others are summed up as
//! `__other__`. All, as long as all fit; else the pinned and the busiest. Pure: the ledger applies what comes out.
//!
//! A set that follows the traffic of the moment changes all the time, and every change costs Prometheus a new series
//! and a dashboard its line. So the score is a slow average (half of it is forgotten in 10 minutes), an entrant must
//! beat a resident clearly, a resident stays for 15 minutes, and few change places in a round.
//! Over a simulated day of drifting models (see the tests) 50 places change hands 7 times an hour; the busiest 50 of the
//! minute change 80 times, for half a percent more of the traffic.

use std::cmp::Reverse;
use std::time::Duration;

/// Rounds are held this often.
pub(crate) const ROUND_EVERY: Duration = Duration::from_secs(60);

/// Series of a model that has had hot and cold requests; what one that just came is taken for.
pub(crate) const SERIES_EXPECTED: u32 = 75;

/// How much a burning model's score counts.
pub(crate) const BURNING: f64 = 4.0;

const HALF_LIFE: Duration = Duration::from_secs(600);
const RESIDENCE_MIN: Duration = Duration::from_secs(900);
/// How much more an entrant must score than the resident whose place it takes.
const ENTER_ABOVE: f64 = 1.3;
/// The same, for a resident that has not stayed its time yet.
const ENTER_FAR_ABOVE: f64 = 10.0;
/// A resident leaves after so many rounds in a row below rank 1.5 × K.
const ROUNDS_BELOW: u8 = 3;

/// What bounds the exported set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// Models that are exported for their rank when not all fit.
    pub(crate) top_models: u32,
    /// Series of all models together.
    pub(crate) series: u32,
}

/// One model, as the ranking sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) slot: u32,
    /// Decayed requests per second, [`BURNING`] times if it burns.
    pub(crate) score: f64,
    pub(crate) pinned: bool,
    pub(crate) burns: bool,
    /// Series it has, or will have when it enters.
    pub(crate) series: u32,
    /// Since when it is exported.
    pub(crate) since: Option<Duration>,
    /// Rounds in a row below the line.
    pub(crate) below: u8,
}

/// Why a model is exported under its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// All models fit the budget.
    Fits,
    /// It is among the busiest.
    Rank,
    /// The same, as it burns: it breaks an objective, or one in twenty of its requests failed.
    Burning,
    /// It is configured to be.
    Pinned,
    /// It holds a service level objective of its own.
    Objective,
}

impl Reason {
    /// The value of the label `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Rank => "rank",
            Self::Burning => "burning",
            Self::Pinned => "pinned",
            Self::Objective => "slo",
        }
    }
}

/// The score after `elapsed` in which there were `requests` more.
pub(crate) fn decayed(score: f64, requests: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds <= 0.0 {
        return score;
    }
    let keep = 0.5_f64.powf(seconds / HALF_LIFE.as_secs_f64());
    score * keep + requests as f64 / seconds * (1.0 - keep)
}

/// Holds one round: sets `since` and `below` of every entry. Says whether all are exported because they fit.
pub(crate) fn round(now: Duration, entries: &mut [Entry], limits: Limits) -> bool {
    let wanted: u64 = entries.iter().map(|entry| u64::from(entry.series)).sum();
    if wanted <= u64::from(limits.series) {
        for entry in entries {
            entry.since.get_or_insert(now);
            entry.below = 0;
        }
        return true;
    }
    // Pinned ones first, then by score; the slot makes the order total.
    entries.sort_by(|a, b| {
        (Reverse(a.pinned), b.score, a.slot)
            .partial_cmp(&(Reverse(b.pinned), a.score, b.slot))
            .unwrap_or(a.slot.cmp(&b.slot))
    });
    let mut room = Room::new(entries, limits);
    room.seat_pinned(now, entries);
    let pinned = entries.partition_point(|entry| entry.pinned);
    let Some(ranked) = entries.get_mut(pinned..) else { return false };
    room.dismiss_low(now, ranked);
    room.seat_best(now, ranked);
    room.replace(now, ranked);
    room.dismiss_over_budget(ranked);
    false
}

/// How much is taken of what there is.
struct Room {
    limits: Limits,
    series: u64,
    ranked: u32,
    /// Changes that residents with traffic still may suffer in this round.
    changes: u32,
}

impl Room {
    fn new(entries: &[Entry], limits: Limits) -> Self {
        let exported = || entries.iter().filter(|entry| entry.since.is_some());
        let series = exported().map(|entry| u64::from(entry.series)).sum();
        let ranked = exported().filter(|entry| !entry.pinned).count();
        let changes = (limits.top_models / 10).max(1);
        Self { limits, series, ranked: u32::try_from(ranked).unwrap_or(u32::MAX), changes }
    }

    fn has_series_for(&self, entry: &Entry) -> bool {
        self.series + u64::from(entry.series) <= u64::from(self.limits.series)
    }

    fn seat(&mut self, now: Duration, entry: &mut Entry) {
        entry.since = Some(now);
        entry.below = 0;
        self.series += u64::from(entry.series);
        self.ranked += u32::from(!entry.pinned);
    }

    fn dismiss(&mut self, entry: &mut Entry) {
        entry.since = None;
        entry.below = 0;
        self.series -= u64::from(entry.series);
        self.ranked -= u32::from(!entry.pinned);
    }

    fn seat_pinned(&mut self, now: Duration, entries: &mut [Entry]) {
        let mut series = 0;
        for entry in entries.iter_mut().take_while(|entry| entry.pinned) {
            series += u64::from(entry.series);
            match (entry.since.is_some(), series <= u64::from(self.limits.series)) {
                (false, true) => self.seat(now, entry),
                (true, false) => self.dismiss(entry),
                (true, true) | (false, false) => (),
            }
        }
    }

    /// Those that have been far down for long leave.
    fn dismiss_low(&mut self, now: Duration, ranked: &mut [Entry]) {
        let line = self.limits.top_models as usize * 3 / 2;
        for (rank, entry) in ranked.iter_mut().enumerate() {
            let Some(since) = entry.since else { continue };
            entry.below = if rank < line { 0 } else { entry.below.saturating_add(1) };
            if entry.below >= ROUNDS_BELOW && now >= since + RESIDENCE_MIN && self.changes > 0 {
                self.changes -= 1;
                self.dismiss(entry);
            }
        }
    }

    /// Empty places are taken by the best.
    fn seat_best(&mut self, now: Duration, ranked: &mut [Entry]) {
        for entry in ranked.iter_mut().filter(|entry| entry.since.is_none()) {
            if self.ranked >= self.limits.top_models || !self.has_series_for(entry) {
                return;
            }
            self.seat(now, entry);
        }
    }

    /// The best outside take the places of the worst inside. A resident without traffic is replaced at once, as
    /// nobody's line breaks off; others as far as this round's changes last.
    fn replace(&mut self, now: Duration, ranked: &mut [Entry]) {
        let residents: Vec<_> = positions(ranked, true).rev().collect();
        let entrants: Vec<_> = positions(ranked, false).collect();
        for (resident, entrant) in residents.into_iter().zip(entrants) {
            let (Some(&inside), Some(&outside)) = (ranked.get(resident), ranked.get(entrant)) else { return };
            let stayed = inside.since.is_some_and(|since| now >= since + RESIDENCE_MIN);
            let factor = if stayed { ENTER_ABOVE } else { ENTER_FAR_ABOVE };
            let idle = inside.score < f64::EPSILON;
            if outside.score <= inside.score * factor || (!idle && self.changes == 0) {
                return;
            }
            self.changes -= u32::from(!idle);
            if let Some(inside) = ranked.get_mut(resident) {
                self.dismiss(inside);
            }
            if let Some(outside) = ranked.get_mut(entrant).filter(|outside| self.has_series_for(outside)) {
                self.seat(now, outside);
            }
        }
    }

    /// The budget is hard: models that grew more series push out the worst.
    fn dismiss_over_budget(&mut self, ranked: &mut [Entry]) {
        for entry in ranked.iter_mut().rev().filter(|entry| entry.since.is_some()) {
            if self.series <= u64::from(self.limits.series) {
                return;
            }
            self.dismiss(entry);
        }
    }
}

/// Where the residents, or the others, are.
fn positions(entries: &[Entry], resident: bool) -> impl DoubleEndedIterator<Item = usize> {
    let found = entries.iter().enumerate().filter(move |(_, entry)| entry.since.is_some() == resident);
    found.map(|(at, _)| at)
}

#[cfg(test)]
mod tests;
