//! Reads lanes into a [`Delta`]: what was counted since the lane was last read.
//!
//! A base lane is emptied as it is read (its writers are read-modify-writes, so none is lost). A worker's lane cannot
//! be emptied under its writer; the reader keeps what it saw and takes the wrapping difference.
//! Ends are read before begins, so that what is in flight is never seen below nothing. Sums are read before their cells,
//! and written after them: a histogram whose sum did not move is not walked through.

use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::cells::Cells;
use super::dense::Dense;
use super::grid::CELLS;
use super::lane::Lane;
use super::model::Rare;
use super::numbers;
use crate::totals::Delta;

/// How many 64-bit counters, and 32-bit counters outside of cells, a lane has.
const WIDE: usize = 8;
const NARROW: usize = 14;
const HISTOGRAMS: usize = 4;

/// Adds what the base lane and the rare counters hold, and empties them.
pub(crate) fn drain(base: &Lane, rare: &Rare, delta: &mut Delta) {
    read(base, &mut Swap, delta);
    delta.loads += take(&rare.loads);
    delta.load_failures += take(&rare.load_failures);
    delta.timed_loads += take(&rare.timed_loads);
    delta.evictions += take(&rare.evictions);
    delta.reloads += take(&rare.reloads);
    delta.load_sum += rare.load_sum.swap(0, Relaxed);
    delta.load_last = rare.load_last.load(Relaxed);
    delta.evicted_age = rare.evicted_age.load(Relaxed);
}

/// Adds what a worker's lane counted since `kept`.
pub(crate) fn differ(lane: &Lane, kept: &mut Kept, delta: &mut Delta) {
    read(lane, kept, delta);
}

/// Whether anything can have happened on the base lane since it was drained, if nothing is in flight.
pub(crate) fn is_quiet(base: &Lane, rare: &Rare) -> bool {
    base.started.load(Relaxed) == 0
        && [&rare.loads, &rare.timed_loads, &rare.load_failures, &rare.evictions, &rare.reloads]
            .iter()
            .all(|n| n.load(Relaxed) == 0)
}

/// A worker's lane as it was last read.
#[derive(Debug)]
pub(crate) struct Kept {
    wide: [u64; WIDE + numbers::WIDE],
    narrow: [u32; NARROW + numbers::NARROW],
    cells: [Option<Box<[u32; CELLS]>>; HISTOGRAMS + numbers::HISTOGRAMS],
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            wide: [0; WIDE + numbers::WIDE],
            narrow: [0; NARROW + numbers::NARROW],
            cells: [const { None }; HISTOGRAMS + numbers::HISTOGRAMS],
        }
    }
}

pub(super) trait Reader {
    fn wide(&mut self, at: usize, counter: &AtomicU64) -> u64;
    fn narrow(&mut self, at: usize, counter: &AtomicU32) -> u32;
    fn cells(&mut self, at: usize, cells: &Cells, into: &mut Dense);
    /// The first cell alone.
    fn first(&mut self, at: usize, cells: &Cells, into: &mut Dense);
    /// What stands there, if it is not what stood there when it was last read.
    fn changed(&mut self, at: usize, value: &AtomicU64) -> Option<u64>;
}

fn read(lane: &Lane, reader: &mut impl Reader, delta: &mut Delta) {
    let Lane { started, request_bytes, response_bytes, sums, first_byte_sum, queue_sum, .. } = lane;
    let [hot, cold, unknown] = &mut delta.cells;
    let histograms = lane.cells.iter().chain([&lane.first_byte]).zip(sums.iter().chain([first_byte_sum]));
    for (at, ((cells, sum), into)) in histograms.zip([hot, cold, unknown, &mut delta.first_byte]).enumerate()
    {
        let sum = reader.wide(at, sum);
        into.sum += sum;
        // Times of 0 are in no sum, and all in the first cell.
        if sum > 0 { reader.cells(at, cells, into) } else { reader.first(at, cells, into) }
    }
    for (at, (counter, into)) in lane.outcomes.iter().zip(&mut delta.outcomes).enumerate() {
        *into += reader.narrow(at, counter);
    }
    for (at, (counter, into)) in lane.evidence.iter().zip(&mut delta.cold_starts).enumerate() {
        *into += reader.narrow(8 + at, counter);
    }
    delta.queued += reader.narrow(13, &lane.queued);
    if let Some(told) = lane.numbers.get() {
        numbers::read(told, reader, (WIDE, NARROW, HISTOGRAMS), delta.numbers.get_or_insert_default());
    }
    delta.queue_sum += reader.wide(4, queue_sum);
    delta.request_bytes += reader.wide(5, request_bytes);
    delta.response_bytes += reader.wide(6, response_bytes);
    delta.started = delta.started.wrapping_add(reader.wide(7, started));
}

