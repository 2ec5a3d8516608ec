//! What endpoints tell of their models when they are asked: the table of one endpoint, and the endpoints of a backend.
//!
//! Cost: a request to a backend that nobody asks costs one atomic load; to another one, one look-up in a map that is read without a lock
//! and, for a model that is known to be hot, nothing else. Bounded by [`MODELS_MAX`] for each endpoint.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use weir_config::{StatePoll, StateWord};
use weir_telemetry::Start;

use super::seen::{Known, Limits, Seen};
use crate::identify::ModelName;

/// Models of one endpoint: some 400 bytes each.
pub const MODELS_MAX: usize = 16_384;

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
}

/// The endpoints of a backend that are asked.
#[derive(Debug, Default)]
pub struct Watched(pub Vec<Arc<Polled>>);

impl Polled {
    /// An endpoint of which nothing is known yet.
    #[must_use]
    pub fn new(endpoint: String, poll: &StatePoll) -> Self {
        let limits = Limits { stale_after: poll.stale_after, reload_within: poll.reload_within };
        Self { endpoint, limits, models: ArcSwap::default() }
    }

    /// A look, sent and answered at these times, told this of these models.
    pub fn told(&self, told: &HashMap<String, Told>, sent: Duration, answered: Duration) {
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
                    more.insert(name.into(), Arc::new(Seen::new()));
                }
            }
            models = Arc::new(more);
            self.models.store(Arc::clone(&models));
        }
        for (name, told) in told {
            if let Some(seen) = models.get(name.as_str()) {
                seen.told(told, (sent, answered), self.limits);
            }
        }
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
        let one = |polled: &Arc<Polled>| {
            let models = polled.models.load();
            models.get(id)?.answered(name, began, now, polled.limits)
        };
        match self.0.as_slice() {
            [] => None,
            [only] => one(only),
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
