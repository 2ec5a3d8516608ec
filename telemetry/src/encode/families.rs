//! Which series exist and what their values are, for every format alike.
//!
//! Families come in the order of [`names`], each whole before the next. A model that is exported always has
//! `requests_total{outcome="ok"}`, its bytes and what is in flight, also at 0, so that a rate exists from its first
//! scrape on. Everything else appears once it has happened and stays: a model that no backend can tell hot from cold
//! for does not carry empty hot and cold histograms.

use weir_config::Profile;

use super::bounds::Bounds;
use super::{gpu, profiles, resident, slo};
use crate::Exemplar;
use crate::distribution::Distribution;
use crate::names::{self, CLASSIC_LE, Family};
use crate::numbers::{Broken, Figures, Measure, Tokens};

use crate::observation::{Evidence, Outcome, Start};
use crate::snapshot::{ModelSnapshot, Snapshot};
use crate::store::exemplar;
use crate::totals::Totals;

/// One value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'s> {
    /// A number of things.
    Count(u64),
    /// Any number.
    Number(f64),
    /// A time, written in seconds.
    Nanoseconds(u128),
    /// A histogram with weir's own bounds.
    Distribution(&'s Distribution),
    /// A histogram with others.
    Buckets(&'s Distribution, &'static Bounds),
}

/// The labels of one series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series<'s> {
    /// Whose it is; `None` for the store's own.
    pub(crate) model: Option<&'s ModelSnapshot>,
    /// The label that holds the model's name.
    pub(crate) named: &'static str,
    /// Labels in place of a model's.
    pub(crate) labels: &'s [(&'static str, &'s str)],
    /// One more label, and its value.
    pub(crate) extra: Option<(&'static str, &'s str)>,
}

impl Series<'_> {
    /// The exemplars of the series, if the family has exemplars.
    pub(crate) fn exemplars(&self, family: &Family) -> impl Iterator<Item = Exemplar> + Clone {
        let has_some = family.name == names::MODEL_REQUEST_DURATION.name;
        let start = Start::ALL.into_iter().find(|start| Some(start.as_str()) == self.extra.map(|(_, of)| of));
        let of = self.model.zip(start).filter(|_| has_some);
        of.into_iter().flat_map(|(model, start)| exemplar::of(start, &model.exemplars)).flatten().copied()
    }
}

/// The latest of those that lie in a bucket, `(above, up_to]` nanoseconds.
pub(crate) fn latest_in(
    exemplars: impl Iterator<Item = Exemplar>,
    above: u64,
    up_to: Option<u64>,
) -> Option<Exemplar> {
    let lies_in =
        |held: &Exemplar| held.duration_ns > above && up_to.is_none_or(|bound| held.duration_ns <= bound);
    exemplars.filter(lies_in).max_by_key(|held| held.unix_ms)
}

/// A format.
pub(crate) trait Sink {
    /// A family begins; it has at least one series.
    fn open(&mut self, family: &Family);
    /// One series of the family that was opened last.
    fn series(&mut self, family: &Family, series: Series<'_>, value: Value<'_>);
    /// The family has no more series.
    fn close(&mut self, family: &Family);
}

/// Writes all families of a snapshot.
pub(crate) fn write(snapshot: &Snapshot, sink: &mut impl Sink) {
    for (family, values) in PER_MODEL {
        let mut opened = false;
        for model in &snapshot.models {
            values(&model.totals, &mut |extra, value| {
                if !opened {
                    sink.open(family);
                    opened = true;
                }
                let extra = extra.and_then(|extra| Some((*family.labels.get(2)?, extra)));
                sink.series(family, Series { model: Some(model), named: "model", labels: &[], extra }, value);
            });
        }
        if opened {
            sink.close(family);
        }
    }
    slo::write(snapshot, sink);
    resident::write(snapshot, sink);
    gpu::write(snapshot, sink);
    write_tiers(snapshot, sink);
    write_store(snapshot, sink);
    profiles::write(snapshot, sink);
}

