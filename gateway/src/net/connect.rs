//! Opens a connection to an endpoint: TCP, TLS over it, or a Unix socket. The caller limits the time.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use weir_config::{Endpoint, Transport};

use super::Stream;

/// Which step of a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The name did not resolve, or the connection was refused or reset.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The TLS handshake failed: a certificate that is not trusted, or another protocol.
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
}

/// Opens a connection. `tls` is used where the endpoint asks for TLS.
///
/// # Errors
/// [`OpenError`].
pub async fn open(
    endpoint: &Endpoint,
    tls: Option<(&Arc<ClientConfig>, &ServerName<'static>)>,
) -> Result<Stream, OpenError> {
    if let Transport::Unix(path) = &endpoint.transport {
        return UnixStream::connect(path).await.map(Stream::Unix).map_err(OpenError::Connect);
    }
    let tcp =
        TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(OpenError::Connect)?;
    tcp.set_nodelay(true).map_err(OpenError::Connect)?;
    if !endpoint.tls() {
        return Ok(Stream::Tcp(tcp));
    }
    let (config, name) =
        tls.ok_or_else(|| OpenError::Tls(io::Error::new(io::ErrorKind::InvalidInput, "no TLS is set up")))?;
    let connector = TlsConnector::from(Arc::clone(config));
    let stream = connector.connect(name.clone(), tcp).await.map_err(OpenError::Tls)?;
    Ok(Stream::TlsClient(Box::new(stream)))
}
