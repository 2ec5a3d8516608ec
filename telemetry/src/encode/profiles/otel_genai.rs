//! OpenTelemetry's semantic conventions for generative AI, as a server, for models whose answers told of tokens.
//! Source: <https://github.com/open-telemetry/semantic-conventions-genai>.
//!
//! `gen_ai.operation.name` and `gen_ai.provider.name` are not known per model and left out, as is `error.type`: durations
//! are those of successes. `gen_ai.client.token.usage` is a histogram of tokens for each request, of which weir keeps the
//! sum alone (`weir_model_tokens_total`).

use super::Row;
use crate::encode::bounds::{GENAI_DURATION, GENAI_FIRST_TOKEN, GENAI_PER_TOKEN};
use crate::encode::families::Value;
use crate::encode::profiles::all_durations;
use crate::names::{GENAI_PER_TOKEN as PER_TOKEN, GENAI_REQUEST_DURATION, GENAI_TIME_TO_FIRST_TOKEN};

const NAMED: &str = "gen_ai_request_model";

pub(super) const ROWS: &[Row] = &[
    (GENAI_REQUEST_DURATION, NAMED, |of, emit| {
        let all = all_durations(of);
        if of.figures().is_some() && !all.is_empty() {
            emit(None, Value::Buckets(&all, &GENAI_DURATION));
        }
    }),
    (GENAI_TIME_TO_FIRST_TOKEN, NAMED, |of, emit| {
        if let Some(told) = of.figures().filter(|told| !told.first_token.is_empty()) {
            emit(None, Value::Buckets(&told.first_token, &GENAI_FIRST_TOKEN));
        }
    }),
    (PER_TOKEN, NAMED, |of, emit| {
        if let Some(told) = of.figures().filter(|told| !told.per_output_token.is_empty()) {
            emit(None, Value::Buckets(&told.per_output_token, &GENAI_PER_TOKEN));
        }
    }),
];
