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
mod post;
mod told;

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use metrics::counter;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use weir_config::{Alerts, Config, Url};
use weir_telemetry::{Alert, names};

pub use clock::{Clock, date as date_of, rfc3339};
pub use message::message;

use crate::app::State;
use post::{PostError, post};
use told::Told;

/// How often it is worked out who is to be told what.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Alerts in one message.
const BATCH_MAX: usize = 100;
/// The first pause after a failure; it doubles up to `retry_after_max`.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a receiver understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alertmanager,
    Webhook,
}

/// One that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Receiver {
    kind: Kind,
    url: Url,
}

impl Receiver {
    fn all(alerts: &Alerts) -> impl Iterator<Item = Self> {
        let of = |kind| move |url: &Url| Self { kind, url: url.clone() };
        let managers = alerts.alertmanagers.iter().map(of(Kind::Alertmanager));
        managers.chain(alerts.webhooks.iter().map(of(Kind::Webhook)))
    }

    /// The label `receiver`: its place without the path, which may hold a secret.
    fn label(&self) -> String {
        self.url.endpoint.to_string()
    }

    fn path(&self) -> Result<PathAndQuery, PostError> {
        let path = match self.kind {
            Kind::Alertmanager => format!("{}/api/v2/alerts", self.url.path.trim_end_matches('/')),
            Kind::Webhook if self.url.path.is_empty() => "/".to_owned(),
            Kind::Webhook => self.url.path.clone(),
        };
        path.parse().map_err(|_| PostError::Path)
    }

    /// How often a firing alert is told again.
    const fn again_after(&self, alerts: &Alerts) -> Duration {
        match self.kind {
            Kind::Alertmanager => alerts.resend_every,
            Kind::Webhook => alerts.repeat_every,
        }
    }

    fn body(&self, batch: &[Alert], config: &Config, clock: &Clock, now: Duration) -> Value {
        let all = batch.iter().map(|alert| message(alert, config, clock));
        match self.kind {
            Kind::Alertmanager => {
                let ends = clock.rfc3339(now + config.alerts.resend_every * 4);
                all.map(|alert| message::with_end(alert, &ends)).collect::<Vec<_>>().into()
            }
            Kind::Webhook => message::webhook(all.collect(), &message::external_url(config)),
        }
    }
}

/// Tells everybody everything until the drain begins, and begins anew with each configuration.
pub async fn run(state: Arc<State>, mut draining: watch::Receiver<bool>) {
    let mut receivers: Vec<(Receiver, watch::Sender<bool>)> = Vec::new();
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
        let wanted: Vec<_> = Receiver::all(&live.config.alerts).collect();
        // Who is no longer wanted ends as its sender is dropped; the others keep what they have heard.
        receivers.retain(|(receiver, _)| wanted.contains(receiver));
        for receiver in wanted {
            if !receivers.iter().any(|(known, _)| *known == receiver) {
                let (stop, stopped) = watch::channel(false);
                tasks.spawn(tell(Arc::clone(&state), receiver.clone(), stopped));
                receivers.push((receiver, stop));
            }
        }
    }
}

/// Keeps one receiver up to date until it is no longer wanted.
async fn tell(state: Arc<State>, receiver: Receiver, mut stopped: watch::Receiver<bool>) {
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
            let body = receiver.body(batch, &live.config, &clock, now).to_string();
            let sent = send(&receiver, body, live.config.alerts.timeout);
            let sent = tokio::select! {
                _ = stopped.changed() => return,
                sent = sent => sent,
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

async fn send(receiver: &Receiver, body: String, timeout: Duration) -> Result<(), PostError> {
    let path = receiver.path()?;
    let sent = tokio::time::timeout(timeout, post(&receiver.url.endpoint, path, body)).await;
    sent.map_err(|_| PostError::Timeout)?
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
