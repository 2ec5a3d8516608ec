//! What both sides of TLS share: the provider, PEM files, and the client side's configuration.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use weir_config::{CertificateFiles, Endpoint, UpstreamTls};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read, or holds no PEM.
    #[error("{path}: {message}")]
    File {
        /// Which.
        path: String,
        /// Why.
        message: String,
    },
    /// The files do not fit together.
    #[error("{path}: {source}")]
    Rustls {
        /// The certificate's file.
        path: String,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The system has no certificate authorities.
    #[error("the system's certificate authorities cannot be read; name a file in `tls.ca`")]
    NoRoots,
    /// The name is no name.
    #[error("`{0}` is no server name")]
    Name(String),
}

/// A connection to a backend over TLS.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// With `http/1.1` by ALPN.
    pub h1: Arc<ClientConfig>,
    /// With `h2` by ALPN.
    pub h2: Arc<ClientConfig>,
    /// The name that is sent and expected.
    pub name: ServerName<'static>,
}

/// The one provider.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// All certificates of a PEM file.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |message: String| TlsError::File { path: path.to_owned(), message };
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?.collect();
    let all = all.map_err(|error| failed(error.to_string()))?;
    if all.is_empty() { Err(failed("there is no certificate in it".to_owned())) } else { Ok(all) }
}

/// The private key of a PEM file.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| TlsError::File { path: path.to_owned(), message: error.to_string() })
}

/// The authorities of a PEM file.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn roots(path: &str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|source| TlsError::Rustls { path: path.to_owned(), source })?;
    }
    Ok(store)
}

/// The client side for one endpoint.
///
/// # Errors
/// A file that does not do, or a name that is none.
pub fn client(endpoint: &Endpoint, settings: Option<&UpstreamTls>) -> Result<ClientTls, TlsError> {
    let default = UpstreamTls::default();
    let settings = settings.unwrap_or(&default);
    let name = settings.server_name.as_deref().unwrap_or(&endpoint.host).to_owned();
    let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name))?;
    let config = client_config(settings)?;
    let with = |protocol: &[u8]| {
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    };
    Ok(ClientTls { h1: with(b"http/1.1"), h2: with(b"h2"), name })
}

fn client_config(settings: &UpstreamTls) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Rustls { path: "tls".to_owned(), source })?;
    let builder = if settings.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        let roots = match &settings.ca {
            Some(path) => roots(path)?,
            None => system_roots()?,
        };
        builder.with_root_certificates(roots)
    };
    match &settings.client {
        None => Ok(builder.with_no_client_auth()),
        Some(CertificateFiles { cert, key }) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|source| TlsError::Rustls { path: cert.clone(), source }),
    }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { Err(TlsError::NoRoots) } else { Ok(store) }
}

/// As an error of a connection.
pub fn as_io(error: &TlsError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
}

/// `insecure_skip_verify`: any certificate will do; signatures are still checked, so that the other side has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
