//! Tests of `encode/emf`.

use std::time::Duration;

use weir_config::{Alerts, Percent, Slo};

use super::*;
use crate::observation::{Evidence, Observation, Outcome};
use crate::{BackendId, Recorder, Settings, Store};

const MS: u64 = 1_000_000;

struct Bench {
    store: Arc<Store>,
    recorder: Recorder,
    backend: BackendId,
    emf: Emf,
    settings: EmfSettings,
}

impl Bench {
    fn new(models: &[&str], top_models: usize) -> Self {
        let store = Store::with(Settings::default(), 1);
        let backend = store.backend("b");
        store.configure(backend, &models.iter().map(|&model| model.to_owned()).collect::<Vec<_>>());
        store.tick(Duration::ZERO);
        let settings = EmfSettings {
            namespace: "Weir".to_owned(),
            dimensions: vec![("EndpointName".to_owned(), "e-1".to_owned())],
            top_models,
        };
        Self { recorder: store.recorder(0), store, backend, emf: Emf::default(), settings }
    }

    fn request(&self, model: &str, outcome: Outcome, start: Start, ns: u64) {
        let model = self.recorder.resolve(self.backend, model).unwrap();
        let evidence = (start == Start::Cold).then_some(Evidence::Header);
        self.recorder.begin(model);
        self.recorder.end(model, &Observation { evidence, ..Observation::new(outcome, start, ns) });
    }

    fn lines(&mut self) -> Vec<Value> {
        let text = self.emf.lines(&self.store.snapshot(), 1_700_000_000_000, &self.settings);
        assert!(text.is_ascii() || self.settings.top_models == 0, "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What CloudWatch asks of a line: every dimension and metric that the head names stands in it, and nothing is too long.
fn check(line: &Value) {
    assert!(line.to_string().len() < 256 * 1024);
    let Some(head) = line.get("_aws") else { return };
    for directive in head["CloudWatchMetrics"].as_array().unwrap() {
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()), "{line}");
        for metric in metrics {
            let value = &line[metric["Name"].as_str().unwrap()];
            let lists = value
                .get("Values")
                .and_then(Value::as_array)
                .zip(value.get("Counts").and_then(Value::as_array));
            let is_list = lists.is_some_and(|(values, counts)| {
                values.len() == counts.len() && (1..=100).contains(&values.len())
            });
            assert!(value.is_number() || is_list, "{line}");
        }
        for set in directive["Dimensions"].as_array().unwrap() {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 30);
            for name in set {
                let value = line[name.as_str().unwrap()].as_str().unwrap();
                assert!(
                    value.is_ascii() && (1..=1024).contains(&value.len()) && !value.starts_with(':'),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn a_line_is_as_the_format_has_it() {
    let mut bench = Bench::new(&["m"], 5);
    bench.request("m", Outcome::Ok, Start::Hot, 5 * MS);
    bench.request("m", Outcome::Ok, Start::Cold, 3000 * MS);
    bench.request("m", Outcome::Timeout, Start::Unknown, 9 * MS);
    let lines = bench.lines();
    lines.iter().for_each(check);
    let expected = [
        r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"Weir","Dimensions":[["EndpointName","Backend","Model"]],"Metrics":[{"Name":"Requests","Unit":"Count"},{"Name":"Errors","Unit":"Count"},{"Name":"ColdStarts","Unit":"Count"},{"Name":"InFlight","Unit":"Count"},{"Name":"CacheHitRatio","Unit":"None"}]}]},"EndpointName":"e-1","Backend":"b","Model":"m","Requests":3,"Errors":1,"ColdStarts":1,"InFlight":0,"CacheHitRatio":{"Values":[1,0],"Counts":[1,1]}}"#,
        r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"Weir","Dimensions":[["EndpointName","Backend","Model","Start"],["EndpointName","Backend","Model"]],"Metrics":[{"Name":"RequestDuration","Unit":"Milliseconds"}]}]},"EndpointName":"e-1","Backend":"b","Model":"m","Start":"hot","RequestDuration":{"Values":[4.816149],"Counts":[1]}}"#,
    ];
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.to_string().starts_with(expected), "{line}");
    }
    assert_eq!(lines.len(), 3);
    let ms = lines[2]["RequestDuration"]["Values"][0].as_f64().unwrap();
    assert!((ms / 3000.0 - 1.0).abs() < 0.0434, "{ms}");
}

#[test]
fn each_line_tells_what_happened_since_the_last_and_nothing_where_nothing_did() {
    let mut bench = Bench::new(&["m"], 5);
    bench.request("m", Outcome::Ok, Start::Hot, 5 * MS);
    assert_eq!(bench.lines()[0]["Requests"], 1);
    assert_eq!(bench.lines().len(), 0);
    bench.request("m", Outcome::Ok, Start::Hot, 50 * MS);
    bench.request("m", Outcome::Ok, Start::Hot, 50 * MS);
    let lines = bench.lines();
    assert_eq!((&lines[0]["Requests"], &lines[1]["RequestDuration"]["Counts"]), (&json!(2), &json!([2])));
}

