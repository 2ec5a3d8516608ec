//! What the store of numbers may use, how a model's name is looked for, and what is logged.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Bytes, bytes_within};

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
    /// Requests per second above which a model gets one shard per worker. Default 200; 1 to 1000000.
    #[garde(range(min = 1, max = 1_000_000))]
    pub shard_above_rps: u32,
    /// Models that may have a shard per worker at one time. Default 128; 0 to 4096.
    #[garde(range(max = 4096))]
    pub sharded_models_max: u32,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { models_max: 50_000, shard_above_rps: 200, sharded_models_max: 128 }
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
