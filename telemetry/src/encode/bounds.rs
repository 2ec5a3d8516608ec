//! Bounds of classic buckets. All lie on the store's grid, so every bucket is exact; a list with one that does not is a
//! compile error.

use crate::names::{CLASSIC_LE, CLASSIC_LE_NS};
use crate::store::grid::cells_up_to;

/// The bounds of one family.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// As `le` says them, in the family's unit.
    pub(crate) le: &'static [&'static str],
    pub(crate) ns: &'static [u64],
    /// For each, how many cells of the grid hold what is up to it.
    pub(crate) cells: &'static [usize],
    /// The family's unit, nanoseconds: of seconds or of milliseconds.
    pub(crate) unit_ns: u64,
}

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// Those of weir's own families.
pub(crate) static CLASSIC: Bounds =
    Bounds { le: &CLASSIC_LE, ns: &CLASSIC_LE_NS, cells: &cells_up_to(&CLASSIC_LE_NS), unit_ns: SECOND };

/// OpenTelemetry's for `http.server.request.duration`.
pub(crate) static HTTP: Bounds = {
    const NS: [u64; 14] = [
        5 * MS,
        10 * MS,
        25 * MS,
        50 * MS,
        75 * MS,
        100 * MS,
        250 * MS,
        500 * MS,
        750 * MS,
        SECOND,
        2_500 * MS,
        5 * SECOND,
        7_500 * MS,
        10 * SECOND,
    ];
    const LE: [&str; 14] = [
        "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10",
    ];
    Bounds { le: &LE, ns: &NS, cells: &cells_up_to(&NS), unit_ns: SECOND }
};

/// OpenTelemetry's for `gen_ai.server.request.duration`.
pub(crate) static GENAI_DURATION: Bounds = {
    const NS: [u64; 14] = [
        10 * MS,
        20 * MS,
        40 * MS,
        80 * MS,
        160 * MS,
        320 * MS,
        640 * MS,
        1_280 * MS,
        2_560 * MS,
        5_120 * MS,
        10_240 * MS,
        20_480 * MS,
        40_960 * MS,
        81_920 * MS,
    ];
    const LE: [&str; 14] = [
        "0.01", "0.02", "0.04", "0.08", "0.16", "0.32", "0.64", "1.28", "2.56", "5.12", "10.24", "20.48",
        "40.96", "81.92",
    ];
    Bounds { le: &LE, ns: &NS, cells: &cells_up_to(&NS), unit_ns: SECOND }
};

/// OpenTelemetry's for `gen_ai.server.time_to_first_token`.
pub(crate) static GENAI_FIRST_TOKEN: Bounds = {
    const NS: [u64; 16] = [
        MS,
        5 * MS,
        10 * MS,
        20 * MS,
        40 * MS,
        60 * MS,
        80 * MS,
        100 * MS,
        250 * MS,
        500 * MS,
        750 * MS,
        SECOND,
        2_500 * MS,
        5 * SECOND,
        7_500 * MS,
        10 * SECOND,
    ];
    const LE: [&str; 16] = [
        "0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5", "0.75", "1", "2.5",
        "5", "7.5", "10",
    ];
    Bounds { le: &LE, ns: &NS, cells: &cells_up_to(&NS), unit_ns: SECOND }
};

/// Those of OpenTelemetry's for `gen_ai.server.time_per_output_token` that are on the grid; 0.15, 0.2, 0.3 and 0.4 s are
/// not.
pub(crate) static GENAI_PER_TOKEN: Bounds = {
    const NS: [u64; 9] =
        [10 * MS, 25 * MS, 50 * MS, 75 * MS, 100 * MS, 500 * MS, 750 * MS, SECOND, 2_500 * MS];
    const LE: [&str; 9] = ["0.01", "0.025", "0.05", "0.075", "0.1", "0.5", "0.75", "1", "2.5"];
    Bounds { le: &LE, ns: &NS, cells: &cells_up_to(&NS), unit_ns: SECOND }
};

/// Triton's for `nv_inference_first_response_histogram_ms`.
pub(crate) static TRITON_FIRST_RESPONSE: Bounds = {
    const NS: [u64; 4] = [100 * MS, 500 * MS, 2 * SECOND, 5 * SECOND];
    Bounds { le: &["100", "500", "2000", "5000"], ns: &NS, cells: &cells_up_to(&NS), unit_ns: MS }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_same_in_text_and_in_nanoseconds() {
        for bounds in
            [&CLASSIC, &HTTP, &GENAI_DURATION, &GENAI_FIRST_TOKEN, &GENAI_PER_TOKEN, &TRITON_FIRST_RESPONSE]
        {
            assert!(bounds.le.len() == bounds.ns.len() && bounds.ns.is_sorted_by(|a, b| a < b));
            for (le, ns) in bounds.le.iter().zip(bounds.ns) {
                assert_eq!((le.parse::<f64>().unwrap() * bounds.unit_ns as f64).round() as u64, *ns);
            }
        }
    }
}
