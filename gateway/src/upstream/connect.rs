//! Opens one upstream connection within a limit.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::pool::{Lease, Pool};
use crate::net::Stream;
use crate::net::connect::{self, OpenError};

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
    /// It connected, and TLS failed.
    #[error("no TLS with {authority}")]
    Tls {
        /// With whom.
        authority: String,
        /// What rustls said.
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

impl ConnectError {
    /// The label `reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "failed",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
        }
    }
}

/// Connects to the pool's endpoint within `limit`, for HTTP/1.1.
///
/// # Errors
/// [`ConnectError`], decided here: refused and unresolvable are one, silence is another.
pub(super) async fn open(
    pool: &Rc<Pool>,
    limit: Duration,
    seat: OwnedSemaphorePermit,
) -> Result<Lease, ConnectError> {
    Ok(pool.lease(stream(pool, limit, false).await?, seat))
}

/// A socket to the pool's endpoint; over TLS, `h2` says which protocol is offered.
pub(super) async fn stream(pool: &Pool, limit: Duration, h2: bool) -> Result<Stream, ConnectError> {
    let endpoint = &pool.target.endpoint;
    let tls = pool.target.tls.as_ref().map(|tls| (if h2 { &tls.h2 } else { &tls.h1 }, &tls.name));
    let authority = || endpoint.to_string();
    match tokio::time::timeout(limit, connect::open(endpoint, tls)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(OpenError::Connect(source))) => Err(ConnectError::Failed { authority: authority(), source }),
        Ok(Err(OpenError::Tls(source))) => Err(ConnectError::Tls { authority: authority(), source }),
        Err(_) => Err(ConnectError::Timeout { authority: authority(), limit }),
    }
}
