//! The whole way to a person: weir's own alert and Prometheus' alert about the same model, both through the real Alertmanager
//! to a webhook; and the dashboards' queries on the real Prometheus, with native histograms and with classic ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::backend::{self, Backend};
use weir_tests::client::Client;

use crate::kit::{Server, Weir, curl, eventually, lab, ports};

const SLOS: &str = "
slos:
- {name: fast, latency: {percentile: 95%, below: 50ms}, window: 5s, for: 1s, keep_for: 1s, requests_min: 10}
- {name: correct, error_rate_max: 1%, window: 5s, for: 1s, keep_for: 1s, requests_min: 10}
";

/// A backend with a model that is slow while it is told to.
fn models(slow: &Arc<AtomicBool>) -> Backend {
    let (slow, count) = (Arc::clone(slow), AtomicU32::new(0));
    Backend::answering(move |seen| {
        if seen.head.contains("/models/ranking/") && slow.load(Ordering::Relaxed) {
            take(Duration::from_millis(120));
        }
        // A cold start now and then, within what is promised.
        match count.fetch_add(1, Ordering::Relaxed) % 50 {
            7 => backend::answer("200 OK", "x-model-load-ms: 12\r\n", "{}"),
            _ => backend::answer("200 OK", "x-model-cold: false\r\n", "{}"),
        }
    })
}

fn take(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// Requests for all models, until it is dropped.
struct Traffic(Arc<AtomicBool>);

impl Traffic {
    fn through(weir: &Weir) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let address = weir.url("").trim_start_matches("http://").parse().unwrap();
        for model in ["ranking", "search", "ads"] {
            let ends = Arc::clone(&ends);
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                while !ends.load(Ordering::Relaxed) {
                    client.post(&format!("/v2/models/{model}/infer"), "", "{}");
                    client.answer();
                    take(Duration::from_millis(10));
                }
            });
        }
        Self(ends)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A webhook; what it is told, alert by alert.
fn webhook() -> (String, Receiver<Value>) {
    let (told, hears) = channel();
    let told = Mutex::new(told);
    let receiver = Backend::answering(move |seen| {
        let message: Value = serde_json::from_slice(&seen.body).unwrap();
        for alert in message["alerts"].as_array().unwrap() {
            let _ = told.lock().unwrap().send(alert.clone());
        }
        backend::ok("{}")
    });
    (format!("http://{}/", receiver.address), hears)
}

/// A file in the lab, which is removed with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let path = lab().join(format!("{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What the weir binary prints.
fn weir_prints(arguments: &[&str]) -> String {
    let output = Command::new(std::env::var_os("WEIR_BIN").unwrap()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn start_alertmanager(webhook: &str) -> (Server, String) {
    let [port] = ports();
    let config = Scratch::new(
        "alertmanager.yml",
        &format!(
            "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: hook, webhook_configs: [{{url: '{webhook}', send_resolved: true}}]}}]\n"
        ),
    );
    let mut server = Server::start("alertmanager", &[port], &[config.path()]);
    let url = format!("http://127.0.0.1:{port}");
    server.wait_ready(&format!("{url}/-/ready"));
    (server, url)
}

#[test]
fn a_model_that_turns_slow_is_told_by_weir_and_by_prometheus_and_no_other_is() {
    let slow = Arc::new(AtomicBool::new(false));
    let backend = models(&slow);
    let (hook, hears) = webhook();
    let (_alertmanager, alertmanager) = start_alertmanager(&hook);
    let yaml = format!(
        "backends: [{{dialect: triton, endpoints: [\"http://{}\"]}}]\n{SLOS}\n\
         alerts: {{alertmanagers: [{{url: \"{alertmanager}\"}}], resend_every: 1s, labels: [{{name: via, value: weir}}]}}\n",
        backend.address
    );
    let weir = Weir::serve_file(&yaml);
    let file = Scratch::new("weir.yaml", &yaml);
    let rules = Scratch::new("weir.rules.yml", &weir_prints(&["rules", "-c", file.path()]));
    let [port] = ports();
    let config = Scratch::new(
        "prometheus.yml",
        &format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{via: prometheus}}}}\n\
             rule_files: ['{}']\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n\
             scrape_configs: [{{job_name: weir, static_configs: [{{targets: ['{}']}}]}}]\n",
            rules.path(),
            alertmanager.trim_start_matches("http://"),
            weir.admin_address()
        ),
    );
    let mut prometheus = Server::start("prometheus", &[port], &[config.path()]);
    prometheus.wait_ready(&format!("http://127.0.0.1:{port}/-/ready"));

    let _traffic = Traffic::through(&weir);
    eventually("requests that Prometheus has seen", || {
        let query = "query=sum(weir_model_slo_requests_total)";
        let url = format!("http://127.0.0.1:{port}/api/v1/query");
        curl(&["--get", "--data-urlencode", query, &url]).body.contains("\"value\"")
    });
    assert!(hears.try_recv().is_err(), "nothing is slow yet");
    slow.store(true, Ordering::Relaxed);
    wait_told(&hears, "firing");
    slow.store(false, Ordering::Relaxed);
    wait_told(&hears, "resolved");
    let left = curl(&[&format!("{alertmanager}/api/v2/alerts?active=true")]).json();
    assert_eq!(left.as_array().map(Vec::len), Some(0), "{left}");
}

