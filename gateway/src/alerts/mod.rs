//! Tells people: what fires and what is resolved goes to Alertmanagers and webhooks, until each has taken it.
//!
//! There is no queue. What is to be told is worked out anew every second from the alerts there are and from what each
//! receiver has taken (`told`); a receiver that is down or slow costs nothing but its own news, and when it is back it is
//! told how things stand, what was resolved meanwhile too. The store bounds how many alerts there are, `told` how many
//! resolved ones are kept for who has not heard. From the drain's beginning on nobody is told anything: what ends then is no
//! model's fault.
//!
//! Entry: [`run`], a task of the control plane.

mod clock;
mod message;
mod receiver;
mod told;

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use weir_config::Url;
use weir_telemetry::names;

pub use clock::{Clock, date as date_of, rfc3339};
pub use message::message;
pub use receiver::{Kind, Receiver};

use crate::app::State;
use crate::live::Live;
use told::Told;

/// How often it is worked out who is to be told what.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Alerts in one message.
const BATCH_MAX: usize = 100;
/// The first pause after a failure; it doubles up to `retry_after_max`.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a receiver is known by.
type Place = (Kind, Url);

/// Tells everybody everything until the drain begins, and begins anew with each configuration.
pub async fn run(state: Arc<State>, mut draining: watch::Receiver<bool>) {
    let mut told: Vec<(Place, watch::Sender<bool>)> = Vec::new();
    let mut tasks = JoinSet::new();
    let mut generation = None;
    let mut look = interval();
    loop {
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => return,
            _ = look.tick() => {}
        }
        while tasks.try_join_next().is_some() {}
        if generation == Some(state.shared.generation()) {
            continue;
        }
        generation = Some(state.shared.generation());
        let live = state.shared.load();
        let wanted: Vec<Place> = live.receivers.iter().map(place).collect();
        // Who is no longer wanted ends as its sender is dropped; the others keep what they have heard.
        told.retain(|(known, _)| wanted.contains(known));
        for place in wanted {
            if !told.iter().any(|(known, _)| *known == place) {
                let (stop, stopped) = watch::channel(false);
                tasks.spawn(tell(Arc::clone(&state), place.clone(), stopped));
                told.push((place, stop));
            }
        }
    }
}

fn place(receiver: &Receiver) -> Place {
    let (kind, url) = receiver.place();
    (kind, url.clone())
}

fn find<'l>(live: &'l Live, place: &Place) -> Option<&'l Receiver> {
    live.receivers.iter().find(|receiver| receiver.place() == (place.0, &place.1))
}

/// Keeps one receiver up to date until it is no longer wanted.
async fn tell(state: Arc<State>, place: Place, mut stopped: watch::Receiver<bool>) {
    let clock = state.clock;
    let mut told = Told::default();
    let mut pause = Pause::default();
    let mut look = interval();
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = look.tick() => {}
        }
        let live = state.shared.load();
        let Some(receiver) = find(&live, &place) else { return };
        let now = state.epoch.elapsed();
        let forgotten = told.update(state.store.alerts(), now, live.config.alerts.alerts_max as usize);
        if forgotten > 0 {
            let label = receiver.label();
            tracing::warn!(
                receiver = label,
                forgotten,
                "resolved alerts are too many to be kept for a receiver that is down"
            );
            counter!(names::ALERTS_SEND_ERRORS, "receiver" => label, "reason" => "forgotten")
                .increment(forgotten);
        }
        if pause.until.is_some_and(|until| now < until) {
            continue;
        }
        let due = told.due(now, receiver.again_after(&live.config.alerts));
        for batch in due.chunks(BATCH_MAX) {
            let sent = tokio::select! {
                _ = stopped.changed() => return,
                sent = receiver.tell(batch, &live.config, &clock, now) => sent,
            };
            let label = receiver.label();
            match sent {
                Ok(()) => {
                    pause = Pause::default();
                    told.took(batch, now);
                    counter!(names::ALERTS_SENT, "receiver" => label).increment(batch.len() as u64);
                }
                Err(error) => {
                    counter!(names::ALERTS_SEND_ERRORS, "receiver" => label.clone(), "reason" => error.reason()).increment(1);
                    pause.lengthen(state.epoch.elapsed(), live.config.alerts.retry_after_max);
                    tracing::warn!(receiver = label, %error, again_in = ?pause.length, "alerts could not be sent");
                    break;
                }
            }
        }
    }
}

/// How long a receiver that failed is left alone.
#[derive(Debug, Default)]
struct Pause {
    length: Duration,
    until: Option<Duration>,
}

impl Pause {
    fn lengthen(&mut self, now: Duration, max: Duration) {
        self.length = (self.length * 2).clamp(RETRY_AFTER, max.max(RETRY_AFTER));
        self.until = Some(now + self.length);
    }
}

fn interval() -> tokio::time::Interval {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look
}
