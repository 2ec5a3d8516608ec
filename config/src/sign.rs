//! Signing what goes to an AWS endpoint: for which service and region, and where the credentials come from.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Bytes, DurationText, bytes_within, duration, duration_within};

/// Signs every request to the backend anew (AWS Signature Version 4), with weir's own credentials. `Host` becomes the
/// endpoint's, and the client's own signature is dropped. Needs exactly one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["region"]))]
pub struct Sign {
    /// Which service the endpoint is: `sagemaker` or `bedrock`, the runtime of either. Default `sagemaker`.
    pub service: SignService,
    /// Its region. Required; lower-case letters, digits and `-`, 1 to 64 of them.
    #[schemars(example = &"eu-central-1")]
    pub region: String,
    /// Where credentials come from. Default `default`: the first of environment, profile, container and instance that
    /// has some.
    pub credentials: Credentials,
    /// Profile in the shared credentials file. Default: `$AWS_PROFILE`, else `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"models")]
    #[garde(length(min = 1, max = 256))]
    pub profile: Option<String>,
    /// Longest request body: it is read whole before it is sent on, since the signature covers its hash. Default `25MiB`,
    /// above what SageMaker and Bedrock take; 0B to 1GiB. Beyond: 413.
    #[garde(custom(bytes_within("0B", "1GiB")))]
    pub body_bytes_max: Bytes,
    /// How long a request waits for credentials that are not there yet or have expired. Default `5s`; 0s to 1m. After
    /// it: 503.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("0s", "1m")))]
    pub wait: Duration,
}

impl Default for Sign {
    fn default() -> Self {
        Self {
            service: SignService::Sagemaker,
            region: String::new(),
            credentials: Credentials::Default,
            profile: None,
            body_bytes_max: Bytes::mib(25),
            wait: Duration::from_secs(5),
        }
    }
}

/// An AWS service that runs models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignService {
    /// SageMaker Runtime.
    #[default]
    Sagemaker,
    /// Bedrock Runtime.
    Bedrock,
}

impl SignService {
    /// As the signature spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sagemaker => "sagemaker",
            Self::Bedrock => "bedrock",
        }
    }
}

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Credentials {
    /// The first of the others that has some, in their order.
    #[default]
    Default,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    Environment,
    /// The shared credentials file, `~/.aws/credentials` or `$AWS_SHARED_CREDENTIALS_FILE`.
    Profile,
    /// ECS, EKS Pod Identity and Greengrass: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `…_FULL_URI`.
    Container,
    /// The metadata service of an EC2 instance, version 2.
    Instance,
}
