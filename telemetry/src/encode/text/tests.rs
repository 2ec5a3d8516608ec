//! Tests of `encode/text`.

use std::collections::BTreeSet;
use std::time::Duration;

use weir_config::{Alerts, LatencyTarget, Slo};

use super::*;
use crate::encode::gpu::Gpu;
use crate::encode::resident::Resident;
use crate::names::{self, Kind, Scope};
use crate::numbers::{Broken, Measure, Usage};
use crate::observation::{Evidence, Lifecycle, Observation, Outcome, Start};
use crate::{ModelRef, Recorder, Reserved, Settings, Store};

/// A store with a model in which everything has happened once.
fn full() -> Snapshot {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("mms");
    store.configure(backend, &["a\"b".to_owned(), "idle".to_owned()]);
    let below = Duration::from_secs(1);
    let latency = Some(LatencyTarget { below, ..LatencyTarget::default() });
    let models = vec!["a\"b".to_owned()];
    store.promise(&[Slo { name: "fast".to_owned(), models, latency, ..Slo::default() }], &Alerts::default());
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    let model = recorder.resolve(backend, "a\"b").unwrap();
    for outcome in Outcome::ALL {
        for start in Start::ALL {
            recorder.begin(model);
            recorder.end(
                model,
                &Observation {
                    evidence: Some(Evidence::Header),
                    first_byte_ns: Some(4_000_000),
                    queue_ns: 1_500,
                    request_bytes: 10,
                    response_bytes: 20,
                    load_ns: (start == Start::Cold && outcome == Outcome::Ok).then_some(3_000_000_000),
                    ..Observation::new(outcome, start, 5_000_000)
                },
            );
        }
    }
    let (took, age) = (Some(Duration::from_millis(250)), Some(Duration::from_secs(60)));
    for event in [
        Lifecycle::LoadFailed,
        Lifecycle::Evicted { age },
        Lifecycle::Loaded { took },
        Lifecycle::Loaded { took: None },
        Lifecycle::Reloaded,
    ] {
        recorder.lifecycle(model, event);
    }
    tell_numbers(&store, &recorder, model);
    let resident = Resident { loaded: Some(1), memory_bytes: Some(4096), gpu_memory_bytes: Some(2048) };
    store.set_residents([("mms".into(), [("a\"b".into(), resident)].into())].into());
    let (backend_name, endpoint, gpu) = ("mms".into(), "a:1".into(), "GPU-\"a\"".into());
    let figures = [Some(0.25), Some(4096.0), Some(8192.0), Some(51.5), Some(0.5)];
    store.set_gpus(vec![Gpu { backend: backend_name, endpoint, gpu, figures }]);
    recorder.begin(recorder.reserved(backend, Reserved::None_));
    store.snapshot()
}

/// The model is told every kind of number.
fn tell_numbers(store: &Store, recorder: &Recorder, model: ModelRef) {
    for broken in Broken::ALL {
        let times = Some(20_000_000);
        let told =
            Usage { tokens: [7, 3], first_token_ns: times, per_output_token_ns: times, broken: Some(broken) };
        recorder.usage(model, &told);
    }
    let values = [
        ("times", Measure::Times),
        ("seconds", Measure::Seconds),
        ("staleness", Measure::Staleness),
        ("bytes", Measure::Bytes),
        ("ratio", Measure::Ratio),
        ("plain", Measure::Plain),
    ];
    for id in store.values(model.backend, &values).into_iter().flatten() {
        recorder.value(model, id, 0.5, Duration::ZERO);
    }
}

fn text_of(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    encode_text(snapshot, &mut out);
    out
}

