//! Whether names can be made alike as it is said: patterns that never fit, names that no model can have.

use std::collections::HashSet;

use super::Findings;
use crate::naming::Naming;

/// Names that are weir's own begin and end so.
const RESERVED: &str = "__";

pub(super) fn naming(naming: &Naming, path: &str, findings: &mut Findings) {
    let lists = [("strip_prefix", &naming.strip_prefix), ("strip_suffix", &naming.strip_suffix)];
    for (key, texts) in lists {
        for (i, text) in texts.iter().enumerate() {
            never_fits(naming, text, &format!("{path}.{key}[{i}]"), findings);
        }
    }
    let mut froms = HashSet::new();
    let mut all_by: Option<usize> = None;
    for (i, map) in naming.map.iter().enumerate() {
        let path = format!("{path}.map[{i}]");
        if map.from.is_empty() {
            findings.missing(format!("{path}.from"), "a mapping needs a `from`", None);
        }
        never_fits(naming, &map.from, &format!("{path}.from"), findings);
        if let Some(all) = all_by {
            findings.add(&path, format!("it is never reached: `map[{all}]` takes every name"));
        } else if !map.from.is_empty() && !froms.insert(&map.from) {
            findings.add(format!("{path}.from"), format!("`{}` is mapped twice", map.from));
        }
        if !map.from.is_empty() && map.from.bytes().all(|byte| byte == b'*') {
            all_by = all_by.or(Some(i));
        }
        if map.to.is_empty() {
            findings.missing(format!("{path}.to"), "a mapping needs a `to`", None);
        } else if map.to.starts_with(RESERVED) && map.to.ends_with(RESERVED) {
            let help = "names between two `__` are those of weir's own sums".to_owned();
            findings.add_with(format!("{path}.to"), format!("no model can be called `{}`", map.to), help);
        } else if map.to.chars().any(char::is_control) {
            findings.add(format!("{path}.to"), "a name has no control characters");
        }
    }
}

fn never_fits(naming: &Naming, pattern: &str, path: &str, findings: &mut Findings) {
    if naming.lowercase && pattern.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let message = format!("`{pattern}` never fits: `lowercase` comes before it");
        findings.add_with(path, message, format!("write `{}`", pattern.to_ascii_lowercase()));
    }
}
