//! The models that are not exported under their own name, in little: four counters each, in text 0.0.4, to be scraped
//! seldom (every minute or two; Prometheus forgets a series after five) by who must see all.

use std::sync::Arc;

use super::text::{number, open};
use crate::names::{self, Family};
use crate::store::Book;

/// The tail: its models with the most requests, as many as were asked for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Tail {
    /// By requests, most first.
    pub models: Vec<TailModel>,
    /// Models of the tail that are not in `models`.
    pub omitted: u64,
}

/// One model of the tail.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TailModel {
    /// Requests that ended, since the start of the process.
    pub requests: u64,
    /// Those that the serving side failed.
    pub failures: u64,
    /// Cold starts.
    pub cold_starts: u64,
    /// Requests that broke one of the model's promises, those of all its promises together.
    pub violations: u64,
    labels: Arc<str>,
}

impl Tail {
    /// The busiest `models_max` of the books.
    pub(crate) fn of<'b>(books: impl Iterator<Item = &'b Book>, models_max: usize) -> Self {
        let mut models: Vec<_> = books.map(TailModel::of).collect();
        // The labels make the order total, so that what is left out does not change by chance.
        models.sort_unstable_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.labels.cmp(&b.labels)));
        let omitted = models.len().saturating_sub(models_max) as u64;
        models.truncate(models_max);
        Self { models, omitted }
    }
}

impl TailModel {
    fn of(book: &Book) -> Self {
        let promises = book.slo.iter().flat_map(|record| &record.promises);
        Self {
            requests: book.totals.settled(),
            failures: book.totals.failures(),
            cold_starts: book.totals.cold_starts.iter().sum(),
            violations: promises.map(|promise| promise.bad).sum(),
            labels: Arc::clone(&book.labels),
        }
    }
}

type Counter = fn(&TailModel) -> u64;

/// Appends the tail in text format 0.0.4.
pub fn encode_tail(tail: &Tail, out: &mut String) {
    let counters: [(Family, Counter); 4] = [
        (names::TAIL_REQUESTS, |model| model.requests),
        (names::TAIL_FAILURES, |model| model.failures),
        (names::TAIL_COLD_STARTS, |model| model.cold_starts),
        (names::TAIL_VIOLATIONS, |model| model.violations),
    ];
    for (family, value) in counters.iter().filter(|_| !tail.models.is_empty()) {
        open(family, out);
        for model in &tail.models {
            out.extend([family.name, "{", &model.labels, "} "]);
            number(value(model), out);
            out.push('\n');
        }
    }
    open(&names::TAIL_OMITTED, out);
    out.extend([names::TAIL_OMITTED.name, " "]);
    number(tail.omitted, out);
    out.push('\n');
}
