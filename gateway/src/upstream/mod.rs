//! Upstream: asks a backend, and answers for every way that can fail.
//!
//! Entry: [`ask`]. An endpoint that cannot be connected to is passed over for the next one. A request on a reused connection that
//! dies before a byte of the answer is sent once more on a fresh one, if its body is still at hand: servers close idle connections
//! whenever they like. A fresh connection's failure is final.

mod pool;
mod connect;

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use metrics::counter;
use tokio::time::Instant;
use weir_config::Timeouts;
use weir_telemetry::names;

pub use connect::ConnectError;
pub use pool::{Lease, Pool};

use crate::body::{RelayUp, Upload, UploadState};
use crate::front::CoarseClock;
use crate::refusal::Refusal;

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
}

/// An answer's head, its body, and the connection it comes over.
pub type Answer = (Response<Incoming>, Lease);

/// Sends the request and waits for the answer's head.
///
/// # Errors
/// A [`Refusal`] that says which step failed and whose fault it was.
pub async fn ask(ask: &Ask<'_>, head: Parts) -> Result<Answer, Refusal> {
    let mut lease = connection(ask).await?;
    let may_retry = lease.reused;
    if !may_retry {
        ask.upload.stop_keeping();
    }
    let spare = may_retry.then(|| head.clone());
    match send(ask, &mut lease, head).await {
        Ok(answer) => Ok((answer, lease)),
        Err(Sent::Refused(refusal)) => Err(refusal),
        Err(Sent::Died(error)) => match spare {
            Some(head) if ask.upload.is_replayable() => again(ask, head).await,
            _ => Err(died(error)),
        },
    }
}

/// The second and last try, on a connection of its own.
async fn again(ask: &Ask<'_>, head: Parts) -> Result<Answer, Refusal> {
    counter!(names::UPSTREAM_RETRIES, "backend" => ask.backend.to_owned()).increment(1);
    ask.upload.stop_keeping();
    let mut lease = fresh(ask).await?;
    match send(ask, &mut lease, head).await {
        Ok(answer) => Ok((answer, lease)),
        Err(Sent::Refused(refusal)) => Err(refusal),
        Err(Sent::Died(error)) => Err(died(error)),
    }
}

fn died(error: hyper::Error) -> Refusal {
    if error.is_parse() { Refusal::BadAnswer(error) } else { Refusal::NoAnswer(error) }
}

async fn connection(ask: &Ask<'_>) -> Result<Lease, Refusal> {
    if let Some(pool) = ask.pools.first()
        && let Some(lease) = pool.take().await
    {
        return Ok(lease);
    }
    fresh(ask).await
}

/// A new connection to the first endpoint that takes one.
async fn fresh(ask: &Ask<'_>) -> Result<Lease, Refusal> {
    let mut last = None;
    for pool in &ask.pools {
        match connect::open(pool, ask.timeouts.connect).await {
            Ok(lease) => {
                counter!(names::UPSTREAM_CONNECTIONS, "backend" => ask.backend.to_owned()).increment(1);
                return Ok(lease);
            }
            Err(error) => {
                let reason = match &error {
                    ConnectError::Failed { .. } => "failed",
                    ConnectError::Timeout { .. } => "timeout",
                };
                counter!(names::UPSTREAM_CONNECT_ERRORS, "backend" => ask.backend.to_owned(), "reason" => reason)
                    .increment(1);
                last = Some(error);
            }
        }
    }
    Err(last.map_or(Refusal::NotImplemented("the backend has no endpoint"), Refusal::Connect))
}

/// How an attempt ended without an answer.
enum Sent {
    /// Final.
    Refused(Refusal),
    /// The connection died, and nothing of an answer was seen.
    Died(hyper::Error),
}

async fn send(ask: &Ask<'_>, lease: &mut Lease, head: Parts) -> Result<Response<Incoming>, Sent> {
    let body = RelayUp::new(Rc::clone(ask.upload), Rc::clone(ask.clock));
    let mut sending = pin!(lease.sender.send_request(Request::from_parts(head, body)));
    let limit = Limit::new(ask);
    let mut timer = pin!(tokio::time::sleep_until(limit.next.get()));
    let answered = loop {
        tokio::select! {
            biased;
            answered = sending.as_mut() => break answered,
            () = timer.as_mut() => {
                limit.check(ask).map_err(Sent::Refused)?;
                timer.as_mut().reset(limit.next.get());
            }
        }
    };
    match answered {
        Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
            Err(Sent::Refused(Refusal::UnaskedUpgrade))
        }
        Ok(answer) => Ok(answer),
        Err(_) if ask.upload.state() == UploadState::Gone => Err(Sent::Refused(Refusal::ClientGone)),
        Err(_) if ask.upload.state() == UploadState::Failed => Err(Sent::Refused(Refusal::RequestBody)),
        Err(error) if error.is_parse() => Err(Sent::Refused(died(error))),
        Err(error) => Err(Sent::Died(error)),
    }
}

/// The limits on waiting for a head. While the client is still awaited for its body, its silence is limited, not the backend's.
struct Limit {
    sent: Instant,
    next: Cell<Instant>,
}

impl Limit {
    fn new(ask: &Ask<'_>) -> Self {
        let sent = Instant::now();
        let wait = match ask.upload.state() {
            UploadState::Done => ask.timeouts.first_byte,
            _ => ask.timeouts.first_byte.min(ask.body_idle_timeout),
        };
        Self { sent, next: Cell::new((sent + wait).min(ask.deadline)) }
    }

    fn check(&self, ask: &Ask<'_>) -> Result<(), Refusal> {
        let now = Instant::now();
        if now >= ask.deadline {
            return Err(Refusal::RequestTimeout(ask.timeouts.request));
        }
        let awaits_client = ask.upload.awaits_client();
        let wait = if awaits_client { ask.body_idle_timeout } else { ask.timeouts.first_byte };
        let until = self.sent.max(ask.upload.progress()) + wait;
        if now < until {
            self.next.set(until.min(ask.deadline));
            return Ok(());
        }
        Err(if awaits_client { Refusal::RequestBodyTimeout(wait) } else { Refusal::FirstByteTimeout(wait) })
    }
}
