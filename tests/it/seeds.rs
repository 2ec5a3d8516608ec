//! The alerts that teams write today, as `deploy/examples/slos` ships them: each fires on a running weir for the model that
//! deserves it, and for no other. Windows and holds are 60 times shorter than in the files, all else is as it stands there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use weir_config::{Config, Slo};
use weir_tests::backend::{self, Backend, Seen};
use weir_tests::client::{self, Client};
use weir_tests::gateway::{self, Gateway};

/// How much shorter times are than in the files.
const SCALE: u32 = 60;

fn example(name: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/slos").join(name);
    weir_config::parse(&fs::read_to_string(path).unwrap(), name, &|_| None).unwrap()
}

fn scaled(slo: &Slo) -> Slo {
    let window = (slo.window / SCALE).max(Duration::from_secs(2));
    Slo { window, hold: slo.hold / SCALE, keep_for: slo.keep_for / SCALE, requests_min: 10, ..slo.clone() }
}

/// A gateway with the example's SLOs in front of models that behave as `answer` says.
fn serving(name: &str, answer: impl Fn(&str, u32) -> Vec<u8> + Send + Sync + 'static) -> Gateway {
    let example = example(name);
    let count = AtomicU32::new(0);
    let backend =
        Backend::answering(move |seen| answer(&model_of(seen), count.fetch_add(1, Ordering::Relaxed)));
    Gateway::with("triton", backend.address, |config| {
        config.slos = example.slos.iter().map(scaled).collect();
        config.alerts.alertmanagers.clear();
        for backend in &mut config.backends {
            backend.values = example.backends.iter().flat_map(|backend| backend.values.clone()).collect();
        }
    })
}

fn model_of(seen: &Seen) -> String {
    seen.head.split('/').skip_while(|part| *part != "models").nth(1).unwrap_or("none").to_owned()
}

/// Requests for the models, in turn, by `clients` at once, until it is dropped.
struct Traffic(Arc<AtomicBool>);

