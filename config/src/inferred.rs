//! Whether cold starts are inferred where nothing tells of them.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{DurationText, duration_option, duration_within};

/// Cold starts inferred from what is seen from outside, where no header, status, load call or state tells: evidence `inferred`. It never
/// overrides what tells. The first answer after an unload that passed through is cold; what else is, the keys say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Inferred {
    /// The first answer by a model after so long without one is cold, with those that waited beside it, unless it was as fast as 19 of 20
    /// are: for servers that unload what is idle. Default none; 1s to 7d.
    #[serde(with = "duration_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DurationText>", example = &"10m")]
    #[garde(inner(custom(duration_within("1s", "7d"))))]
    pub after_idle: Option<Duration>,
    /// Where a model's times to the first byte have two peaks, those of the slow one are cold and those of the fast one hot. There are two
    /// when, of its last 200 to 4096 answers, between 1 % and 40 % (and 6 or more) took at least four times as long as all the others, and
    /// for each five of them at most one lies between, which are never more than 1 % of all. Default true.
    pub two_peaks: bool,
}

impl Default for Inferred {
    fn default() -> Self {
        Self { after_idle: None, two_peaks: true }
    }
}
