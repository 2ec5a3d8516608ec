//! All books, by slot, and which of them are to be looked at: what is done every second or with every scrape is done for
//! those alone, so that tens of thousands of models at rest cost nothing.

use weir_config::Profile;

use super::bits::Bits;
use super::ledger::{Book, Lent, Tier};
use crate::encode::{series_of, slo};

/// The books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    all: Vec<Option<Box<Book>>>,
    /// In each fold: something happened, is in flight, or the model has lanes of its own. Reserved names always.
    pub(crate) awake: Bits,
    /// Folded since rates were last judged.
    pub(crate) folded: Bits,
    /// Exported under their own name, reserved ones too.
    pub(crate) exported: Bits,
    /// With distributions of the last minutes.
    pub(crate) tracked: Bits,
    /// With promises.
    pub(crate) promised: Bits,
    /// Series of those that are exported, without reserved names and without what servers tell of models.
    pub(crate) series: u64,
    /// Names under which they are exported once more.
    profiles: Vec<Profile>,
}

impl Books {
    pub(crate) fn get(&self, slot: u32) -> Option<&Book> {
        self.all.get(slot as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Book> {
        self.all.get_mut(slot as usize)?.as_deref_mut()
    }

    pub(crate) fn insert(&mut self, book: Box<Book>) {
        let slot = book.model.slot;
        let at = slot as usize;
        if self.all.len() <= at {
            self.all.resize_with(at + 1, || None);
        }
        self.awake.insert(slot);
        if let Some(place) = self.all.get_mut(at) {
            *place = Some(book);
        }
        self.note(slot);
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Box<Book>> {
        let book = self.all.get_mut(slot as usize)?.take()?;
        self.series -= u64::from(book.series);
        let Self { awake, folded, exported, tracked, promised, .. } = self;
        [awake, folded, exported, tracked, promised].into_iter().for_each(|of| of.remove(slot));
        Some(book)
    }

    /// By slot.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Book> {
        self.all.iter().flatten().map(Box::as_ref)
    }

    /// By slot. Whoever changes what [`Books::note`] looks at calls that.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Book> {
        self.all.iter_mut().flatten().map(Box::as_mut)
    }

    /// Those of a set.
    pub(crate) fn of(&self, which: fn(&Self) -> &Bits) -> impl Iterator<Item = &Book> {
        which(self).iter().filter_map(|slot| self.get(slot))
    }

    /// Does the same to each of a set.
    pub(crate) fn each_of(&mut self, which: fn(&Self) -> &Bits, mut change: impl FnMut(&mut Book)) {
        for at in 0..which(self).words() {
            for slot in which(self).of_word(at) {
                self.get_mut(slot).into_iter().for_each(&mut change);
            }
        }
    }

    /// Does the same to each, whatever it changes.
    pub(crate) fn change_all(&mut self, change: impl FnMut(&mut Book)) {
        self.all.iter_mut().flatten().map(Box::as_mut).for_each(change);
        (0..u32::try_from(self.all.len()).unwrap_or(u32::MAX)).for_each(|slot| self.note(slot));
    }

    /// Under which names all are exported once more, from now on.
    pub(crate) fn profile(&mut self, profiles: &[Profile]) {
        if self.profiles != profiles {
            self.profiles = profiles.to_vec();
            self.change_all(|_| ());
        }
    }

    /// A book has changed: in which sets it is now, and how many series it has.
    pub(crate) fn note(&mut self, slot: u32) {
        let Some(book) = self.all.get_mut(slot as usize).and_then(Option::as_deref_mut) else { return };
        let is_exported = matches!(book.tier, Tier::Exported { .. });
        let is_counted = is_exported && !book.model.is_reserved();
        let series = if is_counted { book.series_if_exported(&self.profiles) } else { 0 };
        self.series = self.series + u64::from(series) - u64::from(book.series);
        book.series = series;
        self.exported.set(slot, is_exported);
        self.tracked.set(slot, book.windows.is_tracked());
        self.promised.set(slot, book.slo.is_some());
        if !book.is_asleep() {
            self.awake.insert(slot);
        }
    }
}

impl Book {
    /// How many series it has or would have, without what servers tell of the model.
    pub(super) fn series_if_exported(&self, profiles: &[Profile]) -> u32 {
        let promises = self.slo.iter().flat_map(|record| &record.promises);
        let promised: u32 = promises.map(|promise| slo::series_of(promise.rule.target)).sum();
        // One more says why it is exported.
        series_of(&self.totals, profiles) + promised + 1
    }

    /// Nothing can happen to it that would not wake it.
    pub(super) fn is_asleep(&self) -> bool {
        self.lent == Lent::No && !self.model.is_reserved() && self.is_at_rest()
    }
}

#[cfg(test)]
impl Books {
    /// Every set is what the books say.
    pub(crate) fn check(&self) {
        let set = |is_in: fn(&Book) -> bool| {
            let mut bits = Bits::default();
            self.values().filter(|book| is_in(book)).for_each(|book| bits.insert(book.model.slot));
            bits.iter().collect::<Vec<_>>()
        };
        let of = |bits: &Bits| bits.iter().collect::<Vec<_>>();
        let series = |book: &Book| u64::from(book.series_if_exported(&self.profiles));
        let counted = self.values().filter(|book| !book.model.is_reserved());
        let counted = counted.filter(|book| matches!(book.tier, Tier::Exported { .. }));
        assert_eq!(self.series, counted.map(series).sum::<u64>());
        assert_eq!(of(&self.exported), set(|book| matches!(book.tier, Tier::Exported { .. })));
        assert_eq!(of(&self.tracked), set(|book| book.windows.is_tracked()));
        assert_eq!(of(&self.promised), set(|book| book.slo.is_some()));
        let mut awake = self.awake.clone();
        set(|book| !book.is_asleep()).into_iter().for_each(|slot| awake.insert(slot));
        assert_eq!(of(&awake), of(&self.awake), "one is asleep that must not be");
    }
}
