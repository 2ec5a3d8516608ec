//! Upstream: asks a backend, and answers for every way that can fail.
//!
//! Entry: [`ask`]. An endpoint that cannot be connected to is passed over for the next one. A request on a reused connection that
//! dies before a byte of the answer is sent once more on a fresh one, if its body is still at hand: servers close idle connections
//! whenever they like. A fresh connection's failure is final.

mod alarm;
mod connect;
mod pool;
pub mod h2;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http_body::Frame;
use metrics::counter;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use weir_config::{Timeouts, UpstreamProtocol};
use weir_telemetry::names;

pub use alarm::Alarm;
pub use connect::ConnectError;
pub use pool::{Lease, Pool};

use crate::body::{InboundError, RelayUp, Upload, UploadState};
use crate::front::CoarseClock;
use crate::h1::client::{AnswerError, Awaiting, Receiving, Sending};
use crate::message::{RequestParts, ResponseParts};
use crate::refusal::Refusal;

/// How long a body waits for `100 Continue` before it is sent all the same (RFC 9110 §10.1.1 leaves the time open).
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// What one request asks of its backend.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The backend's name, for metrics.
    pub backend: &'a str,
    /// Its endpoints' pools, in the order to try.
    pub pools: Vec<&'a Rc<Pool>>,
    /// Its limits.
    pub timeouts: &'a Timeouts,
    /// How long the client may be silent while it sends its body.
    pub body_idle_timeout: Duration,
    /// When the whole request must be finished.
    pub deadline: Instant,
    /// The body.
    pub upload: &'a Rc<Upload>,
    /// The worker's clock.
    pub clock: &'a Rc<CoarseClock>,
    /// What is spoken with the backend.
    pub protocol: UpstreamProtocol,
    /// How long it waited its turn.
    pub queued: Cell<Duration>,
    /// The protocol that the client wants to switch to, and may.
    pub upgrade: Option<&'a str>,
    /// What became of it on its way.
    pub trail: Trail,
}

/// Where a request was sent, for those who want to know afterwards.
#[derive(Debug, Default)]
pub struct Trail {
    /// The place in [`Ask::pools`] of the endpoint that was asked last.
    endpoint: Cell<Option<usize>>,
    /// How long its connection took to open, or to fail, if one was opened for this request.
    connect: Cell<Option<Duration>>,
}

impl Ask<'_> {
    /// The endpoint that was asked last.
    pub fn endpoint(&self) -> Option<&weir_config::Endpoint> {
        Some(&self.pools.get(self.trail.endpoint.get()?)?.target.endpoint)
    }

    /// The place, among a backend's endpoints, of the one that was asked last; none if it was none of them.
    pub fn place(&self, endpoints: &[usize], pools: &[Rc<Pool>]) -> Option<usize> {
        if let [_] = endpoints {
            return Some(0);
        }
        let asked = self.pools.get(self.trail.endpoint.get()?)?;
        endpoints.iter().position(|at| pools.get(*at).is_some_and(|pool| Rc::ptr_eq(pool, asked)))
    }

    fn goes_to(&self, pool: &Rc<Pool>) {
        self.trail.endpoint.set(self.pools.iter().position(|one| Rc::ptr_eq(one, pool)));
    }

    /// A connection to this endpoint was opened, or could not be.
    fn opened(&self, pool: &Rc<Pool>, began: Instant) {
        self.goes_to(pool);
        self.trail.connect.set(Some(self.trail.connect.get().unwrap_or_default() + began.elapsed()));
    }

    /// How long connecting took, if that was needed.
    pub fn connect_time(&self) -> Option<Duration> {
        self.trail.connect.get()
    }
}

/// An answer's head and body.
#[derive(Debug)]
pub struct Answer {
    /// Status and fields, as the backend sent them.
    pub head: ResponseParts,
    /// What follows.
    pub body: AnswerBody,
}

/// An answer's body, and the connection it comes over.
#[derive(Debug)]
pub enum AnswerBody {
    /// Over HTTP/1.1.
    H1(Receiving),
    /// Over HTTP/2.
    H2(Box<h2::Receiving>),
}

