//! Values as they stand in headers.

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use weir_config::ValueSource;
use weir_telemetry::Settings;

use super::*;
use crate::message::HeaderMap;

/// 2026-11-24T12:00:00Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_521_600)
}

fn rule(unit: ValueUnit, kept: Kept) -> Rule {
    let store = Store::with(Settings::default(), 1);
    let id = store.values(store.backend("b"), &[("v", Measure::Plain)])[0].unwrap();
    Rule { place: Place::Field(HeaderName::from_static("x")), unit, id, kept }
}

#[test]
fn every_unit_is_read_into_its_base_unit() {
    for (unit, kept, text, value) in [
        (ValueUnit::Ms, Kept::Histogram, "12.5", 0.0125),
        (ValueUnit::Ns, Kept::Histogram, "1000000000", 1.0),
        (ValueUnit::Us, Kept::Gauge, "1500", 0.0015),
        (ValueUnit::S, Kept::Gauge, "-1", -1.0),
        (ValueUnit::Bytes, Kept::Gauge, "4096", 4096.0),
        (ValueUnit::Percent, Kept::Gauge, "75", 0.75),
        (ValueUnit::None, Kept::Gauge, " 3 ", 3.0),
        (ValueUnit::S, Kept::Staleness, "86400", 86_400.0),
        (ValueUnit::UnixS, Kept::Staleness, "1795521590.5", 9.5),
        (ValueUnit::UnixMs, Kept::Staleness, "1795521590500", 9.5),
        (ValueUnit::Rfc3339, Kept::Staleness, "2026-11-24T11:59:00Z", 60.0),
        (ValueUnit::HttpDate, Kept::Staleness, "Tue, 24 Nov 2026 11:00:00 GMT", 3600.0),
    ] {
        let read = rule(unit, kept).value(text.as_bytes(), now).unwrap();
        assert!((read - value).abs() < 1e-9, "{text} {unit:?}: {read}");
    }
}

#[test]
fn what_cannot_be_read_or_be_true_is_told_by_its_kind() {
    for (unit, kept, text, odd) in [
        (ValueUnit::Ms, Kept::Histogram, "12ms", Odd::Unreadable),
        (ValueUnit::Ms, Kept::Histogram, "", Odd::Unreadable),
        (ValueUnit::Ms, Kept::Histogram, "NaN", Odd::Unreadable),
        (ValueUnit::Ms, Kept::Histogram, "-1", Odd::OutOfRange),
        (ValueUnit::S, Kept::Histogram, "86401", Odd::OutOfRange),
        (ValueUnit::S, Kept::Staleness, "-0.5", Odd::OutOfRange),
        (ValueUnit::UnixS, Kept::Staleness, "1795521590500", Odd::OutOfRange),
        (ValueUnit::UnixS, Kept::Staleness, "1795521601", Odd::InFuture),
        (ValueUnit::UnixMs, Kept::Staleness, "2026-11-24T11:59:00Z", Odd::Unreadable),
        (ValueUnit::Rfc3339, Kept::Staleness, "yesterday", Odd::Unreadable),
    ] {
        assert_eq!(rule(unit, kept).value(text.as_bytes(), now), Err(odd), "{text} {unit:?}");
    }
}

#[test]
fn each_value_is_taken_from_its_own_place_and_the_first_of_a_repeated_header_counts() {
    let of = |name: &str, from| ValueRule { name: name.to_owned(), from, ..ValueRule::default() };
    let text = |text: &str| Some(text.to_owned());
    let rules = [
        of("a", ValueSource { header: text("X-A"), ..ValueSource::default() }),
        of("b", ValueSource { server_timing: text("feat"), ..ValueSource::default() }),
        of("c", ValueSource { trailer: text("x-c"), ..ValueSource::default() }),
        of("d", ValueSource { header: text("x-missing"), ..ValueSource::default() }),
    ];
    let store = Store::with(Settings::default(), 1);
    let values = Values::new(&rules, store.backend("b"), &store, "b");
    let mut headers = HeaderMap::new();
    headers.append("x-a", HeaderValue::from_static("1"));
    headers.append("x-a", HeaderValue::from_static("2"));
    headers.append("server-timing", HeaderValue::from_static("db, feat;dur=3"));
    headers.append("x-c", HeaderValue::from_static("9"));
    let mut found = Found::default();
    values.read_head(&headers, now, &mut found);
    let milliseconds =
        |found: &Found| -> Vec<f64> { found.iter().map(|(_, value)| (value * 1e3).round()).collect() };
    assert_eq!(milliseconds(&found), [1.0, 3.0]);
    values.read_trailers(&headers, now, &mut found);
    assert_eq!(milliseconds(&found), [1.0, 3.0, 9.0]);
}

proptest! {
    #[test]
    fn no_value_panics_and_what_is_read_is_finite(text in prop::collection::vec(any::<u8>(), 0..60)) {
        for unit in [ValueUnit::Ms, ValueUnit::UnixS, ValueUnit::UnixMs, ValueUnit::Rfc3339, ValueUnit::HttpDate] {
            let kept = if unit.is_moment() { Kept::Staleness } else { Kept::Histogram };
            if let Ok(value) = rule(unit, kept).value(&text, now) {
                prop_assert!(value.is_finite() && value >= 0.0);
            }
        }
    }
}
