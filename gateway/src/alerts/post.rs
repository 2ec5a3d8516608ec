//! One POST of a JSON body on a connection of its own: what few messages a minute need. The caller sets the limit on time.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use weir_config::Endpoint;

/// What is read of an answer, for the message in the log.
const ANSWER_BYTES_MAX: usize = 4096;

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    /// The connection broke, or what came was no HTTP.
    #[error("the exchange broke: {0}")]
    Broken(#[source] hyper::Error),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The receiver said no.
    #[error("it answered {status}: {text:?}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// The beginning of what it said.
        text: String,
    },
    /// The path cannot be asked for.
    #[error("the path is no path")]
    Path,
}

impl PostError {
    /// The label `reason`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Broken(_) => "broken",
            Self::Timeout => "timeout",
            Self::Refused { .. } => "refused",
            Self::Path => "path",
        }
    }
}

/// Posts the body; well if the answer's status is 2xx.
pub(super) async fn post(endpoint: &Endpoint, path: PathAndQuery, body: String) -> Result<(), PostError> {
    let socket =
        TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(PostError::Connect)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(PostError::Broken)?;
    let request = Request::post(path.as_str())
        .header(HOST, endpoint.authority())
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("weir/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| PostError::Path)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(PostError::Broken)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let said = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let text =
            said.map(|said| String::from_utf8_lossy(&said.to_bytes()).into_owned()).unwrap_or_default();
        Err(PostError::Refused { status, text })
    };
    // The connection lives as long as this exchange and is driven by it.
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        said = &mut exchange => said,
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(PostError::Broken(error)),
        },
    }
}
