//! Serves one client's connection: a head, its answer, the next head.
//!
//! Everything of a request runs in the connection's own task: the answer's future, the body it pulls, the answer's relay. While a
//! request is served the socket is watched, so that a client that leaves is noticed; what it sends meanwhile is read up to a bound.
//!
//! Cost of a request: one read, one write; allocations for the head's bytes, its fields, and the answer's relay.

mod answer;
mod body;
mod ending;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Buf;
use http::{Method, Version};
use metrics::counter;
use weir_telemetry::names;

use super::decode::Decoder;
use super::head::{BadHead, HeadLimits, Scan, is_token};
use super::notable::Field;
use super::request::{self, RequestHead};
use super::tunnel;
use super::wire::Wire;
use crate::access;
use crate::body::{Inbound, Outbound};
use crate::front::{Conn, Guard};
use crate::message::RequestParts;
use crate::proxy::{self, Reply};
use crate::refusal::Refusal;
use crate::worker::Worker;

pub use body::RequestBody;

/// What is read ahead of a client that is being served.
const AHEAD_BYTES_MAX: usize = 16 * 1024;

/// A client's connection, shared with the body of its request. All on one thread; no borrow outlives a poll.
#[derive(Debug)]
pub struct Client {
    wire: RefCell<Wire<Guard>>,
    body: RefCell<Decoder>,
    /// The client waits for `100 Continue`.
    expects: Cell<bool>,
    /// Whether interim answers may be sent: HTTP/1.1, and the final one has not begun.
    interim: Cell<bool>,
    conn: Rc<Conn>,
}

/// What the answer's framing depends on.
#[derive(Debug, Clone, Copy)]
struct Asked {
    is_head: bool,
    version: Version,
    wants_trailers: bool,
    keep_alive: bool,
}

/// How a request left the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// For the next request.
    Next,
    /// To be closed, after the answer has had a chance to arrive.
    Close,
    /// Useless.
    Drop,
}

/// Serves until the client, a limit or the drain ends it.
pub async fn serve(worker: &Rc<Worker>, conn: &Rc<Conn>, limits: &HeadLimits, requests_max: u32, io: Guard) {
    let client = Rc::new(Client::new(Wire::new(io), Rc::clone(conn)));
    let mut served = 0_u32;
    loop {
        served = served.wrapping_add(1);
        if served == requests_max {
            // The next answer is the last one, and says so.
            conn.is_last();
        }
        let then = match client.head(limits).await {
            Ok(Some(head)) => client.exchange(worker, head).await,
            Ok(None) => Then::Drop,
            Err(refusal) => client.refuse(worker, &refusal).await,
        };
        match then {
            Then::Next if !conn.is_retired() => client.wire.borrow_mut().rest(),
            Then::Next | Then::Close => return ending::close(&client).await,
            Then::Drop => return,
        }
    }
}

