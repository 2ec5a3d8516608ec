//! Of which models the last minutes are kept as distributions: at most `tracked_models_max`, those that are exported before
//! those that are not. Whoever comes first gets a place when its first request is folded; once a second, models that were
//! idle for all that is kept give theirs back, and exported ones take those of the tail if there is no other.

use std::time::Duration;

use super::ledger::Ledger;

impl Ledger {
    /// Gives the places to whom they belong.
    pub(super) fn track(&mut self, now: Duration) {
        for slot in self.books.tracked.clone().iter() {
            if self.is_idle(slot, now) {
                self.give_place(slot, false);
            }
        }
        let max = self.settings.tracked_models_max;
        let tail = self.books.tracked.without(&self.books.exported);
        let exported = self.books.tracked.without(&tail);
        // A new configuration may have fewer places.
        let surplus = self.tracked.saturating_sub(max) as usize;
        tail.iter().chain(exported.iter()).take(surplus).for_each(|slot| self.give_place(slot, false));
        let mut tail = tail.iter().skip(surplus);
        for slot in self.books.exported.without(&self.books.tracked).iter() {
            if self.is_idle(slot, now) {
                continue;
            }
            if self.tracked >= max {
                let Some(other) = tail.next() else { return };
                self.give_place(other, false);
            }
            self.give_place(slot, true);
        }
    }

    fn is_idle(&self, slot: u32, now: Duration) -> bool {
        self.books.get(slot).is_none_or(|book| book.windows.is_idle(now))
    }

    fn give_place(&mut self, slot: u32, is_tracked: bool) {
        let Some(book) = self.books.get_mut(slot) else { return };
        book.windows.track(is_tracked);
        self.books.note(slot);
        self.tracked = self.books.tracked.len();
    }
}
