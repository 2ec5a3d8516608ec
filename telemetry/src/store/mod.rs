//! The store of what every model did: written by the workers without a lock, read by the control plane.
//!
//! A request resolves its name once to a [`ModelRef`], begins, and ends with one [`Observation`]. Counters are
//! atomics in a slot per model ([`model`], [`lane`]); a busy model has a lane for each worker besides ([`sharding`]).
//! Once a second, and before every snapshot, the control plane folds them into the books ([`ledger`]).
//!
//! What is bounded: names by `models_max` and [`NAME_BYTES_MAX`], backends by [`BACKENDS_MAX`], per-worker lanes by
//! `sharded_models_max`. What has no room is counted under a reserved name, never dropped.
//!
//! What comes from outside and can be bad, and what becomes of it:
//! - Names are text already (identification refuses what is no UTF-8). Empty, reserved and too long ones, and those with
//!   control or bidirectional-override characters, get no slot and are counted as `__unknown__`; so are names that no
//!   backend has answered well for, however many. Quotes, backslashes and line feeds are escaped once, at admission.
//! - Time comes from the caller. A step back is ignored (the latest time holds), a leap empties the windows; neither
//!   moves a counter.
//! - Counters of a lane wrap and are read as differences. Totals count to 2^64: bytes wrap there, which Prometheus takes
//!   for a restart; sums of times have 128 bits. Protobuf says counters as floats, exact to 2^53, as Prometheus keeps them.
//! - Durations beyond 1,024 s are in the last cell, with their exact sum; a duration of `u64::MAX` is one of them.
//!
//! [`Observation`]: crate::Observation

pub(crate) mod grid;
mod cells;
mod bits;
pub(crate) mod dense;
mod lane;
pub(crate) mod numbers;
pub(crate) mod exemplar;
mod model;
mod sharding;
mod table;
mod recorder;
mod fold;
mod ledger;
mod books;
mod promote;
mod tracking;
mod budget;
mod rank;
mod tiers;
mod evict;
mod groups;
mod export;
mod view;
mod promises;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

pub use recorder::Recorder;
pub use table::NAME_BYTES_MAX;

use arc_swap::ArcSwap;

use crate::encode::gpu::Gpu;
use crate::encode::resident::Residents;
use crate::numbers::{Measure, PLACES, ValueId};
use crate::settings::Settings;
use crate::slo::rule::Rules;
use bits::Wakes;
pub(crate) use books::Books;
pub(crate) use ledger::Book;
use ledger::Ledger;

pub use exemplar::Exemplar;
pub use export::Pin;
use model::Slots;
pub use rank::Reason;
use sharding::{Presence, Sets};
use table::{Admission, Table};

/// Later than any process runs (34,000 years), and early enough that a span added to it does not overflow.
const NOW_MAX: Duration = Duration::from_secs(1 << 40);

/// Backends that can be told apart over the life of the process; more share the last number.
pub const BACKENDS_MAX: u16 = 1024;

/// A backend, registered with [`Store::backend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackendId(pub(crate) u16);

/// A model's slot, to be kept by the request from its beginning to its end. It stays valid when the model leaves the
/// slot: what comes then is counted under the backend's `__other__`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModelRef {
    pub(crate) slot: u32,
    pub(crate) generation: u16,
    pub(crate) backend: BackendId,
}

/// Names that are ours, one of each per backend. A client's model can never be called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reserved {
    /// The request names no model.
    None_,
    /// It names one that no backend has answered well for.
    Unknown,
    /// There was no room for its name.
    Overflow,
    /// All models that are not exported by name, and requests whose model left its slot meanwhile.
    Other,
    /// Health, metadata, listing, load and unload: no inference.
    Control,
}

impl Reserved {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None_, Self::Unknown, Self::Overflow, Self::Other, Self::Control];

    /// The value of the label `model`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None_ => "__none__",
            Self::Unknown => "__unknown__",
            Self::Overflow => "__overflow__",
            Self::Other => "__other__",
            Self::Control => "__control__",
        }
    }
}

