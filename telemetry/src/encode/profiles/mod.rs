//! The models once more, under the names of others, so that dashboards made for them go on working behind weir. Made
//! from the same totals as weir's own families as they are written out; nothing is counted twice, and series of a
//! profile are not part of the series budget. What each maps and leaves out: deploy/profiles.md.
//!
//! A table for each profile: a family, the label that holds the model's name, and how its values are taken.

mod otel_genai;
mod otel_http;
mod torchserve;
mod triton;

use weir_config::Profile;

use super::families::{Emit, Series, Sink};
use crate::distribution::Distribution;
use crate::names::Family;
use crate::observation::Start;
use crate::snapshot::Snapshot;
use crate::totals::Totals;

/// A family of a profile.
type Row = (Family, &'static str, Values);
type Values = fn(&Totals, &mut Emit<'_>);

/// Writes the families of the snapshot's profiles.
pub(super) fn write(snapshot: &Snapshot, sink: &mut impl Sink) {
    for (family, named, values) in snapshot.profiles.iter().flat_map(|profile| rows(*profile)) {
        let mut opened = false;
        // Health checks and listings are requests of no model, and never inferences.
        for model in snapshot.models.iter().filter(|model| &*model.model != "__control__") {
            values(&model.totals, &mut |extra, value| {
                if !opened {
                    sink.open(family);
                    opened = true;
                }
                let extra = extra.and_then(|extra| Some((*family.labels.get(2)?, extra)));
                sink.series(family, Series { model: Some(model), named, labels: &[], extra }, value);
            });
        }
        if opened {
            sink.close(family);
        }
    }
}

/// How the values of each family of these profiles are taken.
pub(super) fn each(profiles: &[Profile], each: impl FnMut(Values)) {
    profiles.iter().flat_map(|profile| rows(*profile)).map(|(_, _, values)| *values).for_each(each);
}

const fn rows(profile: Profile) -> &'static [Row] {
    match profile {
        Profile::OtelGenai => otel_genai::ROWS,
        Profile::OtelHttp => otel_http::ROWS,
        Profile::Torchserve => torchserve::ROWS,
        Profile::Triton => triton::ROWS,
    }
}

/// Durations of all successes, however they started.
fn all_durations(of: &Totals) -> Distribution {
    let mut all = Distribution::default();
    Start::ALL.iter().for_each(|start| all.merge(of.duration(*start)));
    all
}

/// Microseconds that the successes took together.
fn microseconds(of: &Totals) -> u64 {
    let ns: u128 = Start::ALL.iter().map(|start| of.duration(*start).sum_ns()).sum();
    u64::try_from(ns / 1_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
