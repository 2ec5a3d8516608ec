//! The spine: the one function that knows the order of the rooms. It reads like a table of contents.
//!
//! Cost of a request here, beside what the rooms state: one `Rc` for the body's state, one box for the answer's relay.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use metrics::counter;
use tokio::time::Instant;
use weir_config::{Action, Plane};
use weir_telemetry::names;

use crate::access;
use crate::body::{DownLimits, Inbound, Outbound, RelayDown, Upload, UploadState};
use crate::classify;
use crate::exchange::{Exchange, Subject, Verdict};
use crate::forward;
use crate::front::Conn;
use crate::grpc;
use crate::h1::tunnel::Tunnel;
use crate::identify::{BodyScan, Identified, Identity, Progress, ScanFlags};
use crate::live::{Backend, Routed};
use crate::message::{RequestParts as Parts, ResponseParts};
use crate::numbers::Numbers;
use crate::refusal::Refusal;
use crate::request_id;
use crate::upstream::{self, Answer, AnswerBody, Ask, Trail};
use crate::worker::{View, Worker};

/// The data path behind one client's connection, as a service: what tests and embedding programs drive without a socket. The front
/// calls [`serve`] itself, which needs no box.
#[derive(Debug, Clone)]
pub struct Proxy {
    worker: Rc<Worker>,
    conn: Rc<Conn>,
}

impl Proxy {
    /// The data path of `worker` for the client of `conn`.
    pub const fn new(worker: Rc<Worker>, conn: Rc<Conn>) -> Self {
        Self { worker, conn }
    }
}

impl tower::Service<Request<Inbound>> for Proxy {
    type Response = Response<Outbound>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Outbound>, Infallible>>>>;

    /// Always ready: what there is no room for is refused by a response.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Inbound>) -> Self::Future {
        let Self { worker, conn } = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let reply = serve(&worker, &conn, head.into(), body).await;
            Ok(reply.head.into_response(reply.body))
        })
    }
}

/// What a request is answered with.
#[derive(Debug)]
pub struct Reply {
    /// Status and fields.
    pub head: ResponseParts,
    /// What follows.
    pub body: Outbound,
}

impl Reply {
    /// The same in other words.
    pub fn of(response: Response<Outbound>) -> Self {
        let (head, body) = response.into_parts();
        Self { head: head.into(), body }
    }

    /// An answer of our own.
    pub fn own(response: Response<Bytes>) -> Self {
        Self::of(response.map(|body| Outbound::Own(Some(body))))
    }
}

/// Serves one request: never fails, every end is a response and one observation.
pub async fn serve(worker: &Rc<Worker>, conn: &Rc<Conn>, mut head: Parts, body: Inbound) -> Reply {
    #[cfg(feature = "faults")]
    crate::faults::strike(&head);
    let view = worker.view();
    let id = request_id::see_to(&mut head.headers, view.live.forward().request_id);
    // HTTP/1.1 heads were checked where they were read.
    let checked = if matches!(body, Inbound::H1(_)) { Ok(()) } else { check(&head) };
    let upload = Upload::new(body, view.live.identify().peek_bytes_max.as_usize(), worker.clock.now());
    let Some(routed) = view.live.route(&head) else {
        let refusal = Refusal::NotImplemented("no backend is configured");
        return Reply::own(refusal.response(None));
    };
    let backend = routed.backend;
    let speaks_grpc = head.version == Version::HTTP_2 && grpc::is_grpc(&head.headers);
    let mut exchange = Exchange::begin(worker, conn, backend.id, upload);
    exchange.trace = crate::trace::id(&head.headers);
    exchange.log(access::begin(&view.live, &routed, &head, conn, id.as_ref()));
    let passed = match checked {
        Ok(()) => pass(&mut exchange, worker, conn, &view, routed, head).await,
        Err(refusal) => Err(refusal),
    };
    let mut reply = match passed {
        Ok((Answer { head, body }, limits)) => {
            let body = match body {
                AnswerBody::H1(body) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                    Outbound::Tunnel(Box::new(Tunnel {
                        lease: body.into_lease(),
                        exchange,
                        silence: limits.between_bytes,
                        deadline: limits.deadline,
                    }))
                }
                body => Outbound::Relay(Box::new(RelayDown::new(body, exchange, limits))),
            };
            Reply { head, body }
        }
        Err(refusal) => refuse(&mut exchange, backend, &refusal, speaks_grpc),
    };
    if let Some(id) = id {
        reply.head.headers.insert(&request_id::X_REQUEST_ID, id);
    }
    reply
}

