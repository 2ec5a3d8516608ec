//! Tiers of models, and the reasons for which one is exported.

use std::collections::BTreeMap;

use super::*;

/// The `telemetry` section of a configuration.
fn config(text: &str) -> weir_config::Telemetry {
    let text =
        format!("backends: [{{dialect: mms, name: b, endpoints: ['http://a:1']}}]\ntelemetry: {{{text}}}");
    weir_config::parse(&text, "weir.yaml", &|_| None).unwrap().telemetry
}

/// Requests that ended and that are in flight, by team, as a sum over the label tells.
fn by_team(store: &Store) -> BTreeMap<String, (u64, u64)> {
    let mut teams = BTreeMap::new();
    for model in &store.snapshot().models {
        let team = model.tier.as_ref().map_or("", |(_, team)| team);
        let (requests, open): &mut (u64, u64) = teams.entry(team.to_owned()).or_default();
        *requests += model.settled();
        *open += model.in_flight();
    }
    teams
}

fn teams<const N: usize>(expected: [(&str, (u64, u64)); N]) -> BTreeMap<String, (u64, u64)> {
    expected.into_iter().map(|(team, numbers)| (team.to_owned(), numbers)).collect()
}

#[test]
fn sums_by_tier_are_exact_in_the_tail_when_models_get_places_and_when_tiers_change() {
    const TEAMS: &str =
        "tier_label: team, tiers: [{name: search, models: ['s-*']}, {name: ads, models: ['a-*', s-x]}]";
    let (store, backend) = store(Settings::default());
    store.apply(&config(&format!("series_budget: 0, {TEAMS}")));
    let recorder = store.recorder(0);
    let names = ["s-1", "s-2", "s-x", "a-1", "other"];
    let all = || names.iter().for_each(|name| request(&recorder, backend, name, &OK));
    all();
    store.tick(Duration::ZERO);
    let open = recorder.resolve(backend, "s-x").unwrap();
    recorder.begin(open);
    assert_eq!(by_team(&store), teams([("", (1, 0)), ("ads", (1, 0)), ("search", (3, 1))]));
    let mut text = String::new();
    crate::encode_text(&store.snapshot(), &mut text);
    assert!(
        text.contains(
            "weir_model_requests_total{backend=\"b\",model=\"__other__\",team=\"search\",outcome=\"ok\"} 3\n"
        ),
        "{text}"
    );
    // The model that is on its way changes its team; what it did stays where it was summed up.
    store.apply(&config("series_budget: 0, tier_label: team, tiers: [{name: ads, models: [s-x, 'a-*']}, {name: search, models: ['s-*']}]"));
    all();
    assert_eq!(by_team(&store), teams([("", (2, 0)), ("ads", (3, 1)), ("search", (5, 0))]));
    store.apply(&config(&format!("series_budget: 9000, {TEAMS}")));
    store.tick(Duration::from_secs(60));
    all();
    assert_eq!(by_team(&store), teams([("", (3, 0)), ("ads", (4, 0)), ("search", (8, 1))]));
    recorder.end(open, &OK);
    assert_eq!(by_team(&store), teams([("", (3, 0)), ("ads", (4, 0)), ("search", (9, 0))]));
    let model = store.model("b", "s-x").unwrap();
    assert_eq!((model.settled(), model.tier.unwrap().1), (4, "search".into()));
}

#[test]
fn pins_of_one_reason_do_not_undo_those_of_another() {
    let (store, backend) = store(Settings { series_budget: 300, top_models: 1, ..Settings::default() });
    let mut minute = 0;
    let mut reasons = || {
        minute += 1;
        store.tick(Duration::from_secs(60 * minute));
        ["a", "b", "c"].map(|name| store.model("b", name).and_then(|model| model.reason))
    };
    store.configure(backend, &["x", "y", "z", "v", "w"].map(str::to_owned));
    store.pin(backend, Pin::Configured, &["a".to_owned(), "b".to_owned()]);
    store.pin(backend, Pin::Objective, &["b".to_owned(), "c".to_owned()]);
    reasons();
    assert_eq!(reasons(), [Some(Reason::Pinned), Some(Reason::Pinned), Some(Reason::Objective)]);
    store.pin(backend, Pin::Configured, &[]);
    assert_eq!(reasons()[1..], [Some(Reason::Objective), Some(Reason::Objective)]);
    store.pin(backend, Pin::Objective, &[]);
    assert!(!reasons().contains(&Some(Reason::Objective)));
}

#[test]
fn a_model_whose_requests_fail_outranks_busier_ones_and_says_why() {
    let (store, backend) = store(Settings { series_budget: 110, top_models: 1, ..Settings::default() });
    let recorder = store.recorder(0);
    for minute in 0..40 {
        for number in 0..30_u64 {
            request(&recorder, backend, "busy", &OK);
            if number % 2 == 0 {
                request(&recorder, backend, "failing", &OK);
                request(&recorder, backend, "quiet", &OK);
            }
            if number % 10 == 0 {
                request(&recorder, backend, "failing", &Observation::new(Outcome::Timeout, Start::Hot, 1));
            }
        }
        store.tick(Duration::from_secs(60 * minute));
    }
    let reason = |name: &str| store.model("b", name).unwrap().reason;
    assert_eq!(["busy", "failing", "quiet"].map(reason), [None, Some(Reason::Burning), None]);
}

#[test]
fn a_budget_that_pins_do_not_fit_holds_all_the_same() {
    let names: Vec<_> = (0..100).map(|number| format!("m{number}")).collect();
    let (store, backend) = store(Settings { series_budget: 120, ..Settings::default() });
    store.pin(backend, Pin::Configured, &names);
    let recorder = store.recorder(0);
    for minute in 0..10 {
        names.iter().take(minute as usize).for_each(|name| request(&recorder, backend, name, &OK));
        store.tick(Duration::from_secs(60 * minute));
        store.tick(Duration::from_secs(60 * minute + 59));
        let mut text = String::new();
        crate::encode_text(&store.snapshot(), &mut text);
        let series = text.lines().filter(|line| line.contains("model=\"m")).count();
        assert!((1..=120).contains(&series), "{series} series");
    }
}
