//! What a request is about, and what the head of its answer said.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use weir_telemetry::{Evidence, Outcome, Start};

use crate::identify::Identity;
use crate::residency::{InferTicket, LoadTicket, Models};

/// What the request is about.
#[derive(Debug)]
pub enum Subject {
    /// No model, or none that could be found.
    None,
    /// Inference by a model.
    Infer {
        /// Whose.
        identity: Identity,
        /// The backend's residency table.
        models: Arc<Models>,
        /// How the model stood when the request began.
        ticket: Option<InferTicket>,
    },
    /// A call that loads a model.
    Load {
        /// Whose.
        identity: Identity,
        /// Settled with the answer.
        ticket: Option<LoadTicket>,
    },
    /// A call that unloads a model.
    Unload {
        /// Whose.
        identity: Identity,
        /// The backend's residency table.
        models: Arc<Models>,
        /// Whether loads and unloads of that backend are believed.
        followed: bool,
    },
    /// Health, metadata, listing.
    Control,
}

/// What the answer's head said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verdict {
    /// How it counts if it is relayed to its end; none: no answer yet.
    pub outcome: Option<Outcome>,
    /// Hot or cold by a header, and its evidence.
    pub start: Option<(Start, Evidence)>,
    /// The load time that the answer reports.
    pub load: Option<Duration>,
    /// Its status.
    pub status: Option<StatusCode>,
}
