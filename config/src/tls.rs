//! TLS: what a listener and the admin side show their clients, and what a backend has to show weir. Paths are read when the gateway starts and reloads, not
//! here.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS of a listener or the admin side, 1.2 and 1.3.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["certificates"]))]
pub struct ListenTls {
    /// Certificates; the client's server name (SNI) chooses one by the names in it, and the first is for all others. Files that
    /// change are read again without a restart. Required, 1 to 256.
    #[garde(length(min = 1, max = 256), dive)]
    pub certificates: Vec<CertificateFiles>,
    /// PEM file of the authorities whose client certificates are accepted. Default: clients are not asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"/etc/weir/clients.pem")]
    #[garde(length(min = 1, max = 4096))]
    pub client_ca: Option<String>,
    /// Whether a client must show a certificate, where `client_ca` is given. Default `required`.
    pub client_certificates: ClientCertificates,
    /// The oldest version spoken. Default `1.2`.
    pub min_version: TlsVersion,
}

/// A certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(extend("required" = ["cert", "key"]))]
pub struct CertificateFiles {
    /// PEM file of the certificate and those that link it to its authority, its own first. Required.
    #[schemars(example = &"/etc/weir/tls.crt")]
    #[garde(length(min = 1, max = 4096))]
    pub cert: String,
    /// PEM file of its private key. Required.
    #[schemars(example = &"/etc/weir/tls.key")]
    #[garde(length(min = 1, max = 4096))]
    pub key: String,
}

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// Without one the handshake fails.
    #[default]
    Required,
    /// One that is shown must be good; none is fine.
    Optional,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 alone.
    #[serde(rename = "1.3")]
    V1_3,
}

/// TLS to a backend whose endpoints are `https://` or `https+unix:`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct UpstreamTls {
    /// PEM file of the authorities that may have signed the server's certificate. Default: those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"/etc/weir/servers.pem")]
    #[garde(length(min = 1, max = 4096))]
    pub ca: Option<String>,
    /// The certificate that weir shows, where the server asks for one. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub client: Option<CertificateFiles>,
    /// The name sent (SNI) and expected in the certificate. Default: the endpoint's host, `localhost` for a Unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"models.internal")]
    #[garde(length(min = 1, max = 253))]
    pub server_name: Option<String>,
    /// Take any certificate: anybody on the way can read and change everything. Default false.
    pub insecure_skip_verify: bool,
}
