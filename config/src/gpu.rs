//! Where a server tells how its GPUs are doing: the page of its own metrics.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The page of a server's own metrics, in Prometheus' text format, that tells how its GPUs are doing. It is asked with the state
/// (`backends[].state`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct GpuPage {
    /// Its path. Default `/metrics`; at most 1024 characters.
    #[garde(length(min = 1, max = 1024))]
    pub path: String,
    /// Its port, where that is not the endpoint's own; taken for granted only beside an endpoint at `beside`. Default none; 1 to 65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &8002)]
    #[garde(inner(range(min = 1)))]
    pub port: Option<u16>,
    /// The server's usual port. Default none; 1 to 65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &8000)]
    #[garde(inner(range(min = 1)))]
    pub beside: Option<u16>,
    /// Labels that name the GPU: the first that is there. Without one the value is of `all`. Default none; at most 8.
    #[garde(length(max = 8))]
    pub labels: Vec<String>,
    /// What is read. Default none; at most 16.
    #[garde(length(max = 16), dive)]
    pub metrics: Vec<GpuMetric>,
}

impl Default for GpuPage {
    fn default() -> Self {
        Self {
            path: "/metrics".to_owned(),
            port: None,
            beside: None,
            labels: Vec::new(),
            metrics: Vec::new(),
        }
    }
}

/// One metric that tells of GPUs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name", "tells"]))]
pub struct GpuMetric {
    /// Its name on the page. Required; at most 200 characters.
    #[schemars(example = &"nv_gpu_utilization")]
    #[garde(length(min = 1, max = 200))]
    pub name: String,
    /// What it tells. Required.
    pub tells: GpuFigure,
    /// What its value is multiplied by to be a ratio of 0 to 1, bytes or watts. Default `1.0`; above 0.
    #[garde(range(min = f64::MIN_POSITIVE))]
    pub scale: f64,
}

impl Default for GpuMetric {
    fn default() -> Self {
        Self { name: String::new(), tells: GpuFigure::default(), scale: 1.0 }
    }
}

/// What is known of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GpuFigure {
    /// How busy it is, 0 to 1.
    #[default]
    Utilization,
    /// Memory in use, bytes.
    MemoryUsed,
    /// Memory that it has, bytes.
    MemoryTotal,
    /// Power that it draws, watts.
    Power,
    /// How full the cache of keys and values of a language model is, 0 to 1.
    CacheUsage,
}

impl GpuFigure {
    /// All of them, in the order of [`GpuFigure::index`].
    pub const ALL: [Self; 5] =
        [Self::Utilization, Self::MemoryUsed, Self::MemoryTotal, Self::Power, Self::CacheUsage];

    /// Position in [`GpuFigure::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
