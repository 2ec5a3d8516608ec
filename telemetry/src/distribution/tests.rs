//! Tests of `distribution`.

use proptest::prelude::*;

use super::*;
use crate::store::grid::index;

fn of(samples: &[u64]) -> Distribution {
    let mut distribution = Distribution::default();
    for ns in samples {
        let mut dense = Dense::default();
        dense.sum = *ns;
        dense.add(index(*ns), 1);
        distribution.add_dense(&dense);
    }
    distribution
}

fn exact(sorted: &[u64], q: f64) -> u64 {
    let rank = ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
    sorted[rank - 1]
}

type Shape = fn(f64) -> f64;

/// Five shapes of latency, from a uniform variate in (0, 1): what each makes of it, in nanoseconds.
const SHAPES: [(&str, Shape); 5] = [
    ("uniform", |u| 1e6 + u * 1e9),
    ("exponential", |u| 70_000.0 - u.ln() * 20e6),
    ("lognormal-like", |u| 30e6 * (1.2 * (u / (1.0 - u)).ln()).exp().clamp(0.01, 1e4)),
    ("pareto", |u| 5e6 * u.powf(-1.0 / 1.5).min(1e5)),
    ("two peaks, hot and cold", |u| if u < 0.9 { 4e6 + u * 1e6 } else { 2e9 + u * 9e9 }),
];

/// (2^(1/8) - 1) / (2^(1/8) + 1), and a nanosecond of rounding at 61 µs.
const BOUND: f64 = 0.043_31;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn quantiles_are_within_the_stated_bound_of_the_exact_ones(
        uniform in prop::collection::vec(1e-9_f64..(1.0 - 1e-9), 1..2_000)
    ) {
        for (shape, make) in SHAPES {
            let mut samples: Vec<u64> = uniform.iter().map(|u| make(*u) as u64).collect();
            let distribution = of(&samples);
            samples.sort_unstable();
            for q in [0.5, 0.9, 0.95, 0.99, 1.0] {
                let (exact, ours) = (exact(&samples, q) as f64, distribution.quantile(q).unwrap().as_nanos() as f64);
                prop_assert!((ours - exact).abs() <= exact * BOUND, "{} p{}: {} for {}", shape, q, ours, exact);
            }
        }
    }

    #[test]
    fn merging_is_recording_both(a in prop::collection::vec(0_u64..u64::MAX, 0..40), b in prop::collection::vec(0_u64..1 << 33, 0..40)) {
        let mut merged = of(&a);
        merged.merge(&of(&b));
        let both = of(&[a.clone(), b.clone()].concat());
        prop_assert_eq!(merged.cells().filter(|c| c.1 > 0).collect::<Vec<_>>(), both.cells().filter(|c| c.1 > 0).collect::<Vec<_>>());
        prop_assert_eq!(merged.sum_ns(), both.sum_ns());
        let rest = both.since(&of(&a));
        prop_assert_eq!(rest.count(), b.len() as u64);
        prop_assert_eq!(rest.sum_ns(), of(&b).sum_ns());
        prop_assert_eq!(rest.quantile(0.9), of(&b).quantile(0.9));
    }
}

#[test]
fn nothing_has_no_quantile_and_no_mean() {
    assert_eq!(Distribution::default().quantile(0.5), None);
    assert_eq!(Distribution::default().mean(), None);
}

#[test]
fn beyond_the_grid_the_edge_is_the_estimate() {
    assert_eq!(of(&[1]).quantile(0.5), Some(Duration::from_nanos(61_035)));
    assert_eq!(of(&[u64::MAX]).quantile(0.5), Some(Duration::from_secs(1_024)));
}

#[test]
fn at_most_is_exact_on_a_bound_of_the_grid() {
    let samples = [4_999_999, 5_000_000, 5_000_001, 300_000_000_000, 300_000_000_001];
    assert_eq!(of(&samples).at_most(Duration::from_millis(5)), 2);
    assert_eq!(of(&samples).at_most(Duration::from_secs(300)), 4);
}
