//! What is read from the store: all of it for a scrape, one model, the tail. Everything up to now is folded for the
//! purpose, under the books' lock; what is given out owns itself.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use super::exemplar::{EXEMPLARS, take_later};
use super::export::labels;
use super::ledger::{Book, Ledger, Tier};
use super::{BackendId, ModelRef, Reserved, Store, lock, model};
use crate::encode::gpu::Gpu;
use crate::encode::resident::Residents;
use crate::encode::tail::Tail;
use crate::snapshot::{ModelSnapshot, Snapshot};
use crate::totals::Totals;

impl Store {
    /// What servers tell of models when they are asked, all of it; what was set before is forgotten.
    pub fn set_residents(&self, residents: Residents) {
        self.residents.store(Arc::new(residents));
    }

    /// What servers tell of their GPUs, all of it; what was set before is forgotten.
    pub fn set_gpus(&self, gpus: Vec<Gpu>) {
        self.gpus.store(Arc::new(gpus));
    }

    /// Everything up to now, folded for the purpose: what a scrape needs.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.take(|_, _| ())
    }

    /// The same, with each model's last minutes.
    #[must_use]
    pub fn snapshot_with_recent(&self) -> Snapshot {
        self.take(|book, (model, now)| model.recent = Some(book.windows.recent(now)))
    }

    /// The models that are not exported under their own name, at most the `models_max` busiest.
    #[must_use]
    pub fn tail(&self, models_max: usize) -> Tail {
        let ledger = self.folded();
        let books = ledger.books.values().filter(|book| matches!(book.tier, Tier::Tail { .. }));
        Tail::of(books, models_max)
    }

    /// One model, exported or not, reserved or not, with its last minutes.
    #[must_use]
    pub fn model(&self, backend: &str, name: &str) -> Option<ModelSnapshot> {
        let mut ledger = self.ledger();
        self.publish(&mut ledger);
        let id = ledger.backends.iter().position(|known| **known == *backend)?;
        let id = BackendId(u16::try_from(id).ok()?);
        let reserved = Reserved::ALL.into_iter().find(|reserved| reserved.as_str() == name);
        let model =
            reserved.map(|which| ModelRef::reserved(id, which)).or_else(|| self.table.find(id, name))?;
        ledger.fold_one(model, &self.slots, &self.sets);
        let now = ledger.now;
        let book = ledger.books.get(model.slot)?;
        let mut model = ModelSnapshot::new(book);
        model.reason = book.shown().and_then(|shown| shown.reason);
        model.tier = ledger.groups.label(book.group);
        model.recent = Some(book.windows.recent(now));
        model.resident = self.residents.load().get(&book.backend).and_then(|of| of.get(&book.name)).copied();
        Some(model)
    }

    fn take(&self, more: impl Fn(&Book, (&mut ModelSnapshot, Duration))) -> Snapshot {
        let ledger = self.folded();
        let residents = self.residents.load();
        let mut models = Vec::with_capacity(ledger.exported as usize + Reserved::ALL.len());
        for book in ledger.books.of(|books| &books.exported) {
            let Some(mut model) = book.shown() else { continue };
            if !ledger.is_told(book) {
                continue;
            }
            if let Some(tail) = ledger.tail_of(book) {
                model.totals.merge(tail);
            }
            model.tier = ledger.groups.label(book.group);
            let resident = || residents.get(&book.backend)?.get(&book.name).copied();
            model.resident = if book.version.is_none() { resident() } else { None };
            model.promised = book.promised(ledger.now);
            model.exemplars =
                self.slots.get(book.model.slot).map_or([None; EXEMPLARS], model::Slot::exemplars);
            book.told.store(true, Relaxed);
            more(book, (&mut model, ledger.now));
            models.push(model);
        }
        models.extend(ledger.grouped_others());
        ledger.trace_others(&mut models);
        Snapshot {
            profiles: ledger.settings.profiles.clone(),
            gpus: self.gpus.load_full(),
            models_known: self.table.len() as u64,
            models_exported: ledger.exported.into(),
            names_overflowed: self.table.overflowed(),
            workers: lock(&self.presences).settled(),
            withdrawn: ledger.others.withdrawn,
            models,
        }
    }

    pub(super) fn folded(&self) -> MutexGuard<'_, Ledger> {
        let mut ledger = self.ledger();
        self.publish(&mut ledger);
        ledger.fold(&self.slots, &self.sets, &self.wakes);
        ledger.hold_budget(&self.residents.load());
        ledger
    }
}

impl Ledger {
    /// Whether a model that is exported is in the next snapshot: a reserved name is from its first request on. What was told
    /// once is told for good: a series that comes and goes would hide what happened between.
    pub(super) fn is_told(&self, book: &Book) -> bool {
        let has_any = |of: &Totals| of.settled() > 0 || of.in_flight() > 0;
        !book.model.is_reserved()
            || book.told.load(Relaxed)
            || has_any(&book.totals)
            || self.tail_of(book).is_some_and(has_any)
    }

    /// Gives `__other__` the exemplars of the models that are summed up as it.
    fn trace_others(&self, models: &mut [ModelSnapshot]) {
        for ((backend, group), exemplars) in &self.others.traced {
            let Some(name) = self.backends.get(usize::from(backend.0)) else { continue };
            let tier = self.groups.label(*group);
            let is_theirs = |model: &&mut ModelSnapshot| {
                model.reserved
                    && *model.model == *Reserved::Other.as_str()
                    && model.backend == *name
                    && model.tier == tier
            };
            if let Some(other) = models.iter_mut().find(is_theirs) {
                take_later(&mut other.exemplars, exemplars);
            }
        }
    }

    /// `__other__` of each group.
    fn grouped_others(&self) -> impl Iterator<Item = ModelSnapshot> {
        self.others.grouped().filter_map(|(backend, group, totals)| {
            let other = self.books.get(ModelRef::reserved(backend, Reserved::Other).slot)?;
            let mut model = ModelSnapshot::new(other);
            model.totals = totals.clone();
            model.tier = self.groups.label(group);
            model.labels = labels(other, model.tier.clone());
            Some(model)
        })
    }
}
