//! One backend: its connections, its models' loads and evictions, who takes its time.

use super::Dashboard;
use super::panel::{Layout, Panel, lines, target};
use super::query::{BACKENDS, Variables, errors, hits, quantile, rate, share};
use crate::names::{
    MODEL_EVICTIONS, MODEL_IN_FLIGHT, MODEL_LOAD_FAILURES, MODEL_LOAD_SECONDS, MODEL_LOADS, MODEL_REQUESTS,
    MODEL_TIMED_LOADS, UPSTREAM_CONNECT_ERRORS, UPSTREAM_CONNECTIONS, UPSTREAM_RETRIES,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "backend",
        title: "backend",
        about: "The chosen backends: traffic, latency, connections, what is loaded and put out.",
        variables: Variables::Backends,
        annotations: Vec::new(),
        panels: Layout::default()
            .row("Traffic", traffic())
            .row("Models in memory", memory())
            .row("Connections", connections()),
    }
}

fn traffic() -> Vec<Panel> {
    let quantiles = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)]
        .map(|(legend, q)| target(quantile(q, "", BACKENDS), legend));
    vec![
        lines(
            "Requests by outcome",
            "reqps",
            "`weir_model_requests_total` by outcome.",
            vec![target(rate(&MODEL_REQUESTS, "outcome", BACKENDS), "{{outcome}}")],
        )
        .stacked(),
        lines(
            "Latency",
            "s",
            "`weir_model_request_duration_seconds`: durations of successful requests of all models.",
            quantiles.into(),
        ),
        lines(
            "Errors",
            "percentunit",
            "`weir_model_requests_total`: share that the serving side failed.",
            vec![target(errors("backend", BACKENDS), "{{backend}}")],
        ),
        lines(
            "In flight",
            "short",
            "`weir_model_in_flight_requests`.",
            vec![target(format!("sum by (backend) ({}{{{BACKENDS}}})", MODEL_IN_FLIGHT.name), "{{backend}}")],
        ),
    ]
}

fn memory() -> Vec<Panel> {
    let top = |expr: String| vec![target(format!("topk(20, {expr})"), "{{model}}")];
    let load = share(
        &rate(&MODEL_LOAD_SECONDS, "backend", BACKENDS),
        &rate(&MODEL_TIMED_LOADS, "backend", BACKENDS),
    );
    vec![
        lines(
            "Cache hits",
            "percentunit",
            "`weir_model_request_duration_seconds`: share of requests that found their model in memory.",
            vec![target(hits("backend", BACKENDS), "{{backend}}")],
        )
        .range(0.0, 1.0),
        lines(
            "Evictions by model",
            "cps",
            "`weir_model_evictions_total`: the 20 most put out.",
            top(rate(&MODEL_EVICTIONS, "model", BACKENDS)),
        ),
        lines(
            "Loads by model",
            "cps",
            "`weir_model_loads_total`: the 20 most loaded.",
            top(rate(&MODEL_LOADS, "model", BACKENDS)),
        ),
        lines(
            "Time of a load",
            "s",
            "`weir_model_load_seconds_total` / `weir_model_timed_loads_total`: mean.",
            vec![target(load, "{{backend}}")],
        ),
        lines(
            "Failed loads",
            "cps",
            "`weir_model_load_failures_total` by model.",
            top(rate(&MODEL_LOAD_FAILURES, "model", BACKENDS)),
        ),
    ]
}

fn connections() -> Vec<Panel> {
    vec![
        lines(
            "New connections",
            "cps",
            "`weir_upstream_connections_total`.",
            vec![target(rate(&UPSTREAM_CONNECTIONS, "backend", BACKENDS), "{{backend}}")],
        ),
        lines(
            "Failed connections",
            "cps",
            "`weir_upstream_connect_errors_total` by reason.",
            vec![target(
                rate(&UPSTREAM_CONNECT_ERRORS, "backend, reason", BACKENDS),
                "{{backend}} {{reason}}",
            )],
        ),
        lines(
            "Retries",
            "cps",
            "`weir_upstream_retries_total`: requests sent again on a fresh connection.",
            vec![target(rate(&UPSTREAM_RETRIES, "backend", BACKENDS), "{{backend}}")],
        ),
    ]
}
