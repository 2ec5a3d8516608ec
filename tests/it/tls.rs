//! TLS on both sides: certificates by name, client certificates, files that change, and backends that are not who they should be.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;
use weir_config::{CertificateFiles, ClientCertificates, Config, ListenTls, Transport, UpstreamTls};
use weir_tests::backend::{self, Backend};
use weir_tests::client;
use weir_tests::gateway::{Gateway, wait};

/// An authority of the test's own, and the files it has signed.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn ca(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs a certificate for these names and writes it as `NAME.crt` and `NAME.key`.
    fn sign(&self, file: &str, names: &[&str]) -> CertificateFiles {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let (cert, key_path) = (self.path(&format!("{file}.crt")), self.path(&format!("{file}.key")));
        fs::write(&cert, certificate.pem()).unwrap();
        fs::write(&key_path, key.serialize_pem()).unwrap();
        CertificateFiles { cert: cert.display().to_string(), key: key_path.display().to_string() }
    }

    fn client(&self, identity: Option<&CertificateFiles>) -> ClientConfig {
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

fn chain(path: impl AsRef<Path>) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

fn key(path: impl AsRef<Path>) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path).unwrap()
}

fn with_tls(tls: ListenTls) -> impl FnOnce(&mut Config) {
    move |config| config.listeners.first_mut().unwrap().tls = Some(tls)
}

/// One GET over TLS; what came, or why nothing did.
fn get(address: SocketAddr, name: &str, config: ClientConfig) -> Result<String, String> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(session, TcpStream::connect(address).unwrap());
    stream
        .write_all(b"GET /x HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n")
        .map_err(|error| error.to_string())?;
    let mut all = String::new();
    match stream.read_to_string(&mut all) {
        Err(error) if all.is_empty() => Err(error.to_string()),
        _ => Ok(all),
    }
}

#[test]
fn a_request_over_tls_is_served_and_its_backend_is_told() {
    let authority = Authority::new();
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    let tls = ListenTls { certificates: vec![authority.sign("a", &["a.example"])], ..ListenTls::default() };
    let gateway = Gateway::with("generic", backend.address, with_tls(tls));
    let answer = get(gateway.address, "a.example", authority.client(None)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("x-forwarded-proto: https"), "{answer}");
    let expiry = "weir_tls_certificate_expiry_timestamp_seconds{listener=\"main\",certificate=\"a.example\"}";
    wait("the certificate's end to be told", || gateway.value(expiry) > 1e9);
}

