//! How a response tells a hot start from a cold one: rules for headers and statuses, and whether load calls are followed.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What responses tell about hot and cold. What no rule decides is `unknown`, never guessed into hot.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Starts {
    /// Header rules, in order; the first that says hot or cold wins, and the first with a load time gives that. Default
    /// none; at most 32.
    #[garde(length(max = 32), dive)]
    pub headers: Vec<HeaderRule>,
    /// Status rules, in order; the first that fits wins. Default none; at most 32.
    #[garde(length(max = 32), dive)]
    pub statuses: Vec<StatusRule>,
    /// Follow loads and unloads that pass through: the first answer after a load is cold. Default false; true if an
    /// extended dialect says so.
    pub lifecycle: bool,
}

impl Starts {
    /// These rules, and behind them those of `base`; loads are followed if either says so.
    #[must_use]
    pub fn before(&self, base: &Self) -> Self {
        Self {
            headers: [self.headers.as_slice(), &base.headers].concat(),
            statuses: [self.statuses.as_slice(), &base.statuses].concat(),
            lifecycle: self.lifecycle || base.lifecycle,
        }
    }
}

/// A response header that tells: one of `header` and `server_timing`, and one test of `equals`, `present`, `matches`
/// and `above`. When the test passes, the start was cold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct HeaderRule {
    /// Name of the header, compared case-insensitively.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"x-load-seconds")]
    #[garde(inner(custom(crate::check::token)))]
    pub header: Option<String>,
    /// Name of an entry of `Server-Timing`; its `dur` is the value, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"load")]
    #[garde(inner(custom(crate::check::token)))]
    pub server_timing: Option<String>,
    /// Test: the value is this one, without regard to case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"true")]
    #[garde(length(max = 1024))]
    pub equals: Option<String>,
    /// Test: the header is there (true) or is not (false).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub present: Option<bool>,
    /// Test: the value matches this regular expression somewhere. At most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"^(cold|loaded)$")]
    #[garde(length(min = 1, max = 1024))]
    pub matches: Option<String>,
    /// Test: the value is a number above this one, in `unit`. 0 or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 0.0)]
    #[garde(range(min = 0.0))]
    pub above: Option<f64>,
    /// Unit of the header's number. Default `ms`.
    pub unit: TimeUnit,
    /// What a value says that is there and fails the test. Default `hot`.
    pub otherwise: Otherwise,
    /// What it says when the header is not there. Default `unknown`.
    pub absent: Absent,
    /// The number is the time the load took, recorded when the start was cold. Default false; needs `above` or `present`.
    pub load_time: bool,
}

/// Unit of a number in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    #[default]
    Ms,
    /// Seconds.
    S,
}

impl TimeUnit {
    /// Nanoseconds in one of it.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        match self {
            Self::Ns => 1,
            Self::Us => 1_000,
            Self::Ms => 1_000_000,
            Self::S => 1_000_000_000,
        }
    }
}

/// What a value says that is there and fails the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// The start was hot.
    #[default]
    Hot,
    /// Nothing.
    Unknown,
}

/// What a missing header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// Nothing.
    #[default]
    Unknown,
    /// The start was hot.
    Hot,
}

/// A response status that tells.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["code"]))]
pub struct StatusRule {
    /// The status. Required; 400 to 599.
    #[schemars(example = 503)]
    #[garde(custom(crate::check::error_status))]
    pub code: u16,
    /// A header that the response must also have. Default: none needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub header: Option<HeaderTest>,
    /// What the response counts as. Default `not_ready`.
    pub outcome: StatusOutcome,
    /// The model is being loaded: the next answer that succeeds was a cold start. Default false.
    pub loading: bool,
}

/// A test of one response header: exactly one of `matches` and `present`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name"]))]
pub struct HeaderTest {
    /// Name of the header, compared case-insensitively. Required.
    #[schemars(example = &"retry-after")]
    #[garde(custom(crate::check::token))]
    pub name: String,
    /// The value matches this regular expression somewhere. At most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"^[0-9]+$")]
    #[garde(length(min = 1, max = 1024))]
    pub matches: Option<String>,
    /// The header is there (true) or is not (false).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub present: Option<bool>,
}

/// What a response counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusOutcome {
    /// The model was not in memory.
    #[default]
    NotReady,
    /// The server was too busy.
    Shed,
    /// The server failed.
    ServerError,
    /// The request was wrong.
    ClientError,
}
