//! Numbers that stand in a backend's answers: values in headers and trailers, and a language model's tokens and their times.
//! They are read as the answer passes, and recorded when its exchange is settled. An answer is never changed or held up
//! for them, and what cannot be read is counted and left out.
//!
//! Cost for a backend without such rules: one comparison. Otherwise one block of this thread's spare ones, one header look-up for
//! each value, and for answers that are scanned about a nanosecond a byte; no allocation once a thread has its blocks.

mod moment;
mod values;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use weir_config::{Dialect, ValueRule};
use weir_telemetry::{BackendId, ModelRef, Recorder, Store};

use values::{Found, Values};

/// Blocks that a thread keeps for the next answers; one is about 400 bytes.
const SPARE_MAX: usize = 256;

thread_local! {
    #[expect(clippy::vec_box, reason = "the boxes are what is kept, not what is in them")]
    static SPARE: RefCell<Vec<Box<Reading>>> = const { RefCell::new(Vec::new()) };
}

/// What is read from one backend's answers, compiled once per configuration.
#[derive(Debug)]
pub struct NumberRules {
    values: Values,
}

/// The numbers of one answer, as far as it has come.
#[derive(Debug, Default)]
pub struct Numbers(Option<Box<Reading>>);

#[derive(Debug, Default)]
struct Reading {
    /// For what is read at the end.
    rules: Option<Arc<NumberRules>>,
    found: Found,
}

impl NumberRules {
    /// Compiles a backend's rules and registers its values with the store.
    #[must_use]
    pub fn new(config: &weir_config::Backend, _dialect: &Dialect, id: BackendId, store: &Store) -> Arc<Self> {
        let rules: &[ValueRule] = &config.values;
        Arc::new(Self { values: Values::new(rules, id, store, &config.name) })
    }
}

impl Numbers {
    /// An answer's head has come.
    #[must_use]
    pub fn begin(rules: &Arc<NumberRules>, _status: StatusCode, headers: &HeaderMap) -> Self {
        if rules.values.is_empty() {
            return Self(None);
        }
        let mut reading = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        rules.values.read_head(headers, SystemTime::now, &mut reading.found);
        reading.rules = rules.values.has_trailers().then(|| Arc::clone(rules));
        Self(Some(reading))
    }

    /// The answer's trailers have come.
    pub fn trailers(&mut self, trailers: &HeaderMap) {
        let Some(reading) = &mut self.0 else { return };
        if let Some(rules) = &reading.rules {
            rules.values.read_trailers(trailers, SystemTime::now, &mut reading.found);
        }
    }

    /// Records what was found, before the request ends; `at` since the start of the process.
    pub fn record(&self, recorder: &Recorder, model: ModelRef, at: Duration) {
        let Some(reading) = &self.0 else { return };
        for (id, value) in reading.found.iter() {
            recorder.value(model, id, value, at);
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
