//! Opens one upstream connection.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::pool::{Lease, Pool};
use crate::net::Stream;

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

/// Connects to the pool's endpoint within `limit`, for HTTP/1.1.
///
/// # Errors
/// [`ConnectError`], decided here: refused and unresolvable are one, silence is the other.
pub(super) async fn open(pool: &Rc<Pool>, limit: Duration) -> Result<Lease, ConnectError> {
    Ok(pool.lease(stream(pool, limit).await?))
}

/// The same, for any protocol.
///
/// # Errors
/// [`ConnectError`].
pub(super) async fn stream(pool: &Pool, limit: Duration) -> Result<Stream, ConnectError> {
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
    Ok(Stream::from(stream))
}
