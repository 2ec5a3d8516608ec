//! Whether a promise is kept in its window, and how fast its budget is spent.
//!
//! The budget is the share of bad ones that is allowed, over the promise's `budget` time. A burn rate is the share of
//! bad ones over a shorter time, in multiples of what is allowed: at 1 the budget lasts exactly. The windows and
//! levels are those of the SRE workbook for 30 days, scaled to other budgets.

use std::time::Duration;

use weir_config::{Percent, Severity};

use super::ring::{Pair, Quad, Ring};
use super::rule::Rule;

/// Counts of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// All that count.
    pub total: u64,
    /// The bad ones.
    pub bad: u64,
    /// Cold starts among all; of latency promises alone.
    pub cold: u64,
    /// Cold starts among the bad ones.
    pub bad_cold: u64,
}

impl Counts {
    /// bad / total; `None` of nothing.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.total > 0).then(|| self.bad as f64 / self.total as f64)
    }
}

/// Whether a promise is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Kept,
    /// It is not.
    Broken,
    /// There were too few requests to say.
    TooFew,
}

impl State {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "broken",
            Self::TooFew => "too_few",
        }
    }
}

/// A promise's state, and what it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// What was counted in the window.
    pub counts: Counts,
}

/// Cells of a verdict's window.
pub(crate) const WINDOW_CELLS: usize = 6;

pub(crate) fn verdict(rule: &Rule, window: &Ring<Quad, { WINDOW_CELLS + 1 }>, now: Duration) -> Verdict {
    let Quad { all, cold } = window.sum(now, width(rule), WINDOW_CELLS);
    let counts = Counts {
        total: all.total.into(),
        bad: all.bad.into(),
        cold: cold.total.into(),
        bad_cold: cold.bad.into(),
    };
    let state = if counts.total < u64::from(rule.slo.requests_min) {
        State::TooFew
    } else if rule.is_broken_by(counts.bad, counts.total) {
        State::Broken
    } else {
        State::Kept
    };
    Verdict { state, counts }
}

/// How wide the cells of the verdict's window are.
pub(crate) fn width(rule: &Rule) -> Duration {
    rule.slo.window / WINDOW_CELLS as u32
}

/// Windows of burn rates: as the text of a budget of 30 days has it, and the part of the budget's time.
pub const BURN_WINDOWS: [(&str, u32); 7] =
    [("5m", 8640), ("30m", 1440), ("1h", 720), ("2h", 360), ("6h", 120), ("1d", 30), ("3d", 10)];

/// One speed at which a budget is spent that somebody should know of.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Level {
    /// The burn rate.
    pub factor: f64,
    /// Positions in [`BURN_WINDOWS`]: both must burn so.
    pub long: usize,
    /// The window that tells that it still does.
    pub short: usize,
    /// Which part of the budget's time it must hold.
    pub hold: u32,
    /// How urgent it is.
    pub severity: Severity,
}

/// The levels, the most urgent first.
pub const BURN_LEVELS: [Level; 4] = [
    Level { factor: 14.4, long: 2, short: 0, hold: 21_600, severity: Severity::Critical },
    Level { factor: 6.0, long: 4, short: 1, hold: 2_880, severity: Severity::Critical },
    Level { factor: 3.0, long: 5, short: 3, hold: 720, severity: Severity::Warning },
    Level { factor: 1.0, long: 6, short: 4, hold: 240, severity: Severity::Warning },
];

/// How fast a budget is spent, and what is left of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Burn {
    /// By [`BURN_WINDOWS`]; `None` without requests.
    pub rates: [Option<f64>; 7],
    /// Requests of each window.
    pub totals: [u64; 7],
    /// What is left of the budget, 1 to 0, below 0 once it is overdrawn; over the budget's time or, shorter, since weir began.
    pub left: Option<f64>,
}

impl Burn {
    /// Whether the budget is spent that fast.
    pub(crate) fn is_at(&self, level: &Level, requests_min: u32) -> bool {
        let above =
            |window: usize| self.rates.get(window).copied().flatten().is_some_and(|rate| rate > level.factor);
        let enough = self.totals.get(level.long).is_some_and(|total| *total >= u64::from(requests_min));
        enough && above(level.long) && above(level.short)
    }
}

/// The counts of a budget's time: finer ones for shorter windows, 73 cells of 8 bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spending {
    minutes: Ring<Pair, 6>,
    fives: Ring<Pair, 13>,
    twenties: Ring<Pair, 19>,
    quarters: Ring<Pair, 19>,
    days: Ring<Pair, 16>,
}

/// Cells of the whole budget are a fifteenth of it.
const BUDGET_CELLS: u32 = 15;

