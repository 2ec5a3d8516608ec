//! What servers tell when they are asked: cold starts by evidence `state`, gauges of memory, the list of what is loaded where.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use weir_config::PollMode;
use weir_tests::backend::{self, Backend};
use weir_tests::client;
use weir_tests::gateway::{Gateway, wait};

/// A Triton that loads `alpha` when it is asked for an inference, and counts how often its index was asked.
struct Server {
    loaded: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    backend: Backend,
}

fn server() -> Server {
    let (loaded, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_loaded, counted) = (Arc::clone(&loaded), Arc::clone(&asked));
    let backend = Backend::answering(move |seen| {
        if seen.head.starts_with("POST /v2/repository/index ") {
            counted.fetch_add(1, Ordering::SeqCst);
            let state = if is_loaded.load(Ordering::SeqCst) { "READY" } else { "UNAVAILABLE" };
            return backend::ok(&format!("[{{\"name\":\"alpha\",\"version\":\"1\",\"state\":\"{state}\"}}]"));
        }
        if seen.head.starts_with("GET /v2/models/stats ") {
            let usage = "{\"type\":\"CPU\",\"id\":0,\"byte_size\":4096}";
            return backend::ok(&format!(
                "{{\"model_stats\":[{{\"name\":\"alpha\",\"memory_usage\":[{usage}]}}]}}"
            ));
        }
        is_loaded.store(true, Ordering::SeqCst);
        backend::ok("{}")
    });
    Server { loaded, asked, backend }
}

fn before(server: &Server) -> Gateway {
    Gateway::with("triton", server.backend.address, |config| {
        let state = &mut config.backends.first_mut().unwrap().state;
        state.poll = PollMode::Auto;
        state.interval = Duration::from_millis(100);
    })
}

fn residency(gateway: &Gateway, query: &str) -> String {
    client::get(gateway.admin, &format!("/api/v1/residency{query}")).body_text()
}

/// Two more looks have begun, so that what stood before is told.
fn wait_for_a_look(server: &Server) {
    let before = server.asked.load(Ordering::SeqCst);
    wait("two looks", || server.asked.load(Ordering::SeqCst) >= before + 2);
}

fn infer(gateway: &Gateway) {
    assert_eq!(client::post(gateway.address, "/v2/models/alpha/infer", "{}").status, 200);
}

const LOADED: &str = "weir_model_loaded{backend=\"triton\",model=\"alpha\"}";
const COLD: &str = "weir_model_cold_starts_total{backend=\"triton\",model=\"alpha\",evidence=\"state\"}";
const HOT: &str =
    "weir_model_request_duration_seconds_count{backend=\"triton\",model=\"alpha\",start=\"hot\"}";

#[test]
fn the_first_answer_of_a_model_that_was_seen_unloaded_is_cold_and_the_next_is_hot() {
    let server = server();
    let gateway = before(&server);
    wait("alpha unloaded", || residency(&gateway, "").contains("\"state\":\"unloaded\""));
    infer(&gateway);
    infer(&gateway);
    gateway.wait_for(COLD, 1.0);
    gateway.wait_for(HOT, 1.0);
    wait_for_a_look(&server);
    gateway.wait_for(LOADED, 1.0);
    server.loaded.store(false, Ordering::SeqCst);
    gateway.wait_for(LOADED, 0.0);
    infer(&gateway);
    gateway.wait_for(COLD, 2.0);
    let of = |family: &str| format!("weir_model_{family}{{backend=\"triton\",model=\"alpha\"}}");
    gateway.wait_for(&of("loads_total"), 2.0);
    gateway.wait_for(&of("evictions_total"), 1.0);
    gateway.wait_for(&of("reloads_total"), 1.0);
    let scrape = client::get(gateway.admin, "/metrics").body_text();
    assert!(scrape.contains(&of("last_eviction_age_seconds")));
    assert!(!scrape.contains(&of("load_seconds_total")), "nobody told how long a load took");
}

#[test]
fn memory_is_told_while_a_model_is_loaded_and_absent_where_nothing_is_known() {
    let server = server();
    server.loaded.store(true, Ordering::SeqCst);
    let gateway = before(&server);
    wait("alpha loaded", || residency(&gateway, "").contains("\"state\":\"loaded\""));
    infer(&gateway);
    gateway.wait_for("weir_model_memory_bytes{backend=\"triton\",model=\"alpha\"}", 4096.0);
    let scrape = client::get(gateway.admin, "/metrics").body_text();
    assert!(!scrape.contains("weir_model_gpu_memory_bytes"), "nobody told of a GPU");
    server.loaded.store(false, Ordering::SeqCst);
    gateway.wait_for(LOADED, 0.0);
    let scrape = client::get(gateway.admin, "/metrics").body_text();
    assert!(!scrape.contains("weir_model_memory_bytes"), "what is not loaded takes none");
}

#[test]
fn residency_is_listed_by_backend_and_model() {
    let server = server();
    let gateway = before(&server);
    wait("alpha is known", || residency(&gateway, "").contains("\"id\":\"alpha\""));
    assert!(residency(&gateway, "?backend=triton&model=alpha").contains("\"gpu_memory_bytes\":null"));
    assert_eq!(residency(&gateway, "?model=beta"), "{\"residency\":[]}");
    assert_eq!(residency(&gateway, "?backend=other"), "{\"residency\":[]}");
}

