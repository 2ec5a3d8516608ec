//! The models of one backend, by the id that loads and unloads name: finding, adding and forgetting entries.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::StatusCode;
use weir_telemetry::{Evidence, Start};

use super::entry::{Began, Entry, State};
use super::polled::Watched;
use super::{Evicted, LoadOutcome, LoadSettled, Room, Settled};
use crate::identify::ModelName;

/// Parts of a backend's map, each of which is copied when it gets a new name: 512 entries on average when the table is full.
const PARTS: usize = 128;

/// New names that are turned away without another look when a look at a full table found nothing to forget.
const SWEEP_PAUSE: u32 = 1024;

type Part = HashMap<Arc<str>, Arc<Entry>>;

/// The models of one backend.
#[derive(Debug)]
pub struct Models {
    /// Made with the first call that is seen.
    table: OnceLock<Table>,
    room: Arc<Room>,
    /// What its endpoints tell when they are asked.
    watched: ArcSwap<Watched>,
}

#[derive(Debug)]
struct Table {
    parts: Box<[ArcSwap<Part>]>,
    /// Who changes a part. Readers never take it. It holds how many new names are still turned away without a look.
    writer: Mutex<u32>,
}

/// A request that has begun. Dropped for one that is not answered well.
#[derive(Debug)]
#[must_use = "an answer is settled with it"]
pub struct InferTicket(Seen);

#[derive(Debug)]
enum Seen {
    /// Nothing is known of the model.
    Nothing,
    /// It is loaded and has been answered before.
    Hot,
    /// The answer decides.
    Look(Arc<Entry>, Began),
}

/// A load call that has begun. Dropped when nobody knows how it ends (the caller left, time ran out): then the next answer decides.
#[derive(Debug)]
#[must_use = "a load call that is dropped has an unknown end"]
pub struct LoadTicket {
    models: Arc<Models>,
    /// None when there was no room, and once it is settled.
    entry: Option<(Arc<str>, Arc<Entry>)>,
    began: Duration,
}

impl Models {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { table: OnceLock::new(), room, watched: ArcSwap::default() }
    }

    /// A request for a model begins. `id` is the one that loads and unloads name.
    pub fn infer_began(&self, id: &str) -> InferTicket {
        let Some(table) = self.table.get() else { return InferTicket(Seen::Nothing) };
        let part = table.part(id).load();
        InferTicket(match part.get(id) {
            None => Seen::Nothing,
            Some(entry) if entry.is_hot() => Seen::Hot,
            Some(entry) => Seen::Look(Arc::clone(entry), entry.with(|state| state.began())),
        })
    }

    /// What [`Models::infer_answered`] would say of the start now; nothing is taken or changed.
    pub fn infer_would_be(&self, ticket: &InferTicket, now: Duration) -> Option<Start> {
        match &ticket.0 {
            Seen::Nothing => None,
            Seen::Hot => Some(Start::Hot),
            Seen::Look(entry, began) => entry.with(|state| state.would_be(*began, now)),
        }
    }

    /// A request was answered well. `name` is what the model is called.
    pub fn infer_answered(&self, ticket: InferTicket, id: &str, name: &ModelName, now: Duration) -> Settled {
        match ticket.0 {
            Seen::Nothing => Settled::default(),
            Seen::Hot => Settled { start: Some((Start::Hot, Evidence::Lifecycle)), load: None },
            Seen::Look(entry, began) => {
                let (settled, idle) =
                    entry.with(|state| (state.answered(began, name, now), state.is_idle() && !state.gone));
                if idle {
                    self.forget(id);
                }
                settled
            }
        }
    }

    /// From here on these endpoints are asked; none: nobody is.
    pub fn watch(&self, watched: Watched) {
        self.watched.store(Arc::new(watched));
    }

    /// The endpoints that are asked.
    pub fn watched(&self) -> Arc<Watched> {
        self.watched.load_full()
    }

    /// The layer `state`: what the endpoints told of a request that was answered well.
    pub fn state_answered(
        &self,
        id: &str,
        name: &ModelName,
        began: Duration,
        now: Duration,
    ) -> Option<Start> {
        self.watched.load().answered(id, name, began, now)
    }

    /// A load call begins.
    pub fn load_began(self: &Arc<Self>, id: &str, now: Duration) -> LoadTicket {
        let entry = self.change(id, State::load_began).map(|(id, entry, ())| (id, entry));
        LoadTicket { models: Arc::clone(self), entry, began: now }
    }

    /// An unload was answered.
    pub fn unload_answered(&self, id: &str, status: StatusCode, now: Duration) -> Option<Evicted> {
        if status.is_success() {
            let (.., evicted) = self.change(id, |state| state.unloaded(now))?;
            return evicted;
        }
        // A name that nothing is known of is not believed for the sake of a 404.
        if status == StatusCode::NOT_FOUND
            && let Some((_, entry)) = self.table.get().and_then(|table| table.find(id))
        {
            entry.with(State::gone_from_memory);
        }
        None
    }

    /// An answer's status said that the model is being loaded ([`HeaderVerdict::loading`](crate::classify::HeaderVerdict)): its next
    /// good answer within 15 minutes is cold.
    pub fn told_loading(&self, id: &str, now: Duration) {
        let _ = self.change(id, |state| state.told_loading(now));
    }

    /// Changes a model's state, which is made if it is not there; none if there is no room.
    fn change<T>(
        &self,
        id: &str,
        mut change: impl FnMut(&mut State) -> T,
    ) -> Option<(Arc<str>, Arc<Entry>, T)> {
        let table = self.table.get_or_init(Table::new);
        loop {
            let found = table.find(id).or_else(|| self.add(table, id));
            let Some((id, entry)) = found else {
                self.room.count_untracked();
                return None;
            };
            // Forgotten in between: once more.
            if let Some(result) = entry.with(|state| (!state.gone).then(|| change(state))) {
                return Some((id, entry, result));
            }
        }
    }

    fn add(&self, table: &Table, id: &str) -> Option<(Arc<str>, Arc<Entry>)> {
        let mut pause = table.lock();
        if !self.room.take() {
            if *pause > 0 {
                *pause -= 1;
                return None;
            }
            self.sweep(table);
            if !self.room.take() {
                *pause = SWEEP_PAUSE;
                return None;
            }
        }
        let part = table.part(id);
        let mut copy = Part::clone(&part.load());
        let id: Arc<str> = id.into();
        let entry = match copy.entry(Arc::clone(&id)) {
            // Another worker was faster.
            Place::Occupied(place) => {
                self.room.give(1);
                return Some((id, Arc::clone(place.get())));
            }
            Place::Vacant(place) => Arc::clone(place.insert(Arc::default())),
        };
        part.store(Arc::new(copy));
        Some((id, entry))
    }

    /// Forgets a model of which nothing is known.
    fn forget(&self, id: &str) {
        let Some(table) = self.table.get() else { return };
        let _writer = table.lock();
        let given = table.retain(table.part(id), |known, state| &**known != id || !state.is_idle());
        self.room.give(given);
    }

    /// Forgets what may be forgotten.
    fn sweep(&self, table: &Table) {
        let keep = |_: &Arc<str>, state: &State| !state.is_forgettable();
        let given = table.parts.iter().map(|part| table.retain(part, keep)).sum();
        self.room.give(given);
    }
}

