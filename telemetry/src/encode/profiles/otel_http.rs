//! OpenTelemetry's semantic conventions for HTTP servers, by model.
//! Source: <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>.
//!
//! `http.request.method` and `http.response.status_code` are not kept per model and left out; durations are those of
//! successes. Body sizes are histograms there, of which weir keeps sums.

use super::{Row, all_durations};
use crate::encode::bounds::HTTP;
use crate::encode::families::Value;
use crate::names::{HTTP_ACTIVE_REQUESTS, HTTP_REQUEST_DURATION};

pub(super) const ROWS: &[Row] = &[
    (HTTP_REQUEST_DURATION, "model", |of, emit| {
        let all = all_durations(of);
        if !all.is_empty() {
            emit(None, Value::Buckets(&all, &HTTP));
        }
    }),
    (HTTP_ACTIVE_REQUESTS, "model", |of, emit| emit(None, Value::Count(of.in_flight()))),
];
