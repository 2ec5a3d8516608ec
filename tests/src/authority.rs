//! A certificate authority of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use weir_config::CertificateFiles;

/// An authority and the files that it has signed, in a folder that goes with it.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// One that nobody knows yet.
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let mut params = params(&[]);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    /// The file of its own certificate.
    pub fn ca(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// The same, which outlives it.
    pub fn ca_kept(self) -> String {
        let path = self.ca();
        let _ = self.folder.keep();
        path
    }

    /// A client that trusts it, and shows a certificate or none.
    pub fn client(&self, identity: Option<&CertificateFiles>) -> ClientConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_root_certificates(self.roots());
        match identity {
            None => builder.with_no_client_auth(),
            Some(files) => builder.with_client_auth_cert(chain(&files.cert), key(&files.key)).unwrap(),
        }
    }

    /// Itself, as somebody trusts it.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca()).unwrap()).unwrap();
        roots
    }

    /// Signs for somebody whose files outlive it.
    pub fn sign_kept(self, file: &str, names: &[&str]) -> CertificateFiles {
        let files = self.sign(file, names);
        let _ = self.folder.keep();
        files
    }

    /// Signs a certificate for these names and writes it as `FILE.crt` and `FILE.key`.
    pub fn sign(&self, file: &str, names: &[&str]) -> CertificateFiles {
        self.write(file, &params(names))
    }

    /// One that ended long ago.
    pub fn sign_expired(&self, file: &str, names: &[&str]) -> CertificateFiles {
        let mut params = params(names);
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        self.write(file, &params)
    }

    fn write(&self, file: &str, params: &CertificateParams) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert, key_path) = (self.path(&format!("{file}.crt")), self.path(&format!("{file}.key")));
        fs::write(&cert, certificate.pem()).unwrap();
        fs::write(&key_path, key.serialize_pem()).unwrap();
        CertificateFiles { cert: cert.display().to_string(), key: key_path.display().to_string() }
    }

    /// Where one of its files is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What a certificate of these names says. An issuer that had the name of what it signs would look self-signed to OpenSSL.
fn params(names: &[&str]) -> CertificateParams {
    let all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(all).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, *names.first().unwrap_or(&"authority of a test"));
    params
}

/// The certificates in a file.
pub fn chain(path: impl AsRef<Path>) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

/// The key in a file.
pub fn key(path: impl AsRef<Path>) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path).unwrap()
}
