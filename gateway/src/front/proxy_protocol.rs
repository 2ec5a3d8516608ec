//! The PROXY header of a load balancer in front, versions 1 and 2 (haproxy's proxy-protocol.txt): who the client is.
//!
//! Nothing behind the header is read. What is malformed or too long ends the connection; `LOCAL` and `UNKNOWN` leave the socket's own
//! address. A header of a source that is not trusted, where some are, ends the connection too, and nothing of it is believed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};
use weir_config::{ProxyMode, ProxyProtocol};

use crate::net::Stream;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included (§2.1).
const LINE_BYTES_MAX: usize = 107;
/// What follows a header of version 2: addresses and extensions.
const REST_BYTES_MAX: usize = 4096;

/// Who the client of a connection is, where the listener may be told.
///
/// # Errors
/// Why the connection is closed: the word that is counted, and what the socket said.
pub(super) async fn client(
    stream: &mut Stream,
    peer: SocketAddr,
    settings: &ProxyProtocol,
) -> Result<SocketAddr, (&'static str, io::Error)> {
    let malformed = |error| ("proxy_protocol", error);
    // Whoever may open a Unix socket is trusted.
    let is_trusted = settings.trusted.is_empty()
        || matches!(stream, Stream::Unix(_))
        || settings.trusted.iter().any(|network| network.contains(peer.ip()));
    let begins = match settings.mode {
        ProxyMode::Off => false,
        ProxyMode::Required => true,
        ProxyMode::Optional => stream.peek(is_header).await.map_err(malformed)?,
    };
    match (begins, is_trusted) {
        (false, _) => Ok(peer),
        (true, false) => Err(("proxy_protocol_untrusted", io::ErrorKind::PermissionDenied.into())),
        (true, true) => Ok(read(stream).await.map_err(malformed)?.unwrap_or(peer)),
    }
}

/// Whether what came first is a header; none while it could be one or not.
fn is_header(first: &[u8]) -> Option<bool> {
    let begins = |with: &[u8]| first.starts_with(with);
    let may = |with: &[u8]| with.starts_with(first);
    if begins(b"PROXY ") || begins(&SIGNATURE) {
        return Some(true);
    }
    if may(b"PROXY ") || may(&SIGNATURE) { None } else { Some(false) }
}

