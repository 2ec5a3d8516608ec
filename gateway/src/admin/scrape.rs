//! `GET /metrics`: the models and the gateway in one body, in the format that the scraper wants most.
//! `GET /metrics/tail`: a few counters of each model that is summed up as `__other__` there; to be scraped every minute or two.

use std::sync::Arc;

use axum::extract::State as Given;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use axum::response::{IntoResponse, Response};
use weir_telemetry::{Format, TEXT_CONTENT_TYPE, encode_tail};

use crate::app::State;
use crate::control;

/// Models in one body of the tail; how many are left out is in it too.
const TAIL_MODELS_MAX: usize = 10_000;

pub(super) async fn tail(Given(state): Given<Arc<State>>) -> Response {
    let built = tokio::task::spawn_blocking(move || {
        let mut body = String::new();
        encode_tail(&state.store.tail(TAIL_MODELS_MAX), &mut body);
        body
    });
    match built.await {
        Ok(body) => ([(CONTENT_TYPE, TEXT_CONTENT_TYPE)], body).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the scrape could not be built\n").into_response(),
    }
}

pub(super) async fn metrics(Given(state): Given<Arc<State>>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    let format = Format::of_accept(accept);
    control::refresh(&state);
    // Thousands of models take a while: not on the thread that answers health checks.
    let built =
        tokio::task::spawn_blocking(move || format.encode(&state.store.snapshot(), &state.process)).await;
    match built {
        Ok(body) => ([(CONTENT_TYPE, format.content_type())], body).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the scrape could not be built\n").into_response(),
    }
}
