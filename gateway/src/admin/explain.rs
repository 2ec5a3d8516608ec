//! `GET` and `POST /api/v1/explain`: what weir would make of a request, by the running configuration. Sends and counts nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State as Given};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::State;
use crate::explain::{Asked, explain};

/// A request, as it is asked for by POST.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Default: POST with a body, else GET.
    method: Option<String>,
    /// Path with query, or a URL.
    path: String,
    /// `name: value` each.
    #[serde(default)]
    headers: Vec<String>,
    /// A text, or JSON that is one.
    #[serde(default)]
    body: Value,
}

/// Both ways to ask.
pub(super) fn route() -> MethodRouter<Arc<State>> {
    get(by_query).post(by_body)
}

async fn by_query(
    Given(state): Given<Arc<State>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let Query(pairs) = match query {
        Ok(pairs) => pairs,
        Err(why) => return refused(&why.body_text()),
    };
    let (mut method, mut path, mut headers) = (None, None, Vec::new());
    for (key, value) in pairs {
        match key.as_str() {
            "method" => method = Some(value),
            "path" => path = Some(value),
            "header" => headers.push(value),
            _ => return refused("the query has `method`, `path` and `header` (name:value, several times)"),
        }
    }
    let Some(path) = path else { return refused("the query needs `path`") };
    answer(state, Said { method, path, headers, body: Value::Null }).await
}

async fn by_body(Given(state): Given<Arc<State>>, said: Result<Json<Said>, JsonRejection>) -> Response {
    match said {
        Ok(Json(said)) => answer(state, said).await,
        Err(why) => refused(&why.body_text()),
    }
}

async fn answer(state: Arc<State>, said: Said) -> Response {
    let body = match said.body {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    let asked = match Asked::new(said.method.as_deref(), &said.path, &said.headers, body) {
        Ok(asked) => asked,
        Err(why) => return refused(&why.to_string()),
    };
    // A long body takes its time: not on the thread that answers health checks.
    let told = tokio::task::spawn_blocking(move || explain(&state.shared.load(), &state.store, &asked)).await;
    match told {
        Ok(Some(told)) => Json(told).into_response(),
        Ok(None) => refused("no backend is configured"),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refused(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": "bad_request", "message": message }))).into_response()
}
