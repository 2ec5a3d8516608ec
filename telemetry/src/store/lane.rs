//! One set of a model's counters. Every model has a base lane that all threads may write; a busy one also has a lane
//! for each worker, which that worker alone writes (`sharding`).
//!
//! Cost per request, begin and end together: base 5 `fetch_add`, sharded the same number of additions, two more for a
//! first byte; 3 cache lines and one line of each histogram's cells. No lock. The first request of each (model, start) allocates its cells, once.
//! Counters wrap; the ledger reads differences, so that loses nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::cells::{Cells, Writer};
use super::numbers::Numbers;
use crate::numbers::{Usage, ValueId};
use crate::observation::{Evidence, Observation, Outcome, Start};

/// Counters of one model for one set of writers. In this very order, so that what belongs together is on one cache line.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Lane {
    // One cache line: what every request writes.
    pub(crate) started: AtomicU64,
    pub(crate) request_bytes: AtomicU64,
    pub(crate) response_bytes: AtomicU64,
    /// Σ durations by start, nanoseconds.
    pub(crate) sums: [AtomicU64; 3],
    pub(crate) first_byte_sum: AtomicU64,
    pub(crate) queue_sum: AtomicU64,
    // Where the cells are.
    pub(crate) cells: [Cells; 3],
    pub(crate) first_byte: Cells,
    /// Numbers that answers told; made with the first.
    pub(crate) numbers: OnceLock<Box<Numbers>>,
    // What fewer requests write. `Ok` is not counted here: it is the sum of the cells.
    pub(crate) outcomes: [AtomicU32; 8],
    pub(crate) evidence: [AtomicU32; 5],
    pub(crate) queued: AtomicU32,
}

impl Lane {
    /// How many began before since the base lane was last read.
    #[inline]
    pub(crate) fn begin<W: Writer>(&self) -> u64 {
        W::add64(&self.started, 1)
    }

    /// Takes a begin back: the request turned out to belong to another model.
    #[inline]
    pub(crate) fn unbegin<W: Writer>(&self) {
        W::add64(&self.started, u64::MAX);
    }

    #[inline]
    pub(crate) fn end<W: Writer>(&self, seen: &Observation) {
        W::add64(&self.request_bytes, seen.request_bytes);
        W::add64(&self.response_bytes, seen.response_bytes);
        if matches!(seen.outcome, Outcome::Ok) {
            self.succeed::<W>(seen);
        } else if let Some(counter) = self.outcomes.get(seen.outcome.index()) {
            W::add32(counter, 1);
        }
        if matches!(seen.start, Start::Cold) {
            let evidence = seen.evidence.unwrap_or(Evidence::Inferred);
            if let Some(counter) = self.evidence.get(evidence.index()) {
                W::add32(counter, 1);
            }
        }
        if seen.queue_ns > 0 {
            W::add64(&self.queue_sum, seen.queue_ns);
            W::add32(&self.queued, 1);
        }
    }

    pub(crate) fn usage<W: Writer>(&self, told: &Usage) {
        self.numbers.get_or_init(Box::default).usage::<W>(told);
    }

    pub(crate) fn value<W: Writer>(&self, id: ValueId, value: f64, at_ns: u64) {
        self.numbers.get_or_init(Box::default).value::<W>(id, value, at_ns);
    }

    #[inline]
    fn succeed<W: Writer>(&self, seen: &Observation) {
        let start = seen.start.index();
        if let (Some(cells), Some(sum)) = (self.cells.get(start), self.sums.get(start)) {
            // The sum last: whoever sees it unchanged need not look at the cells, but for times of 0.
            cells.record::<W>(seen.duration_ns);
            W::add64(sum, seen.duration_ns);
        }
        if let Some(ns) = seen.first_byte_ns {
            self.first_byte.record::<W>(ns);
            W::add64(&self.first_byte_sum, ns);
        }
    }
}
