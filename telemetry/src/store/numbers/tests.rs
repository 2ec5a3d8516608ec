//! Numbers from answers through the whole store: into lanes, folds, tiers and out as text and protobuf.

use std::time::Duration;

use crate::numbers::{Broken, Measure, PLACES, Tokens, Usage};
use crate::observation::{Observation, Outcome, Start};
use crate::{BackendId, Recorder, Reserved, Settings, Store, encode_protobuf, encode_text};

const AT: Duration = Duration::from_secs(1);

/// One request for the model that tells `numbers`.
fn request(
    recorder: &Recorder,
    backend: BackendId,
    name: &str,
    numbers: impl Fn(&Recorder, crate::ModelRef),
) {
    let model = recorder.resolve(backend, name).unwrap_or_else(|| {
        let unknown = recorder.reserved(backend, Reserved::Unknown);
        recorder.begin(unknown);
        recorder.admit(backend, name)
    });
    if recorder.resolve(backend, name).is_some() {
        recorder.begin(model);
    }
    numbers(recorder, model);
    recorder.end(model, &Observation::new(Outcome::Ok, Start::Hot, 1_000_000));
}

fn text(store: &Store) -> String {
    let mut out = String::new();
    encode_text(&store.snapshot(), &mut out);
    out
}

#[test]
fn every_measure_is_written_in_base_units_under_its_own_family() {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("b");
    let measures = [
        ("feat", Measure::Times),
        ("queue", Measure::Seconds),
        ("staleness", Measure::Staleness),
        ("size", Measure::Bytes),
        ("fill", Measure::Ratio),
        ("batch", Measure::Plain),
    ];
    let ids = store.values(backend, &measures);
    let recorder = store.recorder(0);
    request(&recorder, backend, "m", |recorder, model| {
        for (id, value) in ids.iter().zip([0.0125, 0.003, 86_400.5, 4096.0, 0.75, -3.0]) {
            recorder.value(model, id.unwrap(), value, AT);
        }
    });
    let out = text(&store);
    for line in [
        "weir_model_header_value_seconds_sum{backend=\"b\",model=\"m\",value=\"feat\"} 0.0125",
        "weir_model_header_value_seconds_bucket{backend=\"b\",model=\"m\",value=\"feat\",le=\"0.025\"} 1",
        "weir_model_header_value_last_seconds{backend=\"b\",model=\"m\",value=\"queue\"} 0.003",
        "weir_model_header_value_staleness_seconds{backend=\"b\",model=\"m\",value=\"staleness\"} 86400.5",
        "weir_model_header_value_last_bytes{backend=\"b\",model=\"m\",value=\"size\"} 4096",
        "weir_model_header_value_last_ratio{backend=\"b\",model=\"m\",value=\"fill\"} 0.75",
        "weir_model_header_value_last{backend=\"b\",model=\"m\",value=\"batch\"} -3",
    ] {
        assert!(out.lines().any(|found| found == line), "{line}\n{out}");
    }
    let mut bytes = Vec::new();
    encode_protobuf(&store.snapshot(), &mut bytes);
    let value = (-3.0_f64).to_le_bytes();
    assert!(bytes.windows(8).any(|window| window == value), "the gauge stands in protobuf too");
}

#[test]
fn tokens_and_their_times_are_summed_and_broken_streams_counted_by_reason() {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("b");
    let recorder = store.recorder(0);
    for broken in [None, Some(Broken::Error), Some(Broken::Unfinished), Some(Broken::Error)] {
        request(&recorder, backend, "m", |recorder, model| {
            let times = (Some(200_000_000), Some(20_000_000));
            let (first_token_ns, per_output_token_ns) = if broken.is_none() { times } else { (None, None) };
            recorder.usage(model, &Usage { tokens: [10, 3], first_token_ns, per_output_token_ns, broken });
        });
    }
    let model = store.model("b", "m").unwrap();
    let told = model.figures().unwrap();
    assert_eq!((told.tokens(Tokens::Input), told.tokens(Tokens::Output)), (40, 12));
    assert_eq!(Broken::ALL.map(|how| told.broken(how)), [1, 2, 0]);
    assert_eq!((told.first_token.count(), told.per_output_token.sum_ns()), (1, 20_000_000));
    assert!(text(&store).contains("weir_model_tokens_total{backend=\"b\",model=\"m\",type=\"output\"} 12\n"));
}

