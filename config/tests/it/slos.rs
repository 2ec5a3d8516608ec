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
         - {{name: fast, models: [big-*], latency: {{below: 1s}}}}\n\
         - {{name: fast, models: [big-one], latency: {{below: 2s}}}}\n\
         - {{name: fast, models: [big-one], backend: triton, latency: {{below: 3s}}}}\n\
         - {{name: slow, latency: {{below: 500ms}}}}\n{BACKEND}"
    ));
    assert_eq!(config.slos.len(), 5);
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
        ("alertmanagers: [alertmanager:9093]", "alerts.alertmanagers[0]: cannot read"),
        ("webhooks: [\"http://u:secret@a/\"]", "alerts.webhooks[0]: cannot read"),
        ("webhooks: [\"http://a:1/x#y\"]", "alerts.webhooks[0]: cannot read"),
        ("labels: [{name: model, value: x}]", "has a label of that name already"),
        ("labels: [{name: cluster}]", "alerts.labels[0].value"),
    ] {
        let wrong = wrong_with_backend(&format!("alerts: {{{text}}}"));
        assert!(wrong.iter().any(|line| line.contains(said)), "{text}: {wrong:?}");
    }
}
