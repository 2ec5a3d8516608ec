//! The gateway over loopback, a chapter a room.
#![expect(clippy::unwrap_used, reason = "tests")]

mod tidy;
mod cli;
mod explain;
mod limits;
mod relay;
mod service;
mod faults;
mod http1;
mod tls;
mod sockets;
mod integrity;
mod models;
mod scrape;
mod values;
mod state;
mod tokens;
mod alerts;
mod sign;
mod drain;
mod h2;
mod grpc;
mod reload;
mod residency;
mod restart;
mod health;
mod tracing;
mod access_log;
mod admin;
mod admin_tls;
mod edge;
mod supervised;
mod seat;
mod seeds;
mod corpus;
