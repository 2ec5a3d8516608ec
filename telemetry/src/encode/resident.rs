//! What servers tell, when they are asked, of models in their memory: set as a whole by whoever asks them, attached to snapshots, and
//! written as gauges and counters. What is unknown or stale is absent, never 0.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::families::{Series, Sink, Value};
use crate::names::{self, Family};
use crate::snapshot::Snapshot;

/// A model as the endpoints of its backend tell of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// Endpoints that have it in memory, if any told.
    pub loaded: Option<u64>,
    /// Memory that it takes there, bytes.
    pub memory_bytes: Option<u64>,
    /// Memory that it takes on GPUs, bytes.
    pub gpu_memory_bytes: Option<u64>,
    /// Loads that were seen.
    pub loads: u64,
    /// Evictions that were seen.
    pub evictions: u64,
    /// Loads soon after an eviction.
    pub reloads: u64,
    /// How long it had been loaded when it was evicted last.
    pub evicted_age: Option<Duration>,
}

/// Residents by backend and model.
pub type Residents = HashMap<Arc<str>, HashMap<Arc<str>, Resident>>;

/// Writes the families of residents.
pub(crate) fn write(snapshot: &Snapshot, sink: &mut impl Sink) {
    gauge(snapshot, sink, &names::MODEL_LOADED, |of| of.loaded.map(Value::Count));
    gauge(snapshot, sink, &names::MODEL_MEMORY, |of| of.memory_bytes.map(Value::Count));
    gauge(snapshot, sink, &names::MODEL_GPU_MEMORY, |of| of.gpu_memory_bytes.map(Value::Count));
    gauge(snapshot, sink, &names::MODEL_EVICTED_AGE, |of| {
        of.evicted_age.map(|age| Value::Nanoseconds(age.as_nanos()))
    });
    changes(snapshot, sink);
}

fn gauge(
    snapshot: &Snapshot,
    sink: &mut impl Sink,
    family: &Family,
    value: fn(&Resident) -> Option<Value<'static>>,
) {
    let told = snapshot.models.iter().filter_map(|model| Some((model, value(model.resident.as_ref()?)?)));
    let mut told = told.peekable();
    if told.peek().is_none() {
        return;
    }
    sink.open(family);
    for (model, value) in told {
        sink.series(family, Series { model: Some(model), named: "model", extra: None }, value);
    }
    sink.close(family);
}

fn changes(snapshot: &Snapshot, sink: &mut impl Sink) {
    let family = &names::MODEL_STATE_CHANGES;
    let told = snapshot.models.iter().filter_map(|model| Some((model, model.resident?)));
    let mut told = told.peekable();
    if told.peek().is_none() {
        return;
    }
    sink.open(family);
    for (model, of) in told {
        for (change, count) in [("load", of.loads), ("eviction", of.evictions), ("reload", of.reloads)] {
            let extra = Some(("change", change));
            sink.series(family, Series { model: Some(model), named: "model", extra }, Value::Count(count));
        }
    }
    sink.close(family);
}
