//! Numbers that stand in a backend's answers: values in headers and trailers, and a language model's tokens and their times.
//! They are read as the answer passes, and recorded when its exchange is settled. An answer is never changed or held up
//! for them, and what cannot be read is counted and left out.
//!
//! Cost for a backend without such rules: one comparison. Otherwise one block of this thread's spare ones, one header look-up for
//! each value, and for answers that are scanned one look at the clock a piece and some nanoseconds a byte (`benches/numbers.rs`); no
//! allocation once a thread has its blocks.

mod moment;
mod values;
mod places;
mod json;
mod base64;
mod event_stream;
mod frames;
mod tokens;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use metrics::counter;
use weir_config::Dialect;
use weir_telemetry::{BackendId, Evidence, ModelRef, Outcome, Recorder, Start, Store, names};

use frames::{Framing, Unread};
pub(crate) use moment::rfc3339;
use places::Places;
use tokens::Tokens;
use values::{Found, Values};

use crate::message::HeaderMap;

/// A load time that is told and is not shorter is a load. Ollama starts a process for a model, which takes longer also for the smallest.
const LOAD_MIN: Duration = Duration::from_millis(500);
/// One that is not longer is a look at a model in memory. Between the two nothing is decided.
const LOOK_MAX: Duration = Duration::from_millis(200);

/// Blocks that a thread keeps for the next answers; one is about 600 bytes.
const SPARE_MAX: usize = 256;

thread_local! {
    #[expect(clippy::vec_box, reason = "the boxes are what is kept, not what is in them")]
    static SPARE: RefCell<Vec<Box<Reading>>> = const { RefCell::new(Vec::new()) };
}

/// What is read from one backend's answers, compiled once per configuration.
#[derive(Debug)]
pub struct NumberRules {
    values: Values,
    /// None: bodies are not looked into.
    places: Option<Places>,
}

/// The numbers of one answer, as far as it has come.
#[derive(Debug, Default)]
pub struct Numbers(Option<Box<Reading>>);

#[derive(Debug, Default)]
struct Reading {
    /// For what is read after the head.
    rules: Option<Arc<NumberRules>>,
    found: Found,
    tokens: Option<Tokens>,
}

impl NumberRules {
    /// Compiles a backend's rules and registers its values with the store.
    #[must_use]
    pub fn new(config: &weir_config::Backend, dialect: &Dialect, id: BackendId, store: &Store) -> Arc<Self> {
        let places = (config.usage && !dialect.usage.is_empty()).then(|| Places::new(&dialect.usage));
        Arc::new(Self { values: Values::new(&config.values, id, store, &config.name), places })
    }

    /// Whether the body of an answer with this head is read, and how.
    fn framing(&self, status: StatusCode, headers: &HeaderMap) -> Option<Framing> {
        self.places.as_ref().filter(|_| status.is_success())?;
        match Framing::of(headers) {
            Ok(framing) => Some(framing),
            Err(Unread::Other) => None,
            Err(Unread::Compressed) => {
                counter!(names::NUMBERS_FLAGS, "flag" => "usage_compressed").increment(1);
                None
            }
        }
    }
}

impl Numbers {
    /// An answer's head has come.
    #[must_use]
    pub fn begin(rules: &Arc<NumberRules>, status: StatusCode, headers: &HeaderMap) -> Self {
        let framing = rules.framing(status, headers);
        if framing.is_none() && rules.values.is_empty() {
            return Self(None);
        }
        let mut reading = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        rules.values.read_head(headers, SystemTime::now, &mut reading.found);
        reading.tokens = framing.map(Tokens::new);
        let reads_on = framing.is_some() || rules.values.has_trailers();
        reading.rules = reads_on.then(|| Arc::clone(rules));
        Self(Some(reading))
    }

    /// A piece of the answer's body has come, of a request that began then.
    #[inline]
    pub fn piece(&mut self, bytes: &[u8], began: Instant) {
        if let Some(reading) = &mut self.0 {
            reading.piece(bytes, began);
        }
    }

    /// The answer's trailers have come.
    pub fn trailers(&mut self, trailers: &HeaderMap) {
        let Some(reading) = &mut self.0 else { return };
        if let Some(rules) = &reading.rules {
            rules.values.read_trailers(trailers, SystemTime::now, &mut reading.found);
        }
    }

    /// Hot or cold by the time that the answer says its model's load took as part of this request (Ollama's `load_duration`), and that
    /// time if it was a load. It is small and not 0 where the model was in memory: the server's look at what it holds.
    #[must_use]
    pub fn start(&self) -> (Option<(Start, Evidence)>, Option<Duration>) {
        let told = || self.0.as_ref()?.tokens.as_ref()?.load();
        match told() {
            Some(load) if load >= LOAD_MIN => (Some((Start::Cold, Evidence::Header)), Some(load)),
            Some(look) if look <= LOOK_MAX => (Some((Start::Hot, Evidence::Header)), None),
            _ => (None, None),
        }
    }

    /// How an answer counts that ends with `outcome`: a stream that broke is the server's error. What is to be recorded of it is
    /// handed to [`Numbers::record`].
    #[must_use]
    pub fn end(&mut self, outcome: Outcome) -> (Outcome, Told) {
        let Some(reading) = &mut self.0 else { return (outcome, Told(None)) };
        let places = reading.rules.as_ref().and_then(|rules| rules.places.as_ref());
        let (Some(tokens), Some(places)) = (&mut reading.tokens, places) else {
            return (outcome, Told(None));
        };
        let (outcome, usage) = tokens.end(outcome, places);
        (outcome, Told(Some(usage)))
    }

    /// Records what was found and told, before the request ends; `at` since the start of the process.
    pub fn record(&self, told: &Told, recorder: &Recorder, model: ModelRef, at: Duration) {
        let Some(reading) = &self.0 else { return };
        for (id, value) in reading.found.iter() {
            recorder.value(model, id, value, at);
        }
        if let Some(usage) = told.usage().filter(|usage| **usage != weir_telemetry::Usage::default()) {
            recorder.usage(model, usage);
        }
    }
}

/// What an answer told of tokens.
#[derive(Debug)]
pub struct Told(Option<weir_telemetry::Usage>);

impl Told {
    /// What is to be recorded, of an answer that was looked into.
    #[must_use]
    pub const fn usage(&self) -> Option<&weir_telemetry::Usage> {
        self.0.as_ref()
    }
}

impl Reading {
    fn piece(&mut self, bytes: &[u8], began: Instant) {
        let places = self.rules.as_ref().and_then(|rules| rules.places.as_ref());
        if let (Some(tokens), Some(places)) = (&mut self.tokens, places) {
            tokens.piece(bytes, began.elapsed(), places);
        }
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        let Some(mut reading) = self.0.take() else { return };
        *reading = Reading::default();
        // At the thread's end there is no list to keep it in.
        _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < SPARE_MAX
            {
                spare.push(reading);
            }
        });
    }
}
