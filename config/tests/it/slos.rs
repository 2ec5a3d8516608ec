//! SLOs that are read, and those that contradict themselves or each other.

use std::time::Duration;

use weir_config::{Percent, Severity, SloStart};

use crate::{BACKEND, parse, wrong_with_backend};

#[test]
fn an_slo_is_read_with_its_defaults() {
    let config = parse(&format!("slos: [{{name: fast, latency: {{below: 200ms}}, for: 10m}}]\n{BACKEND}"));
    let slo = &config.slos[0];
    let target = slo.latency.as_ref().unwrap();
    assert_eq!((target.below, target.percentile), (Duration::from_millis(200), Percent::of(95)));
    assert_eq!((target.start, slo.severity), (SloStart::Any, Severity::Warning));
    assert_eq!((slo.hold, slo.window), (Duration::from_secs(600), Duration::from_secs(300)));
}

#[test]
fn one_name_may_promise_different_models_different_limits() {
    let config = parse(&format!(
        "slos:\n\
         - {{name: fast, latency: {{below: 200ms}}}}\n\
         - {{name: fast, models: [a-*], latency: {{below: 1s}}}}\n\
         - {{name: fast, models: [b-*, '*-z'], backend: triton, latency: {{below: 1s}}}}\n\
         - {{name: fast, models: [big-*], latency: {{below: 1s}}}}\n\
         - {{name: fast, models: [big-one], latency: {{below: 2s}}}}\n\
         - {{name: fast, models: [big-one], backend: triton, latency: {{below: 3s}}}}\n\
         - {{name: slow, latency: {{below: 500ms}}}}\n{BACKEND}"
    ));
    assert_eq!(config.slos.len(), 7);
}

#[test]
fn contradictions_are_named_with_their_place() {
    for (text, said) in [
        ("[{name: a}]", "1:9 slos[0]: it promises nothing: it needs one of"),
        ("[{name: a, latency: {below: 1s}, error_rate_max: 1%}]", "it needs exactly one of"),
        ("[{name: a, latency: {}}]", "slos[0].latency.below"),
        ("[{error_rate_max: 1%}]", "slos[0].name"),
        ("[{name: a, error_rate_max: 1}]", "cannot read `1`"),
        ("[{name: a, error_rate_max: 100%}]", "must be between 0% and 99%"),
        ("[{name: a, error_rate_max: 1%, backend: nope}]", "there is no backend `nope`"),
        (
            "[{name: a, error_rate_max: 1%}, {name: a, error_rate_max: 2%}]",
            "holds for every other model already",
        ),
        (
            "[{name: a, models: [x], error_rate_max: 1%}, {name: a, models: [y, x], error_rate_max: 2%}]",
            "slos[1].models[1]: `slos[0]`, which is called `a` too, holds for `x` already",
        ),
        (
            "[{name: a, error_rate_max: 1%}, {name: a, models: [x], hit_rate_min: 9%}]",
            "too, promises a `error_rate_max`",
        ),
        (
            "[{name: a, latency: {below: 1s}}, {name: a, models: [x], latency: {below: 1s, start: hot}}]",
            "is about other requests",
        ),
        (
            "[{name: a, models: [rank-*], error_rate_max: 1%}, {name: a, models: ['*-slow'], error_rate_max: 2%}]",
            "slos[1].models[0]: `*-slow` and `rank-*` of `slos[0]`, which is called `a` too, name some models equally exactly",
        ),
        ("[{name: a, staleness: {below: 2d}}]", "slos[0].staleness: no backend tells how old its data is"),
        ("[{name: a, latency: {below: 10s}, window: 5s}]", "is shorter than one such request"),
        ("[{name: a, error_rate_max: 1%, window: 1d, budget: 1h}]", "is longer than the whole `budget`"),
    ] {
        let wrong = wrong_with_backend(&format!("slos: {text}"));
        assert!(wrong.iter().any(|line| line.contains(said)), "{text}: {wrong:?}");
    }
}

#[test]
fn there_are_not_more_names_than_a_model_has_room_for() {
    let many = |n: usize, target: &str| {
        let all: Vec<_> = (0..n).map(|i| format!("{{name: s{i}, {target}}}")).collect();
        format!("slos: [{}]", all.join(", "))
    };
    for text in [many(17, "error_rate_max: 1%"), many(9, "latency: {below: 1s}")] {
        let wrong = wrong_with_backend(&text);
        assert!(wrong.len() == 1 && wrong[0].contains("at most"), "{wrong:?}");
    }
}

#[test]
fn receivers_and_labels_that_cannot_be_are_refused() {
    for (text, said) in [
        ("alertmanagers: [{url: \"alertmanager:9093\"}]", "alerts.alertmanagers[0].url: cannot read"),
        ("webhooks: [{url: \"http://u:secret@a/\"}]", "alerts.webhooks[0].url: cannot read"),
        ("webhooks: [{url: \"http://a:1/x#y\"}]", "alerts.webhooks[0].url: cannot read"),
        ("webhooks: [\"http://a:1\"]", "alerts.webhooks[0]"),
        ("webhooks: [{headers: [{name: x, value: y}]}]", "alerts.webhooks[0].url: it needs a `url`"),
        (
            "webhooks: [{url: \"http://a\"}, {url: \"http://a:80\"}]",
            "alerts.webhooks[1].url: it would be told",
        ),
        (
            "webhooks: [{url: \"http://a\", tls: {ca: /x}}]",
            "alerts.webhooks[0].tls: the address is `http://`",
        ),
        ("webhooks: [{url: \"http://a\", authorization: {}}]", "authorization.credentials_file"),
        (
            "webhooks: [{url: \"http://a\", authorization: {type: \"a b\", credentials_file: /x}}]",
            "authorization.type",
        ),
        ("webhooks: [{url: \"http://a\", basic_auth: {username: u}}]", "basic_auth.password_file"),
        ("webhooks: [{url: \"http://a\", basic_auth: {username: u, password: p}}]", "`password`"),
        (
            "webhooks: [{url: \"http://a\", authorization: {credentials_file: /x}, basic_auth: {username: u, password_file: /y}}]",
            "give `authorization` or `basic_auth`",
        ),
        (
            "webhooks: [{url: \"http://a\", headers: [{name: Host, value: x}]}]",
            "weir writes this header itself",
        ),
        ("webhooks: [{url: \"http://a\", headers: [{name: x}]}]", "it needs one of `value` or `value_file`"),
        (
            "webhooks: [{url: \"http://a\", headers: [{name: x, value: y}, {name: X, value_file: /z}]}]",
            "headers[1].name: `X` is given twice",
        ),
        ("labels: [{name: model, value: x}]", "has a label of that name already"),
        ("labels: [{name: cluster}]", "alerts.labels[0].value"),
    ] {
        let wrong = wrong_with_backend(&format!("alerts: {{{text}}}"));
        assert!(wrong.iter().any(|line| line.contains(said)), "{text}: {wrong:?}");
    }
}
