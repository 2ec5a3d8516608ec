//! The union grid: 223 upper bounds that hold the native schema-3 bounds of Prometheus and the decimal bounds
//! people write in `le`, so that one increment serves exact native buckets and exact classic buckets.
//!
//! Cell `i` holds durations in `(BOUNDS[i-1], BOUNDS[i]]`; the last cell has no upper bound. Below 2^-14 s (61 µs)
//! and above 2^10 s (1,024 s) the grid does not resolve: the first and the last cell take those.
//! All bounds are whole nanoseconds: a bound that is not is rounded down, and as durations are whole nanoseconds
//! too, no duration changes sides by that.

/// How many cells a histogram has; the last one is the overflow.
pub(crate) const CELLS: usize = 224;

/// The largest finite bound, 2^10 s.
pub(crate) const TOP_NS: u64 = 1_024_000_000_000;

/// Native bucket numbers of the first and the last power-of-two bound: 2^(-112/8) s and 2^(80/8) s.
pub(crate) const NATIVE_FIRST: i32 = -112;
/// See [`NATIVE_FIRST`].
pub(crate) const NATIVE_LAST: i32 = 80;

/// Upper bounds in nanoseconds, ascending; from `CELLS - 1` on padded with `u64::MAX`, so that a look-up by a byte
/// needs no check.
pub(crate) static BOUNDS: [u64; 256] = bounds();

/// The cell of a duration.
///
/// A look-up by the exponent and the seven bits below it, which the float of that value has side by side, then one
/// compare ([`START`] proves that one is enough).
#[inline]
pub(crate) fn index(ns: u64) -> usize {
    // Of half the value, which is never taken for a negative number. Beyond 2^54 the float is rounded: all in one cell.
    let float = ((ns >> 1) as i64 as f64).to_bits();
    let position = (float >> (f64::MANTISSA_DIGITS - 1 - SUB_BITS)) as usize % POSITIONS;
    let first = START.get(position).copied().unwrap_or(0);
    // A byte is always inside of the padded bounds: the compiler drops this check.
    let bound = BOUNDS.get(usize::from(first)).copied().unwrap_or(u64::MAX);
    usize::from(first) + usize::from(ns > bound)
}

/// The bounds of a cell in nanoseconds: `(lower, upper]`. The overflow cell has no upper one.
pub(crate) fn edges(cell: usize) -> (u64, Option<u64>) {
    let lower = cell.checked_sub(1).and_then(|below| BOUNDS.get(below)).copied().unwrap_or(0);
    let upper = if cell + 1 < CELLS { BOUNDS.get(cell).copied() } else { None };
    (lower, upper)
}

/// For each bound, which must be one of the grid's, how many cells hold exactly the durations up to it.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a wrong index is a compile error"
)]
pub(crate) const fn cells_up_to<const N: usize>(bounds_ns: &[u64; N]) -> [usize; N] {
    let grid = bounds();
    let mut cells = [0; N];
    let mut at = 0;
    while at < N {
        let mut cell = 0;
        while grid[cell] != bounds_ns[at] {
            cell += 1;
        }
        cells[at] = cell + 1;
        at += 1;
    }
    cells
}

/// The bound of native bucket `number` at schema 3, `2^(number/8)` seconds, in nanoseconds rounded down.
/// `number` lies in [`NATIVE_FIRST`]..=[`NATIVE_LAST`].
pub(crate) const fn native_bound(number: i32) -> u64 {
    // 2^(j/8) for j in 0..8 in 60 fractional bits: off by less than 2^-60, which moves no bound by 1e-5 ns.
    const ROOTS: [u64; 8] = [
        1_152_921_504_606_846_976,
        1_257_269_815_929_830_108,
        1_371_062_456_318_104_877,
        1_495_154_210_581_915_421,
        1_630_477_228_166_597_776,
        1_778_048_025_250_290_523,
        1_938_975_120_585_633_118,
        2_114_467_362_444_183_333,
    ];
    let root = root_at(&ROOTS, number.rem_euclid(8) as usize) as u128 * 1_000_000_000;
    let octave = number.div_euclid(8);
    (root >> (60 - octave)) as u64
}

/// The bounds of OTel's http list, of both gen_ai lists (request duration, time to first token), and 30, 60, 120 and
/// 300 s, in nanoseconds. 1 s is left to the powers of two; 250 and 500 ms are in both lists and merged.
#[rustfmt::skip]
const DECIMAL: [u64; 32] = [
    MS, 5 * MS, 10 * MS, 20 * MS, 25 * MS, 40 * MS, 50 * MS, 60 * MS, 75 * MS, 80 * MS, 100 * MS, 160 * MS, 250 * MS, 320 * MS,
    500 * MS, 640 * MS, 750 * MS, 1_280 * MS, 2_500 * MS, 2_560 * MS, 5_000 * MS, 5_120 * MS, 7_500 * MS, 10_000 * MS,
    10_240 * MS, 20_480 * MS, 30_000 * MS, 40_960 * MS, 60_000 * MS, 81_920 * MS, 120_000 * MS, 300_000 * MS,
];
const MS: u64 = 1_000_000;

