//! A model of an endpoint as requests meet it: what is [`Known`] of it behind a lock, and before the lock, for the many requests that meet a
//! model that is hot for certain, the time in which it is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_telemetry::{Evidence, Lifecycles, Start};

use super::Told;
use super::known::{Called, Known, Limits};
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

    /// A call was sent and answered at these times.
    pub(super) fn called(&self, called: Called, (sent, answered): (Duration, Duration), limits: Limits) {
        let mut known = self.lock();
        known.called(called, (sent, answered), limits);
        self.publish(&known, limits);
    }

    /// A request was answered well; `took` is the time of a load that the answer told.
    pub(super) fn answered(
        &self,
        name: &ModelName,
        (began, now): (Duration, Duration),
        took: Option<Duration>,
        limits: Limits,
    ) -> Option<(Start, Evidence)> {
        if took.is_none() && self.is_hot(name, began, now) {
            // Of no interest: which layer says that it is hot.
            return Some((Start::Hot, Evidence::State));
        }
        let mut known = self.lock();
        let start = known.answered(began, now, limits);
        if let Some(took) = took {
            known.load_told(took, start, (began, now), limits);
        }
        self.publish(&known, limits);
        start.map(|start| (start, known.by.evidence()))
    }

    /// What that would say of the start; nothing is taken or changed.
    pub(super) fn would_be(
        &self,
        began: Duration,
        now: Duration,
        limits: Limits,
    ) -> Option<(Start, Evidence)> {
        let known = self.known();
        let by = known.by.evidence();
        { known }.answered(began, now, limits).map(|start| (start, by))
    }

    /// What happened since it was asked last.
    pub(super) fn take_pending(&self) -> Lifecycles {
        std::mem::take(&mut self.lock().pending)
    }

    /// What nobody could take comes back.
    pub(super) fn give_back(&self, events: Lifecycles) {
        let mut known = self.lock();
        let newer = std::mem::replace(&mut known.pending, events);
        known.pending.add(&newer);
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

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
