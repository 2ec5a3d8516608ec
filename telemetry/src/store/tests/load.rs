//! Sums under concurrent load: four workers, the control plane ticking at random intervals (the clock also leaps and
//! steps back), names admitted meanwhile, models promoted, demoted and evicted as idle: nothing is lost and nothing is
//! counted twice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

const PER_WORKER: u64 = 60_000;

/// One worker's requests; its recorder is given up and taken again `restarts` times.
fn work(store: &Arc<Store>, backend: BackendId, worker: u64, restarts: u64) {
    let (mut random, mut recorder) = (worker + 1, store.recorder(worker as usize));
    for count in 0..PER_WORKER {
        if count % (PER_WORKER / (restarts + 1)) == 1 && count > 1 {
            // The old one goes first: the new one may have its lanes only after it.
            drop(recorder);
            recorder = store.recorder(worker as usize);
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = random >> 33;
        let outcome = Outcome::ALL[(dice % 16).min(7) as usize];
        let outcome = if dice % 16 > 7 { Outcome::Ok } else { outcome };
        let seen = Observation::new(outcome, Start::ALL[(dice % 3) as usize], dice);
        request(&recorder, backend, &format!("m{}", (dice >> 4) % 20 + count / 1_000), &seen);
    }
}

/// Runs all workers to their end; `beat` is called again and again meanwhile. Tells how many models had lanes of their
/// own at most.
fn run(store: &Arc<Store>, backend: BackendId, restarts: u64, beat: impl Fn(u64) + Send + Sync) -> u64 {
    let (done, promoted) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..4_u64).map(|worker| scope.spawn(move || work(store, backend, worker, restarts))).collect();
        scope.spawn(|| {
            let (mut now, mut number) = (Duration::ZERO, 0_u64);
            while !done.load(Ordering::Acquire) {
                number += 1;
                now += Duration::from_secs(if number % 97 < 40 { 1 } else { 1_000_000 });
                store.tick(if number.is_multiple_of(13) { now / 2 } else { now });
                beat(number);
                let lent = store.ledger().books.values().filter(|book| book.lent.set().is_some()).count();
                promoted.fetch_max(lent as u64, Ordering::Relaxed);
                assert!(store.snapshot().settled() <= 4 * PER_WORKER);
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Release);
    });
    promoted.load(Ordering::Relaxed)
}

fn check(store: &Store) {
    let snapshot = store.snapshot();
    assert_eq!(snapshot.settled() + snapshot.withdrawn, 4 * PER_WORKER);
    assert_eq!(snapshot.models.iter().map(|model| model.in_flight()).sum::<u64>(), 0);
    let is_used_again =
        |slot| store.slots.get(slot).is_some_and(|slot| slot.generation.load(Ordering::Relaxed) > 0);
    let first = model::MODELS_FROM;
    assert!(
        snapshot.models_known <= 40 && (first..first + 40).any(is_used_again),
        "no model was ever evicted"
    );
    store.ledger().books.check();
    let cells = |model: &crate::ModelSnapshot| model.durations.iter().map(|of| of.count()).sum::<u64>();
    assert!(snapshot.models.iter().all(|model| cells(model) == model.requests(Outcome::Ok)));
}

fn crowded() -> Settings {
    Settings { models_max: 40, shard_above_rps: 1, sharded_models_max: 4, ..Settings::default() }
}

#[test]
fn all_models_together_equal_the_requests_sent_under_concurrent_load() {
    let (store, backend) = store(crowded());
    let promoted = run(&store, backend, 0, |_| ());
    check(&store);
    assert_eq!(store.snapshot().workers, [PER_WORKER; 4]);
    assert!(promoted > 0, "no model was ever promoted");
}

/// The same while workers restart, and while places, pins and tiers change with every beat.
#[test]
fn they_do_so_too_when_workers_restart_and_the_configuration_changes_all_the_time() {
    let (store, backend) = store(Settings { series_budget: 4 * 75, top_models: 2, ..crowded() });
    run(&store, backend, 9, |beat| {
        let mut config = weir_config::Telemetry::default();
        (config.series_budget, config.top_models) = (75 * (beat % 9) as u32, 2);
        (config.models_max, config.shard_above_rps) = (40, 1 + (beat % 3) as u32);
        config.pins =
            vec![weir_config::Pin { model: format!("m{}", beat % 30), backend: Some("b".to_owned()) }];
        let models = vec![format!("m{}*", beat % 7)];
        config.tiers = vec![weir_config::Tier { name: format!("t{}", beat % 5), models, backend: None }];
        store.apply(&config);
    });
    store.tick(Duration::from_secs(1 << 40));
    check(&store);
    assert!(store.snapshot().workers.iter().sum::<u64>() <= 4 * PER_WORKER);
}
