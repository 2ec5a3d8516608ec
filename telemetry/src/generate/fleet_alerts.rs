//! Alerts about backends and about weir itself, which need no promise.

use super::rules::AlertRule;
use crate::names::{
    ALERTS_LEFT_OUT, ALERTS_SEND_ERRORS, BUILD_INFO, CONFIG_LAST_RELOAD_SUCCESSFUL, EXPORTER_LAST_SUCCESS,
    MODEL_EVICTIONS, MODEL_LOAD_FAILURES, MODEL_QUEUED_REQUESTS, MODEL_REQUESTS, MODELS_EXPORTED,
    MODELS_KNOWN, MODELS_OVERFLOW, PANICS, TLS_EXPIRY,
};

/// All of them.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn all() -> Vec<AlertRule> {
    let requests = MODEL_REQUESTS.name;
    let share = |outcome: &str, most: &str, least: &str| {
        format!(
            "(\n  sum by (backend) (rate({requests}{{outcome=\"{outcome}\"}}[5m]))\n  / (sum by (backend) (rate({requests}[5m])) > 0)\n  > {most}\n)\nand on (backend) (sum by (backend) (increase({requests}[5m])) >= {least})"
        )
    };
    vec![
        rule(
            "WeirDown",
            "critical",
            "2m",
            format!("up == 0\nand on (job, instance) last_over_time({}[1h])", BUILD_INFO.name),
            "weir at {{ $labels.instance }} is down",
            "It told of itself within the last hour and cannot be scraped any more. Models behind it are unreachable or unmeasured.",
        ),
        rule(
            "WeirBackendDown",
            "critical",
            "2m",
            share("unreachable", "0.5", "5"),
            "Backend {{ $labels.backend }} is down: {{ $value | humanizePercentage }} of its requests find no connection",
            "No connection to its endpoints can be made for most requests.",
        ),
        rule(
            "WeirShedding",
            "warning",
            "5m",
            share("shed", "0.01", "100"),
            "Backend {{ $labels.backend }} turns away {{ $value | humanizePercentage }} of its requests",
            "weir or the backend sheds load to protect itself.",
        ),
        rule(
            "WeirSaturated",
            "warning",
            "10m",
            format!(
                "(\n  sum by (backend) (rate({0}[5m]))\n  / (sum by (backend) (rate({requests}[5m])) > 0)\n  > 0.1\n)\nand on (backend) (sum by (backend) (increase({requests}[5m])) >= 100)",
                MODEL_QUEUED_REQUESTS.name
            ),
            "Backend {{ $labels.backend }} is saturated: {{ $value | humanizePercentage }} of its requests wait for room",
            "Its endpoints have as many requests as they may; more wait inside weir, and are turned away once they waited too long.",
        ),
        rule(
            "WeirModelLoadFailing",
            "warning",
            "5m",
            format!("sum by (backend, model) (increase({}[15m])) >= 3", MODEL_LOAD_FAILURES.name),
            "Model {{ $labels.model }} of {{ $labels.backend }} cannot be loaded",
            "{{ $value | humanize }} loads failed in the last 15 minutes.",
        ),
        rule(
            "WeirEvictionStorm",
            "warning",
            "10m",
            format!(
                "(\n  sum by (backend) (rate({0}[10m]))\n  / (sum by (backend) (rate({requests}[10m])) > 0)\n  > 0.05\n)\nand on (backend) (sum by (backend) (increase({0}[10m])) >= 10)",
                MODEL_EVICTIONS.name
            ),
            "Backend {{ $labels.backend }} puts out a model for {{ $value | humanizePercentage }} of its requests",
            "Its memory does not hold the models that are asked for.",
        ),
        rule(
            "WeirSeriesCapReached",
            "info",
            "1h",
            format!("{} > {}", MODELS_KNOWN.name, MODELS_EXPORTED.name),
            "weir at {{ $labels.instance }} sums up a part of its {{ $value | humanize }} models as __other__",
            "Not all models fit the budget of series; the busiest and those with an SLO of their own are exported by name.",
        ),
        rule(
            "WeirModelsOverflow",
            "warning",
            "5m",
            format!("increase({}[15m]) > 0", MODELS_OVERFLOW.name),
            "weir at {{ $labels.instance }} has no room for more models",
            "Requests of models beyond telemetry.models_max are counted as __overflow__.",
        ),
        rule(
            "WeirConfigReloadFailed",
            "warning",
            "5m",
            format!("{} == 0", CONFIG_LAST_RELOAD_SUCCESSFUL.name),
            "weir at {{ $labels.instance }} runs an older configuration than its file",
            "The last attempt to load the configuration failed; the one before holds.",
        ),
        rule(
            "WeirCertExpiry",
            "warning",
            "1h",
            expires_within("14 * 86400"),
            "Certificate {{ $labels.certificate }} of weir at {{ $labels.instance }} ends in {{ $value | humanizeDuration }}",
            "From then on clients of listener {{ $labels.listener }} refuse the connection.",
        ),
        rule(
            "WeirCertExpiry",
            "critical",
            "5m",
            expires_within("2 * 86400"),
            "Certificate {{ $labels.certificate }} of weir at {{ $labels.instance }} ends in {{ $value | humanizeDuration }}",
            "From then on clients of listener {{ $labels.listener }} refuse the connection.",
        ),
        rule(
            "WeirExporterLagging",
            "warning",
            "5m",
            format!("time() - {} > 600", EXPORTER_LAST_SUCCESS.name),
            "weir at {{ $labels.instance }} has pushed no metrics by {{ $labels.exporter }} for {{ $value | humanizeDuration }}",
            "What listens there does not take them. Counters are cumulative in OTLP: nothing is lost but the time between.",
        ),
        rule(
            "WeirAlertsNotSent",
            "warning",
            "10m",
            format!("sum by (instance, receiver) (increase({}[10m])) >= 3", ALERTS_SEND_ERRORS.name),
            "weir at {{ $labels.instance }} cannot tell {{ $labels.receiver }} of its alerts",
            "{{ $value | humanize }} messages were not taken in the last 10 minutes; they are sent again.",
        ),
        rule(
            "WeirAlertsLeftOut",
            "warning",
            "0s",
            format!("increase({}[15m]) > 0", ALERTS_LEFT_OUT.name),
            "weir at {{ $labels.instance }} has more alerts than it keeps",
            "More promises are broken at once than alerts.alerts_max.",
        ),
        rule(
            "WeirPanic",
            "warning",
            "0s",
            format!("increase({}[15m]) > 0", PANICS.name),
            "weir at {{ $labels.instance }} caught a panic",
            "Each cost one request. It is a defect of weir: its log has the place.",
        ),
    ]
}

/// Certificates that end so soon, or have ended.
fn expires_within(seconds: &str) -> String {
    format!("{} - time() < {seconds}", TLS_EXPIRY.name)
}

fn rule(
    name: &'static str,
    severity: &str,
    hold: &str,
    expr: String,
    summary: &str,
    description: &str,
) -> AlertRule {
    AlertRule {
        name,
        expr,
        hold: hold.to_owned(),
        labels: vec![("severity", severity.to_owned())],
        summary: summary.to_owned(),
        description: description.to_owned(),
    }
}