impl AnswerBody {
    /// The next piece.
    ///
    /// # Errors
    /// [`AnswerError`]; the answer is broken.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        match self {
            Self::H1(body) => body.poll_frame(cx),
            Self::H2(body) => body.poll_frame(cx),
        }
    }

    /// Ready once `due` has come.
    pub fn poll_alarm(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        match self {
            Self::H1(body) => body.alarm().poll(cx, due),
            Self::H2(body) => body.alarm.poll(cx, due),
        }
    }

    /// Whether its end has been taken.
    pub fn is_end(&self) -> bool {
        match self {
            Self::H1(body) => body.is_end(),
            Self::H2(body) => body.is_end(),
        }
    }

    /// The bytes still to come, if known.
    pub fn left(&self) -> Option<u64> {
        match self {
            Self::H1(body) => body.left(),
            Self::H2(body) => body.left(),
        }
    }

    /// The exchange is complete: the connection may carry another.
    pub fn give_back(self) {
        match self {
            Self::H1(body) => body.give_back(),
            // Its slot is free from here on.
            Self::H2(_) => {}
        }
    }
}

/// Sends the request and waits for the answer's head.
///
/// # Errors
/// A [`Refusal`] that says which step failed and whose fault it was.
pub async fn ask(ask: &Ask<'_>, head: &RequestParts) -> Result<Answer, Refusal> {
    if ask.upgrade.is_none() && h2::speaks(ask.protocol, &head.headers) {
        return h2::ask(ask, head).await;
    }
    let named;
    let head = if head.headers.contains_key(HOST) {
        head
    } else {
        named = with_host(ask, head);
        &named
    };
    let lease = connection(ask).await?;
    let may_retry = lease.reused;
    if !may_retry {
        ask.upload.stop_keeping();
    }
    match send(ask, lease, head).await {
        Err(Sent::Died(_)) if may_retry && ask.upload.is_replayable() => {
            ask.upload.stop_keeping();
            send(ask, again(ask).await?, head).await
        }
        sent => sent,
    }
    .map_err(|sent| match sent {
        Sent::Refused(refusal) => refusal,
        Sent::Died(error) => Refusal::NoAnswer(error),
    })
}

/// A request of HTTP/1.0 may name no host; one of HTTP/1.1, which is what goes on, must (RFC 9112 §3.2).
fn with_host(ask: &Ask<'_>, head: &RequestParts) -> RequestParts {
    let mut head = head.clone();
    let authority = ask.pools.first().map(|pool| pool.target.endpoint.authority());
    if let Some(host) = authority.and_then(|authority| HeaderValue::try_from(authority).ok()) {
        head.headers.insert(HOST, host);
    }
    head
}

/// A connection to the first endpoint that has room: an idle one, else a new one; where none has room, in turn.
async fn connection(ask: &Ask<'_>) -> Result<Lease, Refusal> {
    for pool in &ask.pools {
        if let Some(seat) = pool.seat() {
            return take(ask, pool, seat).await;
        }
    }
    let first = ask.pools.first().ok_or(Refusal::NotImplemented("the backend has no endpoint"))?;
    let waited = Instant::now();
    let seat = first.seat_in_turn().await;
    ask.queued.set(waited.elapsed());
    take(ask, first, seat.ok_or(Refusal::Pending)?).await
}

/// An idle connection to this endpoint, else a new one to it or another.
async fn take(ask: &Ask<'_>, pool: &Rc<Pool>, seat: OwnedSemaphorePermit) -> Result<Lease, Refusal> {
    match pool.take(seat) {
        Ok(lease) => {
            ask.goes_to(pool);
            Ok(lease)
        }
        Err(seat) => fresh(ask, pool, seat).await,
    }
}

/// A new connection: to this endpoint, else to the next one that takes one.
async fn fresh(ask: &Ask<'_>, first: &Rc<Pool>, seat: OwnedSemaphorePermit) -> Result<Lease, Refusal> {
    let mut last = match open(ask, first, seat).await {
        Ok(lease) => return Ok(lease),
        Err(error) => error,
    };
    for pool in ask.pools.iter().filter(|pool| !Rc::ptr_eq(pool, first)) {
        let Some(seat) = pool.seat() else { continue };
        match open(ask, pool, seat).await {
            Ok(lease) => return Ok(lease),
            Err(error) => last = error,
        }
    }
    Err(Refusal::Connect(last))
}

async fn open(ask: &Ask<'_>, pool: &Rc<Pool>, seat: OwnedSemaphorePermit) -> Result<Lease, ConnectError> {
    let began = Instant::now();
    let opened = connect::open(pool, ask.timeouts.connect, seat).await;
    ask.opened(pool, began);
    match &opened {
        Ok(_) => counter!(names::UPSTREAM_CONNECTIONS, "backend" => ask.backend.to_owned()).increment(1),
        Err(error) => count_failure(ask.backend, error),
    }
    opened
}

fn count_failure(backend: &str, error: &ConnectError) {
    counter!(names::UPSTREAM_CONNECT_ERRORS, "backend" => backend.to_owned(), "reason" => error.reason())
        .increment(1);
}

