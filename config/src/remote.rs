//! A server that weir itself sends something to, alerts or metrics: where it is, how it is trusted, and what weir shows it. Secrets stand
//! in files of their own, so that no print of the configuration has one.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::UpstreamTls;
use crate::url::Url;

/// A server that weir sends something to. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["url"]))]
pub struct Remote {
    /// Where it is: `http://HOST:PORT/PATH` or `https://HOST:PORT/PATH`. Required.
    #[schemars(example = &"https://alertmanager.example.org")]
    pub url: Url,
    /// How an `https` server is verified. Default: by the authorities of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub tls: Option<UpstreamTls>,
    /// The `Authorization` header. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub authorization: Option<Authorization>,
    /// User and password, instead of `authorization`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub basic_auth: Option<BasicAuth>,
    /// Further headers of every message. Default none; at most 32.
    #[garde(length(max = 32), dive)]
    pub headers: Vec<RemoteHeader>,
}

impl From<Url> for Remote {
    fn from(url: Url) -> Self {
        Self { url, ..Self::default() }
    }
}

/// `Authorization: TYPE CREDENTIALS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["credentials_file"]))]
pub struct Authorization {
    /// The scheme. Default `Bearer`.
    #[serde(rename = "type")]
    pub scheme: String,
    /// File that holds the credentials, read for every message, 1 byte to 16KiB of visible ASCII. Required.
    #[schemars(example = &"/etc/weir/alertmanager.token")]
    #[garde(length(min = 1, max = 4096))]
    pub credentials_file: String,
}

impl Default for Authorization {
    fn default() -> Self {
        Self { scheme: "Bearer".to_owned(), credentials_file: String::new() }
    }
}

/// User and password.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["username", "password_file"]))]
pub struct BasicAuth {
    /// The user. Required; 1 to 256 bytes, without `:`.
    #[schemars(example = &"weir")]
    #[garde(custom(crate::check::user_name))]
    pub username: String,
    /// File that holds the password, read for every message. Required.
    #[schemars(example = &"/etc/weir/alertmanager.password")]
    #[garde(length(min = 1, max = 4096))]
    pub password_file: String,
}

/// A header of every message: with a `value`, or with that of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["name"]))]
pub struct RemoteHeader {
    /// Its name. Required; not one that weir writes itself.
    #[schemars(example = &"x-scope-orgid")]
    #[garde(custom(crate::check::remote_header))]
    pub name: String,
    /// Its value, where that is no secret; 1 to 8192 bytes of visible ASCII and spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"team-a")]
    #[garde(inner(custom(crate::check::printable)))]
    pub value: Option<String>,
    /// File that holds its value, read for every message, where that is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"/etc/weir/tenant.key")]
    #[garde(inner(length(min = 1, max = 4096)))]
    pub value_file: Option<String>,
}
