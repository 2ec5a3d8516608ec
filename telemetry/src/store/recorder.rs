//! The request path's side of the store: one recorder for each worker thread.
//!
//! Cost sketch: `resolve` one hash and one probe of an immutable map; `begin` and `end` find the slot (two loads),
//! check its generation and whether it has per-worker lanes, and write. No lock, no allocation once a model's cells
//! exist. `admit` takes a short lock, for the first successes of a name only.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use super::cells::{Owned, Shared, Writer};
use super::exemplar::Exemplar;
use super::lane::Lane;
use super::model::{Slot, Slots};
use super::sharding::{Lanes, Presence};
use super::table::{Admission, Lookup, Map, OTHER_VERSIONS, versioned};
use super::{BackendId, ModelRef, Reserved, Store};
use crate::numbers::{Measure, Usage, ValueId};
use crate::observation::{Lifecycle, Lifecycles, Observation, Start};

/// Records what one thread sees. It may move to another thread but not be shared by two (`!Sync`): it is the only
/// writer of its worker's lanes.
pub struct Recorder {
    store: Arc<Store>,
    table: RefCell<Cache<Arc<ArcSwap<Map>>, Arc<Map>>>,
    presence: Arc<Presence>,
    // What every request needs, without the way through the store.
    slots: Slots,
    lanes: Lanes,
    epoch: Arc<AtomicU64>,
    /// Where the key of a version is put together.
    key: RefCell<String>,
    not_sync: PhantomData<Cell<()>>,
}

impl Recorder {
    pub(crate) fn new(store: Arc<Store>, presence: Arc<Presence>) -> Self {
        let table = RefCell::new(Cache::new(Arc::clone(&store.table.published)));
        let lanes = store.sets.of(presence.worker);
        let (slots, epoch) = (store.slots.clone(), Arc::clone(&store.epoch));
        Self { store, table, presence, slots, lanes, epoch, key: RefCell::default(), not_sync: PhantomData }
    }

    /// The model of that name, if it has a slot. A request for a name that has none begins under
    /// [`Reserved::Unknown`], one with no name under [`Reserved::None_`].
    pub fn resolve(&self, backend: BackendId, name: &str) -> Option<ModelRef> {
        // Nothing below can come back here, so the cell is free; were it not, the name would count as unknown.
        let mut table = self.table.try_borrow_mut().ok()?;
        table.load().get(&Lookup(backend, name)).copied()
    }

    /// The same, also of a name that was admitted a moment ago; for what happens rarely, as it may take a lock.
    pub fn find(&self, backend: BackendId, name: &str) -> Option<ModelRef> {
        self.resolve(backend, name).or_else(|| self.store.table.find_any(backend, name))
    }

    /// The same for one version of a model: its own slot, or the one of the versions that have no room.
    pub fn resolve_version(&self, backend: BackendId, name: &str, version: &str) -> Option<ModelRef> {
        let (mut table, mut key) = (self.table.try_borrow_mut().ok()?, self.key.try_borrow_mut().ok()?);
        let map = table.load();
        let mut find = |version| {
            let of = versioned(backend, name, version, &mut key);
            map.get(&Lookup(of, &key)).copied()
        };
        find(version).or_else(|| find(OTHER_VERSIONS))
    }

    /// The slot of a reserved name of that backend; arithmetic.
    #[must_use]
    pub const fn reserved(&self, backend: BackendId, which: Reserved) -> ModelRef {
        ModelRef::reserved(backend, which)
    }

    /// A request for the model begins: it is in flight until [`Recorder::end`].
    #[inline]
    pub fn begin(&self, model: ModelRef) {
        self.quiesce();
        if let Some(slot) = self.slot(model) {
            match self.lane(slot) {
                Some(lane) => _ = lane.begin::<Owned>(),
                // The first since the last fold, which is to look at the model again.
                None if slot.base.begin::<Shared>() == 0 => self.store.wakes.insert(model.slot),
                None => (),
            }
        }
    }

    /// The request that began under `model` (or was moved there by [`Recorder::admit`]) ends. Exactly once for each
    /// begin.
    #[inline]
    pub fn end(&self, model: ModelRef, seen: &Observation) {
        Owned::add64(&self.presence.settled, 1);
        let Some(slot) = self.slot(model) else { return };
        self.write(slot, |lane| lane.end::<Owned>(seen), |lane| lane.end::<Shared>(seen));
        if let Some(marks) = slot.marks.get() {
            marks.end(seen);
        }
        if let Some(ns) = seen.load_ns {
            slot.rare.loaded(ns);
        }
    }

