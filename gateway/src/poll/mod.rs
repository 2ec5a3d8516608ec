//! Asks servers which models are in their memory, as their dialects say, from the control plane: workers take no part in it.
//!
//! Entry: [`run`]. Each endpoint has a task of its own, so that one that hangs holds up no other. A round asks the dialect's pages in
//! their order; a round in which none was answered is a failure, and the pause behind it doubles. Every answer is bounded in time and size,
//! every round in pages. What was told goes into the residency table; what is known there goes to the store once a second.

mod ask;
mod gpu;
mod read;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use weir_config::{Backend, Config, Endpoint, GpuPage, Plane, PollMode, StateMethod, StatePoll, StateWord};
use weir_telemetry::names;

use crate::app::State;
use crate::residency::{Models, Polled, Publisher, asked};
use ask::{AskError, AskLimits, Peer, ask};
use gpu::Heard;
use read::{Found, Reader};

/// How often a new configuration is looked for, and what is known is published.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// Pages of one list.
const PAGES_MAX: usize = 64;
/// The most that a pause grows by while rounds fail.
const BACKOFF_MAX: u32 = 32;
/// What a model's name may keep in a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One endpoint to be asked.
struct Target {
    backend: String,
    endpoint: Peer,
    management: Peer,
    readers: Vec<Reader>,
    models: Vec<String>,
    poll: StatePoll,
    polled: Arc<Polled>,
    /// What calls have shown of the backend's models, if it is the only endpoint.
    only: Option<Arc<Models>>,
    /// Where the next round begins among the models that are asked one by one.
    turn: usize,
}

/// Asks until the control plane's runtime ends; follows the configuration.
pub async fn run(state: Arc<State>) {
    let mut generation = 0;
    let mut tasks = JoinSet::new();
    let mut publish = tokio::time::interval(PUBLISH_EVERY);
    let publisher = Publisher::new(&state);
    let mut heard = Heard::default();
    loop {
        publish.tick().await;
        if state.shared.generation() != generation {
            let live = state.shared.load();
            generation = live.generation;
            tasks.shutdown().await;
            heard = Heard::default();
            for page in live.config.backends.iter().flat_map(|backend| pages(&live.config, backend)) {
                tasks.spawn(listen(page, heard.clone(), Arc::clone(&state)));
            }
            for target in
                live.config.backends.iter().flat_map(|backend| targets(&live.config, backend, &state))
            {
                tasks.spawn(follow(target, Arc::clone(&state)));
            }
        }
        publisher.publish(&state);
        state.store.set_gpus(heard.now(state.epoch.elapsed()));
    }
}

/// The endpoints of a backend that are to be asked, each with its table.
fn targets(config: &Config, backend: &Backend, state: &State) -> Vec<Target> {
    let Some(sources) = asked(config, backend) else { return Vec::new() };
    let models = state.residency.backend(&backend.name);
    let is_only = backend.endpoints.len() == 1;
    let peer = |endpoint: &Endpoint| Peer::new(endpoint.clone(), backend.tls.as_ref());
    let target = |(endpoint, polled): (&Endpoint, &Arc<Polled>)| Target {
        backend: backend.name.clone(),
        endpoint: peer(endpoint),
        management: peer(backend.management.as_ref().unwrap_or(endpoint)),
        readers: sources.iter().filter_map(Reader::new).collect(),
        models: backend.models.clone(),
        poll: backend.state.clone(),
        polled: Arc::clone(polled),
        only: is_only.then(|| Arc::clone(&models)),
        turn: 0,
    };
    backend.endpoints.iter().zip(&models.watched().tables).map(target).collect()
}

/// One page about GPUs to be asked.
struct Page {
    backend: String,
    endpoint: String,
    peer: Peer,
    path: String,
    reads: GpuPage,
    poll: StatePoll,
}

/// The pages about GPUs of a backend's endpoints, if they are asked for their state.
fn pages(config: &Config, backend: &Backend) -> Vec<Page> {
    let reads = config.dialect(&backend.dialect).and_then(|dialect| dialect.gpu.as_ref());
    let Some(reads) = reads.filter(|_| backend.state.poll == PollMode::Auto) else { return Vec::new() };
    let page = |endpoint: &Endpoint| {
        let (at, path) = gpu::page(backend, reads, endpoint)?;
        let peer = Peer::new(at, backend.tls.as_ref());
        let (poll, reads) = (backend.state.clone(), reads.clone());
        Some(Page { backend: backend.name.clone(), endpoint: endpoint.label(), peer, path, reads, poll })
    };
    backend.endpoints.iter().filter_map(page).collect()
}

/// Asks one page about GPUs round by round.
async fn listen(page: Page, heard: Heard, state: Arc<State>) {
    let mut pace = Pace::new(page.poll.interval);
    loop {
        let answer = ask(&page.peer, StateMethod::Get, &page.path, AskLimits::from(&page.poll)).await;
        match &answer {
            Ok(body) => {
                let figures = gpu::read(&page.reads, &String::from_utf8_lossy(body));
                let until = state.epoch.elapsed() + page.poll.stale_after;
                heard.tell(&page.backend, &page.endpoint, figures, until);
            }
            Err(error) => {
                tracing::debug!(backend = page.backend, endpoint = page.endpoint, reason = %error, "the page of metrics could not be asked");
            }
        }
        pace.wait(answer.is_ok()).await;
    }
}

