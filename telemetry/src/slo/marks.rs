//! A model's limits, beside its counters: what is above one is counted as the request ends.
//!
//! Cost: without limits one load; with `n` of them `2n` loads and compares; one `fetch_add` for each that is broken,
//! shared by all workers, as slow requests are few or slow. No lock, no allocation.
//! Bad ones are counted after their request was, and read before it: they are never more than all.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use weir_config::SLO_LIMITS_MAX;

use super::rule::{Rule, Target};
use crate::observation::{Observation, Outcome, Start};

/// Limits of one model.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    count: AtomicU32,
    limits: [AtomicU64; SLO_LIMITS_MAX],
    /// Which requests: a bit for each [`Start::index`], or [`AGES`].
    kinds: [AtomicU8; SLO_LIMITS_MAX],
    over: [[AtomicU32; 3]; SLO_LIMITS_MAX],
    /// Ages told.
    told: [AtomicU32; SLO_LIMITS_MAX],
}

const AGES: u8 = 1 << 7;

/// What one limit counted since it was last read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Over {
    /// By [`Start::index`]; ages are all in the first.
    pub(crate) over: [u32; 3],
    pub(crate) told: u32,
}

impl Marks {
    /// Sets the limits of these promises, in their order. A limit that stays keeps being compared all the while.
    pub(crate) fn set<'r>(&self, rules: impl Iterator<Item = &'r Rule>) {
        let mut count = 0;
        let places = self.limits.iter().zip(&self.kinds);
        for ((limit, kind), rule) in places.zip(rules.filter(|rule| rule.target.limit().is_some())) {
            let (limit_ns, bits) = mark(rule);
            limit.store(limit_ns, Relaxed);
            kind.store(bits, Relaxed);
            count += 1;
        }
        self.count.store(count, Release);
    }

    /// A request ended.
    #[inline]
    pub(crate) fn end(&self, seen: &Observation) {
        if !matches!(seen.outcome, Outcome::Ok) {
            return;
        }
        let start = seen.start.index();
        let marks = self.limits.iter().zip(&self.kinds).zip(&self.over);
        for ((limit, kind), over) in marks.take(self.count.load(Acquire) as usize) {
            if seen.duration_ns > limit.load(Relaxed)
                && kind.load(Relaxed) & (1 << start) != 0
                && let Some(over) = over.get(start)
            {
                over.fetch_add(1, Release);
            }
        }
    }

    /// An answer told the age of the model's data.
    pub(crate) fn age(&self, seconds: f64) {
        let marks = self.limits.iter().zip(&self.kinds).zip(&self.over).zip(&self.told);
        for (((limit, kind), [over, ..]), told) in marks.take(self.count.load(Acquire) as usize) {
            if kind.load(Relaxed) == AGES {
                told.fetch_add(1, Release);
                if seconds * 1e9 > limit.load(Relaxed) as f64 {
                    over.fetch_add(1, Release);
                }
            }
        }
    }

    /// Empties a limit's counters.
    pub(crate) fn take(&self, at: usize) -> Over {
        let mut taken = Over::default();
        if let (Some(over), Some(told)) = (self.over.get(at), self.told.get(at)) {
            for (into, counter) in taken.over.iter_mut().zip(over) {
                *into = if counter.load(Relaxed) == 0 { 0 } else { counter.swap(0, AcqRel) };
            }
            taken.told = if told.load(Relaxed) == 0 { 0 } else { told.swap(0, AcqRel) };
        }
        taken
    }

    /// The model has left: no limits and no counts.
    pub(crate) fn clear(&self) {
        self.count.store(0, Release);
        (0..SLO_LIMITS_MAX).for_each(|at| _ = self.take(at));
    }
}

fn mark(rule: &Rule) -> (u64, u8) {
    let limit =
        rule.target.limit().map_or(u64::MAX, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
    let bits = match rule.target {
        Target::Latency { start: Some(start), .. } => 1 << start.index(),
        Target::Latency { start: None, .. } => Start::ALL.iter().map(|start| 1 << start.index()).sum(),
        Target::Staleness { .. } => AGES,
        Target::Errors | Target::Cold | Target::Hits => 0,
    };
    (limit, bits)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weir_config::{LatencyTarget, Slo, SloStart, StalenessTarget};

    use super::*;

    fn latency(below: u64, start: SloStart) -> Rule {
        let latency = LatencyTarget { below: Duration::from_nanos(below), start, ..LatencyTarget::default() };
        Rule::new(&Slo { latency: Some(latency), ..Slo::default() }).unwrap()
    }

    #[test]
    fn each_limit_counts_the_requests_it_is_about_and_those_above_it_alone() {
        let marks = Marks::default();
        let rules = [latency(100, SloStart::Any), latency(200, SloStart::Hot), latency(50, SloStart::Cold)];
        marks.set(rules.iter());
        for (start, ns) in [
            (Start::Hot, 100),
            (Start::Hot, 101),
            (Start::Hot, 201),
            (Start::Cold, 201),
            (Start::Unknown, 201),
        ] {
            marks.end(&Observation::new(Outcome::Ok, start, ns));
            marks.end(&Observation::new(Outcome::Timeout, start, ns * 1000));
        }
        assert_eq!([0, 1, 2].map(|at| marks.take(at).over), [[2, 1, 1], [1, 0, 0], [0, 1, 0]]);
        assert_eq!(marks.take(0), Over::default(), "what was read is read once");
        marks.clear();
        marks.end(&Observation::new(Outcome::Ok, Start::Hot, u64::MAX));
        assert_eq!(marks.take(0), Over::default());
    }

    #[test]
    fn ages_are_told_and_compared_apart_from_times() {
        let marks = Marks::default();
        let staleness =
            StalenessTarget { below: Duration::from_secs(48 * 3600), ..StalenessTarget::default() };
        let rule = Rule::new(&Slo { staleness: Some(staleness), ..Slo::default() }).unwrap();
        marks.set([latency(1, SloStart::Any), rule].iter());
        [0.0, 172_800.0, 172_801.0, f64::MAX].iter().for_each(|age| marks.age(*age));
        assert_eq!(marks.take(1), Over { over: [2, 0, 0], told: 4 });
        assert_eq!(marks.take(0), Over::default());
    }
}
