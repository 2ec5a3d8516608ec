//! Which backend gets a request.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Bytes;

/// One way in: all conditions that are given must hold, and the first route that holds wins.
/// With no routes and several backends, the first backend whose dialect knows the request gets it, else the first of all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["backend"]))]
pub struct Route {
    /// The request's host, without port, compared case-insensitively. Default: any; 1 to 253 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"models.example.org")]
    #[garde(length(min = 1, max = 253))]
    pub host: Option<String>,
    /// Beginning of the request's path, as whole segments: `/a` holds for `/a` and `/a/b`, not for `/ab`. The path is
    /// passed on unchanged. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"/v2")]
    #[garde(length(min = 1, max = 1024))]
    pub path_prefix: Option<String>,
    /// A header line that the request must have. Default: none needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub header: Option<HeaderMatch>,
    /// Name of the backend. Required.
    pub backend: String,
    /// Size of a request's body on this route. Default: the listener's `body_bytes_max`; `0B` means no limit. Above it: 413.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"1MiB")]
    pub body_bytes_max: Option<Bytes>,
}

/// A header line and its value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name", "equals"]))]
pub struct HeaderMatch {
    /// Name of the header, compared case-insensitively. Required.
    #[schemars(example = &"x-tenant")]
    #[garde(custom(crate::check::token))]
    pub name: String,
    /// Value that one of its lines must have, compared exactly. Required; 1 to 8192 bytes.
    #[schemars(example = &"gold")]
    #[garde(custom(crate::check::header_value))]
    pub equals: String,
}
