//! The layer `inferred`: hot or cold by what is seen from outside, for servers that tell nothing. Off unless configured, and asked only
//! where no other layer knows.
//!
//! The rules, for one model of one backend, on good answers alone; `time` is that to the first byte, without waiting in weir:
//! * **Unload.** The first answer after an unload that passed through is cold, with those that were waiting beside it.
//! * **Gap.** The same after `after_idle` without an answer.
//! * Neither is said of an answer whose time is within that of 19 of 20 before it: it was not loaded then.
//! * **Two peaks** ([`peaks`]). A time in the slow peak is cold, one in the fast peak hot; between them nothing is said.
//! * The first answer of a model that weir ever saw says nothing.
//!
//! Cost: off, one atomic load for each good answer; on, a look-up in a map that is read without a lock, one relaxed add, and every 64
//! answers one pass over 112 cells. Memory: 300 bytes a model, [`MODELS_MAX`] models a backend; others are not inferred about. Counters are
//! relaxed: two answers at one moment may lose a count, which moves no peak.

mod peaks;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use weir_telemetry::Start;

use super::Served;
use peaks::{CELLS, cell, peaks, usual};

/// Models of one backend that are inferred about.
const MODELS_MAX: usize = 8192;

/// Answers between two looks at a model's times.
const LOOK_EVERY: u32 = 64;

/// Answers that are remembered: from here on the oldest half is forgotten.
const REMEMBERED_MAX: u32 = 4096;

/// No time yet, or none that ever comes.
const NEVER: u64 = u64::MAX;

/// What is inferred about the models of one backend.
#[derive(Debug, Default)]
pub(super) struct Inferred {
    settings: ArcSwapOption<weir_config::Inferred>,
    models: ArcSwap<HashMap<Arc<str>, Arc<Learned>>>,
    /// Who adds a model. Readers never take it.
    writer: Mutex<()>,
}

/// A good answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// When its request began and ended.
    pub served: Served,
    /// To its first byte, without waiting in weir.
    pub time: Duration,
}

/// What was learned of one model.
#[derive(Debug)]
struct Learned {
    cells: [AtomicU16; CELLS],
    count: AtomicU32,
    /// Up to here a time is hot, and from there on cold; nanoseconds. Both [`NEVER`] while there is one peak.
    hot_to: AtomicU64,
    cold_from: AtomicU64,
    /// What 19 of 20 are within, nanoseconds; 0: not known yet.
    usual: AtomicU64,
    /// When the last answer ended; 0: there was none.
    last: AtomicU64,
    /// When it was unloaded, if it was since.
    unloaded: AtomicU64,
    /// Who began behind the first and before the second had a load to wait for.
    waited: [AtomicU64; 2],
}

impl Inferred {
    /// What is inferred from here on, if anything. What was learned stays.
    pub(super) fn set(&self, settings: Option<&weir_config::Inferred>) {
        self.settings.store(settings.cloned().map(Arc::new));
    }

    /// A model was unloaded.
    pub(super) fn unloaded(&self, id: &str, now: Duration) {
        if self.settings.load().is_some()
            && let Some(learned) = self.models.load().get(id)
        {
            learned.unloaded.fetch_min(nanos(now), Relaxed);
        }
    }

    /// A request was answered well: learns from it, and says how it was.
    pub(super) fn answered(&self, id: &str, answer: &Answer) -> Option<Start> {
        let settings = self.settings.load();
        let settings = settings.as_ref()?;
        let models = self.models.load();
        match models.get(id) {
            Some(learned) => learned.answered(answer, settings),
            None => {
                let learned = self.add(id)?;
                learned.answered(answer, settings)
            }
        }
    }

    fn add(&self, id: &str) -> Option<Arc<Learned>> {
        if self.models.load().len() >= MODELS_MAX {
            return None;
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut more = HashMap::clone(&self.models.load());
        let learned = Arc::clone(more.entry(id.into()).or_default());
        self.models.store(Arc::new(more));
        Some(learned)
    }
}

impl Default for Learned {
    fn default() -> Self {
        Self {
            cells: std::array::from_fn(|_| AtomicU16::new(0)),
            count: AtomicU32::new(0),
            hot_to: AtomicU64::new(NEVER),
            cold_from: AtomicU64::new(NEVER),
            usual: AtomicU64::new(0),
            last: AtomicU64::new(0),
            unloaded: AtomicU64::new(NEVER),
            waited: [AtomicU64::new(NEVER), AtomicU64::new(0)],
        }
    }
}

impl Learned {
    fn answered(&self, answer: &Answer, settings: &weir_config::Inferred) -> Option<Start> {
        let time = nanos(answer.time);
        let after_gap = self.is_after_gap(answer, settings);
        let by_peaks = settings.two_peaks.then(|| self.by_peaks(time)).flatten();
        let is_usual = time <= self.usual.load(Relaxed);
        self.learn(time);
        if after_gap && !is_usual { Some(Start::Cold) } else { by_peaks }
    }

    /// Whether the answer is the first after a gap or an unload, or waited beside it.
    fn is_after_gap(&self, answer: &Answer, settings: &weir_config::Inferred) -> bool {
        let (began, ended) = (nanos(answer.served.began), nanos(answer.served.now));
        let last = self.last.fetch_max(ended.max(1), Relaxed);
        let idle = settings.after_idle.filter(|_| last > 0).map(|idle| last.saturating_add(nanos(idle)));
        let unloaded = self.unloaded.load(Relaxed);
        if began >= unloaded {
            self.unloaded.store(NEVER, Relaxed);
        }
        let [from, to] = &self.waited;
        let since = idle.into_iter().chain([unloaded]).filter(|since| began >= *since).min();
        if let Some(since) = since {
            from.store(since, Relaxed);
            to.store(ended, Relaxed);
        }
        since.is_some() || began >= from.load(Relaxed) && began < to.load(Relaxed)
    }

    fn by_peaks(&self, time: u64) -> Option<Start> {
        if time >= self.cold_from.load(Relaxed) {
            return Some(Start::Cold);
        }
        let hot_to = self.hot_to.load(Relaxed);
        (hot_to != NEVER && time <= hot_to).then_some(Start::Hot)
    }

    fn learn(&self, time: u64) {
        if let Some(count) = self.cells.get(cell(time)) {
            count.fetch_add(1, Relaxed);
        }
        let count = self.count.fetch_add(1, Relaxed) + 1;
        if !count.is_multiple_of(LOOK_EVERY) {
            return;
        }
        let cells =
            std::array::from_fn(|i| self.cells.get(i).map_or(0, |cell| u32::from(cell.load(Relaxed))));
        self.usual.store(usual(&cells), Relaxed);
        let (hot_to, cold_from) = peaks(&cells).unwrap_or((NEVER, NEVER));
        self.hot_to.store(hot_to, Relaxed);
        self.cold_from.store(cold_from, Relaxed);
        if count >= REMEMBERED_MAX {
            for cell in &self.cells {
                cell.store(cell.load(Relaxed) / 2, Relaxed);
            }
            self.count.store(count / 2, Relaxed);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}

#[cfg(test)]
mod tests;
