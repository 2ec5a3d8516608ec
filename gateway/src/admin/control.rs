//! Writes: `POST /-/reload` and `POST /-/drain`; and what runs: `GET /api/v1/config`.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State as Given;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::app::State;
use crate::life::{Ask, ReloadError, SourceError};

/// Loads the configuration anew; answers when it is running, or why it is not.
pub(super) async fn reload(Given(state): Given<Arc<State>>) -> Response {
    let (reply, done) = oneshot::channel();
    let _ = state.asks.send(Ask::Reload { by: "admin", reply });
    match done.await.unwrap_or(Err(ReloadError::Draining)) {
        Ok(reloaded) => Json(reloaded).into_response(),
        Err(error) => (status(&error), Json(refusal(&error))).into_response(),
    }
}

/// Begins the drain; answers at once.
pub(super) async fn drain(Given(state): Given<Arc<State>>) -> Response {
    let _ = state.asks.send(Ask::Drain);
    (StatusCode::ACCEPTED, Json(json!({ "status": "draining" }))).into_response()
}

/// The running configuration: every default filled in, secrets redacted.
pub(super) async fn config(Given(state): Given<Arc<State>>) -> Response {
    let present = state.present.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let listeners: Vec<Value> = present
        .listeners
        .iter()
        .map(|(name, address)| json!({ "name": name, "address": address.to_string() }))
        .collect();
    Json(json!({
        "hash": present.hash,
        "since": present.since,
        "last_reload_successful": present.last_succeeded,
        "needs_restart": present.needs_restart,
        "listening": listeners,
        "config": weir_config::effective(&state.shared.load().config),
    }))
    .into_response()
}

fn status(error: &ReloadError) -> StatusCode {
    match error {
        ReloadError::Source(SourceError::Invalid(_)) | ReloadError::Compile(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ReloadError::Draining => StatusCode::SERVICE_UNAVAILABLE,
        ReloadError::NoFile | ReloadError::Listen(_) | ReloadError::Source(_) => StatusCode::CONFLICT,
    }
}

fn refusal(error: &ReloadError) -> Value {
    let problems = match error {
        ReloadError::Source(SourceError::Invalid(report)) => json!(report.problems()),
        _ => Value::Null,
    };
    json!({ "error": "not_reloaded", "message": error.to_string(), "problems": problems })
}
