//! OTLP metrics over protobuf: cumulative sums, gauges and histograms, exponential or with explicit bounds, under the same names
//! and with the same labels as a scrape has. Messages are cut at a size, since receivers have a limit.
//!
//! Weir's cells are those of an exponential histogram of scale 3. OTLP's bucket `i` holds `(base^i, base^(i+1)]`, where
//! Prometheus's holds `(base^(i-1), base^i]`: its indices are lower by one.
//! Source: <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto>.

use super::bounds::{Bounds, CLASSIC};
use super::families::{self, Series, Sink, Value};
use super::foreign;
use super::protobuf::{NATIVE_CELLS, ZERO_THRESHOLD};
use super::wire::Message;
use crate::Exemplar;
use crate::distribution::Distribution;
use crate::names::{self, Family, Kind, Unit};
use crate::snapshot::Snapshot;
use crate::store::grid::NATIVE_FIRST;

/// What `Content-Type` says of a message.
pub const OTLP_CONTENT_TYPE: &str = "application/x-protobuf";

const CUMULATIVE: u64 = 2;
const SCALE: i64 = 3;
const SECOND: u64 = 1_000_000_000;

/// How messages are to be.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// The resource's attributes: who sends.
    pub resource: Vec<(String, String)>,
    /// Exponential histograms; else with the bounds of a scrape.
    pub exponential: bool,
    /// About how long a message may become, in bytes before compression; one data point is never cut.
    pub message_bytes_max: usize,
    /// When counting began, nanoseconds since 1970.
    pub start_unix_ns: u64,
    /// The moment of the numbers, nanoseconds since 1970.
    pub now_unix_ns: u64,
}

/// Everything of a snapshot and of the gateway's text (see [`crate::Process::render_to`]), as `ExportMetricsServiceRequest`s.
#[must_use]
pub fn encode_otlp(snapshot: &Snapshot, text: &str, settings: &OtlpSettings) -> Vec<Vec<u8>> {
    let mut otlp = Otlp {
        settings,
        messages: Vec::new(),
        metrics: Message::default(),
        points: Message::default(),
        head: Head::default(),
    };
    families::write(snapshot, &mut otlp);
    for family in foreign::families(text) {
        otlp.foreign(&family);
    }
    otlp.finish_message();
    otlp.messages
}

/// How many data points of a message were taken and not kept, as an `ExportMetricsServiceResponse` tells; 0 of what is none.
#[must_use]
pub fn otlp_rejected(response: &[u8]) -> u64 {
    let partial = first_field(response, 1).unwrap_or_default();
    match first_field(partial, 1) {
        Some(varint) => take_varint(varint).map_or(0, |(value, _)| value),
        None => 0,
    }
}

/// What stands behind the key of the first such field: of a varint all that follows it.
fn first_field(mut bytes: &[u8], wanted: u64) -> Option<&[u8]> {
    loop {
        let (key, rest) = take_varint(bytes)?;
        let (inner, after) = match key & 7 {
            0 => (rest, take_varint(rest)?.1),
            1 => rest.split_at_checked(8)?,
            2 => {
                let (length, rest) = take_varint(rest)?;
                rest.split_at_checked(usize::try_from(length).ok()?)?
            }
            5 => rest.split_at_checked(4)?,
            _ => return None,
        };
        if key >> 3 == wanted {
            return Some(inner);
        }
        bytes = after;
    }
}

fn take_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if *byte < 0x80 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

/// What a metric says of itself.
#[derive(Debug, Default)]
struct Head {
    name: String,
    help: String,
    unit: &'static str,
    kind: Option<Kind>,
    exponential: bool,
}

struct Otlp<'s> {
    settings: &'s OtlpSettings,
    messages: Vec<Vec<u8>>,
    /// Whole metrics of the message under construction.
    metrics: Message,
    /// Data points of the metric under construction.
    points: Message,
    head: Head,
}

