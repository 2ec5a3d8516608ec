//! Moves models between their own name and `__other__`, as [`rank`](super::rank) decides, so that no counter jumps.

use std::time::Duration;

use weir_config::Profile;

use super::groups::Others;
use super::ledger::{Book, Ledger, Tier};
use super::rank::{BURNING, Entry, Limits, ROUND_EVERY, Reason, SERIES_EXPECTED, decayed, round};
use crate::encode::resident::Residents;
use crate::snapshot::ModelSnapshot;
use crate::totals::Totals;

impl Ledger {
    /// A model that just came is exported at once while all fit; later the next round decides.
    pub(super) fn place(&mut self, book: &mut Book) {
        let now = self.now;
        if book.model.is_reserved() {
            book.tier = exported(now, Reason::Fits, None);
            return;
        }
        let expected = (u64::from(self.exported) + 1) * u64::from(SERIES_EXPECTED);
        if self.tail == 0 && expected.max(self.books.series) <= self.series_for_models().into() {
            self.exported += 1;
            book.tier = exported(now, book.pinned.unwrap_or(Reason::Fits), None);
        } else {
            self.tail += 1;
        }
    }

    /// Holds a round, if the last is old enough; says whether it was.
    pub(super) fn rank(&mut self, now: Duration, residents: &Residents) -> bool {
        let Some(elapsed) = now.checked_sub(*self.ranked_at.get_or_insert(now)) else { return false };
        if elapsed < ROUND_EVERY {
            return false;
        }
        self.ranked_at = Some(now);
        let profiles = self.settings.profiles.as_slice();
        let models = self.books.values_mut().filter(|book| !book.model.is_reserved());
        let mut entries: Vec<_> =
            models.map(|book| book.entry((now, elapsed), profiles, residents)).collect();
        let limits = Limits { top_models: self.settings.top_models, series: self.series_for_models() };
        let all_fit = round(now, &mut entries, limits);
        for entry in &entries {
            let Some(book) = self.books.get_mut(entry.slot) else { continue };
            let reason = match (book.pinned, all_fit, entry.burns) {
                (Some(pinned), _, _) => pinned,
                (None, true, _) => Reason::Fits,
                (None, false, true) => Reason::Burning,
                (None, false, false) => Reason::Rank,
            };
            book.apply(entry, reason, &mut self.others);
            self.books.note(entry.slot);
        }
        let exported = entries.iter().filter(|entry| entry.since.is_some()).count();
        self.exported = u32::try_from(exported).unwrap_or(u32::MAX);
        self.tail = u32::try_from(entries.len() - exported).unwrap_or(u32::MAX);
        true
    }
}

impl Book {
    /// The model as the ranking sees it; its score is brought up to date.
    fn entry(
        &mut self,
        (now, elapsed): (Duration, Duration),
        profiles: &[Profile],
        residents: &Residents,
    ) -> Entry {
        let began = self.totals.started.wrapping_sub(self.scored);
        self.scored = self.totals.started;
        self.score = decayed(self.score, began, elapsed);
        let (since, below) = match self.tier {
            Tier::Exported { since, below, .. } => (Some(since), below),
            Tier::Tail { .. } => (None, 0),
        };
        let series = self.series_if_exported(profiles).max(SERIES_EXPECTED * u32::from(since.is_none()));
        let series = series + self.series_told(residents);
        let burns = self.burns || self.windows.is_failing(now);
        let score = self.score * if burns { BURNING } else { 1.0 };
        Entry { slot: self.model.slot, score, pinned: self.pinned.is_some(), burns, series, since, below }
    }

    /// Takes over what the round decided.
    fn apply(&mut self, entry: &Entry, why: Reason, others: &mut Others) {
        match (&mut self.tier, entry.since) {
            (Tier::Exported { below, reason, .. }, Some(_)) => (*below, *reason) = (entry.below, why),
            (Tier::Tail { shown }, Some(since)) => {
                // All that was not shown stays hidden for good; what is in flight will end under the model's name.
                others.withdrawn -= shown.as_ref().map_or(0, |shown| shown.settled());
                let mut hidden =
                    shown.take().map_or_else(|| self.totals.clone(), |shown| self.totals.since(&shown));
                let open = hidden.take_in_flight();
                let other = others.of(self);
                other.started = other.started.wrapping_sub(open);
                let any = hidden.settled() > 0 || hidden.loads + hidden.load_failures + hidden.evictions > 0;
                self.tier = exported(since, why, any.then(|| Box::new(hidden)));
            }
            (Tier::Exported { .. }, None) => self.leave(others),
            (Tier::Tail { .. }, None) => (),
        }
    }

    /// From now on part of `__other__`, with what is in flight.
    pub(super) fn leave(&mut self, others: &mut Others) {
        let Tier::Exported { hidden, .. } = &mut self.tier else { return };
        let mut shown =
            hidden.take().map_or_else(|| self.totals.clone(), |hidden| self.totals.since(&hidden));
        let open = shown.take_in_flight();
        others.withdrawn += shown.settled();
        self.tier = Tier::Tail { shown: Some(Box::new(shown)) };
        let other = others.of(self);
        other.started = other.started.wrapping_add(open);
    }

    /// What is exported under the model's name; `None` if nothing is.
    pub(crate) fn shown(&self) -> Option<ModelSnapshot> {
        let Tier::Exported { hidden, reason, .. } = &self.tier else { return None };
        let mut model = ModelSnapshot::new(self);
        if let Some(hidden) = hidden {
            model.totals = self.totals.since(hidden);
        }
        model.reason = Some(*reason).filter(|_| !model.reserved);
        Some(model)
    }
}

const fn exported(since: Duration, reason: Reason, hidden: Option<Box<Totals>>) -> Tier {
    Tier::Exported { since, below: 0, reason, hidden }
}
