//! Tests of `encode/otlp`: what was written is read back field by field.

use std::time::Duration;

use super::*;
use crate::encode::protobuf::tests::{Field, bytes_of, decode};
use crate::observation::{Observation, Outcome, Start};
use crate::{Settings, Store};

const TEXT: &str = "# HELP weir_ready R.\n# TYPE weir_ready gauge\nweir_ready 1\n\
    # HELP weir_panics_total P.\n# TYPE weir_panics_total counter\nweir_panics_total 3\n\
    # TYPE weir_error_duration_seconds histogram\nweir_error_duration_seconds_bucket{outcome=\"shed\",le=\"0.5\"} 1\n\
    weir_error_duration_seconds_bucket{outcome=\"shed\",le=\"+Inf\"} 3\nweir_error_duration_seconds_sum{outcome=\"shed\"} 7\n\
    weir_error_duration_seconds_count{outcome=\"shed\"} 3\n";

fn settings(exponential: bool, message_bytes_max: usize) -> OtlpSettings {
    OtlpSettings {
        resource: vec![("service.name".to_owned(), "weir".to_owned())],
        exponential,
        message_bytes_max,
        start_unix_ns: 5,
        now_unix_ns: 9,
    }
}

fn snapshot(models: usize) -> Snapshot {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("b");
    let names: Vec<String> = (0..models).map(|n| format!("模型-{n}")).collect();
    store.configure(backend, &names);
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    for name in &names {
        let model = recorder.resolve(backend, name).unwrap();
        for ns in [1, 61_035, 61_036, 1_000_000_000, 1_000_000_001, 2_000_000_000, u64::MAX / 4] {
            recorder.begin(model);
            recorder.end(model, &Observation::new(Outcome::Ok, Start::Hot, ns));
        }
    }
    store.snapshot()
}

/// Name, unit, the field that holds the data, and its fields.
type Metric = (String, String, u64, Vec<(u64, Field)>);

/// Metrics of all messages.
fn metrics(messages: &[Vec<u8>]) -> Vec<Metric> {
    let text =
        |fields: &[(u64, Field)], number| String::from_utf8(bytes_of(fields, number).remove(0)).unwrap();
    let mut found = Vec::new();
    for message in messages {
        let of_resource = decode(&bytes_of(&decode(message), 1)[0]);
        let resource = decode(&bytes_of(&decode(&bytes_of(&of_resource, 1)[0]), 1)[0]);
        assert_eq!(text(&resource, 1), "service.name");
        let of_scope = decode(&bytes_of(&of_resource, 2)[0]);
        for metric in bytes_of(&of_scope, 2) {
            let fields = decode(&metric);
            let (kind, data) = fields
                .iter()
                .find_map(|(number, field)| match field {
                    Field::Bytes(bytes) if *number >= 5 => Some((*number, decode(bytes))),
                    _ => None,
                })
                .unwrap();
            found.push((text(&fields, 1), text(&fields, 3), kind, data));
        }
    }
    found
}

fn bits(fields: &[(u64, Field)], number: u64) -> u64 {
    let of = fields.iter().find(|(field, _)| *field == number).unwrap();
    match of.1 {
        Field::Double(double) => double.to_bits(),
        Field::Varint(value) => value,
        Field::Bytes(_) => panic!("bytes"),
    }
}

