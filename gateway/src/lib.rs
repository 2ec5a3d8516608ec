//! The gateway: sockets and time. What it knows about models it asks of `weir-telemetry`; what it is told to do, of `weir-config`.
//!
//! The request path, in its order: `front` (sockets) → `proxy` (the spine) → `identify` (whose model?) → `upstream` (ask a backend) →
//! `classify` (hot or cold?) → `body` (relay) → one observation when the `exchange` is settled. Called on it: `numbers` (what answers
//! tell of themselves), `sign` (for AWS). Beside it: `residency` (what is loaded where), `admin` (ask and scrape), `alerts` (tell
//! people), `export` (push metrics), `life` (start, reload, drain), `control` (telemetry's ticker), `explain`
//! (what would become of a request?), `demo`.

pub mod cli;
pub mod app;
pub mod control;
pub mod life;
pub mod worker;
pub mod live;
pub mod proxy;
pub mod exchange;
pub mod body;
pub mod refusal;
pub mod forward;
pub mod grpc;
pub mod request_id;
pub mod access;
pub mod message;
pub mod net;
pub mod h1;
#[cfg(feature = "faults")]
pub mod faults;
pub mod front;
pub mod identify;
pub mod upstream;
pub mod classify;
pub mod numbers;
pub mod sign;
pub mod trace;
pub mod residency;
pub mod poll;
pub mod admin;
pub mod alerts;
pub mod export;
pub mod seat;
pub mod explain;
pub mod demo;