    /// A backend answered well for a name without a slot: gives it one at once, so that this very request is counted
    /// under it. The request must have begun under [`Reserved::Unknown`] of the backend and its begin is moved; end
    /// it under what is returned: the new slot, [`Reserved::Overflow`] when there is no room, or
    /// [`Reserved::Unknown`] for a name that no model can have (reserved, too long, control characters).
    ///
    /// Call it for successes alone: this is what keeps names made up by clients out of the table.
    pub fn admit(&self, backend: BackendId, name: &str) -> ModelRef {
        self.admitted(backend, self.store.admit(backend, name))
    }

    /// The same for one version of a model.
    pub fn admit_version(&self, backend: BackendId, name: &str, version: &str) -> ModelRef {
        self.admitted(backend, self.store.admit_version(backend, name, version))
    }

    fn admitted(&self, backend: BackendId, admission: Admission) -> ModelRef {
        let begun = ModelRef::reserved(backend, Reserved::Unknown);
        let model = match admission {
            Admission::Slot(model) => model,
            Admission::Overflow => ModelRef::reserved(backend, Reserved::Overflow),
            Admission::Refused => return begun,
        };
        if let Some(slot) = self.slot(begun) {
            self.write(slot, Lane::unbegin::<Owned>, Lane::unbegin::<Shared>);
        }
        self.begin(model);
        model
    }

    /// What the answer to a request for the model told of tokens. Before its [`Recorder::end`], like every number: a
    /// model of which nothing is in flight is not looked at.
    pub fn usage(&self, model: ModelRef, told: &Usage) {
        if let Some(slot) = self.slot(model) {
            self.write(slot, |lane| lane.usage::<Owned>(told), |lane| lane.usage::<Shared>(told));
        }
    }

    /// A value that the answer to a request for the model told, in base units, `at` since the start of the process.
    pub fn value(&self, model: ModelRef, id: ValueId, value: f64, at: Duration) {
        let at_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        if let Some(slot) = self.slot(model) {
            self.write(
                slot,
                |lane| lane.value::<Owned>(id, value, at_ns),
                |lane| lane.value::<Shared>(id, value, at_ns),
            );
            if let Some(marks) = slot.marks.get().filter(|_| id.measure == Measure::Staleness) {
                marks.age(value);
            }
        }
    }

    /// A request that was just ended had this trace: it becomes the exemplar of its model and start. For successes,
    /// as only their durations are in the histograms.
    pub fn exemplar(&self, model: ModelRef, start: Start, exemplar: Exemplar) {
        if let Some(slot) = self.slot(model) {
            let is_first = slot.exemplars.get().is_none();
            slot.exemplars.get_or_init(Box::default).put(start, exemplar);
            if is_first || start == Start::Cold {
                self.store.wakes.insert(model.slot);
            }
        }
    }

    /// Something happened to the model outside of a request for it.
    pub fn lifecycle(&self, model: ModelRef, event: Lifecycle) {
        self.lifecycles(model, &event.into());
    }

    /// Some things did.
    pub fn lifecycles(&self, model: ModelRef, events: &Lifecycles) {
        if let Some(slot) = self.slot(model) {
            slot.rare.happened(events);
            self.store.wakes.insert(model.slot);
        }
    }

    /// Says that this thread is outside of any call. Every `begin` does; a worker that may stay without requests for
    /// long calls it about once a second, or slots and lanes that are to be reused wait for its next request.
    #[inline]
    pub fn quiesce(&self) {
        self.presence.epoch.store(self.epoch.load(Acquire), Release);
    }

    /// The slot; that of the backend's `__other__` when the model has left its own since.
    #[inline]
    fn slot(&self, model: ModelRef) -> Option<&Slot> {
        match self.slots.current(model) {
            Some(slot) => Some(slot),
            None => self.stale(model),
        }
    }

    #[cold]
    #[inline(never)]
    fn stale(&self, model: ModelRef) -> Option<&Slot> {
        self.slots.get(ModelRef::reserved(model.backend, Reserved::Other).slot)
    }

    /// Writes to this worker's lane of the model, or to its base lane when it has none.
    #[inline]
    fn write(&self, slot: &Slot, owned: impl FnOnce(&Lane), shared: impl FnOnce(&Lane)) {
        match self.lane(slot) {
            Some(lane) => owned(lane),
            None => shared(&slot.base),
        }
    }

    #[inline]
    fn lane(&self, slot: &Slot) -> Option<&Lane> {
        self.lanes.get(slot.set.number() as usize)
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("presence", &self.presence).finish_non_exhaustive()
    }
}
