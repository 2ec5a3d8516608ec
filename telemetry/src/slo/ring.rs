//! Counts of the last while, in cells of equal width. A window is the cell that runs now and some whole ones before it:
//! it covers its span and up to one cell more.

use std::time::Duration;

/// What was counted in one cell, or in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) total: u32,
    pub(crate) bad: u32,
}

/// A window's cells: beside the two counts how many were cold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quad {
    pub(crate) all: Pair,
    pub(crate) cold: Pair,
}

/// What cells hold. Sums stay at the largest number rather than beginning again.
pub(crate) trait Cell: Copy + Default {
    fn add(&mut self, more: Self);
}

impl Cell for Pair {
    fn add(&mut self, more: Self) {
        self.total = self.total.saturating_add(more.total);
        self.bad = self.bad.saturating_add(more.bad);
    }
}

impl Cell for Quad {
    fn add(&mut self, more: Self) {
        self.all.add(more.all);
        self.cold.add(more.cold);
    }
}

/// `N` cells of a width that the caller knows.
#[derive(Clone, Debug)]
pub(crate) struct Ring<C, const N: usize> {
    /// Number of the newest cell.
    newest: u64,
    cells: [C; N],
}

impl<C: Cell, const N: usize> Default for Ring<C, N> {
    fn default() -> Self {
        Self { newest: 0, cells: [C::default(); N] }
    }
}

impl<C: Cell, const N: usize> Ring<C, N> {
    pub(crate) fn add(&mut self, now: Duration, width: Duration, more: C) {
        let number = number(now, width).max(self.newest);
        for passed in (self.newest + 1..=number).rev().take(N) {
            if let Some(cell) = self.cells.get_mut(place::<N>(passed)) {
                *cell = C::default();
            }
        }
        self.newest = number;
        if let Some(cell) = self.cells.get_mut(place::<N>(number)) {
            cell.add(more);
        }
    }

    /// What was counted in the cell that runs at `now` and the `whole` ones before it.
    pub(crate) fn sum(&self, now: Duration, width: Duration, whole: usize) -> C {
        let last = number(now, width);
        let first = last.saturating_sub(whole as u64).max((self.newest + 1).saturating_sub(N as u64));
        let mut sum = C::default();
        for number in first..=last.min(self.newest) {
            sum.add(self.cells.get(place::<N>(number)).copied().unwrap_or_default());
        }
        sum
    }
}

fn number(now: Duration, width: Duration) -> u64 {
    u64::try_from(now.as_nanos() / width.as_nanos().max(1)).unwrap_or(u64::MAX)
}

const fn place<const N: usize>(number: u64) -> usize {
    (number % N as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WIDTH: Duration = Duration::from_millis(10);

    fn one() -> Pair {
        Pair { total: 1, bad: 1 }
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten_and_nothing_else() {
        let mut ring = Ring::<Pair, 7>::default();
        ring.add(Duration::ZERO, WIDTH, one());
        ring.add(Duration::from_millis(59), WIDTH, one());
        assert_eq!(ring.sum(Duration::from_millis(60), WIDTH, 6).total, 2);
        assert_eq!(ring.sum(Duration::from_millis(70), WIDTH, 6).total, 1);
        assert_eq!(ring.sum(Duration::from_millis(120), WIDTH, 6).total, 0);
        ring.add(Duration::from_secs(1 << 40), WIDTH, one());
        assert_eq!(ring.sum(Duration::from_secs(1 << 40), WIDTH, 6), one());
    }

    #[test]
    fn counts_stay_at_the_largest_number() {
        let mut ring = Ring::<Pair, 2>::default();
        (0..2).for_each(|_| ring.add(WIDTH, WIDTH, Pair { total: u32::MAX, bad: u32::MAX }));
        assert_eq!(ring.sum(WIDTH, WIDTH, 1).total, u32::MAX);
    }

    proptest! {
        #[test]
        fn a_window_holds_what_a_list_of_all_says(mut times in prop::collection::vec(0_u64..500, 0..60), whole in 0_usize..7) {
            times.sort_unstable();
            let mut ring = Ring::<Pair, 7>::default();
            times.iter().for_each(|at| ring.add(Duration::from_millis(*at), WIDTH, one()));
            let now = times.last().copied().unwrap_or(0);
            let first = (now / 10).saturating_sub(whole as u64);
            let expected = times.iter().filter(|at| **at / 10 >= first).count();
            prop_assert_eq!(ring.sum(Duration::from_millis(now), WIDTH, whole).total as usize, expected);
        }
    }
}
