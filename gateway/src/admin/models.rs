//! `GET /api/v1/models`: every model's numbers as JSON; times in seconds, ratios from 0 to 1, null where nothing is known.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State as Given};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use weir_telemetry::{
    Broken, Distribution, Evidence, Figure, Figures, Measure, ModelSnapshot, Outcome, Reason, Start, Tokens,
    Window,
};

use crate::app::State;

pub(super) async fn list(Given(state): Given<Arc<State>>) -> Response {
    let built = tokio::task::spawn_blocking(move || {
        let snapshot = state.store.snapshot_with_recent();
        let models: Vec<Value> = snapshot.models.iter().map(model).collect();
        json!({
            "models": models,
            "models_known": snapshot.models_known,
            "models_exported": snapshot.models_exported,
        })
    });
    match built.await {
        Ok(body) => Json(body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) async fn one(
    Given(state): Given<Arc<State>>,
    Path((backend, name)): Path<(String, String)>,
) -> Response {
    // It may have to wait for a scrape's fold: not on the thread that answers health checks.
    let built = tokio::task::spawn_blocking(move || match state.store.model(&backend, &name) {
        Some(found) => Json(model(&found)).into_response(),
        None => {
            let message = format!("backend {backend:?} has no model {name:?}");
            let body = json!({ "error": "unknown_model", "message": message });
            (StatusCode::NOT_FOUND, Json(body)).into_response()
        }
    });
    built.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn model(model: &ModelSnapshot) -> Value {
    let outcomes: serde_json::Map<String, Value> = Outcome::ALL
        .iter()
        .map(|outcome| (outcome.as_str().to_owned(), json!(model.requests(*outcome))))
        .collect();
    let evidence: serde_json::Map<String, Value> = Evidence::ALL
        .iter()
        .filter(|evidence| model.cold_starts(**evidence) > 0)
        .map(|evidence| (evidence.as_str().to_owned(), json!(model.cold_starts(*evidence))))
        .collect();
    json!({
        "backend": &*model.backend,
        "model": &*model.model,
        "version": model.version.as_deref(),
        "exported_for": model.reason.map(Reason::as_str),
        "tier": model.tier.as_ref().map(|(_, tier)| &**tier),
        "requests": model.settled(),
        "outcomes": outcomes,
        "in_flight": model.in_flight(),
        "hot": start(model, Start::Hot),
        "cold": start(model, Start::Cold),
        "unknown": start(model, Start::Unknown),
        "cache_hit_ratio": model.hit_ratio(),
        "cold_starts": evidence,
        "loads": model.loads,
        "load_failures": model.load_failures,
        "load_seconds_last": (model.timed_loads > 0).then(|| Duration::from_nanos(model.load_last_ns).as_secs_f64()),
        "evictions": model.evictions,
        "last_eviction_age": (model.evicted_age_ns > 0).then(|| Duration::from_nanos(model.evicted_age_ns).as_secs_f64()),
        "reloads": model.reloads,
        "state": model.resident.and_then(|of| of.loaded).map(|loaded| if loaded > 0 { "loaded" } else { "unloaded" }),
        "loaded_endpoints": model.resident.and_then(|of| of.loaded),
        "memory_bytes": model.resident.and_then(|of| of.memory_bytes),
        "gpu_memory_bytes": model.resident.and_then(|of| of.gpu_memory_bytes),
        "request_bytes": model.request_bytes,
        "response_bytes": model.response_bytes,
        "tokens": model.figures().map(tokens),
        "values": model.figures().map(values),
        "last_minute": model.recent.as_ref().map(|recent| window(&recent.minute)),
        "last_five_minutes": model.recent.as_ref().map(|recent| window(&recent.five_minutes)),
    })
}

/// What answers told of tokens.
fn tokens(told: &Figures) -> Value {
    let broken: serde_json::Map<String, Value> =
        Broken::ALL.iter().map(|how| (how.as_str().to_owned(), json!(told.broken(*how)))).collect();
    json!({
        "input": told.tokens(Tokens::Input),
        "output": told.tokens(Tokens::Output),
        "time_to_first_token": times("requests", &told.first_token),
        "time_per_output_token": times("requests", &told.per_output_token),
        "broken_streams": broken,
    })
}

/// Values from headers and trailers by name, in base units; those that were never told are left out.
fn values(told: &Figures) -> Value {
    let of = |value: &Figure| match value.measure {
        Measure::Times if value.times.is_empty() => None,
        Measure::Times => Some(times("answers", &value.times)),
        _ => value.last().map(|last| json!({ "last": last })),
    };
    let values = told.values.iter().filter_map(|value| Some((value.name.to_string(), of(value)?)));
    Value::Object(values.collect())
}

/// Successful requests of one start: how many, and their durations in seconds.
fn start(model: &ModelSnapshot, start: Start) -> Value {
    times("requests", model.duration(start))
}

fn times(counted: &str, durations: &Distribution) -> Value {
    let seconds = |q| durations.quantile(q).map(|time| time.as_secs_f64());
    json!({
        counted: durations.count(),
        "mean": durations.mean().map(|time| time.as_secs_f64()),
        "p50": seconds(0.50),
        "p95": seconds(0.95),
        "p99": seconds(0.99),
    })
}

fn window(window: &Window) -> Value {
    let of = |start| {
        let seconds = |q| window.quantile(start, q).map(|time| time.as_secs_f64());
        json!({ "p50": seconds(0.50), "p95": seconds(0.95), "p99": seconds(0.99) })
    };
    json!({
        "rate": window.rate(),
        "error_ratio": window.error_ratio(),
        "cache_hit_ratio": window.hit_ratio(),
        "hot": of(Start::Hot),
        "cold": of(Start::Cold),
        "unknown": of(Start::Unknown),
    })
}
