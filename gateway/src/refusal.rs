//! The one place where a failure becomes a response.
//!
//! Every refusal says in a small JSON body which limit or fault it was; the causes stay in the log. Whose fault it is decides the
//! outcome that is counted, and it was decided where the failure happened.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use weir_telemetry::Outcome;

use crate::access::Refused;
use crate::h1::client::AnswerError;
use crate::h1::head::BadHead;
use crate::upstream::ConnectError;

/// Why a request got no answer from a backend.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request is malformed or ambiguous.
    #[error("{0}")]
    BadRequest(&'static str),
    /// The head is not one that can be served.
    #[error(transparent)]
    Head(#[from] BadHead),
    /// The head began and did not end in time.
    #[error("the request's head did not end in time")]
    HeadTimeout,
    /// The body is larger than the route allows.
    #[error("the request body is larger than {0} bytes")]
    BodyTooLarge(u64),
    /// The request is to be signed, and there is nothing to sign it with.
    #[error("no valid AWS credentials to sign the request with")]
    NoCredentials,
    /// Our own fault.
    #[error("an internal error")]
    Panicked,
    /// The client's body broke off or was malformed.
    #[error("the request body could not be read")]
    RequestBody,
    /// The client went away within its body.
    #[error("the client went away")]
    ClientGone,
    /// The client stopped sending its body.
    #[error("no more of the request body within {0:?}")]
    RequestBodyTimeout(Duration),
    /// CONNECT and other things that weir does not do.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// No connection to any endpoint.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Every connection that the backend may have is in use, and too many wait or it took too long.
    #[error("the backend has no room, and the wait was too long")]
    Pending,
    /// The backend took the request and sent no answer head in time.
    #[error("no answer within {0:?}")]
    FirstByteTimeout(Duration),
    /// The whole request took too long.
    #[error("not finished within {0:?}")]
    RequestTimeout(Duration),
    /// The backend closed or reset before an answer.
    #[error("the backend closed the connection without an answer")]
    NoAnswer(#[source] AnswerError),
    /// The backend answered with something that is not HTTP.
    #[error("the backend's answer is not valid HTTP")]
    BadAnswer(#[source] AnswerError),
    /// The backend wants to switch protocols; nobody asked.
    #[error("the backend switched protocols unasked")]
    UnaskedUpgrade,
}

impl Refusal {
    /// The word for this failure in the body, the log and `weir_http_refused_total{reason}`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::Head(BadHead::Malformed(_)) => "malformed",
            Self::Head(BadHead::TooLarge) => "header_too_large",
            Self::Head(BadHead::TooMany) => "header_too_many",
            Self::Head(BadHead::LineTooLong) => "request_line_too_long",
            Self::Head(BadHead::Version) => "version",
            Self::Head(BadHead::Coding) => "transfer_coding",
            Self::Head(BadHead::Expectation) => "expectation",
            Self::Head(BadHead::Method) => "method",
            Self::HeadTimeout => "header_timeout",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::NoCredentials => "no_credentials",
            Self::Panicked => "panic",
            Self::RequestBody => "request_body",
            Self::ClientGone => "client_gone",
            Self::RequestBodyTimeout(_) => "request_body_timeout",
            Self::NotImplemented(_) => "not_implemented",
            Self::Connect(ConnectError::Failed { .. }) => "connect_failed",
            Self::Connect(ConnectError::Tls { .. }) => "tls_failed",
            Self::Connect(ConnectError::Timeout { .. }) => "connect_timeout",
            Self::Pending => "upstream_pending",
            Self::FirstByteTimeout(_) => "first_byte_timeout",
            Self::RequestTimeout(_) => "request_timeout",
            Self::NoAnswer(_) => "no_answer",
            Self::BadAnswer(_) => "bad_answer",
            Self::UnaskedUpgrade => "unasked_upgrade",
        }
    }

    /// The status that the client sees (RFC 9110 §15.6).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_)
            | Self::Head(BadHead::Malformed(_))
            | Self::RequestBody
            | Self::ClientGone => StatusCode::BAD_REQUEST,
            Self::Head(BadHead::TooLarge | BadHead::TooMany) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Head(BadHead::LineTooLong) => StatusCode::URI_TOO_LONG,
            Self::Head(BadHead::Version) => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Head(BadHead::Expectation) => StatusCode::EXPECTATION_FAILED,
            Self::Head(BadHead::Method) => StatusCode::METHOD_NOT_ALLOWED,
            Self::HeadTimeout | Self::RequestBodyTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoCredentials => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Head(BadHead::Coding) | Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Pending => StatusCode::SERVICE_UNAVAILABLE,
            Self::Connect(ConnectError::Failed { .. } | ConnectError::Tls { .. })
            | Self::NoAnswer(_)
            | Self::BadAnswer(_)
            | Self::UnaskedUpgrade => StatusCode::BAD_GATEWAY,
            Self::Connect(ConnectError::Timeout { .. })
            | Self::FirstByteTimeout(_)
            | Self::RequestTimeout(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// How it is counted.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::BadRequest(_)
            | Self::Head(_)
            | Self::HeadTimeout
            | Self::BodyTooLarge(_)
            | Self::RequestBody
            | Self::RequestBodyTimeout(_)
            | Self::NotImplemented(_) => Outcome::ClientError,
            Self::ClientGone => Outcome::Cancelled,
            Self::Connect(_) | Self::NoCredentials => Outcome::Unreachable,
            Self::Pending => Outcome::Shed,
            Self::FirstByteTimeout(_) | Self::RequestTimeout(_) => Outcome::Timeout,
            Self::Panicked | Self::NoAnswer(_) | Self::BadAnswer(_) | Self::UnaskedUpgrade => {
                Outcome::ServerError
            }
        }
    }

    /// For the access log, where there was no request yet.
    pub fn told(&self) -> Refused {
        Refused { status: Some(self.status()), reason: self.reason(), outcome: self.outcome() }
    }

    /// After these the connection's framing or its client cannot be trusted.
    fn closes(&self) -> bool {
        matches!(
            self,
            Self::BadRequest(_)
                | Self::Head(_)
                | Self::HeadTimeout
                | Self::BodyTooLarge(_)
                | Self::Panicked
                | Self::RequestBody
                | Self::ClientGone
                | Self::RequestBodyTimeout(_)
                | Self::NotImplemented(_)
        )
    }

    /// The response. `backend` is named when one was chosen.
    pub fn response(&self, backend: Option<&str>) -> Response<Bytes> {
        let body = serde_json::json!({
            "error": self.reason(),
            "message": self.to_string(),
            "status": self.status().as_u16(),
            "backend": backend,
        });
        let mut response = Response::new(Bytes::from(format!("{body}\n")));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if matches!(self, Self::Head(BadHead::Method)) {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        if matches!(self, Self::Pending) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