#[test]
fn models_beyond_the_top_are_summed_up_and_searched_for_in_plain_lines() {
    let mut bench = Bench::new(&["busy", "模型", "rare"], 1);
    (0..9).for_each(|_| bench.request("busy", Outcome::Ok, Start::Hot, MS));
    (0..2).for_each(|_| bench.request("模型", Outcome::Ok, Start::Hot, MS));
    bench.request("rare", Outcome::ServerError, Start::Unknown, MS);
    bench.settings.top_models = 0;
    let none = bench.emf.lines(&bench.store.snapshot(), 1, &bench.settings);
    assert!(
        !none.contains("\"Model\":\"busy\",\"Requests\":9,\"Errors\":0,\"ColdStarts\":0,\"InFlight\""),
        "{none}"
    );
    bench.settings.top_models = 1;
    (0..9).for_each(|_| bench.request("busy", Outcome::Ok, Start::Hot, MS));
    (0..2).for_each(|_| bench.request("模型", Outcome::Ok, Start::Hot, MS));
    bench.request("rare", Outcome::ServerError, Start::Unknown, MS);
    let text = bench.emf.lines(&bench.store.snapshot(), 1, &bench.settings);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.iter().for_each(check);
    let of = |model: &str| lines.iter().filter(|line| line["Model"] == model).collect::<Vec<_>>();
    assert!(of("busy").iter().all(|line| line.get("_aws").is_some()));
    assert!(of("模型").len() == 1 && of("模型")[0].get("_aws").is_none() && of("模型")[0]["Requests"] == 2);
    assert_eq!((&of("__other__")[0]["Requests"], &of("__other__")[0]["Errors"]), (&json!(3), &json!(1)));
}

#[test]
fn a_model_stays_a_dimension_while_it_is_busy_enough() {
    let mut bench = Bench::new(&["a", "b", "c", "d"], 1);
    bench.request("a", Outcome::Ok, Start::Hot, MS);
    bench.lines();
    (0..2).for_each(|_| bench.request("b", Outcome::Ok, Start::Hot, MS));
    bench.request("a", Outcome::Ok, Start::Hot, MS);
    let lines = bench.lines();
    assert!(lines.iter().any(|line| line["Model"] == "a" && line.get("_aws").is_some()), "{lines:?}");
    for model in ["b", "c"] {
        (0..2).for_each(|_| bench.request(model, Outcome::Ok, Start::Hot, MS));
    }
    bench.request("a", Outcome::Ok, Start::Hot, MS);
    let lines = bench.lines();
    assert!(lines.iter().all(|line| line["Model"] != "a" || line.get("_aws").is_none()), "{lines:?}");
}

#[test]
fn promises_have_lines_of_their_own() {
    let mut bench = Bench::new(&["m"], 5);
    let slo = Slo { name: "correct".to_owned(), error_rate_max: Some(Percent::of(10)), ..Slo::default() };
    bench.store.promise(&[slo], &Alerts::default());
    (0..19).for_each(|_| bench.request("m", Outcome::Ok, Start::Hot, MS));
    bench.request("m", Outcome::ServerError, Start::Hot, MS);
    let lines = bench.lines();
    lines.iter().for_each(check);
    let line = lines.iter().find(|line| line["Slo"] == "correct").unwrap();
    assert_eq!((&line["SloRequests"], &line["SloViolations"]), (&json!(20), &json!(1)));
    assert!((line["SloBudgetLeft"].as_f64().unwrap() - 0.5).abs() < 1e-9, "{line}");
}

#[test]
fn a_wide_distribution_has_at_most_a_hundred_values_and_the_same_count() {
    let mut bench = Bench::new(&["m"], 5);
    (0..220).for_each(|n| bench.request("m", Outcome::Ok, Start::Hot, (62_000.0 * 1.075_f64.powi(n)) as u64));
    let lines = bench.lines();
    lines.iter().for_each(check);
    let counts =
        lines.iter().find(|line| line["Start"] == "hot").unwrap()["RequestDuration"]["Counts"].clone();
    assert_eq!(counts.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 220);
}

#[test]
fn names_become_ascii_and_no_two_become_one() {
    for (name, dimension_of) in [
        ("a b/c:d", "a b/c:d"),
        (":a", "%3Aa"),
        ("模", "%E6%A8%A1"),
        ("100%", "100%25"),
        ("a\nb", "a%0Ab"),
        (" ", "%20"),
        ("", "%20"),
    ] {
        assert_eq!(dimension(name), dimension_of);
    }
    assert_eq!(dimension(&"é".repeat(999)).len(), 1024);
}
