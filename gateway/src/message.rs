//! Heads of messages as the data path carries them: few words, and fields in a list that keeps their order.

mod headers;

use http::{Method, StatusCode, Uri, Version, request, response};

pub use headers::{HeaderMap, IntoName, Named, Values};

use crate::h1::notable::Notable;

/// A request's head.
#[derive(Debug, Clone)]
pub struct RequestParts {
    /// What is to be done.
    pub method: Method,
    /// With what: in the form in which it came.
    pub uri: Uri,
    /// The version that the sender speaks.
    pub version: Version,
    /// The fields.
    pub headers: HeaderMap,
    /// Which of those that a proxy cares about were there when the head was read.
    pub notable: Notable,
}

/// An answer's head.
#[derive(Debug, Clone)]
pub struct ResponseParts {
    /// How it went.
    pub status: StatusCode,
    /// The version that the sender speaks.
    pub version: Version,
    /// The fields.
    pub headers: HeaderMap,
    /// Which of those that a proxy cares about it has.
    pub notable: Notable,
}

impl From<request::Parts> for RequestParts {
    fn from(parts: request::Parts) -> Self {
        let headers = HeaderMap::from(parts.headers);
        let notable = Notable::of(&headers);
        Self { method: parts.method, uri: parts.uri, version: parts.version, headers, notable }
    }
}

impl From<response::Parts> for ResponseParts {
    fn from(parts: response::Parts) -> Self {
        let headers = HeaderMap::from(parts.headers);
        let notable = Notable::of(&headers);
        Self { status: parts.status, version: parts.version, headers, notable }
    }
}

impl ResponseParts {
    /// The same for those who want the map of the crate `http`.
    pub fn into_response<B>(self, body: B) -> http::Response<B> {
        let mut response = http::Response::new(body);
        *response.status_mut() = self.status;
        *response.version_mut() = self.version;
        *response.headers_mut() = self.headers.into();
        response
    }
}
