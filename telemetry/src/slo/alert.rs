//! An alert, and how it moves: pending while its promise is broken, firing once that has held for its time, resolved
//! once the promise has been kept again for another.

use std::sync::Arc;
use std::time::Duration;

use weir_config::Severity;

use super::rule::{Rule, Target};
use super::verdict::{BURN_LEVELS, Counts, Level};

/// Where an alert is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The promise is broken, but not long enough yet.
    Pending,
    /// Somebody is to be told.
    Firing,
    /// It is over.
    Resolved,
}

impl Phase {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// What an alert says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertKind {
    /// Too many requests took too long.
    LatencyHigh,
    /// The same, but nearly all of those met a cold model: the model itself is not slow.
    LatencyBimodal,
    /// The serving side failed too many.
    ErrorRateHigh,
    /// Too many starts are cold.
    Thrashing,
    /// Too few are hot.
    HitRatioLow,
    /// The model's data is too old.
    Stale,
    /// The budget of a latency promise is spent too fast; the number is the position in [`BURN_LEVELS`].
    LatencyBurn(u8),
    /// The budget of another promise is.
    ErrorBurn(u8),
}

impl AlertKind {
    /// The label `alertname`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LatencyHigh => "WeirModelLatencyHigh",
            Self::LatencyBimodal => "WeirModelLatencyBimodal",
            Self::ErrorRateHigh => "WeirModelErrorRateHigh",
            Self::Thrashing => "WeirModelThrashing",
            Self::HitRatioLow => "WeirCacheHitRatioLow",
            Self::Stale => "WeirModelStale",
            Self::LatencyBurn(_) => "WeirModelLatencyBudgetBurn",
            Self::ErrorBurn(_) => "WeirModelErrorBudgetBurn",
        }
    }

    /// Of a broken promise.
    pub(crate) const fn broken(target: Target) -> Self {
        match target {
            Target::Latency { .. } => Self::LatencyHigh,
            Target::Errors => Self::ErrorRateHigh,
            Target::Cold => Self::Thrashing,
            Target::Hits => Self::HitRatioLow,
            Target::Staleness { .. } => Self::Stale,
        }
    }

    /// Of a budget that is spent too fast.
    pub(crate) const fn burn(target: Target, level: u8) -> Self {
        match target {
            Target::Latency { .. } => Self::LatencyBurn(level),
            _ => Self::ErrorBurn(level),
        }
    }

    /// The level of a budget that is spent too fast.
    #[must_use]
    pub fn level(self) -> Option<&'static Level> {
        match self {
            Self::LatencyBurn(level) | Self::ErrorBurn(level) => BURN_LEVELS.get(usize::from(level)),
            _ => None,
        }
    }
}

/// The name of every alert that weir itself raises.
#[must_use]
pub fn all_names() -> [&'static str; 8] {
    use AlertKind::{
        ErrorBurn, ErrorRateHigh, HitRatioLow, LatencyBimodal, LatencyBurn, LatencyHigh, Stale, Thrashing,
    };
    [LatencyHigh, LatencyBimodal, ErrorRateHigh, Thrashing, HitRatioLow, Stale, LatencyBurn(0), ErrorBurn(0)]
        .map(AlertKind::name)
}

/// What was measured when the alert was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// What was counted in the promise's window.
    pub counts: Counts,
    /// Burn rates over the long and the short window of the level.
    pub burn: Option<(f64, f64)>,
    /// p50 and p95 of the hot, the cold and the unknown ones of the last five minutes, if the model is tracked.
    pub quantiles: [Option<(Duration, Duration)>; 3],
    /// Times the model was put out of memory since the process began.
    pub evictions: u64,
    /// Share of a second, much slower peak, where no backend tells hot from cold.
    pub slow_peak: Option<f64>,
}

/// One alert of one model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Alert {
    /// What it says.
    pub kind: AlertKind,
    /// The promise that it is about.
    pub rule: Arc<Rule>,
    /// The backend's name.
    pub backend: Arc<str>,
    /// The model's name.
    pub model: Arc<str>,
    /// Its version, where versions are counted apart.
    pub version: Option<Arc<str>>,
    /// Where it is on its way.
    pub phase: Phase,
    /// Since when the promise is broken, since the start of the process.
    pub since: Duration,
    /// When it began to fire.
    pub fired_at: Option<Duration>,
    /// When it was resolved.
    pub resolved_at: Option<Duration>,
    /// What it is from.
    pub measured: Measured,
}

