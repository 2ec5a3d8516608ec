//! Accepts connections and serves each in a task of its own until the client, a limit or the drain ends it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use metrics::{counter, gauge};
use weir_config::{HalfClose, HttpProtocol, ListenLimits};
use weir_telemetry::names;

use super::detect::{self, Protocol};
use super::door::{Door, Queue, Settings, closed};
use super::guard::{Conn, Guard};
use super::h2;
use super::listen::Listening;
use super::proxy_protocol;
use crate::h1;
use crate::h1::head::HeadLimits;
use crate::net::Stream;
use crate::worker::Worker;

/// After `accept` fails for want of descriptors or memory: give the others time to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections on which nothing was ever asked do not hold a drain for longer: what was sent before it is here by then.
const SILENT_GRACE: Duration = Duration::from_secs(3);
/// Over a Unix socket a client has no address.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A worker's listening socket within its runtime.
enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Accepting {
    fn new(socket: Listening) -> io::Result<Self> {
        match socket {
            Listening::Tcp(socket) => tokio::net::TcpListener::from_std(socket).map(Self::Tcp),
            Listening::Unix(socket) => tokio::net::UnixListener::from_std(socket).map(Self::Unix),
        }
    }

    async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), peer))
            }
            Self::Unix(socket) => Ok((Stream::Unix(socket.accept().await?.0), NOBODY)),
        }
    }
}

/// Accepts until the door closes, then takes what the kernel has already queued, unless somebody else will, and closes the socket.
pub async fn accept_loop(worker: Rc<Worker>, socket: Listening, door: Rc<Door>) {
    let socket = match Accepting::new(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::error!(%error, listener = door.name(), "a socket could not be served"),
    };
    let mut closing = door.closing();
    let queue = loop {
        tokio::select! {
            biased;
            queue = closed(&mut closing) => break queue,
            accepted = socket.accept() => admit(&worker, &door, accepted).await,
        }
    };
    if queue == Queue::Leave {
        return;
    }
    // Connections whose handshake is done belong to this socket and would be reset with it.
    while let Ok(accepted) = tokio::time::timeout(Duration::ZERO, socket.accept()).await {
        admit(&worker, &door, accepted).await;
    }
}

