//! What one model promised and how it stands: totals since the start, the verdict's window, the budget's time.

use std::sync::Arc;
use std::time::Duration;

use weir_config::SLO_LIMITS_MAX;

use super::marks::{Marks, Over};
use super::ring::{Pair, Quad, Ring};
use super::rule::{Rule, Target};
use super::verdict::{Burn, Spending, Verdict, WINDOW_CELLS, verdict, width};
use crate::observation::{Outcome, Start};
use crate::totals::Delta;

/// How one promise of one model stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Standing {
    /// The backend's name.
    pub backend: Arc<str>,
    /// The model's name.
    pub model: Arc<str>,
    /// Its version, where versions are counted apart.
    pub version: Option<Arc<str>>,
    /// What is promised.
    pub rule: Arc<Rule>,
    /// Whether it is kept in its window.
    pub verdict: Verdict,
    /// How fast its budget is spent.
    pub burn: Burn,
    /// All that counted since the promise was made.
    pub total: u64,
    /// The bad ones.
    pub bad: u64,
}

/// The promises of one model.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) promises: Vec<Promise>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Promise {
    pub(crate) rule: Arc<Rule>,
    pub(crate) total: u64,
    pub(crate) bad: u64,
    pub(crate) bad_cold: u64,
    window: Ring<Quad, { WINDOW_CELLS + 1 }>,
    /// Made with the first request.
    spending: Option<Box<Spending>>,
}

/// What the limits counted, by their place.
pub(crate) type Overs = [Over; SLO_LIMITS_MAX];

/// Empties what the limits counted. Before the requests themselves are read.
pub(crate) fn take(marks: &Marks) -> Overs {
    std::array::from_fn(|at| marks.take(at))
}

impl Record {
    /// Takes these promises from now on; one that is the same as before goes on where it stood.
    pub(crate) fn adopt(&mut self, rules: Vec<Arc<Rule>>) {
        let mut before = std::mem::take(&mut self.promises);
        let promise = |rule: Arc<Rule>| match before.iter().position(|known| known.rule == rule) {
            Some(at) => Promise { rule, ..before.swap_remove(at) },
            None => Promise { rule, total: 0, bad: 0, bad_cold: 0, window: Ring::default(), spending: None },
        };
        self.promises = rules.into_iter().map(promise).collect();
    }

    /// Adds what was counted lately.
    pub(crate) fn add(&mut self, now: Duration, overs: &Overs, delta: &Delta) {
        let starts = Start::ALL.map(|start| delta.successes(start));
        let mut overs = overs.iter();
        for promise in &mut self.promises {
            let has_limit = promise.rule.target.limit().is_some();
            let over = if has_limit { overs.next().copied().unwrap_or_default() } else { Over::default() };
            let seen = seen(promise.rule.target, starts, over, delta);
            if seen.all.total > 0 || seen.all.bad > 0 {
                promise.add(now, seen);
            }
        }
    }
}

impl Promise {
    fn add(&mut self, now: Duration, seen: Quad) {
        self.total += u64::from(seen.all.total);
        self.bad += u64::from(seen.all.bad);
        self.bad_cold += u64::from(seen.cold.bad);
        self.window.add(now, width(&self.rule), seen);
        self.spending.get_or_insert_default().add(now, self.rule.slo.budget, seen.all);
    }

    pub(crate) fn verdict(&self, now: Duration) -> Verdict {
        verdict(&self.rule, &self.window, now)
    }

    pub(crate) fn burn(&self, now: Duration) -> Burn {
        self.spending.as_ref().map(|spending| spending.burn(&self.rule, now)).unwrap_or_default()
    }
}

/// What counts for a target, and what of it is bad.
fn seen(target: Target, [hot, cold, unknown]: [u32; 3], over: Over, delta: &Delta) -> Quad {
    let plain = |total, bad| Quad { all: Pair { total, bad }, ..Quad::default() };
    match target {
        Target::Latency { start: None, .. } => Quad {
            all: Pair { total: hot + cold + unknown, bad: over.over.iter().sum() },
            cold: Pair { total: cold, bad: over.over.get(Start::Cold.index()).copied().unwrap_or(0) },
        },
        Target::Latency { start: Some(start), .. } => {
            let at = |of: [u32; 3]| of.get(start.index()).copied().unwrap_or(0);
            plain(at([hot, cold, unknown]), at(over.over))
        }
        Target::Errors => {
            let outcomes = || Outcome::ALL.iter().zip(delta.outcomes);
            let failures = outcomes().filter(|(outcome, _)| outcome.is_failure()).map(|(_, n)| n).sum();
            plain(hot + cold + unknown + failures, failures)
        }
        Target::Cold | Target::Hits => plain(hot + cold, cold),
        Target::Staleness { .. } => plain(over.told, over.over.iter().sum()),
    }
}
