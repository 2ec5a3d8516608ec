//! One truth by model and endpoint: what calls have shown, what servers tell, and what of both is newer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir_config::PollMode;
use weir_tests::backend::{self, Backend};
use weir_tests::client;
use weir_tests::gateway::{Gateway, wait};

/// A Triton with one model whose state stands in its index; it answers every inference, and its load calls change nothing.
struct Triton {
    state: Arc<Mutex<&'static str>>,
    backend: Backend,
}

impl Triton {
    fn new(state: &'static str) -> Self {
        let state = Arc::new(Mutex::new(state));
        let told = Arc::clone(&state);
        let backend = Backend::answering(move |seen| {
            if seen.head.starts_with("POST /v2/repository/index ") {
                let state = *told.lock().unwrap();
                return backend::ok(&format!(
                    "[{{\"name\":\"alpha\",\"version\":\"1\",\"state\":\"{state}\"}}]"
                ));
            }
            if seen.head.contains("/models/broken/load ") {
                return backend::answer("400 Bad Request", "", "{}");
            }
            backend::ok("{}")
        });
        Self { state, backend }
    }

    fn set(&self, state: &'static str) {
        *self.state.lock().unwrap() = state;
    }
}

/// One backend, `triton`, with these endpoints; asked or not.
fn before(servers: &[&Triton], poll: PollMode) -> Gateway {
    let first = servers.first().unwrap();
    Gateway::with("triton", first.backend.address, |config| {
        let backend = config.backends.first_mut().unwrap();
        let endpoint = |server: &&Triton| format!("http://{}", server.backend.address).parse().unwrap();
        backend.endpoints = servers.iter().map(endpoint).collect();
        backend.state.poll = poll;
        backend.state.interval = Duration::from_millis(100);
    })
}

fn call(gateway: &Gateway, path: &str) -> u16 {
    client::post(gateway.address, path, "{}").status
}

fn load(gateway: &Gateway, model: &str) -> u16 {
    call(gateway, &format!("/v2/repository/models/{model}/load"))
}

fn infer(gateway: &Gateway) {
    assert_eq!(call(gateway, "/v2/models/alpha/infer"), 200);
}

/// The rows of a model.
fn rows(gateway: &Gateway, model: &str) -> Vec<serde_json::Value> {
    let body = client::get(gateway.admin, &format!("/api/v1/residency?model={model}")).body_text();
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    told.get("residency").and_then(serde_json::Value::as_array).unwrap().clone()
}

fn wait_for_states(gateway: &Gateway, states: &[&str]) {
    wait(&format!("alpha {states:?}"), || {
        let mut told: Vec<_> = rows(gateway, "alpha")
            .iter()
            .filter_map(|row| row.get("state").map(ToString::to_string))
            .collect();
        told.sort_unstable();
        told == states.iter().map(|state| format!("\"{state}\"")).collect::<Vec<_>>()
    });
}

fn of_alpha(family: &str) -> String {
    format!("weir_model_{family}{{backend=\"triton\",model=\"alpha\"}}")
}

fn starts(start: &str) -> String {
    format!(
        "weir_model_request_duration_seconds_count{{backend=\"triton\",model=\"alpha\",start=\"{start}\"}}"
    )
}

fn cold_by(layer: &str) -> String {
    format!("weir_model_cold_starts_total{{backend=\"triton\",model=\"alpha\",evidence=\"{layer}\"}}")
}