impl Alert {
    /// How urgent it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.kind.level().map_or(self.rule.slo.severity, |level| level.severity)
    }
}

/// How long it takes to fire and to be resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    pub(crate) hold: Duration,
    pub(crate) keep: Duration,
}

/// How long a resolved alert is still told.
pub(crate) const RESOLVED_FOR: Duration = Duration::from_secs(900);

/// The clockwork of an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clockwork {
    pub(crate) phase: Phase,
    /// Since when the promise is broken.
    pub(crate) since: Duration,
    pub(crate) fired_at: Option<Duration>,
    pub(crate) resolved_at: Option<Duration>,
    /// Firing: since when it is kept again. Resolved: since when it is broken again.
    turned: Option<Duration>,
}

/// One look at the promise. `None`: there is nothing to tell of.
pub(crate) fn step(
    before: Option<Clockwork>,
    broken: bool,
    now: Duration,
    holds: Holds,
) -> Option<Clockwork> {
    let Some(mut it) = before else {
        let pending =
            Clockwork { phase: Phase::Pending, since: now, fired_at: None, resolved_at: None, turned: None };
        return if broken { Some(pending.fire_if_due(now, holds.hold)) } else { None };
    };
    match (it.phase, broken) {
        (Phase::Pending, true) => Some(it.fire_if_due(now, holds.hold)),
        (Phase::Pending, false) => None,
        (Phase::Firing, true) => Some(Clockwork { turned: None, ..it }),
        (Phase::Firing, false) => {
            if now.saturating_sub(*it.turned.get_or_insert(now)) >= holds.keep {
                (it.phase, it.resolved_at, it.turned) = (Phase::Resolved, Some(now), None);
            }
            Some(it)
        }
        (Phase::Resolved, true) => {
            let since = *it.turned.get_or_insert(now);
            let again =
                Clockwork { phase: Phase::Pending, since, fired_at: None, resolved_at: None, turned: None };
            let again = again.fire_if_due(now, holds.hold);
            Some(if again.phase == Phase::Firing { again } else { it })
        }
        (Phase::Resolved, false) => {
            let over = it.resolved_at.is_some_and(|at| now.saturating_sub(at) >= RESOLVED_FOR);
            (!over).then_some(Clockwork { turned: None, ..it })
        }
    }
}

impl Clockwork {
    fn fire_if_due(self, now: Duration, hold: Duration) -> Self {
        if now.saturating_sub(self.since) < hold {
            return self;
        }
        Self { phase: Phase::Firing, fired_at: Some(now), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Looks once a second and writes down the phases.
    fn phases(broken: &str, hold: u64, keep: u64) -> String {
        let mut it = None;
        let mut all = String::new();
        for (now, broken) in broken.chars().enumerate() {
            it = step(it, broken == 'x', s(now as u64), Holds { hold: s(hold), keep: s(keep) });
            all.push(it.map_or('-', |it| match it.phase {
                Phase::Pending => 'p',
                Phase::Firing => 'F',
                Phase::Resolved => 'r',
            }));
        }
        all
    }

    #[test]
    fn an_alert_fires_after_its_hold_and_is_resolved_after_its_keep() {
        assert_eq!(phases(".xxxxxx....", 3, 2), "-pppFFFFFrr");
        assert_eq!(phases("x.", 0, 0), "Fr");
    }

    #[test]
    fn a_short_breach_never_fires_and_a_short_calm_never_resolves() {
        assert_eq!(phases("xx.xx.xx.", 3, 2), "pp-pp-pp-");
        assert_eq!(phases("xxxx.xxx.xx", 3, 2), "pppFFFFFFFF");
    }

    #[test]
    fn a_resolved_alert_fires_again_only_after_its_hold_and_then_anew() {
        assert_eq!(phases("xxx..x.xxxx", 2, 1), "ppFFrrrrrFF");
    }

    #[test]
    fn a_resolved_alert_is_forgotten_in_the_end() {
        let holds = Holds { hold: s(0), keep: s(0) };
        let resolved = step(step(None, true, s(0), holds), false, s(1), holds);
        assert_eq!(resolved.unwrap().phase, Phase::Resolved);
        assert!(step(resolved, false, s(1) + RESOLVED_FOR - s(1), holds).is_some());
        assert!(step(resolved, false, s(1) + RESOLVED_FOR, holds).is_none());
    }
}