impl Traffic {
    fn of(gateway: &Gateway, models: &[&str], clients: usize) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        for _ in 0..clients {
            let (ends, address) = (Arc::clone(&ends), gateway.address);
            let models: Vec<String> = models.iter().map(|&model| model.to_owned()).collect();
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                for model in models.iter().cycle() {
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                    client.post(&format!("/v2/models/{model}/infer"), "", "{}");
                    client.answer();
                    take(2);
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

/// A thread of the test takes its time, as a model would.
fn take(ms: u64) {
    let until = std::time::Instant::now() + Duration::from_millis(ms);
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        std::thread::park_timeout(left);
    }
}

fn hot() -> Vec<u8> {
    backend::answer("200 OK", "x-model-cold: false\r\n", "{}")
}

fn cold() -> Vec<u8> {
    backend::answer("200 OK", "x-model-cold: true\r\n", "{}")
}

fn alerts(gateway: &Gateway) -> Vec<Value> {
    let body: Value =
        serde_json::from_str(&client::get(gateway.admin, "/api/v1/alerts").body_text()).unwrap();
    body.get("alerts").and_then(Value::as_array).unwrap().clone()
}

type Found = BTreeSet<(String, String, String)>;

/// Alert, SLO and model of each that is firing.
fn firing(gateway: &Gateway) -> Found {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let is_firing = |alert: &&Value| alert["phase"] == "firing";
    let labels = |alert: &Value| {
        let labels = &alert["labels"];
        (text(&labels["alertname"]), text(&labels["slo"]), text(&labels["model"]))
    };
    alerts(gateway).iter().filter(is_firing).map(labels).collect()
}

fn of(all: &[(&str, &str, &str)]) -> Found {
    all.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[track_caller]
fn wait_firing(gateway: &Gateway, expected: &Found) {
    let mut last = Found::new();
    let mut holds = || {
        last = firing(gateway);
        expected.is_subset(&last)
    };
    gateway::wait(&format!("{expected:?}, and there is {:?}", alerts(gateway)), &mut holds);
    assert_eq!(&last, expected, "no other alert fires");
}

#[test]
fn a_model_above_200_ms_for_5_minutes_and_one_above_500_ms_for_10_are_told_apart() {
    let gateway = serving("latency.yaml", |model, n| {
        match model {
            "slow" => take(260),
            "crawling" => take(600),
            // 3 of 100 are slow: the p95 is not.
            "steady" if n.is_multiple_of(33) => take(300),
            _ => {}
        }
        hot()
    });
    let _slow = Traffic::of(&gateway, &["slow"], 4);
    let _crawling = Traffic::of(&gateway, &["crawling"], 6);
    let _steady = Traffic::of(&gateway, &["steady"], 1);
    let high = "WeirModelLatencyHigh";
    wait_firing(&gateway, &of(&[(high, "fast", "slow"), (high, "fast", "crawling")]));
    wait_firing(
        &gateway,
        &of(&[(high, "fast", "slow"), (high, "fast", "crawling"), (high, "bearable", "crawling")]),
    );
}

#[test]
fn five_percent_cold_are_reported_as_that_and_not_as_slowness() {
    let gateway = serving("latency.yaml", |_, n| {
        if n.is_multiple_of(16) {
            take(900);
            return cold();
        }
        take(1);
        hot()
    });
    let _traffic = Traffic::of(&gateway, &["mixed"], 8);
    gateway::wait("an alert that fires", || !firing(&gateway).is_empty());
    let fires = firing(&gateway);
    assert!(fires.iter().all(|(name, ..)| name == "WeirModelLatencyBimodal"), "{fires:?}");
    let alert = alerts(&gateway).into_iter().find(|alert| alert["phase"] == "firing").unwrap();
    let summary = alert["annotations"]["summary"].as_str().unwrap();
    assert!(summary.contains("% cold, and not slow otherwise"), "{summary}");
}

#[test]
fn of_80_models_the_one_that_fails_and_the_one_that_is_not_in_memory_are_named() {
    let names: Vec<String> = (0..80).map(|n| format!("model-{n:02}")).collect();
    let models: Vec<&str> = names.iter().map(String::as_str).collect();
    let turns = AtomicU32::new(0);
    let gateway = serving("fleet.yaml", move |model, _| {
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        match model {
            // One of 10, by the turns that come to it.
            "model-07" if (turn / 80).is_multiple_of(10) => {
                backend::answer("500 Internal Server Error", "", "")
            }
            "model-42" if (turn / 80).is_multiple_of(3) => cold(),
            // One of 6 is within what is promised.
            "model-43" if (turn / 80).is_multiple_of(6) => cold(),
            _ => hot(),
        }
    });
    let _traffic = Traffic::of(&gateway, &models, 1);
    let expected =
        [("WeirModelErrorRateHigh", "correct", "model-07"), ("WeirCacheHitRatioLow", "cached", "model-42")];
    gateway::wait("both alerts", || of(&expected).is_subset(&firing(&gateway)));
    let others: Vec<_> = firing(&gateway).into_iter().filter(|(_, _, model)| model != "model-07").collect();
    assert_eq!(others, [("WeirCacheHitRatioLow".to_owned(), "cached".to_owned(), "model-42".to_owned())]);
}

#[test]
fn a_sustained_cold_rate_is_thrashing_and_a_few_cold_starts_are_not() {
    let gateway = serving("cold.yaml", |model, n| match model {
        "thrashing" if n.is_multiple_of(4) || n % 4 == 1 => cold(),
        "lively" if n.is_multiple_of(15) => cold(),
        _ => hot(),
    });
    let _thrashing = Traffic::of(&gateway, &["thrashing"], 1);
    let _lively = Traffic::of(&gateway, &["lively"], 2);
    wait_firing(
        &gateway,
        &of(&[("WeirModelThrashing", "warm", "thrashing"), ("WeirCacheHitRatioLow", "cached", "thrashing")]),
    );
}

#[test]
fn a_core_ranking_model_with_data_of_three_days_ago_is_stale_and_another_is_not() {
    let gateway = serving("ranking.yaml", |model, _| {
        let day = if model.ends_with("old") { "2020-01-01" } else { "2999-01-01" };
        let fields = format!("x-model-data-time: {day}T00:00:00Z\r\nx-model-cold: false\r\n");
        backend::answer("200 OK", &fields, "{}")
    });
    // The last is as old, and nobody promised it to be fresh.
    let _traffic = Traffic::of(&gateway, &["ranking-core-old", "ranking-core-new", "ads-old"], 1);
    wait_firing(&gateway, &of(&[("WeirModelStale", "fresh", "ranking-core-old")]));
}
