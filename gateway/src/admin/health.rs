//! `/healthz`: is every worker alive? `/readyz`: is new traffic welcome?

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Given;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::State;

/// A worker that has not swept for this long is wedged: it sweeps twice a second.
const WEDGED_AFTER: Duration = Duration::from_secs(5);

pub(super) async fn healthz(Given(state): Given<Arc<State>>) -> (StatusCode, Json<Value>) {
    let now = state.epoch.elapsed();
    let wedged: Vec<usize> = state
        .beats
        .iter()
        .enumerate()
        .filter(|(_, beat)| {
            let swept = Duration::from_millis(beat.swept_ms.load(Ordering::Relaxed));
            now.saturating_sub(swept) > WEDGED_AFTER
        })
        .map(|(id, _)| id)
        .collect();
    let status = if wedged.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "status": if wedged.is_empty() { "ok" } else { "wedged" }, "workers": state.beats.len(), "wedged": wedged });
    (status, Json(body))
}

pub(super) async fn readyz(Given(state): Given<Arc<State>>) -> (StatusCode, Json<Value>) {
    match state.ready.load(Ordering::Acquire) {
        true => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "draining" }))),
    }
}