impl Spending {
    pub(crate) fn add(&mut self, now: Duration, budget: Duration, more: Pair) {
        self.minutes.add(now, budget / 43_200, more);
        self.fives.add(now, budget / 8_640, more);
        self.twenties.add(now, budget / 2_160, more);
        self.quarters.add(now, budget / 180, more);
        self.days.add(now, budget / BUDGET_CELLS, more);
    }

    pub(crate) fn burn(&self, rule: &Rule, now: Duration) -> Burn {
        let budget = rule.slo.budget;
        let pairs = [
            self.minutes.sum(now, budget / 43_200, 5),
            self.fives.sum(now, budget / 8_640, 6),
            self.fives.sum(now, budget / 8_640, 12),
            self.twenties.sum(now, budget / 2_160, 6),
            self.twenties.sum(now, budget / 2_160, 18),
            self.quarters.sum(now, budget / 180, 6),
            self.quarters.sum(now, budget / 180, 18),
        ];
        let whole = self.days.sum(now, budget / BUDGET_CELLS, BUDGET_CELLS as usize);
        Burn {
            rates: pairs.map(|pair| rate(pair, rule.allowed)),
            totals: pairs.map(|pair| pair.total.into()),
            left: rate(whole, rule.allowed).map(|spent| 1.0 - spent),
        }
    }
}

/// The share of bad ones in multiples of the allowed one. Where nothing is allowed, the first bad one is a million.
fn rate(pair: Pair, allowed: Percent) -> Option<f64> {
    let bad = f64::from(pair.bad) / f64::from(pair.total);
    (pair.total > 0).then(|| if pair.bad == 0 { 0.0 } else { bad / allowed.ratio().max(1e-6) })
}

#[cfg(test)]
mod tests {
    use weir_config::Slo;

    use super::*;

    fn rule(window: u64) -> Rule {
        let slo = Slo {
            error_rate_max: Some(Percent::of(1)),
            window: Duration::from_secs(window),
            ..Slo::default()
        };
        Rule::new(&slo).unwrap()
    }

    fn quad(total: u32, bad: u32) -> Quad {
        Quad { all: Pair { total, bad }, ..Quad::default() }
    }

    #[test]
    fn nothing_is_concluded_from_few_requests() {
        let (rule, mut window) = (rule(60), Ring::default());
        let now = Duration::from_secs(100);
        window.add(now, width(&rule), quad(19, 19));
        assert_eq!(verdict(&rule, &window, now).state, State::TooFew);
        window.add(now, width(&rule), quad(1, 0));
        assert_eq!(verdict(&rule, &window, now).state, State::Broken);
        window.add(now, width(&rule), quad(1881, 0));
        assert_eq!(verdict(&rule, &window, now).state, State::Kept, "19 of 1,901 are less than 1 %");
        assert_eq!(verdict(&rule, &window, now + Duration::from_secs(70)).state, State::TooFew);
    }

    #[test]
    fn a_steady_failure_burns_as_fast_in_every_window_and_a_spike_only_in_the_short_ones() {
        let rule = rule(60);
        let mut spending = Spending::default();
        let minute = Duration::from_secs(60);
        for n in 0..3 * 24 * 60 {
            spending.add(minute * n, rule.slo.budget, Pair { total: 100, bad: 2 });
        }
        let now = minute * (3 * 24 * 60 - 1);
        let burn = spending.burn(&rule, now);
        assert!(burn.rates.iter().all(|rate| (rate.unwrap() - 2.0).abs() < 1e-9), "{burn:?}");
        assert!((burn.left.unwrap() + 1.0).abs() < 1e-9, "twice the share was spent of what there was");
        assert!(burn.is_at(&BURN_LEVELS[3], 20) && !burn.is_at(&BURN_LEVELS[2], 20));
        for n in 1..=6 {
            spending.add(now + minute * n, rule.slo.budget, Pair { total: 100, bad: 100 });
        }
        let burn = spending.burn(&rule, now + minute * 6);
        assert!((burn.rates[0].unwrap() - 100.0).abs() < 1e-9, "{burn:?}");
        assert!(burn.rates[6].unwrap() < 3.0, "{burn:?}");
        assert!(!burn.is_at(&BURN_LEVELS[0], 1_000_000));
    }

    #[test]
    fn windows_are_the_parts_of_thirty_days_that_they_are_called() {
        let days = Duration::from_secs(30 * 86_400);
        for (text, part) in BURN_WINDOWS {
            assert_eq!(weir_config::parse_duration(text).unwrap(), days / part);
        }
        assert_eq!(days / BURN_LEVELS[0].hold, Duration::from_secs(120));
        assert_eq!(days / BURN_LEVELS[3].hold, Duration::from_secs(3 * 3600));
    }
}
