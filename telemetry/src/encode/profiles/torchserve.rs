//! TorchServe's inference metrics. Source: <https://pytorch.org/serve/metrics_api.html>.
//!
//! `model_version` and `hostname` are not known and left out. The latency is that seen by weir, with the network between;
//! the queue is weir's own, not the server's. Metrics of the host and of workers have no counterpart.

use super::{Row, microseconds};
use crate::encode::families::Value;
use crate::names::{TS_LATENCY, TS_QUEUE_LATENCY, TS_REQUESTS};

const NAMED: &str = "model_name";

pub(super) const ROWS: &[Row] = &[
    (TS_REQUESTS, NAMED, |of, emit| emit(None, Value::Count(of.settled()))),
    (TS_LATENCY, NAMED, |of, emit| emit(None, Value::Count(microseconds(of)))),
    (TS_QUEUE_LATENCY, NAMED, |of, emit| {
        emit(None, Value::Count(u64::try_from(of.queue_ns / 1_000).unwrap_or(u64::MAX)));
    }),
];
