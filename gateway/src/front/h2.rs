//! Serves one client's HTTP/2 connection. The protocol is hyper's; here are its limits, what it lets through and weir does not
//! ([`request`]), floods ([`meter`]), and clients that stop taking their answers ([`stream`]).
//!
//! Beside the limits with names of their own, the `h2` crate ends a connection for CONTINUATION floods, for streams that the client's
//! faults make it reset (MadeYouReset), and for DATA frames out of proportion to what they carry. A pseudo-field in trailers is malformed
//! (RFC 9113 §8.1); the crate drops it and hands on the other trailers without a word, so that it cannot be refused here: it ends here.

mod meter;
mod request;
mod stream;

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use h2::Reason;
use http::{Request, Version};
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use weir_config::ListenLimits;
use weir_telemetry::{Outcome, names};

use self::meter::Metered;
use self::stream::{Down, Streams};
use super::guard::{Conn, Guard};
use crate::access::{self, Refused};
use crate::body::{Inbound, Outbound};
use crate::grpc;
use crate::message::RequestParts;
use crate::proxy::{self, Reply};
use crate::refusal::Refusal;
use crate::worker::Worker;

/// Resets by the client that may wait to be seen (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;
/// Streams that a client's faults make weir reset on one connection (CVE-2025-8671).
const LOCAL_RESETS_MAX: usize = 128;

/// Serves until the client, a limit or the drain ends it.
pub(super) async fn serve(worker: &Rc<Worker>, limits: &Rc<ListenLimits>, guard: Guard, conn: &Rc<Conn>) {
    let streams = Streams::new(limits.body_idle_timeout);
    let service = service_fn(|asked| {
        let stall = streams.next();
        let (worker, conn, limits) = (Rc::clone(worker), Rc::clone(conn), Rc::clone(limits));
        async move {
            let answer = answer(&worker, &conn, &limits, asked).await;
            let down = Down::new(answer.body, stall, Rc::clone(&worker.clock));
            Ok::<_, Infallible>(answer.head.into_response(down))
        }
    });
    let io = TokioIo::new(Metered::new(guard, Rc::clone(conn), &limits.h2));
    let mut serving = pin!(builder(limits, streams.clone()).serve_connection(io, service));
    let mut told = false;
    let served = poll_fn(|cx| {
        // Whoever retires the connection wakes it.
        conn.park(cx.waker());
        if !told && (conn.is_retired() || conn.is_overdue()) {
            told = true;
            serving.as_mut().graceful_shutdown();
        }
        serving.as_mut().poll(cx)
    });
    if let Err(error) = served.await {
        note(worker, conn, &error);
    }
}

fn builder(limits: &ListenLimits, streams: Streams) -> Builder<Streams> {
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut builder = Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_concurrent_streams_max)
        .max_header_list_size(size(limits.header_bytes_max.as_usize()))
        .initial_stream_window_size(size(limits.h2.window_bytes.as_usize()))
        .initial_connection_window_size(size(limits.h2.connection_window_bytes.as_usize()))
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .keep_alive_interval(Some(limits.h2.ping_interval).filter(|interval| *interval > Duration::ZERO))
        .keep_alive_timeout(limits.h2.ping_timeout);
    builder
}

/// One request: refused, or served; a panic costs this request alone.
async fn answer(
    worker: &Rc<Worker>,
    conn: &Rc<Conn>,
    limits: &ListenLimits,
    asked: Request<Incoming>,
) -> Reply {
    let (head, body) = asked.into_parts();
    let mut head = RequestParts::from(head);
    if let Err(error) = request::check(&mut head, limits) {
        let refusal = Refusal::from(error);
        counter!(names::HTTP_REFUSED, "reason" => refusal.reason()).increment(1);
        tracing::debug!(reason = refusal.reason(), error = %refusal, client = %conn.peer, "request refused");
        access::refused(&worker.view().live, conn, Ok(&head), &refusal.told());
        let plain = refusal.response(None);
        return if grpc::is_grpc(&head.headers) {
            Reply::of(grpc::refused(&refusal, plain).map(Outbound::Own))
        } else {
            Reply::own(plain)
        };
    }
    let mut serving = pin!(proxy::serve(worker, conn, head, Inbound::Socket(body)));
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| serving.as_mut().poll(cx)))
            .unwrap_or_else(|_| Poll::Ready(panicked()))
    })
    .await
}

fn panicked() -> Reply {
    counter!(names::PANICS).increment(1);
    tracing::error!("a request panicked; it was answered 500, the others are not touched");
    Reply::own(Refusal::Panicked.response(None))
}

/// A connection's end that was not the client's plain goodbye.
fn note(worker: &Worker, conn: &Conn, error: &hyper::Error) {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(reason) = reason(one) {
            counter!(names::HTTP_REFUSED, "reason" => reason).increment(1);
            let refused = Refused { status: None, reason, outcome: Outcome::ClientError };
            access::refused(&worker.view().live, conn, Err(Version::HTTP_2), &refused);
            break;
        }
        cause = one.source();
    }
    tracing::debug!(error = error as &dyn Error, "client connection ended");
}

fn reason(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let h2 = error.downcast_ref::<h2::Error>()?;
    match h2.reason()? {
        _ if !h2.is_library() => None,
        Reason::NO_ERROR => None,
        Reason::ENHANCE_YOUR_CALM => Some("h2_flood"),
        _ => Some("h2_protocol"),
    }
}
