//! What is exported under which name: pins, tiers and profiles, and how they can be wrong.

use weir_config::Profile;

use crate::parse;

/// What is wrong, without line and column.
fn wrong(text: &str) -> Vec<String> {
    crate::wrong(text).iter().filter_map(|told| Some(told.split_once(' ')?.1.to_owned())).collect()
}

const B: &str = "backends: [{dialect: mms, endpoints: [http://a:1]}]\ntelemetry: ";

#[test]
fn pins_tiers_and_profiles_are_read() {
    let config = parse(&format!(
        "{B}{{series_budget: 900, idle_after: 10m, pins: [{{model: a/b}}, {{model: a/b, backend: mms}}], tier_label: team, \
         tiers: [{{name: x, models: ['s-*', t?]}}], profiles: [triton, otel_genai]}}"
    ));
    let telemetry = &config.telemetry;
    assert_eq!((telemetry.series_budget, telemetry.idle_after.as_secs()), (900, 600));
    assert_eq!(telemetry.pins[1].backend.as_deref(), Some("mms"));
    assert_eq!(telemetry.tiers[0].models, ["s-*", "t?"]);
    assert_eq!(telemetry.profiles, [Profile::Triton, Profile::OtelGenai]);
}

#[test]
fn what_contradicts_itself_is_told() {
    for (given, told) in [
        ("pins: [{backend: mms}]", "telemetry.pins[0].model: a pin needs a `model`"),
        ("pins: [{model: 'a*'}]", "telemetry.pins[0].model: a pin is one model, not a glob"),
        ("pins: [{model: a}, {model: a}]", "telemetry.pins[1]: `a` is pinned twice"),
        ("pins: [{model: a, backend: mm}]", "telemetry.pins[0].backend: there is no backend `mm`"),
        (
            "pins: [{model: a}, {model: b}], series_budget: 9",
            "telemetry.pins: 2 models with 5 series or more do not fit 9 series",
        ),
        ("tier_label: 'te am'", "telemetry.tier_label: `te am` is no name of a label"),
        ("tier_label: __team", "telemetry.tier_label: `__team` is no name of a label"),
        ("tier_label: ''", "telemetry.tier_label: `` is no name of a label"),
        ("tier_label: outcome", "telemetry.tier_label: series have a label `outcome` already"),
        ("tiers: [{name: x}]", "telemetry.tiers[0].models: a tier needs `models`"),
        (
            "tiers: [{name: 'x y', models: [a]}]",
            "telemetry.tiers[0].name: a name is 1 to 64 letters, digits, `_`, `-` and `.`",
        ),
        (
            "tiers: [{name: x, models: [a]}, {name: x, models: [b]}]",
            "telemetry.tiers[1].name: another tier is called `x` too",
        ),
        (
            "tiers: [{name: x, models: [a], backend: no}]",
            "telemetry.tiers[0].backend: there is no backend `no`",
        ),
        ("profiles: [triton, triton]", "telemetry.profiles[1]: `triton` is given twice"),
    ] {
        assert_eq!(wrong(&format!("{B}{{{given}}}")), [told], "{given}");
    }
    assert!(!wrong(&format!("{B}{{profiles: [datadog]}}")).is_empty());
    assert!(!wrong(&format!("{B}{{idle_after: 9m}}")).is_empty());
}
