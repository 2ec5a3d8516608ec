//! What servers tell, when they are asked, of models in their memory: set as a whole by whoever asks them, attached to snapshots, and
//! written as gauges. What is unknown or stale is absent, never 0.

use std::collections::HashMap;
use std::sync::Arc;

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
}

impl Resident {
    /// How many series it is.
    pub(crate) fn series(&self) -> u32 {
        [self.loaded, self.memory_bytes, self.gpu_memory_bytes].iter().map(|of| u32::from(of.is_some())).sum()
    }
}

/// Residents by backend and model.
pub type Residents = HashMap<Arc<str>, HashMap<Arc<str>, Resident>>;

/// Writes the families of residents.
pub(crate) fn write(snapshot: &Snapshot, sink: &mut impl Sink) {
    gauge(snapshot, sink, &names::MODEL_LOADED, |of| of.loaded.map(Value::Count));
    gauge(snapshot, sink, &names::MODEL_MEMORY, |of| of.memory_bytes.map(Value::Count));
    gauge(snapshot, sink, &names::MODEL_GPU_MEMORY, |of| of.gpu_memory_bytes.map(Value::Count));
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
        sink.series(family, Series { model: Some(model), named: "model", labels: &[], extra: None }, value);
    }
    sink.close(family);
}
