//! Tests of `windows`.

use super::*;
use crate::store::grid::index;

/// A fold that found these durations, hot ones, and so many server errors.
fn found(durations: &[u64], errors: u32) -> Delta {
    let mut delta = Delta::default();
    for ns in durations {
        delta.cells[0].add(index(*ns), 1);
        delta.cells[0].sum += ns;
    }
    delta.outcomes[Outcome::ServerError.index()] = errors;
    delta.count_successes();
    delta
}

fn tracked() -> Windows {
    let mut windows = Windows::default();
    windows.track(true);
    windows
}

#[test]
fn windows_replayed_agree_with_the_exact_figures_of_the_time_they_cover() {
    let mut windows = tracked();
    let mut log = Vec::new();
    let mut random = 1_u64;
    for second in 0..2_000_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Bursts, gaps of a minute and more, and a slow stretch.
        let count = if second % 300 > 200 { 0 } else { (random >> 33) % 40 };
        let slow = if second % 700 > 600 { 50 } else { 1 };
        let durations: Vec<_> =
            (0..count).map(|n| (1_000_000 + (random >> (n % 30)) % 90_000_000) * slow).collect();
        let now = Duration::from_secs(second);
        log.extend(durations.iter().map(|ns| (second, *ns)));
        if count > 0 {
            windows.add(now, &found(&durations, 2));
        }
        let recent = windows.recent(now);
        for (window, span, slot) in [(&recent.minute, 60, 10), (&recent.five_minutes, 300, 60)] {
            let covered = window.covered.as_secs();
            assert!(covered >= span.min(second) && covered < span + slot, "{covered} s of {span} s");
            let mut exact: Vec<_> =
                log.iter().filter(|(at, _)| at + covered >= second).map(|(_, ns)| *ns).collect();
            exact.sort_unstable();
            assert_eq!(window.starts[0], exact.len() as u64);
            assert_eq!(window.durations.as_ref().unwrap()[0].count(), exact.len() as u64);
            for q in [0.5, 0.95, 0.99] {
                let rank = ((q * exact.len() as f64).ceil() as usize).max(1);
                let Some(exact) = exact.get(rank - 1) else { continue };
                let ours = window.quantile(Start::Hot, q).unwrap().as_nanos() as f64;
                assert!((ours - *exact as f64).abs() <= *exact as f64 * 0.043_31, "second {second} p{q}");
            }
        }
    }
}

#[test]
fn rates_and_ratios_are_of_the_window_alone() {
    let mut windows = tracked();
    windows.add(Duration::from_secs(100), &found(&[5_000_000; 30], 10));
    let Recent { minute, five_minutes } = windows.recent(Duration::from_secs(105));
    assert_eq!((minute.covered, five_minutes.covered), (Duration::from_secs(65), Duration::from_secs(105)));
    assert_eq!(minute.requests, 40);
    assert_eq!(minute.rate(), 40.0 / 65.0);
    assert_eq!(minute.error_ratio(), Some(0.25));
    assert_eq!(minute.hit_ratio(), Some(1.0));
    assert_eq!(minute.quantile_of_all(0.5), minute.quantile(Start::Hot, 0.5));
    let Recent { minute, five_minutes } = windows.recent(Duration::from_secs(200));
    assert_eq!((minute.requests, minute.error_ratio(), minute.hit_ratio()), (0, None, None));
    assert_eq!(five_minutes.requests, 40);
    assert!(windows.is_idle(Duration::from_secs(420)));
    assert!(!windows.is_idle(Duration::from_secs(419)));
}

#[test]
fn a_model_that_is_not_tracked_has_counts_and_no_quantile() {
    let mut windows = Windows::default();
    windows.add(Duration::ZERO, &found(&[1, 2], 0));
    let minute = windows.recent(Duration::ZERO).minute;
    assert_eq!((minute.requests, minute.rate(), minute.quantile(Start::Hot, 0.5)), (2, 0.0, None));
    windows.track(true);
    windows.add(Duration::ZERO, &found(&[1, 2], 0));
    assert_eq!(windows.recent(Duration::ZERO).minute.requests, 4);
    assert!(windows.recent(Duration::ZERO).minute.quantile(Start::Hot, 0.5).is_some());
}
