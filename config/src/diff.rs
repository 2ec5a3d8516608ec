//! What two configurations differ in, key by key, and when a running gateway would take each difference over.
//!
//! Works on the effective configurations as JSON, so that a default and the same value spelled out are equal. Secrets are redacted
//! there: that one changed does not show.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::Admin;
use crate::config::Config;

/// Keys that hold from the start of the process; a reload keeps what they were.
const AT_START: [&str; 11] = [
    "workers",
    "admin.address",
    "admin.metrics_address",
    "admin.metrics_tls",
    "admin.tls",
    "admin.token_file",
    "admin.connections_max",
    "telemetry.models_max",
    "telemetry.sharded_models_max",
    "log.level",
    "log.format",
];

/// One key that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where: `listeners[main].limits.idle_timeout`.
    pub path: String,
    /// What it was; none if it was not there.
    pub was: Option<Value>,
    /// What it is to be; none if it goes.
    pub will: Option<Value>,
    /// When that takes effect.
    pub takes: Takes,
}

/// When a change takes effect in a gateway that reloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// With the next request.
    Requests,
    /// With the next connection; a listener's address is opened or closed.
    Connections,
    /// When the process is started anew, not before.
    Restart,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, was, will, takes } = self;
        match (was, will) {
            (None, Some(will)) => write!(f, "+ {path}: {will}")?,
            (Some(was), None) => write!(f, "- {path}: {was}")?,
            _ => write!(f, "~ {path}: {} -> {}", Shown(was.as_ref()), Shown(will.as_ref()))?,
        }
        match takes {
            Takes::Requests => Ok(()),
            Takes::Connections => f.write_str("  (new connections)"),
            Takes::Restart => f.write_str("  (needs a restart)"),
        }
    }
}

struct Shown<'v>(Option<&'v Value>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.unwrap_or(&Value::Null).fmt(f)
    }
}

/// A configuration as JSON: every default filled in, secrets redacted.
#[must_use]
pub fn effective(config: &Config) -> Value {
    // No type of the configuration refuses to be serialized.
    serde_json::to_value(config).unwrap_or_default()
}

/// What differs between two effective configurations, in the order of the keys.
#[must_use]
pub fn diff(was: &Value, will: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", Some(was), Some(will), &mut changes);
    changes
}

/// Puts the keys that hold from the start back to what they were, so that the new one is what can be taken over now.
pub fn hold(will: &mut Config, was: &Config) {
    will.workers = was.workers;
    // Names under which it may be called are taken over; who guards it, and where, is not.
    will.admin = Admin { hosts: std::mem::take(&mut will.admin.hosts), ..was.admin.clone() };
    will.telemetry.models_max = was.telemetry.models_max;
    will.telemetry.sharded_models_max = was.telemetry.sharded_models_max;
    will.log = was.log.clone();
}

fn compare(path: &str, was: Option<&Value>, will: Option<&Value>, changes: &mut Vec<Change>) {
    match (was, will) {
        _ if was == will => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&inner, before.get(key), after.get(key), changes);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => lists(path, before, after, changes),
        _ => changes.push(Change {
            path: path.to_owned(),
            was: was.cloned(),
            will: will.cloned(),
            takes: takes(path),
        }),
    }
}

/// Things with names are compared by name, other things by place; words and numbers as one list.
fn lists(path: &str, before: &[Value], after: &[Value], changes: &mut Vec<Change>) {
    if let (Some(old), Some(new)) = (named(before), named(after)) {
        let names: BTreeSet<_> = old.iter().chain(&new).map(|(name, _)| *name).collect();
        let of = |all: &[(&str, &Value)], name| {
            all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).clone())
        };
        for name in names {
            let (was, will) = (of(&old, name), of(&new, name));
            compare(&format!("{path}[{name}]"), was.as_ref(), will.as_ref(), changes);
        }
    } else if before.iter().chain(after).all(Value::is_object) {
        for at in 0..before.len().max(after.len()) {
            compare(&format!("{path}[{at}]"), before.get(at), after.get(at), changes);
        }
    } else {
        let (was, will) = (Some(before.into()), Some(after.into()));
        changes.push(Change { path: path.to_owned(), was, will, takes: takes(path) });
    }
}

fn named(list: &[Value]) -> Option<Vec<(&str, &Value)>> {
    let all: Option<Vec<_>> = list.iter().map(|value| Some((value.get("name")?.as_str()?, value))).collect();
    let all = all?;
    let names: BTreeSet<_> = all.iter().map(|(name, _)| *name).collect();
    (names.len() == all.len()).then_some(all)
}

fn takes(path: &str) -> Takes {
    let within = |key: &str| {
        path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    if AT_START.into_iter().any(within) {
        Takes::Restart
    } else if within("listeners") {
        Takes::Connections
    } else {
        Takes::Requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let text = format!("version: 1\n{text}");
        crate::parse(&text, "weir.yaml", &|_| None).unwrap()
    }

    fn lines(was: &str, will: &str) -> Vec<String> {
        let changes = diff(&effective(&config(was)), &effective(&config(will)));
        changes.iter().map(ToString::to_string).collect()
    }

    const ONE: &str = "backends: [{name: a, dialect: triton, endpoints: ['http://127.0.0.1:1']}]\n";

    #[test]
    fn a_default_spelled_out_is_no_difference() {
        assert_eq!(lines(ONE, &format!("{ONE}drain: {{deadline: 30s}}\n")), Vec::<String>::new());
    }

    #[test]
    fn each_difference_says_where_what_and_when() {
        let two = "backends: [{name: a, dialect: triton, endpoints: ['http://127.0.0.1:2']}]\nworkers: 3\n\
                   listeners: [{limits: {idle_timeout: 9s}}]\n";
        let said = lines(ONE, two);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("~ backends[a].endpoints: [") && said[0].ends_with(']'), "{said:?}");
        assert_eq!(said[1], "~ listeners[main].limits.idle_timeout: \"75s\" -> \"9s\"  (new connections)");
        assert_eq!(said[2], "+ workers: 3  (needs a restart)");
    }

    #[test]
    fn things_with_names_are_compared_by_name() {
        let moved = "backends: [{name: b, dialect: triton, endpoints: ['http://127.0.0.1:3']}, \
                     {name: a, dialect: triton, endpoints: ['http://127.0.0.1:1']}]\n";
        let said = lines(ONE, moved);
        assert!(said.len() == 1 && said[0].starts_with("+ backends[b]: {"), "{said:?}");
        let said = lines(moved, ONE);
        assert!(said.len() == 1 && said[0].starts_with("- backends[b]: {"), "{said:?}");
    }

    #[test]
    fn what_holds_from_the_start_is_held_and_nothing_else() {
        let was = config(ONE);
        let mut will = config(&format!(
            "{ONE}workers: 3\nadmin: {{address: '127.0.0.1:7', metrics_address: '127.0.0.1:8', token_file: x, connections_max: 9, \
             tls: {{certificates: [{{cert: c, key: k}}]}}, metrics_tls: {{certificates: [{{cert: c, key: k}}]}}}}\nlog: {{level: debug, format: json}}\n\
             telemetry: {{models_max: 5000, sharded_models_max: 16, top_models: 7}}\n"
        ));
        let restarts = |will: &Config| {
            let changes = diff(&effective(&was), &effective(will));
            (changes.iter().filter(|change| change.takes == Takes::Restart).count(), changes.len())
        };
        assert_eq!(restarts(&will), (11, 12));
        hold(&mut will, &was);
        assert_eq!(restarts(&will), (0, 1));
    }
}