/// How many series these totals are in text, those of the profiles included.
pub(crate) fn series_of(totals: &Totals, profiles: &[Profile]) -> u32 {
    let mut series = 0;
    let mut count = |_: Option<&str>, value: Value<'_>| {
        series += match value {
            Value::Distribution(_) => HISTOGRAM_SERIES + CLASSIC_LE.len() as u32,
            Value::Buckets(_, bounds) => HISTOGRAM_SERIES + bounds.le.len() as u32,
            Value::Count(_) | Value::Number(_) | Value::Nanoseconds(_) => 1,
        }
    };
    PER_MODEL.iter().for_each(|(_, values)| values(totals, &mut count));
    profiles::each(profiles, |values| values(totals, &mut count));
    series
}

/// A histogram's infinite bucket, sum and count.
const HISTOGRAM_SERIES: u32 = 3;

fn write_tiers(snapshot: &Snapshot, sink: &mut impl Sink) {
    let family = &names::MODEL_TIER;
    let reasons = || snapshot.models.iter().filter_map(|model| Some((model, model.reason?)));
    if reasons().next().is_none() {
        return;
    }
    sink.open(family);
    for (model, reason) in reasons() {
        let extra = family.labels.get(2).map(|name| (*name, reason.as_str()));
        sink.series(
            family,
            Series { model: Some(model), named: "model", labels: &[], extra },
            Value::Count(1),
        );
    }
    sink.close(family);
}

fn write_store(snapshot: &Snapshot, sink: &mut impl Sink) {
    let single = [
        (&names::MODELS_KNOWN, snapshot.models_known),
        (&names::MODELS_EXPORTED, snapshot.models_exported),
        (&names::MODELS_OVERFLOW, snapshot.names_overflowed),
    ];
    for (family, count) in single {
        sink.open(family);
        sink.series(
            family,
            Series { model: None, named: "model", labels: &[], extra: None },
            Value::Count(count),
        );
        sink.close(family);
    }
    if snapshot.workers.is_empty() {
        return;
    }
    let family = &names::WORKER_REQUESTS;
    sink.open(family);
    let mut number = itoa::Buffer::new();
    for (worker, settled) in snapshot.workers.iter().enumerate() {
        let extra = family.labels.first().map(|name| (*name, number.format(worker)));
        sink.series(
            family,
            Series { model: None, named: "model", labels: &[], extra },
            Value::Count(*settled),
        );
    }
    sink.close(family);
}

/// Takes the value of the third label, if the family has one, and the value of the series.
pub(crate) type Emit<'e> = dyn for<'v> FnMut(Option<&'v str>, Value<'v>) + 'e;

