//! Two peaks in a model's times: most answers fast, a few very slow, hardly any between. The rule stands in the configuration's
//! `inferred.two_peaks`, since it is what an operator decides by. Pure.
//!
//! Times are kept in cells of a quarter octave, so that an edge is known to 19 %.

/// Cells of an octave.
const PER_OCTAVE: usize = 4;

/// The first cell ends at 2^14 ns (16 us), the last one begins at 2^42 ns (73 minutes).
const OCTAVE_FIRST: usize = 14;

/// Cells there are: 28 octaves.
pub(super) const CELLS: usize = 112;

/// Answers without which nothing is said.
const ANSWERS_MIN: u32 = 200;

/// The slow peak must lie four times above the fast one: so many cells.
const APART: usize = 2 * PER_OCTAVE;

/// Share of the slow ones, in thousandths.
const SLOW: std::ops::RangeInclusive<u32> = 10..=400;

/// Below so many slow ones chance has made the peak.
const SLOW_MIN: u32 = 6;

/// Share of answers that may lie between the peaks, in thousandths.
const BETWEEN_MAX: u32 = 10;

/// For each so many slow ones one may lie between.
const SLOW_PER_BETWEEN: u32 = 5;

/// The cell of a time in nanoseconds.
pub(super) fn cell(time: u64) -> usize {
    let octave = time.max(1).ilog2() as usize;
    if octave < OCTAVE_FIRST {
        return 0;
    }
    let quarter = (time >> (octave - 2)) as usize & (PER_OCTAVE - 1);
    let cell = (octave - OCTAVE_FIRST) * PER_OCTAVE + quarter;
    if cell < CELLS { cell } else { CELLS - 1 }
}

/// Where a cell begins, nanoseconds.
const fn edge(cell: usize) -> u64 {
    let (octave, quarter) = (cell / PER_OCTAVE + OCTAVE_FIRST, cell % PER_OCTAVE);
    ((PER_OCTAVE + quarter) as u64) << (octave - 2)
}

/// Up to where times are hot and from where on they are cold, if there are two peaks.
pub(super) fn peaks(cells: &[u32; CELLS]) -> Option<(u64, u64)> {
    let total: u32 = cells.iter().sum();
    if total < ANSWERS_MIN {
        return None;
    }
    let mut fast = 0;
    for (at, count) in cells.iter().enumerate() {
        fast += count;
        if *count == 0 {
            continue;
        }
        // From the end of this cell to the beginning of the slow ones.
        let beyond = cells.get(at + 1 + APART..)?;
        let slow: u32 = beyond.iter().sum();
        let between = total - fast - slow;
        let is_slow = slow >= SLOW_MIN && SLOW.contains(&(slow * 1000 / total));
        if is_slow && between * 1000 <= total * BETWEEN_MAX && between * SLOW_PER_BETWEEN <= slow {
            let first = beyond.iter().position(|count| *count > 0)? + at + 1 + APART;
            return Some((edge(at + 1) - 1, edge(first)));
        }
    }
    None
}

/// What 19 of 20 are within, nanoseconds; 0 if too little is known.
pub(super) fn usual(cells: &[u32; CELLS]) -> u64 {
    let total: u32 = cells.iter().sum();
    let mut within = 0;
    let is_enough = |count: &u32| {
        within += count;
        within * 20 >= total * 19
    };
    let found = cells.iter().position(is_enough).filter(|_| total > 0);
    found.map_or(0, |cell| edge(cell + 1) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_cell_whose_edges_are_around_it() {
        for time in [16_384, 16_385, 20_479, 20_480, 1_000_000, 999_999_999, 60_000_000_000_u64] {
            let of = cell(time);
            assert!(edge(of) <= time && time < edge(of + 1), "{time} in {of}");
        }
        assert_eq!((cell(0), cell(1), cell(16_383), cell(u64::MAX)), (0, 0, 0, CELLS - 1));
        assert!(edge(1) * 100 <= edge(0) * 125);
    }

    fn of(times_ms: &[(u64, u32)]) -> [u32; CELLS] {
        let mut cells = [0; CELLS];
        for (ms, count) in times_ms {
            cells[cell(ms * 1_000_000)] += count;
        }
        cells
    }

    #[test]
    fn a_few_slow_ones_far_above_the_others_are_a_second_peak_and_nothing_else_is() {
        let (hot_to, cold_from) = peaks(&of(&[(30, 120), (40, 80), (3000, 8), (3500, 2)])).unwrap();
        assert!(hot_to > 40_000_000 && hot_to < 60_000_000, "{hot_to}");
        assert!(cold_from > 2_000_000_000 && cold_from <= 3_000_000_000, "{cold_from}");
        for (why, times) in [
            ("too few answers", vec![(40, 100), (3000, 10)]),
            ("too few slow ones", vec![(40, 400), (3000, 5)]),
            ("too large a share", vec![(40, 110), (3000, 100)]),
            ("too near", vec![(40, 200), (130, 20)]),
            ("something between", vec![(40, 200), (120, 3), (350, 10)]),
            ("one peak", vec![(40, 500)]),
            ("a long tail", vec![(40, 300), (80, 100), (160, 50), (320, 25), (640, 12), (1280, 6)]),
        ] {
            assert_eq!(peaks(&of(&times)), None, "{why}");
        }
    }

    #[test]
    fn what_is_usual_holds_nineteen_of_twenty() {
        let most = usual(&of(&[(40, 95), (3000, 5)]));
        assert!(most > 40_000_000 && most < 60_000_000, "{most}");
        assert!(usual(&of(&[(40, 94), (3000, 6)])) > 3_000_000_000);
        assert_eq!(usual(&[0; CELLS]), 0);
    }
}
