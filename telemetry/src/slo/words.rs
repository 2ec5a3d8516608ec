//! What an alert says to people: one line, and what was measured.

use std::fmt::Write;
use std::time::Duration;

use weir_config::duration_text;

use super::alert::{Alert, AlertKind, Measured};
use super::rule::{Rule, Target};
use super::verdict::BURN_WINDOWS;

impl Rule {
    /// What is promised, in words: `p95 below 200ms (hot)`.
    #[must_use]
    pub fn promise(&self) -> String {
        match self.target {
            Target::Latency { start, limit } => {
                let which = start.map_or_else(String::new, |start| format!(" ({})", start.as_str()));
                format!("p{} below {}{which}", self.percentile(), duration_text(limit))
            }
            Target::Errors => format!("at most {} errors", self.allowed),
            Target::Cold => format!("at most {} cold starts", self.allowed),
            Target::Hits => format!("at least {} cache hits", self.allowed.rest()),
            Target::Staleness { limit } => {
                format!("p{} of staleness below {}", self.percentile(), duration_text(limit))
            }
        }
    }

    fn percentile(&self) -> String {
        self.allowed.rest().to_string().trim_end_matches('%').to_owned()
    }
}

impl Alert {
    /// One line that says what is wrong with which model.
    #[must_use]
    pub fn summary(&self) -> String {
        let model = format!("Model {} of {}", self.model, self.backend);
        let promise = self.rule.promise();
        let share = percent(self.measured.counts.ratio());
        match self.kind {
            AlertKind::LatencyHigh => format!("{model} is slow: {share} of its requests break {promise}"),
            AlertKind::LatencyBimodal => {
                format!(
                    "{model} is {} cold, and not slow otherwise: {promise} is broken by cold starts",
                    self.cold()
                )
            }
            AlertKind::ErrorRateHigh => {
                format!("{model} fails {share} of its requests: {promise} is promised")
            }
            AlertKind::Thrashing => {
                format!("{model} is thrashing: {share} of its starts are cold, {promise} is promised")
            }
            AlertKind::HitRatioLow => {
                let hits = percent(self.measured.counts.ratio().map(|cold| 1.0 - cold));
                format!("{model} is in memory for {hits} of its requests only: {promise} is promised")
            }
            AlertKind::Stale => format!("{model} is stale: {share} of its answers break {promise}"),
            AlertKind::LatencyBurn(_) | AlertKind::ErrorBurn(_) => {
                let (rate, _) = self.measured.burn.unwrap_or_default();
                format!("{model} spends its budget {rate:.1} times too fast: {promise} is promised")
            }
        }
    }

    /// What was measured, over which time, and what else is known.
    #[must_use]
    pub fn description(&self) -> String {
        let Measured { counts, quantiles, evictions, .. } = self.measured;
        let mut text = format!(
            "SLO {}: {}. {} of {} requests of the last {} break it ({}, {} are allowed).",
            self.rule.name,
            self.rule.promise(),
            counts.bad,
            counts.total,
            duration_text(self.rule.slo.window),
            percent(counts.ratio()),
            self.rule.allowed,
        );
        if let (Some(level), Some((long, short))) = (self.kind.level(), self.measured.burn) {
            let part = |at: usize| BURN_WINDOWS.get(at).map_or(1, |(_, part)| *part);
            let span = |at| duration_text(self.rule.slo.budget / part(at));
            let (of_long, of_short) = (span(level.long), span(level.short));
            let factor = level.factor;
            _ = write!(
                text,
                " The budget burns at {long:.1} over {of_long} and {short:.1} over {of_short}; {factor} is the line."
            );
        }
        for (name, quantiles) in ["hot", "cold", "unknown"].into_iter().zip(quantiles) {
            if let Some((p50, p95)) = quantiles {
                _ = write!(text, " {name}: p50 {}, p95 {}.", short(p50), short(p95));
            }
        }
        if counts.cold > 0 {
            _ = write!(
                text,
                " {} cold; {} of {} bad ones were cold.",
                self.cold(),
                counts.bad_cold,
                counts.bad
            );
        }
        if evictions > 0 {
            _ = write!(text, " Put out of memory {evictions} times since weir began.");
        }
        text
    }

    /// The measured value as a ratio: the share of bad ones, or the burn rate.
    #[must_use]
    pub fn value(&self) -> f64 {
        match self.measured.burn {
            Some((long, _)) => long,
            None => self.measured.counts.ratio().unwrap_or(0.0),
        }
    }

    fn cold(&self) -> String {
        let counts = self.measured.counts;
        let told = (counts.cold > 0).then(|| counts.cold as f64 / counts.total.max(1) as f64);
        percent(told.or(self.measured.slow_peak))
    }
}

fn percent(ratio: Option<f64>) -> String {
    let Some(ratio) = ratio else { return "none".to_owned() };
    let text = format!("{:.1}", ratio * 100.0);
    format!("{} %", text.trim_end_matches(".0"))
}

fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 { format!("{seconds:.1} s") } else { format!("{:.0} ms", seconds * 1000.0) }
}
