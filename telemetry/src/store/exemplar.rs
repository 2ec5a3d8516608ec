//! The last traced requests of each model and start, for a histogram's exemplars: of cold starts, which are few and
//! each worth a look, the last four, so that a scrape misses none as long as there are no more between two; of others
//! the last.
//!
//! A sequence number makes the four words one: odd while someone writes. A writer that meets another leaves it be,
//! and a reader that meets one takes nothing; nobody waits.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::observation::Start;

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

/// How many are kept of each start, by [`Start::index`].
const KEPT: [usize; 3] = [1, 4, 1];
/// All of them.
pub(crate) const EXEMPLARS: usize = 6;

/// Those of one model: of hot starts, cold ones, others.
pub(crate) type Exemplars = [Option<Exemplar>; EXEMPLARS];

/// The part of a model's exemplars that is of a start.
pub(crate) fn of(start: Start, exemplars: &Exemplars) -> &[Option<Exemplar>] {
    exemplars.get(places_of(start)).unwrap_or(&[])
}

fn places_of(start: Start) -> Range<usize> {
    let first = KEPT.iter().take(start.index()).sum();
    first..first + KEPT.get(start.index()).copied().unwrap_or(0)
}

/// Takes over those of another model that are later than the earliest of their start.
pub(crate) fn take_later(ours: &mut Exemplars, theirs: &Exemplars) {
    for start in Start::ALL {
        for held in of(start, theirs).iter().flatten() {
            let places = ours.get_mut(places_of(start)).unwrap_or(&mut []);
            if places.contains(&Some(*held)) {
                continue;
            }
            let earliest = places.iter_mut().min_by_key(|place| place.map_or(0, |place| place.unix_ms));
            if let Some(place) =
                earliest.filter(|place| place.is_none_or(|place| place.unix_ms < held.unix_ms))
            {
                *place = Some(*held);
            }
        }
    }
}

/// Where those of one model are kept.
#[derive(Debug, Default)]
pub(crate) struct Places {
    places: [Place; EXEMPLARS],
    /// Cold ones so far: the next takes the place of the oldest.
    turn: AtomicU32,
}

impl Places {
    pub(crate) fn put(&self, start: Start, exemplar: Exemplar) {
        let places = self.places.get(places_of(start)).unwrap_or(&[]);
        let turn = if places.len() > 1 { self.turn.fetch_add(1, Ordering::Relaxed) as usize } else { 0 };
        if let Some(place) = places.get(turn % places.len().max(1)) {
            place.put(exemplar);
        }
    }

    pub(crate) fn get(&self) -> Exemplars {
        self.places.each_ref().map(Place::get)
    }

    pub(crate) fn clear(&self) {
        self.places.iter().for_each(Place::clear);
    }
}

/// Where one is kept.
#[derive(Debug, Default)]
struct Place {
    sequence: AtomicU32,
    words: [AtomicU64; 4],
}

impl Place {
    fn put(&self, exemplar: Exemplar) {
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

    fn clear(&self) {
        self.put(Exemplar { trace: 0, duration_ns: 0, unix_ms: 0 });
    }

    fn get(&self) -> Option<Exemplar> {
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
    fn the_last_four_cold_starts_and_the_last_of_others_are_kept() {
        let places = Places::default();
        let at = |n: u64| Exemplar { trace: 1, duration_ns: n, unix_ms: n };
        for n in 1..=6 {
            Start::ALL.iter().for_each(|start| places.put(*start, at(n)));
        }
        let kept = places.get();
        let times = |start| {
            let mut times: Vec<_> = of(start, &kept).iter().flatten().map(|kept| kept.unix_ms).collect();
            times.sort_unstable();
            times
        };
        assert_eq!(Start::ALL.map(times), [vec![6], vec![3, 4, 5, 6], vec![6]]);
        let mut others = [None; EXEMPLARS];
        take_later(&mut others, &kept);
        places.put(Start::Cold, at(7));
        take_later(&mut others, &places.get());
        let cold: Vec<_> = of(Start::Cold, &others).iter().flatten().map(|kept| kept.unix_ms).collect();
        assert!(cold.contains(&7) && cold.iter().min() > Some(&3), "{cold:?}");
        places.clear();
        assert_eq!(places.get(), [None; EXEMPLARS]);
    }

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
