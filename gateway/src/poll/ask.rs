//! One small request over HTTP/1.1 to a server that is asked for its state: a limit on time and on size, no redirects, a connection of
//! its own that is closed behind the answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use weir_config::{Endpoint, StateMethod, StatePoll, UpstreamTls};

use crate::net::connect::{self, OpenError};
use crate::net::tls::{self, ClientTls};

/// Why there is no answer; `Display` is the value of the label `reason`.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("unreachable")]
    Unreachable(#[from] OpenError),
    #[error("timeout")]
    Timeout,
    #[error("broken")]
    Broken(#[from] hyper::Error),
    #[error("status")]
    Status(StatusCode),
    #[error("too_long")]
    TooLong,
    #[error("malformed")]
    Malformed,
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
    tokio::time::timeout(limits.timeout, exchange(peer, method, path, limits.bytes_max))
        .await
        .unwrap_or(Err(AskError::Timeout))
}

async fn exchange(peer: &Peer, method: StateMethod, path: &str, bytes_max: usize) -> Result<Bytes, AskError> {
    let tls = peer.tls.as_ref().map(|tls| (&tls.h1, &tls.name));
    let stream = connect::open(&peer.endpoint, tls).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let (method, body) = match method {
        StateMethod::Get => (Method::GET, Full::default()),
        StateMethod::Post => (Method::POST, Full::new(Bytes::from_static(b"{}"))),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, peer.endpoint.authority())
        .header(USER_AGENT, concat!("weir/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/json, text/plain;q=0.9")
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .body(body)
        .map_err(|_| AskError::Malformed)?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(AskError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), bytes_max).collect().await;
        Ok(body
            .map_err(|error| error.downcast().map_or(AskError::TooLong, |e| AskError::Broken(*e)))?
            .to_bytes())
    };
    // The connection moves the bytes of the answer: it is driven beside it, and dropped with it.
    tokio::pin!(answer, connection);
    let mut is_driven = true;
    loop {
        tokio::select! {
            biased;
            answered = &mut answer => return answered,
            ended = &mut connection, if is_driven => {
                is_driven = false;
                ended?;
            }
        }
    }
}