/// The second and last try, on a connection of its own.
async fn again(ask: &Ask<'_>) -> Result<Lease, Refusal> {
    counter!(names::UPSTREAM_RETRIES, "backend" => ask.backend.to_owned()).increment(1);
    let first = ask.pools.first().ok_or(Refusal::Pending)?;
    let seat = match first.seat() {
        Some(seat) => seat,
        None => first.seat_in_turn().await.ok_or(Refusal::Pending)?,
    };
    fresh(ask, first, seat).await
}

/// How an attempt ended without an answer.
enum Sent {
    /// Final.
    Refused(Refusal),
    /// The connection died, and nothing of an answer was seen.
    Died(AnswerError),
}

async fn send(ask: &Ask<'_>, mut lease: Lease, head: &RequestParts) -> Result<Answer, Sent> {
    let body = RelayUp::new(Rc::clone(ask.upload), Rc::clone(ask.clock));
    let mut sending = Sending::begin(lease.wire(), head, body);
    let mut awaiting = Awaiting::new(&head.method, ask.upgrade);
    let mut limit = Limit::new(ask, sending.is_held());
    let answered = poll_fn(|cx| {
        loop {
            let polled = awaiting.poll(cx, lease.wire(), &mut sending, |status, headers| {
                ask.upload.interim(status, headers);
            });
            if let Poll::Ready(answered) = polled {
                return Poll::Ready(Ok(answered));
            }
            ready!(limit.poll(cx, lease.alarm(), ask, &mut sending))?;
        }
    })
    .await;
    match answered.map_err(Sent::Refused)? {
        Ok(answer) => {
            let body = Receiving::new(lease, sending, answer.framing, answer.keep_alive);
            Ok(Answer { head: answer.parts, body: AnswerBody::H1(body) })
        }
        Err(error) if error.is_death() && !awaiting.seen => Err(Sent::Died(error)),
        Err(error) => Err(Sent::Refused(refusal(error))),
    }
}

fn refusal(error: AnswerError) -> Refusal {
    match error {
        AnswerError::Upload(InboundError::Gone(_)) => Refusal::ClientGone,
        AnswerError::Upload(InboundError::TooLarge(bytes)) => Refusal::BodyTooLarge(bytes),
        AnswerError::Upload(_) => Refusal::RequestBody,
        AnswerError::Unasked => Refusal::UnaskedUpgrade,
        AnswerError::Stream(ref stream) if stream.is_library() => Refusal::BadAnswer(error),
        AnswerError::Broken(_) | AnswerError::Stream(_) => Refusal::NoAnswer(error),
        AnswerError::Head(_) | AnswerError::Body(_) => Refusal::BadAnswer(error),
    }
}

/// The limits on waiting for a head. While the client is still awaited for its body, its silence is limited, not the backend's.
struct Limit {
    sent: Instant,
    next: Instant,
}

impl Limit {
    fn new(ask: &Ask<'_>, held: bool) -> Self {
        let sent = Instant::now();
        let wait = match ask.upload.state() {
            _ if held => CONTINUE_WAIT,
            UploadState::Done => ask.timeouts.first_byte,
            _ => ask.timeouts.first_byte.min(ask.body_idle_timeout),
        };
        Self { sent, next: (sent + wait).min(ask.deadline) }
    }

    /// Ready when there is something to be done about time: an error, or another look at the request.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        alarm: &mut Alarm,
        ask: &Ask<'_>,
        sending: &mut Sending,
    ) -> Poll<Result<(), Refusal>> {
        ready!(alarm.poll(cx, self.next));
        if sending.is_held() {
            sending.release();
            self.sent = Instant::now();
            self.next = (self.sent + ask.timeouts.first_byte.min(ask.body_idle_timeout)).min(ask.deadline);
        } else {
            self.check(ask)?;
        }
        Poll::Ready(Ok(()))
    }

    fn check(&mut self, ask: &Ask<'_>) -> Result<(), Refusal> {
        let now = Instant::now();
        if now >= ask.deadline {
            return Err(Refusal::RequestTimeout(ask.timeouts.request));
        }
        let awaits_client = ask.upload.awaits_client();
        let wait = if awaits_client { ask.body_idle_timeout } else { ask.timeouts.first_byte };
        let until = self.sent.max(ask.upload.progress()) + wait;
        if now < until {
            self.next = until.min(ask.deadline);
            return Ok(());
        }
        Err(if awaits_client { Refusal::RequestBodyTimeout(wait) } else { Refusal::FirstByteTimeout(wait) })
    }
}
