//! What is known of the models of each endpoint: the table of one, and the endpoints of a backend. There is one for every endpoint that is
//! asked, and for each of several that load calls can tell apart.
//!
//! Cost: a request to a backend without such tables costs one atomic load; to another one, one look-up in a map that is read without a lock
//! and, for a model that is known to be hot, nothing else. Bounded by [`MODELS_MAX`] for each endpoint.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use weir_config::{PollMode, StatePoll, StateWord};
use weir_telemetry::{Evidence, Lifecycles, Start};

use super::known::{Called, Known, Limits};
use super::seen::{Seen, nanos};
use crate::identify::ModelName;

/// Models of one endpoint: some 400 bytes each.
pub const MODELS_MAX: usize = 16_384;

/// Slots for the times of answers by models that no look has told of.
const SLOTS: usize = 256;

/// What a look told of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// How it stands.
    pub word: StateWord,
    /// Memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Memory on GPUs, bytes.
    pub gpu_memory_bytes: Option<u64>,
}

/// The models of one endpoint. Looks are told by the control plane, calls by the workers.
#[derive(Debug)]
pub struct Polled {
    /// `host:port`.
    pub endpoint: String,
    limits: Limits,
    models: ArcSwap<HashMap<Arc<str>, Arc<Seen>>>,
    /// Whoever adds a model holds it.
    whole: Mutex<Option<Whole>>,
    unlisted: [AtomicU64; SLOTS],
}

/// A look that told of every model that there was.
#[derive(Debug, Clone, Copy)]
struct Whole {
    /// What a model is that it did not tell of.
    absent: StateWord,
    /// When it was sent and answered.
    at: (Duration, Duration),
}

/// The endpoints of a backend, if there are tables for them.
#[derive(Debug, Default)]
pub struct Watched {
    /// In the configuration's order; none: nothing tells them apart, or the only one is not asked.
    pub tables: Vec<Arc<Polled>>,
    /// Whether there are several: then what is known of the backend as a whole is known of none of them.
    pub are_several: bool,
    /// What counts as a reload.
    pub reload_within: Duration,
}

