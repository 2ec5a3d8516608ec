//! What the telemetry section can get wrong across its keys: backends that are not there, tiers and pins given twice,
//! a label that is taken, pins that cannot fit.

use std::collections::HashSet;

use super::{Doubt, Findings, did_you_mean};
use crate::telemetry::Telemetry;

/// Labels that weir's series and Prometheus have already.
const TAKEN: [&str; 20] = [
    "backend", "model", "outcome", "start", "evidence", "reason", "type", "value", "worker", "slo", "le",
    "quantile", "instance", "job", "version", "window", "level", "severity", "state", "source",
];

/// Series that a model without a request has.
const SERIES_MIN: usize = 5;

pub(super) fn telemetry(
    telemetry: &Telemetry,
    backends: &HashSet<&str>,
    doubt: Doubt,
    findings: &mut Findings,
) {
    let mut known: Vec<&str> = backends.iter().copied().collect();
    known.sort_unstable();
    let backend = |named: Option<&String>, path: String, findings: &mut Findings| {
        if let Some(name) = named.filter(|name| !backends.contains(name.as_str()) && !doubt.backend_names) {
            findings.add_with(path, format!("there is no backend `{name}`"), did_you_mean(name, &known));
        }
    };
    let mut pinned = HashSet::new();
    for (i, pin) in telemetry.pins.iter().enumerate() {
        let path = format!("telemetry.pins[{i}]");
        if pin.model.is_empty() {
            findings.missing(format!("{path}.model"), "a pin needs a `model`", None);
        }
        if pin.model.contains('*') {
            let help = "to group models by a glob, use `telemetry.tiers`".to_owned();
            findings.add_with(format!("{path}.model"), "a pin is one model, not a glob", help);
        }
        if !pinned.insert(pin) {
            findings.add(path.clone(), format!("`{}` is pinned twice", pin.model));
        }
        backend(pin.backend.as_ref(), format!("{path}.backend"), findings);
    }
    let (pins, budget) = (telemetry.pins.len(), telemetry.series_budget);
    if pins * SERIES_MIN > budget as usize {
        let message = format!("{pins} models with {SERIES_MIN} series or more do not fit {budget} series");
        findings.add_with("telemetry.pins", message, "raise `series_budget` or pin fewer".to_owned());
    }
    label(&telemetry.tier_label, findings);
    let mut names = HashSet::new();
    for (i, tier) in telemetry.tiers.iter().enumerate() {
        let path = format!("telemetry.tiers[{i}]");
        if tier.models.is_empty() {
            let help = "for example `models: [search-*]`".to_owned();
            findings.missing(format!("{path}.models"), "a tier needs `models`", help);
        }
        if !tier.name.is_empty() && !names.insert((&tier.name, &tier.backend)) {
            let help = "put the models of both into one".to_owned();
            findings.add_with(
                format!("{path}.name"),
                format!("another tier is called `{}` too", tier.name),
                help,
            );
        }
        backend(tier.backend.as_ref(), format!("{path}.backend"), findings);
    }
    let mut profiles = HashSet::new();
    for (i, profile) in telemetry.profiles.iter().enumerate() {
        if !profiles.insert(profile) {
            findings
                .add(format!("telemetry.profiles[{i}]"), format!("`{}` is given twice", profile.as_str()));
        }
    }
}

fn label(label: &str, findings: &mut Findings) {
    let path = "telemetry.tier_label";
    let begins = label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = begins && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !fits || label.len() > 64 || label.starts_with("__") {
        let help = "letters, digits and `_`, 1 to 64 of them, no digit first and no two `_` first".to_owned();
        findings.add_with(path, format!("`{label}` is no name of a label"), help);
    } else if TAKEN.contains(&label) {
        let help = "for example `team` or `pool`".to_owned();
        findings.add_with(path, format!("series have a label `{label}` already"), help);
    }
}
