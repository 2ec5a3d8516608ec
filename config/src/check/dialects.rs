//! Whether the user's dialects make sense: names, aliases, what they extend, and their rules.

use std::collections::HashSet;

use super::{Doubt, Findings, answers, did_you_mean, name, naming, rules, states};
use crate::dialect::Dialect;
use crate::embedded;

/// Checks the dialects of a file.
pub(crate) fn dialects(all: &[Dialect], doubt: Doubt, findings: &mut Findings) {
    let mut names = HashSet::new();
    for (i, one) in all.iter().enumerate() {
        let path = format!("dialects[{i}]");
        dialect(one, &format!("{path}."), findings);
        if !one.name.is_empty() && !names.insert(one.name.as_str()) {
            findings.add(format!("{path}.name"), format!("another dialect is called `{}` too", one.name));
        }
        for (j, alias) in one.aliases.iter().enumerate() {
            if !names.insert(alias.as_str()) {
                findings
                    .add(format!("{path}.aliases[{j}]"), format!("another dialect is called `{alias}` too"));
            }
        }
        extends(all, one, &format!("{path}.extends"), doubt, findings);
    }
}

/// Checks one dialect by itself; `prefix` is what stands before its keys in a path.
pub(crate) fn dialect(dialect: &Dialect, prefix: &str, findings: &mut Findings) {
    if dialect.name.is_empty() {
        findings.missing(format!("{prefix}name"), "a dialect needs a `name`", None);
    } else {
        findings.word(format!("{prefix}name"), name(&dialect.name, &()));
    }
    for (i, alias) in dialect.aliases.iter().enumerate() {
        findings.word(format!("{prefix}aliases[{i}]"), name(alias, &()));
    }
    rules::requests(&dialect.requests, &format!("{prefix}requests"), findings);
    rules::starts(&dialect.starts, &format!("{prefix}starts"), findings);
    if let Some(names) = &dialect.names {
        naming::naming(names, &format!("{prefix}names"), findings);
    }
    answers::usage(&dialect.usage, &format!("{prefix}usage"), findings);
    states::state(&dialect.state, &format!("{prefix}state"), findings);
}

fn extends(all: &[Dialect], dialect: &Dialect, path: &str, doubt: Doubt, findings: &mut Findings) {
    let Some(parent) = &dialect.extends else { return };
    let own = embedded::named(all, parent).filter(|found| found.name != dialect.name);
    let known = own.is_some() || embedded::find(parent).is_some();
    if parent == &dialect.name && !known {
        findings.add(path, "it extends itself, and no embedded dialect has this name");
    } else if !known && !doubt.dialect_names {
        findings.add_with(
            path,
            format!("unknown dialect `{parent}`"),
            did_you_mean(parent, &embedded::known(all)),
        );
    } else if let Some(ring) = ring(all, dialect) {
        findings.add(path, format!("the dialects extend each other in a ring: {}", ring.join(" → ")));
    }
}

/// The names from this dialect back to itself, if its `extends` come back to it.
fn ring<'d>(all: &'d [Dialect], start: &'d Dialect) -> Option<Vec<&'d str>> {
    let mut names = vec![start.name.as_str()];
    let mut at = start;
    while names.len() <= all.len() {
        at = embedded::parent(all, at)?;
        names.push(&at.name);
        if at.name == start.name {
            return Some(names);
        }
    }
    None
}
