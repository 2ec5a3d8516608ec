//! Asks a server for its state: the body of a 200, over the kind of connection that requests to it take.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use weir_config::{Endpoint, StateMethod, StatePoll, UpstreamTls};

use crate::net::call::{Call, CallError, call};
use crate::net::tls::{self, ClientTls};

/// Why there is no answer; `Display` is the value of the label `reason`.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("unreachable")]
    Unreachable,
    #[error("timeout")]
    Timeout,
    #[error("broken")]
    Broken,
    #[error("status")]
    Status(StatusCode),
    #[error("too_long")]
    TooLong,
    #[error("malformed")]
    Malformed,
}

impl From<CallError> for AskError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Open(_) => Self::Unreachable,
            CallError::Broken(_) => Self::Broken,
            CallError::Timeout => Self::Timeout,
            CallError::TooLong => Self::TooLong,
            CallError::Malformed => Self::Malformed,
        }
    }
}

/// The limits of one answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskLimits {
    pub(super) timeout: Duration,
    pub(super) bytes_max: usize,
}

impl From<&StatePoll> for AskLimits {
    fn from(poll: &StatePoll) -> Self {
        Self { timeout: poll.timeout, bytes_max: poll.answer_bytes_max.as_usize() }
    }
}

/// Whom to ask.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) endpoint: Endpoint,
    tls: Option<ClientTls>,
}

impl Peer {
    /// An endpoint of a backend with these settings for TLS.
    pub(super) fn new(endpoint: Endpoint, settings: Option<&UpstreamTls>) -> Self {
        // What cannot be set up has failed the configuration already.
        let tls = endpoint.tls().then(|| tls::client(&endpoint, settings).ok()).flatten();
        Self { endpoint, tls }
    }
}

/// The body of a 200.
pub(super) async fn ask(
    peer: &Peer,
    method: StateMethod,
    path: &str,
    limits: AskLimits,
) -> Result<Bytes, AskError> {
    let (method, body) = match method {
        StateMethod::Get => (Method::GET, Bytes::new()),
        StateMethod::Post => (Method::POST, Bytes::from_static(b"{}")),
    };
    let headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json, text/plain;q=0.9")),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ]);
    let asked = Call {
        endpoint: &peer.endpoint,
        tls: peer.tls.as_ref(),
        method,
        path,
        headers,
        body,
        timeout: limits.timeout,
        answer_bytes_max: limits.bytes_max,
    };
    let reply = call(asked).await?;
    if reply.status == StatusCode::OK { Ok(reply.body) } else { Err(AskError::Status(reply.status)) }
}
