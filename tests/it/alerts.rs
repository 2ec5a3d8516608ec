//! Alerts reach those who are to be told: once, again when they were down or slow, and with their end; nobody is told of a drain.

use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::Value;
use weir_config::{AlertLabel, Alerts, Percent, Slo, Url};
use weir_tests::backend::{self, Backend, Wire};
use weir_tests::client::{self, Client};
use weir_tests::gateway::{self, Gateway};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A receiver that hands every message to the test, after `script` had its way with the connection.
fn receiver(
    script: impl Fn(&mut Wire) -> bool + Send + Sync + 'static,
) -> (SocketAddr, Receiver<(String, Value)>) {
    let (told, hears) = channel();
    let told = Mutex::new(told);
    let receiver = Backend::start(move |wire| {
        if script(wire) {
            hear(wire, &told.lock().unwrap().clone());
        }
    });
    (receiver.address, hears)
}

fn hear(wire: &mut Wire, told: &Sender<(String, Value)>) {
    while let Some(seen) = wire.request() {
        let path = seen.head.split(' ').nth(1).unwrap_or_default().to_owned();
        let _ = told.send((path, serde_json::from_slice(&seen.body).unwrap()));
        wire.send(&backend::ok("{}"));
    }
}

fn errors() -> Slo {
    Slo {
        name: "correct".to_owned(),
        error_rate_max: Some(Percent::of(1)),
        window: Duration::from_secs(1),
        hold: Duration::ZERO,
        keep_for: Duration::ZERO,
        requests_min: 5,
        ..Slo::default()
    }
}

fn serving(webhooks: &[SocketAddr], managers: &[SocketAddr]) -> (Gateway, &'static AtomicBool) {
    let url = |address: &SocketAddr, path: &str| format!("http://{address}{path}").parse::<Url>().unwrap();
    serving_with(|alerts| {
        alerts.webhooks = webhooks.iter().map(|address| url(address, "/hook?x=1").into()).collect();
        alerts.alertmanagers = managers.iter().map(|address| url(address, "/prefix/").into()).collect();
    })
}

/// A gateway before a model that fails while it is told to, and tells the receivers.
pub(crate) fn serving_with(change: impl FnOnce(&mut Alerts)) -> (Gateway, &'static AtomicBool) {
    let fails: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let backend = Backend::answering(move |seen| {
        let is_bad = seen.head.contains("/models/bad/") && fails.load(Ordering::Relaxed);
        if is_bad { backend::answer("500 Internal Server Error", "", "") } else { backend::ok("{}") }
    });
    let gateway = Gateway::with("triton", backend.address, |config| {
        config.slos = vec![errors()];
        config.alerts.timeout = Duration::from_millis(200);
        config.alerts.resend_every = Duration::from_secs(1);
        config.alerts.retry_after_max = Duration::from_secs(1);
        config.alerts.labels = vec![AlertLabel { name: "cluster".to_owned(), value: "prod".to_owned() }];
        change(&mut config.alerts);
    });
    (gateway, fails)
}

/// Sends requests for both models until the alert is in the phase.
pub(crate) fn ask_until(gateway: &Gateway, phase: &str) {
    let mut client = Client::connect(gateway.address);
    gateway::wait(phase, || {
        for model in ["good", "bad"] {
            client.post(&format!("/v2/models/{model}/infer"), "", "{}");
            client.answer();
        }
        alerts(gateway).iter().any(|alert| alert["phase"] == phase)
    });
}

fn alerts(gateway: &Gateway) -> Vec<Value> {
    let body: Value =
        serde_json::from_str(&client::get(gateway.admin, "/api/v1/alerts").body_text()).unwrap();
    body.get("alerts").and_then(Value::as_array).unwrap().clone()
}

#[test]
fn a_webhook_is_told_once_that_an_alert_fires_and_once_that_it_is_over() {
    let (address, hears) = receiver(|_| true);
    let (gateway, fails) = serving(&[address], &[]);
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    let (path, message) = hears.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (path.as_str(), &message["version"], &message["status"]),
        ("/hook?x=1", &"4".into(), &"firing".into())
    );
    let alert = &message["alerts"][0];
    for (label, value) in [
        ("alertname", "WeirModelErrorRateHigh"),
        ("severity", "warning"),
        ("backend", "triton"),
        ("model", "bad"),
        ("slo", "correct"),
        ("cluster", "prod"),
    ] {
        assert_eq!(alert["labels"][label], value, "{message}");
    }
    let annotation = |name: &str| alert["annotations"][name].as_str().unwrap();
    assert!(annotation("summary").contains("Model bad of triton fails"), "{message}");
    assert!(annotation("description").contains("requests of the last 1s break it"), "{message}");
    assert!(annotation("runbook_url").ends_with("/runbooks/WeirModelErrorRateHigh"), "{message}");
    assert!(annotation("model_url").ends_with("/api/v1/models/triton/bad"), "{message}");
    fails.store(false, Ordering::Relaxed);
    ask_until(&gateway, "resolved");
    let (_, message) = hears.recv_timeout(PATIENCE).unwrap();
    assert_eq!((&message["status"], message["alerts"].as_array().unwrap().len()), (&"resolved".into(), 1));
    assert_eq!(message["alerts"][0]["labels"]["model"], "bad");
    assert_eq!(hears.recv_timeout(Duration::from_secs(2)), Err(RecvTimeoutError::Timeout));
}

/// A failure has no name before the model's first success.
pub(crate) fn ask_until_known(gateway: &Gateway) {
    assert_eq!(client::post(gateway.address, "/v2/models/bad/infer", "{}").status, 200);
}

