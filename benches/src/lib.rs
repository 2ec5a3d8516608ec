//! The harness of the benches: the fastest of many short runs, and the stores they run against.
//!
//! Other work on the machine only ever makes a run slower, so the minimum is the steady figure; what must not depend
//! on the machine at all is counted in instructions (`icount`).

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_telemetry::{BackendId, ModelRef, Observation, Outcome, Recorder, Settings, Start, Store};

/// How many short runs a figure is the fastest of.
const RUNS: u32 = 200;

/// Nanoseconds that `operation` takes, called `times` in a row in each of many runs: the fastest run's mean.
pub fn nanoseconds(times: u32, mut operation: impl FnMut()) -> f64 {
    let mut fastest = f64::INFINITY;
    for _ in 0..RUNS {
        let begun = Instant::now();
        (0..times).for_each(|_| operation());
        fastest = fastest.min(begun.elapsed().as_nanos() as f64 / f64::from(times));
    }
    fastest
}

/// Resident memory of this process in bytes; 0 where there is no `/proc`.
#[must_use]
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// A store with models, and their references in an order without pattern.
#[derive(Debug)]
pub struct Bed {
    /// The store, for `workers` workers.
    pub store: Arc<Store>,
    /// The one backend.
    pub backend: BackendId,
    /// The models' names.
    pub names: Vec<String>,
    /// References to models, shuffled; its length is a power of two.
    pub refs: Vec<ModelRef>,
}

impl Bed {
    /// `models` models; with `sharded`, all that per-worker lanes last for (128) have them.
    ///
    /// # Panics
    /// If the store did not admit the models.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a bench without its models measures nothing")]
    pub fn new(models: u32, workers: usize, settings: Settings) -> Self {
        let store = Store::with(settings, workers);
        let backend = store.backend("bench");
        let names: Vec<_> =
            (0..models).map(|number| format!("team-{}/model-{number:05}", number % 7)).collect();
        store.configure(backend, &names);
        store.tick(Duration::ZERO);
        let recorder = store.recorder(usize::MAX);
        let mut random = 1_u64;
        let refs = (0..models.next_power_of_two().max(1024)).map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let name = names.get((random >> 33) as usize % names.len()).expect("an index below the length");
            recorder.resolve(backend, name).expect("every name is configured")
        });
        let refs = refs.collect();
        Self { store, backend, names, refs }
    }

    /// Every model gets `requests` requests, hot and cold ones, with latencies spread as a server's are.
    pub fn fill(&self, recorder: &Recorder, requests: u32) {
        let mut random = 7_u64;
        for name in &self.names {
            let Some(model) = recorder.resolve(self.backend, name) else { continue };
            for number in 0..requests {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Three octaves around 8 ms hot, and around 2 s cold.
                let spread = 1.0 + 7.0 * ((random >> 40) as f64 / f64::from(1 << 24)).powi(2);
                let cold = number % 8 == 7;
                let ns = (spread * if cold { 1e9 } else { 4e6 }) as u64;
                let start = if cold { Start::Cold } else { Start::Hot };
                recorder.begin(model);
                recorder.end(model, &Observation { first_byte_ns: Some(ns / 2), ..request(start, ns) });
            }
        }
    }
}

/// A successful request with bytes.
#[must_use]
pub fn request(start: Start, ns: u64) -> Observation {
    Observation {
        request_bytes: 512,
        response_bytes: 4096,
        ..Observation::new(Outcome::Ok, start, black_box(ns))
    }
}