/// The store; one per process, it outlives every configuration.
#[derive(Debug)]
pub struct Store {
    slots: Slots,
    sets: Sets,
    /// Slots to be looked at by the next fold.
    wakes: Wakes,
    table: Table,
    /// Versions of one model that have slots of their own.
    versions_max: AtomicU32,
    /// Raised whenever something is taken back from the recorders; see [`Presence`].
    epoch: Arc<AtomicU64>,
    /// Workers whose recorder exists.
    taken: Box<[AtomicBool]>,
    presences: Mutex<Presences>,
    /// What models promise.
    rules: ArcSwap<Rules>,
    /// What servers tell of models.
    residents: ArcSwap<Residents>,
    /// What servers tell of GPUs.
    gpus: ArcSwap<Vec<Gpu>>,
    ledger: Mutex<Ledger>,
}

/// The recorders there are, and the counts of those that are gone.
#[derive(Debug, Default)]
struct Presences {
    here: Vec<Arc<Presence>>,
    /// Requests settled by worker, recorders that are gone.
    settled: Vec<u64>,
}

impl Store {
    /// An empty store for `workers` worker threads.
    #[must_use]
    pub fn new(config: &weir_config::Telemetry, workers: usize) -> Arc<Self> {
        Self::with(Settings::from(config), workers)
    }

    /// The same, with settings of the caller's own.
    #[must_use]
    pub fn with(settings: Settings, workers: usize) -> Arc<Self> {
        let sets = Sets::new(settings.sharded_models_max, workers);
        Arc::new(Self {
            slots: Slots::new(settings.models_max),
            wakes: Wakes::new(model::MODELS_FROM + settings.models_max),
            table: Table::new(settings.models_max),
            versions_max: AtomicU32::new(settings.versions_per_model_max),
            epoch: Arc::new(AtomicU64::new(0)),
            taken: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            presences: Mutex::new(Presences { here: Vec::new(), settled: vec![0; workers] }),
            ledger: Mutex::new(Ledger::new(&sets, settings)),
            rules: ArcSwap::default(),
            residents: ArcSwap::default(),
            gpus: ArcSwap::default(),
            sets,
        })
    }

    /// The backend of that name, registered now if it is new. From [`BACKENDS_MAX`] on they share the last number.
    pub fn backend(&self, name: &str) -> BackendId {
        let mut ledger = self.ledger();
        let known = ledger.backends.iter().position(|backend| **backend == *name);
        let number = known.unwrap_or(ledger.backends.len()).min(usize::from(BACKENDS_MAX) - 1);
        let id = BackendId(u16::try_from(number).unwrap_or(BACKENDS_MAX - 1));
        if known.is_none() && number == ledger.backends.len() {
            ledger.backends.push(name.into());
            for which in Reserved::ALL {
                let model = ModelRef::reserved(id, which);
                self.slots.get_or_make(model.slot);
                ledger.open(model, &which.as_str().into());
            }
        }
        id
    }

    /// A recorder for worker `worker`, counted from 0. While one exists for a worker, others for the same, and those
    /// of no worker (`worker >= workers`), record too, but without lanes of their own.
    #[must_use]
    pub fn recorder(self: &Arc<Self>, worker: usize) -> Recorder {
        let mut presences = lock(&self.presences);
        presences.prune(&self.taken);
        let free = self.taken.get(worker).is_some_and(|taken| !taken.swap(true, Ordering::AcqRel));
        let presence = Arc::new(Presence::new(free.then_some(worker), self.epoch.load(Ordering::Acquire)));
        presences.here.push(Arc::clone(&presence));
        Recorder::new(Arc::clone(self), presence)
    }

    /// Registers what the values of that backend's answers are called and how they are kept; one registered before
    /// keeps its place. In the order given; none for one that has no place any more ([`PLACES`] over the process's
    /// life).
    pub fn values(&self, backend: BackendId, values: &[(&str, Measure)]) -> Vec<Option<ValueId>> {
        let mut ledger = self.ledger();
        let at = usize::from(backend.0);
        if ledger.values.len() <= at {
            ledger.values.resize_with(at + 1, Vec::new);
        }
        let Some(specs) = ledger.values.get_mut(at) else { return Vec::new() };
        let place = |(name, measure): &(&str, Measure)| {
            let known = specs.iter().position(|spec| *spec.0 == **name && spec.1 == *measure);
            let place = known.unwrap_or(specs.len());
            if place >= PLACES {
                return None;
            }
            if known.is_none() {
                specs.push(((*name).into(), *measure));
            }
            Some(ValueId { place: u8::try_from(place).ok()?, measure: *measure })
        };
        values.iter().map(place).collect()
    }

