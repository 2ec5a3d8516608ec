//! The admin side: scrape, health and the JSON API, on an address of its own, 127.0.0.1 by default. Who may ask what is decided at
//! its door, `guard`; routes that change something are wrapped in [`guarded`].
//!
//! Entry: [`serve`]. It runs on the control plane's thread; what takes long (a scrape of thousands of models) is built on a thread
//! of its own.

mod server;
mod guard;
mod scrape;
mod flight;
mod models;
mod residency;
pub mod runbooks;
mod slos;
mod health;
mod control;
mod explain;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::sync::watch;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

pub use guard::{Token, TokenError, guarded};
pub use server::Side;

use crate::app::State;
use guard::Door;

/// A scraper that takes longer than this is cut off.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// No page takes a body that is larger.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Serves the admin side until `until` has no sender any more, or the control plane's runtime ends: at its own address, and at that of the metrics if there is one.
pub async fn serve(admin: Side, metrics: Option<Side>, state: Arc<State>, until: watch::Receiver<()>) {
    let router = router(Arc::clone(&state));
    let of_metrics = async {
        if let Some(side) = metrics {
            server::serve(side, Door::Metrics, router.clone(), Arc::clone(&state), until.clone()).await;
        }
    };
    tokio::join!(
        server::serve(admin, Door::Admin, router.clone(), Arc::clone(&state), until.clone()),
        of_metrics
    );
}

/// Every path of the admin side; without the door before it, nothing can be changed through it.
fn router(state: Arc<State>) -> Router {
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
        .route("/-/reload", guarded(post(control::reload)))
        .route("/-/drain", guarded(post(control::drain)))
        .route("/api/v1/models", get(models::list))
        .route("/api/v1/models/{backend}/{*model}", get(models::one))
        .route("/api/v1/residency", get(residency::list))
        .route("/api/v1/slos", get(slos::slos))
        .route("/api/v1/alerts", get(slos::alerts))
        .route("/api/v1/explain", explain::route())
        .route("/runbooks", get(runbooks::all))
        .route("/runbooks/{alert}", get(runbooks::one))
        .fallback(unknown)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .with_state(state)
}

const INDEX: &str = "weir\n
  /metrics          Prometheus text 0.0.4, OpenMetrics 1.0 or protobuf with native histograms, by Accept; gzip
  /metrics/tail     counters of the models that are summed up as __other__
  /api/v1/models    every model: rate, errors, p50/p95/p99 hot and cold (JSON)
  /api/v1/residency which model is in whose memory, by backends[].state; ?backend= and ?model= (JSON)
  /api/v1/slos      what models promise, and how each promise of each model stands (JSON)
  /api/v1/alerts    alerts about it: pending, firing and lately resolved (JSON)
  /api/v1/explain   what would become of a request, and why: ?method=&path=&header=name:value, or POST (JSON)
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
