//! What the store of numbers may use, how a model's name is looked for, and what is logged.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::export::{Pin, Profile, Tier};
use crate::units::{Bytes, DurationText, bytes_within, duration, duration_within};

/// How far weir looks for a model's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Identify {
    /// Bytes of a body that are read ahead to find the name; all are passed on. Default `1MiB`; 0B (never read ahead) to 16MiB.
    #[garde(custom(bytes_within("0B", "16MiB")))]
    pub peek_bytes_max: Bytes,
    /// Length of a model's name in bytes. Default 256; 16 to 1024. A longer name counts as none.
    #[garde(range(min = 16, max = 1024))]
    pub model_name_bytes_max: u16,
}

impl Default for Identify {
    fn default() -> Self {
        Self { peek_bytes_max: Bytes::mib(1), model_name_bytes_max: 256 }
    }
}

/// What the store of numbers may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Telemetry {
    /// Models with numbers of their own, all backends together; those above are counted as `__overflow__`. Default
    /// 50000; 1 to 1000000.
    #[garde(range(min = 1, max = 1_000_000))]
    pub models_max: u32,
    /// Whether series tell a model's version in a label `version`, where its requests name one. Each version is then counted apart, with its
    /// own promises, and takes part in the budgets as a model does; a sum by `model` is what it was. Default false.
    pub version_label: bool,
    /// Versions of one model that are counted apart; those above are `version="__other__"`. Default 16; 1 to 1000.
    #[garde(range(min = 1, max = 1000))]
    pub versions_per_model_max: u16,
    /// Requests per second above which a model gets one shard per worker. Default 200; 1 to 1000000.
    #[garde(range(min = 1, max = 1_000_000))]
    pub shard_above_rps: u32,
    /// Models that may have a shard per worker at one time. Default 128; 0 to 4096.
    #[garde(range(max = 4096))]
    pub sharded_models_max: u32,
    /// Models whose last minutes are kept as distributions (p50, p95, p99), about 10KiB each; all others have exact
    /// counts of requests, failures and starts. Default 1000; 0 to 100000.
    #[garde(range(max = 100_000))]
    pub tracked_models_max: u32,
    /// How long without a request until a model that got its place by a success loses it; configured and pinned ones
    /// stay. Default `1d`; 10m to 365d.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("10m", "365d")))]
    pub idle_after: Duration,
    /// Series of all models together in one scrape, those of promises, polled state and profiles included. While all models
    /// fit, all are exported under their own name; else the pinned and the busiest are, and the rest is `__other__`, which
    /// with the other reserved names is exported in any case. Default 5000; 0 to 10000000.
    #[garde(range(max = 10_000_000))]
    pub series_budget: u32,
    /// Models exported for their traffic when not all fit. Default 50; 0 to 100000.
    #[garde(range(max = 100_000))]
    pub top_models: u32,
    /// Models in one answer of `GET /metrics/tail`, the busiest first. Default 10000; 0 to 1000000.
    #[garde(range(max = 1_000_000))]
    pub tail_models_max: u32,
    /// Models exported whatever their traffic, within `series_budget`; they have a place from the start. Default none;
    /// at most 10000.
    #[garde(length(max = 10_000), dive)]
    pub pins: Vec<Pin>,
    /// The label that tells a model's tier, `team` or `pool`. Default `tier`.
    #[schemars(example = &"team")]
    pub tier_label: String,
    /// Groups of models, the first that fits. Default none; at most 64.
    #[garde(length(max = 64), dive)]
    pub tiers: Vec<Tier>,
    /// Names of others under which metrics are exported besides weir's own. Default none.
    pub profiles: Vec<Profile>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            models_max: 50_000,
            version_label: false,
            versions_per_model_max: 16,
            shard_above_rps: 200,
            sharded_models_max: 128,
            tracked_models_max: 1_000,
            idle_after: Duration::from_secs(24 * 3600),
            series_budget: 5_000,
            top_models: 50,
            tail_models_max: 10_000,
            pins: Vec::new(),
            tier_label: "tier".to_owned(),
            tiers: Vec::new(),
            profiles: Vec::new(),
        }
    }
}

/// What is logged, to stderr.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,weir=debug`. Default `info`; 1 to 1024 characters.
    #[garde(length(min = 1, max = 1024))]
    pub level: String,
    /// Default `text`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