impl Sink for Otlp<'_> {
    fn open(&mut self, family: &Family) {
        self.head = Head {
            name: family.name.to_owned(),
            help: family.help.to_owned(),
            unit: unit(family.unit),
            kind: Some(family.kind),
            exponential: self.settings.exponential,
        };
    }

    fn series(&mut self, family: &Family, series: Series<'_>, value: Value<'_>) {
        // A histogram of another unit than seconds has its own bounds in any case.
        let exponential = match &value {
            Value::Buckets(_, bounds) => self.settings.exponential && bounds.unit_ns == SECOND,
            _ => self.settings.exponential,
        };
        if exponential != self.head.exponential {
            self.finish_metric();
            self.head.exponential = exponential;
        }
        let mut labels: Vec<(&str, &str)> = Vec::with_capacity(4);
        if let Some(model) = series.model {
            labels.extend([("backend", &*model.backend), (series.named, &*model.model)]);
            labels.extend(model.tier.iter().map(|(name, value)| (&**name, &**value)));
        }
        labels.extend(series.extra);
        match value {
            Value::Count(count) => self.number(&labels, Number::Whole(count)),
            Value::Number(number) => self.number(&labels, Number::Real(number)),
            Value::Nanoseconds(ns) => self.number(&labels, Number::Real(ns as f64 / 1e9)),
            Value::Distribution(distribution) => {
                self.histogram(&labels, distribution, &CLASSIC, series.exemplars(family));
            }
            Value::Buckets(distribution, bounds) => {
                self.histogram(&labels, distribution, bounds, series.exemplars(family));
            }
        }
        self.cut_if_long();
    }

    fn close(&mut self, _: &Family) {
        self.finish_metric();
    }
}

#[derive(Clone, Copy)]
enum Number {
    Whole(u64),
    Real(f64),
}

impl Otlp<'_> {
    fn number(&mut self, labels: &[(&str, &str)], number: Number) {
        let (start, now) = self.times();
        self.points.nested(1, |point| {
            point.fixed64(2, start);
            point.fixed64(3, now);
            match number {
                Number::Whole(count) => point.fixed64(6, count.min(i64::MAX as u64)),
                Number::Real(number) => point.double(4, number),
            }
            labels.iter().for_each(|pair| attribute(point, 7, *pair));
        });
    }

    fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        distribution: &Distribution,
        bounds: &Bounds,
        exemplars: impl Iterator<Item = Exemplar>,
    ) {
        let (start, now) = self.times();
        let unit = bounds.unit_ns as f64;
        let sum = distribution.sum_ns() as f64 / unit;
        let exponential = self.head.exponential;
        self.points.nested(1, |point| {
            point.fixed64(2, start);
            point.fixed64(3, now);
            point.fixed64(4, distribution.count());
            point.double(5, sum);
            let (of_labels, of_exemplars) = if exponential { (1, 11) } else { (9, 8) };
            labels.iter().for_each(|pair| attribute(point, of_labels, *pair));
            if exponential {
                exponential_buckets(point, distribution);
            } else {
                let upper = bounds.ns.iter().map(|bound| *bound as f64 / unit);
                explicit_buckets(point, upper, distribution.cumulative(bounds.cells), distribution.count());
            }
            for exemplar in exemplars {
                point.nested(of_exemplars, |held| {
                    held.fixed64(2, exemplar.unix_ms.saturating_mul(1_000_000));
                    held.double(3, exemplar.duration_ns as f64 / unit);
                    held.raw(5, &exemplar.trace.to_be_bytes());
                });
            }
        });
    }

    /// A family of the gateway's text: its histograms have explicit bounds.
    fn foreign(&mut self, family: &foreign::Family<'_>) {
        let known = names::find(family.name);
        self.head = Head {
            name: family.name.to_owned(),
            help: family.help.clone().into_owned(),
            unit: known.map_or("", |known| unit(known.unit)),
            kind: Some(family.kind),
            exponential: false,
        };
        let (start, now) = self.times();
        for series in &family.series {
            let labels: Vec<(&str, &str)> =
                series.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            if family.kind == Kind::Histogram {
                let finite = || series.buckets.iter().filter(|(bound, _)| bound.is_finite());
                self.points.nested(1, |point| {
                    point.fixed64(2, start);
                    point.fixed64(3, now);
                    point.fixed64(4, series.count);
                    point.double(5, series.value);
                    labels.iter().for_each(|pair| attribute(point, 9, *pair));
                    let (bounds, below) =
                        (finite().map(|(bound, _)| *bound), finite().map(|(_, below)| *below));
                    explicit_buckets(point, bounds, below, series.count);
                });
            } else {
                self.number(&labels, Number::Real(series.value));
            }
            self.cut_if_long();
        }
        self.finish_metric();
    }

    const fn times(&self) -> (u64, u64) {
        (self.settings.start_unix_ns, self.settings.now_unix_ns)
    }

    fn cut_if_long(&mut self) {
        if self.metrics.len() + self.points.len() >= self.settings.message_bytes_max {
            self.finish_metric();
            self.finish_message();
        }
    }

    /// The points so far become a metric. There may be another one of the same name after it.
    fn finish_metric(&mut self) {
        let Some(kind) = self.head.kind.filter(|_| self.points.len() > 0) else { return };
        let (head, points) = (&self.head, &mut self.points);
        match kind {
            Kind::Gauge => {}
            Kind::Counter => {
                points.number(2, CUMULATIVE);
                points.number(3, 1);
            }
            Kind::Histogram => points.number(2, CUMULATIVE),
        }
        let field = match kind {
            Kind::Gauge => 5,
            Kind::Counter => 7,
            Kind::Histogram if head.exponential => 10,
            Kind::Histogram => 9,
        };
        self.metrics.nested(2, |metric| {
            metric.text(1, &head.name);
            metric.text(2, &head.help);
            metric.text(3, head.unit);
            metric.message(field, points);
        });
        self.points.clear();
    }

    fn finish_message(&mut self) {
        if self.metrics.len() == 0 {
            return;
        }
        let mut message = Message::default();
        message.nested(1, |of_resource| {
            of_resource.nested(1, |resource| {
                for (name, value) in &self.settings.resource {
                    attribute(resource, 1, (name, value));
                }
            });
            of_resource.nested(2, |of_scope| {
                of_scope.nested(1, |scope| {
                    scope.text(1, "weir");
                    scope.text(2, env!("CARGO_PKG_VERSION"));
                });
                of_scope.append(&self.metrics);
            });
        });
        self.metrics.clear();
        self.messages.push(message.into_bytes());
    }
}

