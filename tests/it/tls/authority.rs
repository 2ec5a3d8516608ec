//! Certificates of the test's own, and a client over TLS.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use weir_config::CertificateFiles;

/// An authority of the test's own, and the files it has signed.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    pub(crate) fn ca(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// The authority's file, which outlives it.
    pub(crate) fn ca_kept(self) -> String {
        let path = self.ca();
        let _ = self.folder.keep();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs a certificate for these names and writes it as `NAME.crt` and `NAME.key`.
    pub(crate) fn sign(&self, file: &str, names: &[&str]) -> CertificateFiles {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let (cert, key_path) = (self.path(&format!("{file}.crt")), self.path(&format!("{file}.key")));
        fs::write(&cert, certificate.pem()).unwrap();
        fs::write(&key_path, key.serialize_pem()).unwrap();
        CertificateFiles { cert: cert.display().to_string(), key: key_path.display().to_string() }
    }

    pub(crate) fn client(&self, identity: Option<&CertificateFiles>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(files) => builder.with_client_auth_cert(chain(&files.cert), key(&files.key)).unwrap(),
        }
    }
}

pub(crate) fn chain(path: impl AsRef<Path>) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

pub(crate) fn key(path: impl AsRef<Path>) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path).unwrap()
}

/// A request whose answer ends with its connection.
pub(crate) const GET: &[u8] = b"GET /x HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n";

/// One request over TLS; what came, or why nothing did.
pub(crate) fn exchange(
    socket: impl Read + Write,
    name: &str,
    config: ClientConfig,
    request: &[u8],
) -> Result<String, String> {
    let mut stream = StreamOwned::new(session(name, config), socket);
    stream.write_all(request).map_err(|error| error.to_string())?;
    let mut all = String::new();
    match stream.read_to_string(&mut all) {
        Err(error) if all.is_empty() => Err(error.to_string()),
        _ => Ok(all),
    }
}

/// What ALPN agreed on.
pub(crate) fn agreed(mut socket: impl Read + Write, name: &str, config: ClientConfig) -> Option<Vec<u8>> {
    let mut session = session(name, config);
    while session.is_handshaking() {
        session.complete_io(&mut socket).ok()?;
    }
    session.alpn_protocol().map(<[u8]>::to_vec)
}

/// Says something and reads what comes first.
pub(crate) fn first_bytes(
    socket: impl Read + Write,
    name: &str,
    config: ClientConfig,
    said: &[u8],
) -> Vec<u8> {
    let mut stream = StreamOwned::new(session(name, config), socket);
    stream.write_all(said).unwrap();
    let mut first = [0; 64];
    let count = stream.read(&mut first).unwrap_or(0);
    first.get(..count).unwrap().to_vec()
}

fn session(name: &str, config: ClientConfig) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}