struct Swap;

impl Reader for Swap {
    fn wide(&mut self, _: usize, counter: &AtomicU64) -> u64 {
        if counter.load(Relaxed) == 0 { 0 } else { counter.swap(0, Acquire) }
    }

    fn narrow(&mut self, _: usize, counter: &AtomicU32) -> u32 {
        take(counter)
    }

    fn cells(&mut self, _: usize, cells: &Cells, into: &mut Dense) {
        for (at, cell) in cells.iter() {
            into.add(at, take(cell));
        }
    }

    fn first(&mut self, _: usize, cells: &Cells, into: &mut Dense) {
        cells.first().into_iter().for_each(|cell| into.add(0, take(cell)));
    }

    fn changed(&mut self, _: usize, value: &AtomicU64) -> Option<u64> {
        if value.load(Relaxed) == 0 { None } else { Some(value.swap(0, Relaxed)).filter(|value| *value > 0) }
    }
}

impl Reader for Kept {
    fn wide(&mut self, at: usize, counter: &AtomicU64) -> u64 {
        let now = counter.load(Acquire);
        self.wide.get_mut(at).map_or(0, |kept| now.wrapping_sub(std::mem::replace(kept, now)))
    }

    fn narrow(&mut self, at: usize, counter: &AtomicU32) -> u32 {
        let now = counter.load(Relaxed);
        self.narrow.get_mut(at).map_or(0, |kept| now.wrapping_sub(std::mem::replace(kept, now)))
    }

    fn cells(&mut self, at: usize, cells: &Cells, into: &mut Dense) {
        for (cell, counter) in cells.iter() {
            self.cell((at, cell), counter, into);
        }
    }

    fn first(&mut self, at: usize, cells: &Cells, into: &mut Dense) {
        cells.first().into_iter().for_each(|counter| self.cell((at, 0), counter, into));
    }

    fn changed(&mut self, at: usize, value: &AtomicU64) -> Option<u64> {
        let now = value.load(Relaxed);
        self.wide.get_mut(at).and_then(|kept| (std::mem::replace(kept, now) != now).then_some(now))
    }
}

impl Kept {
    fn cell(&mut self, (at, cell): (usize, usize), counter: &AtomicU32, into: &mut Dense) {
        let Some(kept) = self.cells.get_mut(at) else { return };
        if let Some(kept) = kept.get_or_insert_with(|| Box::new([0; CELLS])).get_mut(cell) {
            let now = counter.load(Relaxed);
            into.add(cell, now.wrapping_sub(std::mem::replace(kept, now)));
        }
    }
}

/// Most counters are zero at most readings, and a load is cheaper than a swap.
fn take(counter: &AtomicU32) -> u32 {
    if counter.load(Relaxed) == 0 { 0 } else { counter.swap(0, Relaxed) }
}

#[cfg(test)]
mod tests {
    use super::super::cells::{Owned, Shared};
    use super::*;
    use crate::observation::{Observation, Outcome, Start};

    fn ok() -> Observation {
        Observation::new(Outcome::Ok, Start::Hot, 5_000_000)
    }

    #[test]
    fn a_drained_lane_is_empty_and_a_kept_one_tells_only_the_difference() {
        let (base, lane, rare, mut kept) =
            (Lane::default(), Lane::default(), Rare::default(), Kept::default());
        for _ in 0..3 {
            base.begin::<Shared>();
            base.end::<Shared>(&ok());
            lane.begin::<Owned>();
            lane.end::<Owned>(&ok());
            let mut delta = Delta::default();
            drain(&base, &rare, &mut delta);
            differ(&lane, &mut kept, &mut delta);
            delta.count_successes();
            assert_eq!((delta.started, delta.outcomes[0], delta.cells[0].sum), (2, 2, 10_000_000));
        }
    }

    #[test]
    fn counters_of_32_and_64_bits_wrap_without_losing_anything() {
        let (lane, mut kept) = (Lane::default(), Kept::default());
        lane.begin::<Owned>();
        lane.end::<Owned>(&ok());
        let cell = lane.cells[0].iter().find(|(_, cell)| cell.load(Relaxed) == 1).unwrap().1;
        cell.store(u32::MAX, Relaxed);
        lane.sums[0].store(u64::MAX - 1, Relaxed);
        lane.started.store(u64::MAX, Relaxed);
        differ(&lane, &mut kept, &mut Delta::default());
        lane.begin::<Owned>();
        lane.end::<Owned>(&ok());
        let mut delta = Delta::default();
        differ(&lane, &mut kept, &mut delta);
        delta.count_successes();
        assert_eq!((delta.started, delta.outcomes[0], delta.cells[0].sum), (1, 1, 5_000_000));
    }
}
