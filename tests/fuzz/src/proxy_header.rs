//! The PROXY header of a load balancer.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use weir_gateway::front::proxy_protocol;

/// Who the client is, and how many bytes say so; none if they are no header, or not a whole one.
fn read(data: &[u8]) -> Option<(Option<SocketAddr>, usize)> {
    let mut rest = data;
    let read = {
        let mut future = pin!(proxy_protocol::read(&mut rest));
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    };
    assert!(read.is_ready(), "bytes in memory are always there");
    let Poll::Ready(Ok(client)) = read else { return None };
    Some((client, data.len() - rest.len()))
}

/// A header ends where it says, needs its last byte, and names whom a plain reading of its words names.
pub(crate) fn proxy_header(data: &[u8]) {
    let Some((client, length)) = read(data) else { return };
    let header = &data[..length];
    assert_eq!(read(header), Some((client, length)), "what follows is not read");
    assert_eq!(read(&header[..length - 1]), None, "cut short it is no header");
    if header.starts_with(b"PROXY ") {
        assert!(length <= 107 && header.ends_with(b"\r\n"));
        assert_eq!(header.iter().position(|byte| *byte == b'\n'), Some(length - 1));
        let line = std::str::from_utf8(header).unwrap();
        let words: Vec<_> = line.trim_end().split(' ').collect();
        let Some(client) = client else { return assert_eq!(words[1], "UNKNOWN") };
        assert_eq!((client.ip(), client.port()), (words[2].parse().unwrap(), words[4].parse().unwrap()));
        assert_eq!(words[1], if client.is_ipv4() { "TCP4" } else { "TCP6" });
        return;
    }
    assert_eq!(length, 16 + usize::from(header[14]) * 256 + usize::from(header[15]));
    let Some(client) = client else { return };
    assert_eq!(header[12], 0x21, "a local connection has no client");
    let (address, port) = match client.ip() {
        IpAddr::V4(ip) => (ip.octets().to_vec(), 24),
        IpAddr::V6(ip) => (ip.octets().to_vec(), 48),
    };
    assert_eq!(header[16..16 + address.len()], address);
    assert_eq!(header[port..port + 2], client.port().to_be_bytes());
}
