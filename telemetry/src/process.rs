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
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::names::{self, BUILD_INFO, CLASSIC_LE_NS, Kind, Scope};

/// The process's recorder of gateway-wide metrics. Clones share it.
#[derive(Clone)]
pub struct Process {
    handle: PrometheusHandle,
}

impl Process {
    /// Makes the recorder and puts it behind the `metrics` macros, once for the process; later calls give the same.
    #[must_use]
    pub fn install() -> Self {
        static PROCESS: OnceLock<Process> = OnceLock::new();
        let make = || {
            let recorder = builder().build_recorder();
            describe(&recorder);
            let handle = recorder.handle();
            // Somebody else's recorder may stand there (a host process that embeds us): theirs then counts, and
            // ours renders the descriptions only.
            _ = metrics::set_global_recorder(recorder);
            Self { handle }
        };
        PROCESS.get_or_init(make).clone()
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

#[expect(clippy::expect_used, reason = "the buckets are a constant of this crate, and not empty")]
fn builder() -> PrometheusBuilder {
    let seconds = CLASSIC_LE_NS.map(|ns| ns as f64 / 1e9);
    names::all()
        .filter(|family| family.scope == Scope::Gateway && family.kind == Kind::Histogram)
        .map(|family| Matcher::Full(family.name.to_owned()))
        .fold(PrometheusBuilder::new(), |builder, histogram| {
            builder.set_buckets_for_metric(histogram, &seconds).expect("only an empty list is refused")
        })
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

#[cfg(test)]
mod tests {
    use metrics::{counter, gauge, histogram};

    use super::*;
    use crate::names::Family;

    /// Records one value of every gateway family, each label set to a word.
    fn record_all() {
        for family in names::all().filter(|family| family.scope == Scope::Gateway && *family != &BUILD_INFO) {
            let labels: Vec<_> = family.labels.iter().map(|name| Label::new(*name, "x")).collect();
            match family.kind {
                Kind::Counter => counter!(*family, labels).increment(1),
                Kind::Gauge => gauge!(*family, labels).set(1.0),
                Kind::Histogram => histogram!(*family, labels).record(0.2),
            }
        }
    }

    #[test]
    fn every_gateway_family_is_rendered_with_its_help_and_type() {
        let process = Process::install();
        record_all();
        process.upkeep();
        let mut text = String::from("# before\n");
        Process::install().render_to(&mut text);
        assert!(text.starts_with("# before\n"));
        for family in names::all().filter(|family| family.scope == Scope::Gateway) {
            let Family { name, help, kind, .. } = family;
            assert!(text.contains(&format!("# HELP {name} {help}\n")), "no help of {name} in {text}");
            assert!(
                text.contains(&format!("# TYPE {name} {}\n", kind.as_str())),
                "no type of {name} in {text}"
            );
        }
        assert!(text.contains("weir_error_duration_seconds_bucket{outcome=\"x\",le=\"300\"} 1\n"), "{text}");
        assert!(text.contains(&format!("weir_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"))));
    }
}
