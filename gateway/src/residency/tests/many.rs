//! Many models, many workers, any order of events.

use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;

use super::*;

#[test]
fn at_the_bound_unloaded_models_are_forgotten_and_loaded_ones_kept() {
    let residency = Residency::new(100);
    let models = residency.backend("b");
    for i in 0..60 {
        let _ = models.load(&format!("loaded-{i}"), 200, 1, 2);
    }
    for i in 0..1_000 {
        let _ = models.unload(&format!("random-{i}"), 200, 3);
    }
    assert!(residency.entries() <= 100);
    assert_eq!(residency.untracked(), 0);
    for i in 0..60 {
        assert_eq!(models.infer(&format!("loaded-{i}"), 4), COLD);
    }
    for i in 0..200 {
        let _ = models.load(&format!("more-{i}"), 200, 5, 6);
    }
    assert_eq!(residency.entries(), 100);
    assert_eq!(residency.untracked(), 160);
    assert_eq!(models.infer("more-199", 7), None);
}

#[test]
fn one_load_gives_one_token_however_many_workers_ask() {
    const WORKERS: usize = 8;
    let models = models();
    for round in 0..200 {
        let _ = models.load("m", 200, round, round + 1);
        let (cold, loads, barrier) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(WORKERS));
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    let ticket = models.infer_began("m");
                    barrier.wait();
                    let settled = models.ok(ticket, "m", round + 2);
                    cold.fetch_add(usize::from(settled.start == COLD), Ordering::Relaxed);
                    loads.fetch_add(usize::from(settled.load.is_some()), Ordering::Relaxed);
                });
            }
        });
        assert_eq!((cold.into_inner(), loads.into_inner()), (1, 1), "round {round}");
        let _ = models.unload("m", 200, round + 3);
    }
}

#[test]
fn names_may_come_and_go_while_others_are_read() {
    let residency = Residency::new(50);
    let models = residency.backend("b");
    let _ = models.load("fixed", 200, 1, 2);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let models = &models;
            scope.spawn(move || {
                for i in 0..500 {
                    let id = format!("{worker}-{}", i % 40);
                    let _ = models.load(&id, if i % 3 == 0 { 507 } else { 200 }, i, i + 1);
                    let _ = models.infer(&id, i);
                    let _ = models.infer("fixed", i);
                    models.told_loading(&id, Some(0), at(i));
                    let _ = models.unload(&id, 200, i);
                }
            });
        }
    });
    assert!(residency.entries() <= 50);
    assert_eq!(models.infer("fixed", 1000), HOT);
}

/// What may happen to a model.
#[derive(Debug, Clone)]
enum Event {
    LoadBegins,
    LoadEnds(usize, u16),
    LoadLeft(usize),
    InferBegins,
    InferOk(usize),
    InferFails(usize),
    Unload(u16),
    Told,
}

fn event() -> impl Strategy<Value = Event> {
    let code = prop::sample::select(vec![200, 202, 400, 404, 409, 500, 507]);
    prop_oneof![
        Just(Event::LoadBegins),
        (0..4_usize, code.clone()).prop_map(|(i, code)| Event::LoadEnds(i, code)),
        (0..4_usize).prop_map(Event::LoadLeft),
        Just(Event::InferBegins),
        (0..4_usize).prop_map(Event::InferOk),
        (0..4_usize).prop_map(Event::InferFails),
        code.prop_map(Event::Unload),
        Just(Event::Told),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_happens_a_model_at_rest_is_hot_cold_once_or_unknown(events in prop::collection::vec(event(), 0..40)) {
        let residency = Residency::default();
        let models = residency.backend("b");
        let (mut loads, mut requests) = (Vec::new(), Vec::new());
        // Loads that were handed out with and without a time; calls that succeeded, and whatever else can load a model.
        let (mut timed, mut untimed, mut loaded, mut others) = (0, 0, 0, 0);
        let mut count = |load: Option<Load>| match load {
            Some(Load { took: Some(_), .. }) => timed += 1,
            Some(_) => untimed += 1,
            None => {}
        };
        for (second, event) in (1_u64..).zip(events) {
            match event {
                Event::LoadBegins => {
                    others += 1;
                    loads.push(models.load_began("m", at(second)));
                }
                Event::LoadEnds(i, code) if i < loads.len() => {
                    let settled = loads.swap_remove(i).answered(status(code), Some(0), at(second));
                    loaded += usize::from(matches!(settled.outcome, LoadOutcome::Loaded { .. }));
                }
                Event::LoadLeft(i) if i < loads.len() => drop(loads.swap_remove(i)),
                Event::InferBegins => requests.push(models.infer_began("m")),
                Event::InferOk(i) if i < requests.len() => {
                    let settled = models.ok(requests.swap_remove(i), "m", second);
                    count(settled.load);
                }
                Event::InferFails(i) if i < requests.len() => drop(requests.swap_remove(i)),
                Event::Unload(code) => {
                    let evicted = models.unload("m", code, second);
                    count(evicted.and_then(|evicted| evicted.load));
                    others += 1;
                }
                Event::Told => models.told_loading("m", Some(0), at(second)),
                _ => {}
            }
        }
        prop_assert!(timed <= loaded && untimed <= others, "a load is counted at most once");
        drop((loads, requests));
        // Two answers in a row: after the first nothing is left to be decided.
        let (first, second) = (models.infer("m", 100), models.infer("m", 101));
        prop_assert!(second == HOT || second.is_none(), "{first:?} {second:?}");
        prop_assert!(residency.entries() <= 1);
    }
}
