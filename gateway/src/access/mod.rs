//! The access log: a line for every request that ended, or for those that the configuration wants.
//!
//! What is known of the request at its beginning is put into a [`Pending`], the exchange carries it along, and when the exchange is
//! settled the whole is handed to a thread of its own through a bounded queue ([`Log`]). A full queue drops the line and counts it:
//! a request never waits for its log, whatever the disk or the reader of stdout does.
//!
//! Cost: one look at an `Option` when it is off; when it is on, one box, the path, and the request's id and user agent by reference
//! count; forming and writing happen on the log's thread.

mod escape;
mod line;
mod query;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::header::{HeaderValue, REFERER, USER_AGENT};
use http::{Method, StatusCode, Version};
use weir_config::{AccessAlways, AccessLog, AccessQuery};
use weir_telemetry::{Evidence, Observation, Outcome, Start};

pub use writer::Log;

use crate::front::Conn;
use crate::identify::Identity;
use crate::live::{Live, Routed};
use crate::message::RequestParts as Parts;
use crate::request_id;
use crate::upstream::Ask;

/// What is known of a request whose line is not written yet.
#[derive(Debug)]
pub struct Pending {
    log: Arc<Log>,
    /// It leaves a line also if nothing is special about it.
    sampled: bool,
    line: Box<Line>,
}

/// All that a line tells.
#[derive(Debug)]
struct Line {
    time: SystemTime,
    client: std::net::SocketAddr,
    method: Option<Method>,
    path: Option<String>,
    query: Option<String>,
    protocol: Version,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    trace: Option<u128>,
    backend: Option<String>,
    endpoint: Option<String>,
    model: Option<String>,
    /// What the server knows it by, if that is not its name.
    model_id: Option<String>,
    version: Option<String>,
    status: Option<StatusCode>,
    /// Why weir answered itself.
    refused: Option<&'static str>,
    connect: Option<Duration>,
    /// Until the answer's head.
    head: Option<Duration>,
    first_byte: Option<Duration>,
    queue: Duration,
    total: Option<Duration>,
    request_bytes: u64,
    response_bytes: u64,
    outcome: Outcome,
    start: Start,
    evidence: Option<Evidence>,
}

/// The request's line begins, if there may be one.
pub fn begin(
    live: &Live,
    routed: &Routed<'_>,
    head: &Parts,
    conn: &Conn,
    id: Option<&HeaderValue>,
) -> Option<Pending> {
    let log = live.access.as_ref()?;
    let settings = log.settings();
    let sampled = is_sampled(settings);
    if !sampled && settings.always.is_empty() {
        return None;
    }
    let version = routed.found.as_ref().and_then(|found| {
        found.version(&head.uri, &head.headers, live.identify()).map(|version| version.to_string())
    });
    let line = Line {
        backend: Some(routed.backend.name.clone()),
        version,
        request_id: id.cloned().or_else(|| given_id(head)),
        ..Line::of(head, conn, settings)
    };
    Some(Pending { log: Arc::clone(log), sampled, line: Box::new(line) })
}

/// What a client sent and is no request: its line, if it is to be. `head`: as far as there is one.
pub fn refused(live: &Live, conn: &Conn, head: Result<&Parts, Version>, refused: &Refused) {
    let Some(log) = live.access.as_ref() else { return };
    let settings = log.settings();
    if !is_sampled(settings) && !settings.always.contains(&AccessAlways::Errors) {
        return;
    }
    let of_head = |head| Line { request_id: given_id(head), ..Line::of(head, conn, settings) };
    let line = head.map_or_else(|version| Line::empty(conn, version), of_head);
    let Refused { status, reason, outcome } = *refused;
    log.write(Box::new(Line { status, refused: Some(reason), outcome, ..line }));
}

/// How something was refused that is no request.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    /// What it was answered; none: its connection was closed.
    pub status: Option<StatusCode>,
    /// The word that is counted.
    pub reason: &'static str,
    /// Whose fault it was.
    pub outcome: Outcome,
}

