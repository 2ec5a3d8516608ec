//! The counters of numbers that answers tell, apart from those of every request: made in a lane with the first number
//! of its model, so that a model whose answers tell nothing pays one pointer for them.
//!
//! Cost: an answer's usage 2 to 6 additions, a value 2 additions and a store or two; no lock, no allocation but the
//! first of each histogram (900 bytes) and of the block itself (800 bytes).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::cells::{Cells, Writer};
use super::dense::Dense;
use super::fold::Reader;
use crate::numbers::{Measure, PLACES, Usage, ValueId};

/// One lane's numbers.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    tokens: [AtomicU64; 2],
    broken: [AtomicU32; 3],
    first_token: Timed,
    per_output_token: Timed,
    values: [Place; PLACES],
}

#[derive(Debug, Default)]
struct Timed {
    sum: AtomicU64,
    cells: OnceLock<Box<Cells>>,
}

#[derive(Debug, Default)]
struct Place {
    times: Timed,
    /// Bits of an `f64`, and when it was told, nanoseconds since the start and not 0. A reader that comes between the
    /// two stores pairs a value with the time of one before it, which is as good.
    last: AtomicU64,
    at_ns: AtomicU64,
}

impl Numbers {
    pub(super) fn usage<W: Writer>(&self, told: &Usage) {
        for (counter, n) in self.tokens.iter().zip(told.tokens) {
            if n > 0 {
                W::add64(counter, n);
            }
        }
        if let Some(counter) = told.broken.and_then(|how| self.broken.get(how as usize)) {
            W::add32(counter, 1);
        }
        if let Some(ns) = told.first_token_ns {
            self.first_token.record::<W>(ns);
        }
        if let Some(ns) = told.per_output_token_ns {
            self.per_output_token.record::<W>(ns);
        }
    }

    pub(super) fn value<W: Writer>(&self, id: ValueId, value: f64, at_ns: u64) {
        let Some(place) = self.values.get(usize::from(id.place)) else { return };
        if id.measure == Measure::Times {
            // As a cast it saturates, and nothing is below 0.
            place.times.record::<W>((value * 1e9).round() as u64);
        } else {
            place.last.store(value.to_bits(), Relaxed);
            place.at_ns.store(at_ns.max(1), Relaxed);
        }
    }
}

impl Timed {
    fn record<W: Writer>(&self, ns: u64) {
        W::add64(&self.sum, ns);
        self.cells.get_or_init(Box::default).record::<W>(ns);
    }
}

/// What one model's numbers did between two folds: dense, reused from model to model.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) tokens: [u64; 2],
    pub(crate) broken: [u32; 3],
    pub(crate) first_token: Dense,
    pub(crate) per_output_token: Dense,
    pub(crate) values: [Last; PLACES],
    is_clear: bool,
}

/// A value's increments, and the last of it.
#[derive(Debug, Default)]
pub(crate) struct Last {
    pub(crate) times: Dense,
    pub(crate) last: u64,
    pub(crate) at_ns: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            tokens: [0; 2],
            broken: [0; 3],
            first_token: Dense::default(),
            per_output_token: Dense::default(),
            values: std::array::from_fn(|_| Last::default()),
            is_clear: true,
        }
    }
}

impl Tally {
    /// Empties it for the next model, if the last one put anything in.
    pub(crate) fn clear(&mut self) {
        if !self.is_clear {
            *self = Self::default();
        }
    }

    /// Whether there is anything in it.
    pub(crate) const fn is_clear(&self) -> bool {
        self.is_clear
    }
}

/// How many counters of each kind come on top of a lane's own; see [`super::fold`].
pub(super) const WIDE: usize = 4 + 2 * PLACES;
pub(super) const NARROW: usize = 3;
pub(super) const HISTOGRAMS: usize = 2 + PLACES;

/// Adds what was counted since the last reading. `wide`, `narrow` and `histogram` are the first numbers of ours.
pub(super) fn read(
    numbers: &Numbers,
    reader: &mut impl Reader,
    (wide, narrow, histogram): (usize, usize, usize),
    tally: &mut Tally,
) {
    tally.is_clear = false;
    for (at, (counter, into)) in numbers.tokens.iter().zip(&mut tally.tokens).enumerate() {
        *into += reader.wide(wide + at, counter);
    }
    for (at, (counter, into)) in numbers.broken.iter().zip(&mut tally.broken).enumerate() {
        *into += reader.narrow(narrow + at, counter);
    }
    let mut timed = |at: usize, timed: &Timed, into: &mut Dense| {
        if let Some(cells) = timed.cells.get() {
            reader.cells(histogram + at, cells, into);
            into.sum += reader.wide(wide + 2 + at, &timed.sum);
        }
    };
    timed(0, &numbers.first_token, &mut tally.first_token);
    timed(1, &numbers.per_output_token, &mut tally.per_output_token);
    for (at, (place, into)) in numbers.values.iter().zip(&mut tally.values).enumerate() {
        timed(2 + at, &place.times, &mut into.times);
    }
    for (at, (place, into)) in numbers.values.iter().zip(&mut tally.values).enumerate() {
        let told = reader.changed(wide + 4 + PLACES + at, &place.at_ns);
        if let Some(at_ns) = told.filter(|at_ns| *at_ns > into.at_ns) {
            (into.last, into.at_ns) = (place.last.load(Relaxed), at_ns);
        }
    }
}

#[cfg(test)]
mod tests;
