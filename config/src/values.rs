//! Numbers that a server tells in the head or the trailers of its answers: which, in which unit, and how they are kept.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number in every answer that has it, kept for each model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name", "from"]))]
pub struct ValueRule {
    /// The label `value` of its metric. Required; letters, digits, `_`, `-` and `.`, 1 to 64 of them, unique in its
    /// backend.
    #[schemars(example = &"feature_extraction")]
    pub name: String,
    /// Where it stands. Required.
    #[garde(dive)]
    pub from: ValueSource,
    /// How it is written: a time (`ns`, `us`, `ms`, `s`), a point in time (`unix_s`, `unix_ms`, `rfc3339`,
    /// `http_date`), `bytes`, `ratio` (0 to 1), `percent`, or `none` for any other number. Default `ms`.
    pub unit: ValueUnit,
    /// How it is kept: `histogram` (a time), `gauge` (the last one), or `staleness` (the last one, in seconds: an age,
    /// or the time since a point in time). Default `histogram`.
    #[serde(rename = "as")]
    pub kept: Kept,
}

/// Where a number stands: exactly one of `header`, `server_timing` and `trailer`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct ValueSource {
    /// Name of a response header, compared case-insensitively.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"x-feature-ms")]
    #[garde(inner(custom(crate::check::token)))]
    pub header: Option<String>,
    /// Name of an entry of `Server-Timing`; its `dur` is the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"feat")]
    #[garde(inner(custom(crate::check::token)))]
    pub server_timing: Option<String>,
    /// Name of a trailer, compared case-insensitively.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"x-inference-ms")]
    #[garde(inner(custom(crate::check::token)))]
    pub trailer: Option<String>,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueUnit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    #[default]
    Ms,
    /// Seconds.
    S,
    /// A point in time: seconds since 1970.
    UnixS,
    /// A point in time: milliseconds since 1970.
    UnixMs,
    /// A point in time: `2026-11-24T12:00:00Z`.
    Rfc3339,
    /// A point in time: `Tue, 24 Nov 2026 12:00:00 GMT`.
    HttpDate,
    /// Bytes.
    Bytes,
    /// 0 to 1.
    Ratio,
    /// 0 to 100, kept as a ratio.
    Percent,
    /// Any other number.
    None,
}

impl ValueUnit {
    /// Whether it is a length of time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Ns | Self::Us | Self::Ms | Self::S)
    }

    /// Whether it is a point in time.
    #[must_use]
    pub const fn is_moment(self) -> bool {
        matches!(self, Self::UnixS | Self::UnixMs | Self::Rfc3339 | Self::HttpDate)
    }
}

/// How a number is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// All of them, in buckets.
    #[default]
    Histogram,
    /// The last one.
    Gauge,
    /// The last one, as an age.
    Staleness,
}