#[test]
fn every_line_of_a_model_reads_as_the_format_wants() {
    let text = text_of(&full());
    let labels = r#"backend="mms",model="a\"b""#;
    for line in [
        r#"weir_model_requests_total{LABELS,outcome="ok"} 3"#,
        r#"weir_model_requests_total{LABELS,outcome="cancelled"} 3"#,
        r#"weir_model_request_duration_seconds_bucket{LABELS,start="hot",le="0.005"} 1"#,
        r#"weir_model_request_duration_seconds_bucket{LABELS,start="cold",le="+Inf"} 1"#,
        r#"weir_model_request_duration_seconds_sum{LABELS,start="unknown"} 0.005"#,
        r#"weir_model_request_duration_seconds_count{LABELS,start="hot"} 1"#,
        r#"weir_model_time_to_first_byte_seconds_bucket{LABELS,le="0.005"} 3"#,
        r#"weir_model_cold_starts_total{LABELS,evidence="header"} 8"#,
        r#"weir_model_loads_total{LABELS} 3"#,
        r#"weir_model_timed_loads_total{LABELS} 2"#,
        r#"weir_model_reloads_total{LABELS} 1"#,
        r#"weir_model_load_failures_total{LABELS} 1"#,
        r#"weir_model_load_seconds_total{LABELS} 3.25"#,
        r#"weir_model_last_load_seconds{LABELS} 0.25"#,
        r#"weir_model_evictions_total{LABELS} 1"#,
        r#"weir_model_last_eviction_age_seconds{LABELS} 60"#,
        r#"weir_backend_gpu_utilization_ratio{backend="mms",endpoint="a:1",gpu="GPU-\"a\""} 0.25"#,
        r#"weir_model_queue_seconds_total{LABELS} 0.000036"#,
        r#"weir_model_queued_requests_total{LABELS} 24"#,
        r#"weir_model_in_flight_requests{LABELS} 0"#,
        r#"weir_model_request_bytes_total{LABELS} 240"#,
        r#"weir_model_response_bytes_total{LABELS} 480"#,
        r#"weir_model_in_flight_requests{backend="mms",model="__none__"} 1"#,
        "weir_models_known 2",
        "weir_models_exported 2",
        r#"weir_worker_requests_total{worker="0"} 24"#,
    ] {
        let line = line.replace("LABELS", labels);
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
}

#[test]
fn a_model_without_a_request_has_only_what_a_rate_needs() {
    let text = text_of(&full());
    let idle: Vec<_> = text.lines().filter(|line| line.contains("model=\"idle\"")).collect();
    assert_eq!(
        idle,
        [
            r#"weir_model_requests_total{backend="mms",model="idle",outcome="ok"} 0"#,
            r#"weir_model_in_flight_requests{backend="mms",model="idle"} 0"#,
            r#"weir_model_request_bytes_total{backend="mms",model="idle"} 0"#,
            r#"weir_model_response_bytes_total{backend="mms",model="idle"} 0"#,
            r#"weir_model_tier{backend="mms",model="idle",reason="fits"} 1"#,
        ]
    );
    assert!(!text.contains("__overflow__\""), "a reserved name without a request is not exported");
}

/// Family name, label names and type of every line, read back from the text.
fn read_back(text: &str) -> BTreeSet<(String, Vec<String>, String)> {
    let mut found = BTreeSet::new();
    let (mut family, mut kind) = (String::new(), String::new());
    let mut closed = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, type_) = rest.split_once(' ').unwrap();
            assert!(closed.insert(name.to_owned()), "family {name} begins twice");
            (family, kind) = (name.to_owned(), type_.to_owned());
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let name = line.split(['{', ' ']).next().unwrap();
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let stem = if kind == "histogram" { stem.unwrap() } else { name };
        assert_eq!(stem, family, "a line outside of its family: {line}");
        let labels = line.split_once('{').map_or("", |(_, rest)| rest);
        let names = labels.split("=\"").map(|part| part.rsplit([',', ' ']).next().unwrap().to_owned());
        let mut names: Vec<_> = names.collect();
        names.pop();
        names.retain(|name| name != "le");
        found.insert((family.clone(), names, kind.clone()));
    }
    found
}

#[test]
fn the_encoder_writes_exactly_the_families_of_the_table() {
    let written = read_back(&text_of(&full()));
    let table: BTreeSet<_> = names::all()
        .filter(|family| matches!(family.scope, Scope::Model | Scope::Store))
        .map(|family| {
            let labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
            (family.name.to_owned(), labels, family.kind.as_str().to_owned())
        })
        .collect();
    assert_eq!(written, table);
}

#[test]
fn count_equals_the_infinite_bucket_and_buckets_never_fall() {
    let text = text_of(&full());
    let mut last = 0_u64;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        if line.contains("_bucket{") {
            let value = value.parse().unwrap();
            assert!(value >= last || line.contains("le=\"0.005\""), "{line}");
            last = value;
        } else if line.contains("_count{") {
            assert_eq!(value.parse::<u64>().unwrap(), last, "{line}");
        }
    }
    assert!(names::all().any(|family| family.kind == Kind::Histogram));
}

