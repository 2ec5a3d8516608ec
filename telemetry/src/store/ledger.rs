//! The books: what all lanes counted, folded into 64-bit and wider totals, one book for each model.
//!
//! Everything here runs on the control plane under one lock, and no request waits for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::bits::Wakes;
use super::books::Books;
use super::evict::Leaving;
use super::export::labels;
use super::fold::{Kept, differ, drain, is_quiet};
use super::groups::{GroupId, Groups, Others};
use super::model::{Slot, Slots};
use super::rank::Reason;
use super::sharding::Sets;
use super::table::parts;
use super::{BackendId, ModelRef, Reserved};
use crate::numbers::Spec;
use crate::settings::Settings;
use crate::slo::record::{self, Record};
use crate::slo::watch::Watch;
use crate::totals::{Delta, Totals};
use crate::windows::Windows;

/// What is known of one model.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) model: ModelRef,
    pub(crate) backend: Arc<str>,
    pub(crate) name: Arc<str>,
    /// The version, where versions are counted apart.
    pub(crate) version: Option<Arc<str>>,
    /// What the table knows it by.
    pub(crate) key: Arc<str>,
    /// `backend="…",model="…"`, escaped once for all scrapes to come.
    pub(crate) labels: Arc<str>,
    pub(crate) totals: Totals,
    pub(crate) windows: Windows,
    /// What it promised.
    pub(crate) slo: Option<Box<Record>>,
    pub(crate) lent: Lent,
    pub(crate) tier: Tier,
    /// When something last happened to it.
    pub(crate) active_at: Duration,
    /// Decayed requests per second, and `totals.started` when it was last computed.
    pub(crate) score: f64,
    pub(crate) scored: u64,
    /// Why it is exported whatever its traffic, if it is; [`Reason::Pinned`] or [`Reason::Objective`].
    pub(crate) pinned: Option<Reason>,
    /// Whether a service level objective is broken or burns; `slo` sets it.
    pub(crate) burns: bool,
    /// Series that it is counted for ([`Books::note`]).
    pub(crate) series: u32,
    /// Whether it was in a snapshot.
    pub(crate) told: AtomicBool,
    /// The group that it belongs to.
    pub(crate) group: GroupId,
    /// `totals.started` when the model's rate was last judged.
    pub(crate) judged: u64,
}

/// Under whose name a model is exported.
///
/// `shown + hidden = totals` always: a series that comes back goes on where it ended, and what happened meanwhile
/// stays with `__other__`, so that neither jumps.
#[derive(Clone, Debug)]
pub(crate) enum Tier {
    /// Its own, since `since`. `hidden` was counted as `__other__` before.
    Exported { since: Duration, below: u8, reason: Reason, hidden: Option<Box<Totals>> },
    /// `__other__`. `shown` was exported under its own name before.
    Tail { shown: Option<Box<Totals>> },
}

/// Whether a model has a set of per-worker lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lent {
    #[default]
    No,
    /// The workers write set `set`; the model has been cool for so many judgements in a row.
    Yes { set: u32, cool: u8 },
    /// Taken back at `epoch`; a worker could still be in the middle of a write.
    Returning { set: u32, epoch: u64 },
    /// All workers have passed; one more fold and nothing is left in it.
    Drained { set: u32 },
}

impl Lent {
    pub(crate) const fn set(self) -> Option<u32> {
        match self {
            Self::No => None,
            Self::Yes { set, .. } | Self::Returning { set, .. } | Self::Drained { set } => Some(set),
        }
    }
}

/// All that is known of all models.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Names of the backends, by number.
    pub(crate) backends: Vec<Arc<str>>,
    pub(crate) books: Books,
    /// For each set and worker what was read last.
    pub(crate) kept: Vec<Vec<Kept>>,
    pub(crate) sets_free: Vec<u32>,
    pub(crate) others: Others,
    pub(crate) groups: Groups,
    /// Models to be exported whatever their traffic, with a bit for each [`Pin`](super::Pin).
    pub(crate) pins: HashMap<(BackendId, Arc<str>), u8>,
    /// Models that keep their slot however long they are idle.
    pub(crate) permanent: HashSet<(BackendId, Arc<str>)>,
    pub(crate) leaving: Vec<Leaving>,
    pub(crate) settings: Settings,
    /// Models exported under their own name, and those in the tail.
    pub(crate) exported: u32,
    pub(crate) tail: u32,
    pub(crate) ranked_at: Option<Duration>,
    /// The latest time that was told.
    pub(crate) now: Duration,
    /// Models whose windows have distributions.
    pub(crate) tracked: u32,
    /// When rates were last judged.
    pub(crate) judged_at: Option<Duration>,
    /// What values are called and how they are kept, by backend.
    pub(crate) values: Vec<Vec<Spec>>,
    /// Alerts on their way.
    pub(crate) watch: Watch,
    delta: Delta,
}

impl Ledger {
    pub(crate) fn new(sets: &Sets, settings: Settings) -> Self {
        let mut ledger = Self { sets_free: (0..sets.len()).rev().collect(), ..Self::default() };
        ledger.retune(settings);
        ledger
    }

