//! `GET /api/v1/residency`: which model is in whose memory, as the endpoints told when they were asked. Times in seconds, null where
//! nothing is known; what is stale is `unknown`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as Given};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_config::StateWord;

use crate::app::State;
use crate::residency::Row;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    backend: Option<String>,
    model: Option<String>,
}

pub(super) async fn list(Given(state): Given<Arc<State>>, Query(filter): Query<Filter>) -> Json<Value> {
    let rows = crate::residency::rows(&state);
    let is_asked = |row: &&Row| {
        let names = [Some(&*row.id), row.known.label.as_deref()];
        filter.backend.as_ref().is_none_or(|backend| *backend == row.backend)
            && filter.model.as_ref().is_none_or(|model| names.contains(&Some(model.as_str())))
    };
    let now = state.epoch.elapsed();
    let residency: Vec<Value> = rows.iter().filter(is_asked).map(|row| one(row, now)).collect();
    Json(json!({ "residency": residency }))
}

fn one(row: &Row, now: std::time::Duration) -> Value {
    let facts = row.known.facts;
    let word = if row.is_stale { StateWord::Unknown } else { row.known.phase };
    let of = |size: Option<u64>| size.filter(|_| !row.is_stale);
    json!({
        "backend": row.backend,
        "endpoint": row.endpoint,
        "model": row.known.label.as_deref().unwrap_or(&row.id),
        "id": &*row.id,
        "state": word,
        "loaded_for": facts.loaded_since.filter(|_| !row.is_stale).map(|at| now.saturating_sub(at).as_secs_f64()),
        "told_ago": now.saturating_sub(row.known.told_at).as_secs_f64(),
        "memory_bytes": of(facts.memory_bytes),
        "gpu_memory_bytes": of(facts.gpu_memory_bytes),
        "loads": facts.loads,
        "evictions": facts.evictions,
        "reloads": facts.reloads,
        "last_eviction_age": facts.evicted_age.map(|age| age.as_secs_f64()),
    })
}