#[test]
fn seconds_are_exact_and_short() {
    let cases: [(u128, &str); 7] = [
        (0, "0"),
        (1, "0.000000001"),
        (1_500, "0.0000015"),
        (1_500_000_000, "1.5"),
        (3_000_000_000, "3"),
        (u64::MAX.into(), "18446744073.709551615"),
        (u128::from(u64::MAX) * 1_000_000_000, "18446744073709551615"),
    ];
    for (ns, text) in cases {
        let mut out = String::new();
        seconds(ns, &mut out);
        assert_eq!(out, text);
    }
}

#[test]
fn openmetrics_says_units_names_counters_without_suffix_and_ends() {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("b");
    store.configure(backend, &["m".to_owned()]);
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    let model = recorder.resolve(backend, "m").unwrap();
    recorder.begin(model);
    recorder.end(model, &Observation::new(Outcome::Ok, Start::Cold, 1_200_000_000));
    let exemplar = Exemplar { trace: 0xfeed, duration_ns: 1_200_000_000, unix_ms: 1_700_000_000_042 };
    recorder.exemplar(model, Start::Cold, exemplar);
    let (mut open, snapshot) = (String::new(), store.snapshot());
    let gateway = "# HELP weir_x_total X.\n# TYPE weir_x_total counter\nweir_x_total 1\n\n";
    encode_openmetrics(&snapshot, gateway, &mut open);
    for line in [
        "# TYPE weir_model_requests counter",
        r#"weir_model_requests_total{backend="b",model="m",outcome="ok"} 1"#,
        "# UNIT weir_model_request_duration_seconds seconds",
        "# UNIT weir_model_request_bytes bytes",
        r#"weir_model_request_duration_seconds_bucket{backend="b",model="m",start="cold",le="2.5"} 1 # {trace_id="0000000000000000000000000000feed"} 1.2 1700000000.042"#,
        r#"weir_model_request_duration_seconds_bucket{backend="b",model="m",start="cold",le="5"} 1"#,
        "# HELP weir_x X.",
        "# TYPE weir_x counter",
        "weir_x_total 1",
    ] {
        assert!(open.lines().any(|found| found == line), "no line {line} in\n{open}");
    }
    assert!(open.ends_with("\n# EOF\n") && !open.contains("\n\n"));
    // The same series with the same values as text.
    let series = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("weir_x"));
        lines.map(|line| line.split(" # ").next().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(series(&open), series(&text_of(&snapshot)));
}

#[test]
fn the_tail_is_all_models_without_a_place_the_busiest_first_and_capped() {
    let store = Store::with(Settings { series_budget: 0, ..Settings::default() }, 1);
    let backend = store.backend("b");
    let names: Vec<_> = (0..5).map(|number| format!("m\"{number}")).collect();
    store.configure(backend, &names);
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    for (number, name) in names.iter().enumerate() {
        let model = recorder.resolve(backend, name).unwrap();
        for _ in 0..number {
            recorder.begin(model);
            recorder.end(model, &Observation::new(Outcome::Timeout, Start::Cold, 1));
        }
    }
    let mut text = String::new();
    crate::encode_tail(&store.tail(2), &mut text);
    let written = read_back(&text);
    let table =
        names::all().filter(|family| family.scope == Scope::Tail).map(|family| family.name.to_owned());
    assert_eq!(written.iter().map(|(name, ..)| name.clone()).collect::<BTreeSet<_>>(), table.collect());
    let requests: Vec<_> = text.lines().filter(|line| line.starts_with("weir_tail_requests_total")).collect();
    assert_eq!(
        requests,
        [
            r#"weir_tail_requests_total{backend="b",model="m\"4"} 4"#,
            r#"weir_tail_requests_total{backend="b",model="m\"3"} 3"#
        ]
    );
    assert!(text.contains("weir_tail_failures_total{backend=\"b\",model=\"m\\\"4\"} 4\n"));
    assert!(text.ends_with("weir_tail_omitted_models 3\n"));
    assert_eq!(store.snapshot().model("b", "__other__").unwrap().settled(), 10);
}