impl Client {
    /// The socket and its buffers.
    pub(super) fn wire(&self) -> std::cell::RefMut<'_, Wire<Guard>> {
        self.wire.borrow_mut()
    }

    fn new(wire: Wire<Guard>, conn: Rc<Conn>) -> Self {
        Self {
            wire: RefCell::new(wire),
            body: RefCell::new(Decoder::new(super::decode::Framing::None)),
            expects: Cell::new(false),
            interim: Cell::new(false),
            conn,
        }
    }

    /// The next request's head; none when the client has nothing more to ask, or is asked to go.
    async fn head(&self, limits: &HeadLimits) -> Result<Option<RequestHead>, Refusal> {
        let mut scan = Scan::default();
        if !self.wire.borrow().read.is_empty() {
            self.conn.bytes_arrived();
        }
        poll_fn(|cx| self.poll_head(cx, &mut scan, limits)).await
    }

    fn poll_head(
        &self,
        cx: &mut Context<'_>,
        scan: &mut Scan,
        limits: &HeadLimits,
    ) -> Poll<Result<Option<RequestHead>, Refusal>> {
        let wire = &mut *self.wire.borrow_mut();
        loop {
            // Empty lines before a request are passed over (RFC 9112 §2.2).
            while wire.read.starts_with(b"\r\n") {
                wire.read.advance(2);
                *scan = Scan::default();
            }
            if wire.read.first().is_some_and(|first| !is_token(*first) && *first != b'\r') {
                return Poll::Ready(Err(BadHead::Malformed("this is not HTTP").into()));
            }
            if let Some(end) = scan.end(&wire.read, limits)? {
                let block = wire.read.split_to(end).freeze();
                return Poll::Ready(Ok(Some(request::parse(&block, limits)?)));
            }
            // Also where nothing but empty lines has come.
            if self.conn.is_overdue() {
                return Poll::Ready(Err(Refusal::HeadTimeout));
            }
            match wire.poll_fill(cx) {
                // Only now is it sure that nothing has come.
                Poll::Pending if self.conn.is_leaving() && wire.read.is_empty() => {
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending => {
                    self.conn.park(cx.waker());
                    return Poll::Pending;
                }
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// One request and its answer.
    async fn exchange(self: &Rc<Self>, worker: &Rc<Worker>, head: RequestHead) -> Then {
        let asked = Asked {
            is_head: head.parts.method == Method::HEAD,
            version: head.parts.version,
            wants_trailers: head.parts.notable.has(Field::Te) && wants_trailers(&head.parts),
            keep_alive: head.keep_alive,
        };
        self.expects.set(head.expects_continue);
        self.interim.set(asked.version == Version::HTTP_11);
        *self.body.borrow_mut() = Decoder::new(head.framing);
        let body = Inbound::H1(RequestBody::new(Rc::clone(self)));
        let answer = {
            // Boxed, so that a connection on which nothing is asked does not keep the room for it.
            let mut serving = Box::pin(proxy::serve(worker, &self.conn, head.parts, body));
            poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| serving.as_mut().poll(cx))) {
                Ok(Poll::Ready(answer)) => Poll::Ready(Some(answer)),
                Ok(Poll::Pending) => self.poll_gone(cx).map(|()| None),
                Err(_) => Poll::Ready(Some(panicked())),
            })
            .await
        };
        match answer {
            Some(answer) => self.answer(worker, asked, answer).await,
            // Dropping the request's future has cancelled and counted it.
            None => Then::Drop,
        }
    }

    async fn answer(self: &Rc<Self>, worker: &Worker, asked: Asked, answer: Reply) -> Then {
        self.interim.set(false);
        let Reply { head, mut body } = answer;
        if let Outbound::Tunnel(tunnel) = body {
            return tunnel::run(self, &head, tunnel).await;
        }
        let then = self.relay(worker, asked, head, &mut body).await;
        // A body that nobody wanted is still on its way: there is no telling where the next request begins.
        if then == Then::Next && !self.body.borrow().is_done() { Then::Close } else { then }
    }

    /// Ready when the client has gone; reads ahead what it sends.
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.body.borrow().is_done() {
            // Its body is being read, or held back; that is where the end is seen.
            return Poll::Pending;
        }
        let wire = &mut *self.wire.borrow_mut();
        let may_end = self.conn.keeps_half_closed();
        while wire.read.len() < AHEAD_BYTES_MAX {
            if may_end && wire.ended() {
                return Poll::Pending;
            }
            match wire.poll_fill(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(count)) if count > 0 || may_end => {}
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// What cannot be a request is answered, and the connection closed.
    async fn refuse(self: &Rc<Self>, worker: &Worker, refusal: &Refusal) -> Then {
        counter!(names::HTTP_REFUSED, "reason" => refusal.reason()).increment(1);
        tracing::debug!(reason = refusal.reason(), error = %refusal, client = %self.conn.peer, "request refused");
        access::refused(&worker.view().live, &self.conn, Err(Version::HTTP_11), &refusal.told());
        let asked =
            Asked { is_head: false, version: Version::HTTP_11, wants_trailers: false, keep_alive: false };
        let Reply { head, mut body } = Reply::own(refusal.response(None));
        match self.relay(worker, asked, head, &mut body).await {
            Then::Drop => Then::Drop,
            _ => Then::Close,
        }
    }
}

fn wants_trailers(head: &RequestParts) -> bool {
    head.headers.get(http::header::TE).is_some_and(|te| {
        te.as_bytes()
            .split(|byte| *byte == b',')
            .any(|one| one.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

fn panicked() -> Reply {
    counter!(names::PANICS).increment(1);
    tracing::error!("a request panicked; it was answered 500, the others are not touched");
    Reply::own(Refusal::Panicked.response(None))
}
