//! Tells HTTP/2 by prior knowledge (RFC 9113 §3.3) from HTTP/1.1 by the first bytes, without taking them from the socket.
//!
//! The connection's guard limits how long this may wait: a silent connection is ended by the sweep like any idle one.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use super::guard::Conn;

/// The start of the HTTP/2 client preface that no HTTP/1 method begins with: `PRI` is reserved (RFC 9113 §11.2).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2 without TLS, by prior knowledge.
    Http2,
}

impl Protocol {
    /// The protocol as a metric label.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "h1",
            Self::Http2 => "h2",
        }
    }
}

/// Peeks at the first bytes. `None`: the client closed without a word.
///
/// # Errors
/// What the socket said.
pub(super) async fn protocol(stream: &TcpStream, conn: &Conn) -> io::Result<Option<Protocol>> {
    let mut buffer = [0_u8; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut buffer).await?;
        let Some(bytes) = buffer.get(..seen) else { return Ok(None) };
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes == PREFACE {
            return Ok(Some(Protocol::Http2));
        }
        if !PREFACE.starts_with(bytes) {
            return Ok(Some(Protocol::Http1));
        }
        // From here on it is a head that has to become whole.
        conn.bytes_arrived();
        // A part of the preface: the socket stays readable, so waiting for readiness would spin.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
