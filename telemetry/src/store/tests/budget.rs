//! The series budget holds at every scrape, whatever makes series; and who has distributions of the last minutes.

use weir_config::{Alerts, LatencyTarget, Profile, Slo, SloStart, StalenessTarget};

use super::*;
use crate::encode::resident::Resident;
use crate::numbers::{Broken, Usage, ValueId};

const SECOND: Duration = Duration::from_secs(1);

/// Series in `/metrics` that have a model.
fn lines(store: &Store) -> usize {
    let mut text = String::new();
    crate::encode_text(&store.snapshot(), &mut text);
    text.lines().filter(|line| !line.starts_with('#') && line.contains("{backend=")).count()
}

fn promises() -> Vec<Slo> {
    let latency = |start| Slo {
        name: format!("{start:?}").to_lowercase(),
        latency: Some(LatencyTarget { start, ..LatencyTarget::default() }),
        ..Slo::default()
    };
    let staleness = Some(StalenessTarget::default());
    let errors = Some("1%".parse().unwrap());
    vec![
        latency(SloStart::Any),
        latency(SloStart::Hot),
        Slo { name: "fresh".to_owned(), staleness, ..Slo::default() },
        Slo { name: "correct".to_owned(), error_rate_max: errors, ..Slo::default() },
    ]
}

/// A request that makes as many series as one can; `dice` decides which.
fn rich(recorder: &Recorder, model: ModelRef, values: &[Option<ValueId>], dice: u64) {
    let of = |n: usize| dice as usize % n;
    recorder.begin(model);
    let told = Usage {
        tokens: [dice % 3, 5],
        first_token_ns: Some(7),
        per_output_token_ns: Some(9),
        broken: Broken::ALL.get(of(4)).copied(),
    };
    recorder.usage(model, &told);
    values.iter().flatten().for_each(|value| recorder.value(model, *value, 1.5, SECOND));
    let seen = Observation {
        evidence: Some(Evidence::ALL[of(5)]),
        first_byte_ns: Some(dice),
        queue_ns: dice % 7,
        load_ns: Some(dice),
        ..Observation::new(Outcome::ALL[of(16).saturating_sub(8)], Start::ALL[of(3)], dice)
    };
    recorder.end(model, &seen);
    let (took, age) = (Some(SECOND), Some(SECOND));
    let events =
        [Lifecycle::Loaded { took }, Lifecycle::LoadFailed, Lifecycle::Evicted { age }, Lifecycle::Reloaded];
    recorder.lifecycle(model, events[of(4)]);
}

/// Everything that makes series is configured, models come and grow between two rounds, and what servers tell comes later.
#[test]
fn with_everything_configured_no_scrape_has_more_series_than_the_budget() {
    const BUDGET: u32 = 6_000;
    let profiles = vec![Profile::OtelGenai, Profile::OtelHttp, Profile::Torchserve, Profile::Triton];
    let (store, backend) =
        store(Settings { series_budget: BUDGET, profiles, top_models: 20, ..Settings::default() });
    store.promise(&promises(), &Alerts::default());
    store.pin(backend, Pin::Configured, &["m3".to_owned(), "m150".to_owned()]);
    let measures = [
        Measure::Times,
        Measure::Seconds,
        Measure::Staleness,
        Measure::Bytes,
        Measure::Ratio,
        Measure::Plain,
    ];
    let names = ["a", "b", "c", "d", "e", "f"];
    let values = store.values(backend, &names.into_iter().zip(measures).collect::<Vec<_>>());
    let recorder = store.recorder(0);
    let (mut random, mut most, mut fewest) = (1_u64, 0, usize::MAX);
    for second in 0..400_u64 {
        for _ in 0..40 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let name = format!("m{}", (random >> 40) % (second + 1).min(200));
            let model = recorder.resolve(backend, &name).unwrap_or_else(|| {
                request(&recorder, backend, &name, &OK);
                recorder.resolve(backend, &name).unwrap_or(recorder.reserved(backend, Reserved::Unknown))
            });
            rich(&recorder, model, &values, random >> 33);
            rich(&recorder, recorder.reserved(backend, Reserved::Control), &values, random >> 20);
        }
        if second == 130 {
            let resident = Resident { loaded: Some(1), memory_bytes: Some(2), gpu_memory_bytes: Some(3) };
            let all = (0..200).map(|n| (format!("m{n}").into(), resident)).collect();
            store.set_residents([("b".into(), all)].into());
        }
        // Scraped before the tick too: what is new since must fit as well.
        let now = lines(&store);
        assert!(now <= BUDGET as usize, "{now} series in second {second}");
        (most, fewest) = (most.max(now), if second > 100 { fewest.min(now) } else { fewest });
        store.tick(SECOND * second as u32);
    }
    assert!(most > BUDGET as usize * 9 / 10, "{most} series at most: nothing was bounded");
    assert!(fewest > BUDGET as usize / 2, "{fewest} series: the budget is hardly used");
    let (snapshot, ledger) = (store.snapshot(), store.ledger());
    ledger.books.check();
    let exported = snapshot.models.iter().filter(|model| !model.reserved).count();
    assert_eq!(u64::try_from(exported).unwrap(), snapshot.models_exported);
    assert!(
        snapshot.models.iter().any(|model| &*model.model == "m150" && model.reason == Some(Reason::Pinned))
    );
}

