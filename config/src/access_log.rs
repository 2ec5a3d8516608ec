//! The access log: which requests leave a line, of what form, and where.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::percent::Percent;
use crate::units::{DurationText, duration, duration_within};

/// One line for each request that ended, written by a thread of its own; the request never waits for it. Bodies, header values and
/// credentials are not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct AccessLog {
    /// `stdout`, or the path of a file, which is opened again on SIGUSR1. Default `stdout`; no longer than 4096 bytes.
    #[garde(length(bytes, min = 1, max = 4096))]
    pub to: String,
    /// Default `json`.
    pub format: AccessFormat,
    /// The share of requests that leave a line. Default `100%`; 0% to 100%.
    pub sample: Percent,
    /// Requests that leave a line whatever `sample` says. Default: all three.
    pub always: Vec<AccessAlways>,
    /// From how long on a request is `slow`. Default `1s`; 1ms to 1d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1ms", "1d")))]
    pub slow_after: Duration,
    /// What is written of the query. Default `off`.
    pub query: AccessQuery,
    /// Lines that may wait to be written; above it they are dropped and counted. Default 8192; 16 to 1000000.
    #[garde(range(min = 16, max = 1_000_000))]
    pub queue_lines_max: u32,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            to: "stdout".to_owned(),
            format: AccessFormat::Json,
            sample: Percent::of(100),
            always: vec![AccessAlways::Errors, AccessAlways::Cold, AccessAlways::Slow],
            slow_after: Duration::from_secs(1),
            query: AccessQuery::Off,
            queue_lines_max: 8192,
        }
    }
}

/// The form of an access log's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessFormat {
    /// One JSON object a line, with everything in it.
    #[default]
    Json,
    /// The combined log format of web servers, for tools that read nothing else; it has no place for models.
    Clf,
}

/// A kind of request that always leaves a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessAlways {
    /// Every outcome but `ok`.
    Errors,
    /// A cold start.
    Cold,
    /// It took as long as `slow_after` or longer.
    Slow,
}

/// What an access log tells of a request's query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessQuery {
    /// Nothing.
    #[default]
    Off,
    /// The names of its parameters; every value is `***`.
    Names,
    /// All of it, but of parameters that are called like secrets (key, token, signature, password, credential …) the value is `***`.
    Redacted,
}
