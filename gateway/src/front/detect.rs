//! Tells HTTP/2 by prior knowledge (RFC 9113 §3.3) from HTTP/1.1 by the first bytes, which are given back to whoever serves.
//!
//! The connection's guard limits how long this may wait: a silent connection is ended by the sweep like any idle one.

use std::io;

use tokio::io::AsyncReadExt;

use super::guard::Guard;

/// The start of the HTTP/2 client preface that no HTTP/1 method begins with: `PRI` is reserved (RFC 9113 §11.2).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2.
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

/// Reads the first bytes. `None`: the client closed without a word.
///
/// # Errors
/// What the socket said.
pub(super) async fn protocol(guard: &mut Guard) -> io::Result<Option<Protocol>> {
    let mut seen = Vec::with_capacity(2048);
    let protocol = loop {
        if guard.read_buf(&mut seen).await? == 0 {
            break (!seen.is_empty()).then_some(Protocol::Http1);
        }
        if seen.starts_with(PREFACE) {
            break Some(Protocol::Http2);
        }
        if !PREFACE.starts_with(&seen) {
            break Some(Protocol::Http1);
        }
    };
    guard.give_back(seen.into());
    Ok(protocol)
}
