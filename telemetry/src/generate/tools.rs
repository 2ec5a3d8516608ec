//! The promises of a configuration for tools that make rules themselves.
//!
//! Sloth has no fan-out by label: a promise becomes one objective over all its models, and one for each model that it calls
//! by name. Pyrra groups by backend and model.
//! Sources: <https://sloth.dev/specs/default/>, <https://github.com/pyrra-dev/pyrra/blob/main/kubernetes/api/v1alpha1>.

use std::collections::HashMap;

use serde_json::{Value, json};
use weir_config::{Percent, Slo, duration_text};

use super::selector::selectors;
use super::yaml;
use crate::names::{MODEL_SLO_REQUESTS, MODEL_SLO_VIOLATIONS};
use crate::slo::{AlertKind, Rule};

/// `prometheus/v1`.
pub(super) fn sloth(slos: &[Slo]) -> String {
    let all: Vec<Value> = rules(slos)
        .flat_map(|Part { rule, select, name }| {
            let named = rule.slo.models.iter().filter(|name| !name.contains(['*', '?']));
            let of_named: Vec<_> = named
                .map(|model| {
                    let select = format!("{select}, model={}", Value::from(model.as_str()));
                    objective(&rule, &select, &format!("{name}-{}", word(model)))
                })
                .collect();
            std::iter::once(objective(&rule, &select, &name)).chain(of_named).collect::<Vec<_>>()
        })
        .collect();
    let spec =
        json!({ "version": "prometheus/v1", "service": "weir", "labels": { "owner": "weir" }, "slos": all });
    yaml::document(&spec)
}

fn objective(rule: &Rule, select: &str, name: &str) -> Value {
    let rate = |metric: &str| format!("sum(rate({metric}{{{select}}}[{{{{.window}}}}]))");
    json!({
        "name": name,
        "objective": percent(rule.allowed.rest()),
        "description": rule.promise(),
        "sli": { "events": {
            "error_query": rate(MODEL_SLO_VIOLATIONS.name),
            "total_query": rate(MODEL_SLO_REQUESTS.name),
        }},
        "alerting": {
            "name": AlertKind::burn(rule.target, 0).name(),
            "page_alert": { "labels": { "severity": "critical" } },
            "ticket_alert": { "labels": { "severity": "warning" } },
        },
    })
}

/// One `ServiceLevelObjective` for each promise.
pub(super) fn pyrra(slos: &[Slo]) -> String {
    let documents: Vec<String> = rules(slos)
        .map(|Part { rule, select, name }| {
            let metric = |name: &str| json!({ "metric": format!("{name}{{{select}}}") });
            yaml::document(&json!({
                "apiVersion": "pyrra.dev/v1alpha1",
                "kind": "ServiceLevelObjective",
                "metadata": { "name": format!("weir-{name}") },
                "spec": {
                    "target": rule.allowed.rest().to_string().trim_end_matches('%'),
                    "window": duration_text(rule.slo.budget),
                    "description": rule.promise(),
                    "indicator": { "ratio": {
                        "errors": metric(MODEL_SLO_VIOLATIONS.name),
                        "total": metric(MODEL_SLO_REQUESTS.name),
                        "grouping": ["backend", "model"],
                    }},
                },
            }))
        })
        .collect();
    documents.join("---\n")
}

/// Some models of a promise, and a name that no other part has.
struct Part {
    rule: Rule,
    select: String,
    name: String,
}

fn rules(slos: &[Slo]) -> impl Iterator<Item = Part> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let all = slos
        .iter()
        .enumerate()
        .flat_map(|(at, slo)| selectors(at, slos).into_iter().map(move |part| (slo, part)));
    all.filter_map(move |(slo, part)| {
        let name = word(&slo.name);
        let times = taken.entry(name.clone()).and_modify(|times| *times += 1).or_insert(1);
        let name = if *times == 1 { name } else { format!("{name}-{times}") };
        Some(Part { rule: Rule::new(slo)?, select: part.text(), name })
    })
}

fn percent(share: Percent) -> f64 {
    f64::from(share.millionths()) / 10_000.0
}

/// A name as Kubernetes and Sloth allow it.
fn word(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(plain).collect::<String>().trim_matches('-').to_owned()
}
