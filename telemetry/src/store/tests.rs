//! Tests of `store`.

mod budget;
mod groups;
mod load;
mod places;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::observation::{Evidence, Lifecycle, Observation, Outcome, Start};

const OK: Observation = Observation::new(Outcome::Ok, Start::Hot, 5_000_000);

fn store(settings: Settings) -> (Arc<Store>, BackendId) {
    let store = Store::with(settings, 4);
    let backend = store.backend("b");
    (store, backend)
}

/// What a gateway does for one request.
fn request(recorder: &Recorder, backend: BackendId, name: &str, seen: &Observation) {
    let known = recorder.resolve(backend, name);
    let begun = known.unwrap_or_else(|| recorder.reserved(backend, Reserved::Unknown));
    recorder.begin(begun);
    let model =
        if known.is_none() && seen.outcome == Outcome::Ok { recorder.admit(backend, name) } else { begun };
    recorder.end(model, seen);
}

#[test]
fn the_first_success_of_a_name_is_counted_under_it_and_its_failures_before_are_unknown() {
    let (store, backend) = store(Settings::default());
    let recorder = store.recorder(0);
    request(&recorder, backend, "m", &Observation::new(Outcome::ServerError, Start::Unknown, 1));
    request(&recorder, backend, "m", &OK);
    request(&recorder, backend, "m", &OK);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.model("b", "m").unwrap().requests(Outcome::Ok), 2);
    let unknown = snapshot.model("b", "__unknown__").unwrap();
    assert_eq!((unknown.requests(Outcome::ServerError), unknown.settled(), unknown.in_flight()), (1, 1, 0));
}

#[test]
fn in_flight_moves_with_an_admitted_request() {
    let (store, backend) = store(Settings::default());
    let recorder = store.recorder(0);
    recorder.begin(recorder.reserved(backend, Reserved::Unknown));
    assert_eq!(store.snapshot().model("b", "__unknown__").unwrap().in_flight(), 1);
    let model = recorder.admit(backend, "m");
    let snapshot = store.snapshot();
    assert_eq!(snapshot.model("b", "m").unwrap().in_flight(), 1);
    let unknown = snapshot.model("b", "__unknown__").map(|unknown| (unknown.settled(), unknown.in_flight()));
    assert_eq!(unknown, Some((0, 0)), "a series that was there stays");
    recorder.end(model, &OK);
    assert_eq!(store.snapshot().model("b", "m").unwrap().in_flight(), 0);
}

#[test]
fn a_client_cannot_be_admitted_under_a_reserved_name() {
    let (store, backend) = store(Settings::default());
    let recorder = store.recorder(0);
    for reserved in Reserved::ALL {
        assert_eq!(recorder.resolve(backend, reserved.as_str()), None);
        request(&recorder, backend, reserved.as_str(), &OK);
    }
    store.configure(backend, &["__other__".to_owned()]);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.models.len(), 1);
    assert_eq!(snapshot.model("b", "__unknown__").unwrap().requests(Outcome::Ok), 5);
    assert_eq!(snapshot.models_known, 0);
}

#[test]
fn a_hundred_thousand_random_names_that_fail_mint_nothing() {
    let (store, backend) = store(Settings::default());
    let recorder = store.recorder(0);
    let not_found = Observation::new(Outcome::ClientError, Start::Unknown, 1);
    for number in 0..100_000_u32 {
        let name = format!("{:x}\"\n", number.wrapping_mul(2_654_435_761));
        request(&recorder, backend, &name, &not_found);
    }
    let snapshot = store.snapshot();
    assert_eq!((snapshot.models.len(), snapshot.models_known), (1, 0));
    assert_eq!(snapshot.model("b", "__unknown__").unwrap().requests(Outcome::ClientError), 100_000);
}

#[test]
fn hostile_names_that_a_backend_accepts_are_bounded() {
    let (store, backend) = store(Settings { models_max: 3, ..Settings::default() });
    let recorder = store.recorder(0);
    let long = "x".repeat(100_000);
    for name in ["quote\"", "back\\slash", "new\nline", "nul\0", "\u{202e}rtl", &long, "模型", "one too many"]
    {
        request(&recorder, backend, name, &OK);
    }
    let snapshot = store.snapshot();
    let counts = |name| snapshot.model("b", name).map(|model| model.requests(Outcome::Ok));
    assert_eq!(counts("quote\""), Some(1));
    assert_eq!(counts("back\\slash"), Some(1));
    assert_eq!(counts("模型"), Some(1));
    assert_eq!(counts("__unknown__"), Some(4));
    assert_eq!(counts("__overflow__"), Some(1));
    assert_eq!((snapshot.models_known, snapshot.names_overflowed), (3, 1));
}

