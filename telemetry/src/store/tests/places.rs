//! Who is exported, who is evicted, and that the sums stay exact.

use super::*;

/// Models beyond the budget are `__other__`, and whatever moves in and out, nothing is counted twice or lost.
#[test]
fn exported_models_and_the_tail_equal_the_requests_sent_across_rounds() {
    let settings =
        Settings { series_budget: 8 * 75, top_models: 4, shard_above_rps: 5, ..Settings::default() };
    let (store, backend) = store(settings);
    let recorders = [store.recorder(0), store.recorder(1)];
    let (mut sent, mut last, mut left) = (0_u64, std::collections::BTreeMap::new(), 0);
    let mut open = Vec::new();
    for minute in 0..240_u64 {
        for number in 0..40_u64 {
            // Ten models are busy at a time, and others every 40 minutes.
            let busy = (number + minute / 40 * 7) % 40 < 10;
            for count in 0..if busy { 20 + number } else { 1 } {
                request(&recorders[(count % 2) as usize], backend, &format!("m{number}"), &OK);
                sent += 1;
            }
        }
        // One request is always on its way through the rounds.
        let recorder = &recorders[0];
        if let Some(model) = recorder.resolve(backend, &format!("m{}", minute % 40)) {
            recorder.begin(model);
            open.push(model);
        }
        if minute % 3 == 0 && !open.is_empty() {
            recorder.end(open.remove(0), &OK);
            sent += 1;
        }
        for second in [0, 30] {
            store.tick(Duration::from_secs(minute * 60 + second));
        }
        let snapshot = store.snapshot();
        assert_eq!(snapshot.settled() + snapshot.withdrawn, sent, "minute {minute}");
        let in_flight: u64 = snapshot.models.iter().map(|model| model.in_flight()).sum();
        assert_eq!(in_flight, open.len() as u64, "minute {minute}");
        assert!(snapshot.models_exported <= 8 && snapshot.models_known == 40);
        for model in &snapshot.models {
            let now = (model.settled(), model.durations[0].sum_ns());
            let before = last.insert(Arc::clone(&model.model), now).unwrap_or_default();
            assert!(before <= now, "{} fell from {before:?} to {now:?}", model.model);
        }
        left += u64::from(snapshot.withdrawn > 0);
    }
    assert!(left > 0, "no model ever left");
    let sum: u64 = (0..40).map(|n| store.model("b", &format!("m{n}")).unwrap().settled()).sum();
    assert_eq!(sum + store.model("b", "__unknown__").map_or(0, |model| model.settled()), sent);
}

#[test]
fn a_pinned_model_is_exported_without_traffic_and_says_why() {
    let (store, backend) = store(Settings { series_budget: 4 * 75, top_models: 2, ..Settings::default() });
    let recorder = store.recorder(0);
    store.pin(backend, Pin::Configured, &["z".to_owned()]);
    store.tick(Duration::ZERO);
    for minute in 1..40 {
        for name in ["a", "b", "c", "d", "e", "f"] {
            request(&recorder, backend, name, &OK);
        }
        store.tick(Duration::from_secs(60 * minute));
    }
    let reason = |name: &str| store.model("b", name).unwrap().reason;
    assert_eq!(reason("z"), Some(Reason::Pinned));
    assert_eq!(reason("f"), None);
    assert_eq!(["a", "b", "c"].map(reason), [Some(Reason::Rank); 3]);
    assert_eq!(store.snapshot().model("b", "__other__").unwrap().settled() % 3, 0);
    store.pin(backend, Pin::Configured, &["f".to_owned()]);
    store.tick(Duration::from_secs(60 * 40));
    assert_eq!((reason("f"), reason("z")), (Some(Reason::Pinned), None));
}

#[test]
fn an_idle_model_gives_its_slot_to_another_and_a_stale_handle_lands_in_other() {
    let (store, backend) = store(Settings { models_max: 2, ..Settings::default() });
    let recorder = store.recorder(0);
    store.configure(backend, &["kept".to_owned()]);
    let hours = |hours: u64| store.tick(Duration::from_secs(hours * 3600));
    hours(0);
    request(&recorder, backend, "old", &OK);
    hours(1);
    let stale = recorder.resolve(backend, "old").unwrap();
    hours(24);
    assert_eq!(recorder.resolve(backend, "old"), Some(stale), "not idle for long enough");
    hours(26);
    assert_eq!((recorder.resolve(backend, "old"), store.snapshot().models_known), (None, 1));
    request(&recorder, backend, "new", &OK);
    let count =
        |name: &str| store.snapshot().model("b", name).map(|model| (model.settled(), model.in_flight()));
    assert_eq!(
        count("__overflow__"),
        Some((1, 0)),
        "its slot is not free before the recorder was seen again"
    );
    (27..30).for_each(hours);
    request(&recorder, backend, "new", &OK);
    assert_eq!(count("new"), Some((1, 0)));
    assert_eq!(recorder.resolve(backend, "kept").map(|model| model.generation), Some(0));
    recorder.begin(stale);
    assert_eq!((count("new"), count("__other__")), (Some((1, 0)), Some((0, 1))));
    recorder.end(stale, &OK);
    assert_eq!((count("new"), count("__other__")), (Some((1, 0)), Some((1, 0))));
    let snapshot = store.snapshot();
    assert_eq!((snapshot.settled(), snapshot.withdrawn, snapshot.names_overflowed), (3, 1, 1));
}

#[test]
fn a_recorder_that_sleeps_holds_slots_back_until_it_says_that_it_is_outside_of_any_call() {
    let (store, backend) = store(Settings { models_max: 1, ..Settings::default() });
    let (busy, asleep) = (store.recorder(0), store.recorder(1));
    let hours = |hours: u64| store.tick(Duration::from_secs(hours * 3600));
    hours(0);
    request(&busy, backend, "old", &OK);
    (1..40).for_each(|hour| {
        busy.quiesce();
        hours(hour);
    });
    request(&busy, backend, "new", &OK);
    assert!(store.model("b", "new").is_none());
    asleep.quiesce();
    (40..43).for_each(hours);
    request(&busy, backend, "new", &OK);
    assert_eq!(store.model("b", "new").unwrap().settled(), 1);
}
