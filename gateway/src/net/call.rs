//! One small HTTP/1.1 exchange on a connection of its own: what the control plane asks of others, a few times a minute. All of it has one
//! limit on time, the answer one on size; redirects are not followed, proxies not asked.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use weir_config::Endpoint;

use super::connect::{OpenError, open};
use super::tls::ClientTls;

/// Bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What is asked, of whom, and how long and long-winded the answer may be.
#[derive(Debug)]
pub struct Call<'c> {
    /// Whom.
    pub endpoint: &'c Endpoint,
    /// How it is verified, where it is `https`.
    pub tls: Option<&'c ClientTls>,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: &'c str,
    /// Fields besides `Host`, `User-Agent`, `Connection` and the length. A `Host` here is kept.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Time for all of it, the connection included.
    pub timeout: Duration,
    /// The longest body of an answer.
    pub answer_bytes_max: usize,
}

/// What came back, of whatever status.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection.
    #[error("{0}: {source}", source = cause(.0))]
    Open(#[source] OpenError),
    /// The connection broke, or what came was no HTTP.
    #[error("the exchange broke: {0}")]
    Broken(#[source] hyper::Error),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The answer is longer than it may be.
    #[error("the answer is too long")]
    TooLong,
    /// A path or a field that HTTP does not have.
    #[error("it cannot be asked for so")]
    Malformed,
}

impl CallError {
    /// As a label's value.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Open(OpenError::Connect(_)) => "connect",
            Self::Open(OpenError::Tls(_)) => "tls",
            Self::Broken(_) => "broken",
            Self::Timeout => "timeout",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
        }
    }
}

/// Asks.
///
/// # Errors
/// [`CallError`]; an answer of any status is none.
pub async fn call(call: Call<'_>) -> Result<Reply, CallError> {
    tokio::time::timeout(call.timeout, exchange(call)).await.unwrap_or(Err(CallError::Timeout))
}

async fn exchange(call: Call<'_>) -> Result<Reply, CallError> {
    let request = request(&call)?;
    let tls = call.tls.map(|tls| (&tls.h1, &tls.name));
    let stream = open(call.endpoint, tls).await.map_err(CallError::Open)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(CallError::Broken)?;
    let answer = async {
        let (head, body) = sender.send_request(request).await.map_err(CallError::Broken)?.into_parts();
        let body = Limited::new(body, call.answer_bytes_max).collect().await.map_err(too_long_or_broken)?;
        Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
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
                ended.map_err(CallError::Broken)?;
            }
        }
    }
}

fn request(call: &Call<'_>) -> Result<Request<Full<Bytes>>, CallError> {
    let uri: Uri = call.path.parse().map_err(|_| CallError::Malformed)?;
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.clone_from(&call.headers);
    if !headers.contains_key(HOST) {
        let host = HeaderValue::try_from(call.endpoint.authority()).map_err(|_| CallError::Malformed)?;
        headers.insert(HOST, host);
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION"))));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

fn too_long_or_broken(error: Box<dyn std::error::Error + Send + Sync>) -> CallError {
    if error.is::<LengthLimitError>() {
        return CallError::TooLong;
    }
    error.downcast::<hyper::Error>().map_or(CallError::TooLong, |error| CallError::Broken(*error))
}

/// What the system or rustls said of it.
fn cause(error: &OpenError) -> &std::io::Error {
    match error {
        OpenError::Connect(cause) | OpenError::Tls(cause) => cause,
    }
}

#[cfg(test)]
mod tests;
