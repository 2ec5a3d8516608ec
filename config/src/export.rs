//! Which models are exported under their own name whatever their traffic, how models are grouped where they are summed
//! up, and which metrics are exported a second time under the names of others. It does not say how many fit.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A model that is exported under its own name whatever its traffic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["model"]))]
pub struct Pin {
    /// The model's name, as clients send it. Required; 1 to 1024 bytes.
    #[schemars(example = &"ranking-v7")]
    #[garde(length(max = 1024))]
    pub model: String,
    /// Its backend. Default: every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"triton")]
    pub backend: Option<String>,
}

/// Models that belong together: a team's, or a pool's. Their series say so with one more label, and those that are
/// summed up as `__other__` are summed up by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name", "models"]))]
pub struct Tier {
    /// The label's value. Required; letters, digits, `_`, `-` and `.`, 1 to 64 of them.
    #[schemars(example = &"search")]
    #[garde(custom(crate::check::name))]
    pub name: String,
    /// Models by name or by glob (`*` any letters, `?` one). Required; at most 1000, of 1 to 1024 bytes.
    #[garde(length(max = 1000), inner(length(min = 1, max = 1024)))]
    pub models: Vec<String>,
    /// The backend of those models. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"triton")]
    pub backend: Option<String>,
}

/// Names of others under which metrics are exported besides weir's own; see deploy/profiles.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// OpenTelemetry's `gen_ai_server_*`, by model.
    OtelGenai,
    /// OpenTelemetry's `http_server_*`, by model.
    OtelHttp,
    /// TorchServe's `ts_inference_*`.
    Torchserve,
    /// Triton's `nv_inference_*`.
    Triton,
}

impl Profile {
    /// As the file spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OtelGenai => "otel_genai",
            Self::OtelHttp => "otel_http",
            Self::Torchserve => "torchserve",
            Self::Triton => "triton",
        }
    }
}
