//! Where operators and Prometheus reach weir, and who may.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::{ClientCertificates, ListenTls};
use crate::units::{address, address_option};

/// Where operators and Prometheus reach weir: `/metrics`, `/healthz`, `/readyz`, `/api/v1/models`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Admin {
    /// IP address and port. Default `127.0.0.1:9901`, so that only this machine sees it; port 0 takes any free port. Any other
    /// than a loopback address needs a `token_file`, or `tls` that requires client certificates.
    #[serde(with = "address")]
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// A file with the token that callers show as `Authorization: Bearer …`; read again when it changes. With it every call
    /// that changes something needs the token, and on an address that is not loopback every call but `/healthz` and `/readyz`.
    /// Default none: changes only from this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"/run/secrets/weir-admin-token", with = "Option<String>")]
    pub token_file: Option<PathBuf>,
    /// TLS at `address`. Default none: plain HTTP. A client certificate that `client_ca` has signed stands for the token: whoever shows
    /// one may read and change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub tls: Option<ListenTls>,
    /// An address of its own for `/metrics`, `/healthz` and `/readyz`, and for nothing else; without a token, for scrapers and
    /// probes from other machines. Default none: they are at `address` alone.
    #[serde(with = "address_option", skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"0.0.0.0:9902", with = "Option<String>")]
    pub metrics_address: Option<SocketAddr>,
    /// TLS at `metrics_address`. Default none: plain HTTP. With `client_ca` only those who show a certificate can scrape and probe there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub metrics_tls: Option<ListenTls>,
    /// Names under which weir may be called, against DNS rebinding; `*.` at the beginning stands for any names before the rest. IP
    /// addresses, `localhost` and names without a dot always may. Default none; at most 64.
    #[garde(length(max = 64), inner(custom(crate::check::host_pattern)))]
    pub hosts: Vec<String>,
    /// Connections to the admin side at a time. Default 256; 8 to 10000. Above it new ones wait.
    #[garde(range(min = 8, max = 10_000))]
    pub connections_max: u16,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9901)),
            token_file: None,
            tls: None,
            metrics_address: None,
            metrics_tls: None,
            hosts: Vec::new(),
            connections_max: 256,
        }
    }
}

impl Admin {
    /// Whether only those reach it who may: this machine alone, or whoever has the token or a certificate.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        let certified = self.tls.as_ref().is_some_and(|tls| {
            tls.client_ca.is_some() && tls.client_certificates == ClientCertificates::Required
        });
        is_loopback(self.address.ip()) || self.token_file.is_some() || certified
    }
}

/// Whether an address leads to this machine alone, also where it is an IPv4 one in IPv6's clothes.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
