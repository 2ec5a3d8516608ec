//! What a settled request says about itself: outcome, kind of start, the evidence for it, times and sizes.
//! The vocabulary of the whole crate.

use std::time::Duration;

/// How a request ended. One request has exactly one outcome, also when the caller went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The backend answered well and the whole answer was relayed.
    Ok,
    /// The backend (or weir) found the request itself at fault.
    ClientError,
    /// The backend answered with a fault of its own, or broke off its answer.
    ServerError,
    /// A limit on time was reached.
    Timeout,
    /// No connection to a backend could be made.
    Unreachable,
    /// The backend said that the model is not ready yet.
    NotReady,
    /// The backend or weir turned the request away to protect itself.
    Shed,
    /// The caller went away first.
    Cancelled,
}

impl Outcome {
    /// Every outcome, in the order of [`Outcome::index`].
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::ClientError,
        Self::ServerError,
        Self::Timeout,
        Self::Unreachable,
        Self::NotReady,
        Self::Shed,
        Self::Cancelled,
    ];

    /// The value of the label `outcome`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::NotReady => "not_ready",
            Self::Shed => "shed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the error rate counts it: the serving side's fault. A client's own error and a client that left are
    /// neither a success nor a failure of the model.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::ServerError | Self::Timeout | Self::Unreachable | Self::NotReady | Self::Shed)
    }

    /// Position in [`Outcome::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Whether the model was in memory when the request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Start {
    /// It was.
    Hot,
    /// It had to be loaded first.
    Cold,
    /// Nobody said; it is counted as unknown and never guessed into hot.
    Unknown,
}

impl Start {
    /// Every start, in the order of [`Start::index`].
    pub const ALL: [Self; 3] = [Self::Hot, Self::Cold, Self::Unknown];

    /// The value of the label `start`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::Unknown => "unknown",
        }
    }

    /// Position in [`Start::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Which layer decided that a start was cold (DESIGN.md §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Evidence {
    /// A response header, a `Server-Timing` entry, or a load time in the answer.
    Header,
    /// A status that says "loading", seen before the success.
    Status,
    /// A load or unload call that passed through.
    Lifecycle,
    /// Polled state of the server.
    State,
    /// Deduced from a gap or from a latency with two peaks.
    Inferred,
}

impl Evidence {
    /// Every layer, in the order of [`Evidence::index`].
    pub const ALL: [Self; 5] = [Self::Header, Self::Status, Self::Lifecycle, Self::State, Self::Inferred];

    /// The value of the label `evidence`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Status => "status",
            Self::Lifecycle => "lifecycle",
            Self::State => "state",
            Self::Inferred => "inferred",
        }
    }

    /// Position in [`Evidence::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Something that happened to a model outside of a request for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// It was loaded.
    Loaded {
        /// How long that took, if it is known.
        took: Option<Duration>,
    },
    /// How long a load took that was counted before.
    Timed(Duration),
    /// A load was tried and failed.
    LoadFailed,
    /// It was put out of memory.
    Evicted {
        /// How long it had been loaded, if that is known.
        age: Option<Duration>,
    },
    /// It was loaded again soon after it was put out. Beside its `Loaded`.
    Reloaded,
}

/// Lifecycle events of one model, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifecycles {
    /// Loads that succeeded.
    pub loads: u32,
    /// Those of them whose time is known.
    pub timed_loads: u32,
    /// How long these took together.
    pub load_time: Duration,
    /// How long the last of these took.
    pub last_load: Option<Duration>,
    /// Loads that failed.
    pub load_failures: u32,
    /// Times it was put out of memory.
    pub evictions: u32,
    /// How long it had been loaded when it was put out last, if that is known.
    pub evicted_age: Option<Duration>,
    /// Loads soon after it was put out.
    pub reloads: u32,
}

impl Lifecycles {
    /// One more.
    pub fn count(&mut self, event: Lifecycle) {
        match event {
            Lifecycle::Loaded { took } => {
                self.loads = self.loads.saturating_add(1);
                if let Some(took) = took {
                    self.count(Lifecycle::Timed(took));
                }
            }
            Lifecycle::Timed(took) => {
                self.timed_loads = self.timed_loads.saturating_add(1);
                self.load_time = self.load_time.saturating_add(took);
                self.last_load = Some(took);
            }
            Lifecycle::LoadFailed => self.load_failures = self.load_failures.saturating_add(1),
            Lifecycle::Evicted { age } => {
                self.evictions = self.evictions.saturating_add(1);
                self.evicted_age = age.or(self.evicted_age);
            }
            Lifecycle::Reloaded => self.reloads = self.reloads.saturating_add(1),
        }
    }

    /// Those of another, which came later.
    pub fn add(&mut self, later: &Self) {
        self.loads = self.loads.saturating_add(later.loads);
        self.timed_loads = self.timed_loads.saturating_add(later.timed_loads);
        self.load_time = self.load_time.saturating_add(later.load_time);
        self.last_load = later.last_load.or(self.last_load);
        self.load_failures = self.load_failures.saturating_add(later.load_failures);
        self.evictions = self.evictions.saturating_add(later.evictions);
        self.evicted_age = later.evicted_age.or(self.evicted_age);
        self.reloads = self.reloads.saturating_add(later.reloads);
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Lifecycle> for Lifecycles {
    fn from(event: Lifecycle) -> Self {
        let mut one = Self::default();
        one.count(event);
        one
    }
}

/// All that is recorded of one request, at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// How it ended.
    pub outcome: Outcome,
    /// Hot, cold or unknown.
    pub start: Start,
    /// Who said so. Counted only for cold starts; a cold start with none counts as [`Evidence::Inferred`].
    pub evidence: Option<Evidence>,
    /// From the first byte of the request's head to the end of the answer, nanoseconds. Recorded for
    /// [`Outcome::Ok`] alone: fast errors must not pull a percentile down.
    pub duration_ns: u64,
    /// From the same beginning to the first byte of the answer's body, nanoseconds; recorded for `Ok` alone.
    pub first_byte_ns: Option<u64>,
    /// Time spent waiting inside weir, nanoseconds; 0 = did not wait.
    pub queue_ns: u64,
    /// Body bytes that came from the caller.
    pub request_bytes: u64,
    /// Body bytes that came from the backend.
    pub response_bytes: u64,
    /// A load time that the backend reported with this very answer, nanoseconds. It counts as one load, so a
    /// caller that also reports [`Lifecycle::Loaded`] for the same load leaves it out.
    pub load_ns: Option<u64>,
}

impl Observation {
    /// An observation with nothing in it but how it ended and how long it took.
    #[must_use]
    pub const fn new(outcome: Outcome, start: Start, duration_ns: u64) -> Self {
        Self {
            outcome,
            start,
            evidence: None,
            duration_ns,
            first_byte_ns: None,
            queue_ns: 0,
            request_bytes: 0,
            response_bytes: 0,
            load_ns: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_the_position_in_all() {
        assert!(Outcome::ALL.iter().enumerate().all(|(i, o)| o.index() == i));
        assert!(Start::ALL.iter().enumerate().all(|(i, s)| s.index() == i));
        assert!(Evidence::ALL.iter().enumerate().all(|(i, e)| e.index() == i));
    }
}
