//! The dashboards keep the rules of Grafana's dashboard-linter and our own: what people import works at once, for any data
//! source, any replicas, and asks for nothing that weir does not tell.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on must stop, and say why"
)]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use weir_telemetry::generate;
use weir_telemetry::names;

fn dashboards() -> Vec<(&'static str, Value)> {
    let parsed = |(name, text): (&'static str, String)| (name, serde_json::from_str(&text).unwrap());
    generate::dashboards().into_iter().map(parsed).collect()
}

/// Every panel that is no heading, with where it is.
fn panels() -> Vec<(String, Value)> {
    let of = |(name, dashboard): (&str, Value)| {
        let panels = dashboard["panels"].as_array().unwrap().clone();
        let place = move |panel: &Value| format!("{name}: {}", panel["title"].as_str().unwrap_or("?"));
        panels.into_iter().map(move |panel| (place(&panel), panel)).collect::<Vec<_>>()
    };
    dashboards().into_iter().flat_map(of).filter(|(_, panel)| panel["type"] != "row").collect()
}

/// Every query of every panel, annotation and variable.
fn queries() -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let targets = panels().into_iter().flat_map(|(place, panel)| {
        let targets = panel["targets"].as_array().unwrap().clone();
        targets.into_iter().map(move |target| (place.clone(), text(&target["expr"]))).collect::<Vec<_>>()
    });
    let mut all: Vec<_> = targets.collect();
    for (name, dashboard) in dashboards() {
        for mark in dashboard["annotations"]["list"].as_array().unwrap() {
            all.extend(mark["expr"].as_str().map(|expr| (format!("{name}: annotation"), expr.to_owned())));
        }
    }
    all
}

/// As Grafana would fill them in.
fn filled(expr: &str) -> String {
    let mut text = expr.to_owned();
    for (variable, value) in [
        ("$__rate_interval", "5m"),
        ("$__interval", "1m"),
        ("$__range", "1h"),
        ("$job", ".*"),
        ("$instance", ".*"),
        ("$backend", ".*"),
        ("$model", ".*"),
        ("$slo", ".*"),
    ] {
        text = text.replace(variable, value);
    }
    assert!(!text.contains('$'), "a variable that no dashboard has: {text}");
    text
}

#[test]
fn every_dashboard_says_who_it_is_and_links_to_the_others() {
    let mut uids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        assert_eq!(dashboard["uid"], format!("weir-{name}"));
        assert!(uids.insert(dashboard["uid"].to_string()), "{name}");
        assert!(
            !dashboard["title"].as_str().unwrap().is_empty()
                && !dashboard["description"].as_str().unwrap().is_empty()
        );
        assert_eq!(
            (&dashboard["editable"], &dashboard["graphTooltip"]),
            (&false.into(), &1.into()),
            "{name}"
        );
        assert_eq!(dashboard["tags"][0], "weir");
        let link = &dashboard["links"][0];
        assert_eq!(
            (&link["includeVars"], &link["keepTime"], &link["tags"][0]),
            (&true.into(), &true.into(), &"weir".into())
        );
    }
}

#[test]
fn there_is_one_data_source_to_choose_and_the_replicas_and_what_they_depend_on_come_first() {
    for (name, dashboard) in dashboards() {
        let list = dashboard["templating"]["list"].as_array().unwrap();
        let names: Vec<_> = list.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
        assert_eq!(names[..3], ["datasource", "job", "instance"], "{name}");
        assert_eq!(
            (&list[0]["type"], &list[0]["query"], &list[0]["label"]),
            (&"datasource".into(), &"prometheus".into(), &"Data source".into())
        );
        for variable in list.iter().filter(|variable| variable["type"] == "query") {
            let of = &variable["name"];
            assert_eq!(
                (&variable["multi"], &variable["includeAll"], &variable["allValue"]),
                (&true.into(), &true.into(), &".*".into()),
                "{name}: {of}"
            );
            assert_eq!(variable["refresh"], 2, "{name}: {of} reloads when the time changes");
            assert_eq!(variable["datasource"]["uid"], "${datasource}", "{name}: {of}");
            // A query uses only variables that stand before it.
            let at = names.iter().position(|name| of == name).unwrap();
            let query = variable["definition"].as_str().unwrap();
            names[at..]
                .iter()
                .for_each(|later| assert!(!query.contains(&format!("${later}\"")), "{name}: {of}"));
        }
    }
}