/// The pause between two rounds.
struct Pace {
    random: StdRng,
    interval: Duration,
    factor: u32,
}

impl Pace {
    fn new(interval: Duration) -> Self {
        let seed = RandomState::new().build_hasher().finish();
        Self { random: StdRng::seed_from_u64(seed), interval, factor: 1 }
    }

    async fn wait(&mut self, is_well: bool) {
        self.factor = if is_well { 1 } else { (self.factor * 2).min(BACKOFF_MAX) };
        let jitter = self.random.random_range(1.0..1.2);
        tokio::time::sleep((self.interval * self.factor).mul_f64(jitter)).await;
    }
}

/// Asks one endpoint round by round.
async fn follow(mut target: Target, state: Arc<State>) {
    let mut pace = Pace::new(target.poll.interval);
    let mut last_good: Option<Instant> = None;
    loop {
        let sent = state.epoch.elapsed();
        let (backend, endpoint) = (target.backend.clone(), target.polled.endpoint.clone());
        let round = target.round().await;
        let is_well = round.is_ok();
        let result = match round {
            Ok((found, absent)) => {
                target.polled.told(&found, absent, sent, state.epoch.elapsed());
                if let Some(models) = &target.only {
                    models.told(&found, sent);
                }
                last_good = Some(Instant::now());
                "ok".to_owned()
            }
            Err(error) => {
                tracing::debug!(backend, endpoint, reason = %error, "state could not be asked");
                error.to_string()
            }
        };
        counter!(names::STATE_POLLS, "backend" => backend.clone(), "endpoint" => endpoint.clone(), "result" => result).increment(1);
        if let Some(last) = last_good {
            gauge!(names::STATE_POLL_AGE, "backend" => backend, "endpoint" => endpoint)
                .set(last.elapsed().as_secs_f64());
        }
        pace.wait(is_well).await;
    }
}

impl Target {
    /// Asks every page; an error if none was answered. What a model is that is not found; none: nobody knows.
    async fn round(&mut self) -> Result<(Found, Option<StateWord>), AskError> {
        let mut found = Found::new();
        let mut outcome = None;
        let mut listed = None;
        for at in 0..self.readers.len() {
            let Some(reader) = self.readers.get(at) else { break };
            let asked = if reader.is_for_one() {
                if found.is_empty() && self.models.is_empty() {
                    // No answer, and no failure.
                    continue;
                }
                self.each(at, &mut found).await
            } else {
                let asked = self.list(reader, &mut found).await;
                if asked.is_ok() && reader.source.absent != StateWord::Unknown {
                    listed = Some(reader.source.absent);
                }
                asked
            };
            outcome = Some(if matches!(outcome, Some(Ok(()))) { Ok(()) } else { asked });
        }
        outcome.unwrap_or(Ok(()))?;
        // The list is whole: what is not in it is not there.
        if let Some(word) = listed {
            for name in self.polled.names() {
                found
                    .entry(name.to_string())
                    .or_insert_with(|| crate::residency::Told { word, ..Default::default() });
            }
        }
        Ok((found, listed))
    }

    /// A page that tells of many models, and those behind it.
    async fn list(&self, reader: &Reader, found: &mut Found) -> Result<(), AskError> {
        let mut path = reader.source.path.clone();
        for _ in 0..PAGES_MAX {
            let answer = self.page(reader, &path).await?;
            reader.read(&answer, None, found, crate::residency::POLLED_MODELS_MAX);
            let Some(next) = reader.next(&answer) else { return Ok(()) };
            path = next;
        }
        Err(AskError::TooLong)
    }

    /// The page of each model that was listed or is configured, `models_max` of them in a round.
    async fn each(&mut self, at: usize, found: &mut Found) -> Result<(), AskError> {
        let mut all: Vec<String> = found.keys().chain(&self.models).cloned().collect();
        all.sort_unstable();
        all.dedup();
        let count = all.len().min(self.poll.models_max as usize);
        let first = if all.is_empty() { 0 } else { self.turn % all.len() };
        let mut outcome = Ok(());
        let Some(reader) = self.readers.get(at) else { return Ok(()) };
        for name in all.iter().cycle().skip(first).take(count) {
            let segment = utf8_percent_encode(name, SEGMENT).to_string();
            match self.page(reader, &reader.source.path.replacen("{model}", &segment, 1)).await {
                Ok(answer) => reader.read(&answer, Some(name), found, crate::residency::POLLED_MODELS_MAX),
                // It is gone since it was listed, or was never there.
                Err(AskError::Status(_)) => {}
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        self.turn = first + count;
        outcome
    }

    async fn page(&self, reader: &Reader, path: &str) -> Result<Value, AskError> {
        let endpoint = match reader.source.plane {
            Plane::Inference => &self.endpoint,
            Plane::Management => &self.management,
        };
        let body = ask(endpoint, reader.source.method, path, AskLimits::from(&self.poll)).await?;
        serde_json::from_slice(&body).map_err(|_| AskError::Malformed)
    }
}
