//! Where the models' counters live: slots in chunks that are made when first needed and never moved or freed, so a
//! number finds them with two loads and no lock. A slot outlives its model; the generation tells the tenants apart.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::exemplar::{EXEMPLARS, Exemplars, Places};
use super::lane::Lane;
use super::{BACKENDS_MAX, BackendId, ModelRef, Reserved};
use crate::observation::Lifecycles;
use crate::slo::marks::Marks;

/// Slots of one chunk.
const CHUNK: usize = 256;

/// The first slots belong to the reserved names of each backend; models follow.
pub(crate) const MODELS_FROM: u32 = BACKENDS_MAX as u32 * Reserved::ALL.len() as u32;

/// One model's counters. In this very order: all that stands behind the lane is on one cache line.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    pub(crate) base: Lane,
    pub(crate) set: LentSet,
    /// Which tenant the slot has; a [`ModelRef`] of another generation is stale.
    pub(crate) generation: AtomicU16,
    /// Limits of its promises; made with the first.
    pub(crate) marks: OnceLock<Box<Marks>>,
    /// Made with the first traced request.
    pub(crate) exemplars: OnceLock<Box<Places>>,
    pub(crate) rare: Rare,
}

impl Slot {
    pub(crate) fn exemplars(&self) -> Exemplars {
        self.exemplars.get().map_or([None; EXEMPLARS], |places| places.get())
    }

    /// Drops what is not a counter, when the model has left; the counters were folded away.
    pub(crate) fn forget(&self) {
        self.rare.load_last.store(0, Relaxed);
        self.rare.evicted_age.store(0, Relaxed);
        self.marks.get().into_iter().for_each(|marks| marks.clear());
        self.exemplars.get().into_iter().for_each(|places| places.clear());
    }
}

/// The model's set of per-worker lanes, if it has one.
#[derive(Debug)]
pub(crate) struct LentSet(AtomicU32);

impl LentSet {
    /// Beyond all sets, so that a look-up of the lane is the only test.
    const NONE: u32 = u32::MAX;

    /// Its number, or one beyond all.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.0.load(Relaxed)
    }

    pub(crate) fn lend(&self, set: u32) {
        self.0.store(set, Release);
    }

    pub(crate) fn take_back(&self) {
        self.0.store(Self::NONE, Relaxed);
    }
}

impl Default for LentSet {
    fn default() -> Self {
        Self(AtomicU32::new(Self::NONE))
    }
}

/// Counters of what happens to a model rarely, so that sharing them costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) loads: AtomicU32,
    pub(crate) timed_loads: AtomicU32,
    pub(crate) load_failures: AtomicU32,
    pub(crate) evictions: AtomicU32,
    pub(crate) reloads: AtomicU32,
    pub(crate) load_sum: AtomicU64,
    /// A value, not a sum: nanoseconds of the last load.
    pub(crate) load_last: AtomicU64,
    /// A value, not a sum: nanoseconds that it had been loaded when it was put out last.
    pub(crate) evicted_age: AtomicU64,
}

impl Rare {
    pub(crate) fn happened(&self, events: &Lifecycles) {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.load_sum.fetch_add(ns(events.load_time), Relaxed);
        events.last_load.into_iter().for_each(|took| self.load_last.store(ns(took), Relaxed));
        events.evicted_age.into_iter().for_each(|age| self.evicted_age.store(ns(age), Relaxed));
        self.timed_loads.fetch_add(events.timed_loads, Relaxed);
        self.loads.fetch_add(events.loads, Relaxed);
        self.load_failures.fetch_add(events.load_failures, Relaxed);
        self.evictions.fetch_add(events.evictions, Relaxed);
        self.reloads.fetch_add(events.reloads, Relaxed);
    }

    /// A load that took so long, with the answer of a request.
    pub(crate) fn loaded(&self, ns: u64) {
        self.load_sum.fetch_add(ns, Relaxed);
        self.load_last.store(ns, Relaxed);
        self.timed_loads.fetch_add(1, Relaxed);
        self.loads.fetch_add(1, Relaxed);
    }
}

/// All slots there can be. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    chunks: Arc<[OnceLock<Box<[Slot; CHUNK]>>]>,
}

impl Slots {
    /// Room for the reserved names and `models_max` models.
    pub(crate) fn new(models_max: u32) -> Self {
        let slots = (MODELS_FROM + models_max) as usize;
        Self { chunks: (0..slots.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect() }
    }

    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&Slot> {
        let slot = slot as usize;
        self.chunks.get(slot / CHUNK)?.get()?.get(slot % CHUNK)
    }

    /// The slot, made with its chunk if it is the first of it; `None` beyond the last chunk.
    pub(crate) fn get_or_make(&self, slot: u32) -> Option<&Slot> {
        let slot = slot as usize;
        let chunk = self.chunks.get(slot / CHUNK)?;
        if chunk.get().is_none() {
            let slots: Box<[Slot]> = (0..CHUNK).map(|_| Slot::default()).collect();
            // Another thread may have been faster; its chunk is as good.
            _ = slots.try_into().map(|slots| chunk.set(slots));
        }
        chunk.get()?.get(slot % CHUNK)
    }

    /// The slot of a reference that is still of its generation.
    #[inline]
    pub(crate) fn current(&self, model: ModelRef) -> Option<&Slot> {
        self.get(model.slot).filter(|slot| slot.generation.load(Relaxed) == model.generation)
    }
}

impl ModelRef {
    /// Reserved names have fixed slots, so this is arithmetic.
    pub(crate) const fn reserved(backend: BackendId, which: Reserved) -> Self {
        Self { slot: backend.0 as u32 * Reserved::ALL.len() as u32 + which as u32, generation: 0, backend }
    }

    pub(crate) const fn is_reserved(self) -> bool {
        self.slot < MODELS_FROM
    }
}