fn given_id(head: &Parts) -> Option<HeaderValue> {
    head.headers.get(&request_id::X_REQUEST_ID).filter(|id| request_id::is_well_formed(id)).cloned()
}

impl Line {
    /// What a head tells.
    fn of(head: &Parts, conn: &Conn, settings: &AccessLog) -> Self {
        let header = |name| head.headers.get(name).cloned();
        Self {
            method: Some(head.method.clone()),
            path: Some(head.uri.path().to_owned()),
            query: head.uri.query().and_then(|query| match settings.query {
                AccessQuery::Off => None,
                AccessQuery::Names => Some(query::names(query)),
                AccessQuery::Redacted => Some(query::redacted(query)),
            }),
            user_agent: header(USER_AGENT),
            referer: header(REFERER).filter(|_| settings.format == weir_config::AccessFormat::Clf),
            trace: crate::trace::id(&head.headers),
            ..Self::empty(conn, head.version)
        }
    }

    fn empty(conn: &Conn, protocol: Version) -> Self {
        Self {
            time: SystemTime::now(),
            client: conn.peer,
            method: None,
            path: None,
            query: None,
            protocol,
            user_agent: None,
            referer: None,
            request_id: None,
            trace: None,
            backend: None,
            version: None,
            endpoint: None,
            model: None,
            model_id: None,
            status: None,
            refused: None,
            connect: None,
            head: None,
            first_byte: None,
            queue: Duration::ZERO,
            total: None,
            request_bytes: 0,
            response_bytes: 0,
            outcome: Outcome::Cancelled,
            start: Start::Unknown,
            evidence: None,
        }
    }
}

/// One of so many, by a cheap count that is spread: each thousandth of the numbers is hit evenly.
fn is_sampled(settings: &AccessLog) -> bool {
    /// Odd, and near 2^64 divided by the golden ratio: its multiples are spread evenly (Knuth, 6.4).
    const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
    static TURN: AtomicU64 = AtomicU64::new(0);
    match settings.sample.millionths() {
        1_000_000 => true,
        0 => false,
        share => {
            let turn = TURN.fetch_add(1, Ordering::Relaxed).wrapping_mul(STRIDE);
            (((turn >> 32) * 1_000_000) >> 32) < u64::from(share)
        }
    }
}

impl Pending {
    /// A backend was asked, and has answered or failed.
    pub fn asked(&mut self, ask: &Ask<'_>) {
        self.line.endpoint = ask.endpoint().map(weir_config::Endpoint::authority);
        self.line.connect = ask.connect_time();
        self.line.head = self.line.time.elapsed().ok();
    }

    /// Weir answers itself.
    pub fn refused(&mut self, status: StatusCode, reason: &'static str) {
        self.line.head = None;
        self.line.status = Some(status);
        self.line.refused = Some(reason);
    }

    /// The request has ended: its line is written, if it is to be.
    pub fn settle(mut self, status: Option<StatusCode>, model: Option<&Identity>, seen: &Observation) {
        let settings = self.log.settings();
        let total = Duration::from_nanos(seen.duration_ns);
        let is = |always: &AccessAlways| match always {
            AccessAlways::Errors => seen.outcome != Outcome::Ok,
            AccessAlways::Cold => seen.start == Start::Cold,
            AccessAlways::Slow => total >= settings.slow_after,
        };
        if !self.sampled && !settings.always.iter().any(is) {
            return;
        }
        let line = &mut self.line;
        line.status = line.status.or(status);
        line.model = model.map(|model| model.name.to_string());
        line.model_id = model.and_then(|model| model.resident.as_ref()).map(ToString::to_string);
        if let Some(version) = model.and_then(|model| model.version.as_ref()) {
            line.version = Some(version.to_string());
        }
        line.first_byte = seen.first_byte_ns.map(Duration::from_nanos);
        line.queue = Duration::from_nanos(seen.queue_ns);
        line.total = Some(total);
        line.request_bytes = seen.request_bytes;
        line.response_bytes = seen.response_bytes;
        line.outcome = seen.outcome;
        line.start = seen.start;
        line.evidence = seen.evidence;
        self.log.write(self.line);
    }
}