/// The figures of a GPU, on a page of metrics that can be taken away.
#[test]
fn what_a_server_tells_of_its_gpus_is_exported_until_it_is_stale() {
    let is_there = Arc::new(AtomicBool::new(true));
    let there = Arc::clone(&is_there);
    let backend = Backend::answering(move |seen| {
        if !seen.head.starts_with("GET /gpu/metrics ") {
            return backend::ok("[]");
        }
        if !there.load(Ordering::SeqCst) {
            return backend::answer("404 Not Found", "", "");
        }
        backend::ok(
            "# TYPE nv_gpu_utilization gauge\nnv_gpu_utilization{gpu_uuid=\"GPU-a\"} 0.25\n\
            nv_gpu_memory_used_bytes{gpu_uuid=\"GPU-a\"} 33763098624.000000\n",
        )
    });
    let gateway = Gateway::with("triton", backend.address, |config| {
        let one = config.backends.first_mut().unwrap();
        one.name = "with-gpu".to_owned();
        one.state.poll = PollMode::Auto;
        one.state.metrics_url = Some(format!("http://{{host}}:{}/gpu/metrics", backend.address.port()));
        one.state.interval = Duration::from_millis(100);
        one.state.stale_after = Duration::from_secs(1);
    });
    let endpoint = backend.address;
    let of = |name: &str| {
        format!("weir_backend_gpu_{name}{{backend=\"with-gpu\",endpoint=\"{endpoint}\",gpu=\"GPU-a\"}}")
    };
    gateway.wait_for(&of("utilization_ratio"), 0.25);
    gateway.wait_for(&of("memory_used_bytes"), 33_763_098_624.0);
    let scrape = || client::get(gateway.admin, "/metrics").body_text();
    assert!(!scrape().contains("weir_backend_gpu_power_watts"), "nobody told");
    is_there.store(false, Ordering::SeqCst);
    wait("the figures to be gone", || !scrape().contains("weir_backend_gpu"));
}

#[test]
fn a_server_is_not_asked_unless_the_configuration_says_so() {
    let server = server();
    let gateway = Gateway::before("triton", server.backend.address);
    infer(&gateway);
    gateway.wait_for(
        "weir_model_request_duration_seconds_count{backend=\"triton\",model=\"alpha\",start=\"unknown\"}",
        1.0,
    );
    assert_eq!(server.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn answers_that_are_no_state_are_counted_and_decide_nothing() {
    for (answer, reason) in [
        (backend::ok("no json"), "malformed"),
        (backend::answer("503 Service Unavailable", "", ""), "status"),
        (backend::ok(&"x".repeat(5000)), "too_long"),
    ] {
        let backend = Backend::answering(move |seen| {
            if seen.head.contains("/infer ") { backend::ok("{}") } else { answer.clone() }
        });
        let gateway = Gateway::with("triton", backend.address, |config| {
            let one = config.backends.first_mut().unwrap();
            one.name = format!("bad-{reason}");
            one.state.poll = PollMode::Auto;
            one.state.answer_bytes_max = weir_config::Bytes(1024);
        });
        let endpoint = backend.address;
        let polls = format!(
            "weir_state_polls_total{{backend=\"bad-{reason}\",endpoint=\"{endpoint}\",result=\"{reason}\"}}"
        );
        wait(&polls, || gateway.value(&polls) >= 1.0);
        infer(&gateway);
        gateway.wait_for(
            &format!(
                "weir_model_request_duration_seconds_count{{backend=\"bad-{reason}\",model=\"alpha\",start=\"unknown\"}}"
            ),
            1.0,
        );
    }
}

/// An Ollama whose first answer loaded the model; what the others tell is given.
fn ollama(load_durations: &'static [u64], media: &'static str) -> Backend {
    let turn = AtomicUsize::new(0);
    Backend::answering(move |_| {
        let load = load_durations.get(turn.fetch_add(1, Ordering::SeqCst)).unwrap();
        let last =
            format!("{{\"model\":\"m\",\"response\":\"Hi\",\"done\":true,\"load_duration\":{load}}}\n");
        backend::answer("200 OK", &format!("content-type: {media}\r\n"), &last)
    })
}

#[test]
fn a_load_time_that_the_answer_tells_is_a_cold_start_and_a_short_one_is_hot() {
    for media in ["application/json", "application/x-ndjson"] {
        let backend = ollama(&[2_310_000_000, 14_000_000, 0, 300_000_000], media);
        let gateway = Gateway::before("ollama", backend.address);
        for _ in 0..4 {
            let body = "{\"model\":\"m\",\"prompt\":\"x\"}";
            assert_eq!(client::post(gateway.address, "/api/generate", body).status, 200);
        }
        let of = |name: &str, label: &str| format!("{name}{{backend=\"ollama\",model=\"m\"{label}}}");
        gateway.wait_for(&of("weir_model_cold_starts_total", ",evidence=\"header\""), 1.0);
        let duration = "weir_model_request_duration_seconds_count";
        gateway.wait_for(&of(duration, ",start=\"hot\""), 2.0);
        gateway.wait_for(&of(duration, ",start=\"unknown\""), 1.0);
        gateway.wait_for(&of("weir_model_loads_total", ""), 1.0);
        gateway.wait_for(&of("weir_model_last_load_seconds", ""), 2.31);
    }
}