#[test]
fn the_servers_name_chooses_the_certificate() {
    let authority = Authority::new();
    let backend = Backend::fine();
    let certificates = vec![authority.sign("a", &["a.example"]), authority.sign("b", &["*.b.example"])];
    let gateway = Gateway::with(
        "generic",
        backend.address,
        with_tls(ListenTls { certificates, ..ListenTls::default() }),
    );
    for name in ["a.example", "one.b.example"] {
        assert!(get(gateway.address, name, authority.client(None)).is_ok(), "{name}");
    }
    // The first certificate is for all others, and is not theirs.
    let error = get(gateway.address, "c.example", authority.client(None)).unwrap_err();
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn clients_show_certificates_where_they_must() {
    let authority = Authority::new();
    let other = Authority::new();
    let backend = Backend::fine();
    let certificates = vec![authority.sign("a", &["a.example"])];
    let (good, bad) = (authority.sign("client", &["client"]), other.sign("client", &["client"]));
    for (client_certificates, without) in
        [(ClientCertificates::Required, false), (ClientCertificates::Optional, true)]
    {
        let tls = ListenTls {
            certificates: certificates.clone(),
            client_ca: Some(authority.ca()),
            client_certificates,
            ..ListenTls::default()
        };
        let gateway = Gateway::with("generic", backend.address, with_tls(tls));
        assert!(get(gateway.address, "a.example", authority.client(Some(&good))).is_ok());
        assert!(get(gateway.address, "a.example", authority.client(Some(&bad))).is_err());
        assert_eq!(get(gateway.address, "a.example", authority.client(None)).is_ok(), without);
    }
}

#[test]
fn changed_files_are_read_again_and_bad_ones_leave_the_old() {
    let authority = Authority::new();
    let backend = Backend::fine();
    let files = authority.sign("a", &["a.example"]);
    let tls = ListenTls { certificates: vec![files.clone()], ..ListenTls::default() };
    let gateway = Gateway::with("generic", backend.address, with_tls(tls));
    let reloads = |result: &str| {
        gateway.value(&format!("weir_tls_certificate_reloads_total{{listener=\"main\",result=\"{result}\"}}"))
    };
    fs::write(&files.cert, "nonsense").unwrap();
    wait("the bad file to be refused", || reloads("error") > 0.0);
    assert!(get(gateway.address, "a.example", authority.client(None)).is_ok());
    authority.sign("a", &["b.example"]);
    wait("the new file to be read", || reloads("ok") > 0.0);
    assert!(get(gateway.address, "b.example", authority.client(None)).is_ok());
}

#[test]
fn plain_bytes_on_a_tls_listener_are_refused_and_counted() {
    let authority = Authority::new();
    let backend = Backend::fine();
    let tls = ListenTls { certificates: vec![authority.sign("a", &["a.example"])], ..ListenTls::default() };
    let gateway = Gateway::with("generic", backend.address, with_tls(tls));
    // Other tests of this process count too.
    let before = gateway.value("weir_http_refused_total{reason=\"tls\"}");
    assert_eq!(client::get(gateway.address, "/x").status, 0);
    wait("it to be counted", || gateway.value("weir_http_refused_total{reason=\"tls\"}") > before);
    assert_eq!(backend.connections(), 0);
}

/// A backend over TLS that answers every connection once.
fn tls_backend(files: &CertificateFiles) -> SocketAddr {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain(&files.cert), key(&files.key))
        .unwrap();
    let (listener, config) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(config));
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, socket);
            let mut seen = Vec::new();
            let mut piece = [0; 1024];
            while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(count) if count > 0 => seen.extend_from_slice(piece.get(..count).unwrap()),
                    _ => break,
                }
            }
            let _ = stream.write_all(&backend::answer("200 OK", "connection: close\r\n", "over tls"));
            let _ = stream.flush();
        }
    });
    address
}

#[test]
fn a_backends_certificate_is_checked_unless_it_is_said_not_to() {
    let authority = Authority::new();
    let address = tls_backend(&authority.sign("backend", &["models.internal"]));
    let over = |tls: UpstreamTls| {
        Gateway::with("generic", address, move |config| {
            let backend = config.backends.first_mut().unwrap();
            backend.endpoints.first_mut().unwrap().transport = Transport::Tls;
            backend.tls = Some(tls);
        })
    };
    let named = UpstreamTls {
        ca: Some(authority.ca()),
        server_name: Some("models.internal".to_owned()),
        ..UpstreamTls::default()
    };
    for (tls, status) in [
        (named.clone(), 200),
        (UpstreamTls { server_name: Some("other.internal".to_owned()), ..named.clone() }, 502),
        (UpstreamTls { ca: Some(Authority::new().ca_kept()), ..named }, 502),
        (UpstreamTls { insecure_skip_verify: true, ..UpstreamTls::default() }, 200),
    ] {
        let gateway = over(tls.clone());
        let answer = client::get(gateway.address, "/x");
        assert_eq!(answer.status, status, "{tls:?} {}", answer.body_text());
        if status == 502 {
            assert!(answer.body_text().contains("tls_failed"), "{}", answer.body_text());
        }
    }
}

impl Authority {
    /// The authority's file, which outlives it.
    fn ca_kept(self) -> String {
        let path = self.ca();
        let _ = self.folder.keep();
        path
    }
}
