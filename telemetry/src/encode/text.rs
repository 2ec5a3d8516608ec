//! Prometheus text format 0.0.4, and OpenMetrics 1.0 where it differs: counter families are called without `_total`,
//! units are said, buckets have exemplars, and the body has an end. The lines of the series are the same.
//!
//! Cost: one pass over the snapshot and no allocation but the growth of the output. Label values were escaped when
//! their model was admitted; a histogram's 21 lines share one prefix.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>,
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.

use std::fmt::Write as _;

use super::bounds::{Bounds, CLASSIC};
use super::escape;
use super::families::{self, Series, Sink, Value, latest_in};
use crate::Exemplar;
use crate::distribution::Distribution;
use crate::names::{Family, Kind, Unit};
use crate::snapshot::{ModelSnapshot, Snapshot};

/// What `Content-Type` says of [`encode_text`].
pub const TEXT_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Appends the per-model families and those of the store in text format 0.0.4. Families are whole and contiguous, so
/// it may be concatenated with what [`crate::process::Process::render_to`] writes.
pub fn encode_text(snapshot: &Snapshot, out: &mut String) {
    families::write(snapshot, &mut Text { out, prefix: String::new(), is_openmetrics: false });
}

/// What `Content-Type` says of [`encode_openmetrics`].
pub const OPENMETRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes a whole OpenMetrics body: the per-model families and those of the store, what
/// [`crate::process::Process::render_to`] wrote, and the end mark.
pub fn encode_openmetrics(snapshot: &Snapshot, gateway: &str, out: &mut String) {
    families::write(snapshot, &mut Text { out, prefix: String::new(), is_openmetrics: true });
    for line in gateway.lines().filter(|line| !line.is_empty()) {
        let comment = ["# HELP ", "# TYPE "].iter().find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
        if let Some((mark, (name, rest))) =
            comment.and_then(|(mark, rest)| Some((mark, rest.split_once(' ')?)))
        {
            out.extend([mark, name.trim_end_matches("_total"), " ", rest]);
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out.push_str("# EOF\n");
}

/// Nanoseconds of the unit that is written for a time.
const SECOND: u64 = 1_000_000_000;

struct Text<'o> {
    out: &'o mut String,
    /// Everything of a bucket's line before the bound.
    prefix: String,
    is_openmetrics: bool,
}

impl Sink for Text<'_> {
    fn open(&mut self, family: &Family) {
        if !self.is_openmetrics {
            return open(family, self.out);
        }
        let name = family.name.trim_end_matches("_total");
        // The names of others may be those of counters and not say so, which OpenMetrics does not know.
        let is_foreign = family.kind == Kind::Counter && name == family.name;
        head(name, family, if is_foreign { "unknown" } else { family.kind.as_str() }, self.out);
        if family.unit != Unit::Plain {
            self.out.extend(["# UNIT ", name, " ", family.unit.as_str(), "\n"]);
        }
    }

    fn series(&mut self, family: &Family, series: Series<'_>, value: Value<'_>) {
        match value {
            Value::Count(count) => self.line(family.name, "", series, |out| number(count, out)),
            Value::Number(number) => self.line(family.name, "", series, |out| _ = write!(out, "{number}")),
            Value::Nanoseconds(ns) => self.line(family.name, "", series, |out| seconds(ns, out)),
            Value::Distribution(distribution) => self.histogram(family, series, distribution, &CLASSIC),
            Value::Buckets(distribution, bounds) => self.histogram(family, series, distribution, bounds),
        }
    }

    fn close(&mut self, _: &Family) {}
}

