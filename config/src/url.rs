//! An address that weir itself sends something to or links to: `http://HOST:PORT/PATH`, or `https://`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::endpoint::{Endpoint, EndpointError, Transport};

/// `http[s]://HOST[:PORT][/PATH][?QUERY]`; no user, no fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// The server.
    pub endpoint: Endpoint,
    /// Path and query, with the slash in front; empty if there is none.
    pub path: String,
}

/// Why a text is no such address; never repeats the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// What stands before the path is no server's address.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// It is a Unix socket's.
    #[error("an address here is `http://HOST:PORT` or `https://HOST:PORT`; Unix sockets cannot be used")]
    Socket,
    /// The path has a character that none may have, or is too long.
    #[error("a path has at most 2048 printable ASCII characters, without spaces and `#`")]
    Path,
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.starts_with("unix:") {
            return Err(UrlError::Socket);
        }
        let after = text.find("://").map_or(0, |at| at + 3);
        let cut = text.get(after..).and_then(|rest| rest.find(['/', '?', '#'])).map(|at| after + at);
        let (server, path) = text.split_at_checked(cut.unwrap_or(text.len())).unwrap_or((text, ""));
        let fits = path.len() <= 2048 && path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if !fits || !(path.is_empty() || path.starts_with('/')) {
            return Err(UrlError::Path);
        }
        Ok(Self { endpoint: server.parse()?, path: path.to_owned() })
    }
}

impl Default for Url {
    /// No address: what stands where a required one is missing, until the checks have said so.
    fn default() -> Self {
        let endpoint = Endpoint { host: String::new(), port: 0, transport: Transport::Tcp };
        Self { endpoint, path: String::new() }
    }
}

impl Url {
    pub(crate) const fn is_none(&self) -> bool {
        self.endpoint.host.is_empty()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.to_string();
        let default = if self.endpoint.tls() { ":443" } else { ":80" };
        write!(f, "{}{}", endpoint.strip_suffix(default).unwrap_or(&endpoint), self.path)
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Url {
    fn schema_name() -> Cow<'static, str> {
        "Url".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://[^#@ ]+$|\\$\\{" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_with_and_without_a_path_are_read_and_written_back() {
        for (text, path, shown) in [
            ("http://a:9093", "", "http://a:9093"),
            ("http://A/x?y=z", "/x?y=z", "http://a/x?y=z"),
            ("http://[::1]:1/", "/", "http://[::1]:1/"),
            ("HTTPS://a:443/x", "/x", "https://a/x"),
            ("https://a:80", "", "https://a:80"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.path.as_str(), url.to_string().as_str()), (path, shown));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_own_reason() {
        for (text, error) in [
            ("", EndpointError::Scheme.into()),
            ("a:9093", EndpointError::Scheme.into()),
            ("ftp://a", EndpointError::Scheme.into()),
            ("unix:/run/a.sock", UrlError::Socket),
            ("http://user:secret@a/", EndpointError::User.into()),
            ("http://a:1?x", UrlError::Path),
            ("http://a:1/x y", UrlError::Path),
            ("http://a:1/x#y", UrlError::Path),
            ("http://a:1/\u{e9}", UrlError::Path),
        ] {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
    }
}
