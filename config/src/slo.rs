//! What a model promises: service level objectives, and for which models each holds. Where alerts go is `alerts`.
//!
//! Several SLOs may have the same name, for different models: a model then has the one that names it most exactly (its
//! own name, else the glob with the most letters, else the one without `models`). SLOs of different names add up.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{DurationText, Percent, duration, duration_within, percent_within};

/// Names of SLOs at most: a model has one SLO of each name.
pub const SLO_NAMES_MAX: usize = 16;

/// Names of SLOs at most that compare each request with a limit, `latency` and `staleness`.
pub const SLO_LIMITS_MAX: usize = 8;

/// One promise, and the models that it holds for: exactly one of `latency`, `error_rate_max`, `cold_rate_max`,
/// `hit_rate_min` and `staleness`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name"]))]
pub struct Slo {
    /// The label `slo`. Required; letters, digits, `_`, `-` and `.`, 1 to 64 of them.
    #[schemars(example = &"fast")]
    #[garde(custom(crate::check::name))]
    pub name: String,
    /// Models it holds for, by name or by glob (`*` any letters, `?` one). Default none: every model that no other SLO
    /// of the same name takes; at most 10000, of 1 to 1024 bytes.
    #[garde(length(max = 10_000), inner(length(min = 1, max = 1024)))]
    pub models: Vec<String>,
    /// The backend of those models. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"triton")]
    pub backend: Option<String>,
    /// So many of the successful requests are faster than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub latency: Option<LatencyTarget>,
    /// Share of requests that the serving side may fail; a caller's own errors count on neither side. 0% to 99%.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"1%")]
    #[garde(inner(custom(percent_within("0%", "99%"))))]
    pub error_rate_max: Option<Percent>,
    /// Share of successful requests that may meet the model not in memory, of those known to be hot or cold. 0% to 99%.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"10%")]
    #[garde(inner(custom(percent_within("0%", "99%"))))]
    pub cold_rate_max: Option<Percent>,
    /// Share of successful requests that must find the model in memory: `cold_rate_max` seen from the other side. 1% to 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"80%")]
    #[garde(inner(custom(percent_within("1%", "100%"))))]
    pub hit_rate_min: Option<Percent>,
    /// So many of the answers that tell the age of the model's data tell less than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub staleness: Option<StalenessTarget>,
    /// The last requests that are looked at. Default `5m`; 1s to 1d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "1d")))]
    pub window: Duration,
    /// How long the promise must be broken before its alert fires. Default `5m`; 0s to 1d.
    #[serde(rename = "for", with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(rename("for"), custom(duration_within("0s", "1d")))]
    pub hold: Duration,
    /// How long it must be kept again before the alert is resolved. Default `1m`; 0s to 1d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("0s", "1d")))]
    pub keep_for: Duration,
    /// Requests in the window below which nothing is concluded. Default 20; 1 to 1000000.
    #[garde(range(min = 1, max = 1_000_000))]
    pub requests_min: u32,
    /// How urgent the alert is. Default `warning`.
    pub severity: Severity,
    /// The time over which the share is promised: burn rates are told over parts of it (of `30d` over 5m, 30m, 1h, 2h,
    /// 6h, 1d and 3d). Default `30d`; 1h to 90d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1h", "90d")))]
    pub budget: Duration,
    /// Whether there are alerts for the speed at which the budget is spent: 14.4 and 6 times too fast (critical), 3 times
    /// and once (warning). Default false.
    pub burn_alerts: bool,
}

impl Default for Slo {
    fn default() -> Self {
        Self {
            name: String::new(),
            models: Vec::new(),
            backend: None,
            latency: None,
            error_rate_max: None,
            cold_rate_max: None,
            hit_rate_min: None,
            staleness: None,
            window: Duration::from_secs(300),
            hold: Duration::from_secs(300),
            keep_for: Duration::from_secs(60),
            requests_min: 20,
            severity: Severity::Warning,
            budget: Duration::from_secs(30 * 86_400),
            burn_alerts: false,
        }
    }
}

impl Slo {
    /// The keys of what is promised, those that are given.
    pub fn targets(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("latency", self.latency.is_some()),
            ("error_rate_max", self.error_rate_max.is_some()),
            ("cold_rate_max", self.cold_rate_max.is_some()),
            ("hit_rate_min", self.hit_rate_min.is_some()),
            ("staleness", self.staleness.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key)
    }

    /// Whether each request is compared with a limit as it ends.
    #[must_use]
    pub const fn has_limit(&self) -> bool {
        self.latency.is_some() || self.staleness.is_some()
    }
}

/// A limit on time: so many of the successful requests are faster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["below"]))]
pub struct LatencyTarget {
    /// Share of requests that must be faster: `95%` promises the p95. Default `95%`; 1% to 99.9999%.
    #[garde(custom(percent_within("1%", "99.9999%")))]
    pub percentile: Percent,
    /// The limit. Required; 1us to 1d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText", example = &"200ms")]
    #[garde(custom(duration_within("1us", "1d")))]
    pub below: Duration,
    /// Which requests: those known to be hot, those known to be cold, or any. Default `any`.
    pub start: SloStart,
}

impl Default for LatencyTarget {
    fn default() -> Self {
        Self { percentile: Percent::of(95), below: Duration::ZERO, start: SloStart::Any }
    }
}

/// A limit on the age of a model's data, as its answers tell it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["below"]))]
pub struct StalenessTarget {
    /// Share of answers that must tell less. Default `95%`; 1% to 99.9999%.
    #[garde(custom(percent_within("1%", "99.9999%")))]
    pub percentile: Percent,
    /// The limit. Required; 1s to 365d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText", example = &"48h")]
    #[garde(custom(duration_within("1s", "365d")))]
    pub below: Duration,
}

impl Default for StalenessTarget {
    fn default() -> Self {
        Self { percentile: Percent::of(95), below: Duration::ZERO }
    }
}

/// Which requests a limit on time holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SloStart {
    /// All successful ones.
    #[default]
    Any,
    /// Those that found the model in memory.
    Hot,
    /// Those that did not.
    Cold,
}

/// How urgent an alert is, as Alertmanager's routes spell it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be seen some day.
    Info,
    /// To be looked at in working hours.
    #[default]
    Warning,
    /// To wake somebody.
    Critical,
}

impl Severity {
    /// The value of the label `severity`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
