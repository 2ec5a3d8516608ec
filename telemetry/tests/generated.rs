//! What is generated and committed is what the code generates, and the tools that it is for have nothing against it.
//! `WEIR_BLESS=1` writes it anew. Where promtool is not installed, what only it can say is not asked; the chapters of `tests/`
//! need it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on must stop, and say why"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_config::{Config, Slo};
use weir_telemetry::generate::{self, Runbooks, Tool};
use weir_telemetry::names;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn fresh(file: &str, actual: &str) {
    let path = deploy().join(file);
    if std::env::var_os("WEIR_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "deploy/{file} is stale; run the tests with WEIR_BLESS=1 and look at the difference"
    );
}

fn static_rules() -> String {
    generate::rules(Tool::Prometheus, &[], &Runbooks::default())
}

/// All SLOs of the shipped examples.
fn examples() -> Vec<(String, Config)> {
    let mut found: Vec<_> = fs::read_dir(deploy().join("examples/slos"))
        .unwrap()
        .flatten()
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            let config =
                weir_config::parse(&text, &name, &|_| None).unwrap_or_else(|report| panic!("{report}"));
            (name, config)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn all_slos() -> Vec<Slo> {
    let all = examples().into_iter().flat_map(|(_, config)| config.slos);
    all.enumerate()
        .map(|(at, slo)| Slo { name: format!("{}-{at}", slo.name), backend: None, ..slo })
        .collect()
}

/// promtool's answer; none where it is not installed.
fn promtool(arguments: &[&str]) -> Option<(bool, String)> {
    match Command::new("promtool").args(arguments).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            Some((output.status.success(), said))
        }
        Err(_) => {
            eprintln!("promtool is not installed: nothing was checked");
            None
        }
    }
}

#[test]
fn the_committed_rules_are_fresh() {
    fresh("prometheus/weir.rules.yml", &static_rules());
}

#[test]
fn the_committed_dashboards_are_fresh() {
    for (name, text) in generate::dashboards() {
        fresh(&format!("grafana/{name}.json"), &text);
    }
}

#[test]
fn the_committed_templates_of_cloudwatch_are_fresh() {
    fresh("cloudwatch/alarms.yaml", &generate::rules(Tool::CloudWatch, &[], &Runbooks::default()));
    fresh("cloudwatch/dashboard.yaml", &generate::cloud_dashboard());
    fresh("cloudwatch/agent.json", &generate::cloud_agent());
}

#[test]
fn cloudwatch_has_alarms_for_each_model_that_a_promise_names() {
    let named = |models: &[&str]| Slo {
        models: models.iter().map(|&model| model.to_owned()).collect(),
        backend: Some("b".to_owned()),
        ..all_slos()[0].clone()
    };
    let text = generate::rules(Tool::CloudWatch, &[named(&["a", "c", "d-*"])], &Runbooks::default());
    assert_eq!(text.matches("Type: \"AWS::CloudWatch::Alarm\"").count(), 2 * 5, "{text}");
    assert_eq!(text.matches("Type: \"AWS::CloudWatch::CompositeAlarm\"").count(), 2 * 2, "{text}");
    assert!(!text.contains("AllowedPercent"), "{text}");
}

#[test]
fn promtool_has_nothing_against_the_rules_static_or_of_the_examples() {
    let folder = std::env::temp_dir().join(format!("weir-rules-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, slos) in [("static", Vec::new()), ("all", all_slos())]
        .into_iter()
        .map(|(name, slos)| (name.to_owned(), slos))
        .chain(examples().into_iter().map(|(name, config)| (name, config.slos)))
    {
        let file = folder.join(format!("{name}.yml"));
        fs::write(&file, generate::rules(Tool::Prometheus, &slos, &Runbooks::default())).unwrap();
        let Some((well, said)) =
            promtool(&["check", "rules", "--lint=all", "--lint-fatal", file.to_str().unwrap()])
        else {
            return;
        };
        assert!(well, "{name}: {said}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn promtool_sees_every_alert_fire_where_it_should_and_nowhere_else() {
    let file = deploy().join("prometheus/weir.rules.test.yml");
    let Some((well, said)) = promtool(&["test", "rules", file.to_str().unwrap()]) else { return };
    assert!(well, "{said}");
    let tests = fs::read_to_string(file).unwrap();
    for name in generate::alert_names() {
        assert!(tests.contains(name), "no unit test is about {name}");
    }
}

/// Every word of the text that begins as a metric of ours does.
fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| word.starts_with("weir_"))
}

fn exists(metric: &str) -> bool {
    let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| metric.strip_suffix(suffix));
    names::find(metric).is_some() || stem.is_some_and(|stem| names::find(stem).is_some())
}

#[test]
fn every_metric_in_the_rules_exists() {
    for tool in [Tool::Prometheus, Tool::Operator, Tool::Sloth, Tool::Pyrra, Tool::CloudWatch] {
        let text = generate::rules(tool, &all_slos(), &Runbooks::default());
        let promises = if tool == Tool::CloudWatch { 0 } else { 5 };
        assert!(metrics(&text).count() >= promises, "{text}");
        metrics(&text).for_each(|metric| assert!(exists(metric), "{metric}"));
    }
    metrics(&static_rules()).for_each(|metric| assert!(exists(metric), "{metric}"));
}

#[test]
fn every_runbook_url_leads_to_a_file() {
    let text = static_rules();
    let urls: Vec<_> = text.lines().filter(|line| line.contains("runbook_url:")).collect();
    assert!(urls.len() >= generate::alert_names().len());
    for url in urls {
        let name = url.rsplit('/').next().unwrap().trim_end_matches('"');
        assert!(deploy().join(format!("runbooks/{name}.md")).is_file(), "{url}");
    }
    let elsewhere = generate::rules(Tool::Prometheus, &[], &Runbooks("https://wiki/r/".to_owned()));
    assert!(elsewhere.contains("runbook_url: \"https://wiki/r/WeirDown\"\n"));
}

#[test]
fn sloth_has_one_objective_for_each_promise_and_one_for_each_model_it_names() {
    let slos = vec![Slo { models: vec!["a".to_owned(), "b*".to_owned()], ..all_slos()[0].clone() }];
    let text = generate::rules(Tool::Sloth, &slos, &Runbooks::default());
    assert_eq!(text.matches("objective: 90.0").count(), 2, "{text}");
    assert!(text.contains("[{{.window}}]"), "{text}");
    assert!(text.starts_with("version: prometheus/v1\nservice: weir\n"), "{text}");
}

#[test]
fn pyrra_groups_each_promise_by_backend_and_model() {
    let text = generate::rules(Tool::Pyrra, &all_slos(), &Runbooks::default());
    assert_eq!(text.matches("kind: ServiceLevelObjective\n").count(), all_slos().len());
    assert_eq!(text.matches("      - backend\n").count(), all_slos().len(), "{text}");
}
