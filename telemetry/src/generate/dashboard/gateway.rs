//! weir itself: whether it is well, its connections, its workers, how it finds models.

use super::Dashboard;
use super::panel::{Layout, Panel, lines, stat, target};
use super::query::{REPLICAS, Variables, of, rate};
use crate::names::{
    BUILD_INFO, CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP, CONFIG_LAST_RELOAD_SUCCESSFUL, ERROR_DURATION,
    HTTP_CONNECTIONS, HTTP_CONNECTIONS_ACTIVE, HTTP_REFUSED, IDENTIFY, IDENTIFY_FLAGS, MODELS_EXPORTED,
    MODELS_KNOWN, MODELS_OVERFLOW, PANICS, READY, UPSTREAM_IDLE_CONNECTIONS, UPSTREAM_OPEN_CONNECTIONS,
    WORKER_REQUESTS,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "gateway",
        title: "gateway",
        about: "The gateway's replicas: health, configuration, connections, workers, identification.",
        variables: Variables::Replicas,
        annotations: Vec::new(),
        panels: Layout::default().row("Now", now_row()).row("Connections", connections()).row("Work", work()),
    }
}

fn now_row() -> Vec<Panel> {
    let of = |name: &str, how: &str| format!("{how}({name}{{{REPLICAS}}})");
    let bad_low = [(None, "red"), (Some(1.0), "green")];
    vec![
        stat(
            "Replicas",
            "short",
            "`weir_build_info`: gateways that are scraped.",
            of(BUILD_INFO.name, "count"),
        ),
        stat("Ready", "short", "`weir_ready`: gateways that take traffic.", of(READY.name, "sum"))
            .thresholds(&bad_low),
        stat(
            "Configuration",
            "bool_yes_no",
            "`weir_config_last_reload_successful`: whether the last attempt succeeded on all.",
            of(CONFIG_LAST_RELOAD_SUCCESSFUL.name, "min"),
        )
        .thresholds(&bad_low),
        stat(
            "Loaded",
            "dateTimeFromNow",
            "`weir_config_last_reload_success_timestamp_seconds`: when the oldest configuration was loaded.",
            format!("{} * 1000", of(CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP.name, "min")),
        ),
        stat(
            "Panics",
            "short",
            "`weir_panics_total` over the shown time.",
            format!("sum(increase({}{{{REPLICAS}}}[$__range])) or vector(0)", PANICS.name),
        )
        .thresholds(&[(None, "green"), (Some(1.0), "red")]),
        stat(
            "Models",
            "short",
            "`weir_models_known`: models that have a slot.",
            of(MODELS_KNOWN.name, "sum"),
        ),
    ]
}

fn connections() -> Vec<Panel> {
    let sum = |name: &str| format!("sum by (instance) ({name}{{{REPLICAS}}})");
    vec![
        lines(
            "New connections",
            "cps",
            "`weir_http_connections_total` by listener and protocol.",
            vec![target(
                rate(&HTTP_CONNECTIONS, "listener, protocol", REPLICAS),
                "{{listener}} {{protocol}}",
            )],
        ),
        lines(
            "Open connections",
            "short",
            "`weir_http_connections_active`: of callers.",
            vec![target(sum(HTTP_CONNECTIONS_ACTIVE.name), "{{instance}}")],
        ),
        lines(
            "Connections to backends",
            "short",
            "`weir_upstream_open_connections`, `weir_upstream_idle_connections`.",
            vec![
                target(sum(UPSTREAM_OPEN_CONNECTIONS.name), "open {{instance}}"),
                target(sum(UPSTREAM_IDLE_CONNECTIONS.name), "idle {{instance}}"),
            ],
        ),
        lines(
            "Turned away",
            "cps",
            "`weir_http_refused_total` by reason.",
            vec![target(rate(&HTTP_REFUSED, "reason", REPLICAS), "{{reason}}")],
        ),
    ]
}

fn work() -> Vec<Panel> {
    let quantiles =
        [("p50", 0.5), ("p95", 0.95)].map(|(legend, q)| target(of(&ERROR_DURATION, q, "", REPLICAS), legend));
    let sum = |name: &str| format!("sum by (instance) ({name}{{{REPLICAS}}})");
    vec![
        lines(
            "Requests by worker",
            "reqps",
            "`weir_worker_requests_total`: uneven lines are uneven connections.",
            vec![target(rate(&WORKER_REQUESTS, "instance, worker", REPLICAS), "{{instance}} {{worker}}")],
        ),
        lines(
            "Where the model was found",
            "reqps",
            "`weir_identify_total` by source.",
            vec![target(rate(&IDENTIFY, "source", REPLICAS), "{{source}}")],
        ),
        lines(
            "Oddities",
            "cps",
            "`weir_identify_flags_total` by flag.",
            vec![target(rate(&IDENTIFY_FLAGS, "flag", REPLICAS), "{{flag}}")],
        ),
        lines("Duration of failures", "s", "`weir_error_duration_seconds`: of all models.", quantiles.into()),
        lines(
            "Models",
            "short",
            "`weir_models_known`, `weir_models_exported`.",
            vec![
                target(sum(MODELS_KNOWN.name), "known {{instance}}"),
                target(sum(MODELS_EXPORTED.name), "exported {{instance}}"),
            ],
        ),
        lines(
            "Overflow",
            "cps",
            "`weir_models_overflow_total`: requests of models for which there was no room.",
            vec![target(rate(&MODELS_OVERFLOW, "instance", REPLICAS), "{{instance}}")],
        ),
    ]
}
