//! Prometheus text format 0.0.4.
//!
//! Cost: one pass over the snapshot and no allocation but the growth of the output. Label values were escaped when
//! their model was admitted; a histogram's 21 lines share one prefix.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use super::escape;
use super::families::{self, Series, Sink, Value};
use crate::names::{CLASSIC_LE, CLASSIC_LE_NS, Family};
use crate::snapshot::Snapshot;
use crate::store::grid::cells_up_to;

/// What `Content-Type` says of [`encode_text`].
pub const TEXT_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Appends the per-model families and those of the store in text format 0.0.4. Families are whole and contiguous, so
/// it may be concatenated with what [`crate::process::Process::render_to`] writes.
pub fn encode_text(snapshot: &Snapshot, out: &mut String) {
    let mut text = Text { out, prefix: String::new() };
    families::write(snapshot, &mut text);
}

/// For each classic bound, the cells up to it.
pub(crate) const CLASSIC_CELLS: [usize; CLASSIC_LE_NS.len()] = cells_up_to(&CLASSIC_LE_NS);

struct Text<'o> {
    out: &'o mut String,
    /// Everything of a bucket's line before the bound.
    prefix: String,
}

impl Sink for Text<'_> {
    fn open(&mut self, family: &Family) {
        self.out.push_str("# HELP ");
        self.out.push_str(family.name);
        self.out.push(' ');
        escape::help(family.help, self.out);
        self.out.push_str("\n# TYPE ");
        self.out.push_str(family.name);
        self.out.push(' ');
        self.out.push_str(family.kind.as_str());
        self.out.push('\n');
    }

    fn series(&mut self, family: &Family, series: Series<'_>, value: Value<'_>) {
        match value {
            Value::Count(count) => self.line(family.name, "", series, |out| number(count, out)),
            Value::Nanoseconds(ns) => self.line(family.name, "", series, |out| seconds(ns, out)),
            Value::Distribution(distribution) => {
                let count =
                    self.buckets(family.name, series, &distribution.cumulative(&CLASSIC_CELLS), || {
                        distribution.count()
                    });
                self.line(family.name, "_sum", series, |out| seconds(distribution.sum_ns(), out));
                self.line(family.name, "_count", series, |out| number(count, out));
            }
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

    /// The bucket lines; gives the count of the last.
    fn buckets(&mut self, name: &str, series: Series<'_>, below: &[u64], count: impl FnOnce() -> u64) -> u64 {
        self.prefix.clear();
        self.prefix.push_str(name);
        self.prefix.push_str("_bucket");
        let any = labels(series, "{", &mut self.prefix);
        self.prefix.push_str(if any { ",le=\"" } else { "{le=\"" });
        for (le, below) in CLASSIC_LE.iter().zip(below) {
            self.bucket(le, *below);
        }
        let count = count();
        self.bucket("+Inf", count);
        count
    }

    fn bucket(&mut self, le: &str, below: u64) {
        self.out.push_str(&self.prefix);
        self.out.push_str(le);
        self.out.push_str("\"} ");
        number(below, self.out);
        self.out.push('\n');
    }
}

/// Writes the labels, `before` in front of the first; says whether there was any.
fn labels(series: Series<'_>, before: &str, out: &mut String) -> bool {
    let mut before = before;
    if let Some(model) = series.model {
        out.push_str(before);
        out.push_str(&model.labels);
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

fn number(count: u64, out: &mut String) {
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
