//! `GET /api/v1/residency`: which model is in whose memory, by the calls that passed through and by what the endpoints told when they were
//! asked; `evidence` says by which of them. Times in seconds, null where nothing is known; what is stale is `unknown`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State as Given};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_config::StateWord;

use crate::app::State;
use crate::residency::{Known, Row};

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    backend: Option<String>,
    model: Option<String>,
}

pub(super) async fn list(Given(state): Given<Arc<State>>, Query(filter): Query<Filter>) -> Json<Value> {
    let rows = crate::residency::rows(&state);
    let is_asked = |row: &&Row| {
        let names = [&*row.id, &*row.model];
        filter.backend.as_ref().is_none_or(|backend| *backend == row.backend)
            && filter.model.as_ref().is_none_or(|model| names.contains(&model.as_str()))
    };
    let residency: Vec<Value> = rows.iter().filter(is_asked).map(|row| one(row, &state)).collect();
    Json(json!({ "residency": residency }))
}

fn one(row: &Row, state: &State) -> Value {
    let now = state.epoch.elapsed();
    let Known { facts, by, told_at, .. } = &row.known;
    let counts = facts.counts;
    let is_known = !row.is_stale && row.known.phase != StateWord::Unknown;
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let since = facts.loaded_since.filter(|_| !row.is_stale);
    let of = |size: Option<u64>| size.filter(|_| !row.is_stale);
    json!({
        "backend": row.backend,
        "endpoint": row.endpoint,
        "model": &*row.model,
        "id": &*row.id,
        "state": if is_known { row.known.phase } else { StateWord::Unknown },
        "evidence": is_known.then_some(by.as_str()),
        "loaded_since": since.map(|at| state.clock.rfc3339(at)),
        "loaded_for": seconds(since.map(|at| now.saturating_sub(at))),
        "told_ago": now.saturating_sub(*told_at).as_secs_f64(),
        "memory_bytes": of(facts.memory_bytes),
        "gpu_memory_bytes": of(facts.gpu_memory_bytes),
        "loads": counts.loads,
        "load_failures": counts.load_failures,
        "last_load": seconds(counts.last_load),
        "evictions": counts.evictions,
        "reloads": counts.reloads,
        "last_eviction_age": seconds(counts.evicted_age),
    })
}