#[test]
fn every_panel_has_a_title_a_unit_and_a_description_that_names_its_metrics() {
    for (place, panel) in panels() {
        let description = panel["description"].as_str().unwrap();
        assert!(!panel["title"].as_str().unwrap().is_empty(), "{place}");
        assert!(description.contains("`weir_") && description.ends_with('.'), "{place}: {description}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{place}");
        assert_eq!(panel["fieldConfig"]["defaults"]["noValue"], "No traffic", "{place}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{place}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{place}");
            let expr = target["expr"].as_str().unwrap();
            let described = |word: &str| {
                description.contains(word.trim_end_matches("_bucket").trim_end_matches("_count"))
            };
            assert!(metrics(expr).any(described), "{place}: {description} {expr}");
        }
    }
}

#[test]
fn panels_stand_beside_each_other_and_never_upon() {
    for (name, dashboard) in dashboards() {
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}");
            let of = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(of("x") + of("w") <= 24, "{name}");
            for place in
                (of("x")..of("x") + of("w")).flat_map(|x| (of("y")..of("y") + of("h")).map(move |y| (x, y)))
            {
                assert!(taken.insert(place), "{name}: {} lies upon another", panel["title"]);
            }
        }
    }
}

#[test]
fn every_query_chooses_replicas_and_rates_take_the_interval_that_fits() {
    for (place, expr) in queries() {
        for series in expr.split("weir_").skip(1) {
            assert!(series.contains("job=~\"$job\", instance=~\"$instance\""), "{place}: {expr}");
        }
        for window in expr.split('[').skip(1) {
            let window = window.split(']').next().unwrap();
            let fits = ["$__rate_interval", "$__interval", "$__range", "5m", "1h"].contains(&window);
            assert!(fits, "{place}: [{window}]");
        }
        filled(&expr);
    }
}

fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("weir_"))
}

/// The family of a series' name.
fn family(metric: &str) -> Option<&'static names::Family> {
    let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| metric.strip_suffix(suffix));
    names::find(metric).or_else(|| names::find(stem?))
}

#[test]
fn every_metric_and_every_label_exists() {
    let known_by_prometheus = ["job", "instance", "le"];
    for (place, expr) in queries() {
        for metric in metrics(&expr) {
            assert!(family(metric).is_some(), "{place}: {metric}");
        }
        // Each selector's labels are those of the metric before it.
        for (before, after) in expr.match_indices('{').map(|(at, _)| expr.split_at(at)) {
            let metric = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
            let family = family(metric).unwrap_or_else(|| panic!("{place}: {metric} in {expr}"));
            let selector = after[1..].split('}').next().unwrap();
            for label in selector.split(", ").map(|part| part.split(['=', '!']).next().unwrap()) {
                let known = family.labels.contains(&label) || known_by_prometheus.contains(&label);
                assert!(known, "{place}: {metric} has no label {label:?}");
            }
        }
    }
}

#[test]
fn prometheus_reads_every_query() {
    let rules: String = queries()
        .iter()
        .enumerate()
        .map(|(at, (_, expr))| {
            format!("  - {{record: \"weir:query:n{at}\", expr: {}}}\n", Value::from(filled(expr)))
        })
        .collect();
    let file = std::env::temp_dir().join(format!("weir-queries-{}.yml", std::process::id()));
    fs::write(&file, format!("groups:\n- name: queries\n  rules:\n{rules}")).unwrap();
    let Ok(output) = Command::new("promtool").arg("check").arg("rules").arg(&file).output() else {
        eprintln!("promtool is not installed: nothing was checked");
        return;
    };
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    fs::remove_file(file).unwrap();
}
