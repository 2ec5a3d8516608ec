//! A server that weir sends something to, made ready: TLS set up once, what authenticates weir read from its files for every message,
//! so that a file that was rewritten counts at once. No secret is in a log or a `Debug`.

use std::fs::File;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

use super::call::{Call, CallError, Reply, call};
use super::tls::{self, ClientTls, TlsError};

/// Longer files hold something else.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// What a server says is read no further: it goes into a log at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A server that weir sends something to.
#[derive(Debug)]
pub struct Remote {
    /// As configured.
    pub config: weir_config::Remote,
    tls: Option<ClientTls>,
}

/// Why it cannot be sent to.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// TLS could not be set up.
    #[error("TLS to {place}: {source}")]
    Tls {
        /// The server.
        place: String,
        /// Why.
        source: TlsError,
    },
    /// A file that holds a secret.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// What stands in it cannot be sent.
    #[error(
        "{path} holds nothing, or what no header can hold: it is 1 byte to 16KiB of visible ASCII and spaces"
    )]
    Secret {
        /// Which.
        path: String,
    },
    /// The exchange.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl RemoteError {
    /// As a label's value.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Tls { .. } => "tls",
            Self::File { .. } | Self::Secret { .. } => "credentials",
            Self::Call(error) => error.reason(),
        }
    }
}

impl Remote {
    /// Sets TLS up, and reads every file once, so that what is wrong is said at the start.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(config: &weir_config::Remote) -> Result<Self, RemoteError> {
        let endpoint = &config.url.endpoint;
        let place = || endpoint.to_string();
        let tls = endpoint.tls().then(|| tls::client(endpoint, config.tls.as_ref())).transpose();
        let tls = tls.map_err(|source| RemoteError::Tls { place: place(), source })?;
        let remote = Self { config: config.clone(), tls };
        remote.headers()?;
        Ok(remote)
    }

    /// Its place without the path, which may hold a secret.
    #[must_use]
    pub fn place(&self) -> String {
        self.config.url.endpoint.to_string()
    }

    /// Posts a body. `headers` are those of the message itself, besides the server's.
    ///
    /// # Errors
    /// A file that cannot be read any more, or no answer; an answer of any status is none.
    pub async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Reply, RemoteError> {
        let mut all = self.headers()?;
        all.extend(headers);
        let asked = Call {
            endpoint: &self.config.url.endpoint,
            tls: self.tls.as_ref(),
            method: Method::POST,
            path,
            headers: all,
            body,
            timeout,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        Ok(call(asked).await?)
    }

    /// The server's own fields, as the files have them now.
    ///
    /// # Errors
    /// A file.
    pub fn headers(&self) -> Result<HeaderMap, RemoteError> {
        let mut headers = HeaderMap::new();
        for header in &self.config.headers {
            let Ok(name) = HeaderName::from_bytes(header.name.as_bytes()) else { continue };
            let value = match (&header.value, &header.value_file) {
                (_, Some(path)) => secret(path, |text| text)?,
                (Some(text), None) => HeaderValue::from_str(text)
                    .map_err(|_| RemoteError::Secret { path: header.name.clone() })?,
                (None, None) => continue,
            };
            headers.append(name, value);
        }
        if let Some(given) = &self.config.authorization {
            let value = secret(&given.credentials_file, |text| format!("{} {text}", given.scheme))?;
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(given) = &self.config.basic_auth {
            let value = secret(&given.password_file, |text| {
                format!("Basic {}", STANDARD.encode(format!("{}:{text}", given.username)))
            })?;
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }
}

/// What stands in a file, made into a header's value that is never printed.
fn secret(path: &str, make: impl FnOnce(String) -> String) -> Result<HeaderValue, RemoteError> {
    let failed = |source| RemoteError::File { path: path.to_owned(), source };
    let malformed = || RemoteError::Secret { path: path.to_owned() };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    let inner = text.trim();
    let fits = inner.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if inner.is_empty() || text.len() as u64 > SECRET_BYTES_MAX || !fits {
        return Err(malformed());
    }
    let mut value = HeaderValue::try_from(make(inner.to_owned())).map_err(|_| malformed())?;
    value.set_sensitive(true);
    Ok(value)
}