/// Reads the header. None: the load balancer speaks for itself or does not know.
///
/// # Errors
/// What the socket said, or `InvalidData`.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        return version_2(stream).await;
    }
    if !start.starts_with(b"PROXY ") {
        return Err(malformed("there is no PROXY header"));
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == LINE_BYTES_MAX {
            return Err(malformed("the PROXY line is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    version_1(&line)
}

fn version_1(line: &[u8]) -> io::Result<Option<SocketAddr>> {
    let bad = || malformed("the PROXY line is malformed");
    let line = std::str::from_utf8(line).map_err(|_| bad())?.strip_suffix("\r\n").ok_or_else(bad)?;
    if line.contains(['\r', '\n']) {
        return Err(bad());
    }
    let words: Vec<&str> = line.split(' ').collect();
    let is_v6 = match words.get(1) {
        Some(&"UNKNOWN") => return Ok(None),
        Some(&"TCP4") => false,
        Some(&"TCP6") => true,
        _ => return Err(bad()),
    };
    let [_, _, source, target, source_port, target_port] = words.as_slice() else { return Err(bad()) };
    let ip = |text: &str| text.parse::<IpAddr>().ok().filter(|ip| ip.is_ipv6() == is_v6).ok_or_else(bad);
    let port = |text: &str| {
        let plain = text == "0" || !text.starts_with(['0', '+']);
        text.parse::<u16>().ok().filter(|_| plain).ok_or_else(bad)
    };
    ip(target)?;
    port(target_port)?;
    Ok(Some(SocketAddr::new(ip(source)?, port(source_port)?)))
}

async fn version_2(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let [version_command, family, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version_command >> 4 != 2 || length > REST_BYTES_MAX {
        return Err(malformed("the PROXY header is of another version, or too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match version_command & 0xf {
        0 => Ok(None),
        1 => Ok(source(family, &rest).ok_or_else(|| malformed("the PROXY header is malformed"))?),
        _ => Err(malformed("the PROXY header has an unknown command")),
    }
}

/// The source's address; `Some(None)` for families that have none here, none if it is cut short.
#[expect(clippy::option_option, reason = "malformed, without an address, and with one are three things")]
fn source(family: u8, rest: &[u8]) -> Option<Option<SocketAddr>> {
    let port = |bytes: Option<&[u8]>| Some(u16::from_be_bytes(bytes?.try_into().ok()?));
    match family {
        0x11 | 0x12 => {
            let ip: [u8; 4] = rest.get(..4)?.try_into().ok()?;
            Some(Some(SocketAddr::new(Ipv4Addr::from(ip).into(), port(rest.get(8..10))?)))
        }
        0x21 | 0x22 => {
            let ip: [u8; 16] = rest.get(..16)?.try_into().ok()?;
            Some(Some(SocketAddr::new(Ipv6Addr::from(ip).into(), port(rest.get(32..34))?)))
        }
        // Unspecified, and Unix sockets.
        0x00 | 0x31 | 0x32 => Some(None),
        _ => None,
    }
}

fn malformed(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(bytes: &[u8]) -> Result<(Option<SocketAddr>, Vec<u8>), io::ErrorKind> {
        let mut rest = bytes;
        let read = read(&mut rest).await.map_err(|error| error.kind())?;
        Ok((read, rest.to_vec()))
    }

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_what_follows() {
        let v1 = b"PROXY TCP4 10.0.0.1 10.0.0.2 4000 80\r\nGET /";
        assert_eq!(parse(v1).await, Ok((Some("10.0.0.1:4000".parse().unwrap()), b"GET /".to_vec())));
        let v1 = b"PROXY TCP6 ::1 ::2 4000 80\r\n";
        assert_eq!(parse(v1).await, Ok((Some("[::1]:4000".parse().unwrap()), vec![])));
        let mut v2 = SIGNATURE.to_vec();
        v2.extend([0x21, 0x11, 0, 15, 10, 0, 0, 1, 10, 0, 0, 2, 0x0f, 0xa0, 0, 80, 3, 0, 0]);
        v2.extend(b"GET /");
        assert_eq!(parse(&v2).await, Ok((Some("10.0.0.1:4000".parse().unwrap()), b"GET /".to_vec())));
    }

    #[tokio::test]
    async fn local_and_unknown_name_nobody() {
        assert_eq!(parse(b"PROXY UNKNOWN\r\n").await, Ok((None, vec![])));
        let mut local = SIGNATURE.to_vec();
        local.extend([0x20, 0, 0, 0]);
        assert_eq!(parse(&local).await, Ok((None, vec![])));
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
            b"PROXY TCP4 10.0.0.1 10.0.0.2 4000\r\n",
            b"PROXY TCP4 ::1 ::2 4000 80\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 04000 80\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 70000 80\r\n",
            b"PROXY TCP5 10.0.0.1 10.0.0.2 4000 80\r\n",
            b"PROXY  TCP4 10.0.0.1 10.0.0.2 4000 80\r\n",
            b"PROXY UNKNOWN a\nPROXY TCP4 10.0.0.1 10.0.0.2 4000 80\r\n",
            &[b"PROXY ".as_slice(), &[b'x'; 200]].concat(),
            &[&SIGNATURE[..], &[0x31, 0x11, 0, 0]].concat(),
            &[&SIGNATURE[..], &[0x21, 0x11, 0, 2, 1, 2]].concat(),
            &[&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat(),
        ] {
            assert_eq!(parse(bytes).await, Err(io::ErrorKind::InvalidData), "{}", bytes.escape_ascii());
        }
    }
}
