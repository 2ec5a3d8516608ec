//! Whether SLOs make sense together: one target each, backends that exist, and no model that two of the same name claim
//! alike.

use std::collections::{BTreeMap, HashSet};

use super::{Doubt, Findings, did_you_mean};
use crate::backend::Backend;
use crate::config::Config;
use crate::glob::globs_meet;
use crate::slo::{SLO_LIMITS_MAX, SLO_NAMES_MAX, Slo};
use crate::units::duration_text;
use crate::values::Kept;

/// Letters that are compared to find globs that name a model equally exactly; a file that needs more is not looked through.
const TIES_EFFORT_MAX: usize = 20_000_000;

pub(super) fn slos(config: &Config, backends: &HashSet<&str>, doubt: Doubt, findings: &mut Findings) {
    let slos = &config.slos;
    let tells = |backend: &Backend| backend.values.iter().any(|value| value.kept == Kept::Staleness);
    let mut firsts: BTreeMap<&str, (usize, &Slo)> = BTreeMap::new();
    let mut claims: BTreeMap<(&str, Option<&str>, Option<&str>), usize> = BTreeMap::new();
    for (i, slo) in slos.iter().enumerate() {
        let path = format!("slos[{i}]");
        one(slo, &path, backends, doubt, findings);
        if slo.staleness.is_some() && !config.backends.iter().any(tells) {
            let help = "give the backend a value, for example `values: [{name: data, from: {header: x-data-time}, unit: rfc3339, as: staleness}]`";
            findings.add_with(
                format!("{path}.staleness"),
                "no backend tells how old its data is",
                Some(help.to_owned()),
            );
        }
        let (first, of_first) = *firsts.entry(slo.name.as_str()).or_insert((i, slo));
        kind(slo, of_first, first, &path, findings);
        let backend = slo.backend.as_deref();
        let patterns: Vec<Option<&str>> = match slo.models.as_slice() {
            [] => vec![None],
            models => models.iter().map(|model| Some(model.as_str())).collect(),
        };
        for (at, pattern) in patterns.into_iter().enumerate() {
            let before = claims.insert((&slo.name, backend, pattern), i);
            let Some(before) = before else { continue };
            let whom = pattern.map_or_else(|| "every other model".to_owned(), |model| format!("`{model}`"));
            let place = if pattern.is_some() { format!("{path}.models[{at}]") } else { path.clone() };
            let message =
                format!("`slos[{before}]`, which is called `{}` too, holds for {whom} already", slo.name);
            findings.add_with(place, message, Some("SLOs that add up have names of their own".to_owned()));
        }
    }
    ties(slos, findings);
    let limited = firsts.values().filter(|(_, slo)| slo.has_limit()).count();
    if firsts.len() > SLO_NAMES_MAX {
        findings
            .add("slos", format!("there are {} names, at most {SLO_NAMES_MAX} are allowed", firsts.len()));
    }
    if limited > SLO_LIMITS_MAX {
        let message =
            format!("{limited} names have a `latency` or `staleness`, at most {SLO_LIMITS_MAX} may");
        findings.add("slos", message);
    }
}

fn one(slo: &Slo, path: &str, backends: &HashSet<&str>, doubt: Doubt, findings: &mut Findings) {
    let targets: Vec<_> = slo.targets().collect();
    let known = "`latency`, `error_rate_max`, `cold_rate_max`, `hit_rate_min` or `staleness`";
    match targets.as_slice() {
        [] => findings.missing(path, format!("it promises nothing: it needs one of {known}"), None),
        [_] => {}
        _ => {
            let message = format!("it needs exactly one of {known}, not {}", super::listed(&targets));
            findings.add_with(
                path,
                message,
                Some("give each an SLO of its own, with its own `name`".to_owned()),
            );
        }
    }
    let known: Vec<&str> = backends.iter().copied().collect();
    if let Some(backend) = slo.backend.as_deref()
        && !backends.contains(backend)
        && !doubt.backend_names
    {
        let message = format!("there is no backend `{backend}`");
        findings.add_with(format!("{path}.backend"), message, did_you_mean(backend, &known));
    }
    let below = slo.latency.as_ref().map(|target| target.below);
    if below.is_some_and(|below| below > slo.window) {
        let message = format!("a window of `{}` is shorter than one such request", duration_text(slo.window));
        findings.add(format!("{path}.window"), message);
    }
    if slo.window > slo.budget {
        let budget = duration_text(slo.budget);
        findings.add(format!("{path}.window"), format!("it is longer than the whole `budget` of `{budget}`"));
    }
}

/// A name, a backend, and how many letters of a model's name a glob gives.
type Group<'s> = (&'s str, Option<&'s str>, usize);

/// Two globs that name some models equally exactly: which of their promises holds would hang on the order in the file.
fn ties(slos: &[Slo], findings: &mut Findings) {
    let is_glob = |pattern: &&String| pattern.contains(['*', '?']);
    let letters = |pattern: &str| pattern.chars().filter(|c| !matches!(c, '*' | '?')).count();
    let mut groups: BTreeMap<Group<'_>, Vec<(usize, &str)>> = BTreeMap::new();
    let mut effort = 0;
    for (i, slo) in slos.iter().enumerate() {
        for (at, pattern) in slo.models.iter().enumerate().filter(|(_, pattern)| is_glob(pattern)) {
            let group = groups.entry((&slo.name, slo.backend.as_deref(), letters(pattern))).or_default();
            for (before, other) in group.iter().filter(|(before, other)| *before != i && other != pattern) {
                effort += other.len() * pattern.len();
                if effort > TIES_EFFORT_MAX {
                    return;
                }
                if globs_meet(other, pattern) {
                    let message = format!(
                        "`{pattern}` and `{other}` of `slos[{before}]`, which is called `{}` too, name some models equally exactly",
                        slo.name
                    );
                    let help = "name those models by a longer glob, or each by its own name";
                    findings.add_with(format!("slos[{i}].models[{at}]"), message, Some(help.to_owned()));
                    break;
                }
            }
            group.push((i, pattern));
        }
    }
}

/// One name is one promise: the limits may differ from model to model, what is promised may not.
fn kind(slo: &Slo, first: &Slo, at: usize, path: &str, findings: &mut Findings) {
    let start = |slo: &Slo| slo.latency.as_ref().map(|target| target.start);
    let (Some(ours), Some(theirs)) = (slo.targets().next(), first.targets().next()) else { return };
    if ours != theirs {
        let message = format!("`slos[{at}]`, which is called `{}` too, promises a `{theirs}`", slo.name);
        findings.add(format!("{path}.{ours}"), message);
    } else if start(slo) != start(first) {
        let message = format!("`slos[{at}]`, which is called `{}` too, is about other requests", slo.name);
        findings.add(format!("{path}.latency.start"), message);
    }
}
