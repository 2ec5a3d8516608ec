//! Everything counted of one model, as plain numbers.

use crate::distribution::Distribution;
use crate::numbers::{Figures, Spec};
use crate::observation::{Evidence, Outcome, Start};
use crate::store::dense::Dense;
use crate::store::numbers::Tally;

/// The totals of one model, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Requests that began.
    pub started: u64,
    /// Requests that ended, by [`Outcome::index`].
    pub outcomes: [u64; 8],
    /// Durations of the `ok` ones, by [`Start::index`].
    pub durations: [Distribution; 3],
    /// Times to first byte of the `ok` ones that had one.
    pub first_byte: Distribution,
    /// Cold starts by [`Evidence::index`], whatever the outcome.
    pub cold_starts: [u64; 5],
    /// Requests that waited inside weir.
    pub queued: u64,
    /// How long they waited, nanoseconds.
    pub queue_ns: u128,
    /// Body bytes from callers.
    pub request_bytes: u64,
    /// Body bytes from backends.
    pub response_bytes: u64,
    /// Loads that succeeded.
    pub loads: u64,
    /// Those of them whose time is known.
    pub timed_loads: u64,
    /// Loads that failed.
    pub load_failures: u64,
    /// How long the timed loads took together, nanoseconds.
    pub load_ns: u128,
    /// How long the last one took, nanoseconds; 0 = none yet.
    pub load_last_ns: u64,
    /// Times the model was put out of memory.
    pub evictions: u64,
    /// How long it had been loaded when it was put out last, nanoseconds; 0 = not known.
    pub evicted_age_ns: u64,
    /// Loads soon after it was put out.
    pub reloads: u64,
    /// Numbers that answers told; boxed, since most models have none.
    pub(crate) figures: Option<Box<Figures>>,
}

impl Totals {
    /// Requests that ended with `outcome`.
    #[must_use]
    pub fn requests(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome.index()).copied().unwrap_or(0)
    }

    /// Requests that ended.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Requests that began and have not ended. Read while requests run, it may be off by those that begin or end at
    /// that moment.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let open = self.started.wrapping_sub(self.settled());
        // What looks like a huge number is an end seen before its begin.
        if open > u64::MAX / 2 { 0 } else { open }
    }

    /// Failures of the serving side (see [`Outcome::is_failure`]).
    #[must_use]
    pub fn failures(&self) -> u64 {
        Outcome::ALL
            .iter()
            .filter(|outcome| outcome.is_failure())
            .map(|outcome| self.requests(*outcome))
            .sum()
    }

    /// Durations of the successes that started so.
    #[must_use]
    pub const fn duration(&self, start: Start) -> &Distribution {
        let [hot, cold, unknown] = &self.durations;
        match start {
            Start::Hot => hot,
            Start::Cold => cold,
            Start::Unknown => unknown,
        }
    }

    /// Cold starts of which this layer told.
    #[must_use]
    pub fn cold_starts(&self, evidence: Evidence) -> u64 {
        self.cold_starts.get(evidence.index()).copied().unwrap_or(0)
    }

    /// hot / (hot + cold) over the successes whose start is known; `None` where none is.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        hit_ratio(self.duration(Start::Hot).count(), self.duration(Start::Cold).count())
    }

    /// Numbers that answers told, if any did.
    #[must_use]
    pub fn figures(&self) -> Option<&Figures> {
        self.figures.as_deref()
    }

    /// Adds the totals of another.
    pub fn merge(&mut self, other: &Self) {
        self.started = self.started.wrapping_add(other.started);
        zip(&mut self.outcomes, &other.outcomes, |ours, theirs| *ours += theirs);
        zip(&mut self.cold_starts, &other.cold_starts, |ours, theirs| *ours += theirs);
        zip(&mut self.durations, &other.durations, Distribution::merge);
        self.first_byte.merge(&other.first_byte);
        self.queued += other.queued;
        self.queue_ns += other.queue_ns;
        self.request_bytes = self.request_bytes.wrapping_add(other.request_bytes);
        self.response_bytes = self.response_bytes.wrapping_add(other.response_bytes);
        self.loads += other.loads;
        self.load_failures += other.load_failures;
        self.load_ns += other.load_ns;
        self.timed_loads += other.timed_loads;
        self.load_last_ns = if other.timed_loads > 0 { other.load_last_ns } else { self.load_last_ns };
        self.evictions += other.evictions;
        self.evicted_age_ns = if other.evictions > 0 { other.evicted_age_ns } else { self.evicted_age_ns };
        self.reloads += other.reloads;
        if let Some(figures) = &other.figures {
            self.figures.get_or_insert_default().merge(figures);
        }
    }

    /// What is here and was not yet in `earlier`, a former state of the same totals.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut rest = self.clone();
        rest.started = self.started.wrapping_sub(earlier.started);
        zip(&mut rest.outcomes, &earlier.outcomes, |ours, theirs| *ours -= theirs);
        zip(&mut rest.cold_starts, &earlier.cold_starts, |ours, theirs| *ours -= theirs);
        zip(&mut rest.durations, &earlier.durations, |ours, theirs| *ours = ours.since(theirs));
        rest.first_byte = self.first_byte.since(&earlier.first_byte);
        rest.queued -= earlier.queued;
        rest.queue_ns -= earlier.queue_ns;
        rest.request_bytes = self.request_bytes.wrapping_sub(earlier.request_bytes);
        rest.response_bytes = self.response_bytes.wrapping_sub(earlier.response_bytes);
        rest.loads -= earlier.loads;
        rest.load_failures -= earlier.load_failures;
        rest.load_ns -= earlier.load_ns;
        rest.timed_loads -= earlier.timed_loads;
        rest.evictions -= earlier.evictions;
        rest.reloads -= earlier.reloads;
        if let (Some(ours), Some(theirs)) = (&mut rest.figures, &earlier.figures) {
            **ours = ours.since(theirs);
        }
        rest
    }

    /// Takes out what is in flight, and says how much it was: it goes where its requests will end.
    pub(crate) fn take_in_flight(&mut self) -> u64 {
        let open = self.started.wrapping_sub(self.settled());
        self.started = self.settled();
        open
    }

    /// Adds what happened lately.
    pub(crate) fn add(&mut self, delta: &Delta, specs: &[Spec]) {
        self.started = self.started.wrapping_add(delta.started);
        zip(&mut self.outcomes, &delta.outcomes, |ours, theirs| *ours += u64::from(*theirs));
        zip(&mut self.cold_starts, &delta.cold_starts, |ours, theirs| *ours += u64::from(*theirs));
        for (ours, cells) in self.durations.iter_mut().zip(&delta.cells) {
            ours.add_dense(cells);
        }
        self.first_byte.add_dense(&delta.first_byte);
        self.queued += u64::from(delta.queued);
        self.queue_ns += u128::from(delta.queue_sum);
        self.request_bytes = self.request_bytes.wrapping_add(delta.request_bytes);
        self.response_bytes = self.response_bytes.wrapping_add(delta.response_bytes);
        self.loads += u64::from(delta.loads);
        self.load_failures += u64::from(delta.load_failures);
        self.load_ns += u128::from(delta.load_sum);
        self.evictions += u64::from(delta.evictions);
        self.timed_loads += u64::from(delta.timed_loads);
        self.reloads += u64::from(delta.reloads);
        if delta.timed_loads > 0 {
            self.load_last_ns = delta.load_last;
        }
        if delta.evictions > 0 {
            self.evicted_age_ns = delta.evicted_age;
        }
        if let Some(numbers) = delta.numbers() {
            self.figures.get_or_insert_default().add(numbers, specs);
        }
    }

    /// Takes over the values that are no sums; for the totals of one model alone.
    pub(crate) fn take_last(&mut self, delta: &Delta) {
        if let (Some(figures), Some(numbers)) = (&mut self.figures, delta.numbers()) {
            figures.take_last(numbers);
        }
    }
}

