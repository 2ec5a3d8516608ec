//! Pieces of PromQL about promises. All are by backend, model and promise, summed over replicas; which promises they are
//! about is a selector, `slo="fast"`, or nothing for all.

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

/// The label `target` of a promise.
pub(super) const fn target(target: Target) -> &'static str {
    target.as_str()
}
