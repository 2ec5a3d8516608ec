//! A client over TLS, beside the harness's authority.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

pub(crate) use weir_tests::authority::{Authority, chain, key};

/// A request whose answer ends with its connection.
pub(crate) const GET: &[u8] = b"GET /x HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n";

/// One request over TLS; what came, or why nothing did.
pub(crate) fn exchange(
    socket: impl Read + Write,
    name: &str,
    config: ClientConfig,
    request: &[u8],
) -> Result<String, String> {
    let mut stream = StreamOwned::new(session(name, config), socket);
    stream.write_all(request).map_err(|error| error.to_string())?;
    let mut all = String::new();
    match stream.read_to_string(&mut all) {
        Err(error) if all.is_empty() => Err(error.to_string()),
        _ => Ok(all),
    }
}

/// What ALPN agreed on.
pub(crate) fn agreed(mut socket: impl Read + Write, name: &str, config: ClientConfig) -> Option<Vec<u8>> {
    let mut session = session(name, config);
    while session.is_handshaking() {
        session.complete_io(&mut socket).ok()?;
    }
    session.alpn_protocol().map(<[u8]>::to_vec)
}

/// Says something and reads what comes first.
pub(crate) fn first_bytes(
    socket: impl Read + Write,
    name: &str,
    config: ClientConfig,
    said: &[u8],
) -> Vec<u8> {
    let mut stream = StreamOwned::new(session(name, config), socket);
    stream.write_all(said).unwrap();
    let mut first = [0; 64];
    let count = stream.read(&mut first).unwrap_or(0);
    first.get(..count).unwrap().to_vec()
}

fn session(name: &str, config: ClientConfig) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}
