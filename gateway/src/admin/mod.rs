//! The admin side: scrape, health and the JSON API, on an address of its own, 127.0.0.1 by default. What it writes is
//! behind [`guarded`].
//!
//! Entry: [`serve`]. It runs on the control plane's thread; what takes long (a scrape of thousands of models) is built on a thread
//! of its own.

mod scrape;
mod flight;
mod models;
mod residency;
pub mod runbooks;
mod slos;
mod health;
mod control;

use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HOST, HeaderValue, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::State;

/// A scraper that takes longer than this is cut off.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the admin side until the control plane's runtime ends.
pub async fn serve(socket: TcpListener, state: Arc<State>) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "admin side could not start");
            return;
        }
    };
    if let Err(error) = axum::serve(listener, router(state)).await {
        tracing::error!(%error, "admin side ended");
    }
}

/// Every path of the admin side.
pub fn router(state: Arc<State>) -> Router {
    let scrapes = Arc::new(scrape::Scrapes::default());
    let of_tail = Arc::clone(&scrapes);
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(move |state, headers| scrape::metrics(state, headers, scrapes)))
        .route("/metrics/tail", get(move |state, headers| scrape::tail(state, headers, of_tail)))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/startupz", get(health::startupz))
        .route("/api/v1/config", get(control::config))
        .merge(guarded(
            Router::new().route("/-/reload", post(control::reload)).route("/-/drain", post(control::drain)),
            &state,
        ))
        .route("/api/v1/models", get(models::list))
        .route("/api/v1/models/{backend}/{*model}", get(models::one))
        .route("/api/v1/residency", get(residency::list))
        .route("/api/v1/slos", get(slos::slos))
        .route("/api/v1/alerts", get(slos::alerts))
        .route("/runbooks", get(runbooks::all))
        .route("/runbooks/{alert}", get(runbooks::one))
        .fallback(unknown)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(SetResponseHeaderLayer::if_not_present(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .with_state(state)
}

/// What changes the gateway: only from this machine, and not from a web page (DNS rebinding, CSRF).
fn guarded(routes: Router<Arc<State>>, state: &State) -> Router<Arc<State>> {
    let is_local = state.shared.load().config.admin.address.ip().is_loopback();
    routes.layer(from_fn(move |request: Request, next: Next| async move {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
        let is_ours = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let from_page =
            request.headers().contains_key(ORIGIN) || request.headers().contains_key("sec-fetch-site");
        match is_local && is_ours && !from_page {
            true => next.run(request).await,
            false => refused(),
        }
    }))
}

fn refused() -> Response {
    (StatusCode::FORBIDDEN, "only from this machine, and not from a web page\n").into_response()
}

const INDEX: &str = "weir\n
  /metrics          Prometheus text 0.0.4, OpenMetrics 1.0 or protobuf with native histograms, by Accept; gzip
  /metrics/tail     counters of the models that are summed up as __other__
  /api/v1/models    every model: rate, errors, p50/p95/p99 hot and cold (JSON)
  /api/v1/residency which model is in whose memory, by backends[].state; ?backend= and ?model= (JSON)
  /api/v1/slos      what models promise, and how each promise of each model stands (JSON)
  /api/v1/alerts    alerts about it: pending, firing and lately resolved (JSON)
  /runbooks         what each alert means, what to look at, what to do
  /api/v1/config    the running configuration, secrets redacted (JSON)
  /startupz         has it started?
  /healthz          are all workers alive?
  /readyz           is new traffic welcome?
  POST /-/reload    load the configuration file anew
  POST /-/drain     finish what is in flight, then end
";

async fn index() -> &'static str {
    INDEX
}

async fn unknown() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, format!("no such page\n\n{INDEX}"))
}
