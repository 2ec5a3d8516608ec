//! Sets of per-worker lanes, lent to the models that are busy enough for their base lane to be fought over.
//!
//! A set has one lane for each worker, which that worker alone writes. When a model cools down its set is taken back
//! and may be lent to another, but only after every recorder has been seen between two calls since: until then one
//! could still be about to write for the old model (`Presence`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lane::Lane;

/// One worker's lanes by set.
pub(crate) type Lanes = Arc<[Lane]>;

/// All lanes there can be: 90 KB for each worker with 128 sets. Made at once, so that no request asks whether they are.
#[derive(Debug)]
pub(crate) struct Sets {
    workers: Box<[Lanes]>,
    len: u32,
}

impl Sets {
    pub(crate) fn new(sets_max: u32, workers: usize) -> Self {
        let lanes = || (0..sets_max).map(|_| Lane::default()).collect();
        Self { workers: (0..workers).map(|_| lanes()).collect(), len: sets_max }
    }

    /// Sets there are, numbered from 0.
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    /// The lanes that a worker writes, of no worker none.
    pub(crate) fn of(&self, worker: Option<usize>) -> Lanes {
        worker.and_then(|worker| self.workers.get(worker)).map_or_else(|| [].into(), Arc::clone)
    }

    /// All lanes of a set, by worker.
    pub(crate) fn lanes(&self, set: u32) -> impl Iterator<Item = &Lane> {
        self.workers.iter().filter_map(move |lanes| lanes.get(set as usize))
    }
}

/// One recorder as the control plane sees it: the last epoch it is known to have been outside of any call, and how
/// many requests it settled. On a cache line of its own, for its recorder writes it with every request.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Presence {
    pub(crate) epoch: AtomicU64,
    pub(crate) settled: AtomicU64,
    pub(crate) worker: Option<usize>,
}

impl Presence {
    pub(crate) fn new(worker: Option<usize>, epoch: u64) -> Self {
        Self { epoch: AtomicU64::new(epoch), settled: AtomicU64::new(0), worker }
    }

    /// Whether all that its recorder does from now on happens after `epoch` began.
    pub(crate) fn has_passed(&self, epoch: u64) -> bool {
        self.epoch.load(Ordering::Acquire) >= epoch
    }
}
