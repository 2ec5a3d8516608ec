//! What is known of residency, as rows for the admin side and as numbers for the store.

use std::collections::HashMap;
use std::sync::Arc;

use weir_config::StateWord;
use weir_telemetry::{Recorder, Resident, Residents};

use super::Known;
use crate::app::State;
use crate::live::{Backend, Live};

/// One model of one endpoint.
#[derive(Debug)]
pub struct Row {
    /// The backend's name.
    pub backend: String,
    /// `host:port`; none if it is one of several and nobody knows which.
    pub endpoint: Option<String>,
    /// What requests call it, as far as that is known.
    pub model: Arc<str>,
    /// What the server calls it.
    pub id: Arc<str>,
    /// What is known.
    pub known: Known,
    /// Whether that is too old to be told as it is now.
    pub is_stale: bool,
}

/// Every model of every endpoint of which anything is known.
#[must_use]
pub fn rows(state: &State) -> Vec<Row> {
    let now = state.epoch.elapsed();
    let live = state.shared.load();
    let mut rows: Vec<_> = live.backends.iter().flat_map(|backend| of(backend, &live, now)).collect();
    rows.sort_by(|a, b| (&a.backend, &a.id, &a.endpoint).cmp(&(&b.backend, &b.id, &b.endpoint)));
    rows
}

/// Of an endpoint that has a table what stands there, with what only calls show; of others what calls have shown.
fn of(backend: &Backend, live: &Live, now: std::time::Duration) -> Vec<Row> {
    let mut called: HashMap<_, _> = backend.models.accounts().into_iter().collect();
    let row = |endpoint, id: Arc<str>, known, is_stale| Row {
        backend: backend.name.clone(),
        endpoint,
        model: name(backend, &id, &known),
        id,
        known,
        is_stale,
    };
    let mut rows = Vec::new();
    let watched = backend.models.watched();
    for polled in &watched.tables {
        for (id, mut known) in polled.known() {
            let call = if watched.are_several { None } else { called.remove(&id) };
            call.into_iter().for_each(|account| known.newer(&account));
            let is_stale = polled.is_stale(&known, now);
            rows.push(row(Some(polled.endpoint.clone()), id, known, is_stale));
        }
    }
    if watched.are_several && !watched.tables.is_empty() {
        return rows;
    }
    let only = match backend.endpoints.as_slice() {
        [only] => live.endpoints.get(*only).map(|target| target.endpoint.label()),
        _ => None,
    };
    rows.extend(called.into_iter().map(|(id, account)| row(only.clone(), id, Known::of(account), false)));
    rows
}

/// Gives the store what is known.
#[derive(Debug)]
pub struct Publisher(Recorder);

impl Publisher {
    /// A publisher for the control plane.
    #[must_use]
    pub fn new(state: &State) -> Self {
        Self(state.store.recorder(usize::MAX))
    }

    /// What happened since the last time is counted, and what stands now is told.
    pub fn publish(&self, state: &State) {
        self.0.quiesce();
        for backend in &state.shared.load().backends {
            for polled in &backend.models.watched().tables {
                polled.settle(|id, known, events| {
                    // A model without a slot keeps its events until it has one.
                    let Some(model) = self.0.find(backend.id, &name(backend, id, known)) else {
                        return Some(events);
                    };
                    self.0.lifecycles(model, &events);
                    None
                });
            }
        }
        let mut residents = Residents::default();
        for row in rows(state) {
            let of = residents.entry(row.backend.into()).or_default().entry(row.model).or_default();
            add(of, &row.known, row.is_stale);
        }
        state.store.set_residents(residents);
    }
}

/// What requests call it, as far as that is known.
fn name(backend: &Backend, id: &str, known: &Known) -> Arc<str> {
    let called = || backend.matcher.called(id).map(|name| Arc::from(name.as_str()));
    known.label.as_deref().map(Arc::from).or_else(called).unwrap_or_else(|| id.into())
}

fn add(of: &mut Resident, known: &Known, is_stale: bool) {
    let sum = |a: Option<u64>, b: Option<u64>| a.map(|a| a.saturating_add(b.unwrap_or(0))).or(b);
    if is_stale {
        return;
    }
    if known.phase != StateWord::Unknown {
        of.loaded = sum(of.loaded, Some(u64::from(known.phase == StateWord::Loaded)));
    }
    of.memory_bytes = sum(of.memory_bytes, known.facts.memory_bytes);
    of.gpu_memory_bytes = sum(of.gpu_memory_bytes, known.facts.gpu_memory_bytes);
}
