//! Values in headers, entries of `Server-Timing` and trailers, read into base units: seconds, bytes, ratios.
//!
//! A value that is there and cannot be read, or cannot be true, is counted as a flag and left out. Of a repeated header the first
//! counts.

use std::time::{Duration, SystemTime};

use http::HeaderName;
use metrics::counter;
use weir_config::{Kept, ValueRule, ValueUnit};
use weir_telemetry::{BackendId, Measure, Store, ValueId, names};

use super::moment;
use crate::classify::{self, number};
use crate::message::HeaderMap;

/// Values of one answer: as many as a configuration may name for a backend.
const FOUND_MAX: usize = 8;

/// The longest time that is believed in a histogram. A backend is not trusted to put a century into a sum.
const TIME_MAX: f64 = 24.0 * 3600.0;

/// The greatest age that is believed: a hundred years, so that a point in time of another unit is found out.
const AGE_MAX: f64 = 100.0 * 365.25 * 24.0 * 3600.0;

/// A backend's rules.
#[derive(Debug)]
pub(super) struct Values {
    head: Vec<Rule>,
    trailers: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    place: Place,
    unit: ValueUnit,
    id: ValueId,
    kept: Kept,
}

#[derive(Debug)]
enum Place {
    Field(HeaderName),
    ServerTiming(Box<str>),
}

/// What stood in one answer.
#[derive(Debug, Default)]
pub(super) struct Found {
    places: [Option<(ValueId, f64)>; FOUND_MAX],
    len: usize,
}

/// Why a value is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    Unreadable,
    OutOfRange,
    /// It counts as 0: clocks differ.
    InFuture,
}

impl Values {
    pub(super) fn new(rules: &[ValueRule], backend: BackendId, store: &Store, name: &str) -> Self {
        let specs: Vec<_> = rules.iter().map(|rule| (rule.name.as_str(), measure(rule))).collect();
        let ids = store.values(backend, &specs);
        let (mut head, mut trailers) = (Vec::new(), Vec::new());
        for (rule, id) in rules.iter().zip(ids) {
            let Some(id) = id else {
                tracing::warn!(
                    backend = name,
                    value = rule.name,
                    "too many values of this backend were replaced since the start; it is not kept before a restart"
                );
                continue;
            };
            let ValueRule { unit, kept, .. } = *rule;
            let from = &rule.from;
            let field = |name: &String| HeaderName::from_bytes(name.as_bytes()).ok().map(Place::Field);
            if let Some(place) = from.trailer.as_ref().and_then(field) {
                trailers.push(Rule { place, unit, id, kept });
            } else if let Some(place) = from.header.as_ref().and_then(field) {
                head.push(Rule { place, unit, id, kept });
            } else if let Some(entry) = &from.server_timing {
                let place = Place::ServerTiming(entry.as_str().into());
                head.push(Rule { place, unit, id, kept });
            }
        }
        Self { head, trailers }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.head.is_empty() && self.trailers.is_empty()
    }

    pub(super) const fn has_trailers(&self) -> bool {
        !self.trailers.is_empty()
    }

    pub(super) fn read_head(&self, headers: &HeaderMap, now: fn() -> SystemTime, found: &mut Found) {
        read(&self.head, headers, now, found);
    }

    pub(super) fn read_trailers(&self, trailers: &HeaderMap, now: fn() -> SystemTime, found: &mut Found) {
        read(&self.trailers, trailers, now, found);
    }
}

impl Found {
    pub(super) fn iter(&self) -> impl Iterator<Item = (ValueId, f64)> {
        self.places.iter().take(self.len).copied().flatten()
    }

    fn put(&mut self, id: ValueId, value: f64) {
        if let Some(place) = self.places.get_mut(self.len) {
            *place = Some((id, value));
            self.len += 1;
        }
    }
}

const fn measure(rule: &ValueRule) -> Measure {
    match (rule.kept, rule.unit) {
        (Kept::Histogram, _) => Measure::Times,
        (Kept::Staleness, _) => Measure::Staleness,
        (Kept::Gauge, ValueUnit::Bytes) => Measure::Bytes,
        (Kept::Gauge, ValueUnit::Ratio | ValueUnit::Percent) => Measure::Ratio,
        (Kept::Gauge, ValueUnit::None) => Measure::Plain,
        (Kept::Gauge, _) => Measure::Seconds,
    }
}

fn read(rules: &[Rule], fields: &HeaderMap, now: fn() -> SystemTime, found: &mut Found) {
    for rule in rules {
        let text = match &rule.place {
            Place::Field(name) => fields.get(name).map(http::HeaderValue::as_bytes),
            // An entry without a duration has no number.
            Place::ServerTiming(name) => classify::entry(fields, name).and_then(|entry| entry.dur),
        };
        let Some(text) = text else { continue };
        match rule.value(text, now) {
            Ok(value) => found.put(rule.id, value),
            Err(odd) => {
                counter!(names::NUMBERS_FLAGS, "flag" => odd.flag()).increment(1);
                if odd == Odd::InFuture {
                    found.put(rule.id, 0.0);
                }
            }
        }
    }
}

impl Rule {
    /// The value in base units.
    fn value(&self, text: &[u8], now: fn() -> SystemTime) -> Result<f64, Odd> {
        let value = if self.unit.is_moment() {
            age(self.unit, text, now)?
        } else {
            number::parse(text).ok_or(Odd::Unreadable)? * factor(self.unit)
        };
        let fits = match self.kept {
            Kept::Histogram => (0.0..=TIME_MAX).contains(&value),
            Kept::Staleness => (0.0..=AGE_MAX).contains(&value),
            Kept::Gauge => value.is_finite(),
        };
        if fits { Ok(value) } else { Err(Odd::OutOfRange) }
    }
}

impl Odd {
    const fn flag(self) -> &'static str {
        match self {
            Self::Unreadable => "value_unreadable",
            Self::OutOfRange => "value_out_of_range",
            Self::InFuture => "value_in_future",
        }
    }
}

/// Seconds since a point in time.
fn age(unit: ValueUnit, text: &[u8], now: fn() -> SystemTime) -> Result<f64, Odd> {
    let then = match unit {
        ValueUnit::Rfc3339 => moment::rfc3339(text),
        ValueUnit::HttpDate => moment::http_date(text),
        ValueUnit::UnixMs => number::parse(text).map(|ms| ms / 1e3),
        _ => number::parse(text),
    };
    let then = then.ok_or(Odd::Unreadable)?;
    let now = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
    // A date a hundred years ahead is no clock that is a little fast.
    if then > now + AGE_MAX {
        return Err(Odd::OutOfRange);
    }
    if then > now { Err(Odd::InFuture) } else { Ok(now - then) }
}

const fn factor(unit: ValueUnit) -> f64 {
    match unit {
        ValueUnit::Ns => 1e-9,
        ValueUnit::Us => 1e-6,
        ValueUnit::Ms => 1e-3,
        ValueUnit::Percent => 1e-2,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests;
