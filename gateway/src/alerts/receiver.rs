//! One that is to be told: what it understands, where it is asked, and whether it has taken a message.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use weir_config::{Alerts, Config, Url};
use weir_telemetry::Alert;

use super::{Clock, message};
use crate::net::remote::{Remote, RemoteError};

/// What is shown of an answer, in the log.
const SHOWN_CHARS_MAX: usize = 200;

/// What a receiver understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Alertmanager's API v2.
    Alertmanager,
    /// Alertmanager's webhook messages.
    Webhook,
}

/// One that is to be told.
#[derive(Debug)]
pub struct Receiver {
    kind: Kind,
    remote: Remote,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum TellError {
    /// Nothing came back.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The receiver said no.
    #[error("it answered {status}: {text:?}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// The beginning of what it said.
        text: String,
    },
}

impl TellError {
    /// The label `reason`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Remote(error) => error.reason(),
            Self::Refused { .. } => "refused",
        }
    }
}

impl Receiver {
    /// All that the configuration names.
    ///
    /// # Errors
    /// A file that TLS or authentication needs, with the receiver that it is for.
    pub fn all(alerts: &Alerts) -> Result<Vec<Self>, RemoteError> {
        let managers = alerts.alertmanagers.iter().map(|config| (Kind::Alertmanager, config));
        let all = managers.chain(alerts.webhooks.iter().map(|config| (Kind::Webhook, config)));
        all.map(|(kind, config)| Ok(Self { kind, remote: Remote::new(config)? })).collect()
    }

    /// What tells it from others: who has the same goes on from what it has heard, whatever its secrets are now.
    pub(super) fn place(&self) -> (Kind, &Url) {
        (self.kind, &self.remote.config.url)
    }

    /// The label `receiver`: its place without the path, which may hold a secret.
    pub(super) fn label(&self) -> String {
        self.remote.place()
    }

    /// How often a firing alert is told again.
    pub(super) const fn again_after(&self, alerts: &Alerts) -> Duration {
        match self.kind {
            Kind::Alertmanager => alerts.resend_every,
            Kind::Webhook => alerts.repeat_every,
        }
    }

    /// Tells it these; well if the answer's status is 2xx.
    pub(super) async fn tell(
        &self,
        batch: &[Alert],
        config: &Config,
        clock: &Clock,
        now: Duration,
    ) -> Result<(), TellError> {
        let body = Bytes::from(self.body(batch, config, clock, now).to_string());
        let json = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let reply = self.remote.post(&self.path(), json, body, config.alerts.timeout).await?;
        if reply.status.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&reply.body).chars().take(SHOWN_CHARS_MAX).collect();
        Err(TellError::Refused { status: reply.status, text })
    }

    fn path(&self) -> String {
        let path = &self.remote.config.url.path;
        match self.kind {
            Kind::Alertmanager => format!("{}/api/v2/alerts", path.trim_end_matches('/')),
            Kind::Webhook if path.is_empty() => "/".to_owned(),
            Kind::Webhook => path.clone(),
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
