//! `/startupz`: has it started? `/healthz`: is every worker alive? `/readyz`: is new traffic welcome?

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State as Given;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::State;
use crate::life::wedged;

type Told = (StatusCode, Json<Value>);

pub(super) async fn startupz(Given(state): Given<Arc<State>>) -> Told {
    told(state.beats.iter().all(|beat| beat.started.load(Ordering::Relaxed)), "started", "starting")
}

/// Says which worker shows no sign of life, and for how long.
pub(super) async fn healthz(Given(state): Given<Arc<State>>) -> Told {
    let wedged: Vec<Value> = wedged(&state)
        .iter()
        .map(|(worker, silent)| json!({ "worker": worker, "silent_seconds": silent.as_secs_f64() }))
        .collect();
    let (status, word) =
        if wedged.is_empty() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "wedged") };
    (status, Json(json!({ "status": word, "workers": state.beats.len(), "wedged": wedged })))
}

pub(super) async fn readyz(Given(state): Given<Arc<State>>) -> Told {
    told(state.ready.load(Ordering::Acquire), "ready", "draining")
}

fn told(is_well: bool, well: &str, ill: &str) -> Told {
    match is_well {
        true => (StatusCode::OK, Json(json!({ "status": well }))),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": ill }))),
    }
}
