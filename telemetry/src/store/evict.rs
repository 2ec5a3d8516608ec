//! Takes slots back from models that have been idle for long, so that names of the past do not fill the table.
//!
//! A recorder may still look the name up in an old map, or hold a reference: the slot's generation is raised, and what
//! comes under the old one is counted as `__other__`. A recorder may even be in the middle of a call: the slot waits
//! until every recorder was outside of one, and what was written meanwhile is folded like everything else.
//! Configured and pinned models stay. A model that comes back gets a slot as a new one does, and counts from 0.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ledger::{Book, Ledger, Tier};
use super::model::Slots;
use super::table::Table;
use super::{ModelRef, Reserved};

/// A model that has left the table.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) book: Box<Book>,
    epoch: u64,
    /// All recorders have passed that epoch; one more fold and nothing is left in the slot.
    is_drained: bool,
}

impl Ledger {
    /// Takes out of the table who has been idle for long.
    pub(super) fn evict(&mut self, table: &Table, slots: &Slots, epoch: &AtomicU64) {
        let idle = self.settings.idle_after;
        let is_permanent = |book: &Book| {
            book.pinned.is_some() || self.permanent.contains(&(book.model.backend, Arc::clone(&book.key)))
        };
        let is_due =
            |book: &Book| book.is_asleep() && self.now >= book.active_at + idle && !is_permanent(book);
        let due: Vec<_> = self.books.values().filter(|book| is_due(book)).map(|book| book.model).collect();
        if due.is_empty() {
            return;
        }
        let mut books: Vec<_> = due.iter().filter_map(|model| self.books.remove(model.slot)).collect();
        table.remove(books.iter().map(|book| (book.model.backend, &*book.key)));
        for model in due {
            if let Some(slot) = slots.get(model.slot) {
                slot.generation.store(model.generation.wrapping_add(1), Ordering::Release);
            }
        }
        let epoch = epoch.fetch_add(1, Ordering::AcqRel) + 1;
        books.iter_mut().for_each(|book| self.withdraw(book));
        self.leaving.extend(books.into_iter().map(|book| Leaving { book, epoch, is_drained: false }));
    }

    /// Gives slots free, if a fold was held since every recorder passed: hold it just before.
    pub(super) fn release(&mut self, table: &Table, slots: &Slots, passed: impl Fn(u64) -> bool) {
        for leaving in std::mem::take(&mut self.leaving) {
            if leaving.is_drained {
                self.free(&leaving.book, table, slots);
            } else {
                let is_drained = passed(leaving.epoch);
                self.leaving.push(Leaving { is_drained, ..leaving });
            }
        }
    }

    /// Its series ends, and what still comes in is `__other__`.
    fn withdraw(&mut self, book: &mut Book) {
        let is_exported = matches!(book.tier, Tier::Exported { .. });
        let place = if is_exported { &mut self.exported } else { &mut self.tail };
        *place = place.saturating_sub(1);
        book.leave(&mut self.others);
        if book.windows.is_tracked() {
            book.windows.track(false);
            self.tracked = self.tracked.saturating_sub(1);
        }
    }

    fn free(&mut self, book: &Book, table: &Table, slots: &Slots) {
        let ModelRef { slot, generation, backend } = book.model;
        // Who began here just before the generation was raised ends in the slot of `__other__`.
        let open = book.totals.started.wrapping_sub(book.totals.settled());
        let other = self.others.of(book);
        other.started = other.started.wrapping_sub(open);
        if let Some(other) = self.books.get_mut(ModelRef::reserved(backend, Reserved::Other).slot) {
            other.totals.started = other.totals.started.wrapping_add(open);
        }
        if let Some(slot) = slots.get(slot) {
            slot.forget();
        }
        table.free(slot, generation.wrapping_add(1));
    }
}
