//! Triton's inference metrics.
//! Source: <https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/metrics.html>.
//!
//! `version` is not known and left out. Times are those seen by weir, with the network between. What only the server
//! knows has no counterpart: batches (`nv_inference_count`, `nv_inference_exec_count`), its scheduling queue, compute
//! times, caches, GPUs.

use super::{Row, microseconds};
use crate::encode::bounds::TRITON_FIRST_RESPONSE;
use crate::encode::families::{Emit, Value};
use crate::names::{NV_DURATION, NV_FAILURE, NV_FIRST_RESPONSE, NV_SUCCESS};
use crate::observation::Outcome;
use crate::totals::Totals;

pub(super) const ROWS: &[Row] = &[
    (NV_SUCCESS, "model", |of, emit| emit(None, Value::Count(of.requests(Outcome::Ok)))),
    (NV_FAILURE, "model", failures),
    (NV_DURATION, "model", |of, emit| emit(None, Value::Count(microseconds(of)))),
    (NV_FIRST_RESPONSE, "model", |of, emit| {
        if !of.first_byte.is_empty() {
            emit(None, Value::Buckets(&of.first_byte, &TRITON_FIRST_RESPONSE));
        }
    }),
];

/// The server's four reasons, always all of them, as the server does.
fn failures(of: &Totals, emit: &mut Emit<'_>) {
    let sum = |outcomes: &[Outcome]| outcomes.iter().map(|outcome| of.requests(*outcome)).sum();
    let backend =
        [Outcome::ServerError, Outcome::Timeout, Outcome::Unreachable, Outcome::NotReady].as_slice();
    for (reason, outcomes) in [
        ("REJECTED", [Outcome::Shed].as_slice()),
        ("CANCELED", [Outcome::Cancelled].as_slice()),
        ("BACKEND", backend),
        ("OTHER", [Outcome::ClientError].as_slice()),
    ] {
        emit(Some(reason), Value::Count(sum(outcomes)));
    }
}
