//! `GET /runbooks/{alert}`: what an alert means, what to look at, what to do; the files of `deploy/runbooks`, so that the link of an
//! alert leads somewhere wherever weir runs.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

macro_rules! runbooks {
    ($($name:literal),* $(,)?) => {
        /// Every runbook by its alert's name.
        pub const RUNBOOKS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../deploy/runbooks/", $name, ".md")))),*];
    };
}

runbooks![
    "WeirAlertsLeftOut",
    "WeirAlertsNotSent",
    "WeirBackendDown",
    "WeirCacheHitRatioLow",
    "WeirCertExpiry",
    "WeirConfigReloadFailed",
    "WeirDown",
    "WeirEvictionStorm",
    "WeirExporterLagging",
    "WeirModelErrorBudgetBurn",
    "WeirModelErrorRateHigh",
    "WeirModelLatencyBimodal",
    "WeirModelLatencyBudgetBurn",
    "WeirModelLatencyHigh",
    "WeirModelLoadFailing",
    "WeirModelStale",
    "WeirModelThrashing",
    "WeirModelsOverflow",
    "WeirPanic",
    "WeirSaturated",
    "WeirSeriesCapReached",
    "WeirShedding",
];

pub(super) async fn one(Path(alert): Path<String>) -> Response {
    let name = alert.trim_end_matches(".md");
    match RUNBOOKS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], *text).into_response(),
        None => (StatusCode::NOT_FOUND, list()).into_response(),
    }
}

pub(super) async fn all() -> String {
    list()
}

fn list() -> String {
    RUNBOOKS.iter().map(|(name, _)| format!("/runbooks/{name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_a_runbook_with_its_three_parts_and_no_runbook_is_left_over() {
        let mut names: Vec<_> = RUNBOOKS.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(names, weir_telemetry::generate::alert_names());
        assert!(weir_telemetry::alert_names().iter().all(|name| names.contains(name)));
        for (name, text) in RUNBOOKS {
            assert!(text.starts_with(&format!("# {name}\n")), "{name}");
            for part in ["## What it means\n", "## What to look at\n", "## What to do\n"] {
                assert!(text.contains(part), "{name}: {part}");
            }
        }
    }

    #[test]
    fn a_runbook_names_only_metrics_that_exist() {
        for (alert, text) in RUNBOOKS {
            for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                let known = weir_telemetry::names::find(word).is_some();
                assert!(!word.starts_with("weir_") || known, "{alert}: {word}");
            }
        }
    }
}