/// Look-up positions for each power of two: fine enough that no position has more than one bound (75 ms and the native
/// bound below it are 0.9 % apart).
const SUB_BITS: u32 = 7;
const SUB: usize = 1 << SUB_BITS;
/// Positions of 64 powers of two, a power of two itself so that a remainder is a mask.
const POSITIONS: usize = u64::BITS as usize * SUB;

/// First possible cell of each look-up position. They stand as the floats' upper bits count them: those of `2^n` ns from
/// `(n - 2) mod 64` on (a float's exponent is its power and 1,023, and what is looked up is half the value); 0 and 1 ns
/// stand with 4 ns, in the same cell.
static START: [u8; POSITIONS] = starts();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a wrong index is a compile error"
)]
const fn root_at(roots: &[u64; 8], at: usize) -> u64 {
    roots[at]
}

/// Merges the two ascending lists, without the doubles.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a wrong index is a compile error"
)]
const fn bounds() -> [u64; 256] {
    let mut merged = [u64::MAX; 256];
    let (mut length, mut number, mut decimal) = (0, NATIVE_FIRST, 0);
    while number <= NATIVE_LAST || decimal < DECIMAL.len() {
        let native = if number <= NATIVE_LAST { native_bound(number) } else { u64::MAX };
        let nice = if decimal < DECIMAL.len() { DECIMAL[decimal] } else { u64::MAX };
        if native <= nice {
            number += 1;
        }
        if nice <= native {
            decimal += 1;
        }
        merged[length] = if native < nice { native } else { nice };
        length += 1;
    }
    assert!(length == CELLS - 1, "the grid must fill its cells exactly");
    assert!(merged[length - 1] == TOP_NS);
    merged
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a wrong index is a compile error"
)]
const fn starts() -> [u8; POSITIONS] {
    let bounds = bounds();
    let mut starts = [0; POSITIONS];
    // From 2 ns on, ascending, so that the cell only ever grows.
    let (mut ascending, mut cell) = (0, 0);
    while ascending < POSITIONS {
        // In parts of a nanosecond, since a step of the lowest powers is less than one.
        let (power, sub) = (1 + ascending / SUB, (SUB + ascending % SUB) as u128);
        let (lowest, next) = (sub << power, (sub + 1) << power);
        while cell < CELLS - 1 && (bounds[cell] as u128) << SUB_BITS < lowest {
            cell += 1;
        }
        let has_two = (bounds[cell + 1] as u128) << SUB_BITS < next && bounds[cell + 1] < u64::MAX;
        assert!(!has_two, "a position has at most one bound");
        starts[(ascending + POSITIONS - SUB) % POSITIONS] = cell as u8;
        ascending += 1;
    }
    starts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partition_point(ns: u64) -> usize {
        BOUNDS.iter().take(CELLS - 1).collect::<Vec<_>>().partition_point(|bound| **bound < ns)
    }

    #[test]
    fn index_is_the_partition_point_at_every_bound_and_one_nanosecond_around_it() {
        for bound in BOUNDS.iter().take(CELLS - 1) {
            for ns in [bound - 1, *bound, bound + 1] {
                assert_eq!(index(ns), partition_point(ns), "at {ns} ns");
            }
        }
    }

    #[test]
    fn index_is_the_partition_point_at_every_power_of_two_and_around_it() {
        for ns in (0..u64::BITS)
            .flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1, u64::MAX >> power])
        {
            assert_eq!(index(ns), partition_point(ns), "at {ns} ns");
        }
    }

    #[test]
    fn bounds_ascend_and_hold_both_lists() {
        assert!(BOUNDS.iter().take(CELLS).is_sorted_by(|a, b| a < b));
        assert!(DECIMAL.iter().all(|bound| BOUNDS.contains(bound)));
        assert!((NATIVE_FIRST..=NATIVE_LAST).all(|n| BOUNDS.contains(&native_bound(n))));
    }

    #[test]
    fn native_bounds_are_the_powers_prometheus_computes() {
        for number in NATIVE_FIRST..=NATIVE_LAST {
            let exact = 2_f64.powf(f64::from(number) / 8.0) * 1e9;
            let ours = native_bound(number) as f64;
            assert!(ours <= exact * (1.0 + 1e-12) && exact - ours < 1.0 + exact * 1e-12, "bucket {number}");
        }
        assert_eq!(native_bound(0), 1_000_000_000);
        assert_eq!(native_bound(80), TOP_NS);
    }

    #[test]
    fn edges_of_neighbours_meet() {
        assert_eq!(edges(0), (0, Some(61_035)));
        assert_eq!(edges(CELLS - 1), (TOP_NS, None));
        for cell in 1..CELLS {
            assert_eq!(Some(edges(cell).0), edges(cell - 1).1);
        }
    }

    proptest! {
        #[test]
        fn index_is_the_partition_point_of_any_duration(ns in any::<u64>(), shift in 0_u32..64) {
            let ns = ns >> shift;
            prop_assert_eq!(index(ns), partition_point(ns));
        }
    }
}
