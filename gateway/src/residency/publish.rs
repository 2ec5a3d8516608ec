//! What the polled tables hold, as rows for the admin side and as numbers for the store.

use std::sync::Arc;

use weir_config::StateWord;
use weir_telemetry::{Resident, Residents};

use super::Known;
use crate::app::State;

/// One model of one endpoint.
#[derive(Debug)]
pub struct Row {
    /// The backend's name.
    pub backend: String,
    /// `host:port`.
    pub endpoint: String,
    /// What the server calls it.
    pub id: Arc<str>,
    /// What is known.
    pub known: Known,
    /// Whether that is too old to be told as it is now.
    pub is_stale: bool,
}

/// Every model of every endpoint that is asked.
#[must_use]
pub fn rows(state: &State) -> Vec<Row> {
    let now = state.epoch.elapsed();
    let live = state.shared.load();
    let mut rows = Vec::new();
    for backend in &live.backends {
        for polled in &backend.models.watched().0 {
            rows.extend(polled.known().into_iter().map(|(id, known)| Row {
                backend: backend.name.clone(),
                endpoint: polled.endpoint.clone(),
                is_stale: polled.is_stale(&known, now),
                id,
                known,
            }));
        }
    }
    rows.sort_by(|a, b| (&a.backend, &a.id, &a.endpoint).cmp(&(&b.backend, &b.id, &b.endpoint)));
    rows
}

/// Gives the store what is known now.
pub fn publish(state: &State) {
    let mut residents = Residents::default();
    let live = state.shared.load();
    let called = |row: &Row| {
        let backend = live.backends.iter().find(|backend| backend.name == row.backend)?;
        Some(Arc::from(backend.matcher.called(&row.id)?.as_str()))
    };
    for row in rows(state) {
        let label = row.known.label.as_deref().map(Arc::from);
        let name = label.or_else(|| called(&row)).unwrap_or_else(|| Arc::clone(&row.id));
        let of = residents.entry(row.backend.into()).or_default().entry(name).or_default();
        add(of, &row.known, row.is_stale);
    }
    state.store.set_residents(residents);
}

fn add(of: &mut Resident, known: &Known, is_stale: bool) {
    let sum = |a: Option<u64>, b: Option<u64>| a.map(|a| a.saturating_add(b.unwrap_or(0))).or(b);
    let facts = known.facts;
    if !is_stale && known.phase != StateWord::Unknown {
        of.loaded = sum(of.loaded, Some(u64::from(known.phase == StateWord::Loaded)));
    }
    if !is_stale {
        of.memory_bytes = sum(of.memory_bytes, facts.memory_bytes);
        of.gpu_memory_bytes = sum(of.gpu_memory_bytes, facts.gpu_memory_bytes);
    }
    of.loads += facts.loads;
    of.evictions += facts.evictions;
    of.reloads += facts.reloads;
    of.evicted_age = of.evicted_age.max(facts.evicted_age);
}
