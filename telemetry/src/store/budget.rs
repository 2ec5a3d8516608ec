//! Keeps what is exported within the series budget at every moment: rounds are held once a minute, but a model gets new
//! series whenever something happens to it for the first time. Whatever is too much leaves at once, the least busy first.
//!
//! Everything counts that has a model: what was counted of it, its promises, what its server tells of it, the profiles'
//! names, and the reserved names. These cannot leave, so what they take is taken from the models.

use super::bits::Bits;
use super::ledger::{Book, Ledger};
use super::{ModelRef, Reserved};
use crate::encode::resident::Residents;
use crate::encode::series_of;

impl Ledger {
    /// Lets models leave until the rest fits.
    pub(super) fn hold_budget(&mut self, residents: &Residents) {
        let room = u64::from(self.series_for_models());
        let mut taken = self.books.series + self.series_told(residents);
        if taken <= room {
            return;
        }
        let exported = self.books.of(|books| &books.exported).filter(|book| !book.model.is_reserved());
        let mut exported: Vec<_> =
            exported.map(|book| (book.pinned.is_some(), book.score, book.model.slot)).collect();
        exported.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(b.2.cmp(&a.2)));
        for (.., slot) in exported {
            if taken <= room {
                return;
            }
            let Some(book) = self.books.get_mut(slot) else { continue };
            taken -= u64::from(book.series + book.series_told(residents));
            book.leave(&mut self.others);
            (self.exported, self.tail) = (self.exported.saturating_sub(1), self.tail + 1);
            self.books.note(slot);
        }
    }

    /// What reserved names leave of the budget.
    pub(super) fn series_for_models(&self) -> u32 {
        let profiles = &self.settings.profiles;
        let reserved = self.backends.iter().enumerate().flat_map(|(at, _)| {
            let backend = super::BackendId(u16::try_from(at).unwrap_or(u16::MAX));
            Reserved::ALL.map(|which| ModelRef::reserved(backend, which).slot)
        });
        let books = reserved.filter_map(|slot| self.books.get(slot)).filter(|book| self.is_told(book));
        let plain: u32 = books
            .map(|book| match self.tail_of(book) {
                Some(tail) => {
                    let mut all = book.totals.clone();
                    all.merge(tail);
                    series_of(&all, profiles)
                }
                None => series_of(&book.totals, profiles),
            })
            .sum();
        let grouped: u32 = self.others.grouped().map(|(.., totals)| series_of(totals, profiles)).sum();
        self.settings.series_budget.saturating_sub(plain + grouped)
    }

    /// Series of what servers tell of the models that are exported.
    fn series_told(&self, residents: &Residents) -> u64 {
        if residents.is_empty() {
            return 0;
        }
        let exported: &Bits = &self.books.exported;
        let books = exported.iter().filter_map(|slot| self.books.get(slot));
        books.map(|book| u64::from(book.series_told(residents))).sum()
    }
}

impl Book {
    /// Series of what servers tell of it.
    pub(super) fn series_told(&self, residents: &Residents) -> u32 {
        let told = residents.get(&self.backend).and_then(|of| of.get(&self.name));
        told.map_or(0, |resident| resident.series())
    }
}
