//! One request from its head to its end: what is known of it, settled exactly once, also when it is dropped on the way.
//!
//! Moved, never shared. The spine fills it in; the answer's body takes it along; whoever holds it last settles it.

mod subject;

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::StatusCode;
use metrics::{counter, histogram};
use weir_telemetry::{
    BackendId, Evidence, Lifecycle, ModelRef, Observation, Outcome, Reserved, Start, names,
};

pub use subject::{Subject, Verdict};

use crate::access;
use crate::body::{Upload, UploadState};
use crate::front::Conn;
use crate::grpc;
use crate::identify::{Identity, ModelName};
use crate::message::HeaderMap;
use crate::numbers::Numbers;
use crate::residency::{Answer, Load, LoadOutcome, Served};
use crate::worker::Worker;

/// One request.
#[derive(Debug)]
pub struct Exchange {
    worker: Rc<Worker>,
    conn: Rc<Conn>,
    began: Instant,
    backend: BackendId,
    /// Under which its beginning is counted; none while it is not known what it is about.
    model: Option<ModelRef>,
    subject: Subject,
    upload: Rc<Upload>,
    verdict: Verdict,
    numbers: Numbers,
    first_byte: Option<Duration>,
    response_bytes: u64,
    /// Beside the body: what a tunnel carried up.
    tunnelled_bytes: u64,
    /// The trace that it belongs to.
    pub trace: Option<u128>,
    /// Its line in the access log, if it may leave one.
    access: Option<access::Pending>,
    queued: Duration,
    /// The place of the endpoint that was asked, among those of its backend.
    place: Option<usize>,
    settled: bool,
}

impl Exchange {
    /// A request begins, under no model yet.
    pub fn begin(worker: &Rc<Worker>, conn: &Rc<Conn>, backend: BackendId, upload: Rc<Upload>) -> Box<Self> {
        conn.request_began();
        // Boxed: it is handed on several times, and large.
        Box::new(Self {
            worker: Rc::clone(worker),
            conn: Rc::clone(conn),
            began: Instant::now(),
            backend,
            model: None,
            subject: Subject::None,
            upload,
            verdict: Verdict::default(),
            numbers: Numbers::default(),
            first_byte: None,
            response_bytes: 0,
            tunnelled_bytes: 0,
            trace: None,
            access: None,
            queued: Duration::ZERO,
            place: None,
            settled: false,
        })
    }

    /// It may leave a line in the access log.
    pub fn log(&mut self, line: Option<access::Pending>) {
        self.access = line;
    }

    /// Its line in the access log.
    pub fn line(&mut self) -> Option<&mut access::Pending> {
        self.access.as_mut()
    }

    /// When it began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The request's body.
    pub fn upload(&self) -> &Rc<Upload> {
        &self.upload
    }

    /// How far the request's body has come.
    pub fn upload_state(&self) -> UploadState {
        self.upload.state()
    }

    /// It is known what the request is about: its beginning is counted there.
    pub fn is_about(&mut self, subject: Subject) {
        let recorder = &self.worker.recorder;
        let model = match &subject {
            Subject::None => recorder.reserved(self.backend, Reserved::None_),
            Subject::Infer { identity, .. } => identity
                .counted_version()
                .map_or_else(
                    || recorder.resolve(self.backend, &identity.name),
                    |version| recorder.resolve_version(self.backend, &identity.name, version),
                )
                .unwrap_or_else(|| recorder.reserved(self.backend, Reserved::Unknown)),
            Subject::Load { .. } | Subject::Unload { .. } | Subject::Control => {
                recorder.reserved(self.backend, Reserved::Control)
            }
        };
        recorder.begin(model);
        self.model = Some(model);
        self.subject = subject;
    }

    /// The endpoint at this place of its backend's was asked.
    pub fn went_to(&mut self, place: Option<usize>) {
        self.place = place;
    }

