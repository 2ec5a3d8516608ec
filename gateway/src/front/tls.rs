//! A listener's TLS: certificates by server name, client certificates, and files that are read again when they change.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use weir_config::{ClientCertificates, HttpProtocol, ListenTls, TlsVersion};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::net::tls::{TlsError, certificates, private_key, provider, roots};

/// One listener's TLS, shared by every worker and swapped when its files change.
#[derive(Debug)]
pub struct TlsDoor {
    settings: ListenTls,
    protocols: Vec<HttpProtocol>,
    current: ArcSwap<ServerConfig>,
    /// Of the files' bytes.
    seen: AtomicU64,
    /// The day that ends were last told of: a warning a day is enough.
    told: AtomicU64,
}

/// When a certificate ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Its first name, or its subject.
    pub name: String,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Whether it is worth a line in the log.
    pub is_news: bool,
}

impl TlsDoor {
    /// Reads every file. `protocols`: what ALPN offers, the best first.
    ///
    /// # Errors
    /// The first file that does not do.
    pub fn load(settings: &ListenTls, protocols: &[HttpProtocol]) -> Result<Self, TlsError> {
        let config = server_config(settings, protocols)?;
        Ok(Self {
            settings: settings.clone(),
            protocols: protocols.to_vec(),
            current: ArcSwap::from_pointee(config),
            seen: AtomicU64::new(fingerprint(settings)),
            told: AtomicU64::new(0),
        })
    }

    /// What new connections are served with.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// Whether it is of these settings.
    pub fn is_of(&self, settings: &ListenTls, protocols: &[HttpProtocol]) -> bool {
        self.settings == *settings && self.protocols == protocols
    }

    /// Reads the files again if they have changed; true when new ones are in use.
    ///
    /// # Errors
    /// They have changed and do not do: the old ones stay in use, and the same files are not tried again.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let seen = fingerprint(&self.settings);
        if self.seen.swap(seen, Ordering::Relaxed) == seen {
            return Ok(false);
        }
        self.current.store(Arc::new(server_config(&self.settings, &self.protocols)?));
        Ok(true)
    }

    /// When each certificate ends, as its file says now. It is news once a day, and when the files are `fresh`.
    pub fn expiries(&self, fresh: bool) -> Vec<Expiry> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let day = now.as_secs() / (24 * 3600);
        let is_news = self.told.swap(day, Ordering::Relaxed) != day || fresh;
        self.settings.certificates.iter().filter_map(|files| expiry(&files.cert, is_news)).collect()
    }
}

fn fingerprint(settings: &ListenTls) -> u64 {
    let mut hasher = DefaultHasher::new();
    let files = settings.certificates.iter().flat_map(|files| [&files.cert, &files.key]);
    for path in files.chain(&settings.client_ca) {
        std::fs::read(path).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}

fn server_config(settings: &ListenTls, protocols: &[HttpProtocol]) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let versions: &[&rustls::SupportedProtocolVersion] = match settings.min_version {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let mut keys = Vec::new();
    for files in &settings.certificates {
        let chain = certificates(&files.cert)?;
        let names = chain.first().map(|certificate| names(certificate)).unwrap_or_default();
        let key = CertifiedKey::from_der(chain, private_key(&files.key)?, &provider)
            .map_err(|source| TlsError::Rustls { path: files.cert.clone(), source })?;
        keys.push((names, Arc::new(key)));
    }
    let path = settings.client_ca.clone().unwrap_or_default();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|source| TlsError::Rustls { path: path.clone(), source })?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider);
            let verifier = match settings.client_certificates {
                ClientCertificates::Required => verifier,
                ClientCertificates::Optional => verifier.allow_unauthenticated(),
            };
            let failed = |error: &dyn std::error::Error| TlsError::File {
                path: path.clone(),
                message: error.to_string(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| failed(&error))?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(ByName(keys)));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.alpn().to_vec()).collect();
    Ok(config)
}

/// Certificates, each with the names it is for.
#[derive(Debug)]
struct ByName(Vec<(Vec<String>, Arc<CertifiedKey>)>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wanted = hello.server_name().map(str::to_ascii_lowercase);
        let named = wanted.and_then(|wanted| {
            self.0.iter().find(|(names, _)| names.iter().any(|name| covers(name, &wanted)))
        });
        named.or(self.0.first()).map(|(_, key)| Arc::clone(key))
    }
}

/// Whether a certificate's name stands for a host: itself, or with `*` for the first label (RFC 9525 §6.3).
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => name == host,
    }
}

fn names(certificate: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let dns = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

fn expiry(path: &str, is_news: bool) -> Option<Expiry> {
    let chain = certificates(path).ok()?;
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    let subject = certificate.subject().to_string();
    let name = names(chain.first()?).into_iter().next().unwrap_or(subject);
    Some(Expiry { name, not_after: certificate.validity().not_after.timestamp(), is_news })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(covers("a.example", "a.example"));
        assert!(covers("*.example", "a.example"));
        for (name, host) in
            [("*.example", "a.b.example"), ("*.example", "example"), ("a.example", "b.example")]
        {
            assert!(!covers(name, host), "{name} {host}");
        }
    }

    #[test]
    fn files_that_are_not_there_are_named() {
        let files = weir_config::CertificateFiles { cert: "/nowhere.crt".into(), key: "/nowhere.key".into() };
        let settings = ListenTls { certificates: vec![files], ..ListenTls::default() };
        let error = TlsDoor::load(&settings, &[HttpProtocol::Http1]).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere.crt: "), "{error}");
    }
}
