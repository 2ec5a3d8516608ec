//! A model server behind weir: where it is, which dialect it speaks, how long to wait for it, how connections to it are kept.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dialect::{Plane, RequestRule};
use crate::endpoint::Endpoint;
use crate::h2::UpstreamHttp2;
use crate::inferred::Inferred;
use crate::naming::Naming;
use crate::sign::Sign;
use crate::starts::Starts;
use crate::state::{StatePoll, StateSource};
use crate::tls::UpstreamTls;
use crate::units::{DurationText, duration, duration_within};
use crate::values::ValueRule;

/// One model server, or several that are alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["dialect", "endpoints"]))]
pub struct Backend {
    /// The label `backend` of its metrics. Default: the dialect's name; letters, digits, `_`, `-` and `.`, 1 to 64 of
    /// them, unique.
    pub name: String,
    /// How the server names models and tells a cold start: a name or alias from `weir config dialect`, or of `dialects`
    /// below. Required.
    pub dialect: String,
    /// `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH` of each server, 1 to 64; more than one means that any of them can answer any request. Required.
    #[garde(length(max = 64))]
    pub endpoints: Vec<Endpoint>,
    /// Address of the management plane where it is not that of inference (TorchServe: 8081). Default: the endpoint itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"http://127.0.0.1:8081")]
    pub management: Option<Endpoint>,
    /// TLS to its `https` endpoints. Default: verified by the system's authorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub tls: Option<UpstreamTls>,
    /// What is spoken with the server. Default `auto`.
    pub protocol: UpstreamProtocol,
    /// How long to wait for the server.
    #[garde(dive)]
    pub timeouts: Timeouts,
    /// How connections to the server are kept.
    #[garde(dive)]
    pub pool: Pool,
    /// Models known before their first request: they have their series from the start. Default none; at most 10000
    /// names of 1 to 1024 bytes.
    #[garde(length(max = 10_000), inner(length(min = 1, max = 1024)))]
    pub models: Vec<String>,
    /// Request rules of this backend alone, tried before its dialect's. Default none; at most 256.
    #[garde(length(max = 256), dive)]
    pub requests: Vec<RequestRule>,
    /// Start rules of this backend alone, tried before its dialect's. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub starts: Option<Starts>,
    /// Infer cold starts where nothing tells of them. Default: nothing is inferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub inferred: Option<Inferred>,
    /// How the names of its models are made alike for metrics. Default: as its dialect says, which is not at all for those that come with
    /// weir.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub names: Option<Naming>,
    /// Whether the series of its models tell versions. Default: `telemetry.version_label`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub version_label: Option<bool>,
    /// Numbers that its answers tell in headers or trailers, kept for each model. Default none; at most 8.
    #[garde(length(max = 8), dive)]
    pub values: Vec<ValueRule>,
    /// Look into answers for tokens, as the dialect's `usage` says. Default true.
    pub usage: bool,
    /// Ask it which models are in its memory.
    #[garde(dive)]
    pub state: StatePoll,
    /// Sign requests to it, for an AWS endpoint. Default: they pass as they came, and the client's signature holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub sign: Option<Sign>,
}

impl Backend {
    /// Whether one management address stands for several endpoints, so that what these pages tell there is told of none of them.
    #[must_use]
    pub fn shares_management(&self, pages: &[StateSource]) -> bool {
        self.endpoints.len() > 1
            && self.management.is_some()
            && pages.iter().any(|page| page.plane == Plane::Management)
    }
}

impl Default for Backend {
    fn default() -> Self {
        Self {
            name: String::new(),
            dialect: String::new(),
            endpoints: Vec::new(),
            management: None,
            tls: None,
            protocol: UpstreamProtocol::Auto,
            timeouts: Timeouts::default(),
            pool: Pool::default(),
            models: Vec::new(),
            requests: Vec::new(),
            starts: None,
            inferred: None,
            names: None,
            version_label: None,
            values: Vec::new(),
            usage: true,
            state: StatePoll::default(),
            sign: None,
        }
    }
}

/// What is spoken with a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    /// gRPC calls go over HTTP/2, everything else over HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 for everything.
    H1,
    /// HTTP/2 for everything: by prior knowledge, over TLS by ALPN.
    H2,
}

/// How long to wait for a backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Timeouts {
    /// Time to open a connection. Default `3s`; 10ms to 5m. After it: 502 or another endpoint.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("10ms", "5m")))]
    pub connect: Duration,
    /// Time from the request's end to the response's first byte: long, since a cold load happens inside it. Default
    /// `5m`; 10ms to 1d. After it: 504.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("10ms", "1d")))]
    pub first_byte: Duration,
    /// Time between two pieces of a response. Default `2m`; 10ms to 1d. After it the response is cut.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("10ms", "1d")))]
    pub between_bytes: Duration,
    /// Time for the whole request. Default `1h`; 10ms to 7d. After it: 504, or the response is cut.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("10ms", "7d")))]
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(300),
            between_bytes: Duration::from_secs(120),
            request: Duration::from_secs(3600),
        }
    }
}

/// How connections to a backend are kept; each worker has its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Pool {
    /// Time an unused connection is kept. Default `4s`, below the 5 s after which uvicorn and llama.cpp close theirs;
    /// 0s (keep none) to 1h.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("0s", "1h")))]
    pub idle_timeout: Duration,
    /// Connections in use at one time, per worker and endpoint (streams, over HTTP/2). Default 4096; 1 to 1000000. Above it requests
    /// wait their turn.
    #[garde(range(min = 1, max = 1_000_000))]
    pub connections_max: u32,
    /// Requests that wait their turn, per worker and endpoint. Default 1024; 0 to 1000000. Above it: 503 at once.
    #[garde(range(max = 1_000_000))]
    pub pending_max: u32,
    /// Time a request waits its turn. Default `10s`; 0s to 1h. After it: 503.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("0s", "1h")))]
    pub pending_timeout: Duration,
    /// Unused connections kept per worker and endpoint. Default 256; 0 to 100000.
    #[garde(range(max = 100_000))]
    pub idle_max: u32,
    /// Requests sent on one connection before it is closed (llama.cpp closes after 100). Default 0, which means no
    /// limit; 0 to 1000000.
    #[garde(range(max = 1_000_000))]
    pub requests_per_connection_max: u32,
    /// What one HTTP/2 connection carries and may send.
    #[garde(dive)]
    pub h2: UpstreamHttp2,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(4),
            idle_max: 256,
            connections_max: 4096,
            pending_max: 1024,
            pending_timeout: Duration::from_secs(10),
            requests_per_connection_max: 0,
            h2: UpstreamHttp2::default(),
        }
    }
}
