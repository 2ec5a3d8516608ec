//! One model of one endpoint as its server tells it when it is asked, and what that makes of requests: the layer `state`.
//!
//! A poll looks at one moment between the time it was sent and the time it was answered. The rules, for a request that was answered well:
//! * A model was seen not in memory, and nobody was answered since: the first one that is answered and began after that look was sent is
//!   cold. Exactly one. Its answer is also the proof that the model is loaded now.
//! * A request that began when the model was known not to be in memory, and was still on its way when the next look found it so, waited
//!   for the load: cold, also if it is not the first.
//! * A request that began after the first answer, or after a look that found a model loaded of which nothing else was known, is hot, as
//!   long as the last look is not stale.
//! * Everything else began at a time of which nobody knows how the model stood, and stays unknown. A request that began before a model was
//!   seen to have gone is such a one: it may have been answered from memory that was given up behind it.
//! * A model that a look tells of for the first time was not in memory at the look before, if that one told of all models and the
//!   model has answered nobody since.
//!
//! What is not seen: an eviction and a load between two looks. Time is an argument.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_config::StateWord;
use weir_telemetry::Start;

use super::Told;
use crate::identify::ModelName;

/// A model of an endpoint.
#[derive(Debug)]
pub(super) struct Seen {
    /// Requests that began in this time are hot, nanoseconds; follows `known`, and is read without its lock.
    hot_from: AtomicU64,
    /// While this has not passed.
    hot_until: AtomicU64,
    labelled: AtomicBool,
    known: Mutex<Known>,
}

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// How it stood at the last look, or by an answer since.
    pub phase: StateWord,
    /// What requests call it, if that is known.
    pub label: Option<ModelName>,
    /// What the server tells of it, and what was counted.
    pub facts: Facts,
    /// When the last look that told of it was answered.
    pub told_at: Duration,
    /// Since when it is known not to be in memory, without a break; of the last time.
    gone_since: Duration,
    /// When the last look that did not find it was sent; none: it was always there.
    missed: Option<Duration>,
    first: First,
    /// When the last eviction was seen.
    evicted_at: Option<Duration>,
}

/// What is known of a model beside its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Since when it is loaded, if that was seen.
    pub loaded_since: Option<Duration>,
    /// Memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Memory on GPUs, bytes.
    pub gpu_memory_bytes: Option<u64>,
    /// Loads that were seen.
    pub loads: u64,
    /// Evictions that were seen.
    pub evictions: u64,
    /// Loads soon after an eviction.
    pub reloads: u64,
    /// How long it had been loaded when it was evicted last.
    pub evicted_age: Option<Duration>,
}

/// Who was answered first since the model was last not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum First {
    /// Nobody yet.
    #[default]
    Awaited,
    /// Somebody, at this time.
    At(Duration),
    /// Somebody whose answer may be from before.
    Doubtful,
}