async fn admit(worker: &Rc<Worker>, door: &Rc<Door>, accepted: io::Result<(Stream, SocketAddr)>) {
    match accepted {
        Ok((stream, peer)) => {
            let settings = door.settings();
            if door.connections.get() >= settings.limits.connections_max {
                counter!(names::HTTP_REFUSED, "reason" => "connections_max").increment(1);
                drop(stream);
            } else {
                begin(worker, door, settings, stream, peer);
            }
        }
        Err(error) => {
            // Out of descriptors, or the client went away in the queue: neither ends the listener.
            counter!(names::HTTP_REFUSED, "reason" => "accept").increment(1);
            tracing::warn!(%error, listener = door.name(), "accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

fn begin(worker: &Rc<Worker>, door: &Rc<Door>, settings: Settings, stream: Stream, peer: SocketAddr) {
    let number = worker.watch.number();
    let limits = Rc::clone(&settings.limits);
    let task = tokio::task::spawn_local(connection(
        Rc::clone(worker),
        Rc::clone(door),
        settings,
        number,
        stream,
        peer,
    ));
    worker.watch.add(number, limits, door.number, task.abort_handle());
    door.connections.set(door.connections.get() + 1);
    let (worker, door) = (Rc::clone(worker), Rc::clone(door));
    gauge!(names::HTTP_CONNECTIONS_ACTIVE).increment(1.0);
    tokio::task::spawn_local(async move {
        if let Err(error) = task.await
            && error.is_panic()
        {
            counter!(names::PANICS).increment(1);
            tracing::error!(
                "a connection's task panicked; its requests were lost, the others are not touched"
            );
        }
        worker.watch.remove(number);
        door.connections.set(door.connections.get().saturating_sub(1));
        gauge!(names::HTTP_CONNECTIONS_ACTIVE).decrement(1.0);
    });
}

async fn connection(
    worker: Rc<Worker>,
    door: Rc<Door>,
    settings: Settings,
    number: u64,
    stream: Stream,
    peer: SocketAddr,
) {
    let handshake = tokio::time::timeout(settings.limits.handshake_timeout, shake(&settings, stream, peer));
    let (stream, peer) = match handshake.await {
        Ok(Ok(shaken)) => shaken,
        Ok(Err((reason, error))) => return refuse(&door, reason, &error),
        Err(_) => return refuse(&door, "handshake_timeout", &io::ErrorKind::TimedOut.into()),
    };
    let secure = matches!(stream, Stream::TlsServer(_));
    let conn = Rc::new(Conn::of(peer, secure, &settings.limits, Rc::clone(&worker.clock)));
    if settings.half_close == HalfClose::Keep {
        conn.keep_half_closed();
    }
    worker.watch.began(number, &conn);
    if door.is_closing() {
        conn.retire();
    }
    let agreed = (stream.alpn() == Some(b"h2")).then_some(Protocol::Http2);
    let mut guard = Guard::new(stream, Rc::clone(&conn));
    let protocol = match agreed {
        Some(protocol) => protocol,
        None => tokio::select! {
            told = detect::protocol(&mut guard) => match told {
                Ok(Some(protocol)) => protocol,
                Ok(None) | Err(_) => return,
            },
            () = silent(&door) => return,
        },
    };
    let Some(protocol) = spoken(protocol, &settings.protocols) else {
        return refuse(&door, "protocol", &io::ErrorKind::Unsupported.into());
    };
    counter!(names::HTTP_CONNECTIONS, "listener" => door.name(), "protocol" => protocol.as_str())
        .increment(1);
    if door.is_closing() {
        conn.retire();
    }
    match protocol {
        Protocol::Http1 => {
            let limits = head_limits(&settings.limits);
            h1::server::serve(&worker, &conn, &limits, settings.limits.requests_per_connection_max, guard)
                .await;
        }
        Protocol::Http2 => {
            h2::serve(&worker, &settings.limits, guard, &conn).await;
        }
    }
}

/// As what it is served. HTTP/2's preface where that is not spoken is a request in HTTP/1.1 that is refused there (505).
fn spoken(told: Protocol, protocols: &[HttpProtocol]) -> Option<Protocol> {
    let speaks = |protocol| protocols.contains(&protocol);
    match told {
        Protocol::Http2 if speaks(HttpProtocol::H2) => Some(Protocol::Http2),
        _ => speaks(HttpProtocol::Http1).then_some(Protocol::Http1),
    }
}

/// The door has closed, and a client that has not said a word had time to.
async fn silent(door: &Door) {
    closed(&mut door.closing()).await;
    tokio::time::sleep(SILENT_GRACE).await;
}

fn refuse(door: &Door, reason: &'static str, error: &io::Error) {
    counter!(names::HTTP_REFUSED, "reason" => reason).increment(1);
    tracing::debug!(%error, reason, listener = door.name(), "client connection refused");
}

/// What comes before HTTP: who the client is, and TLS.
async fn shake(
    settings: &Settings,
    mut stream: Stream,
    mut peer: SocketAddr,
) -> Result<(Stream, SocketAddr), (&'static str, io::Error)> {
    peer = proxy_protocol::client(&mut stream, peer, &settings.proxy_protocol).await?;
    match &settings.tls {
        Some(tls) => {
            let accepted = stream.accept_tls(tls.config()).await;
            accepted.map(|stream| (stream, peer)).map_err(|error| ("tls", error))
        }
        None => Ok((stream, peer)),
    }
}

fn head_limits(limits: &ListenLimits) -> HeadLimits {
    HeadLimits {
        bytes_max: limits.header_bytes_max.as_usize(),
        line_bytes_max: limits.request_line_bytes_max.as_usize(),
        fields_max: limits.header_count_max.into(),
    }
}
