//! Two peaks in one distribution: most requests fast, a few very slow, hardly any between. That is how cold starts look
//! from outside where no backend tells of them; a model that is slow as a whole has one peak.

use std::time::Duration;

use crate::distribution::Distribution;
use crate::store::grid::edges;

/// The slow peak must lie this many times above the fast one.
const APART: u64 = 4;
/// Share of requests that may lie between, in thousandths.
const BETWEEN_MAX: u64 = 10;
/// Share of the slow ones, in thousandths.
const SLOW: std::ops::RangeInclusive<u64> = 10..=400;
/// Below so many slow ones chance has made the peak.
const SLOW_MIN: u64 = 3;

/// Where the peaks are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Peaks {
    /// Share of the slow ones.
    pub(crate) slow_share: f64,
    /// The quickest of the slow ones.
    pub(crate) slow_from: Duration,
}

/// The two peaks, if there are two.
pub(crate) fn peaks(of: &Distribution) -> Option<Peaks> {
    let cells: Vec<(usize, u64)> = of.cells().filter(|(_, count)| *count > 0).collect();
    let total: u64 = cells.iter().map(|(_, count)| count).sum();
    let mut fast = 0;
    for (at, (cell, count)) in cells.iter().enumerate() {
        fast += count;
        let from = edges(*cell).1?.saturating_mul(APART);
        let rest = cells.get(at + 1..).unwrap_or_default();
        let beyond = rest.partition_point(|(cell, _)| edges(*cell).0 < from);
        let between: u64 = rest.iter().take(beyond).map(|(_, count)| count).sum();
        let slow = total - fast - between;
        let is_slow = slow >= SLOW_MIN && SLOW.contains(&(slow * 1000 / total));
        if is_slow && between * 1000 <= total * BETWEEN_MAX {
            let (first, _) = rest.get(beyond)?;
            let slow_from = Duration::from_nanos(edges(*first).0);
            return Some(Peaks { slow_share: slow as f64 / total as f64, slow_from });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::dense::Dense;
    use crate::store::grid::index;

    fn of(times: &[(u64, u32)]) -> Distribution {
        let mut cells = Dense::default();
        for (ms, count) in times {
            cells.add(index(ms * 1_000_000), *count);
        }
        let mut all = Distribution::default();
        all.add_dense(&cells);
        all
    }

    #[test]
    fn five_percent_at_three_seconds_above_forty_milliseconds_are_a_second_peak() {
        let found = peaks(&of(&[(30, 20), (40, 50), (60, 25), (3000, 4), (3500, 1)])).unwrap();
        assert!((found.slow_share - 0.05).abs() < 1e-9);
        assert!(found.slow_from > Duration::from_secs(2) && found.slow_from < Duration::from_secs(3));
    }

    #[test]
    fn a_slow_model_a_long_tail_and_a_lone_straggler_are_not() {
        assert_eq!(peaks(&of(&[(3000, 50), (3300, 50)])), None);
        assert_eq!(peaks(&of(&[(40, 60), (80, 15), (160, 10), (320, 8), (640, 5), (1200, 2)])), None);
        assert_eq!(peaks(&of(&[(40, 100), (3000, 2)])), None);
        assert_eq!(peaks(&of(&[(40, 50), (3000, 50)])), None, "half of all is no exception");
        assert_eq!(peaks(&Distribution::default()), None);
    }
}
