//! Asks the endpoints that hand out credentials: on this machine, over plain TCP, with a limit on time and size.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use weir_config::{Endpoint, Transport};

use crate::net::call::{Call, CallError, call};

/// All of it, connection included: these endpoints are on the same machine, and a machine without them must not hold the control
/// plane up for long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of an answer's body.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("it has no host")]
    NoHost,
    #[error("a value that no header can hold")]
    Field,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the answer has status {0}")]
    Status(StatusCode),
}

/// The body of a good answer.
pub(super) async fn fetch(method: Method, uri: &Uri, fields: &[(&str, &str)]) -> Result<Bytes, FetchError> {
    let authority = uri.authority().ok_or(FetchError::NoHost)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let endpoint = Endpoint { host, port: authority.port_u16().unwrap_or(80), transport: Transport::Tcp };
    let mut headers = HeaderMap::new();
    for (name, value) in [("host", authority.as_str())].iter().chain(fields) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| FetchError::Field)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| FetchError::Field)?;
        value.set_sensitive(name != HOST);
        headers.insert(name, value);
    }
    let asked = Call {
        endpoint: &endpoint,
        tls: None,
        method,
        path: uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str),
        headers,
        body: Bytes::new(),
        timeout: PATIENCE,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let reply = call(asked).await?;
    if reply.status == StatusCode::OK { Ok(reply.body) } else { Err(FetchError::Status(reply.status)) }
}