#[test]
fn counters_gauges_and_histograms_are_cumulative_and_keep_their_names_units_and_labels() {
    let messages = encode_otlp(&snapshot(1), TEXT, &settings(true, 1 << 20));
    assert_eq!(messages.len(), 1);
    let metrics = metrics(&messages);
    let of = |name: &str| metrics.iter().find(|metric| metric.0 == name).unwrap();
    let (_, unit, kind, sum) = of("weir_model_requests_total");
    assert_eq!((unit.as_str(), *kind, bits(sum, 2), bits(sum, 3)), ("", 7, 2, 1));
    let point = decode(&bytes_of(sum, 1)[0]);
    assert_eq!((bits(&point, 2), bits(&point, 3), bits(&point, 6)), (5, 9, 7));
    let label = |pair: &[u8]| {
        let pair = decode(pair);
        let value = decode(&bytes_of(&pair, 2)[0]);
        let text = |bytes: &[Vec<u8>]| String::from_utf8(bytes[0].clone()).unwrap();
        (text(&bytes_of(&pair, 1)), text(&bytes_of(&value, 1)))
    };
    let labels: Vec<_> = bytes_of(&point, 7).iter().map(|pair| label(pair)).collect();
    let expected = [("backend", "b"), ("model", "模型-0"), ("outcome", "ok")];
    assert_eq!(labels, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(
        (of("weir_model_in_flight_requests").2, of("weir_ready").2, of("weir_panics_total").2),
        (5, 5, 7)
    );
    assert_eq!(of("weir_model_request_bytes_total").1, "By");
    let (_, unit, kind, histogram) = of("weir_error_duration_seconds");
    assert_eq!((unit.as_str(), *kind, bits(histogram, 2)), ("s", 9, 2));
    let point = decode(&bytes_of(histogram, 1)[0]);
    assert_eq!((bits(&point, 4), f64::from_bits(bits(&point, 5))), (3, 7.0));
    let counts: Vec<u8> = [1_u64, 2].iter().flat_map(|n| n.to_le_bytes()).collect();
    assert_eq!(
        (bytes_of(&point, 6)[0].clone(), bytes_of(&point, 7)[0].clone()),
        (counts, 0.5_f64.to_le_bytes().to_vec())
    );
}

#[test]
fn every_time_lies_in_the_exponential_bucket_that_its_index_says() {
    let messages = encode_otlp(&snapshot(1), "", &settings(true, 1 << 20));
    let metrics = metrics(&messages);
    let (_, unit, kind, histogram) =
        metrics.iter().find(|metric| metric.0 == "weir_model_request_duration_seconds").unwrap();
    assert_eq!((unit.as_str(), *kind), ("s", 10));
    let point = decode(&bytes_of(histogram, 1)[0]);
    let zigzag = |n: u64| (n >> 1) as i64 ^ -((n & 1) as i64);
    assert_eq!((zigzag(bits(&point, 6)), bits(&point, 4), bits(&point, 7)), (3, 7, 2));
    assert_eq!(f64::from_bits(bits(&point, 14)), 1.0 / 16_384.0);
    let buckets = decode(&bytes_of(&point, 8)[0]);
    let offset = zigzag(bits(&buckets, 1));
    let packed = bytes_of(&buckets, 2).remove(0);
    assert!(packed.iter().all(|count| *count < 0x80), "small counts have a byte each");
    let hit: Vec<(i64, u8)> = (offset..).zip(packed).filter(|(_, count)| *count > 0).collect();
    // (2^-14, …] s, up to 1 s = (2^(-1/8), 1], just above 1 s = (1, 2^(1/8)], 2 s = (…, 2], and what is beyond the grid.
    assert_eq!(hit, [(-112, 1), (-1, 1), (0, 1), (7, 1), (80, 1)]);
}

#[test]
fn explicit_bounds_are_those_of_a_scrape() {
    let messages = encode_otlp(&snapshot(1), "", &settings(false, 1 << 20));
    let metrics = metrics(&messages);
    let (_, _, kind, histogram) =
        metrics.iter().find(|metric| metric.0 == "weir_model_request_duration_seconds").unwrap();
    let point = decode(&bytes_of(histogram, 1)[0]);
    let (counts, bounds) = (bytes_of(&point, 6).remove(0), bytes_of(&point, 7).remove(0));
    assert_eq!((*kind, counts.len(), bounds.len()), (9, 19 * 8, 18 * 8));
    let total: u64 = counts.chunks(8).map(|eight| u64::from_le_bytes(eight.try_into().unwrap())).sum();
    assert_eq!(total, 7);
}

#[test]
fn messages_are_cut_at_their_size_and_lose_no_point() {
    let snapshot = snapshot(60);
    let points = |messages: &[Vec<u8>]| -> usize {
        metrics(messages).iter().map(|(.., data)| bytes_of(data, 1).len()).sum()
    };
    let whole = encode_otlp(&snapshot, TEXT, &settings(true, usize::MAX));
    let cut = encode_otlp(&snapshot, TEXT, &settings(true, 2_000));
    assert_eq!((whole.len(), points(&whole)), (1, points(&cut)));
    assert!(cut.len() > 10 && cut.iter().all(|message| message.len() < 3_000));
    assert!(
        encode_otlp(&Snapshot::default(), "", &settings(true, 1)).iter().all(|message| !message.is_empty())
    );
}

#[test]
fn points_that_were_not_kept_are_read_from_the_answer_and_nothing_from_nonsense() {
    let mut answer = Message::default();
    answer.nested(1, |partial| {
        partial.text(2, "too old");
        partial.number(1, 300);
    });
    assert_eq!(otlp_rejected(&answer.into_bytes()), 300);
    for nonsense in
        [&b""[..], b"{}", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0a\x7f\x08", b"\x0a\x00"]
    {
        assert_eq!(otlp_rejected(nonsense), 0);
    }
}
