//! What endpoints tell of their models when they are asked: the table of one endpoint, and the endpoints of a backend.
//!
//! Cost: a request to a backend that nobody asks costs one atomic load; to another one, one look-up in a map that is read without a lock
//! and, for a model that is known to be hot, nothing else. Bounded by [`MODELS_MAX`] for each endpoint.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use weir_config::{StatePoll, StateWord};
use weir_telemetry::Start;

use super::seen::{Known, Limits, Seen, nanos};
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

/// The models of one endpoint; written by the control plane alone.
#[derive(Debug)]
pub struct Polled {
    /// `host:port`.
    pub endpoint: String,
    limits: Limits,
    models: ArcSwap<HashMap<Arc<str>, Arc<Seen>>>,
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

/// The endpoints of a backend that are asked.
#[derive(Debug, Default)]
pub struct Watched(pub Vec<Arc<Polled>>);

impl Polled {
    /// An endpoint of which nothing is known yet.
    #[must_use]
    pub fn new(endpoint: String, poll: &StatePoll) -> Self {
        let limits = Limits { stale_after: poll.stale_after, reload_within: poll.reload_within };
        Self {
            endpoint,
            limits,
            models: ArcSwap::default(),
            whole: Mutex::default(),
            unlisted: std::array::from_fn(|_| AtomicU64::new(0)),
        }
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
        drop(whole);
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

    /// A request was answered well by this endpoint.
    fn answered(&self, id: &str, name: &ModelName, began: Duration, now: Duration) -> Option<Start> {
        let models = self.models.load();
        let Some(seen) = models.get(id) else {
            // No look has told of it yet.
            self.unlisted(id).fetch_max(nanos(now), Ordering::AcqRel);
            return None;
        };
        seen.answered(name, began, now, self.limits)
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
        known.is_stale(now, self.limits.stale_after)
    }

    /// The names of all models that were ever told of.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.models.load().keys().cloned().collect()
    }
}

impl Watched {
    /// Hot or cold, of a request that was answered well, as far as is known for certain. Of several endpoints nobody knows which one
    /// answered: then it is hot where all of them say so.
    pub(super) fn answered(
        &self,
        id: &str,
        name: &ModelName,
        began: Duration,
        now: Duration,
    ) -> Option<Start> {
        match self.0.as_slice() {
            [] => None,
            [only] => only.answered(id, name, began, now),
            several => {
                let all = |polled: &Arc<Polled>| {
                    let models = polled.models.load();
                    models.get(id).is_some_and(|seen| seen.is_hot(name, began, now))
                };
                several.iter().all(all).then_some(Start::Hot)
            }
        }
    }
}

#[cfg(test)]
mod tests;