#[test]
fn every_alertmanager_is_told_again_and_again_and_then_of_the_end() {
    let ((first, hears_first), (second, hears_second)) = (receiver(|_| true), receiver(|_| true));
    let (gateway, fails) = serving(&[], &[first, second]);
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    for hears in [&hears_first, &hears_second] {
        let (path, message) = hears.recv_timeout(PATIENCE).unwrap();
        assert_eq!(path, "/prefix/api/v2/alerts");
        let (starts, ends) = (&message[0]["startsAt"], &message[0]["endsAt"]);
        assert!(starts.as_str() < ends.as_str(), "{message}");
    }
    fails.store(false, Ordering::Relaxed);
    ask_until(&gateway, "resolved");
    let resolved = alerts(&gateway).into_iter().find(|alert| alert["phase"] == "resolved").unwrap();
    for hears in [hears_first, hears_second] {
        let until = |message: &Value| message[0]["endsAt"] == resolved["endsAt"];
        while !until(&hears.recv_timeout(PATIENCE).unwrap().1) {}
    }
}

#[test]
fn a_receiver_that_is_down_or_slow_hears_all_later_and_holds_nobody_back() {
    let tries = AtomicUsize::new(0);
    let closing = move |wire: &mut Wire| {
        let first = tries.fetch_add(1, Ordering::Relaxed) < 1;
        if first {
            wire.close();
        }
        !first
    };
    let slow = AtomicUsize::new(0);
    let slow = move |wire: &mut Wire| {
        let first = slow.fetch_add(1, Ordering::Relaxed) < 1;
        if first {
            wire.wait_closed();
        }
        !first
    };
    let refusing = AtomicUsize::new(0);
    let refusing = move |wire: &mut Wire| {
        let first = refusing.fetch_add(1, Ordering::Relaxed) < 1;
        if first && wire.request().is_some() {
            wire.send(&backend::answer("503 Service Unavailable", "", "busy"));
        }
        !first
    };
    // Nobody listens where this one was.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let all = [receiver(closing), receiver(slow), receiver(refusing)];
    let mut addresses: Vec<_> = all.iter().map(|(address, _)| *address).collect();
    addresses.push(nobody);
    let (gateway, fails) = serving(&addresses, &[]);
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    fails.store(false, Ordering::Relaxed);
    ask_until(&gateway, "resolved");
    for (_, hears) in all {
        while hears.recv_timeout(PATIENCE).unwrap().1["status"] != "resolved" {}
    }
    let errors = format!("weir_alerts_send_errors_total{{receiver=\"http://{nobody}\",reason=\"connect\"}}");
    gateway::wait("failures are counted", || gateway.value(&errors) > 0.0);
}

#[test]
fn nobody_is_told_of_what_ends_in_a_drain() {
    let (address, hears) = receiver(|_| true);
    let (gateway, fails) = serving(&[address], &[]);
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    assert_eq!(hears.recv_timeout(PATIENCE).unwrap().1["status"], "firing");
    gateway.drain();
    gateway.wait_drained();
    assert!(hears.recv_timeout(Duration::from_secs(1)).is_err());
}

/// A model that is summed up as `__other__`: no series has its name, and its promise holds all the same.
#[test]
fn a_model_of_the_tail_has_its_verdict_its_burn_rates_and_its_alert() {
    let (address, hears) = receiver(|_| true);
    let fails: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let backend = Backend::answering(move |seen| {
        let is_bad = seen.head.contains("/models/bad/") && fails.load(Ordering::Relaxed);
        if is_bad { backend::answer("500 Internal Server Error", "", "") } else { backend::ok("{}") }
    });
    let gateway = Gateway::with("triton", backend.address, |config| {
        config.slos = vec![Slo { burn_alerts: true, budget: Duration::from_secs(3600), ..errors() }];
        config.telemetry.top_models = 0;
        config.telemetry.series_budget = 1;
        config.alerts.webhooks = vec![format!("http://{address}").parse::<Url>().unwrap().into()];
    });
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    assert_eq!(hears.recv_timeout(PATIENCE).unwrap().1["alerts"][0]["labels"]["model"], "bad");
    let scrape = client::get(gateway.admin, "/metrics").body_text();
    assert!(!scrape.contains("model=\"bad\"") && scrape.contains("model=\"__other__\""), "{scrape}");
    let body: Value =
        serde_json::from_str(&client::get(gateway.admin, "/api/v1/slos?model=bad").body_text()).unwrap();
    let rates = body["models"][0]["burn_rates"].as_object().unwrap();
    assert_eq!(rates.len(), 7, "{body}");
    assert!(rates.values().any(|rate| rate.as_f64().is_some_and(|rate| rate > 14.4)), "{body}");
}

#[test]
fn promises_and_their_standing_are_told_by_the_api() {
    let (gateway, fails) = serving(&[], &[]);
    ask_until_known(&gateway);
    fails.store(true, Ordering::Relaxed);
    ask_until(&gateway, "firing");
    let body: Value =
        serde_json::from_str(&client::get(gateway.admin, "/api/v1/slos?state=broken").body_text()).unwrap();
    let slo = &body["slos"][0];
    assert_eq!(
        (&slo["name"], &slo["promise"], &slo["models"]),
        (&"correct".into(), &"at most 1% errors".into(), &2.into())
    );
    let models = body["models"].as_array().unwrap();
    assert_eq!((models.len(), &models[0]["model"]), (1, &"bad".into()), "{body}");
    assert!(models[0]["burn_rates"]["5m"].as_f64().unwrap() > 1.0, "{body}");
    assert!(models[0]["budget_left_ratio"].as_f64().unwrap() < 0.0, "{body}");
    assert_eq!(
        client::get(gateway.admin, "/api/v1/slos?sate=broken").status,
        400,
        "a typo is not passed over"
    );
}