#[test]
fn backends_beyond_the_cap_share_the_last_number() {
    let store = Store::with(Settings::default(), 1);
    let ids: Vec<_> = (0..BACKENDS_MAX + 10).map(|number| store.backend(&number.to_string())).collect();
    assert_eq!(ids.last(), Some(&BackendId(BACKENDS_MAX - 1)));
    assert_eq!(store.backend("7"), BackendId(7));
}

#[test]
fn a_second_recorder_of_a_worker_counts_too_but_owns_no_lane() {
    let (store, backend) = store(Settings::default());
    let (first, second, outside) = (store.recorder(1), store.recorder(1), store.recorder(99));
    for recorder in [&first, &second, &outside] {
        request(recorder, backend, "m", &OK);
    }
    assert_eq!(store.snapshot().settled(), 3);
    assert_eq!(store.snapshot().workers, [0, 1, 0, 0]);
    drop(first);
    store.tick(Duration::ZERO);
    request(&store.recorder(1), backend, "m", &OK);
    assert_eq!(store.snapshot().workers, [0, 2, 0, 0]);
}

#[test]
fn lifecycle_events_count_without_a_request() {
    let (store, backend) = store(Settings::default());
    store.configure(backend, &["m".to_owned()]);
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    let model = recorder.resolve(backend, "m").unwrap();
    for took in [2, 1] {
        recorder.lifecycle(model, Lifecycle::Loaded { took: Some(Duration::from_secs(took)) });
        recorder.lifecycle(model, Lifecycle::Evicted { age: Some(Duration::from_secs(took)) });
        let snapshot = store.snapshot();
        assert_eq!(snapshot.model("b", "m").unwrap().load_last_ns, took * 1_000_000_000);
    }
    for event in [Lifecycle::LoadFailed, Lifecycle::Loaded { took: None }, Lifecycle::Reloaded] {
        recorder.lifecycle(model, event);
    }
    let snapshot = store.snapshot();
    let model = snapshot.model("b", "m").unwrap();
    assert_eq!((model.loads, model.load_failures, model.load_ns, model.evictions), (3, 1, 3_000_000_000, 2));
    assert_eq!((model.timed_loads, model.load_last_ns), (2, 1_000_000_000));
    assert_eq!((model.evicted_age_ns, model.reloads), (1_000_000_000, 1));
}

#[test]
fn a_cold_start_is_counted_by_its_evidence_and_the_hit_ratio_leaves_unknown_out() {
    let (store, backend) = store(Settings::default());
    let recorder = store.recorder(0);
    let seen = |start, evidence| Observation { evidence, ..Observation::new(Outcome::Ok, start, 1) };
    for seen in [
        seen(Start::Hot, None),
        seen(Start::Hot, Some(Evidence::Header)),
        seen(Start::Hot, None),
        seen(Start::Cold, Some(Evidence::Lifecycle)),
        seen(Start::Unknown, None),
    ] {
        request(&recorder, backend, "m", &seen);
    }
    let snapshot = store.snapshot();
    let model = snapshot.model("b", "m").unwrap();
    assert_eq!(model.cold_starts, [0, 0, 1, 0, 0]);
    assert_eq!(model.hit_ratio(), Some(0.75));
    assert_eq!(Start::ALL.map(|start| model.duration(start).count()), [3, 1, 1]);
}

