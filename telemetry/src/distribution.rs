//! How long requests took: counts on the union grid, their sum, and what can be said from them.
//!
//! Quantiles are by nearest rank. The sample of that rank and the estimate lie in the same cell `(l, u]`; the
//! estimate `2lu/(l+u)` is off by at most `(g-1)/(g+1)` with `g = u/l ≤ 2^(1/8)`: 4.33 %. Below 61 µs and above
//! 1,024 s the grid does not resolve and the estimate is that edge.

mod counts;

use std::time::Duration;

use counts::Counts;

use crate::store::dense::Dense;
use crate::store::grid::{BOUNDS, CELLS, TOP_NS, edges};

/// A histogram with its sum. Only the stretch of cells that was ever hit takes memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    sum_ns: u128,
    first: usize,
    counts: Counts,
}

impl Distribution {
    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.sum()
    }

    /// Whether none was.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.counts.len() == 0
    }

    /// Their sum in nanoseconds, exact.
    #[must_use]
    pub const fn sum_ns(&self) -> u128 {
        self.sum_ns
    }

    /// The arithmetic mean.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let mean = self.sum_ns.checked_div(u128::from(self.count()))?;
        Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    /// The quantile `q` (0 to 1) by nearest rank, off by at most 4.33 % (see the module); `None` of nothing.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        let cell = self.cells().find(|(_, n)| {
            seen += n;
            seen >= rank
        });
        cell.map(|(cell, _)| Duration::from_nanos(estimate(cell)))
    }

    /// How many took `bound` or less. Exact if `bound` is one of the grid's; else those of the cells that end by it.
    #[must_use]
    pub fn at_most(&self, bound: Duration) -> u64 {
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let cells = BOUNDS.iter().take(CELLS - 1).take_while(|upper| **upper <= bound).count();
        self.cumulative(&[cells]).next().unwrap_or(0)
    }

    /// The cells that were hit or lie between such, with their counts: `(cell, count)`, ascending.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().enumerate().map(|(at, count)| (self.first + at, count))
    }

    /// What stands for each cell that was hit, nanoseconds, and how often it was.
    pub(crate) fn points(&self) -> impl Iterator<Item = (u64, u64)> {
        self.cells().filter(|(_, count)| *count > 0).map(|(cell, count)| (estimate(cell), count))
    }

    /// How many lie up to each of ascending bounds, which are given as [`grid::cells_up_to`] does.
    ///
    /// [`grid::cells_up_to`]: crate::store::grid::cells_up_to
    pub(crate) fn cumulative(&self, bounds: &[usize]) -> impl Iterator<Item = u64> {
        let mut cells = self.cells().peekable();
        let mut below = 0;
        bounds.iter().map(move |bound| {
            while let Some((_, count)) = cells.next_if(|(cell, _)| cell < bound) {
                below += count;
            }
            below
        })
    }

    /// Adds what was counted since.
    pub(crate) fn add_dense(&mut self, dense: &Dense) {
        self.sum_ns += u128::from(dense.sum);
        let Some((first, hit)) = dense.hit() else { return };
        self.cover(first, first + hit.len() - 1);
        self.counts.add(first - self.first, hit);
    }

    /// Adds another distribution.
    pub fn merge(&mut self, other: &Self) {
        self.sum_ns += other.sum_ns;
        if other.is_empty() {
            return;
        }
        self.cover(other.first, other.first + other.counts.len() - 1);
        self.counts.merge(other.first - self.first, &other.counts);
    }

    /// What is here and was not yet in `earlier`, a former state of the same distribution.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut rest = self.clone();
        rest.sum_ns = self.sum_ns.saturating_sub(earlier.sum_ns);
        // What an earlier state has, a later one covers.
        if let Some(at) = earlier.first.checked_sub(self.first) {
            rest.counts.take(at, earlier.counts.iter());
        }
        if rest.count() == 0 {
            rest.counts = Counts::default();
        }
        rest
    }

    /// Forgets everything, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.sum_ns = 0;
        self.counts.clear();
    }

    /// Makes the stretch include `first..=last`.
    fn cover(&mut self, first: usize, last: usize) {
        if self.is_empty() {
            self.first = first;
        }
        if first < self.first {
            self.counts.grow_front(self.first - first);
            self.first = first;
        }
        self.counts.grow_to(last + 1 - self.first);
    }
}

/// The value that stands for a cell, nanoseconds.
fn estimate(cell: usize) -> u64 {
    match edges(cell) {
        (_, None) => TOP_NS,
        (0, Some(upper)) => upper,
        (lower, Some(upper)) => {
            let (lower, upper) = (u128::from(lower), u128::from(upper));
            u64::try_from(2 * lower * upper / (lower + upper)).unwrap_or(TOP_NS)
        }
    }
}

#[cfg(test)]
mod tests;
