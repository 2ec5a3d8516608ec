//! Where metrics are pushed, for those who cannot scrape. What is exported under which name is `telemetry`.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::remote::Remote;
use crate::sign::Credentials;
use crate::units::{Bytes, DurationText, bytes_within, duration, duration_option, duration_within};

/// Pushes metrics, besides `/metrics`. Without `otlp` here OTEL_EXPORTER_OTLP_METRICS_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT
/// in the environment starts it too.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Export {
    /// To an OpenTelemetry collector, or whatever takes OTLP over HTTP. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub otlp: Option<Otlp>,
    /// To CloudWatch, by lines in its Embedded Metric Format. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub emf: Option<Emf>,
}

/// OTLP metrics over HTTP, in protobuf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Otlp {
    /// Where to: the whole address, `/v1/metrics` included. Default: from the environment, else `http://localhost:4318/v1/metrics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub to: Option<Remote>,
    /// Signs each message (AWS Signature Version 4), for CloudWatch. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub sign: Option<ExportSign>,
    /// Time between two pushes. Default: OTEL_METRIC_EXPORT_INTERVAL, else `1m`; 1s to 5m.
    #[serde(with = "duration_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DurationText>", example = &"1m")]
    #[garde(inner(custom(duration_within("1s", "5m"))))]
    pub interval: Option<Duration>,
    /// Time for one message. Default: OTEL_EXPORTER_OTLP_TIMEOUT, else `10s`; 10ms to 1m.
    #[serde(with = "duration_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DurationText>", example = &"10s")]
    #[garde(inner(custom(duration_within("10ms", "1m"))))]
    pub timeout: Option<Duration>,
    /// Whether messages are compressed. Default: OTEL_EXPORTER_OTLP_COMPRESSION, else `gzip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"gzip")]
    pub compression: Option<Compression>,
    /// How times are told. Default `exponential`.
    pub histograms: OtlpHistograms,
    /// What tells who sends, besides `service.name` (weir) and `service.instance.id`, which can be given here too; those of
    /// OTEL_RESOURCE_ATTRIBUTES come before. Default none; at most 64.
    #[garde(length(max = 64), dive)]
    pub resource: Vec<NamedText>,
    /// About the longest message, before compression; what is more goes into another. Default `1MiB`; 64KiB to 64MiB.
    #[garde(custom(bytes_within("64KiB", "64MiB")))]
    pub message_bytes_max: Bytes,
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            to: None,
            sign: None,
            interval: None,
            timeout: None,
            compression: None,
            histograms: OtlpHistograms::Exponential,
            resource: Vec::new(),
            message_bytes_max: Bytes::mib(1),
        }
    }
}

/// Whose credentials sign, for which region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["region"]))]
pub struct ExportSign {
    /// The region of the address. Required; lower-case letters, digits and `-`, 1 to 64 of them.
    #[schemars(example = &"eu-central-1")]
    #[garde(custom(crate::check::region))]
    pub region: String,
    /// The service that the signature is for. Default `monitoring`, which is CloudWatch's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"monitoring")]
    #[garde(inner(custom(crate::check::region)))]
    pub service: Option<String>,
    /// Where credentials come from. Default `default`: the first of environment, profile, container and instance that
    /// has some.
    pub credentials: Credentials,
    /// Profile in the shared credentials file. Default: `$AWS_PROFILE`, else `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"metrics")]
    #[garde(inner(length(min = 1, max = 256)))]
    pub profile: Option<String>,
}

/// How messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Gzip.
    Gzip,
    /// Not.
    None,
}

/// How times are told in OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtlpHistograms {
    /// Exponential histograms of scale 3: quantiles within 4.4 %.
    #[default]
    Exponential,
    /// With the bounds of `/metrics`, for receivers that know no others.
    Explicit,
}

/// A name and a text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name", "value"]))]
pub struct NamedText {
    /// The name. Required; 1 to 255 visible ASCII characters.
    #[schemars(example = &"deployment.environment.name")]
    #[garde(custom(crate::check::visible))]
    pub name: String,
    /// Its value. Required; 1 to 1024 bytes.
    #[schemars(example = &"prod")]
    #[garde(length(bytes, min = 1, max = 1024))]
    pub value: String,
}

/// Lines in CloudWatch's Embedded Metric Format: to where its agent, Lambda, ECS, EKS or SageMaker picks up logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Emf {
    /// File that lines are appended to, opened anew for each interval. Default: stdout.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"/var/log/weir/metrics.emf")]
    #[garde(inner(length(min = 1, max = 4096)))]
    pub path: Option<String>,
    /// The namespace of the metrics. Default `Weir`; no more than 255 visible ASCII characters, no colon first.
    #[garde(custom(crate::check::visible))]
    pub namespace: String,
    /// Dimensions of every metric, besides Backend, Model, Start and Slo. Default none; at most 10.
    #[garde(length(max = 10), dive)]
    pub dimensions: Vec<NamedText>,
    /// Models that are dimensions, which are paid for by the month: the busiest, and those with an SLO of their own. The others are
    /// summed up, and have a plain line each. Default 20; 0 to 1000.
    #[garde(range(max = 1000))]
    pub top_models: u16,
    /// Time between two tellings. Default `1m`; 1s to 5m.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "5m")))]
    pub interval: Duration,
}

impl Default for Emf {
    fn default() -> Self {
        Self {
            path: None,
            namespace: "Weir".to_owned(),
            dimensions: Vec::new(),
            top_models: 20,
            interval: Duration::from_secs(60),
        }
    }
}