    /// The answer's head has come.
    pub fn answered(&mut self, verdict: Verdict) {
        self.verdict = verdict;
        let served = self.served(self.began.elapsed());
        self.upload.stop_keeping();
        let Some(status) = verdict.status else { return };
        match &mut self.subject {
            Subject::Load { identity, ticket } => {
                let Some(ticket) = ticket.take() else { return };
                let settled = ticket.answered(status, served.place, served.now);
                if settled.outcome == LoadOutcome::Failed && !settled.is_told {
                    let name = settled.label.unwrap_or_else(|| identity.name.clone());
                    self.happened(&name, Lifecycle::LoadFailed);
                }
            }
            Subject::Unload { identity, models, followed } => {
                if status.is_success() {
                    models.inferred_unloaded(identity.resident(), served.now);
                }
                let evicted = followed.then(|| models.unload_answered(identity.resident(), status, served));
                let Some(evicted) = evicted.flatten().filter(|evicted| !evicted.is_told) else { return };
                let name = evicted.label.unwrap_or_else(|| identity.name.clone());
                if let Some(load) = evicted.load {
                    self.loaded(&name, load);
                }
                self.happened(&name, Lifecycle::Evicted { age: evicted.age });
            }
            Subject::None | Subject::Infer { .. } | Subject::Control => {}
        }
    }

    /// What its answer tells is read, if it may be a model's.
    pub fn tells(&mut self, numbers: impl FnOnce() -> Numbers) {
        if let Subject::Infer { .. } | Subject::None = self.subject {
            self.numbers = numbers();
        }
    }

    /// The answer's trailers went down.
    pub fn trailed(&mut self, trailers: &http::HeaderMap) {
        let trailers = HeaderMap::from(trailers);
        self.numbers.trailers(&trailers);
        if self.verdict.status == Some(StatusCode::OK) {
            self.verdict.outcome = grpc::told(&trailers).or(self.verdict.outcome);
        }
    }

    /// A piece of the answer's body went down.
    pub fn relayed(&mut self, data: &[u8]) {
        if self.first_byte.is_none() {
            self.first_byte = Some(self.began.elapsed());
        }
        self.response_bytes += data.len() as u64;
        self.numbers.piece(data, self.began);
    }

    /// How long it waited for a connection to be free.
    pub fn queued(&mut self, queued: Duration) {
        self.queued = queued;
    }

    /// What a tunnel carried in its time.
    pub fn tunnelled(&mut self, up: u64, down: u64) {
        self.tunnelled_bytes += up;
        self.response_bytes += down;
    }

    /// No connection was made: a load call never reached its backend.
    pub fn never_sent(&mut self) {
        let now = self.now();
        if let Subject::Load { ticket, .. } = &mut self.subject
            && let Some(ticket) = ticket.take()
        {
            ticket.never_sent(now);
        }
    }

    /// The answer was relayed to its end: what its head said counts.
    pub fn settle_answered(&mut self) {
        self.settle(self.verdict.outcome.unwrap_or(Outcome::ServerError));
    }

    /// The answer said that the model is being loaded: its next success is cold.
    pub fn told_loading(&self) {
        if let Subject::Infer { identity, models, .. } = &self.subject {
            models.told_loading(identity.resident(), self.place, self.now());
        }
    }

    /// Hot or cold, as far as it is known before the answer's end; settling it decides.
    pub fn start_so_far(&self) -> Option<Start> {
        let Subject::Infer { identity, models, ticket } = &self.subject else { return None };
        if self.verdict.outcome != Some(Outcome::Ok) {
            return None;
        }
        let told = self.verdict.start.map(|(start, _)| start);
        let served = self.served(self.began.elapsed());
        told.or_else(|| models.infer_would_be(ticket.as_ref()?, identity.resident(), served))
    }

    /// Settles it; later calls do nothing.
    pub fn settle(&mut self, outcome: Outcome) {
        if self.settled {
            return;
        }
        self.settled = true;
        let (outcome, told) = self.numbers.end(outcome);
        let duration = self.began.elapsed();
        let (start, load) = self.start(outcome, duration);
        let observation = Observation {
            outcome,
            start: start.map_or(Start::Unknown, |(start, _)| start),
            evidence: start.map(|(_, evidence)| evidence),
            duration_ns: nanos(duration),
            first_byte_ns: self.first_byte.map(nanos),
            queue_ns: nanos(self.queued),
            request_bytes: self.upload.bytes() + self.tunnelled_bytes,
            response_bytes: self.response_bytes,
            load_ns: load.and_then(|load| load.took).map(nanos),
        };
        let model = self.counted_under(outcome);
        let now = self.began.duration_since(self.worker.epoch) + duration;
        self.numbers.record(&told, &self.worker.recorder, model, now);
        self.worker.recorder.end(model, &observation);
        // A load without a time is none of the observation's, nor is that it came soon.
        if let Some(load) = load {
            self.beside(model, load);
        }
        crate::trace::keep(&self.worker.recorder, model, &observation, self.trace);
        if outcome != Outcome::Ok {
            histogram!(names::ERROR_DURATION, "outcome" => outcome.as_str()).record(duration.as_secs_f64());
        }
        if let Some(line) = self.access.take() {
            line.settle(self.verdict.status, self.identity(), &observation);
        }
        self.conn.request_ended();
    }

