//! What weir knows about every model: counters on the request path, totals and distributions beside it, and the
//! bytes that a scraper reads. No I/O and no clock: time comes in as an argument, bytes go out.

mod observation;
mod settings;
mod store;
mod totals;
mod numbers;
mod distribution;
mod windows;
mod slo;
pub mod generate;
mod snapshot;
mod encode;
pub mod names;
pub mod process;

pub use distribution::Distribution;
pub use encode::emf::{Emf, EmfSettings};
pub use encode::gpu::Gpu;
pub use encode::otlp::{OTLP_CONTENT_TYPE, OtlpSettings, encode_otlp, otlp_rejected};
pub use encode::protobuf::{PROTOBUF_CONTENT_TYPE, encode_protobuf, encode_protobuf_of_text};
pub use encode::resident::{Resident, Residents};
pub use encode::tail::{Tail, TailModel, encode_tail};
pub use encode::text::{OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE, encode_openmetrics, encode_text};
pub use encode::{Coding, Format};
pub use numbers::{Broken, Figure, Figures, Measure, PLACES, Tokens, Usage, ValueId};
pub use observation::{Evidence, Lifecycle, Lifecycles, Observation, Outcome, Start};
pub use process::Process;
pub use settings::Settings;
pub use slo::{
    Alert, AlertKind, BURN_LEVELS, BURN_WINDOWS, Burn, Counts, Level, Phase, Rule, Standing, State, Target,
    Verdict, alert_names, glob,
};
pub use snapshot::{ModelSnapshot, Promised, Snapshot};
pub use store::{
    BACKENDS_MAX, BackendId, Exemplar, ModelRef, NAME_BYTES_MAX, Pin, Reason, Recorder, Reserved, Store,
};
pub use totals::Totals;
pub use windows::{Recent, Window};
