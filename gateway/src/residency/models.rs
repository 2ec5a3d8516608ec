//! The models of one backend, by the id that loads and unloads name: finding, adding and forgetting entries.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::StatusCode;
use weir_config::{Backend, Config, StateWord};
use weir_telemetry::{Evidence, Start};

use super::entry::{Account, Began, Entry, State};
use super::inferred::{Answer, Inferred};
use super::known::Called;
use super::polled::{Told, Watched};
use super::{Evicted, Load, LoadOutcome, LoadSettled, Room, Served, Settled};
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
    pub(super) watched: ArcSwap<Watched>,
    inferred: Inferred,
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
        Self { table: OnceLock::new(), room, watched: ArcSwap::default(), inferred: Inferred::default() }
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
    pub fn infer_would_be(&self, ticket: &InferTicket, id: &str, served: Served) -> Option<Start> {
        let called = match &ticket.0 {
            Seen::Nothing => None,
            Seen::Hot => Some((Start::Hot, Evidence::Lifecycle)),
            Seen::Look(entry, began) => entry.with(|state| state.would_be(*began, served.place, served.now)),
        };
        let watched = self.watched.load();
        let called = called.filter(|start| watched.believes(*start));
        let told = || watched.at(served.place)?.would_be(id, served.began, served.now);
        called.or_else(told).map(|(start, _)| start)
    }

    /// A request was answered well. `name` is what the model is called; `took` is the time of a load that the answer told.
    pub fn infer_answered(
        &self,
        ticket: InferTicket,
        id: &str,
        name: &ModelName,
        served: Served,
        took: Option<Duration>,
    ) -> Settled {
        let watched = self.watched.load();
        let called = self.called(ticket, id, name, served, watched.reload_within);
        let start = called.start.filter(|start| watched.believes(*start));
        let table = watched.at(served.place);
        match table.and_then(|table| table.answered(id, name, (served.began, served.now), took)) {
            // The table counts.
            Some(told) => Settled { start: start.or(told), load: None },
            None => {
                let load = took.map(|took| Load { took: Some(took), reload: false });
                let called = called.load.filter(|_| !watched.counts(served.place));
                Settled { start, load: load.or(called) }
            }
        }
    }

    /// What the calls that passed through say of a request that was answered well.
    fn called(
        &self,
        ticket: InferTicket,
        id: &str,
        name: &ModelName,
        served: Served,
        reload_within: Duration,
    ) -> Settled {
        match ticket.0 {
            Seen::Nothing => Settled::default(),
            Seen::Hot => Settled { start: Some((Start::Hot, Evidence::Lifecycle)), load: None },
            Seen::Look(entry, began) => {
                let with = (served.place, served.now, reload_within);
                let (settled, idle) =
                    entry.with(|state| (state.answered(began, name, with), state.is_idle() && !state.gone));
                if idle {
                    self.forget(id);
                }
                settled
            }
        }
    }

    /// From here on the tables of the endpoints are what this configuration asks for.
    pub fn watch(&self, config: &Config, backend: &Backend) {
        let watched = Watched::new(config, backend, &self.watched.load());
        self.watched.store(Arc::new(watched));
    }

    /// The tables of the endpoints.
    pub fn watched(&self) -> Arc<Watched> {
        self.watched.load_full()
    }

    /// The only endpoint, asked at `sent`, told this: where calls have shown otherwise before, they show nothing any more.
    pub fn told(&self, told: &HashMap<String, Told>, sent: Duration) {
        let Some(table) = self.table.get() else { return };
        for (id, told) in told.iter().filter(|(_, told)| told.word != StateWord::Unknown) {
            if let Some((_, entry)) = table.find(id) {
                entry.with(|state| state.contradicted(told.word == StateWord::Loaded, sent));
            }
        }
    }

    /// Every model that calls have told of.
    pub(super) fn accounts(&self) -> Vec<(Arc<str>, Account)> {
        let parts = self.table.get().map(|table| table.parts.iter()).into_iter().flatten();
        let of =
            |(id, entry): (&Arc<str>, &Arc<Entry>)| (Arc::clone(id), entry.with(|state| state.account()));
        parts.flat_map(|part| part.load().iter().map(of).collect::<Vec<_>>()).collect()
    }

    /// What is inferred from here on, if anything.
    pub fn set_inferred(&self, settings: Option<&weir_config::Inferred>) {
        self.inferred.set(settings);
    }

    /// The layer `inferred`: learns of a request that was answered well, and says how it was.
    pub fn inferred_answered(&self, id: &str, answer: &Answer) -> Option<Start> {
        self.inferred.answered(id, answer)
    }

    /// An unload passed through, and succeeded: for the layer `inferred`.
    pub fn inferred_unloaded(&self, id: &str, now: Duration) {
        self.inferred.unloaded(id, now);
    }

    /// A load call begins.
    pub fn load_began(self: &Arc<Self>, id: &str, now: Duration) -> LoadTicket {
        let entry = self.change(id, |state| state.load_began(now)).map(|(id, entry, ())| (id, entry));
        LoadTicket { models: Arc::clone(self), entry, began: now }
    }

    /// An unload was answered by the endpoint at `served.place`.
    pub fn unload_answered(&self, id: &str, status: StatusCode, served: Served) -> Option<Evicted> {
        let at = (served.began, served.now);
        let watched = self.watched.load();
        if status.is_success() {
            if let Some(table) = watched.at(served.place) {
                table.called(id, Called::Unloaded, at);
            }
            let (.., evicted) = self.change(id, |state| state.unloaded(served.now))?;
            return Some(Evicted { is_told: watched.counts(served.place), ..evicted? });
        }
        // A name that nothing is known of is not believed for the sake of a 404.
        if status == StatusCode::NOT_FOUND {
            if let Some(table) = watched.at(served.place) {
                table.called(id, Called::Missing, at);
            }
            if let Some((_, entry)) = self.table.get().and_then(|table| table.find(id)) {
                entry.with(|state| state.gone_from_memory(served.now));
            }
        }
        None
    }

    /// The status of an answer from the endpoint at `place` said that the model is being loaded
    /// ([`HeaderVerdict::loading`](crate::classify::HeaderVerdict)): its next good answer from there within 15 minutes is cold.
    pub fn told_loading(&self, id: &str, place: Option<usize>, now: Duration) {
        let _ = self.change(id, |state| state.told_loading(place, now));
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
    /// The load call was answered, by the endpoint at `place`.
    pub fn answered(mut self, status: StatusCode, place: Option<usize>, now: Duration) -> LoadSettled {
        let took = now.saturating_sub(self.began);
        let outcome = match status {
            StatusCode::ACCEPTED => LoadOutcome::Accepted,
            StatusCode::CONFLICT => LoadOutcome::AlreadyLoaded,
            status if status.is_success() => LoadOutcome::Loaded { took },
            _ => LoadOutcome::Failed,
        };
        let models = Arc::clone(&self.models);
        let watched = models.watched.load();
        if let (Some(table), Some((id, _))) = (watched.at(place), &self.entry) {
            let called = match outcome {
                LoadOutcome::Loaded { .. } => Some(Called::Loaded),
                LoadOutcome::Accepted => Some(Called::Accepted),
                LoadOutcome::Failed => Some(Called::Failed),
                LoadOutcome::AlreadyLoaded => None,
            };
            called.into_iter().for_each(|called| table.called(id, called, (self.began, now)));
        }
        let within = watched.reload_within;
        let label = self.settle(|state| match outcome {
            LoadOutcome::Loaded { took } => state.load_succeeded(took, now, within),
            LoadOutcome::Accepted => state.load_left_open(now),
            LoadOutcome::Failed => state.load_failed(now),
            LoadOutcome::AlreadyLoaded => state.load_ended_without_success(now),
        });
        LoadSettled { outcome, label, is_told: watched.counts(place) }
    }

    /// The load call never reached the backend.
    pub fn never_sent(mut self, now: Duration) {
        self.settle(|state| state.load_ended_without_success(now));
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
        // When it was sent is the last that is known of it.
        let began = self.began;
        self.settle(|state| state.load_left_open(began));
    }
}