/// Waits until both have told the state of the one model; nobody may tell of another.
fn wait_told(hears: &Receiver<Value>, status: &str) {
    let mut via = BTreeSet::new();
    while via.len() < 2 {
        let alert = hears
            .recv_timeout(Duration::from_secs(90))
            .unwrap_or_else(|_| panic!("only {via:?} told {status}"));
        let labels = &alert["labels"];
        assert_eq!(
            (&labels["alertname"], &labels["model"], &labels["slo"]),
            (&"WeirModelLatencyHigh".into(), &"ranking".into(), &"fast".into()),
            "{alert}"
        );
        assert!(
            alert["annotations"]["summary"].as_str().unwrap().contains("Model ranking of triton is slow"),
            "{alert}"
        );
        assert!(
            alert["annotations"]["runbook_url"].as_str().unwrap().ends_with("/runbooks/WeirModelLatencyHigh"),
            "{alert}"
        );
        if alert["status"] == status {
            via.insert(labels["via"].to_string());
        }
    }
}

#[test]
fn cloudformation_has_nothing_against_the_templates() {
    let lint = lab().join("cfn/venv/bin/cfn-lint");
    assert!(lint.exists(), "cfn-lint is not installed, run tests/real/setup cfn");
    let named = Scratch::new(
        "slos.yaml",
        "backends: [{dialect: triton, endpoints: [\"http://127.0.0.1:1\"]}]\n\
         slos: [{name: fast, models: [a, b], latency: {below: 50ms}}, {name: all, error_rate_max: 1%}]\n",
    );
    let rules = weir_prints(&["rules", "--format", "cloudwatch", "-c", named.path()]);
    let rules = Scratch::new("alarms.yaml", &rules);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/cloudwatch");
    let output = Command::new(lint)
        .args([&folder.join("alarms.yaml"), &folder.join("dashboard.yaml"), &rules.0])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Queries that have no answer while nothing fails and nothing is put out of memory.
const EMPTY: [&str; 18] = [
    "weir_model_evictions_total",
    "weir_model_load_failures_total",
    "weir_model_queue_seconds_total",
    "weir_upstream_connect_errors_total",
    "weir_upstream_retries_total",
    "weir_http_refused_total",
    "weir_identify_flags_total",
    "weir_error_duration_seconds",
    "weir_alerts_sent_total",
    "weir_alerts_send_errors_total",
    "weir_config_last_reload",
    "start=\"unknown\"",
    "weir_model_slo_cold_violations_total",
    "weir_alerts_firing",
    "weir_models_overflow_total",
    "weir_panics_total",
    // Told by servers that are asked for their state.
    "weir_model_memory_bytes",
    "weir_model_gpu_memory_bytes",
];

#[test]
fn every_query_of_the_dashboards_has_an_answer_from_prometheus_with_native_histograms_and_with_classic_ones()
{
    let backend = models(&Arc::new(AtomicBool::new(false)));
    let weir = Weir::serve_file(&format!(
        "backends: [{{dialect: triton, endpoints: [\"http://{}\"]}}]\n{SLOS}",
        backend.address
    ));
    let _traffic = Traffic::through(&weir);
    let queries = queries();
    assert!(queries.len() > 60, "{}", queries.len());
    for histograms in ["native", "classic"] {
        let [port] = ports();
        let config = Scratch::new(
            &format!("{histograms}.yml"),
            &format!(
                "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: weir, static_configs: [{{targets: ['{}']}}]}}]\n",
                weir.admin_address()
            ),
        );
        let mut prometheus = Server::start("prometheus", &[port], &[config.path(), histograms]);
        prometheus.wait_ready(&format!("http://127.0.0.1:{port}/-/ready"));
        let ask = |query: &str| {
            let url = format!("http://127.0.0.1:{port}/api/v1/query");
            let reply = curl(&["--get", "--data-urlencode", &format!("query={query}"), &url]).json();
            assert_eq!(reply["status"], "success", "{query}: {reply}");
            reply["data"]["result"].as_array().map_or(0, Vec::len)
        };
        eventually("a rate in Prometheus", || {
            ask("rate(weir_model_requests_total[10s]) > 0") >= 3
                && ask("rate(weir_model_cold_starts_total[10s])") >= 3
        });
        let lacks = |(_, any): &&(String, Vec<String>)| {
            let may_be_empty = |query: &String| EMPTY.iter().any(|part| query.contains(part));
            !any.iter().any(|query| ask(query) > 0 || may_be_empty(query))
        };
        let without: Vec<_> = queries.iter().filter(lacks).collect();
        assert!(without.is_empty(), "{histograms}: no data of {without:#?}");
    }
}

/// Every panel's queries, variables filled in. Of a heat map's, the one for classic and the one for native histograms, one
/// has data.
fn queries() -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for name in weir_prints(&["dashboards", "list"]).lines() {
        let dashboard: Value =
            serde_json::from_str(&weir_prints(&["dashboards", "export", "--only", name])).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let targets = panel["targets"].as_array().into_iter().flatten();
            let queries: Vec<_> = targets.map(|target| filled(target["expr"].as_str().unwrap())).collect();
            let place = format!("{name}: {}", panel["title"]);
            if panel["type"] == "heatmap" {
                all.push((place, queries));
            } else {
                all.extend(queries.into_iter().map(|query| (place.clone(), vec![query])));
            }
        }
    }
    all
}

fn filled(query: &str) -> String {
    let mut query = query.to_owned();
    for (variable, value) in [
        ("$__rate_interval", "10s"),
        ("$__range", "1m"),
        ("[1h]", "[20s]"),
        ("$job", ".*"),
        ("$instance", ".*"),
        ("$backend", ".*"),
        ("$model", ".*"),
        ("$slo", ".*"),
    ] {
        query = query.replace(variable, value);
    }
    query
}
