//! Tests of `store/rank`.

use std::collections::BTreeSet;

use super::*;

const LIMITS: Limits = Limits { top_models: 10, series: 10_000 };

fn entry(slot: u32, score: f64) -> Entry {
    Entry { slot, score, pinned: false, burns: false, series: SERIES_EXPECTED, since: None, below: 0 }
}

/// 1,000 models: far more than fit. Slot `n` scores `1000 - n`.
fn many() -> Vec<Entry> {
    (0..1_000).map(|slot| entry(slot, f64::from(1_000 - slot))).collect()
}

fn exported(entries: &[Entry]) -> BTreeSet<u32> {
    entries.iter().filter(|entry| entry.since.is_some()).map(|entry| entry.slot).collect()
}

fn score(entries: &mut [Entry], slot: u32, score: f64) {
    entries.iter_mut().filter(|entry| entry.slot == slot).for_each(|entry| entry.score = score);
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

#[test]
fn all_are_exported_while_all_fit() {
    let mut entries: Vec<_> = many().into_iter().take(133).collect();
    assert!(round(minutes(0), &mut entries, LIMITS));
    assert_eq!(exported(&entries).len(), 133);
    entries.push(entry(500, 0.0));
    assert!(!round(minutes(1), &mut entries, LIMITS));
    assert_eq!(exported(&entries).len(), 133, "nobody is thrown out for the one too many");
}

#[test]
fn the_busiest_enter_first_and_a_little_more_traffic_moves_nobody() {
    let mut entries = many();
    round(minutes(0), &mut entries, LIMITS);
    assert_eq!(exported(&entries), (0..10).collect());
    score(&mut entries, 500, 1_100.0);
    round(minutes(30), &mut entries, LIMITS);
    assert_eq!(exported(&entries), (0..10).collect(), "1.11 times the worst resident is not enough");
    score(&mut entries, 500, 1_300.0);
    round(minutes(31), &mut entries, LIMITS);
    assert_eq!(exported(&entries), (0..9).chain([500]).collect());
}

#[test]
fn a_new_resident_is_replaced_only_by_far_more_and_an_idle_one_at_once() {
    let mut entries = many();
    round(minutes(0), &mut entries, LIMITS);
    score(&mut entries, 500, 9_000.0);
    round(minutes(1), &mut entries, LIMITS);
    assert!(!exported(&entries).contains(&500));
    (5..10).for_each(|slot| score(&mut entries, slot, 0.0));
    round(minutes(2), &mut entries, LIMITS);
    assert_eq!(exported(&entries), (0..5).chain([500]).chain(10..14).collect());
}

#[test]
fn few_change_places_in_a_round_and_one_far_down_leaves_after_three() {
    let mut entries = many();
    round(minutes(0), &mut entries, LIMITS);
    (0..10).for_each(|slot| score(&mut entries, slot, 1.0));
    round(minutes(20), &mut entries, LIMITS);
    assert_eq!(exported(&entries).intersection(&(0..10).collect()).count(), 9, "one in ten a round");
    let mut entries: Vec<_> = many().into_iter().take(134).collect();
    entries.iter_mut().for_each(|entry| entry.since = (entry.slot < 20).then_some(minutes(0)));
    let sizes: Vec<_> = (20..25)
        .map(|minute| {
            round(minutes(minute), &mut entries, LIMITS);
            exported(&entries).len()
        })
        .collect();
    assert_eq!(sizes, [20, 20, 19, 18, 17]);
}

#[test]
fn pinned_models_are_in_and_the_budget_is_hard() {
    let mut entries = many();
    entries[999].pinned = true;
    round(minutes(0), &mut entries, LIMITS);
    assert_eq!(exported(&entries), (0..10).chain([999]).collect());
    entries.iter_mut().for_each(|entry| entry.series = 2_000);
    round(minutes(1), &mut entries, LIMITS);
    assert_eq!(exported(&entries), (0..4).chain([999]).collect());
}

#[test]
fn half_of_a_score_is_forgotten_in_ten_minutes() {
    let mut score = 100.0;
    (0..10).for_each(|_| score = decayed(score, 0, Duration::from_secs(60)));
    assert!((score - 50.0).abs() < 1e-9);
    (0..200).for_each(|_| score = decayed(score, 600, Duration::from_secs(60)));
    assert!((score - 10.0).abs() < 1e-3);
    assert_eq!(decayed(1.0, 5, Duration::ZERO), 1.0);
}

/// 1,000 models whose popularity follows Zipf's law and drifts, for a day: how often the 50 places change hands, and
/// how much of the traffic they cover, compared with the busiest 50 of every minute.
#[test]
fn over_a_simulated_day_few_places_change_and_nearly_all_of_the_best_is_covered() {
    const MODELS: usize = 1_000;
    let limits = Limits { top_models: 50, series: 5_000 };
    let mut entries: Vec<_> = (0..MODELS as u32).map(|slot| entry(slot, 0.0)).collect();
    let mut random = 9_u64;
    let mut uniform = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 11) as f64 / (1_u64 << 53) as f64
    };
    // Log-popularity: Zipf by rank, pulled back to its place while it wanders.
    let zipf: Vec<_> = (0..MODELS).map(|rank| -((rank + 1) as f64).ln()).collect();
    let mut wander = vec![0.0_f64; MODELS];
    let (mut entered, mut naive, mut covered, mut best) = (0, 0, 0.0, 0.0);
    let (mut before, mut naive_before) = (BTreeSet::new(), BTreeSet::new());
    for minute in 0..24 * 60 {
        wander.iter_mut().for_each(|wander| *wander = *wander * 0.999 + (uniform() - 0.5) * 0.2);
        let rate = |slot: usize| 500.0 * (zipf[slot] + wander[slot]).exp();
        for entry in &mut entries {
            // The noise of a Poisson process of that rate, near enough.
            let mean = rate(entry.slot as usize) * 60.0;
            let noisy = mean + mean.sqrt() * (uniform() + uniform() + uniform() - 1.5) * 2.0;
            entry.score = decayed(entry.score, noisy.max(0.0) as u64, ROUND_EVERY);
        }
        round(minutes(minute), &mut entries, limits);
        let now = exported(&entries);
        assert_eq!(now.len(), 50);
        let mut busiest: Vec<_> = (0..MODELS).collect();
        busiest.sort_by(|a, b| rate(*b).total_cmp(&rate(*a)));
        let naive_now: BTreeSet<_> = busiest.into_iter().take(50).collect();
        if minute >= 60 {
            entered += now.difference(&before).count();
            naive += naive_now.difference(&naive_before).count();
            covered += now.iter().map(|slot| rate(*slot as usize)).sum::<f64>();
            best += naive_now.iter().map(|slot| rate(*slot)).sum::<f64>();
        }
        (before, naive_before) = (now, naive_now);
    }
    let (per_hour, naive) = (entered as f64 / 23.0, naive as f64 / 23.0);
    let share = covered / best * 100.0;
    println!(
        "{per_hour:.1} entries an hour for {naive:.1}; {share:.2} % of the best possible traffic covered"
    );
    assert!(per_hour < naive / 5.0, "{per_hour} entries an hour for {naive}");
    assert!(share > 98.0, "{share} %");
}
