//! Whether request and start rules make sense: templates, sources, conditions, tests, regular expressions.

use regex::RegexBuilder;

use super::Findings;
use super::words::method;
use crate::dialect::{Action, RequestRule, Source, When};
use crate::starts::{HeaderRule, HeaderTest, Starts};
use crate::template::Template;

/// Compiled size of one regular expression in bytes: far above any header test, far below what hurts.
const REGEX_BYTES_MAX: usize = 1 << 20;

pub(super) fn requests(rules: &[RequestRule], path: &str, findings: &mut Findings) {
    for (i, rule) in rules.iter().enumerate() {
        request(rule, &format!("{path}[{i}]"), findings);
    }
}

pub(super) fn starts(starts: &Starts, path: &str, findings: &mut Findings) {
    for (i, rule) in starts.headers.iter().enumerate() {
        header_rule(rule, &format!("{path}.headers[{i}]"), findings);
    }
    for (i, rule) in starts.statuses.iter().enumerate() {
        if let Some(test) = &rule.header {
            header_test(test, &format!("{path}.statuses[{i}].header"), findings);
        }
    }
}

fn request(rule: &RequestRule, path: &str, findings: &mut Findings) {
    let template = if rule.path.is_empty() {
        findings.missing(format!("{path}.path"), "a request rule needs a `path`", None);
        None
    } else {
        let parsed = Template::parse(&rule.path);
        parsed.map_err(|error| findings.add(format!("{path}.path"), error.to_string())).ok()
    };
    for (i, name) in rule.methods.iter().enumerate() {
        findings.word(format!("{path}.methods[{i}]"), method(name));
    }
    for (i, when) in rule.when.iter().enumerate() {
        condition(when, &format!("{path}.when[{i}]"), findings);
    }
    for (key, sources) in [("model", &rule.model), ("resident", &rule.resident), ("version", &rule.version)] {
        for (i, one) in sources.iter().enumerate() {
            source(one, template.as_ref(), &format!("{path}.{key}[{i}]"), findings);
        }
    }
    let sources = || rule.model.iter().chain(&rule.resident).chain(&rule.version);
    if sources().any(|source| source.json.is_some()) && sources().any(|source| source.protobuf.is_some()) {
        findings.add(path, "a body is either JSON or protobuf: make it two rules");
    }
    let loads = matches!(rule.action, Action::Load | Action::Unload);
    let named = template.as_ref().is_none_or(|t| t.has("model"))
        || !rule.model.is_empty()
        || !rule.resident.is_empty();
    if loads && !named {
        findings.missing(
            format!("{path}.model"),
            "a load or unload needs a `model`: weir must know whose it is",
            None,
        );
    }
}

fn source(source: &Source, template: Option<&Template>, path: &str, findings: &mut Findings) {
    let Source { path: capture, header, query, json, protobuf, .. } = source;
    let given =
        [("path", capture), ("header", header), ("query", query), ("json", json), ("protobuf", protobuf)];
    exactly_one(&given.map(|(key, value)| (key, value.is_some())), path, findings);
    if let (Some(capture), Some(template)) = (capture, template)
        && !template.has(capture)
    {
        let message = format!("the path has no capture `{{{capture}}}`");
        findings.add_with(format!("{path}.path"), message, Some(format!("the template is `{template}`")));
    }
}

fn condition(when: &When, path: &str, findings: &mut Findings) {
    exactly_one(&[("query", when.query.is_some()), ("header", when.header.is_some())], path, findings);
    exactly_one(&[("equals", when.equals.is_some()), ("present", when.present.is_some())], path, findings);
}

fn header_rule(rule: &HeaderRule, path: &str, findings: &mut Findings) {
    exactly_one(
        &[("header", rule.header.is_some()), ("server_timing", rule.server_timing.is_some())],
        path,
        findings,
    );
    let tests = [
        ("equals", rule.equals.is_some()),
        ("present", rule.present.is_some()),
        ("matches", rule.matches.is_some()),
        ("above", rule.above.is_some()),
    ];
    exactly_one(&tests, path, findings);
    regex(rule.matches.as_deref(), &format!("{path}.matches"), findings);
    if rule.load_time && (rule.equals.is_some() || rule.matches.is_some()) {
        let message =
            "a load time is a number: it goes with `above` or `present`, not with `equals` or `matches`";
        findings.add(format!("{path}.load_time"), message);
    }
}

fn header_test(test: &HeaderTest, path: &str, findings: &mut Findings) {
    exactly_one(&[("matches", test.matches.is_some()), ("present", test.present.is_some())], path, findings);
    regex(test.matches.as_deref(), &format!("{path}.matches"), findings);
}

fn regex(pattern: Option<&str>, path: &str, findings: &mut Findings) {
    let Some(pattern) = pattern else { return };
    if let Err(error) = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build() {
        // The text repeats the pattern with a caret of its own; its last line says what is wrong.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        findings.add(path, format!("this regular expression does not compile: {reason}"));
    }
}

pub(super) fn exactly_one(given: &[(&str, bool)], path: &str, findings: &mut Findings) {
    let keys: Vec<&str> = given.iter().map(|(key, _)| *key).collect();
    let found: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
    let known = super::listed(&keys).replace(" and ", " or ");
    match found.as_slice() {
        [] => findings.missing(path, format!("it needs one of {known}"), None),
        [_] => {}
        _ => findings.add(path, format!("it needs exactly one of {known}, not {}", super::listed(&found))),
    }
}
