//! What weir knows about every model: counters on the request path, totals and distributions beside it, and the
//! bytes that a scraper reads. No I/O and no clock: time comes in as an argument, bytes go out.

mod observation;
mod settings;
mod store;
mod totals;
mod distribution;
mod windows;
mod snapshot;
mod encode;
pub mod names;
pub mod process;

pub use distribution::Distribution;
pub use encode::text::{TEXT_CONTENT_TYPE, encode_text};
pub use observation::{Evidence, Lifecycle, Observation, Outcome, Start};
pub use settings::Settings;
pub use snapshot::{ModelSnapshot, Snapshot};
pub use store::{BACKENDS_MAX, BackendId, ModelRef, NAME_BYTES_MAX, Reason, Recorder, Reserved, Store};
pub use totals::Totals;
pub use windows::{Recent, Window};
