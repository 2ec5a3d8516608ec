//! Pieces of PromQL about promises. All are by backend, model and promise, summed over replicas; which promises they are
//! about is a selector, `slo="fast"`, or nothing for all.

use weir_config::Slo;

use crate::names::{
    MODEL_SLO_COLD_VIOLATIONS, MODEL_SLO_OBJECTIVE, MODEL_SLO_REQUESTS, MODEL_SLO_VIOLATIONS, SLO_INFO,
};
use crate::slo::Target;

const BY: &str = "by (backend, model, slo)";

/// The share of requests that broke a promise.
pub(super) fn ratio(select: &str, window: &str) -> String {
    share(MODEL_SLO_VIOLATIONS.name, select, window)
}

/// The share that broke it and met a cold model.
pub(super) fn cold_ratio(select: &str, window: &str) -> String {
    share(MODEL_SLO_COLD_VIOLATIONS.name, select, window)
}

fn share(bad: &str, select: &str, window: &str) -> String {
    let all = MODEL_SLO_REQUESTS.name;
    format!(
        "sum {BY} (rate({bad}{{{select}}}[{window}]))\n/\n(sum {BY} (rate({all}{{{select}}}[{window}])) > 0)"
    )
}

/// The share that may break it.
pub(super) fn allowed(select: &str) -> String {
    format!("(1 - max {BY} ({}{{{select}}}))", MODEL_SLO_OBJECTIVE.name)
}

/// Promises that had so many requests: what is below is noise.
pub(super) fn enough(select: &str, window: &str, requests: u32) -> String {
    format!("sum {BY} (increase({}{{{select}}}[{window}])) >= {requests}", MODEL_SLO_REQUESTS.name)
}

/// Promises about that; `=` or `!=`.
pub(super) fn about(is: &str, target: &str) -> String {
    format!("max by (slo) ({}{{target{is}\"{target}\"}}) == 1", SLO_INFO.name)
}

/// Promises that are broken, and nearly always by requests that met a cold model.
pub(super) fn mostly_cold(select: &str, window: &str) -> String {
    let (all, cold, allowed) = (ratio(select, window), cold_ratio(select, window), allowed(select));
    format!(
        "(\n{}\n>= 0.8 * (\n{}\n))\nand\n((\n{}\n) - (\n{}\n) <= {allowed})",
        indented(&cold),
        indented(&all),
        indented(&all),
        indented(&cold)
    )
}

pub(super) fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

/// The series of one entry of the configuration: those of its name and models, but not of models that another entry
/// of the same name calls by their own.
pub(super) fn select(slo: &Slo, all: &[Slo]) -> String {
    let mut parts = vec![format!("slo={}", quoted(&slo.name))];
    if let Some(backend) = &slo.backend {
        parts.push(format!("backend={}", quoted(backend)));
    }
    if !slo.models.is_empty() {
        parts.push(format!("model=~{}", quoted(&patterns(slo.models.iter()))));
    }
    let others = all.iter().filter(|other| other.name == slo.name && *other != slo);
    let taken: Vec<&String> = others
        .flat_map(|other| &other.models)
        .filter(|name| slo.models.is_empty() || !name.contains(['*', '?']))
        .filter(|name| !slo.models.contains(name))
        .collect();
    if !taken.is_empty() && !slo.models.iter().all(|model| !model.contains(['*', '?']))
        || slo.models.is_empty() && !taken.is_empty()
    {
        parts.push(format!("model!~{}", quoted(&patterns(taken.into_iter()))));
    }
    parts.join(", ")
}

fn patterns<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(|name| regex(name)).collect::<Vec<_>>().join("|")
}

/// A glob as a regular expression.
fn regex(glob: &str) -> String {
    let mut out = String::new();
    for c in glob.chars() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '.' | '+' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The label `target` of a promise.
pub(super) const fn target(target: Target) -> &'static str {
    target.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_selects_its_models_and_leaves_out_those_that_others_name() {
        let slo = |models: &[&str]| Slo {
            name: "fast".to_owned(),
            models: models.iter().map(|&model| model.to_owned()).collect(),
            ..Slo::default()
        };
        let all = [slo(&[]), slo(&["rank-*", "a.b"]), slo(&["rank-1"])];
        assert_eq!(select(&all[0], &all), r#"slo="fast", model!~"rank-.*|a\\.b|rank-1""#);
        assert_eq!(select(&all[1], &all), r#"slo="fast", model=~"rank-.*|a\\.b", model!~"rank-1""#);
        assert_eq!(select(&all[2], &all), r#"slo="fast", model=~"rank-1""#);
        assert_eq!(select(&all[0], &all[..1]), r#"slo="fast""#);
    }
}
