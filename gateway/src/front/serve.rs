//! Accepts connections and serves each in a task of its own until the client, a limit or the drain ends it.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::net::{TcpListener, TcpStream};
use weir_telemetry::names;

use super::detect::{self, Protocol};
use super::door::{Door, Queue, closed};
use super::guard::{Conn, Guard};
use super::h2;
use crate::h1;
use crate::h1::head::HeadLimits;
use crate::net::Stream;
use crate::worker::Worker;

/// After `accept` fails for want of descriptors or memory: give the others time to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections on which nothing was ever asked do not hold a drain for longer: what was sent before it is here by then.
const SILENT_GRACE: Duration = Duration::from_secs(3);

/// Accepts until the door closes, then takes what the kernel has already queued, unless somebody else will, and closes the socket.
pub async fn accept_loop(worker: Rc<Worker>, listener: TcpListener, door: Rc<Door>) {
    let mut closing = door.closing();
    let queue = loop {
        tokio::select! {
            biased;
            queue = closed(&mut closing) => break queue,
            accepted = listener.accept() => admit(&worker, &door, accepted).await,
        }
    };
    if queue == Queue::Leave {
        return;
    }
    // Connections whose handshake is done belong to this socket and would be reset with it.
    while let Ok(accepted) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
        admit(&worker, &door, accepted).await;
    }
}

async fn admit(worker: &Rc<Worker>, door: &Rc<Door>, accepted: io::Result<(TcpStream, SocketAddr)>) {
    match accepted {
        Ok((stream, peer)) if worker.watch.count() < door.limits().connections_max as usize => {
            begin(worker, door, stream, peer);
        }
        Ok((stream, _)) => {
            counter!(names::HTTP_REFUSED, "reason" => "connections_max").increment(1);
            drop(stream);
        }
        Err(error) => {
            // Out of descriptors, or the client went away in the queue: neither ends the listener.
            counter!(names::HTTP_REFUSED, "reason" => "accept").increment(1);
            tracing::warn!(%error, listener = door.name(), "accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

fn begin(worker: &Rc<Worker>, door: &Rc<Door>, stream: TcpStream, peer: SocketAddr) {
    let limits = door.limits();
    let conn = Conn::new(peer, limits.body_idle_timeout, Rc::clone(&worker.clock));
    let task =
        tokio::task::spawn_local(connection(Rc::clone(worker), Rc::clone(door), stream, Rc::clone(&conn)));
    let number = worker.watch.add(conn, limits, door.number, task.abort_handle());
    let worker = Rc::clone(worker);
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
        gauge!(names::HTTP_CONNECTIONS_ACTIVE).decrement(1.0);
    });
}

async fn connection(worker: Rc<Worker>, door: Rc<Door>, stream: TcpStream, conn: Rc<Conn>) {
    let _ = stream.set_nodelay(true);
    let told = tokio::select! {
        told = detect::protocol(&stream, &conn) => told,
        () = silent(&door) => return,
    };
    let Ok(Some(protocol)) = told else { return };
    counter!(names::HTTP_CONNECTIONS, "listener" => door.name(), "protocol" => protocol.as_str())
        .increment(1);
    if door.is_closing() {
        conn.retire();
    }
    match protocol {
        Protocol::Http1 => http1(&worker, &door, Stream::from(stream), &conn).await,
        Protocol::Http2 => {
            h2::serve(&worker, &door.limits(), Guard::new(Stream::from(stream), Rc::clone(&conn)), &conn)
                .await;
        }
    }
}

/// The door has closed, and a client that has not said a word had time to.
async fn silent(door: &Door) {
    closed(&mut door.closing()).await;
    tokio::time::sleep(SILENT_GRACE).await;
}

async fn http1(worker: &Rc<Worker>, door: &Door, stream: Stream, conn: &Rc<Conn>) {
    let limits = door.limits();
    let limits = HeadLimits {
        bytes_max: limits.header_bytes_max.as_usize(),
        line_bytes_max: limits.request_line_bytes_max.as_usize(),
        fields_max: limits.header_count_max.into(),
    };
    h1::server::serve(worker, conn, &limits, Guard::new(stream, Rc::clone(conn))).await;
}
