//! The gateway-wide metrics: `metrics` macros in the gateway, `metrics-exporter-prometheus` behind them.
//!
//! Only what has few label values goes this way, never a model's name: the exporter hashes labels with a fixed seed,
//! allocates for each call with a dynamic label and has no way to remove a series. Its other traps, and how they are
//! avoided (TELEMETRY.md §1):
//! - It keeps every histogram sample until it is drained, and only its own listener drains by itself. We build the
//!   recorder alone, so [`Process::upkeep`] must be called every few seconds.
//! - Its histograms are summaries by default, 245 KB each, whose idle quantiles read as 0. Every histogram of
//!   [`names`] has buckets set here.
//! - It appends units to names in text and not in protobuf. Names are full already and units are not passed on.
//! - A label value that holds two backslashes is not escaped again, so two values can become one. Values are words of
//!   ours or configured names.
//! - A series dropped for idleness loses what a cached handle adds later. No idle timeout is set.
//! - Native histograms vanish from its text. None is used.

use std::sync::OnceLock;

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::names::{self, BUILD_INFO, CLASSIC_LE_NS, Kind, Scope};

/// The process's recorder of gateway-wide metrics. Clones share it.
#[derive(Clone)]
pub struct Process {
    handle: PrometheusHandle,
}

impl Process {
    /// Makes the recorder and puts it behind the `metrics` macros, once for the process; later calls give the same.
    ///
    /// # Errors
    /// Only if the exporter refuses the buckets that are set here.
    pub fn install() -> Result<Self, BuildError> {
        static PROCESS: OnceLock<Process> = OnceLock::new();
        if let Some(process) = PROCESS.get() {
            return Ok(process.clone());
        }
        let mut builder = PrometheusBuilder::new();
        for family in names::all().filter(|family| family.scope == Scope::Gateway && family.kind == Kind::Histogram) {
            let seconds = CLASSIC_LE_NS.map(|ns| ns as f64 / 1e9);
            builder = builder.set_buckets_for_metric(Matcher::Full(family.name.to_owned()), &seconds)?;
        }
        let process = PROCESS.get_or_init(|| {
            let recorder = builder.build_recorder();
            describe(&recorder);
            let handle = recorder.handle();
            // Somebody else's recorder may stand there (a host process that embeds us): theirs then counts, and
            // ours renders the descriptions only.
            _ = metrics::set_global_recorder(recorder);
            Self { handle }
        });
        Ok(process.clone())
    }

    /// Appends the families in text format 0.0.4.
    pub fn render_to(&self, out: &mut String) {
        let mut bytes = Vec::new();
        // Writing to memory does not fail, and what comes is UTF-8.
        if self.handle.render_to_write(&mut bytes).is_ok()
            && let Ok(text) = std::str::from_utf8(&bytes)
        {
            out.push_str(text);
        }
    }

    /// Drains the samples of histograms into their buckets. Every 5 s or so, also if nobody scrapes.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

/// Gives every gateway family its help, and sets the one gauge that never changes.
fn describe(recorder: &impl Recorder) {
    for family in names::all().filter(|family| family.scope == Scope::Gateway) {
        let (name, help) = (KeyName::from_const_str(family.name), SharedString::const_str(family.help));
        match family.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, None, help),
        }
    }
    let version = Label::from_static_parts("version", env!("CARGO_PKG_VERSION"));
    let key = Key::from_parts(BUILD_INFO.name, vec![version]);
    let metadata = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    recorder.register_gauge(&key, &metadata).set(1.0);
}
