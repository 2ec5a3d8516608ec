//! The last traced request of each model and start, for a histogram's exemplar.
//!
//! A sequence number makes the four words one: odd while someone writes. A writer that meets another leaves it be,
//! and a reader that meets one takes nothing; nobody waits.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// One request by its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exemplar {
    /// The trace id of W3C trace context; not 0.
    pub trace: u128,
    /// How long the request took, nanoseconds.
    pub duration_ns: u64,
    /// When it ended, milliseconds of Unix time.
    pub unix_ms: u64,
}

/// Where one is kept.
#[derive(Debug, Default)]
pub(crate) struct Place {
    sequence: AtomicU32,
    words: [AtomicU64; 4],
}

impl Place {
    pub(crate) fn put(&self, exemplar: Exemplar) {
        let before = self.sequence.load(Ordering::Relaxed);
        let writing = before.wrapping_add(1);
        let is_free = before.is_multiple_of(2)
            && self.sequence.compare_exchange(before, writing, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !is_free {
            return;
        }
        let Exemplar { trace, duration_ns, unix_ms } = exemplar;
        for (word, value) in self.words.iter().zip([(trace >> 64) as u64, trace as u64, duration_ns, unix_ms])
        {
            // Release: whoever sees the value sees that it is being written.
            word.store(value, Ordering::Release);
        }
        self.sequence.store(before.wrapping_add(2), Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        self.put(Exemplar { trace: 0, duration_ns: 0, unix_ms: 0 });
    }

    pub(crate) fn get(&self) -> Option<Exemplar> {
        let before = self.sequence.load(Ordering::Acquire);
        let [high, low, duration_ns, unix_ms] =
            [0, 1, 2, 3].map(|at: usize| self.words.get(at).map_or(0, |word| word.load(Ordering::Acquire)));
        let after = self.sequence.load(Ordering::Relaxed);
        let exemplar = Exemplar { trace: u128::from(high) << 64 | u128::from(low), duration_ns, unix_ms };
        (before == after && before.is_multiple_of(2) && exemplar.trace != 0).then_some(exemplar)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_is_read_was_written_as_one_however_many_write() {
        let place = Place::default();
        assert_eq!(place.get(), None);
        let of = |n: u64| Exemplar { trace: u128::from(n) << 64 | u128::from(n), duration_ns: n, unix_ms: n };
        thread::scope(|scope| {
            for writer in 0..2 {
                let place = &place;
                scope.spawn(move || (1..100_000).for_each(|n| place.put(of(n * 2 + writer))));
            }
            for _ in 0..100_000 {
                if let Some(read) = place.get() {
                    assert_eq!(read, of(read.unix_ms));
                }
            }
        });
        assert!(place.get().is_some());
    }
}