    /// Opens a book for a model that has a slot now.
    pub(crate) fn open(&mut self, model: ModelRef, key: &Arc<str>) {
        let backend = self.backend_name(model.backend);
        let (name, version) = match parts(key) {
            (_, None) => (Arc::clone(key), None),
            (name, Some(version)) => (name.into(), Some(version.into())),
        };
        let name = &name;
        let mut book = Book {
            model,
            backend,
            name: Arc::clone(name),
            version,
            key: Arc::clone(key),
            labels: "".into(),
            totals: Totals::default(),
            windows: Windows::default(),
            slo: None,
            lent: Lent::No,
            tier: Tier::Tail { shown: None },
            active_at: self.now,
            score: 0.0,
            scored: 0,
            pinned: self.pinned(model.backend, name),
            burns: false,
            series: 0,
            told: AtomicBool::new(false),
            group: if model.is_reserved() { 0 } else { self.groups.of(model.backend, name) },
            judged: 0,
        };
        book.labels = labels(&book, self.groups.label(book.group));
        self.place(&mut book);
        self.books.insert(Box::new(book));
    }

    /// Adds to every book what was counted since the last fold. Visits those alone that something can have happened to.
    pub(crate) fn fold(&mut self, slots: &Slots, sets: &Sets, wakes: &Wakes) {
        wakes.take(&mut self.books.awake);
        let (mut fold, books, leaving) = self.parts(sets);
        for at in 0..books.awake.words() {
            for slot in books.awake.of_word(at) {
                fold.visit(slot, books, slots);
            }
        }
        leaving.iter_mut().for_each(|leaving| fold.one(&mut leaving.book, slots));
    }

    /// The same for one book alone.
    pub(crate) fn fold_one(&mut self, model: ModelRef, slots: &Slots, sets: &Sets) {
        let (mut fold, books, _) = self.parts(sets);
        fold.visit(model.slot, books, slots);
    }

    fn parts<'l>(&'l mut self, sets: &'l Sets) -> (Fold<'l>, &'l mut Books, &'l mut [Leaving]) {
        let Self { books, kept, delta, now, tracked, others, leaving, values, settings, .. } = self;
        let tracked_max = settings.tracked_models_max;
        (Fold { sets, kept, delta, now: *now, tracked, tracked_max, others, values }, books, leaving)
    }

    /// What the tail did, if the book is its backend's `__other__`.
    pub(crate) fn tail_of(&self, book: &Book) -> Option<&Totals> {
        let is_other = book.model == ModelRef::reserved(book.model.backend, Reserved::Other);
        self.others.of_none(book.model.backend).filter(|_| is_other)
    }

    fn backend_name(&self, backend: BackendId) -> Arc<str> {
        self.backends.get(usize::from(backend.0)).cloned().unwrap_or_else(|| "".into())
    }
}

impl Book {
    /// Nothing began since, nothing is in flight that could have ended: the other counters cannot have moved.
    fn can_be_skipped(&self, slot: &Slot) -> bool {
        self.lent == Lent::No && self.is_at_rest() && is_quiet(&slot.base, &slot.rare)
    }

    /// Nothing is in flight.
    pub(super) fn is_at_rest(&self) -> bool {
        self.totals.started == self.totals.settled()
    }

    pub(crate) fn lend(&mut self, slot: &Slot, set: u32) {
        self.lent = Lent::Yes { set, cool: 0 };
        slot.set.lend(set);
    }
}

/// All that a fold needs besides the book.
struct Fold<'l> {
    sets: &'l Sets,
    kept: &'l mut Vec<Vec<Kept>>,
    delta: &'l mut Delta,
    now: Duration,
    tracked: &'l mut u32,
    tracked_max: u32,
    others: &'l mut Others,
    values: &'l [Vec<Spec>],
}

impl Fold<'_> {
    /// Folds the book of that slot, if it has one, and lets it sleep if it may.
    fn visit(&mut self, slot: u32, books: &mut Books, slots: &Slots) {
        if let Some(book) = books.get_mut(slot) {
            self.one(book, slots);
            books.folded.insert(slot);
        }
        books.awake.remove(slot);
        books.note(slot);
    }

    fn one(&mut self, book: &mut Book, slots: &Slots) {
        let Some(slot) = slots.get(book.model.slot) else { return };
        let is_tail = matches!(book.tier, Tier::Tail { .. });
        if let Some(places) = slot.exemplars.get().filter(|_| is_tail) {
            self.others.trace(book, &places.get());
        }
        if book.can_be_skipped(slot) {
            return;
        }
        book.active_at = self.now;
        self.delta.clear();
        let overs = slot.marks.get().map(|marks| record::take(marks));
        drain(&slot.base, &slot.rare, self.delta);
        if let Some(set) = book.lent.set() {
            fold_set(set, self.sets, self.kept, self.delta);
        }
        self.delta.count_successes();
        // Of one that is leaving nothing is asked any more.
        let is_here = slot.generation.load(Ordering::Relaxed) == book.model.generation;
        if is_here && !book.windows.is_tracked() && *self.tracked < self.tracked_max {
            *self.tracked += 1;
            book.windows.track(true);
        }
        let specs = self.values.get(usize::from(book.model.backend.0)).map_or(&[][..], Vec::as_slice);
        book.totals.add(self.delta, specs);
        book.totals.take_last(self.delta);
        if is_tail {
            self.others.of(book).add(self.delta, specs);
        }
        book.windows.add(self.now, self.delta);
        if let Some(slo) = &mut book.slo {
            slo.add(self.now, &overs.unwrap_or_default(), self.delta);
        }
    }
}

fn fold_set(set: u32, sets: &Sets, kept: &mut Vec<Vec<Kept>>, delta: &mut Delta) {
    if kept.len() <= set as usize {
        kept.resize_with(set as usize + 1, Vec::new);
    }
    let Some(kept) = kept.get_mut(set as usize) else { return };
    for (worker, lane) in sets.lanes(set).enumerate() {
        if kept.len() <= worker {
            kept.push(Kept::default());
        }
        if let Some(kept) = kept.get_mut(worker) {
            differ(lane, kept, delta);
        }
    }
}
