//! The fleet at a glance, and its models in one table.

use super::Dashboard;
use super::panel::{Layout, lines, now, stat, table, target};
use super::query::{BACKENDS, NAMED, REPLICAS, Variables, errors, hits, quantile, rate};
use crate::names::{
    ALERTS_FIRING, MODEL_EVICTIONS, MODEL_GPU_MEMORY, MODEL_MEMORY, MODEL_REQUESTS, MODEL_SLO_BUDGET,
    MODELS_EXPORTED, MODELS_KNOWN,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "overview",
        title: "overview",
        about: "All backends and models: traffic, errors, cache hits, and the models in one table.",
        variables: Variables::Backends,
        annotations: Vec::new(),
        panels: Layout::default()
            .row("Now", now_row())
            .row("Models", vec![models()])
            .row("Backends", backends()),
    }
}

fn now_row() -> Vec<super::panel::Panel> {
    let sum = |family: &crate::names::Family| format!("sum({}{{{REPLICAS}}})", family.name);
    let good_low = [(None, "green"), (Some(0.01), "orange"), (Some(0.05), "red")];
    vec![
        stat(
            "Requests",
            "reqps",
            "`weir_model_requests_total`: requests a second that ended.",
            rate(&MODEL_REQUESTS, "", BACKENDS),
        ),
        stat(
            "Errors",
            "percentunit",
            "`weir_model_requests_total`: share that the serving side failed.",
            errors("", BACKENDS),
        )
        .thresholds(&good_low),
        stat(
            "Cache hits",
            "percentunit",
            "`weir_model_request_duration_seconds`: share of requests that found their model in memory.",
            hits("", BACKENDS),
        )
        .thresholds(&[(None, "red"), (Some(0.8), "orange"), (Some(0.9), "green")]),
        stat("Alerts", "short", "`weir_alerts_firing`: promises broken long enough.", sum(&ALERTS_FIRING))
            .thresholds(&[(None, "green"), (Some(1.0), "red")]),
        stat("Models", "short", "`weir_models_known`: models that have a slot.", sum(&MODELS_KNOWN)),
        stat(
            "Exported",
            "short",
            "`weir_models_exported`: models that are exported under their own name.",
            sum(&MODELS_EXPORTED),
        ),
    ]
}

fn models() -> super::panel::Panel {
    const BY: &str = "backend, model";
    let top = |expr: String| now(format!("topk(100, {expr})"), "");
    let hot = format!("{NAMED}, start=~\"hot|unknown\"");
    let cold = format!("{NAMED}, start=\"cold\"");
    table(
        "Models by traffic",
        "The 100 busiest models. `weir_model_requests_total`, `weir_model_request_duration_seconds`, `weir_model_slo_budget_left_ratio`, `weir_model_memory_bytes`, `weir_model_gpu_memory_bytes`, `weir_model_evictions_total`.",
        &[
            ("Requests", "reqps", top(rate(&MODEL_REQUESTS, BY, NAMED))),
            ("p95 hot", "s", top(quantile(0.95, BY, &hot))),
            ("p95 cold", "s", top(quantile(0.95, BY, &cold))),
            ("Cache hits", "percentunit", top(hits(BY, NAMED))),
            ("Errors", "percentunit", top(errors(BY, NAMED))),
            ("Budget left", "percentunit", now(format!("min by ({BY}) ({}{{{NAMED}}})", MODEL_SLO_BUDGET.name), "")),
            ("Memory", "bytes", now(format!("sum by ({BY}) ({}{{{NAMED}}})", MODEL_MEMORY.name), "")),
            ("GPU memory", "bytes", now(format!("sum by ({BY}) ({}{{{NAMED}}})", MODEL_GPU_MEMORY.name), "")),
            ("Evictions", "cps", top(rate(&MODEL_EVICTIONS, BY, NAMED))),
        ],
        &["backend", "model"],
    )
    .link("model", "This model", "/d/weir-model/weir-model?${datasource:queryparam}&var-backend=${__data.fields.backend}&var-model=${__data.fields.model}&${__url_time_range}")
    .link("backend", "This backend", "/d/weir-backend/weir-backend?${datasource:queryparam}&var-backend=${__data.fields.backend}&${__url_time_range}")
}

fn backends() -> Vec<super::panel::Panel> {
    let by = |expr: String| vec![target(expr, "{{backend}}")];
    vec![
        lines(
            "Requests",
            "reqps",
            "`weir_model_requests_total` by backend.",
            by(rate(&MODEL_REQUESTS, "backend", BACKENDS)),
        ),
        lines(
            "Errors",
            "percentunit",
            "`weir_model_requests_total`: share that the serving side failed, by backend.",
            by(errors("backend", BACKENDS)),
        ),
        lines(
            "p95",
            "s",
            "`weir_model_request_duration_seconds`: 95 % of the successful requests are faster, by backend.",
            by(quantile(0.95, "backend", BACKENDS)),
        ),
        lines(
            "Cache hits",
            "percentunit",
            "`weir_model_request_duration_seconds`: share that found its model in memory, by backend.",
            by(hits("backend", BACKENDS)),
        )
        .range(0.0, 1.0),
    ]
}
