//! The admin side's sockets: how many connections, how large a head, how long for what. A client that does not read or does not
//! write is cut off, so that none can keep others from their health checks.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tower::Service;
use weir_telemetry::names;

use super::guard::{self, Caller, Door};
use crate::app::State;
use crate::front::TlsDoor;
use crate::net::Stream;

/// From one request's end to the next one's head: longer than scrapers' usual interval.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// A client of TLS has this long for the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is gone.
const WRITE_STALL: Duration = Duration::from_secs(30);
/// A head, all lines together.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Lines of a head.
const HEAD_LINES_MAX: usize = 64;
/// After `accept` fails for want of descriptors: give others time to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One address of the admin side.
#[derive(Debug)]
pub struct Side {
    /// Its socket.
    pub socket: TcpListener,
    /// Its TLS.
    pub tls: Option<Arc<TlsDoor>>,
}

impl Side {
    /// Another handle of it.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, tls: self.tls.clone() })
    }
}

/// Accepts and serves until another process has the socket, or the control plane's runtime ends.
pub(super) async fn serve(
    Side { socket, tls }: Side,
    door: Door,
    router: Router,
    state: Arc<State>,
    until: watch::Receiver<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "admin side could not start");
            return;
        }
    };
    let seats = usize::from(state.shared.load().config.admin.connections_max);
    let seats = Arc::new(Semaphore::new(seats));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let accepted = tokio::select! {
            biased;
            () = over(until.clone()) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, state) = (router.clone(), Arc::clone(&state));
                let (tls, until) = (tls.clone(), until.clone());
                connections.spawn(async move {
                    let _seat = seat;
                    let Some((stream, caller)) = shake(stream.into(), peer, door, tls).await else { return };
                    connection(stream, caller, router, state, until).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "admin side cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Nobody wants it to go on.
async fn over(mut until: watch::Receiver<()>) {
    while until.changed().await.is_ok() {}
}

/// TLS, where there is some, and who asks.
async fn shake(
    mut stream: Stream,
    peer: SocketAddr,
    door: Door,
    tls: Option<Arc<TlsDoor>>,
) -> Option<(Stream, Caller)> {
    stream.set_nodelay();
    if let Some(tls) = tls {
        let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, stream.accept_tls(tls.config()));
        let shaken = shaken.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match shaken {
            Ok(shaken) => stream = shaken,
            Err(error) => {
                counter!(names::ADMIN_DENIED, "reason" => "tls").increment(1);
                tracing::debug!(%error, %peer, "no TLS with a client of the admin side");
                return None;
            }
        }
    }
    let certified = stream.is_certified();
    Some((stream, Caller { peer, door, certified }))
}

async fn connection(
    stream: Stream,
    caller: Caller,
    router: Router,
    state: Arc<State>,
    until: watch::Receiver<()>,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        answer(request.map(Body::new), caller, router.clone(), Arc::clone(&state))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_LINES_MAX)
        .serve_connection(TokioIo::new(Impatient::new(stream)), service);
    let mut serving = pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = over(until) => {
            // A scraper that keeps its connection goes to the other process.
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "admin connection ended");
    }
}

async fn answer(
    mut request: Request,
    caller: Caller,
    mut router: Router,
    state: Arc<State>,
) -> Result<Response, Infallible> {
    let live = state.shared.load();
    let admin = &live.config.admin;
    let is_token = |shown: &[u8]| admin.token_file.as_ref().is_some_and(|path| state.token.is(path, shown));
    let mut response = match guard::admit(&mut request, caller, admin, is_token) {
        Ok(()) => router.call(request).await.unwrap_or_else(|never| match never {}),
        Err(denied) => {
            counter!(names::ADMIN_DENIED, "reason" => denied.reason()).increment(1);
            denied.into_response()
        }
    };
    protect(response.headers_mut());
    Ok(response)
}

/// What tells browsers to be careful; a page that knows better has set its own.
fn protect(headers: &mut HeaderMap) {
    const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    const ALL: [(HeaderName, &str); 6] = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CORP, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in ALL {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// A socket whose other side has to take what is written within [`WRITE_STALL`].
struct Impatient {
    stream: Stream,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Impatient {
    const fn new(stream: Stream) -> Self {
        Self { stream, stalled: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let until = Instant::now() + WRITE_STALL;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