/// Emits the values of one family.
type Values = fn(&Totals, &mut Emit<'_>);

/// The families of a model and how their values are taken from its totals.
#[rustfmt::skip]
const PER_MODEL: &[(Family, Values)] = &[
    (names::MODEL_REQUESTS, requests),
    (names::MODEL_REQUEST_DURATION, durations),
    (names::MODEL_TIME_TO_FIRST_BYTE, first_byte),
    (names::MODEL_COLD_STARTS, cold_starts),
    (names::MODEL_LOADS, |of, emit| if of.loads > 0 { emit(None, Value::Count(of.loads)) }),
    (names::MODEL_LOAD_FAILURES, |of, emit| if of.load_failures > 0 { emit(None, Value::Count(of.load_failures)) }),
    (names::MODEL_TIMED_LOADS, |of, emit| if of.timed_loads > 0 { emit(None, Value::Count(of.timed_loads)) }),
    (names::MODEL_LOAD_SECONDS, |of, emit| if of.timed_loads > 0 { emit(None, Value::Nanoseconds(of.load_ns)) }),
    (names::MODEL_LAST_LOAD, |of, emit| if of.timed_loads > 0 { emit(None, Value::Nanoseconds(of.load_last_ns.into())) }),
    (names::MODEL_EVICTIONS, |of, emit| if of.evictions > 0 { emit(None, Value::Count(of.evictions)) }),
    (names::MODEL_EVICTED_AGE, |of, emit| if of.evicted_age_ns > 0 { emit(None, Value::Nanoseconds(of.evicted_age_ns.into())) }),
    (names::MODEL_RELOADS, |of, emit| if of.reloads > 0 { emit(None, Value::Count(of.reloads)) }),
    (names::MODEL_QUEUE_SECONDS, |of, emit| if of.queued > 0 { emit(None, Value::Nanoseconds(of.queue_ns)) }),
    (names::MODEL_QUEUED_REQUESTS, |of, emit| if of.queued > 0 { emit(None, Value::Count(of.queued)) }),
    (names::MODEL_IN_FLIGHT, |of, emit| emit(None, Value::Count(of.in_flight()))),
    (names::MODEL_REQUEST_BYTES, |of, emit| emit(None, Value::Count(of.request_bytes))),
    (names::MODEL_RESPONSE_BYTES, |of, emit| emit(None, Value::Count(of.response_bytes))),
    (names::MODEL_TOKENS, tokens),
    (names::MODEL_TIME_TO_FIRST_TOKEN, |of, emit| times(of, |told| &told.first_token, emit)),
    (names::MODEL_TIME_PER_OUTPUT_TOKEN, |of, emit| times(of, |told| &told.per_output_token, emit)),
    (names::MODEL_BROKEN_STREAMS, broken),
    (names::MODEL_VALUE_TIMES, value_times),
    (names::MODEL_VALUE_LAST_SECONDS, |of, emit| last(of, Measure::Seconds, emit)),
    (names::MODEL_VALUE_STALENESS, |of, emit| last(of, Measure::Staleness, emit)),
    (names::MODEL_VALUE_LAST_BYTES, |of, emit| last(of, Measure::Bytes, emit)),
    (names::MODEL_VALUE_LAST_RATIO, |of, emit| last(of, Measure::Ratio, emit)),
    (names::MODEL_VALUE_LAST, |of, emit| last(of, Measure::Plain, emit)),
];

fn requests(of: &Totals, emit: &mut Emit<'_>) {
    for outcome in Outcome::ALL {
        let count = of.requests(outcome);
        if count > 0 || outcome == Outcome::Ok {
            emit(Some(outcome.as_str()), Value::Count(count));
        }
    }
}

fn durations(of: &Totals, emit: &mut Emit<'_>) {
    for start in Start::ALL {
        let durations = of.duration(start);
        if !durations.is_empty() {
            emit(Some(start.as_str()), Value::Distribution(durations));
        }
    }
}

fn first_byte(of: &Totals, emit: &mut Emit<'_>) {
    if !of.first_byte.is_empty() {
        emit(None, Value::Distribution(&of.first_byte));
    }
}

fn cold_starts(of: &Totals, emit: &mut Emit<'_>) {
    for evidence in Evidence::ALL {
        let count = of.cold_starts(evidence);
        if count > 0 {
            emit(Some(evidence.as_str()), Value::Count(count));
        }
    }
}

fn tokens(of: &Totals, emit: &mut Emit<'_>) {
    let Some(told) = of.figures() else { return };
    for which in Tokens::ALL {
        let count = told.tokens(which);
        if count > 0 {
            emit(Some(which.as_str()), Value::Count(count));
        }
    }
}

fn times(of: &Totals, which: fn(&Figures) -> &Distribution, emit: &mut Emit<'_>) {
    if let Some(times) = of.figures().map(which).filter(|times| !times.is_empty()) {
        emit(None, Value::Distribution(times));
    }
}

fn broken(of: &Totals, emit: &mut Emit<'_>) {
    let Some(told) = of.figures() else { return };
    for how in Broken::ALL {
        let count = told.broken(how);
        if count > 0 {
            emit(Some(how.as_str()), Value::Count(count));
        }
    }
}

/// A value's name has no character that a label would have to escape; the configuration sees to it.
fn value_times(of: &Totals, emit: &mut Emit<'_>) {
    for value in of.figures().into_iter().flat_map(|told| &told.values) {
        if !value.times.is_empty() {
            emit(Some(&value.name), Value::Distribution(&value.times));
        }
    }
}

fn last(of: &Totals, measure: Measure, emit: &mut Emit<'_>) {
    let values = of.figures().into_iter().flat_map(|told| &told.values);
    for value in values.filter(|value| value.measure == measure) {
        if let Some(last) = value.last() {
            emit(Some(&value.name), Value::Number(last));
        }
    }
}
