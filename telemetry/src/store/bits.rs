//! Sets of slots, a bit for each: to find the few models that something is to be done about among tens of thousands.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A set that the control plane alone has; it grows with the slots that are put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn insert(&mut self, slot: u32) {
        let (at, bit) = place(slot);
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        if let Some(word) = self.0.get_mut(at) {
            *word |= bit;
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        let (at, bit) = place(slot);
        if let Some(word) = self.0.get_mut(at) {
            *word &= !bit;
        }
    }

    /// Puts it in or takes it out.
    pub(crate) fn set(&mut self, slot: u32, is_in: bool) {
        if is_in { self.insert(slot) } else { self.remove(slot) }
    }

    /// Those that are not in another.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        Self(self.0.iter().zip(others).map(|(ours, theirs)| ours & !theirs).collect())
    }

    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Words of 64 slots, as many as there are.
    pub(crate) const fn words(&self) -> usize {
        self.0.len()
    }

    /// The slots of one word, ascending, as they are now.
    pub(crate) fn of_word(&self, at: usize) -> Slots {
        Slots {
            word: self.0.get(at).copied().unwrap_or(0),
            first: u32::try_from(at).unwrap_or(0) * u64::BITS,
        }
    }

    /// All slots, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.words()).flat_map(|at| self.of_word(at))
    }
}

/// The slots of one word.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    word: u64,
    first: u32,
}

impl Iterator for Slots {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let at = self.word.trailing_zeros();
        // Of nothing it is 64 and no bit.
        self.word &= self.word.checked_sub(1)?;
        Some(self.first + at)
    }
}

/// A set that every thread puts in and the control plane takes out: slots where something happened since it last looked.
#[derive(Debug)]
pub(crate) struct Wakes(Box<[AtomicU64]>);

impl Wakes {
    /// Room for so many slots.
    pub(crate) fn new(slots: u32) -> Self {
        Self((0..=place(slots).0).map(|_| AtomicU64::new(0)).collect())
    }

    /// What was written to the slot before is seen by whoever takes it out.
    #[cold]
    #[inline(never)]
    pub(crate) fn insert(&self, slot: u32) {
        let (at, bit) = place(slot);
        if let Some(word) = self.0.get(at) {
            word.fetch_or(bit, Release);
        }
    }

    /// Moves all that are in to another set.
    pub(crate) fn take(&self, into: &mut Bits) {
        if into.0.len() < self.0.len() {
            into.0.resize(self.0.len(), 0);
        }
        for (word, into) in self.0.iter().zip(&mut into.0) {
            if word.load(Relaxed) != 0 {
                *into |= word.swap(0, Acquire);
            }
        }
    }
}

const fn place(slot: u32) -> (usize, u64) {
    ((slot / u64::BITS) as usize, 1 << (slot % u64::BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_told_in_order_and_what_is_taken_out_is_not() {
        let mut bits = Bits::default();
        assert_eq!((bits.len(), bits.iter().next()), (0, None));
        [700, 0, 63, 64, 65, 63].iter().for_each(|slot| bits.insert(*slot));
        [64, 1, 100_000].iter().for_each(|slot| bits.remove(*slot));
        bits.set(3, true);
        bits.set(65, false);
        assert_eq!((bits.len(), bits.iter().collect::<Vec<_>>()), (4, vec![0, 3, 63, 700]));
        assert_eq!(bits.of_word(0).collect::<Vec<_>>(), [0, 3, 63]);
    }

    #[test]
    fn wakes_are_taken_once_and_one_beyond_the_last_is_nobody() {
        let (wakes, mut bits) = (Wakes::new(100), Bits::default());
        [99, 5, 5, 4_000].iter().for_each(|slot| wakes.insert(*slot));
        bits.insert(7);
        wakes.take(&mut bits);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [5, 7, 99]);
        let mut again = Bits::default();
        wakes.take(&mut again);
        assert_eq!(again.len(), 0);
    }
}
