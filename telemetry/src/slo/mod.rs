//! What models promise, whether they keep it, and who has to be told. Pure: time comes in as an argument.
//!
//! A request is good or bad when it ends ([`marks`]: its model's limits lie beside its counters), so ratios are exact
//! whatever the bounds of histograms are: the p95 is above T exactly if more than 5 % took longer than T. The control
//! plane's fold adds what was counted to each promise of each model ([`record`]), every second each is judged
//! ([`verdict`]), and what is broken long enough becomes an alert ([`alert`], [`watch`]).
//!
//! Memory for each model: 250 B for each promise, and 650 B more for its burn rates once it had a request; no model
//! has more than [`weir_config::SLO_NAMES_MAX`]. Alerts are bounded by `alerts.alerts_max`.

pub(crate) mod rule;
pub(crate) mod marks;
pub(crate) mod ring;
pub(crate) mod record;
pub(crate) mod verdict;
pub(crate) mod peaks;
pub(crate) mod alert;
pub(crate) mod watch;
mod words;

pub use alert::{Alert, AlertKind, Phase, all_names as alert_names};
pub use record::Standing;
pub use rule::{Rule, Target, glob};
pub use verdict::{BURN_LEVELS, BURN_WINDOWS, Burn, Counts, Level, State, Verdict};