/// hot / (hot + cold), if there was any of them.
pub(crate) fn hit_ratio(hot: u64, cold: u64) -> Option<f64> {
    let known = hot + cold;
    (known > 0).then(|| hot as f64 / known as f64)
}

/// What one model did between two folds: dense, reused from model to model.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    pub(crate) started: u64,
    /// `Ok` is filled in from the cells.
    pub(crate) outcomes: [u32; 8],
    pub(crate) cold_starts: [u32; 5],
    pub(crate) cells: [Dense; 3],
    pub(crate) first_byte: Dense,
    pub(crate) queued: u32,
    pub(crate) queue_sum: u64,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) loads: u32,
    pub(crate) load_failures: u32,
    pub(crate) load_sum: u64,
    pub(crate) load_last: u64,
    pub(crate) timed_loads: u32,
    pub(crate) evictions: u32,
    pub(crate) evicted_age: u64,
    pub(crate) reloads: u32,
    /// Made when it is first needed, and kept.
    pub(crate) numbers: Option<Box<Tally>>,
}

impl Delta {
    /// Empties it for the next model.
    pub(crate) fn clear(&mut self) {
        self.cells.iter_mut().for_each(Dense::clear);
        self.first_byte.clear();
        self.numbers.iter_mut().for_each(|numbers| numbers.clear());
        (self.started, self.outcomes, self.cold_starts) = (0, [0; 8], [0; 5]);
        (self.queued, self.queue_sum, self.request_bytes, self.response_bytes) = (0, 0, 0, 0);
        (self.loads, self.timed_loads, self.load_failures, self.load_sum, self.load_last) = (0, 0, 0, 0, 0);
        (self.evictions, self.evicted_age, self.reloads) = (0, 0, 0);
    }

    fn numbers(&self) -> Option<&Tally> {
        self.numbers.as_deref().filter(|numbers| !numbers.is_clear())
    }

    /// Successes that started so.
    pub(crate) fn successes(&self, start: Start) -> u32 {
        self.cells.get(start.index()).map_or(0, |cells| cells.count)
    }

    /// The successes are counted by their cells alone.
    pub(crate) fn count_successes(&mut self) {
        let ok = self.cells.iter().map(|cells| cells.count).sum();
        if let Some(counter) = self.outcomes.get_mut(Outcome::Ok.index()) {
            *counter = ok;
        }
    }
}

fn zip<T, U, const N: usize>(ours: &mut [T; N], theirs: &[U; N], each: impl Fn(&mut T, &U)) {
    ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| each(ours, theirs));
}