impl Polled {
    /// An endpoint of which nothing is known yet.
    #[must_use]
    pub fn new(endpoint: String, poll: &StatePoll) -> Self {
        Self {
            endpoint,
            limits: Self::limits(poll),
            models: ArcSwap::default(),
            whole: Mutex::default(),
            unlisted: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    fn limits(poll: &StatePoll) -> Limits {
        let is_asked = poll.poll == PollMode::Auto;
        Limits { stale_after: is_asked.then_some(poll.stale_after), reload_within: poll.reload_within }
    }

    /// Whether it is of that endpoint, under the same settings.
    #[must_use]
    pub fn is_of(&self, endpoint: &str, poll: &StatePoll) -> bool {
        self.endpoint == endpoint && self.limits == Self::limits(poll)
    }

    /// A look, sent and answered at these times, told this of these models, and that every other one is `absent`; none: nothing of them.
    pub fn told(
        &self,
        told: &HashMap<String, Told>,
        absent: Option<StateWord>,
        sent: Duration,
        answered: Duration,
    ) {
        let at = (sent, answered);
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *whole;
        if let Some(absent) = absent {
            *whole = (told.len() < MODELS_MAX).then_some(Whole { absent, at });
        }
        let mut models = self.models.load_full();
        if told.keys().any(|name| !models.contains_key(name.as_str())) {
            let mut more = HashMap::clone(&models);
            let now_known: HashSet<&str> = told.keys().map(String::as_str).collect();
            if more.len() + told.len() > MODELS_MAX {
                // Those that the server has forgotten make room.
                more.retain(|name, _| now_known.contains(&**name));
            }
            for name in now_known {
                if more.len() < MODELS_MAX && !more.contains_key(name) {
                    more.insert(name.into(), Arc::new(self.new_model(name, before)));
                }
            }
            models = Arc::new(more);
            self.models.store(Arc::clone(&models));
        }
        drop(whole);
        for (name, told) in told {
            if let Some(seen) = models.get(name.as_str()) {
                seen.told(told, at, self.limits);
            }
        }
    }

    /// A model that the last whole look did not tell of was not in memory then. If it may have answered since, its first answer was
    /// before it was told of.
    fn new_model(&self, name: &str, before: Option<Whole>) -> Seen {
        let seen = Seen::new();
        if let Some(before) = before
            && self.unlisted(name).load(Ordering::Acquire) < nanos(before.at.0)
        {
            seen.told(&Told { word: before.absent, ..Told::default() }, before.at, self.limits);
        }
        seen
    }

    /// A load or unload call to this endpoint was sent and answered at these times.
    pub(super) fn called(&self, id: &str, called: Called, at: (Duration, Duration)) {
        let known = self.models.load().get(id).map(Arc::clone);
        let is_news = matches!(called, Called::Loaded | Called::Accepted | Called::Unloaded);
        let seen = known.or_else(|| is_news.then(|| self.add(id)).flatten());
        if let Some(seen) = seen {
            seen.called(called, at, self.limits);
        }
    }

    /// Makes a model that a call has told of; none if there is no room.
    fn add(&self, id: &str) -> Option<Arc<Seen>> {
        let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let models = self.models.load();
        if let Some(seen) = models.get(id) {
            return Some(Arc::clone(seen));
        }
        if models.len() >= MODELS_MAX {
            return None;
        }
        let seen = Arc::new(self.new_model(id, *whole));
        let mut more = HashMap::clone(&models);
        more.insert(id.into(), Arc::clone(&seen));
        self.models.store(Arc::new(more));
        Some(seen)
    }

    /// A request was answered well by this endpoint; `took` is the time of a load that its answer told. Outside: whether the model is
    /// known here, inside: hot or cold.
    pub(super) fn answered(
        &self,
        id: &str,
        name: &ModelName,
        (began, now): (Duration, Duration),
        took: Option<Duration>,
    ) -> Option<Option<(Start, Evidence)>> {
        let models = self.models.load();
        let Some(seen) = models.get(id) else {
            if self.limits.stale_after.is_some() {
                // No look has told of it yet.
                self.unlisted(id).fetch_max(nanos(now), Ordering::AcqRel);
            }
            return None;
        };
        Some(seen.answered(name, (began, now), took, self.limits))
    }

    /// What that would say; nothing is taken or changed.
    pub(super) fn would_be(&self, id: &str, began: Duration, now: Duration) -> Option<(Start, Evidence)> {
        self.models.load().get(id)?.would_be(began, now, self.limits)
    }

    /// Hands out what happened to each model since it was asked last; what comes back is kept.
    pub(super) fn settle(&self, mut each: impl FnMut(&str, &Known, Lifecycles) -> Option<Lifecycles>) {
        for (id, seen) in self.models.load().iter() {
            let events = seen.take_pending();
            if !events.is_empty()
                && let Some(kept) = each(id, &seen.known(), events)
            {
                seen.give_back(kept);
            }
        }
    }

    /// By what stands before a tag, which requests may leave out. Models that share a slot are taken to have answered both.
    #[expect(clippy::indexing_slicing, reason = "a remainder by the length is within it")]
    fn unlisted(&self, name: &str) -> &AtomicU64 {
        let mut hash = DefaultHasher::new();
        hash.write(name.split(':').next().unwrap_or_default().as_bytes());
        &self.unlisted[usize::try_from(hash.finish() % SLOTS as u64).unwrap_or(0)]
    }

    /// Every model and what is known of it.
    #[must_use]
    pub fn known(&self) -> Vec<(Arc<str>, Known)> {
        self.models.load().iter().map(|(name, seen)| (Arc::clone(name), seen.known())).collect()
    }

    /// Whether that is too old.
    #[must_use]
    pub fn is_stale(&self, known: &Known, now: Duration) -> bool {
        known.is_stale(now, self.limits)
    }

    /// The names of all models that were ever told of.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.models.load().keys().cloned().collect()
    }
}

impl Watched {
    /// The table of the endpoint at this place.
    pub(super) fn at(&self, place: Option<usize>) -> Option<&Polled> {
        self.tables.get(place?).map(Arc::as_ref)
    }

    /// Whether there is such a table, which then is what counts.
    pub(super) fn counts(&self, place: Option<usize>) -> bool {
        self.at(place).is_some()
    }

    /// Whether what is known of the backend as a whole holds for the endpoint that answered.
    pub(super) fn believes(&self, (_, evidence): (Start, Evidence)) -> bool {
        !self.are_several || evidence == Evidence::Status
    }
}

#[cfg(test)]
mod tests;
