//! Hot or cold, well or ill? What the head of a backend's answer tells, by the rules of its dialect.
//!
//! Two layers stand here: `header` (a response header or an entry of `Server-Timing`) and `status`. What happened to the model before
//! is `residency`'s; where nothing decides, nothing is guessed.
//!
//! Pure. Cost of a verdict: one header look-up for each header rule, one comparison for each status rule; no allocation.

pub(crate) mod number;
mod server_timing;
mod rules;

use std::time::Duration;

use http::StatusCode;
use weir_config::Starts;
use weir_telemetry::{Evidence, Outcome, Start};

pub use rules::StartError;
pub use server_timing::{Entry, entry};

use rules::{HeaderRule, StatusRule};

use crate::message::HeaderMap;

/// The start rules of one backend, compiled once per configuration.
#[derive(Debug)]
pub struct StartRules {
    headers: Vec<HeaderRule>,
    statuses: Vec<StatusRule>,
}

/// What an answer's head tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderVerdict {
    /// Hot or cold, and which layer says so. It is there whatever the status; only an answer that succeeds is a start.
    pub start: Option<(Start, Evidence)>,
    /// How long the load took, by a header, if the start was cold.
    pub load: Option<Duration>,
    /// What the answer counts as, if a status rule says so; else see [`outcome`].
    pub outcome: Option<Outcome>,
    /// The model is being loaded: its next success is cold (`Residency::told_loading`).
    pub loading: bool,
}

impl StartRules {
    /// Compiles a backend's own rules and, behind them, its dialect's.
    ///
    /// # Errors
    /// The first rule that does not compile; the configuration's checks leave none.
    pub fn new(own: Option<&Starts>, dialect: &Starts) -> Result<Self, StartError> {
        let all = || own.into_iter().chain([dialect]);
        Ok(Self {
            headers: all()
                .flat_map(|starts| &starts.headers)
                .map(HeaderRule::new)
                .collect::<Result<_, _>>()?,
            statuses: all()
                .flat_map(|starts| &starts.statuses)
                .map(StatusRule::new)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Judges the head of an answer.
    #[must_use]
    pub fn verdict(&self, status: StatusCode, headers: &HeaderMap) -> HeaderVerdict {
        let mut verdict = HeaderVerdict::default();
        for rule in &self.headers {
            let told = rule.judge(headers);
            // The first rule that says something wins; another one may still know how long the load took.
            if verdict.start.is_none() {
                verdict.start = told.start.map(|start| (start, Evidence::Header));
            }
            if matches!(verdict.start, Some((Start::Cold, _))) {
                verdict.load = verdict.load.or(told.load);
            }
        }
        if let Some(rule) = self.statuses.iter().find(|rule| rule.fits(status, headers)) {
            verdict.outcome = Some(rule.outcome);
            verdict.loading = rule.loading;
        }
        verdict
    }
}

/// What an answer counts as when no rule says otherwise. 429 is a server that protects itself; a 503 may be anything, also a handler
/// that failed (TorchServe), and is the server's error.
#[must_use]
pub fn outcome(status: StatusCode) -> Outcome {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Outcome::Shed,
        status if status.is_client_error() => Outcome::ClientError,
        // What HTTP does not define (600 and more) is the server's doing as well.
        status if status.as_u16() >= 500 => Outcome::ServerError,
        _ => Outcome::Ok,
    }
}

#[cfg(test)]
mod tests;
