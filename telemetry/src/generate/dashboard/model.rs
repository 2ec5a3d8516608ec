//! One model, or a few: hot and cold side by side, all durations as heat maps, loads and evictions as marks.

use serde_json::{Value, json};

use super::Dashboard;
use super::panel::{Layout, Panel, heatmap, lines, stat, target};
use super::query::{MODELS, Variables, datasource, errors, hits, of, quantile, rate, share};
use crate::names::{
    Family, MODEL_COLD_STARTS, MODEL_EVICTIONS, MODEL_IN_FLIGHT, MODEL_LAST_LOAD, MODEL_LOADS,
    MODEL_QUEUE_SECONDS, MODEL_QUEUED_REQUESTS, MODEL_REQUEST_BYTES, MODEL_REQUEST_DURATION, MODEL_REQUESTS,
    MODEL_RESPONSE_BYTES, MODEL_SLO_BUDGET, MODEL_TIME_TO_FIRST_BYTE,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "model",
        title: "model",
        about: "The chosen models: latency hot and cold, traffic, cache, budgets. Marks are loads (blue) and evictions (orange).",
        variables: Variables::Models,
        annotations: vec![mark("Loads", "blue", &MODEL_LOADS), mark("Evictions", "orange", &MODEL_EVICTIONS)],
        panels: Layout::default()
            .row("Now", now_row())
            .row("Hot and cold", latency())
            .row("Traffic", traffic())
            .row("Cache", cache()),
    }
}

fn mark(name: &str, color: &str, family: &Family) -> Value {
    json!({
        "name": name, "datasource": datasource(), "enable": true, "hide": false, "iconColor": color,
        "expr": format!("sum by (model) (increase({}{{{MODELS}}}[$__interval])) > 0", family.name),
        "titleFormat": format!("{name}: {{{{model}}}}"), "tagKeys": "model", "step": "30s", "useValueForTime": false,
    })
}

fn of_start(start: &str) -> String {
    format!("{MODELS}, start=\"{start}\"")
}

fn now_row() -> Vec<Panel> {
    vec![
        stat(
            "Requests",
            "reqps",
            "`weir_model_requests_total`: requests a second that ended.",
            rate(&MODEL_REQUESTS, "", MODELS),
        ),
        stat(
            "p95 hot",
            "s",
            "`weir_model_request_duration_seconds`: of requests that found the model in memory.",
            quantile(0.95, "", &of_start("hot")),
        ),
        stat(
            "p95 cold",
            "s",
            "`weir_model_request_duration_seconds`: of requests that did not.",
            quantile(0.95, "", &of_start("cold")),
        ),
        stat(
            "Cache hits",
            "percentunit",
            "`weir_model_request_duration_seconds`: share of requests that found the model in memory.",
            hits("", MODELS),
        ),
        stat(
            "Errors",
            "percentunit",
            "`weir_model_requests_total`: share that the serving side failed.",
            errors("", MODELS),
        ),
        stat(
            "Budget left",
            "percentunit",
            "`weir_model_slo_budget_left_ratio`: of the promise that has the least.",
            format!("min({}{{{MODELS}}})", MODEL_SLO_BUDGET.name),
        ),
    ]
}

fn latency() -> Vec<Panel> {
    let name = MODEL_REQUEST_DURATION.name;
    let quantiles = |select: &str| {
        [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)]
            .map(|(legend, q)| target(quantile(q, "", select), legend).with_exemplars())
            .into()
    };
    let heat = |start: &str| {
        let select = of_start(start);
        heatmap(
            &format!("Durations, {start}"),
            "`weir_model_request_duration_seconds`: how many requests took how long.",
            format!("sum by (le) (rate({name}_bucket{{{select}}}[$__rate_interval]))"),
            format!("sum(rate({name}{{{select}}}[$__rate_interval]))"),
        )
    };
    let what = "`weir_model_request_duration_seconds`: durations of successful requests.";
    vec![
        lines("Latency, hot", "s", what, quantiles(&of_start("hot"))),
        lines("Latency, cold", "s", what, quantiles(&of_start("cold"))),
        heat("hot"),
        heat("cold"),
        lines("Latency, start unknown", "s", what, quantiles(&of_start("unknown"))),
        lines(
            "Time to first byte",
            "s",
            "`weir_model_time_to_first_byte_seconds`: of successful requests.",
            [("p50", 0.5), ("p95", 0.95)]
                .map(|(legend, q)| target(of(&MODEL_TIME_TO_FIRST_BYTE, q, "", MODELS), legend))
                .into(),
        ),
    ]
}

fn traffic() -> Vec<Panel> {
    let queue =
        share(&rate(&MODEL_QUEUE_SECONDS, "model", MODELS), &rate(&MODEL_QUEUED_REQUESTS, "model", MODELS));
    vec![
        lines(
            "Requests by outcome",
            "reqps",
            "`weir_model_requests_total` by outcome.",
            vec![target(rate(&MODEL_REQUESTS, "outcome", MODELS), "{{outcome}}")],
        )
        .stacked(),
        lines(
            "In flight",
            "short",
            "`weir_model_in_flight_requests` by model.",
            vec![target(format!("sum by (model) ({}{{{MODELS}}})", MODEL_IN_FLIGHT.name), "{{model}}")],
        ),
        lines(
            "Time in queue",
            "s",
            "`weir_model_queue_seconds_total` / `weir_model_queued_requests_total`: mean wait inside weir of those that waited.",
            vec![target(queue, "{{model}}")],
        ),
        lines(
            "Bytes",
            "Bps",
            "`weir_model_request_bytes_total`, `weir_model_response_bytes_total`.",
            vec![
                target(rate(&MODEL_REQUEST_BYTES, "", MODELS), "from callers"),
                target(rate(&MODEL_RESPONSE_BYTES, "", MODELS), "from backends"),
            ],
        ),
    ]
}

fn cache() -> Vec<Panel> {
    vec![
        lines(
            "Cache hits",
            "percentunit",
            "`weir_model_request_duration_seconds`: share of requests that found the model in memory.",
            vec![target(hits("model", MODELS), "{{model}}")],
        )
        .range(0.0, 1.0),
        lines(
            "Cold starts by evidence",
            "cps",
            "`weir_model_cold_starts_total`: who told that a start was cold.",
            vec![target(rate(&MODEL_COLD_STARTS, "evidence", MODELS), "{{evidence}}")],
        ),
        lines(
            "Loads and evictions",
            "cps",
            "`weir_model_loads_total`, `weir_model_evictions_total`.",
            vec![
                target(rate(&MODEL_LOADS, "model", MODELS), "loads {{model}}"),
                target(rate(&MODEL_EVICTIONS, "model", MODELS), "evictions {{model}}"),
            ],
        ),
        lines(
            "Last load",
            "s",
            "`weir_model_last_load_seconds`: how long the last load took.",
            vec![target(format!("max by (model) ({}{{{MODELS}}})", MODEL_LAST_LOAD.name), "{{model}}")],
        ),
    ]
}
