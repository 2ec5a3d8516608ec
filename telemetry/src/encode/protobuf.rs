//! The delimited protobuf format, with native histograms of schema 3 and the classic buckets beside them.
//!
//! Native buckets come from the same cells as the classic ones: every power-of-two bound is on the grid. Up to 2^-14 s
//! (61 µs) is the zero bucket; what took more than 1,024 s is in the first bucket above.
//! Source: <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>.

use super::bounds::{Bounds, CLASSIC};
use super::families::{self, Series, Sink, Value, latest_in};
use super::foreign;
use super::wire::Message;
use crate::Exemplar;
use crate::distribution::Distribution;
use crate::names::{Family, Kind};
use crate::snapshot::Snapshot;
use crate::store::grid::{CELLS, NATIVE_FIRST, cells_up_to, native_bound};

/// What `Content-Type` says of [`encode_protobuf`].
pub const PROTOBUF_CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Appends the per-model families and those of the store, each a `MetricFamily` with its length before it.
pub fn encode_protobuf(snapshot: &Snapshot, out: &mut Vec<u8>) {
    let mut protobuf =
        Protobuf { out, family: Message::default(), metric: Message::default(), value: Message::default() };
    families::write(snapshot, &mut protobuf);
}

/// Appends what [`crate::process::Process::render_to`] wrote, in the same form.
pub fn encode_protobuf_of_text(text: &str, out: &mut Vec<u8>) {
    for family in foreign::families(text) {
        foreign_family(&family).write_delimited(out);
    }
}

const SCHEMA: i64 = 3;
const SECOND: u64 = 1_000_000_000;

/// Width of the zero bucket, 2^-14 s, exact.
pub(crate) const ZERO_THRESHOLD: f64 = 1.0 / 16_384.0;

/// For each native bound, the cells up to it; the first is the zero bucket.
pub(crate) static NATIVE_CELLS: [usize; 193] = cells_up_to(&native_bounds());

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a wrong index is a compile error"
)]
const fn native_bounds() -> [u64; 193] {
    let mut bounds = [0; 193];
    let mut at = 0;
    while at < bounds.len() {
        bounds[at] = native_bound(NATIVE_FIRST + at as i32);
        at += 1;
    }
    bounds
}

struct Protobuf<'o> {
    out: &'o mut Vec<u8>,
    // Kept for their memory.
    family: Message,
    metric: Message,
    value: Message,
}

impl Sink for Protobuf<'_> {
    fn open(&mut self, family: &Family) {
        head(&mut self.family, family.name, family.help, family.kind);
    }

    fn series(&mut self, family: &Family, series: Series<'_>, value: Value<'_>) {
        self.metric.clear();
        self.value.clear();
        if let Some(model) = series.model {
            label(&mut self.metric, "backend", &model.backend);
            label(&mut self.metric, series.named, &model.model);
            if let Some(version) = &model.version {
                label(&mut self.metric, "version", version);
            }
            if let Some((name, value)) = &model.tier {
                label(&mut self.metric, name, value);
            }
        }
        for (name, value) in series.labels {
            label(&mut self.metric, name, value);
        }
        if let Some((name, value)) = series.extra {
            label(&mut self.metric, name, value);
        }
        match value {
            Value::Count(count) => self.value.double(1, count as f64),
            Value::Number(number) => self.value.double(1, number),
            Value::Nanoseconds(ns) => self.value.double(1, ns as f64 / 1e9),
            Value::Distribution(distribution) => {
                histogram(&mut self.value, distribution, &CLASSIC, series.exemplars(family))
            }
            Value::Buckets(distribution, bounds) => {
                histogram(&mut self.value, distribution, bounds, series.exemplars(family))
            }
        }
        self.metric.message(field_of(family.kind), &self.value);
        self.family.message(4, &self.metric);
    }

    fn close(&mut self, _: &Family) {
        self.family.write_delimited(self.out);
    }
}

/// `MetricFamily` up to its metrics.
fn head(message: &mut Message, name: &str, help: &str, kind: Kind) {
    message.clear();
    message.text(1, name);
    message.text(2, help);
    message.number(
        3,
        match kind {
            Kind::Counter => 0,
            Kind::Gauge => 1,
            Kind::Histogram => 4,
        },
    );
}

/// The field of `Metric` that holds the value.
const fn field_of(kind: Kind) -> u32 {
    match kind {
        Kind::Gauge => 2,
        Kind::Counter => 3,
        Kind::Histogram => 7,
    }
}

