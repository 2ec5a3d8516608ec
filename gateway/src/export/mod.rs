//! Pushes metrics to those who cannot scrape: OTLP over HTTP (`otlp`), and CloudWatch's Embedded Metric Format (`emf`).
//!
//! There is no queue. OTLP's counters are cumulative: what could not be pushed is in the next push, so a failure is tried again with
//! fresh numbers, sooner at first and then once in an interval. EMF tells what happened since it was last written. Both are made on a
//! thread of their own, and touch no request. When weir has drained, each pushes once more.
//!
//! Entry: [`run`], a task of the control plane, and [`last`].

mod emf;
mod environment;
mod otlp;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{counter, gauge};
use tokio::time::{Instant, MissedTickBehavior};
use weir_telemetry::names;

pub use emf::Lines;
pub use environment::{EnvironmentError, Settled, settle};
pub use otlp::{Otlp, OtlpError};

use crate::app::State;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The first pause after a failure; it doubles up to the interval.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Time for the last push of a weir that ends.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// When one exporter is next to push.
#[derive(Debug)]
struct Pace {
    exporter: &'static str,
    due: Instant,
    pause: Duration,
    is_on: bool,
}

impl Pace {
    fn new(exporter: &'static str) -> Self {
        Self { exporter, due: Instant::now(), pause: Duration::ZERO, is_on: false }
    }

    /// Whether it is time to, of an exporter that is on with that interval, or off.
    fn is_due(&mut self, now: Instant, interval: Option<Duration>) -> bool {
        let Some(interval) = interval else {
            if self.is_on {
                // Nobody waits for it any more: it does not lag.
                self.succeeded_now();
            }
            return false;
        };
        if !std::mem::replace(&mut self.is_on, true) {
            self.succeeded_now();
            self.due = now + interval;
        }
        // An interval that became shorter holds at once.
        self.due = self.due.min(now + interval);
        now >= self.due
    }

    fn succeeded(&mut self, now: Instant, interval: Duration) {
        self.succeeded_now();
        counter!(names::EXPORTER_PUSHES, "exporter" => self.exporter, "result" => "ok").increment(1);
        self.pause = Duration::ZERO;
        self.due = now + interval;
    }

    /// Tried again after a while: of what is not worth to be tried again after the whole interval.
    fn failed(&mut self, now: Instant, interval: Duration, reason: &'static str, again: Again) {
        counter!(names::EXPORTER_PUSHES, "exporter" => self.exporter, "result" => reason).increment(1);
        self.pause = (self.pause * 2).clamp(RETRY_AFTER, interval.max(RETRY_AFTER));
        let wait = match again {
            Again::Soon => self.pause,
            Again::After(wait) => wait.clamp(self.pause, interval.max(self.pause)),
            Again::NextTime => interval,
        };
        self.due = now + wait;
    }

    fn succeeded_now(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        gauge!(names::EXPORTER_LAST_SUCCESS, "exporter" => self.exporter).set(now);
    }
}

/// When a failed push is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Soon,
    /// As the receiver asked.
    After(Duration),
    /// It would be refused again.
    NextTime,
}

/// Pushes by both ways until the control plane's runtime ends; follows the configuration.
pub async fn run(state: Arc<State>) {
    tokio::join!(push_otlp(Arc::clone(&state)), write_emf(state));
}

/// What happened since the last push, of a weir that has drained.
pub async fn last(state: &Arc<State>) {
    let live = state.shared.load();
    let pushed = async {
        if let Some(otlp) = &live.otlp
            && let Err(error) = otlp.push(state).await
        {
            tracing::warn!(%error, "the last metrics could not be pushed");
        }
        if let Some(settings) = &live.config.export.emf
            && let Err(error) = Lines::of(state).write(state, settings).await
        {
            tracing::warn!(%error, "the last metrics could not be written");
        }
    };
    _ = tokio::time::timeout(LAST_PATIENCE, pushed).await;
}

async fn push_otlp(state: Arc<State>) {
    let mut pace = Pace::new("otlp");
    let mut look = look();
    loop {
        look.tick().await;
        let live = state.shared.load();
        let otlp = live.otlp.as_ref();
        if !pace.is_due(Instant::now(), otlp.map(Otlp::interval)) {
            continue;
        }
        let Some(otlp) = otlp else { continue };
        match otlp.push(&state).await {
            Ok(rejected) => {
                pace.succeeded(Instant::now(), otlp.interval());
                if rejected > 0 {
                    tracing::warn!(rejected, to = otlp.place(), "data points were rejected");
                    counter!(names::EXPORTER_REJECTED_POINTS, "exporter" => "otlp").increment(rejected);
                }
            }
            Err(error) => {
                tracing::warn!(to = otlp.place(), %error, "metrics could not be pushed");
                pace.failed(Instant::now(), otlp.interval(), error.reason(), error.again());
            }
        }
    }
}

async fn write_emf(state: Arc<State>) {
    let mut pace = Pace::new("emf");
    let mut look = look();
    loop {
        look.tick().await;
        let live = state.shared.load();
        let settings = live.config.export.emf.as_ref();
        if !pace.is_due(Instant::now(), settings.map(|settings| settings.interval)) {
            continue;
        }
        let Some(settings) = settings else { continue };
        match Lines::of(&state).write(&state, settings).await {
            Ok(()) => pace.succeeded(Instant::now(), settings.interval),
            Err(error) => {
                tracing::warn!(path = settings.path, %error, "metrics could not be written");
                pace.failed(Instant::now(), settings.interval, "disk", Again::Soon);
            }
        }
    }
}

fn look() -> tokio::time::Interval {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn failures_are_tried_again_later_each_time_and_no_later_than_the_interval() {
        let (mut pace, now) = (Pace::new("test"), Instant::now());
        assert!(!pace.is_due(now, None));
        assert!(!pace.is_due(now, Some(MINUTE)), "the first is due after an interval");
        assert!(pace.is_due(now + MINUTE, Some(MINUTE)));
        let mut waits = Vec::new();
        for _ in 0..8 {
            pace.failed(now, MINUTE, "connect", Again::Soon);
            waits.push((pace.due - now).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        pace.succeeded(now, MINUTE);
        assert!(!pace.is_due(now, Some(MINUTE)));
        for (again, wait) in [
            (Again::After(Duration::from_secs(7)), 7),
            (Again::After(Duration::from_secs(7000)), 60),
            (Again::NextTime, 60),
        ] {
            pace.failed(now, MINUTE, "unavailable", again);
            assert_eq!((pace.due - now).as_secs(), wait, "{again:?}");
        }
        let shorter = Duration::from_secs(5);
        assert!(!pace.is_due(now, Some(shorter)));
        assert!(pace.is_due(now + shorter, Some(shorter)), "a shorter interval holds at once");
    }
}
