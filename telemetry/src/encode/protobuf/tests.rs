//! Tests of `encode/protobuf`.

use std::time::Duration;

use super::*;
use crate::encode::text::encode_text;
use crate::observation::{Observation, Outcome, Start};
use crate::{Settings, Store, names};

#[derive(Clone, Debug)]
pub(crate) enum Field {
    Varint(u64),
    Double(f64),
    Bytes(Vec<u8>),
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

/// The fields of a message, in order.
pub(crate) fn decode(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Varint(take_varint(&mut bytes)),
            1 => {
                let (double, rest) = bytes.split_at(8);
                bytes = rest;
                Field::Double(f64::from_le_bytes(double.try_into().unwrap()))
            }
            2 => {
                let length = take_varint(&mut bytes) as usize;
                let (inner, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(inner.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

pub(crate) fn bytes_of(fields: &[(u64, Field)], number: u64) -> Vec<Vec<u8>> {
    let of = |(field, value): &(u64, Field)| match value {
        Field::Bytes(bytes) if *field == number => Some(bytes.clone()),
        _ => None,
    };
    fields.iter().filter_map(of).collect()
}

fn number_of(fields: &[(u64, Field)], number: u64) -> u64 {
    let of = |(field, value): &(u64, Field)| match value {
        Field::Varint(value) if *field == number => Some(*value),
        _ => None,
    };
    fields.iter().find_map(of).unwrap()
}

fn double_of(fields: &[(u64, Field)], number: u64) -> f64 {
    let of = |(field, value): &(u64, Field)| match value {
        Field::Double(value) if *field == number => Some(*value),
        _ => None,
    };
    fields.iter().find_map(of).unwrap()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn snapshot_of(durations: &[u64]) -> Snapshot {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("b");
    store.configure(backend, &["m\"\n".to_owned(), "m".to_owned()]);
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    let model = recorder.resolve(backend, "m").unwrap();
    for ns in durations {
        recorder.begin(model);
        recorder.end(model, &Observation::new(Outcome::Ok, Start::Cold, *ns));
        recorder.exemplar(model, Start::Cold, Exemplar { trace: 0xabc, duration_ns: *ns, unix_ms: 1_500 });
    }
    store.snapshot()
}

/// The families, by name.
fn families(snapshot: &Snapshot) -> Vec<(String, Vec<(u64, Field)>)> {
    let mut out = Vec::new();
    encode_protobuf(snapshot, &mut out);
    let (mut rest, mut families) = (&out[..], Vec::new());
    while !rest.is_empty() {
        let length = take_varint(&mut rest) as usize;
        let (family, after) = rest.split_at(length);
        rest = after;
        let fields = decode(family);
        families.push((String::from_utf8(bytes_of(&fields, 1)[0].clone()).unwrap(), fields));
    }
    families
}

fn duration_histogram(snapshot: &Snapshot) -> Vec<(u64, Field)> {
    let families = families(snapshot);
    let (_, family) = families.iter().find(|(name, _)| *name == names::MODEL_REQUEST_DURATION.name).unwrap();
    assert_eq!(number_of(family, 3), 4);
    decode(&bytes_of(&decode(&bytes_of(family, 4)[0]), 7)[0])
}

#[test]
fn native_buckets_hold_what_falls_between_their_powers_of_two() {
    let durations: Vec<u64> =
        (0..4_000_u64).map(|n| 40_000 + n * n * n * 7).chain([2_000_000_000_000]).collect();
    let histogram = duration_histogram(&snapshot_of(&durations));
    assert_eq!(number_of(&histogram, 1), durations.len() as u64);
    assert_eq!(unzigzag(number_of(&histogram, 5)), 3);
    let threshold = double_of(&histogram, 6);
    let zero = durations.iter().filter(|ns| **ns as f64 / 1e9 <= threshold).count();
    assert_eq!(number_of(&histogram, 7), zero as u64);
    let deltas = bytes_of(&histogram, 13).concat();
    let (mut deltas, mut count) = (&deltas[..], 0);
    let mut at = 0;
    let mut read = 0;
    for span in bytes_of(&histogram, 12) {
        let span = decode(&span);
        at += unzigzag(number_of(&span, 1));
        for _ in 0..number_of(&span, 2) {
            count += unzigzag(take_varint(&mut deltas));
            let bound =
                |number: i64| if number == 81 { f64::INFINITY } else { 2_f64.powf(number as f64 / 8.0) };
            let within = |ns: &&u64| **ns as f64 / 1e9 > bound(at - 1) && **ns as f64 / 1e9 <= bound(at);
            let exact = if at == 81 {
                durations.iter().filter(|ns| **ns > 1_024_000_000_000).count()
            } else {
                durations.iter().filter(within).count()
            };
            assert_eq!(count, exact as i64, "bucket {at}");
            read += count;
            at += 1;
        }
    }
    assert!(deltas.is_empty());
    assert_eq!(read as usize + zero, durations.len());
}

#[test]
fn classic_buckets_and_exemplars_stand_beside_the_native_ones() {
    let histogram = duration_histogram(&snapshot_of(&[5_000_000, 5_000_001]));
    let buckets: Vec<_> = bytes_of(&histogram, 3).iter().map(|bucket| decode(bucket)).collect();
    assert_eq!(buckets.len(), 19);
    let counts: Vec<_> = buckets.iter().map(|bucket| number_of(bucket, 1)).collect();
    assert_eq!(counts[..3], [1, 2, 2]);
    assert_eq!((double_of(&buckets[0], 2), double_of(&buckets[18], 2)), (0.005, f64::INFINITY));
    let with_exemplar: Vec<_> = (0..19).filter(|at| !bytes_of(&buckets[*at], 3).is_empty()).collect();
    assert_eq!(with_exemplar, [0, 1], "both were cold");
    let exemplar = decode(&bytes_of(&histogram, 16)[1]);
    assert_eq!(double_of(&exemplar, 2), 0.005_000_001);
    let label = decode(&bytes_of(&exemplar, 1)[0]);
    assert_eq!(bytes_of(&label, 2)[0], b"00000000000000000000000000000abc");
}

#[test]
fn families_and_values_are_those_of_the_text() {
    let snapshot = snapshot_of(&[5_000_000, 7_000_000_000]);
    let mut text = String::new();
    encode_text(&snapshot, &mut text);
    // The text, read back and written as protobuf, against protobuf written at once.
    let of_text: Vec<_> = foreign::families(&text);
    let ours = families(&snapshot);
    assert_eq!(of_text.len(), ours.len());
    for (text, (name, ours)) in of_text.iter().zip(&ours) {
        assert_eq!(text.name, name);
        let metrics = bytes_of(ours, 4);
        assert_eq!(text.series.len(), metrics.len(), "{name}");
        for (series, metric) in text.series.iter().zip(&metrics) {
            let metric = decode(metric);
            let labels = bytes_of(&metric, 1).iter().map(|label| decode(label)).collect::<Vec<_>>();
            let values: Vec<_> = labels.iter().map(|label| bytes_of(label, 2)[0].clone()).collect();
            assert_eq!(
                values,
                series.labels.iter().map(|(_, value)| value.as_bytes().to_vec()).collect::<Vec<_>>()
            );
            let value = decode(&bytes_of(&metric, u64::from(field_of(text.kind)))[0]);
            if text.kind == Kind::Histogram {
                assert_eq!((number_of(&value, 1), double_of(&value, 2)), (series.count, series.value));
            } else {
                assert_eq!(double_of(&value, 1), series.value);
            }
        }
    }
}
