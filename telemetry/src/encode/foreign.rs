//! Reads text 0.0.4 that the exporter of the gateway-wide metrics wrote, to say it in another format. Not a parser
//! for anybody's text: lines that are not as the exporter writes them are passed over.

use std::borrow::Cow;

use crate::names::Kind;

/// A family as it stood in the text.
#[derive(Debug)]
pub(crate) struct Family<'t> {
    pub(crate) name: &'t str,
    pub(crate) help: Cow<'t, str>,
    pub(crate) kind: Kind,
    pub(crate) series: Vec<Series<'t>>,
}

/// One series of a family.
#[derive(Debug, Default)]
pub(crate) struct Series<'t> {
    /// Labels but `le`.
    pub(crate) labels: Vec<(&'t str, String)>,
    /// The value; of a histogram the sum.
    pub(crate) value: f64,
    /// Bounds and how many lie up to them.
    pub(crate) buckets: Vec<(f64, u64)>,
    pub(crate) count: u64,
}

pub(crate) fn families(text: &str) -> Vec<Family<'_>> {
    let (mut families, mut help) = (Vec::<Family<'_>>::new(), ("", ""));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap_or((rest, ""));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let Some(kind) = kind_of(kind) else { continue };
            let help = if help.0 == name { help.1 } else { "" };
            families.push(Family { name, help: unescape(help).into(), kind, series: Vec::new() });
        } else if let Some(family) = families.last_mut() {
            _ = family.read(line);
        }
    }
    families.retain(|family| !family.series.is_empty());
    families
}

impl<'t> Family<'t> {
    fn read(&mut self, line: &'t str) -> Option<()> {
        let suffix = line.strip_prefix(self.name)?;
        let (suffix, rest) = suffix.split_at(suffix.find(['{', ' '])?);
        let (mut labels, value) = labels(rest)?;
        let le = labels.iter().position(|(name, _)| *name == "le").map(|at| labels.remove(at).1);
        let value: f64 = value.trim().parse().ok()?;
        // The lines of one series follow each other.
        if self.series.last().is_none_or(|last| last.labels != labels) {
            self.series.push(Series { labels, ..Series::default() });
        }
        let series = self.series.last_mut()?;
        match (suffix, le) {
            ("", None) | ("_sum", None) => series.value = value,
            ("_count", None) => series.count = value as u64,
            ("_bucket", Some(le)) => series.buckets.push((le.parse().ok()?, value as u64)),
            _ => (),
        }
        Some(())
    }
}

fn kind_of(kind: &str) -> Option<Kind> {
    match kind {
        "counter" => Some(Kind::Counter),
        "gauge" => Some(Kind::Gauge),
        "histogram" => Some(Kind::Histogram),
        _ => None,
    }
}

/// The labels in braces, and what follows them.
fn labels(text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else { return Some((labels, text)) };
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(value) = rest.strip_prefix('}') {
            return Some((labels, value));
        }
        let (name, value) = rest.split_once("=\"")?;
        let mut escaped = false;
        let end = value.find(|c| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        })?;
        let (value, after) = value.split_at(end);
        labels.push((name, unescape(value)));
        rest = after.strip_prefix('"')?;
    }
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(c) => plain.push(c),
                None => plain.push('\\'),
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_exporter_writes_is_read() {
        let text = "# HELP a_total Of \\\\ all.\n# TYPE a_total counter\na_total{x=\"q\\\"\\n\",y=\"}\"} 3\na_total 4\n\n\
                    # TYPE h histogram\nh_bucket{z=\"1\",le=\"0.5\"} 1\nh_bucket{z=\"1\",le=\"+Inf\"} 2\n\
                    h_sum{z=\"1\"} 1.5\nh_count{z=\"1\"} 2\n# TYPE empty gauge\n# TYPE odd summary\nodd 1\n";
        let families = families(text);
        assert_eq!(families.iter().map(|family| family.name).collect::<Vec<_>>(), ["a_total", "h"]);
        let (counter, histogram) = (&families[0], &families[1]);
        assert_eq!(counter.help, "Of \\ all.");
        assert_eq!(counter.series[0].labels, [("x", "q\"\n".to_owned()), ("y", "}".to_owned())]);
        assert_eq!((counter.series[0].value, counter.series[1].value), (3.0, 4.0));
        let series = &histogram.series[0];
        assert_eq!((series.count, series.value, histogram.series.len()), (2, 1.5, 1));
        assert_eq!(series.buckets, [(0.5, 1), (f64::INFINITY, 2)]);
    }

    #[test]
    fn lines_of_another_kind_are_passed_over() {
        for text in [
            "",
            "x 1\n",
            "# TYPE x gauge\nx{a=\"b 1\n",
            "# TYPE x gauge\nx{a} 1\n",
            "# TYPE x gauge\nx one\n",
            "# TYPE x gauge\n\u{1f980}",
        ] {
            assert!(families(text).is_empty(), "{text:?}");
        }
    }
}