/// What the counts go by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) stale_after: Duration,
    pub(super) reload_within: Duration,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            hot_from: AtomicU64::new(u64::MAX),
            hot_until: AtomicU64::new(0),
            labelled: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }

    pub(super) fn known(&self) -> Known {
        self.lock().clone()
    }

    /// A look, sent and answered at these times, told something.
    pub(super) fn told(&self, told: &Told, (sent, answered): (Duration, Duration), limits: Limits) {
        let mut known = self.lock();
        known.told(told, (sent, answered), limits);
        self.publish(&known, limits);
    }

    /// A request was answered well.
    pub(super) fn answered(
        &self,
        name: &ModelName,
        began: Duration,
        now: Duration,
        limits: Limits,
    ) -> Option<Start> {
        if self.is_hot(name, began, now) {
            return Some(Start::Hot);
        }
        let mut known = self.lock();
        let start = known.answered(began, now, limits);
        self.publish(&known, limits);
        start
    }

    /// Whether it was in memory for certain; takes no part in who was first.
    pub(super) fn is_hot(&self, name: &ModelName, began: Duration, now: Duration) -> bool {
        if !self.labelled.load(Ordering::Relaxed) {
            self.labelled.store(true, Ordering::Relaxed);
            self.lock().label = Some(name.clone());
        }
        nanos(began) >= self.hot_from.load(Ordering::Acquire)
            && nanos(now) <= self.hot_until.load(Ordering::Acquire)
    }

    fn publish(&self, known: &Known, limits: Limits) {
        let (from, until) =
            known.hot(limits).map_or((u64::MAX, 0), |(from, until)| (nanos(from), nanos(until)));
        self.hot_until.store(until, Ordering::Release);
        self.hot_from.store(from, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether the last look is too old to say anything.
    #[must_use]
    pub fn is_stale(&self, now: Duration, stale_after: Duration) -> bool {
        now.saturating_sub(self.told_at) > stale_after
    }

    fn told(&mut self, told: &Told, (sent, answered): (Duration, Duration), limits: Limits) {
        // What stood before nobody looked for so long is no longer known.
        if self.is_stale(sent, limits.stale_after) {
            self.phase = StateWord::Unknown;
            self.facts.loaded_since = None;
        }
        match told.word {
            StateWord::Unknown => {}
            StateWord::Loaded => self.found(sent, answered, limits),
            // An answer while the look was on its way: nobody knows which came first.
            StateWord::Loading | StateWord::Unloaded
                if self.phase == StateWord::Loaded && matches!(self.first, First::At(at) if at >= sent) => {}
            word => self.missed(word, sent, answered),
        }
        if told.word == StateWord::Unknown {
            // It was not among those that were asked this time.
            return;
        }
        self.told_at = answered;
        let is_loaded = self.phase == StateWord::Loaded;
        self.facts.memory_bytes = told.memory_bytes.filter(|_| is_loaded);
        self.facts.gpu_memory_bytes = told.gpu_memory_bytes.filter(|_| is_loaded);
    }

    fn found(&mut self, sent: Duration, answered: Duration, limits: Limits) {
        match self.phase {
            StateWord::Loaded => {}
            StateWord::Unknown => {
                self.missed = None;
                self.first = First::At(answered);
            }
            StateWord::Loading | StateWord::Unloaded => {
                self.loaded(sent, limits);
                if self.first == First::Doubtful {
                    self.first = First::At(answered);
                }
            }
        }
        self.phase = StateWord::Loaded;
    }

    fn missed(&mut self, word: StateWord, sent: Duration, answered: Duration) {
        match self.phase {
            StateWord::Loading | StateWord::Unloaded => {}
            StateWord::Unknown => self.gone_since = answered,
            StateWord::Loaded => {
                self.gone_since = answered;
                self.facts.evictions += 1;
                self.facts.evicted_age = self.facts.loaded_since.map(|since| sent.saturating_sub(since));
                self.evicted_at = Some(sent);
            }
        }
        self.phase = word;
        self.missed = Some(sent);
        self.first = First::Awaited;
        self.facts.loaded_since = None;
    }

    fn loaded(&mut self, at: Duration, limits: Limits) {
        self.phase = StateWord::Loaded;
        self.facts.loads += 1;
        self.facts.loaded_since = Some(at);
        let soon = |evicted: Duration| at.saturating_sub(evicted) <= limits.reload_within;
        if self.evicted_at.is_some_and(soon) {
            self.facts.reloads += 1;
        }
    }

    fn answered(&mut self, began: Duration, now: Duration, limits: Limits) -> Option<Start> {
        if self.phase == StateWord::Unknown || self.is_stale(now, limits.stale_after) {
            return None;
        }
        if let Some(missed) = self.missed
            && began <= missed
        {
            if self.gone_since <= began {
                self.answered_first(now, limits);
                return Some(Start::Cold);
            }
            if self.first == First::Awaited {
                self.first = if self.phase == StateWord::Loaded { First::At(now) } else { First::Doubtful };
            }
            return None;
        }
        match self.first {
            First::Awaited => {
                self.answered_first(now, limits);
                Some(Start::Cold)
            }
            First::At(first) => (began >= first).then_some(Start::Hot),
            First::Doubtful => None,
        }
    }

    fn answered_first(&mut self, now: Duration, limits: Limits) {
        if self.phase != StateWord::Loaded {
            self.loaded(now, limits);
        }
        if !matches!(self.first, First::At(_)) {
            self.first = First::At(now);
        }
    }

    /// Requests that begin from the first on and end before the second are hot.
    fn hot(&self, limits: Limits) -> Option<(Duration, Duration)> {
        match (self.phase, self.first) {
            (StateWord::Loaded, First::At(first)) => Some((first, self.told_at + limits.stale_after)),
            _ => None,
        }
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