/// The rooms in their order: integrity, identify, (admit,) upstream, classify.
async fn pass(
    exchange: &mut Exchange,
    worker: &Rc<Worker>,
    conn: &Rc<Conn>,
    view: &View,
    routed: Routed<'_>,
    mut head: Parts,
) -> Result<(Answer, DownLimits), Refusal> {
    let backend = routed.backend;
    let own_limit = routed.found.as_ref().and_then(crate::identify::Found::timeout);
    let time = own_limit.map_or(backend.timeouts.request, |own| own.min(backend.timeouts.request));
    let deadline = Instant::from_std(exchange.began()) + time;
    let body_bytes_max = routed.body_bytes_max.unwrap_or(conn.body_bytes_max);
    if body_bytes_max != 0 && !exchange.upload().limit(body_bytes_max) {
        return Err(Refusal::BodyTooLarge(body_bytes_max));
    }
    let identity = whose(exchange, view, &routed, &head).await?;
    worker.found(identity.as_ref().map(|identity| identity.origin));
    exchange.is_about(subject(backend, &routed, identity, worker));

    let has_body = exchange.upload_state() != UploadState::Done || exchange.upload().held() > 0;
    let upgrade = forward::upgrade(&head, has_body);
    forward::request(&mut head, conn, view.live.forward(), has_body);
    if upgrade.is_none() && exchange.upload().expects_continue() {
        head.headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
    if let Some(protocol) = &upgrade {
        forward::ask_to_switch(&mut head.headers, protocol);
    }
    let plane = routed.found.as_ref().map_or(Plane::Inference, crate::identify::Found::plane);
    if let Some(signer) = backend.signer.as_ref().filter(|_| plane == Plane::Inference) {
        signer.sign(&mut head, exchange.upload(), (deadline, backend.timeouts.request)).await?;
    }
    let upload = Rc::clone(exchange.upload());
    let mut ask = ask(worker, conn, view, (backend, plane), &upload, deadline);
    ask.upgrade = upgrade.as_ref().and_then(|protocol| protocol.to_str().ok());
    let asked = upstream::ask(&ask, &head).await;
    if let Some(line) = exchange.line() {
        line.asked(&ask);
    }
    exchange.went_to(ask.place(&backend.endpoints, &view.pools));
    let queued = ask.queued.get();
    exchange.queued(queued);
    let mut answer = asked.inspect_err(|refusal| {
        if matches!(refusal, Refusal::Connect(_)) {
            exchange.never_sent();
        }
    })?;

    let status = answer.head.status;
    let told = backend.starts.verdict(status, &answer.head.headers);
    exchange.answered(Verdict {
        outcome: told
            .outcome
            .or_else(|| grpc::head_outcome(status, &answer.head.headers))
            .or_else(|| Some(classify::outcome(status))),
        start: told.start,
        load: told.load,
        status: Some(status),
    });
    if told.loading {
        exchange.told_loading();
    }
    let began = exchange.began();
    let policy = view.live.forward();
    request_id::tell(&mut answer.head.headers, policy, || began.elapsed(), || exchange.start_so_far());
    exchange.tells(|| Numbers::begin(&backend.numbers, status, &answer.head.headers));
    forward::response(&mut answer.head, policy);
    let timeouts = &backend.timeouts;
    let limits = DownLimits { between_bytes: timeouts.between_bytes, request: timeouts.request, deadline };
    Ok((answer, limits))
}

/// What hyper's HTTP/2 lets through and weir does not (RFC 9112 §3.2, §6.1; RFC 9110 §9.3.6).
fn check(head: &Parts) -> Result<(), Refusal> {
    if head.method == Method::CONNECT {
        return Err(Refusal::NotImplemented("CONNECT is not served"));
    }
    if head.headers.contains_key(TRANSFER_ENCODING) && head.headers.contains_key(CONTENT_LENGTH) {
        return Err(Refusal::BadRequest("both Transfer-Encoding and Content-Length"));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(Refusal::BadRequest("more than one Host")),
        (None, None) if head.version == Version::HTTP_11 => Err(Refusal::BadRequest("no Host")),
        _ => Ok(()),
    }
}

/// Finds the model's name; reads the body ahead when it stands there, within `identify.peek_bytes_max`.
async fn whose(
    exchange: &Exchange,
    view: &View,
    routed: &Routed<'_>,
    head: &Parts,
) -> Result<Option<Identity>, Refusal> {
    let Some(found) = &routed.found else { return Ok(None) };
    let limits = view.live.identify();
    match found.identify(&head.uri, &head.headers, limits) {
        Identified::Model(identity) => Ok(Some(identity)),
        Identified::None => Ok(None),
        Identified::NeedsBody(scan) => peek(exchange.upload(), scan, limits.peek_bytes_max.as_usize()).await,
    }
}

async fn peek(
    upload: &Rc<Upload>,
    mut scan: BodyScan<'_>,
    bytes_max: usize,
) -> Result<Option<Identity>, Refusal> {
    let mut searching = true;
    while searching && upload.state() != UploadState::Done && upload.held() < bytes_max {
        let more = poll_fn(|cx| upload.poll_hold(cx)).await.map_err(|_| match upload.state() {
            UploadState::Gone => Refusal::ClientGone,
            UploadState::TooLarge => Refusal::BodyTooLarge(upload.bytes_max()),
            _ => Refusal::RequestBody,
        })?;
        if !more {
            break;
        }
        let Some(piece) = upload.last_held() else { break };
        searching = scan.feed(&piece) == Progress::NeedMore;
    }
    let is_whole = upload.state() == UploadState::Done;
    if is_whole {
        scan.end();
    }
    let mut scanned = scan.finish();
    scanned.flags.too_large = searching && !is_whole && upload.held() >= bytes_max;
    count_flags(scanned.flags);
    Ok(scanned.identity)
}

fn count_flags(flags: ScanFlags) {
    for flag in flags.names() {
        counter!(names::IDENTIFY_FLAGS, "flag" => flag).increment(1);
    }
}

fn subject(backend: &Backend, routed: &Routed<'_>, identity: Option<Identity>, worker: &Worker) -> Subject {
    let action = routed.found.as_ref().map_or(Action::Infer, crate::identify::Found::action);
    let models = || std::sync::Arc::clone(&backend.models);
    match (action, identity) {
        (Action::Infer, None) => Subject::None,
        (Action::Infer, Some(identity)) => {
            let ticket = Some(backend.models.infer_began(identity.resident()));
            Subject::Infer { identity, models: models(), ticket }
        }
        (Action::Load, Some(identity)) if backend.lifecycle => {
            let ticket = Some(models().load_began(identity.resident(), worker.epoch.elapsed()));
            Subject::Load { identity, ticket }
        }
        (Action::Unload, Some(identity)) if backend.lifecycle || backend.infers => {
            Subject::Unload { identity, models: models(), followed: backend.lifecycle }
        }
        (Action::Load | Action::Unload | Action::Control, _) => Subject::Control,
    }
}

fn ask<'a>(
    worker: &'a Rc<Worker>,
    conn: &Conn,
    view: &'a View,
    (backend, plane): (&'a Backend, Plane),
    upload: &'a Rc<Upload>,
    deadline: Instant,
) -> Ask<'a> {
    let management = backend.management.filter(|_| plane == Plane::Management);
    let pools = match management {
        Some(endpoint) => view.pools.get(endpoint).into_iter().collect(),
        None => backend.in_turn().filter_map(|endpoint| view.pools.get(endpoint)).collect(),
    };
    Ask {
        backend: &backend.name,
        pools,
        timeouts: &backend.timeouts,
        body_idle_timeout: conn.body_idle_timeout,
        deadline,
        upload,
        clock: &worker.clock,
        protocol: backend.protocol,
        queued: Cell::new(Duration::ZERO),
        upgrade: None,
        trail: Trail::default(),
    }
}

fn refuse(exchange: &mut Exchange, backend: &Backend, refusal: &Refusal, speaks_grpc: bool) -> Reply {
    counter!(names::HTTP_REFUSED, "reason" => refusal.reason()).increment(1);
    tracing::debug!(reason = refusal.reason(), error = %refusal, backend = backend.name, "request refused");
    if let Some(line) = exchange.line() {
        line.refused(refusal.status(), refusal.reason());
    }
    exchange.settle(refusal.outcome());
    let plain = refusal.response(Some(&backend.name));
    if speaks_grpc { Reply::of(grpc::refused(refusal, plain).map(Outbound::Own)) } else { Reply::own(plain) }
}