    /// Gives slots to names that are known before their first request; they keep them for good. Reserved and impossible
    /// names are passed over.
    pub fn configure(&self, backend: BackendId, names: &[String]) {
        let mut ledger = self.ledger();
        for name in names {
            if let Admission::Slot(_) = self.admit(backend, name) {
                ledger.permanent.insert((backend, name.as_str().into()));
            }
        }
    }

    /// The control plane's beat, `now` since the start of the process. Publishes new names every time (call it every
    /// 50 ms: with nothing to do it costs a few loads); once a second it folds the counters and moves busy models to
    /// per-worker lanes.
    pub fn tick(&self, now: Duration) {
        let now = now.min(NOW_MAX);
        // Whoever holds the books folds them too: the beat does not wait for a scrape, the next one comes soon.
        let mut ledger = match self.ledger.try_lock() {
            Ok(ledger) => ledger,
            Err(TryLockError::Poisoned(ledger)) => ledger.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        ledger.now = ledger.now.max(now);
        self.publish(&mut ledger);
        if ledger.judged_at.is_some_and(|last| now < last + promote::JUDGE_EVERY) {
            return;
        }
        ledger.fold(&self.slots, &self.sets, &self.wakes);
        let mut presences = lock(&self.presences);
        presences.prune(&self.taken);
        let passed = |epoch| presences.here.iter().all(|presence| presence.has_passed(epoch));
        ledger.release(&self.table, &self.slots, passed);
        let residents = self.residents.load();
        if ledger.rank(now, &residents) {
            ledger.evict(&self.table, &self.slots, &self.epoch);
        }
        ledger.hold_budget(&residents);
        ledger.look(now);
        ledger.track(now);
        ledger.judge(now, &self.slots, &self.epoch, passed);
    }

    fn admit(&self, backend: BackendId, name: &str) -> Admission {
        let make = |slot| self.slots.get_or_make(slot).map(|slot| self.mark(slot, backend, name)).is_some();
        self.table.admit(backend, name, make)
    }

    /// A version, and its model besides: what happens to a model and what servers tell of it has no version.
    fn admit_version(&self, backend: BackendId, name: &str, version: &str) -> Admission {
        if let other @ (Admission::Overflow | Admission::Refused) = self.admit(backend, name) {
            return other;
        }
        let make = |slot| self.slots.get_or_make(slot).map(|slot| self.mark(slot, backend, name)).is_some();
        let most = self.versions_max.load(Ordering::Relaxed);
        self.table.admit_version(backend, (name, version), most, make)
    }

    fn publish(&self, ledger: &mut Ledger) {
        let rules = self.rules.load();
        self.table.publish(|key, model| {
            ledger.open(model, &key.name);
            if let Some(book) = ledger.books.get_mut(model.slot) {
                book.promise(&rules, &self.slots);
                ledger.books.note(model.slot);
            }
        });
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }
}

impl Presences {
    /// Forgets recorders that are gone and keeps what they counted; their workers may have a new one.
    fn prune(&mut self, taken: &[AtomicBool]) {
        let Self { here, settled } = self;
        here.retain(|presence| {
            let alive = Arc::strong_count(presence) > 1;
            if !alive && let Some(worker) = presence.worker {
                if let Some(total) = settled.get_mut(worker) {
                    *total += presence.settled.load(Ordering::Acquire);
                }
                if let Some(taken) = taken.get(worker) {
                    taken.store(false, Ordering::Release);
                }
            }
            alive
        });
    }

    /// Requests settled by worker.
    fn settled(&self) -> Vec<u64> {
        let mut settled = self.settled.clone();
        for presence in &self.here {
            if let Some(total) = presence.worker.and_then(|worker| settled.get_mut(worker)) {
                *total += presence.settled.load(Ordering::Relaxed);
            }
        }
        settled
    }
}

/// What the locks guard is well formed after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
