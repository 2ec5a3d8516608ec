//! Where alerts go. What they are about is `slo`.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::remote::Remote;
use crate::units::{DurationText, duration, duration_within};
use crate::url::Url;

/// Where alerts about SLOs are sent. Without a receiver they are at `/api/v1/alerts` and in the metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Alerts {
    /// Alertmanagers, each told everything; `url` is what stands before `/api/v2/alerts`. Default none; at most 16.
    #[garde(length(max = 16), dive)]
    pub alertmanagers: Vec<Remote>,
    /// Webhooks, in the form of Alertmanager's own webhook messages. Default none; at most 16.
    #[garde(length(max = 16), dive)]
    pub webhooks: Vec<Remote>,
    /// Labels of every alert, for routes and to tell gateways apart. Default none; at most 32.
    #[garde(length(max = 32), dive)]
    pub labels: Vec<AlertLabel>,
    /// The admin side as people reach it: alerts link to it. Default: the address of `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"http://weir.example.org:9901")]
    pub external_url: Option<Url>,
    /// Where the runbooks are: the alert's name is appended. Default: `/runbooks/` of the admin side.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"http://wiki.example.org/runbooks/")]
    pub runbooks: Option<Url>,
    /// How often a firing alert is sent to Alertmanagers again; without it they take it for resolved after four times as
    /// long. Default `1m`; 1s to 1h.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "1h")))]
    pub resend_every: Duration,
    /// How often a firing alert is sent to webhooks again. Default `4h`; 1s to 7d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "7d")))]
    pub repeat_every: Duration,
    /// Time for a receiver to answer. Default `10s`; 10ms to 5m.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("10ms", "5m")))]
    pub timeout: Duration,
    /// Longest pause before a receiver that failed is tried again; the first is a second. Default `1m`; 1s to 1h.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "1h")))]
    pub retry_after_max: Duration,
    /// Alerts that can be pending, firing or just resolved at a time; more are counted and left out. Default 10000; 1 to 100000.
    #[garde(range(min = 1, max = 100_000))]
    pub alerts_max: u32,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            alertmanagers: Vec::new(),
            webhooks: Vec::new(),
            labels: Vec::new(),
            external_url: None,
            runbooks: None,
            resend_every: Duration::from_secs(60),
            repeat_every: Duration::from_secs(4 * 3600),
            timeout: Duration::from_secs(10),
            retry_after_max: Duration::from_secs(60),
            alerts_max: 10_000,
        }
    }
}

/// A label of every alert.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name", "value"]))]
pub struct AlertLabel {
    /// Name of the label. Required; letters, digits and `_`, not a digit first, 1 to 64 of them.
    #[schemars(example = &"cluster")]
    #[garde(custom(crate::check::label_name))]
    pub name: String,
    /// Its value. Required; 1 to 256 bytes.
    #[schemars(example = &"prod")]
    #[garde(length(bytes, min = 1, max = 256))]
    pub value: String,
}
