//! What is asked: method, URL, headers and body, as texts of a command line or of a query, made a head as the data path has it.

use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Method, Request};

use super::RequestTold;
use crate::message::RequestParts as Parts;

/// Headers of one request.
const HEADERS_MAX: usize = 256;

/// A request to explain.
#[derive(Debug, Clone)]
pub struct Asked {
    head: Parts,
    /// The body, or its beginning.
    pub(super) body: Bytes,
}

/// Why something is no request.
#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    /// The method.
    #[error("{0:?} is no method")]
    Method(String),
    /// The target.
    #[error("{0:?} is neither a URL nor a path that begins with `/`")]
    Target(String),
    /// A header.
    #[error("{0:?} is no header: `name: value`")]
    Header(String),
    /// Too many headers.
    #[error("a request has at most {HEADERS_MAX} headers")]
    Headers,
}

impl Asked {
    /// Reads a request. Without a method it is POST if there is a body, else GET. `target` is a path with its query, or a URL, whose
    /// host becomes the Host line unless `headers` have one.
    ///
    /// # Errors
    /// What of it is none.
    pub fn new<H: AsRef<str>>(
        method: Option<&str>,
        target: &str,
        headers: &[H],
        body: impl Into<Bytes>,
    ) -> Result<Self, AskedError> {
        let body = body.into();
        let method = method.unwrap_or(if body.is_empty() { "GET" } else { "POST" });
        let no_target = || AskedError::Target(target.to_owned());
        let (host, path) = split(target).ok_or_else(no_target)?;
        let mut head = Parts::from(Request::new(()).into_parts().0);
        head.method =
            Method::from_bytes(method.as_bytes()).map_err(|_| AskedError::Method(method.to_owned()))?;
        head.uri = Uri::from(path);
        if headers.len() > HEADERS_MAX {
            return Err(AskedError::Headers);
        }
        for line in headers.iter().map(AsRef::as_ref) {
            let (name, value) = header(line).ok_or_else(|| AskedError::Header(line.to_owned()))?;
            head.headers.append(name, value);
        }
        if let Some(host) = host
            && !head.headers.contains_key(HOST)
        {
            head.headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| no_target())?);
        }
        Ok(Self { head, body })
    }

    /// Its head.
    pub(super) const fn head(&self) -> &Parts {
        &self.head
    }

    pub(super) fn told(&self) -> RequestTold {
        let host = self.head.headers.get(HOST);
        RequestTold {
            method: self.head.method.to_string(),
            path: self.head.uri.to_string(),
            host: host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned()),
        }
    }
}

/// Host and path of a path, of a URL, or (as curl has it) of a URL without its scheme.
fn split(target: &str) -> Option<(Option<String>, PathAndQuery)> {
    let target = target.split_once('#').map_or(target, |(before, _)| before);
    if target.starts_with('/') {
        return Some((None, target.parse().ok()?));
    }
    let url: Uri = match target.contains("://") {
        true => target.parse().ok()?,
        false => format!("http://{target}").parse().ok()?,
    };
    let host = url.authority()?.as_str();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host).to_owned();
    let path = url.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Some((Some(host), path))
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().parse().ok()?, HeaderValue::from_bytes(value.trim().as_bytes()).ok()?))
}