fn label(metric: &mut Message, name: &str, value: &str) {
    metric.nested(1, |pair| {
        pair.text(1, name);
        pair.text(2, value);
    });
}

fn histogram(
    value: &mut Message,
    distribution: &Distribution,
    bounds: &Bounds,
    exemplars: impl Iterator<Item = Exemplar> + Clone,
) {
    let unit = bounds.unit_ns as f64;
    value.number(1, distribution.count());
    value.double(2, distribution.sum_ns() as f64 / unit);
    let mut from = 0;
    for (below, bound) in distribution.cumulative(bounds.cells).zip(bounds.ns.iter().copied()) {
        let held = latest_in(exemplars.clone(), from, Some(bound));
        classic_bucket(value, below, bound as f64 / unit, held);
        from = bound;
    }
    let beyond = latest_in(exemplars.clone(), from, None);
    classic_bucket(value, distribution.count(), f64::INFINITY, beyond);
    // The native bounds are seconds: a histogram of another unit has its classic buckets alone.
    if bounds.unit_ns != SECOND {
        return;
    }
    value.signed(5, SCHEMA);
    value.double(6, ZERO_THRESHOLD);
    native_buckets(value, distribution);
    for exemplar in exemplars {
        value.nested(16, |message| write_exemplar(message, exemplar));
    }
}

fn classic_bucket(value: &mut Message, below: u64, bound: f64, exemplar: Option<Exemplar>) {
    value.nested(3, |bucket| {
        bucket.number(1, below);
        bucket.double(2, bound);
        if let Some(exemplar) = exemplar {
            bucket.nested(3, |message| write_exemplar(message, exemplar));
        }
    });
}

/// Spans of buckets that follow each other, and the counts as differences from bucket to bucket.
fn native_buckets(value: &mut Message, distribution: &Distribution) {
    let mut zero = 0;
    let mut buckets = Vec::with_capacity(64);
    let beyond = std::iter::once(distribution.count());
    let mut before = 0;
    for (number, below) in
        (i64::from(NATIVE_FIRST)..).zip(distribution.cumulative(&NATIVE_CELLS).chain(beyond))
    {
        let count = below - std::mem::replace(&mut before, below);
        if number == i64::from(NATIVE_FIRST) {
            zero = count;
        } else if count > 0 {
            buckets.push((number, count));
        }
    }
    value.number(7, zero);
    let (mut open, mut next) = (None::<(i64, u64)>, 0);
    for (number, _) in buckets.iter().copied() {
        if let Some((_, length)) = open.as_mut().filter(|_| number == next) {
            *length += 1;
        } else {
            open.replace((number - next, 1)).inspect(|finished| write_span(value, *finished));
        }
        next = number + 1;
    }
    open.inspect(|finished| write_span(value, *finished));
    value.nested(13, |deltas| {
        let mut last = 0;
        for (_, count) in buckets {
            deltas.bare_signed(count as i64 - last);
            last = count as i64;
        }
    });
}

fn write_span(value: &mut Message, (offset, length): (i64, u64)) {
    value.nested(12, |span| {
        span.signed(1, offset);
        span.number(2, length);
    });
}

fn write_exemplar(message: &mut Message, exemplar: Exemplar) {
    label(message, "trace_id", &format!("{:032x}", exemplar.trace));
    message.double(2, exemplar.duration_ns as f64 / 1e9);
    message.nested(3, |time| {
        time.number(1, exemplar.unix_ms / 1000);
        time.number(2, exemplar.unix_ms % 1000 * 1_000_000);
    });
}

fn foreign_family(family: &foreign::Family<'_>) -> Message {
    let mut message = Message::default();
    head(&mut message, family.name, &family.help, family.kind);
    for series in &family.series {
        let (mut metric, mut value) = (Message::default(), Message::default());
        series.labels.iter().for_each(|(name, value)| label(&mut metric, name, value));
        if family.kind == Kind::Histogram {
            value.number(1, series.count);
            value.double(2, series.value);
            series.buckets.iter().for_each(|(bound, below)| classic_bucket(&mut value, *below, *bound, None));
        } else {
            value.double(1, series.value);
        }
        metric.message(field_of(family.kind), &value);
        message.message(4, &metric);
    }
    message
}

const _: () = assert!(NATIVE_CELLS.len() < CELLS);

#[cfg(test)]
pub(crate) mod tests;