#[test]
fn a_clock_that_steps_back_or_leaps_and_figures_near_the_end_of_their_range_lose_nothing() {
    let (store, backend) = store(Settings::default());
    let recorder = store.recorder(0);
    let huge = Observation {
        request_bytes: u64::MAX - 1,
        queue_ns: u64::MAX / 2,
        first_byte_ns: Some(u64::MAX),
        ..Observation::new(Outcome::Ok, Start::Hot, u64::MAX)
    };
    for seconds in [100, 10, 0, 1 << 50, 50, u64::MAX, 0] {
        request(&recorder, backend, "m", &huge);
        store.tick(Duration::from_secs(seconds));
        assert!(store.snapshot_with_recent().settled() > 0);
    }
    let snapshot = store.snapshot();
    let model = snapshot.model("b", "m").unwrap();
    assert_eq!((model.settled(), model.durations[0].count(), model.first_byte.count()), (7, 7, 7));
    assert_eq!(model.durations[0].sum_ns(), 7 * u128::from(u64::MAX));
    assert_eq!(model.queue_ns, 7 * u128::from(u64::MAX / 2));
    assert_eq!(model.request_bytes, (u64::MAX - 1).wrapping_mul(7), "bytes wrap");
    let mut text = String::new();
    crate::encode_text(&snapshot, &mut text);
    assert!(
        text.contains("start=\"hot\",le=\"300\"} 0\n") && text.contains("start=\"hot\",le=\"+Inf\"} 7\n")
    );
}

#[test]
fn a_busy_model_gets_lanes_of_its_own_and_gives_them_back() {
    let (store, backend) =
        store(Settings { shard_above_rps: 10, sharded_models_max: 1, ..Settings::default() });
    let recorder = store.recorder(0);
    // From 1; 0 = none.
    let set_of = |name: &str| {
        let model = recorder.resolve(backend, name).unwrap();
        store.slots.get(model.slot).unwrap().set.number().wrapping_add(1)
    };
    let mut second = 0;
    let mut pass = |rates: &[(&str, u32)]| {
        for (name, rate) in rates {
            (0..*rate).for_each(|_| request(&recorder, backend, name, &OK));
        }
        second += 1;
        store.tick(Duration::from_secs(second));
    };
    pass(&[]);
    pass(&[("a", 20), ("b", 5)]);
    assert_eq!((set_of("a"), set_of("b")), (1, 0));
    pass(&[("a", 20), ("b", 20)]);
    assert_eq!((set_of("a"), set_of("b")), (1, 0), "there is one set only");
    (0..31).for_each(|_| pass(&[("a", 2), ("b", 2)]));
    assert_eq!(set_of("a"), 0, "a cooled down");
    (0..4).for_each(|_| pass(&[("a", 2), ("b", 20)]));
    assert_eq!((set_of("a"), set_of("b")), (0, 1));
    let snapshot = store.snapshot();
    assert_eq!(snapshot.model("b", "a").unwrap().requests(Outcome::Ok), 40 + 62 + 8);
    assert_eq!(snapshot.model("b", "b").unwrap().requests(Outcome::Ok), 25 + 62 + 80);
}

proptest! {
    #[test]
    fn any_name_is_either_admitted_as_it_is_or_counted_as_unknown(name in any::<String>()) {
        let (store, backend) = store(Settings::default());
        request(&store.recorder(0), backend, &name, &OK);
        let snapshot = store.snapshot();
        let under = if table::is_admissible(&name) { &name } else { "__unknown__" };
        prop_assert_eq!(snapshot.model("b", under).map(|model| model.settled()), Some(1));
        prop_assert_eq!(snapshot.models.len(), 1);
    }
}

#[test]
fn one_model_can_be_asked_for_with_its_last_minutes_and_idle_ones_make_room_for_others() {
    let (store, backend) = store(Settings { tracked_models_max: 1, ..Settings::default() });
    let recorder = store.recorder(0);
    store.tick(Duration::ZERO);
    request(&recorder, backend, "a", &OK);
    store.tick(Duration::from_secs(10));
    request(&recorder, backend, "b", &OK);
    request(&recorder, backend, "b", &OK);
    store.tick(Duration::from_secs(20));
    let p50 = |name: &str| {
        let minute = store.model("b", name)?.recent?.minute;
        minute.quantile(Start::Hot, 0.5)
    };
    assert_eq!((p50("a").is_some(), p50("b").is_some()), (true, false), "there is room for one");
    assert_eq!(store.model("b", "b").unwrap().recent.unwrap().minute.rate(), 0.1);
    store.tick(Duration::from_secs(1_000));
    request(&recorder, backend, "b", &OK);
    assert_eq!((p50("a").is_some(), p50("b").is_some()), (false, true));
    assert_eq!(
        store.snapshot_with_recent().model("b", "b").unwrap().recent.as_ref().unwrap().minute.requests,
        1
    );
    assert!(store.model("b", "nobody").is_none() && store.model("nobody", "a").is_none());
    assert!(store.model("b", "__none__").is_some());
}
