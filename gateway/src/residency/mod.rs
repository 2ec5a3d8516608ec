//! Which model is in a backend's memory, as far as the load and unload calls that passed through weir tell. It is how the layer
//! `lifecycle` knows a cold start, and it remembers for the layer `status` that a server said "loading".
//!
//! Beside it stands, for each endpoint that is asked or that is one of several, what is known of its models by the calls that it answered
//! and by what it tells when it is asked (`known` has the rules, `seen` and `polled` the tables): the layer `state`, and what is counted.
//! Where the only endpoint of a backend tells otherwise than calls have shown before, the layer `lifecycle` knows nothing any more; of
//! several endpoints it never does, as a load of one says nothing of the others.
//!
//! The rules, for one model of one backend:
//! * A request that began while a load was on its way, and was answered well, waited for it: cold.
//! * If none of those has been answered when the load is done, the first one that is answered well after it is cold. Exactly one:
//!   whoever is first takes the token.
//! * Whoever begins later is hot, until an unload passes through.
//! * A request that began after an unload and is answered well although no load was seen is cold: something else loaded it.
//! * A model that nothing was ever seen of is unknown. Failed answers decide nothing.
//! * A load of a model that is known to be loaded takes nothing away from it: requests that are answered while the call is still on its
//!   way are hot (Triton reloads so, TorchServe adds workers so). If none was, the next one is cold, as after any load.
//!
//! Cost: a request to a backend of which no call was ever seen costs one atomic load; to another one, one look-up in a map that is read
//! without a lock, and for a model that is loaded and was answered before nothing else. Only what happens around loads and unloads takes the
//! lock of the one model, and never for longer than a few assignments; a new name copies one of 128 parts of its backend's map.
//!
//! Bounded by a number of entries. At the bound, models of the same backend that were unloaded are forgotten (they become unknown); if
//! there are none, a new name is not followed, and counted. Time is an argument: the time since the gateway's start.

mod entry;
mod models;
mod inferred;
mod polled;
mod seen;
mod known;
mod watch;
mod publish;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use weir_telemetry::{Evidence, Start};

use crate::identify::ModelName;

pub use inferred::Answer;
pub use known::{By, Facts, Known};
pub use models::{InferTicket, LoadTicket, Models};
pub use polled::{MODELS_MAX as POLLED_MODELS_MAX, Polled, Told, Watched};
pub use publish::{Publisher, Row, rows};
pub use watch::asked;

/// Entries of all backends together: a model takes about 300 bytes, so that this is about 20 MB.
pub const ENTRIES_MAX: usize = 65_536;

/// Every backend's table; one for the process, it outlives reloads.
#[derive(Debug)]
pub struct Residency {
    backends: Mutex<HashMap<Box<str>, Arc<Models>>>,
    room: Arc<Room>,
}

/// What all tables share: how many entries there are and may be.
#[derive(Debug)]
struct Room {
    entries: AtomicUsize,
    entries_max: usize,
    untracked: AtomicU64,
}

/// How a load call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadSettled {
    /// What became of it.
    pub outcome: LoadOutcome,
    /// What the model is called, if a request that was answered told before. A load that succeeded is handed out with the first answer
    /// after it ([`Settled::load`]), when the name is known for certain.
    pub label: Option<ModelName>,
    /// The endpoint's table was told, and counts it.
    pub is_told: bool,
}

/// What became of a load call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadOutcome {
    /// The model is in memory.
    Loaded {
        /// From the call to its answer.
        took: Duration,
    },
    /// It is being loaded (202): the first answer tells when it is done.
    Accepted,
    /// It was there already (409).
    AlreadyLoaded,
    /// It was refused, or failed (507: no memory).
    Failed,
}

/// What an unload that succeeded means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evicted {
    /// How long the model was in memory; none if weir did not see it loaded.
    pub age: Option<Duration>,
    /// What the model is called, if a request that was answered told.
    pub label: Option<ModelName>,
    /// A load that no request was answered after, and that is therefore not counted yet.
    pub load: Option<Load>,
    /// The endpoint's table was told, and counts both.
    pub is_told: bool,
}

/// A load that is to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How long it took, if that is known.
    pub took: Option<Duration>,
    /// Whether it was soon after an eviction.
    pub reload: bool,
}

/// By whom and when a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The endpoint's place among those of its backend; none: nobody knows, as of a management address that several share.
    pub place: Option<usize>,
    /// When it began.
    pub began: Duration,
    /// When it was answered.
    pub now: Duration,
}

/// What a request's good answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// Hot or cold, and which layer knows; none: unknown.
    pub start: Option<(Start, Evidence)>,
    /// A load that was seen and is counted now, under this request's model.
    pub load: Option<Load>,
}

impl Residency {
    /// An empty table with room for so many models.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        let room = Room { entries: AtomicUsize::new(0), entries_max, untracked: AtomicU64::new(0) };
        Self { backends: Mutex::default(), room: Arc::new(room) }
    }

    /// The table of a backend, by its name; made if it is new. For the control plane: a worker keeps what it got.
    #[must_use]
    pub fn backend(&self, name: &str) -> Arc<Models> {
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(models) = backends.get(name) {
            return Arc::clone(models);
        }
        let models = Arc::new(Models::new(Arc::clone(&self.room)));
        backends.insert(name.into(), Arc::clone(&models));
        models
    }

    /// Entries now.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.room.entries.load(Ordering::Relaxed)
    }

    /// Names that were not followed because there was no room.
    #[must_use]
    pub fn untracked(&self) -> u64 {
        self.room.untracked.load(Ordering::Relaxed)
    }
}

impl Default for Residency {
    fn default() -> Self {
        Self::new(ENTRIES_MAX)
    }
}

impl Room {
    /// Takes a place.
    fn take(&self) -> bool {
        let one_more = |entries| (entries < self.entries_max).then_some(entries + 1);
        self.entries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// Gives places back.
    fn give(&self, entries: usize) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
    }

    fn count_untracked(&self) {
        self.untracked.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
