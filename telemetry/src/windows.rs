//! The last minute and the last five minutes of a model.
//!
//! Time is cut into slots of 10 s and of 60 s. A window is the slot that runs now and the 6 (or 5) whole ones before
//! it, so it covers its span and up to one slot more, and says how much. What was counted is dated by the fold that
//! found it, up to a second late.
//!
//! Every model has the counts (312 B for both windows). Distributions are kept for at most
//! `tracked_models_max` models at a time, those that are exported before those that are not.

use std::time::Duration;

use crate::distribution::Distribution;
use crate::observation::{Outcome, Start};
use crate::totals::{Delta, hit_ratio};

/// Requests in the last five minutes below which nothing is concluded from them.
const FAILING_FROM: u32 = 20;

/// What a model did lately.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Window {
    /// How much time it covers.
    pub covered: Duration,
    /// Requests that ended.
    pub requests: u64,
    /// Those that the serving side failed ([`Outcome::is_failure`]).
    pub failures: u64,
    /// Successes by [`Start::index`].
    pub starts: [u64; 3],
    /// Durations of the successes by [`Start::index`], if the model is tracked.
    pub durations: Option<[Distribution; 3]>,
}

impl Window {
    /// Requests per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.covered.is_zero() { 0.0 } else { self.requests as f64 / self.covered.as_secs_f64() }
    }

    /// Failures / requests; `None` without requests.
    #[must_use]
    pub fn error_ratio(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failures as f64 / self.requests as f64)
    }

    /// hot / (hot + cold); `None` where no start is known.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let [hot, cold, _] = self.starts;
        hit_ratio(hot, cold)
    }

    /// The quantile `q` of the successes that started so, within 4.33 %; `None` if the model is not tracked.
    #[must_use]
    pub fn quantile(&self, start: Start, q: f64) -> Option<Duration> {
        self.durations.as_ref()?.get(start.index())?.quantile(q)
    }

    /// The quantile `q` of all successes.
    #[must_use]
    pub fn quantile_of_all(&self, q: f64) -> Option<Duration> {
        let mut all = Distribution::default();
        self.durations.iter().flatten().for_each(|durations| all.merge(durations));
        all.quantile(q)
    }
}

/// Both windows of a model.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recent {
    /// 60 to 70 seconds.
    pub minute: Window,
    /// 5 to 6 minutes.
    pub five_minutes: Window,
}

/// A model's slots.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    fine: Ring<7, 10>,
    coarse: Ring<6, 60>,
}

impl Windows {
    pub(crate) fn add(&mut self, now: Duration, delta: &Delta) {
        self.fine.add(now, delta);
        self.coarse.add(now, delta);
    }

    pub(crate) const fn is_tracked(&self) -> bool {
        self.fine.details.is_some()
    }

    /// From now on with distributions, or no longer.
    pub(crate) fn track(&mut self, tracked: bool) {
        self.fine.track(tracked);
        self.coarse.track(tracked);
    }

    /// Whether both windows are empty.
    pub(crate) fn is_idle(&self, now: Duration) -> bool {
        self.coarse.within(now).next().is_none()
    }

    /// Whether one in twenty of the requests of the last minutes failed, if there were enough to say so.
    pub(crate) fn is_failing(&self, now: Duration) -> bool {
        let (mut requests, mut failures) = (0, 0);
        for (_, slot) in self.coarse.within(now) {
            requests += slot.requests;
            failures += slot.failures;
        }
        requests >= FAILING_FROM && failures.saturating_mul(20) >= requests
    }

    pub(crate) fn recent(&self, now: Duration) -> Recent {
        Recent { minute: self.fine.window(now), five_minutes: self.coarse.window(now) }
    }
}

/// The last `N` slots of `WIDTH` seconds. A slot is found by its number modulo `N` and emptied by the first that
/// comes to it with a new number, so a model at rest costs nothing.
#[derive(Debug)]
struct Ring<const N: usize, const WIDTH: u64> {
    slots: [Slot; N],
    details: Option<Box<[[Distribution; 3]; N]>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which slot of time it is, from 1; 0 = none yet.
    number: u32,
    requests: u32,
    failures: u32,
    starts: [u32; 3],
}

impl<const N: usize, const WIDTH: u64> Default for Ring<N, WIDTH> {
    fn default() -> Self {
        Self { slots: [Slot::default(); N], details: None }
    }
}

impl<const N: usize, const WIDTH: u64> Ring<N, WIDTH> {
    fn track(&mut self, tracked: bool) {
        self.details = tracked.then(|| Box::new(std::array::from_fn(|_| Default::default())));
    }

    /// The slots of the window that ends now, each with its place.
    fn within(&self, now: Duration) -> impl Iterator<Item = (usize, &Slot)> {
        let current = number(now, WIDTH);
        let is_within = move |slot: &Slot| slot.number > 0 && current.wrapping_sub(slot.number) < N as u32;
        self.slots.iter().enumerate().filter(move |(_, slot)| is_within(slot))
    }

    fn add(&mut self, now: Duration, delta: &Delta) {
        let number = number(now, WIDTH);
        let at = number as usize % N;
        let Some(slot) = self.slots.get_mut(at) else { return };
        let detail = self.details.as_mut().and_then(|details| details.get_mut(at));
        let is_new = slot.number != number;
        if is_new {
            *slot = Slot { number, ..Slot::default() };
        }
        slot.requests += delta.outcomes.iter().sum::<u32>();
        let outcomes = Outcome::ALL.iter().zip(delta.outcomes);
        slot.failures += outcomes.filter(|(outcome, _)| outcome.is_failure()).map(|(_, n)| n).sum::<u32>();
        for (ours, cells) in slot.starts.iter_mut().zip(&delta.cells) {
            *ours += cells.count;
        }
        let Some(detail) = detail else { return };
        for (ours, cells) in detail.iter_mut().zip(&delta.cells) {
            if is_new {
                ours.clear();
            }
            ours.add_dense(cells);
        }
    }

    fn window(&self, now: Duration) -> Window {
        // What there was of time at all, at the beginning of the process.
        let whole = Duration::from_secs(number(now, WIDTH).saturating_sub(N as u32).into()) * WIDTH as u32;
        let mut window = Window { covered: now.saturating_sub(whole), ..Window::default() };
        let mut durations: [Distribution; 3] = Default::default();
        for (at, slot) in self.within(now) {
            window.requests += u64::from(slot.requests);
            window.failures += u64::from(slot.failures);
            for (ours, theirs) in window.starts.iter_mut().zip(slot.starts) {
                *ours += u64::from(theirs);
            }
            let detail = self.details.iter().filter_map(|details| details.get(at)).flatten();
            durations.iter_mut().zip(detail).for_each(|(ours, theirs)| ours.merge(theirs));
        }
        window.durations = self.details.is_some().then_some(durations);
        window
    }
}

fn number(now: Duration, width: u64) -> u32 {
    u32::try_from(now.as_secs() / width + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
