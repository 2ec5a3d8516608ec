//! One address of a model server, as written in the file: `http://HOST:PORT`, `https://HOST:PORT`, `unix:/PATH` or
//! `https+unix:/PATH`. Does not resolve names.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One address of a model server: `http://HOST:PORT` or `https://HOST:PORT`, ports 80 and 443 when absent, without path or user; or
/// `unix:/PATH`, `https+unix:/PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Host name or IP address; an IPv6 address stands without its brackets. `localhost` for a Unix socket.
    pub host: String,
    /// TCP port, 1 to 65535; 0 for a Unix socket.
    pub port: u16,
    /// How it is reached.
    pub transport: Transport,
}

/// How an endpoint is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A Unix socket at this path.
    Unix(PathBuf),
    /// TLS over a Unix socket at this path.
    TlsUnix(PathBuf),
}

impl Endpoint {
    /// What stands in the `Host` line: `host:port`, an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.path().is_some() {
            self.host.clone()
        } else if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// As metrics and operators see it: the authority, of a Unix socket its path.
    #[must_use]
    pub fn label(&self) -> String {
        if self.path().is_some() { self.to_string() } else { self.authority() }
    }

    /// Whether the connection is TLS.
    #[must_use]
    pub fn tls(&self) -> bool {
        matches!(self.transport, Transport::Tls | Transport::TlsUnix(_))
    }

    /// The path of the Unix socket, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.transport {
            Transport::Unix(path) | Transport::TlsUnix(path) => Some(path),
            Transport::Tcp | Transport::Tls => None,
        }
    }

    fn unix(path: &str, transport: impl FnOnce(PathBuf) -> Transport) -> Result<Self, EndpointError> {
        let is_path = path.starts_with('/') && path.len() <= 107 && !path.contains('\0');
        let endpoint = Self { host: "localhost".to_owned(), port: 0, transport: transport(path.into()) };
        if is_path { Ok(endpoint) } else { Err(EndpointError::Socket) }
    }
}

/// Why a text is no endpoint; never repeats the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The scheme is missing or another one.
    #[error("an endpoint begins with `http://`, `https://` or `unix:/`: `http://127.0.0.1:8080`")]
    Scheme,
    /// The path of the Unix socket.
    #[error("the path of a Unix socket is absolute and at most 107 bytes long: `unix:/run/model.sock`")]
    Socket,
    /// A user or password stands before the host.
    #[error("an endpoint has no user or password; it is `http://HOST:PORT`")]
    User,
    /// A path, query or fragment follows the authority.
    #[error("an endpoint has no path; it is `http://HOST:PORT`, and the request's own path is kept")]
    Path,
    /// The host is empty or has a character that no host has.
    #[error("the host must be a name, an IPv4 address or an IPv6 address in brackets")]
    Host,
    /// The port is not 1 to 65535.
    #[error("the port must be a number between 1 and 65535")]
    Port,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(path, Transport::Unix);
        }
        if let Some(path) = text.strip_prefix("https+unix:") {
            return Self::unix(path, Transport::TlsUnix);
        }
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::Scheme)?;
        let (transport, default) = match scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => (Transport::Tls, 443),
            scheme if scheme.eq_ignore_ascii_case("http") => (Transport::Tcp, 80),
            _ => return Err(EndpointError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(EndpointError::User);
        }
        if rest.contains(['/', '?', '#']) {
            return Err(EndpointError::Path);
        }
        let (host, port) = host_and_port(rest)?;
        let port = port.map_or(Ok(default), str::parse).map_err(|_| EndpointError::Port)?;
        if port == 0 {
            return Err(EndpointError::Port);
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, transport })
    }
}

fn host_and_port(rest: &str) -> Result<(&str, Option<&str>), EndpointError> {
    if let Some(inner) = rest.strip_prefix('[') {
        let (host, after) = inner.split_once(']').ok_or(EndpointError::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| EndpointError::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(EndpointError::Host),
        };
    }
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let named = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if host.is_empty() || host.len() > 253 || !named { Err(EndpointError::Host) } else { Ok((host, port)) }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.transport {
            Transport::Tcp => write!(f, "http://{}", self.authority()),
            Transport::Tls => write!(f, "https://{}", self.authority()),
            Transport::Unix(path) => write!(f, "unix:{}", path.display()),
            Transport::TlsUnix(path) => write!(f, "https+unix:{}", path.display()),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Endpoint {
    fn schema_name() -> Cow<'static, str> {
        "Endpoint".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "One address of a model server: `http://HOST:PORT` or `https://HOST:PORT`, ports 80 and 443 when absent, no path, no user; or `unix:/PATH`, over TLS `https+unix:/PATH`.",
            "pattern": "^[hH][tT][tT][pP][sS]?://[^/?#@]+/?$|^(https\\+)?unix:/|\\$\\{",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_addresses_and_a_missing_port_are_read() {
        for (text, host, port, authority) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
            ("http://Triton.models.svc:8000/", "triton.models.svc", 8000, "triton.models.svc:8000"),
            ("HTTP://model_server", "model_server", 80, "model_server:80"),
            ("http://[::1]:9000", "::1", 9000, "[::1]:9000"),
            ("http://[::1]", "::1", 80, "[::1]:80"),
            ("https://a", "a", 443, "a:443"),
            ("unix:/run/model.sock", "localhost", 0, "localhost"),
            ("https+unix:/run/model.sock", "localhost", 0, "localhost"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port), "{text}");
            assert_eq!(endpoint.authority(), authority);
            assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_its_own_reason() {
        use EndpointError::{Host, Path, Port, Scheme, Socket, User};
        for (text, error) in [
            ("ftp://a:1", Scheme),
            ("127.0.0.1:8080", Scheme),
            ("unix:run/x", Socket),
            ("unix:", Socket),
            ("https+unix:run/x", Socket),
            ("http://user:secret@a:1", User),
            ("http://a:1/v1", Path),
            ("http://a:1?x=y", Path),
            ("http://", Host),
            ("http://:80", Host),
            ("http://[::1", Host),
            ("http://[nope]:1", Host),
            ("http://[::1]x", Host),
            ("http://a b:1", Host),
            ("http://a:0", Port),
            ("http://a:65536", Port),
            ("http://a:", Port),
            ("http://a:80:90", Port),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(http://)?.{0,40}") {
            let _ = text.parse::<Endpoint>();
        }
    }
}
