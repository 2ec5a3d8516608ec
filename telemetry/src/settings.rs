//! The knobs of this crate, as the configuration's `telemetry` section has them.

use std::time::Duration;

/// What bounds the store. Made from a [`weir_config::Telemetry`]; a test or an embedding program sets its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Models that can have a slot; names beyond go to `__overflow__`.
    pub models_max: u32,
    /// Versions of one model that can have a slot, where they are counted apart; those beyond share one. 16.
    pub versions_per_model_max: u32,
    /// Requests per second from which a model gets per-worker lanes.
    pub shard_above_rps: u32,
    /// Models that can have per-worker lanes at a time.
    pub sharded_models_max: u32,
    /// Models whose last minutes are kept as distributions at a time, 10 KB or so each; others have counts.
    /// 1,000.
    pub tracked_models_max: u32,
    /// A model that was admitted for its success loses its slot after so long without a request. 24 hours.
    pub idle_after: Duration,
    /// Series of all models together; while all models fit, all are exported under their own name. 5,000.
    pub series_budget: u32,
    /// Models that are, for their traffic, when not all fit. 50.
    pub top_models: u32,
    /// Names of others under which the models are exported once more. None.
    pub profiles: Vec<weir_config::Profile>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::from(&weir_config::Telemetry::default())
    }
}

impl From<&weir_config::Telemetry> for Settings {
    fn from(config: &weir_config::Telemetry) -> Self {
        Self {
            models_max: config.models_max,
            versions_per_model_max: config.versions_per_model_max.into(),
            shard_above_rps: config.shard_above_rps,
            sharded_models_max: config.sharded_models_max,
            tracked_models_max: config.tracked_models_max,
            idle_after: config.idle_after,
            series_budget: config.series_budget,
            top_models: config.top_models,
            profiles: config.profiles.clone(),
        }
    }
}