impl Text<'_> {
    fn line(&mut self, name: &str, suffix: &str, series: Series<'_>, value: impl FnOnce(&mut String)) {
        self.out.push_str(name);
        self.out.push_str(suffix);
        if labels(series, "{", self.out) {
            self.out.push('}');
        }
        self.out.push(' ');
        value(self.out);
        self.out.push('\n');
    }

    fn histogram(&mut self, family: &Family, series: Series<'_>, of: &Distribution, bounds: &Bounds) {
        let count = self.buckets(family, series, of, bounds);
        let sum = of.sum_ns() * u128::from(SECOND / bounds.unit_ns);
        self.line(family.name, "_sum", series, |out| seconds(sum, out));
        self.line(family.name, "_count", series, |out| number(count, out));
    }

    /// The bucket lines; gives the count of the last.
    fn buckets(&mut self, family: &Family, series: Series<'_>, of: &Distribution, bounds: &Bounds) -> u64 {
        let shown = if self.is_openmetrics { usize::MAX } else { 0 };
        let exemplars = series.exemplars(family).take(shown);
        self.prefix.clear();
        self.prefix.push_str(family.name);
        self.prefix.push_str("_bucket");
        let any = labels(series, "{", &mut self.prefix);
        self.prefix.push_str(if any { ",le=\"" } else { "{le=\"" });
        let mut from = 0;
        let buckets = bounds.le.iter().zip(bounds.ns);
        for ((le, bound), below) in buckets.zip(of.cumulative(bounds.cells)) {
            let held = latest_in(exemplars.clone(), from, Some(*bound));
            self.bucket(le, below, held);
            from = *bound;
        }
        let count = of.count();
        self.bucket("+Inf", count, latest_in(exemplars, from, None));
        count
    }

    fn bucket(&mut self, le: &str, below: u64, exemplar: Option<Exemplar>) {
        self.out.push_str(&self.prefix);
        self.out.push_str(le);
        self.out.push_str("\"} ");
        number(below, self.out);
        if let Some(Exemplar { trace, duration_ns, unix_ms }) = exemplar {
            // Few buckets have one, so that formatting may cost what it costs.
            _ = write!(self.out, " # {{trace_id=\"{trace:032x}\"}} ");
            seconds(duration_ns.into(), self.out);
            _ = write!(self.out, " {}.{:03}", unix_ms / 1000, unix_ms % 1000);
        }
        self.out.push('\n');
    }
}

/// Begins a family in text 0.0.4.
pub(super) fn open(family: &Family, out: &mut String) {
    head(family.name, family, family.kind.as_str(), out);
}

fn head(name: &str, family: &Family, kind: &str, out: &mut String) {
    out.extend(["# HELP ", name, " "]);
    escape::help(family.help, out);
    out.extend(["\n# TYPE ", name, " ", kind, "\n"]);
}

/// Writes the labels, `before` in front of the first; says whether there was any.
fn labels(series: Series<'_>, before: &str, out: &mut String) -> bool {
    let mut before = before;
    if let Some(model) = series.model {
        out.push_str(before);
        model_labels(model, series.named, out);
        before = ",";
    }
    for (name, value) in series.labels {
        out.extend([before, name, "=\""]);
        escape::label_value(value, out);
        out.push('"');
        before = ",";
    }
    if let Some((name, value)) = series.extra {
        out.push_str(before);
        out.push_str(name);
        out.push_str("=\"");
        out.push_str(value);
        out.push('"');
        before = ",";
    }
    before == ","
}

/// Escaped when the model was admitted, unless a profile calls the model's label otherwise.
fn model_labels(model: &ModelSnapshot, named: &str, out: &mut String) {
    if named == "model" {
        return out.push_str(&model.labels);
    }
    let renamed = [("backend", &model.backend), (named, &model.model)];
    let version = model.version.as_ref().map(|version| ("version", version));
    let tier = model.tier.as_ref().map(|(label, tier)| (&**label, tier));
    for (at, (name, value)) in renamed.into_iter().chain(version).chain(tier).enumerate() {
        out.extend([if at > 0 { "," } else { "" }, name, "=\""]);
        escape::label_value(value, out);
        out.push('"');
    }
}

pub(super) fn number(count: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(count));
}

/// Nanoseconds as seconds, exact and as short as that allows: `1.5`, `0.000001`, `3`.
fn seconds(ns: u128, out: &mut String) {
    const NANOS: u64 = 1_000_000_000;
    // Sixty-four bits hold 584 years, and their division is much the cheaper.
    let (whole, rest) = match u64::try_from(ns) {
        Ok(ns) => (u128::from(ns / NANOS), ns % NANOS),
        Err(_) => (ns / u128::from(NANOS), u64::try_from(ns % u128::from(NANOS)).unwrap_or(0)),
    };
    out.push_str(itoa::Buffer::new().format(whole));
    if rest == 0 {
        return;
    }
    out.push('.');
    // A leading one keeps the zeros: 1_000_001_500 for 1,500 ns.
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(rest + NANOS).get(1..).unwrap_or("");
    out.push_str(digits.trim_end_matches('0'));
}

#[cfg(test)]
mod tests;
