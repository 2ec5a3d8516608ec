//! The families about promises, of the models that are exported under their own name: good and bad are counters, so that
//! a ratio over any time and over replicas is exact, and limits stand beside them, so that rules need not repeat them.

use super::families::{Series, Sink, Value};
use crate::names::{self, Family};
use crate::slo::Target;
use crate::snapshot::{Promised, Snapshot};

/// At most so many series has a promise of a model; what is left of its budget is unknown before the first request.
pub(crate) fn series_of(target: Target) -> u32 {
    let is_any = matches!(target, Target::Latency { start: None, .. });
    4 + u32::from(is_any) + u32::from(target.limit().is_some())
}

type Of = fn(&Promised) -> Option<Value<'static>>;

const FAMILIES: [(Family, Of); 6] = [
    (names::MODEL_SLO_REQUESTS, |of| Some(Value::Count(of.total))),
    (names::MODEL_SLO_VIOLATIONS, |of| Some(Value::Count(of.bad))),
    (names::MODEL_SLO_COLD_VIOLATIONS, |of| of.bad_cold.map(Value::Count)),
    (names::MODEL_SLO_THRESHOLD, |of| Some(Value::Nanoseconds(of.rule.target.limit()?.as_nanos()))),
    (names::MODEL_SLO_OBJECTIVE, |of| Some(Value::Number(of.rule.allowed.rest().ratio()))),
    (names::MODEL_SLO_BUDGET, |of| Some(Value::Number(of.left?))),
];

pub(super) fn write(snapshot: &Snapshot, sink: &mut impl Sink) {
    for (family, value) in &FAMILIES {
        let mut opened = false;
        for model in &snapshot.models {
            for promised in &model.promised {
                let Some(value) = value(promised) else { continue };
                if !opened {
                    sink.open(family);
                    opened = true;
                }
                let extra = Some(("slo", &*promised.rule.name));
                sink.series(family, Series { model: Some(model), named: "model", labels: &[], extra }, value);
            }
        }
        if opened {
            sink.close(family);
        }
    }
}