impl Table {
    fn new() -> Self {
        Self { parts: (0..PARTS).map(|_| ArcSwap::default()).collect(), writer: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, u32> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By the id's last bytes, in which names differ most.
    #[expect(clippy::indexing_slicing, reason = "a remainder by the length is within it")]
    fn part(&self, id: &str) -> &ArcSwap<Part> {
        let tail = id.bytes().rev().take(8).fold(0_u64, |tail, byte| tail << 8 | u64::from(byte));
        let hash = tail.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        &self.parts[usize::try_from(hash).unwrap_or(0) % self.parts.len()]
    }

    fn find(&self, id: &str) -> Option<(Arc<str>, Arc<Entry>)> {
        let part = self.part(id).load();
        part.get_key_value(id).map(|(id, entry)| (Arc::clone(id), Arc::clone(entry)))
    }

    /// Drops the entries that are not to be kept; returns how many. Under the writer's lock.
    fn retain(&self, part: &ArcSwap<Part>, keep: impl Fn(&Arc<str>, &State) -> bool) -> usize {
        let old = part.load();
        let mut copy = Part::clone(&old);
        copy.retain(|id, entry| {
            entry.with(|state| {
                let kept = keep(id, state);
                state.gone = !kept;
                kept
            })
        });
        let dropped = old.len() - copy.len();
        if dropped > 0 {
            part.store(Arc::new(copy));
        }
        dropped
    }
}

impl LoadTicket {
    /// The load call was answered.
    pub fn answered(mut self, status: StatusCode, now: Duration) -> LoadSettled {
        let took = now.saturating_sub(self.began);
        let outcome = match status {
            StatusCode::ACCEPTED => LoadOutcome::Accepted,
            StatusCode::CONFLICT => LoadOutcome::AlreadyLoaded,
            status if status.is_success() => LoadOutcome::Loaded { took },
            _ => LoadOutcome::Failed,
        };
        let label = self.settle(|state| match outcome {
            LoadOutcome::Loaded { took } => state.load_succeeded(took, now),
            LoadOutcome::Accepted => state.load_left_open(),
            LoadOutcome::AlreadyLoaded | LoadOutcome::Failed => state.load_ended_without_success(),
        });
        LoadSettled { outcome, label }
    }

    /// The load call never reached the backend.
    pub fn never_sent(mut self) {
        self.settle(State::load_ended_without_success);
    }

    fn settle(&mut self, end: impl FnOnce(&mut State)) -> Option<ModelName> {
        let (id, entry) = self.entry.take()?;
        let (label, idle) = entry.with(|state| {
            end(state);
            (state.label(), state.is_idle())
        });
        if idle {
            self.models.forget(&id);
        }
        label
    }
}

impl Drop for LoadTicket {
    fn drop(&mut self) {
        self.settle(State::load_left_open);
    }
}