/// As UCUM spells it. What is a plain number has no unit: of a gauge with the unit 1 Prometheus would make a ratio.
const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Plain => "",
        Unit::Seconds => "s",
        Unit::Bytes => "By",
        Unit::Ratio => "1",
    }
}

fn attribute(message: &mut Message, field: u32, (name, value): (&str, &str)) {
    message.nested(field, |pair| {
        pair.text(1, name);
        pair.nested(2, |any| any.text(1, value));
    });
}

fn explicit_buckets(
    point: &mut Message,
    bounds: impl Iterator<Item = f64>,
    cumulative: impl Iterator<Item = u64>,
    count: u64,
) {
    point.nested(6, |counts| {
        let mut before = 0;
        for below in cumulative.chain([count]) {
            counts.bare_fixed64(below.saturating_sub(before));
            before = below;
        }
    });
    point.nested(7, |all| bounds.for_each(|bound| all.bare_fixed64(bound.to_bits())));
}

fn exponential_buckets(point: &mut Message, distribution: &Distribution) {
    point.signed(6, SCALE);
    let mut cumulative = distribution.cumulative(&NATIVE_CELLS);
    let zero = cumulative.next().unwrap_or(0);
    point.fixed64(7, zero);
    let mut before = zero;
    let counts: Vec<u64> = cumulative
        .chain([distribution.count()])
        .map(|below| below - std::mem::replace(&mut before, below))
        .collect();
    let (first, last) = (counts.iter().position(|n| *n > 0), counts.iter().rposition(|n| *n > 0));
    if let Some(hit) = first.zip(last).and_then(|(first, last)| counts.get(first..=last)) {
        // The first count is Prometheus's bucket NATIVE_FIRST + 1, and so OTLP's NATIVE_FIRST.
        let offset = i64::from(NATIVE_FIRST) + first.unwrap_or(0) as i64;
        point.nested(8, |buckets| {
            buckets.signed(1, offset);
            buckets.nested(2, |all| hit.iter().for_each(|count| all.bare_varint(*count)));
        });
    }
    point.double(14, ZERO_THRESHOLD);
}

#[cfg(test)]
mod tests;
