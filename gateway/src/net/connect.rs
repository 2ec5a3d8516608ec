//! Opens a connection to an endpoint: TCP or a Unix socket, and TLS over it. The caller limits the time.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use weir_config::Endpoint;

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
    let stream = plain(endpoint).await.map_err(OpenError::Connect)?;
    if !endpoint.tls() {
        return Ok(stream);
    }
    let (config, name) =
        tls.ok_or_else(|| OpenError::Tls(io::Error::new(io::ErrorKind::InvalidInput, "no TLS is set up")))?;
    stream.connect_tls(Arc::clone(config), name.clone()).await.map_err(OpenError::Tls)
}

async fn plain(endpoint: &Endpoint) -> io::Result<Stream> {
    if let Some(path) = endpoint.path() {
        return UnixStream::connect(path).await.map(Stream::Unix);
    }
    let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    tcp.set_nodelay(true)?;
    Ok(Stream::Tcp(tcp))
}
