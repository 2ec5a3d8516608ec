//! The request path allocates nothing: counted by an allocator of its own, so in a test binary of its own.

use std::time::Duration;

use weir_config::{Alerts, LatencyTarget, Slo};
use weir_telemetry::{Evidence, Measure, Observation, Outcome, Reserved, Settings, Start, Store, Usage};

/// Every kind of request there is, once.
fn observations() -> impl Iterator<Item = Observation> {
    Outcome::ALL.into_iter().flat_map(|outcome| {
        Start::ALL.into_iter().map(move |start| Observation {
            evidence: Some(Evidence::Status),
            first_byte_ns: Some(1_000_000),
            queue_ns: 5,
            request_bytes: 100,
            response_bytes: 1_000,
            load_ns: Some(1),
            ..Observation::new(outcome, start, 3_000_000)
        })
    })
}

#[test]
fn resolving_beginning_and_ending_a_request_allocate_nothing_once_a_model_has_its_cells() {
    // From 1 request per second on a model has per-worker lanes, so that both ways to write are counted.
    let store = Store::with(Settings { shard_above_rps: 1, ..Settings::default() }, 1);
    let backend = store.backend("b");
    // A limit on time that every success breaks, so that judging counts too.
    let latency = LatencyTarget { below: Duration::from_millis(1), ..LatencyTarget::default() };
    let fast = Slo { name: "fast".to_owned(), latency: Some(latency), ..Slo::default() };
    store.promise(&[fast], &Alerts::default());
    store.configure(backend, &["m".to_owned()]);
    store.tick(Duration::ZERO);
    let values = store.values(backend, &[("feat", Measure::Times), ("age", Measure::Staleness)]);
    let usage = Usage { tokens: [9, 9], first_token_ns: Some(9), per_output_token_ns: Some(9), broken: None };
    let recorder = store.recorder(0);
    let record = || {
        for seen in observations() {
            let model = recorder.resolve(backend, "m");
            let model = model.unwrap_or_else(|| recorder.reserved(backend, Reserved::None_));
            recorder.begin(model);
            recorder.usage(model, &usage);
            for id in values.iter().flatten() {
                recorder.value(model, *id, 0.25, Duration::from_secs(1));
            }
            recorder.end(model, &seen);
            assert_eq!(recorder.resolve(backend, "nobody"), None);
        }
    };
    for second in 1..4 {
        record();
        let counted = allocation_counter::measure(record);
        assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "in second {second}");
        store.tick(Duration::from_secs(second));
    }
}

#[test]
fn a_name_that_is_known_is_admitted_again_without_allocating() {
    let store = Store::with(Settings { models_max: 1, ..Settings::default() }, 1);
    let backend = store.backend("b");
    let recorder = store.recorder(0);
    recorder.admit(backend, "m");
    let counted = allocation_counter::measure(|| {
        recorder.admit(backend, "m");
        recorder.admit(backend, "too many");
        recorder.admit(backend, "__none__");
    });
    assert_eq!(counted.count_total, 0);
}
