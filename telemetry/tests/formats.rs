//! Whatever format a scraper asks for, it reads the same series with the same values: a body with everything in it, in
//! all three, read back and compared sample by sample.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what is read back was written just before"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use weir_config::Profile;
use weir_telemetry::{
    Broken, Evidence, Exemplar, Lifecycle, Measure, Observation, Outcome, Settings, Snapshot, Start, Store,
    Usage, encode_openmetrics, encode_protobuf, encode_text,
};

/// A sample: its name with suffix, and its labels by name, escaped as text.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

const PROFILES: [Profile; 4] = [Profile::OtelGenai, Profile::OtelHttp, Profile::Torchserve, Profile::Triton];

const NAMES: [&str; 6] = ["plain", "quote\"", "back\\slash\\\\", "模型", "a{b}=\",c d e#f", "__mine__"];

/// Two backends, hostile names, everything that can happen, part of it in the tail and in a tier.
fn snapshot() -> Snapshot {
    let mut config = weir_config::Telemetry { series_budget: 1_500, top_models: 2, ..Default::default() };
    config.tier_label = "team".to_owned();
    config.tiers =
        vec![weir_config::Tier { name: "x".to_owned(), models: vec!["*\"*".to_owned()], backend: None }];
    config.profiles = PROFILES.to_vec();
    config.pins = vec![weir_config::Pin { model: "模型".to_owned(), backend: Some("c".to_owned()) }];
    let store = Store::with(Settings::from(&config), 2);
    let backends = ["b\\\"", "c"].map(|name| store.backend(name));
    store.apply(&config);
    let recorder = store.recorder(0);
    for (at, (backend, name)) in backends.iter().flat_map(|b| NAMES.map(|n| (*b, n))).enumerate() {
        for (n, (outcome, start)) in
            Outcome::ALL.into_iter().flat_map(|o| Start::ALL.map(|s| (o, s))).enumerate()
        {
            let ns = 1_234_567 << ((n + at) % 20);
            let seen = Observation {
                evidence: Some(Evidence::Status),
                first_byte_ns: Some(ns / 3),
                queue_ns: 1_001,
                request_bytes: 77,
                response_bytes: (1 << 53) + 1,
                load_ns: Some(123_456_789),
                ..Observation::new(outcome, start, ns)
            };
            recorder.begin(recorder.reserved(backend, weir_telemetry::Reserved::Unknown));
            let model = recorder.admit(backend, name);
            let broken = Some(Broken::Cut);
            recorder.usage(
                model,
                &Usage {
                    tokens: [5, 9],
                    first_token_ns: Some(ns),
                    per_output_token_ns: Some(ns / 50),
                    broken,
                },
            );
            for id in
                store.values(backend, &[("t", Measure::Times), ("g", Measure::Plain)]).into_iter().flatten()
            {
                recorder.value(model, id, 0.1 + n as f64, Duration::from_secs(1));
            }
            recorder.end(model, &seen);
            recorder.exemplar(model, start, Exemplar { trace: 7, duration_ns: ns, unix_ms: 1_500 });
            recorder.lifecycle(model, Lifecycle::Evicted { age: None });
            recorder.lifecycle(model, Lifecycle::LoadFailed);
        }
    }
    for minute in 0..3 {
        store.tick(Duration::from_secs(60 * minute));
    }
    store.snapshot()
}

fn of_text(text: &str) -> Samples {
    let mut samples = Samples::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        // An exemplar stands behind the value, and ` # ` in no label here before it.
        let line = line.split(" # {").next().unwrap();
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let (mut labels, mut read) = (labels.strip_suffix('}').unwrap(), BTreeMap::new());
        while let Some((label, rest)) = labels.split_once("=\"") {
            let mut escaped = false;
            let end = rest.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let (value, after) = rest.split_at(end.unwrap());
            let plain = value.replace("\\\\", "\0").replace("\\\"", "\"").replace('\0', "\\");
            assert!(read.insert(label.trim_start_matches(',').to_owned(), plain).is_none());
            labels = after.strip_prefix('"').unwrap();
        }
        let before = samples.insert((name.to_owned(), read), value.parse().unwrap());
        assert!(before.is_none(), "twice: {line}");
    }
    samples
}

/// Fields of a protobuf message.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                let value = varint(&mut bytes);
                fields.push((key >> 3, value, &[][..]));
                continue;
            }
            1 => 8,
            _ => varint(&mut bytes) as usize,
        };
        let (inner, rest) = bytes.split_at(length);
        fields.push((key >> 3, 0, inner));
        bytes = rest;
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let end = bytes.iter().position(|byte| *byte < 0x80).unwrap();
    let (number, rest) = bytes.split_at(end + 1);
    *bytes = rest;
    number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}

fn double(bytes: &[u8]) -> f64 {
    f64::from_le_bytes(bytes.try_into().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn of_protobuf(mut bytes: &[u8]) -> Samples {
    let mut samples = Samples::new();
    while !bytes.is_empty() {
        let length = varint(&mut bytes) as usize;
        let (family, rest) = bytes.split_at(length);
        bytes = rest;
        let name = text(fields(family)[0].2);
        for (_, _, metric) in fields(family).into_iter().filter(|(number, ..)| *number == 4) {
            let mut labels = BTreeMap::new();
            for (number, _, inner) in fields(metric) {
                let inner = fields(inner);
                let mut add = |suffix: &str, le: Option<f64>, value: f64| {
                    let mut labels = labels.clone();
                    labels.extend(le.map(|le| {
                        ("le".to_owned(), if le.is_finite() { le.to_string() } else { "+Inf".to_owned() })
                    }));
                    assert!(samples.insert((format!("{name}{suffix}"), labels), value).is_none());
                };
                match number {
                    1 => _ = labels.insert(text(inner[0].2), text(inner[1].2)),
                    2 | 3 => add("", None, double(inner[0].2)),
                    _ => {
                        add("_count", None, inner[0].1 as f64);
                        add("_sum", None, double(inner[1].2));
                        for (_, _, bucket) in inner.iter().filter(|(number, ..)| *number == 3) {
                            let bucket = fields(bucket);
                            add("_bucket", Some(double(bucket[1].2)), bucket[0].1 as f64);
                        }
                    }
                }
            }
        }
    }
    samples
}

#[test]
fn all_three_formats_have_the_same_series_with_the_same_values() {
    let snapshot = snapshot();
    let (mut plain, mut open, mut protobuf) = (String::new(), String::new(), Vec::new());
    encode_text(&snapshot, &mut plain);
    encode_openmetrics(&snapshot, "", &mut open);
    encode_protobuf(&snapshot, &mut protobuf);
    let plain = of_text(&plain);
    assert!(plain.len() > 800, "{} samples", plain.len());
    let has = |label: &str, value: &str| {
        plain.keys().any(|(_, labels)| labels.get(label).is_some_and(|found| found == value))
    };
    assert!(has("team", "x") && has("model", "__other__") && has("model_name", "模型"));
    assert_eq!(plain, of_text(&open));
    let (plain, protobuf) = (plain, of_protobuf(&protobuf));
    assert_eq!(plain.keys().collect::<Vec<_>>(), protobuf.keys().collect::<Vec<_>>());
    for (sample, value) in &plain {
        let other = protobuf[sample];
        assert!((value - other).abs() <= value.abs() * f64::EPSILON, "{sample:?}: {value} and {other}");
    }
}