    /// Whose it is by what the request says, whether a model of that name is known or not.
    fn identity(&self) -> Option<&Identity> {
        match &self.subject {
            Subject::Infer { identity, .. }
            | Subject::Load { identity, .. }
            | Subject::Unload { identity, .. } => Some(identity),
            Subject::None | Subject::Control => None,
        }
    }

    /// The slot that the request counts for. A name's first success gives it one.
    fn counted_under(&self, outcome: Outcome) -> ModelRef {
        let recorder = &self.worker.recorder;
        let Some(model) = self.model else {
            let none = recorder.reserved(self.backend, Reserved::None_);
            recorder.begin(none);
            return none;
        };
        match &self.subject {
            Subject::Infer { identity, .. }
                if outcome == Outcome::Ok && model == recorder.reserved(self.backend, Reserved::Unknown) =>
            {
                match identity.counted_version() {
                    Some(version) => recorder.admit_version(self.backend, &identity.name, version),
                    None => recorder.admit(self.backend, &identity.name),
                }
            }
            _ => model,
        }
    }

    /// Hot or cold: by header, else by the load time that the answer's body tells, else by what the residency room knows; and a load to
    /// count with it.
    fn start(&mut self, outcome: Outcome, duration: Duration) -> (Option<(Start, Evidence)>, Option<Load>) {
        let served = self.served(duration);
        let Subject::Infer { identity, models, ticket } = &mut self.subject else { return (None, None) };
        if outcome != Outcome::Ok {
            return (None, None);
        }
        let time = self.first_byte.unwrap_or(duration).saturating_sub(self.queued);
        let inferred = models.inferred_answered(identity.resident(), &Answer { served, time });
        let inferred = inferred.map(|start| (start, Evidence::Inferred));
        let (told, load) = self.numbers.start();
        let told = self.verdict.start.or(told);
        let Some(ticket) = ticket.take() else { return (told.or(inferred), None) };
        let took = self.verdict.load.or(load);
        // The token of a load is consumed also when a header has decided.
        let seen = models.infer_answered(ticket, identity.resident(), &identity.name, served, took);
        (told.or(seen.start).or(inferred), seen.load)
    }

    fn served(&self, duration: Duration) -> Served {
        let began = self.began.duration_since(self.worker.epoch);
        Served { place: self.place, began, now: began + duration }
    }

    fn loaded(&self, name: &ModelName, load: Load) {
        self.happened(name, Lifecycle::Loaded { took: load.took });
        if load.reload {
            self.happened(name, Lifecycle::Reloaded);
        }
    }

    /// What the observation of a request does not count of a load.
    fn beside(&self, model: ModelRef, load: Load) {
        if load.took.is_none() {
            self.worker.recorder.lifecycle(model, Lifecycle::Loaded { took: None });
        }
        if load.reload {
            self.worker.recorder.lifecycle(model, Lifecycle::Reloaded);
        }
    }

    fn happened(&self, name: &ModelName, event: Lifecycle) {
        // Only for models that have a slot: a load call alone does not mint a series.
        if let Some(model) = self.worker.recorder.find(self.backend, name) {
            self.worker.recorder.lifecycle(model, event);
        }
    }

    fn now(&self) -> Duration {
        self.worker.epoch.elapsed()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.settled && !std::thread::panicking() {
            counter!(names::HTTP_REFUSED, "reason" => "client_gone").increment(1);
        }
        // Dropped by a panic it is our fault, otherwise the client has left.
        self.settle(if std::thread::panicking() { Outcome::ServerError } else { Outcome::Cancelled });
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