#[test]
fn a_model_whose_answers_tell_nothing_has_no_series_of_numbers() {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("b");
    store.values(backend, &[("feat", Measure::Times)]);
    request(&store.recorder(0), backend, "m", |_, _| ());
    assert!(store.model("b", "m").unwrap().figures().is_none());
    let out = text(&store);
    assert!(!out.contains("header_value") && !out.contains("token"), "{out}");
}

#[test]
fn what_models_of_the_tail_tell_is_summed_as_other_and_their_last_values_are_not() {
    let settings = Settings { series_budget: 64, top_models: 1, ..Settings::default() };
    let store = Store::with(settings, 1);
    let backend = store.backend("b");
    let ids = store.values(backend, &[("feat", Measure::Times), ("age", Measure::Staleness)]);
    let recorder = store.recorder(0);
    for model in 0..20 {
        request(&recorder, backend, &format!("m{model}"), |recorder, model| {
            recorder.value(model, ids[0].unwrap(), 0.5, AT);
            recorder.value(model, ids[1].unwrap(), 7.0, AT);
            recorder.usage(model, &Usage { tokens: [0, 1], ..Usage::default() });
        });
        store.tick(AT);
    }
    let snapshot = store.snapshot();
    let sum = |read: fn(&crate::Figures) -> u64| -> u64 {
        snapshot.models.iter().filter_map(|model| model.figures()).map(read).sum()
    };
    assert_eq!(sum(|told| told.tokens(Tokens::Output)), 20);
    assert_eq!(sum(|told| told.values[0].times.count()), 20);
    let other = snapshot.model("b", "__other__").unwrap().figures().unwrap();
    assert!(other.values[0].times.count() > 0 && other.values[1].last().is_none());
}

#[test]
fn the_latest_value_is_the_one_of_the_latest_request_whatever_lane_it_went_to() {
    let store = Store::with(Settings { shard_above_rps: 1, ..Settings::default() }, 2);
    let backend = store.backend("b");
    let id = store.values(backend, &[("age", Measure::Staleness)])[0].unwrap();
    let recorders = [store.recorder(0), store.recorder(1)];
    let tell = |worker: usize, value: f64, at: u64| {
        request(&recorders[worker], backend, "m", |recorder, model| {
            recorder.value(model, id, value, Duration::from_secs(at));
        });
    };
    let last = || store.model("b", "m").unwrap().figures().unwrap().values[0].last();
    for at in 0..5 {
        for n in 0..10 {
            tell(n % 2, 1.0, at + 1);
        }
        store.tick(Duration::from_secs(at));
    }
    tell(0, 4.0, 20);
    tell(1, 3.0, 19);
    assert_eq!(last(), Some(4.0));
    store.tick(Duration::from_secs(30));
    assert_eq!(last(), Some(4.0), "a fold without news changes nothing");
    tell(1, 5.0, 31);
    assert_eq!(last(), Some(5.0));
}

#[test]
fn a_value_keeps_its_place_and_there_are_only_so_many() {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("b");
    let names: Vec<String> = (0..PLACES + 2).map(|n| format!("v{n}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), Measure::Plain)).collect();
    let ids = store.values(backend, &all);
    assert_eq!(ids.iter().filter(|id| id.is_some()).count(), PLACES);
    assert_eq!(store.values(backend, &all[2..4]), ids[2..4]);
    assert_eq!(
        store.values(backend, &[("v0", Measure::Times)]),
        [None],
        "kept otherwise, it is another value"
    );
    assert!(store.values(store.backend("c"), &[("v0", Measure::Times)])[0].is_some());
}
