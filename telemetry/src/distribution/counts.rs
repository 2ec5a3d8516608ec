//! A stretch of counts, four bytes each until one needs more: most models never see 4 billion requests in one cell, and
//! there are tens of thousands of them.

/// Counts at 0, 1, 2, …
#[derive(Clone, Debug)]
pub(super) enum Counts {
    Narrow(Vec<u32>),
    Wide(Vec<u64>),
}

impl Default for Counts {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl Counts {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Narrow(counts) => counts.len(),
            Self::Wide(counts) => counts.len(),
        }
    }

    /// Of nothing, 0.
    pub(super) fn sum(&self) -> u64 {
        self.iter().sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        let (narrow, wide) = match self {
            Self::Narrow(counts) => (counts.as_slice(), [].as_slice()),
            Self::Wide(counts) => ([].as_slice(), counts.as_slice()),
        };
        narrow.iter().map(|count| u64::from(*count)).chain(wide.iter().copied())
    }

    /// Adds to the counts from `at` on; what lies beyond the end is left out.
    pub(super) fn add(&mut self, at: usize, more: &[u32]) {
        match self {
            Self::Narrow(counts) if !overflows(counts, at, more) => {
                counts.iter_mut().skip(at).zip(more).for_each(|(count, more)| *count += more);
            }
            _ => self.add_wide(at, more.iter().map(|more| u64::from(*more))),
        }
    }

    /// The same, of other counts.
    pub(super) fn merge(&mut self, at: usize, other: &Self) {
        match other {
            Self::Narrow(more) => self.add(at, more),
            Self::Wide(more) => self.add_wide(at, more.iter().copied()),
        }
    }

    fn add_wide(&mut self, at: usize, more: impl Iterator<Item = u64>) {
        for (at, more) in (at..).zip(more).filter(|(_, more)| *more > 0) {
            self.change(at, |count| count.saturating_add(more));
        }
    }

    /// Takes away from the counts from `at` on, not below 0.
    pub(super) fn take(&mut self, at: usize, less: impl Iterator<Item = u64>) {
        for (at, less) in (at..).zip(less).filter(|(_, less)| *less > 0) {
            self.change(at, |count| count.saturating_sub(less));
        }
    }

    /// So many zeros before the first.
    pub(super) fn grow_front(&mut self, zeros: usize) {
        match self {
            Self::Narrow(counts) => _ = counts.splice(0..0, std::iter::repeat_n(0, zeros)),
            Self::Wide(counts) => _ = counts.splice(0..0, std::iter::repeat_n(0, zeros)),
        }
    }

    /// Zeros behind the last, up to that length.
    pub(super) fn grow_to(&mut self, len: usize) {
        let more = len.saturating_sub(self.len());
        match self {
            Self::Narrow(counts) => {
                counts.reserve_exact(more);
                counts.resize(counts.len() + more, 0);
            }
            Self::Wide(counts) => {
                counts.reserve_exact(more);
                counts.resize(counts.len() + more, 0);
            }
        }
    }

    /// Forgets all, keeps the memory.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Narrow(counts) => counts.clear(),
            Self::Wide(counts) => counts.clear(),
        }
    }

    #[inline]
    fn change(&mut self, at: usize, to: impl Fn(u64) -> u64) {
        match self {
            Self::Narrow(counts) => {
                let Some(count) = counts.get_mut(at) else { return };
                match u32::try_from(to(u64::from(*count))) {
                    Ok(changed) => *count = changed,
                    Err(_) => {
                        *self = Self::Wide(self.iter().collect());
                        self.change(at, to);
                    }
                }
            }
            Self::Wide(counts) => {
                if let Some(count) = counts.get_mut(at) {
                    *count = to(*count);
                }
            }
        }
    }
}

/// Whether a sum would need more than four bytes. One pass without a branch, so that it costs little where none does.
fn overflows(counts: &[u32], at: usize, more: &[u32]) -> bool {
    let sums = counts.iter().skip(at).zip(more).map(|(count, more)| count.overflowing_add(*more).1);
    sums.fold(false, |any, overflows| any | overflows)
}

/// Equal if they count the same, however wide.
impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Counts {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_four_bytes_makes_all_wider_and_none_is_lost() {
        let mut counts = Counts::default();
        counts.grow_to(2);
        counts.grow_front(1);
        counts.add(0, &[1, u32::MAX, 7, 9]);
        assert!(matches!(counts, Counts::Narrow(_)), "9 lies beyond the end");
        counts.add(1, &[1]);
        assert!(matches!(counts, Counts::Wide(_)));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [1, 1 << 32, 7]);
        counts.grow_front(1);
        counts.grow_to(5);
        counts.merge(2, &Counts::Wide(vec![u64::MAX]));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [0, 1, u64::MAX, 7, 0], "it saturates");
        counts.take(1, [2, 1].into_iter());
        assert_eq!(counts.iter().collect::<Vec<_>>(), [0, 0, u64::MAX - 1, 7, 0]);
        counts.clear();
        assert_eq!((counts.len(), counts.sum()), (0, 0));
        assert_eq!(counts, Counts::default());
    }
}
