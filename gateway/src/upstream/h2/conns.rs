//! The HTTP/2 connections to one endpoint, owned by one worker. A request takes a slot on one; the connection's frames are moved by a
//! task of its own that ends with it.
//!
//! Another connection is opened only when every one has as many streams as its peer allows. No pings are sent: gRPC servers count
//! them as an attack (`too_many_pings`), and a silent peer is noticed by the limits on waiting, which retire its connection.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use metrics::counter;
use tokio::sync::Notify;
use tokio::time::Instant;
use weir_config::{Endpoint, UpstreamHttp2};
use weir_telemetry::names;

use crate::refusal::Refusal;
use crate::upstream::{Ask, ConnectError, Pool, connect, count_failure};

type SendRequest = ::h2::client::SendRequest<Bytes>;

/// The connections to one endpoint.
#[derive(Debug, Default)]
pub struct Conns {
    all: RefCell<Vec<Rc<Conn>>>,
    opening: Cell<bool>,
    /// Openings that failed.
    failures: Cell<u64>,
    opened: Notify,
}

/// One connection. When nobody holds it any more, h2 says goodbye and closes it.
#[derive(Debug)]
struct Conn {
    sender: SendRequest,
    streams: Cell<usize>,
    served: Cell<u32>,
    since: Cell<Instant>,
    ended: Rc<Cell<bool>>,
}

/// A place for one stream on a connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    conn: Rc<Conn>,
    pool: Rc<Pool>,
}

/// A stream on a connection to the first endpoint that can be reached.
///
/// # Errors
/// [`Refusal::Connect`] with the last endpoint's reason.
pub(super) async fn slot(ask: &Ask<'_>) -> Result<Slot, Refusal> {
    let mut last = None;
    for pool in &ask.pools {
        match pool.h2.slot(ask, pool).await {
            Ok(slot) => {
                ask.goes_to(pool);
                return Ok(slot);
            }
            Err(error) => {
                count_failure(ask.backend, &error);
                last = Some(error);
            }
        }
    }
    Err(last.map_or(Refusal::NotImplemented("the backend has no endpoint"), Refusal::Connect))
}

impl Conns {
    /// Connections open now.
    pub fn open(&self) -> usize {
        self.all.borrow().len()
    }

    /// Lets go of what has ended or has been idle for too long.
    pub fn sweep(&self, expired: impl Fn(Instant) -> bool) {
        self.all
            .borrow_mut()
            .retain(|conn| !conn.ended.get() && (conn.streams.get() > 0 || !expired(conn.since.get())));
    }

    async fn slot(&self, ask: &Ask<'_>, pool: &Rc<Pool>) -> Result<Slot, ConnectError> {
        let failures = self.failures.get();
        loop {
            if let Some(conn) = self.with_room(pool) {
                return Ok(Slot::new(conn, pool));
            }
            if self.open() >= pool.target.pool.h2.connections_max as usize
                && let Some(conn) = self.least_loaded()
            {
                return Ok(Slot::new(conn, pool));
            }
            // One opens, the others wait; when that has failed each of them tries for itself, and is told its own reason.
            if !self.opening.get() || self.failures.get() != failures {
                return self.connect(ask, pool).await;
            }
            self.opened.notified().await;
        }
    }

    fn with_room(&self, pool: &Pool) -> Option<Rc<Conn>> {
        let served_max = pool.target.pool.requests_per_connection_max;
        let streams_max = pool.target.pool.h2.concurrent_streams_max as usize;
        self.all.borrow_mut().retain(|conn| !conn.ended.get());
        let all = self.all.borrow();
        let found = all.iter().find(|conn| {
            conn.streams.get() < conn.sender.current_max_send_streams().min(streams_max)
                && (served_max == 0 || conn.served.get() < served_max)
        });
        found.map(Rc::clone)
    }

    fn least_loaded(&self) -> Option<Rc<Conn>> {
        self.all.borrow().iter().min_by_key(|conn| conn.streams.get()).map(Rc::clone)
    }

    async fn connect(&self, ask: &Ask<'_>, pool: &Rc<Pool>) -> Result<Slot, ConnectError> {
        let opening = Opening::begin(self);
        let opened = Instant::now();
        let stream = connect::stream(pool, ask.timeouts.connect, true).await;
        ask.opened(pool, opened);
        let stream = stream?;
        let handshake = builder(&pool.target.pool.h2).handshake::<_, Bytes>(stream).await;
        let (sender, connection) = handshake.map_err(|error| ConnectError::Failed {
            authority: pool.target.endpoint.to_string(),
            source: io::Error::other(error),
        })?;
        counter!(names::UPSTREAM_CONNECTIONS, "backend" => ask.backend.to_owned()).increment(1);
        let ended = Rc::new(Cell::new(false));
        let end = Ended(Rc::clone(&ended));
        tokio::task::spawn_local(async move {
            let _end = end;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "HTTP/2 connection to a backend ended");
            }
        });
        let conn = Rc::new(Conn {
            sender,
            streams: Cell::new(0),
            served: Cell::new(0),
            since: Cell::new(Instant::now()),
            ended,
        });
        self.all.borrow_mut().push(Rc::clone(&conn));
        opening.done();
        Ok(Slot::new(conn, pool))
    }
}

fn builder(limits: &UpstreamHttp2) -> ::h2::client::Builder {
    let size = |bytes: weir_config::Bytes| u32::try_from(bytes.0).unwrap_or(u32::MAX);
    let mut builder = ::h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(limits.concurrent_streams_max as usize)
        .initial_window_size(size(limits.window_bytes))
        .initial_connection_window_size(size(limits.connection_window_bytes))
        .max_frame_size(size(limits.frame_bytes_max))
        .max_header_list_size(size(limits.header_list_bytes_max))
        .max_send_buffer_size(limits.send_buffer_bytes.as_usize());
    builder
}

impl Slot {
    fn new(conn: Rc<Conn>, pool: &Rc<Pool>) -> Self {
        conn.streams.set(conn.streams.get() + 1);
        conn.served.set(conn.served.get().saturating_add(1));
        Self { conn, pool: Rc::clone(pool) }
    }

    /// A handle to open the stream with.
    pub(super) fn sender(&self) -> SendRequest {
        self.conn.sender.clone()
    }

    /// Where it leads.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.pool.target.endpoint
    }

    /// No new request goes over this connection.
    pub(super) fn retire(&self) {
        self.pool.h2.all.borrow_mut().retain(|conn| !Rc::ptr_eq(conn, &self.conn));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let left = self.conn.streams.get().saturating_sub(1);
        self.conn.streams.set(left);
        if left == 0 {
            self.conn.since.set(Instant::now());
        }
    }
}

/// Says that a connection's task has ended, however it did.
struct Ended(Rc<Cell<bool>>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// One connection is being opened; whoever waits for it is woken also when that fails or is given up.
struct Opening<'a> {
    conns: &'a Conns,
    failed: bool,
}

impl<'a> Opening<'a> {
    fn begin(conns: &'a Conns) -> Self {
        conns.opening.set(true);
        Self { conns, failed: true }
    }

    fn done(mut self) {
        self.failed = false;
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.conns.opening.set(false);
        self.conns.failures.set(self.conns.failures.get() + u64::from(self.failed));
        self.conns.opened.notify_waiters();
    }
}
