//! Opens one upstream connection and hands its driver to the worker.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::pool::{Lease, Pool};

/// Response heads above this are refused as garbage (`bad_gateway`): header lines and status line together, in bytes.
const RESPONSE_HEAD_BYTES_MAX: usize = 256 * 1024;

/// Why no connection could be had.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name did not resolve, or the connection was refused or reset.
    #[error("cannot connect to {authority}")]
    Failed {
        /// Where to.
        authority: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answered in time.
    #[error("no connection to {authority} within {limit:?}")]
    Timeout {
        /// Where to.
        authority: String,
        /// The limit that passed (`timeouts.connect`).
        limit: Duration,
    },
}

/// Connects to the pool's endpoint within `limit`.
///
/// # Errors
/// [`ConnectError`], decided here: refused and unresolvable are one, silence is the other.
pub(super) async fn open(pool: &Rc<Pool>, limit: Duration) -> Result<Lease, ConnectError> {
    let endpoint = &pool.endpoint;
    let authority = endpoint.authority();
    let connecting = TcpStream::connect((endpoint.host.as_str(), endpoint.port));
    let stream = match tokio::time::timeout(limit, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(source)) => return Err(ConnectError::Failed { authority, source }),
        Err(_) => return Err(ConnectError::Timeout { authority, limit }),
    };
    let failed = |source| ConnectError::Failed { authority: pool.endpoint.authority(), source };
    stream.set_nodelay(true).map_err(failed)?;
    let (sender, driver) = http1::Builder::new()
        .max_header_size(RESPONSE_HEAD_BYTES_MAX)
        // hyper's own limit of 100 fields stays: any other costs an allocation an answer. Small messages are copied into one buffer.
        .writev(false)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(io::Error::other(error)))?;
    let open = pool.opened();
    // The driver ends with its connection; whoever holds the sender hears of its errors.
    tokio::task::spawn_local(async move {
        let _open = open;
        if let Err(error) = driver.await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
    Ok(pool.lease(sender))
}
