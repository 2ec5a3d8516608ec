//! Where a listener listens: an IP address and port, or a Unix socket.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest path of a Unix socket on Linux (`sockaddr_un`, with its end).
const PATH_BYTES_MAX: usize = 107;

/// An address to listen on: `127.0.0.1:9900` or `unix:/run/weir.sock`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// IP address and port.
    Tcp(SocketAddr),
    /// Path of a Unix socket.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// Neither an IP address with a port nor a Unix socket.
    #[error(
        "an address is an IP address and a port, or a Unix socket: `127.0.0.1:9900`, `[::1]:9900`, `unix:/run/weir.sock`"
    )]
    Form,
    /// A path that no socket can have.
    #[error("the path of a Unix socket is absolute and at most 107 bytes long")]
    Path,
}

impl ListenAddress {
    /// The IP address and port, if it is one.
    #[must_use]
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        let Some(path) = text.strip_prefix("unix:") else {
            return text.parse().map(Self::Tcp).map_err(|_| ListenAddressError::Form);
        };
        let is_path = path.starts_with('/') && path.len() <= PATH_BYTES_MAX && !path.contains('\0');
        if is_path { Ok(Self::Unix(PathBuf::from(path))) } else { Err(ListenAddressError::Path) }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_sockets_are_read_and_written_back() {
        for text in ["127.0.0.1:9900", "[::1]:80", "unix:/run/weir.sock"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let long = format!("unix:/{}", "a".repeat(200));
        for text in ["localhost:80", "127.0.0.1", "unix:", "unix:weir.sock", "/run/weir.sock", long.as_str()]
        {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