#[test]
fn calls_alone_show_what_is_loaded_where_nobody_asks() {
    let server = Triton::new("UNAVAILABLE");
    let gateway = before(&[&server], PollMode::Off);
    assert_eq!(rows(&gateway, "alpha"), [] as [serde_json::Value; 0]);
    assert_eq!(load(&gateway, "alpha"), 200);
    infer(&gateway);
    let row = rows(&gateway, "alpha").remove(0);
    assert_eq!((&row["state"], &row["evidence"]), (&"loaded".into(), &"lifecycle".into()));
    assert_eq!(row["endpoint"], server.backend.address.to_string());
    assert!(
        row["loaded_since"].as_str().unwrap().ends_with('Z') && row["loaded_for"].as_f64().unwrap() >= 0.0
    );
    assert_eq!(
        (&row["loads"], &row["memory_bytes"]),
        (&1.into(), &serde_json::Value::Null),
        "nobody told a size"
    );
    assert_eq!(call(&gateway, "/v2/repository/models/alpha/unload"), 200);
    let row = rows(&gateway, "alpha").remove(0);
    assert_eq!((&row["state"], &row["evictions"]), (&"unloaded".into(), &1.into()));
    assert_eq!(load(&gateway, "alpha"), 200);
    infer(&gateway);
    for (family, value) in
        [("loads_total", 2.0), ("evictions_total", 1.0), ("reloads_total", 1.0), ("loaded", 1.0)]
    {
        gateway.wait_for(&of_alpha(family), value);
    }
    let scrape = client::get(gateway.admin, "/metrics").body_text();
    assert!(scrape.contains(&of_alpha("last_eviction_age_seconds")));
}

#[test]
fn a_load_that_fails_is_a_failure_and_no_model_in_memory() {
    let server = Triton::new("UNAVAILABLE");
    let gateway = before(&[&server], PollMode::Off);
    assert_eq!(load(&gateway, "broken"), 400);
    assert_eq!(rows(&gateway, "broken"), [] as [serde_json::Value; 0], "nothing is known of it");
    infer(&gateway);
    let gateway = before(&[&server], PollMode::Auto);
    wait_for_states(&gateway, &["unloaded"]);
    server.set("LOADING");
    wait_for_states(&gateway, &["loading"]);
    server.set("UNAVAILABLE");
    wait_for_states(&gateway, &["unloaded"]);
    infer(&gateway);
    gateway.wait_for(&of_alpha("load_failures_total"), 1.0);
}

#[test]
fn a_server_that_put_out_what_a_call_had_loaded_makes_the_next_request_cold() {
    let server = Triton::new("READY");
    let gateway = before(&[&server], PollMode::Auto);
    assert_eq!(load(&gateway, "alpha"), 200);
    infer(&gateway);
    infer(&gateway);
    gateway.wait_for(&starts("hot"), 1.0);
    server.set("UNAVAILABLE");
    wait_for_states(&gateway, &["unloaded"]);
    server.set("READY");
    infer(&gateway);
    gateway.wait_for(&cold_by("lifecycle"), 1.0);
    gateway.wait_for(&cold_by("state"), 1.0);
    gateway.wait_for(&of_alpha("evictions_total"), 1.0);
    gateway.wait_for(&of_alpha("loads_total"), 2.0);
}

#[test]
fn of_two_endpoints_each_answers_hot_or_cold_by_its_own_memory() {
    let (warm, bare) = (Triton::new("READY"), Triton::new("UNAVAILABLE"));
    let gateway = before(&[&warm, &bare], PollMode::Auto);
    wait_for_states(&gateway, &["loaded", "unloaded"]);
    bare.set("READY");
    // In turn: one of them is the first of the bare one.
    for _ in 0..4 {
        infer(&gateway);
    }
    gateway.wait_for(&cold_by("state"), 1.0);
    gateway.wait_for(&starts("hot"), 3.0);
    wait_for_states(&gateway, &["loaded", "loaded"]);
    gateway.wait_for(&of_alpha("loaded"), 2.0);
}

#[test]
fn a_load_of_one_of_two_endpoints_makes_nothing_of_the_other_hot() {
    let (one, other) = (Triton::new("UNAVAILABLE"), Triton::new("UNAVAILABLE"));
    let gateway = before(&[&one, &other], PollMode::Off);
    assert_eq!(load(&gateway, "alpha"), 200);
    for _ in 0..4 {
        infer(&gateway);
    }
    gateway.wait_for(&cold_by("lifecycle"), 1.0);
    gateway.wait_for(&starts("hot"), 1.0);
    gateway.wait_for(&starts("unknown"), 2.0);
    assert_eq!(rows(&gateway, "alpha").len(), 1, "of the other nothing is known");
}
