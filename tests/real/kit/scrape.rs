//! The numbers of one `/metrics` body.

use std::collections::BTreeMap;

const REQUESTS: &str = "weir_model_requests_total";

/// Text format 0.0.4, as far as the chapters ask: samples by name and labels.
#[derive(Debug)]
pub(crate) struct Scrape {
    samples: Vec<Sample>,
}

/// Successful requests by the kind of their start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Starts {
    pub(crate) hot: u64,
    pub(crate) cold: u64,
    pub(crate) unknown: u64,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scrape {
    #[track_caller]
    pub(crate) fn parse(body: &str) -> Self {
        let lines = body.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            samples: lines
                .map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line}")))
                .collect(),
        }
    }

    /// The sum over the samples of that name whose labels are at least those; 0 when there is none.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|sample| sample.value).sum()
    }

    /// The sum as a count.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters of a test are small whole numbers"
    )]
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.sum(name, labels).round() as u64
    }

    /// The value of the one sample of that name whose labels are at least those.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.matching(name, labels).next().map(|sample| sample.value)
    }

    /// Requests of one model by outcome, those that are not 0, by name.
    pub(crate) fn outcomes(&self, model: &str) -> Vec<(&str, u64)> {
        let of = |outcome| self.count(REQUESTS, &[("model", model), ("outcome", outcome)]);
        let all = self.label_values(REQUESTS, "outcome").into_iter().map(|outcome| (outcome, of(outcome)));
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// Every request that was settled.
    pub(crate) fn requests(&self) -> u64 {
        self.count(REQUESTS, &[])
    }

    /// Successful requests of one model by the kind of their start.
    pub(crate) fn starts(&self, model: &str) -> Starts {
        let of = |start| {
            self.count("weir_model_request_duration_seconds_count", &[("model", model), ("start", start)])
        };
        Starts { hot: of("hot"), cold: of("cold"), unknown: of("unknown") }
    }

    /// Cold starts of one model by what told so, those that are not 0.
    pub(crate) fn cold_starts(&self, model: &str) -> Vec<(&str, u64)> {
        const COLD: &str = "weir_model_cold_starts_total";
        let of = |evidence| self.count(COLD, &[("model", model), ("evidence", evidence)]);
        let all = self.label_values(COLD, "evidence").into_iter().map(|evidence| (evidence, of(evidence)));
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// A number of one model.
    pub(crate) fn of_model(&self, name: &str, model: &str) -> f64 {
        self.sum(name, &[("model", model)])
    }

    /// The models that have series, less the reserved names.
    pub(crate) fn models(&self) -> Vec<&str> {
        self.label_values(REQUESTS, "model").into_iter().filter(|name| !name.starts_with("__")).collect()
    }

    /// Every value of one label in the samples of that name.
    fn label_values(&self, name: &str, label: &str) -> Vec<&str> {
        let mut values: Vec<_> = self
            .matching(name, &[])
            .filter_map(|sample| sample.labels.get(label))
            .map(String::as_str)
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    fn matching<'s>(&'s self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &'s Sample> {
        let holds = move |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
        };
        self.samples.iter().filter(holds)
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest));
    Some(Sample { name: name.to_owned(), labels: parse_labels(labels)?, value: value.parse().ok()? })
}

/// `key="value",…}` with the escapes `\\`, `\"` and `\n`.
fn parse_labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text.trim_end_matches('}');
    while let Some((key, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => value.push(match characters.next()? {
                    'n' => '\n',
                    escaped => escaped,
                }),
                plain => value.push(plain),
            }
        }
        labels.insert(key.trim_start_matches(',').to_owned(), value);
        rest = characters.as_str();
    }
    Some(labels)
}
