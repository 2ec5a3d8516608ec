//! Cold starts that nothing tells of: inferred where it is asked for, and never against what tells.

use weir_config::Inferred;
use weir_tests::backend::{self, Backend};
use weir_tests::client;
use weir_tests::gateway::Gateway;

const MODEL: &str = "{\"model\":\"m\"}";

fn cold(evidence: &str) -> String {
    format!("weir_model_cold_starts_total{{backend=\"openai\",model=\"m\",evidence=\"{evidence}\"}}")
}

fn ask(gateway: &Gateway, path: &str) {
    assert_eq!(client::post(gateway.address, path, MODEL).status, 200);
}

#[test]
fn the_first_answer_after_an_unload_is_inferred_where_it_is_asked_for() {
    let backend = Backend::fine();
    for (inferred, count) in [(None, 0.0), (Some(Inferred::default()), 1.0)] {
        let gateway =
            Gateway::with("openai", backend.address, |config| config.backends[0].inferred = inferred);
        for path in ["/v1/completions", "/models/unload", "/v1/completions", "/v1/completions"] {
            ask(&gateway, path);
        }
        gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"m\",outcome=\"ok\"}", 3.0);
        assert!((gateway.value(&cold("inferred")) - count).abs() < f64::EPSILON);
    }
}

#[test]
fn what_a_header_tells_is_never_overridden() {
    let backend = Backend::answering(|_| backend::answer("200 OK", "x-model-cold: false\r\n", "{}"));
    let gateway = Gateway::with("openai", backend.address, |config| {
        config.backends[0].inferred = Some(Inferred::default());
    });
    for path in ["/v1/completions", "/models/unload", "/v1/completions"] {
        ask(&gateway, path);
    }
    let hot = "weir_model_request_duration_seconds_count{backend=\"openai\",model=\"m\",start=\"hot\"}";
    gateway.wait_for(hot, 2.0);
    assert!(gateway.value(&cold("inferred")).abs() < f64::EPSILON);
}
