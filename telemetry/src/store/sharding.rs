//! Sets of per-worker lanes, lent to the models that are busy enough for their base lane to be fought over.
//!
//! A set has one lane for each worker, which that worker alone writes. When a model cools down its set is taken back
//! and may be lent to another, but only after every recorder has been seen between two calls since: until then one
//! could still be about to write for the old model (`Presence`).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lane::Lane;

/// All sets there can be, made when first lent.
#[derive(Debug)]
pub(crate) struct Sets {
    sets: Box<[OnceLock<Box<[Lane]>>]>,
    workers: usize,
}

impl Sets {
    pub(crate) fn new(sets_max: u32, workers: usize) -> Self {
        Self { sets: (0..sets_max).map(|_| OnceLock::new()).collect(), workers }
    }

    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The lane of a worker in set `number`, counted from 1 as [`super::model::Slot::set`] does.
    #[inline]
    pub(crate) fn lane(&self, number: u32, worker: usize) -> Option<&Lane> {
        self.sets.get((number as usize).checked_sub(1)?)?.get()?.get(worker)
    }

    /// All lanes of a set that was ever lent.
    pub(crate) fn lanes(&self, number: u32) -> &[Lane] {
        let set = (number as usize).checked_sub(1).and_then(|at| self.sets.get(at));
        set.and_then(OnceLock::get).map_or(&[], |lanes| lanes)
    }

    pub(crate) fn make(&self, number: u32) {
        if let Some(set) = (number as usize).checked_sub(1).and_then(|at| self.sets.get(at)) {
            set.get_or_init(|| (0..self.workers).map(|_| Lane::default()).collect());
        }
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