#[test]
fn a_budget_of_nothing_leaves_the_reserved_names_alone() {
    let (store, backend) = store(Settings { series_budget: 0, ..Settings::default() });
    let recorder = store.recorder(0);
    ["a", "b"].iter().for_each(|name| request(&recorder, backend, name, &OK));
    store.tick(SECOND);
    let snapshot = store.snapshot();
    assert_eq!((snapshot.models_exported, snapshot.settled()), (0, 2));
    assert!(snapshot.models.iter().all(|model| model.reserved));
}

#[test]
fn a_model_that_grows_between_two_rounds_is_summed_up_and_loses_nothing() {
    let (store, backend) = store(Settings { series_budget: 230, top_models: 3, ..Settings::default() });
    let recorder = store.recorder(0);
    for name in ["a", "b", "c"] {
        request(&recorder, backend, name, &OK);
    }
    store.tick(SECOND);
    assert_eq!(store.snapshot().models_exported, 3);
    let seen = Observation { first_byte_ns: Some(1), ..OK };
    for start in Start::ALL {
        for name in ["a", "b", "c"] {
            request(&recorder, backend, name, &Observation { start, ..seen });
        }
    }
    let snapshot = store.snapshot();
    assert!((1..3).contains(&snapshot.models_exported) && lines(&store) <= 230, "{}", lines(&store));
    assert_eq!(snapshot.settled() + snapshot.withdrawn, 12);
}

#[test]
fn exported_models_have_distributions_before_those_of_the_tail() {
    let settings =
        Settings { tracked_models_max: 2, series_budget: 150, top_models: 2, ..Settings::default() };
    let (store, backend) = store(settings);
    let recorder = store.recorder(0);
    store.pin(backend, Pin::Configured, &["z".to_owned(), "y".to_owned()]);
    for name in ["a", "b", "c"] {
        request(&recorder, backend, name, &OK);
    }
    store.tick(SECOND);
    for name in ["z", "y", "a"] {
        request(&recorder, backend, name, &OK);
    }
    let is_tracked = |name: &str| store.model("b", name).unwrap().recent.unwrap().minute.durations.is_some();
    store.tick(SECOND * 61);
    for name in ["z", "y", "a"] {
        request(&recorder, backend, name, &OK);
    }
    store.tick(SECOND * 62);
    assert_eq!(["z", "y", "a", "b", "c"].map(is_tracked), [true, true, false, false, false]);
    store.apply(&weir_config::Telemetry { tracked_models_max: 1, series_budget: 150, ..Default::default() });
    store.tick(SECOND * 63);
    assert_eq!(["z", "y"].map(is_tracked).iter().filter(|tracked| **tracked).count(), 1);
    store.ledger().books.check();
}

/// A model at rest is not looked at; whatever happens to it wakes it.
#[test]
fn who_sleeps_is_woken_by_a_request_a_load_and_an_eviction() {
    let (store, backend) = store(Settings::default());
    let recorder = store.recorder(0);
    request(&recorder, backend, "m", &OK);
    store.tick(SECOND);
    let model = recorder.resolve(backend, "m").unwrap();
    let is_awake = || store.ledger().books.awake.iter().any(|slot| slot == model.slot);
    assert!(!is_awake());
    recorder.lifecycle(model, Lifecycle::Evicted { age: None });
    assert_eq!(store.snapshot().model("b", "m").unwrap().evictions, 1);
    recorder.begin(model);
    (0..3).for_each(|_| assert_eq!(store.snapshot().model("b", "m").unwrap().in_flight(), 1));
    assert!(is_awake(), "it may end at any time");
    recorder.end(model, &OK);
    assert_eq!(store.snapshot().model("b", "m").unwrap().settled(), 2);
    assert!(!is_awake());
}
