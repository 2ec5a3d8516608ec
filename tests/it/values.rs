//! Values that backends tell in headers, `Server-Timing` and trailers, by model.

use std::time::{Duration, SystemTime};

use weir_config::{Config, Kept, ValueRule, ValueSource, ValueUnit};
use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Client};
use weir_tests::gateway::Gateway;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn value(name: &str, from: ValueSource, unit: ValueUnit, kept: Kept) -> ValueRule {
    ValueRule { name: name.to_owned(), from, unit, kept }
}

fn with_values(config: &mut Config) {
    let header = |name| ValueSource { header: text(name), ..ValueSource::default() };
    let entry = ValueSource { server_timing: text("infer"), ..ValueSource::default() };
    let trailer = ValueSource { trailer: text("x-rank-ms"), ..ValueSource::default() };
    config.backends.first_mut().unwrap().values = vec![
        value("feature_extraction", header("X-Feature-Ms"), ValueUnit::Ms, Kept::Histogram),
        value("inference", entry, ValueUnit::Ms, Kept::Histogram),
        value("prediction", header("x-predicted-at"), ValueUnit::UnixS, Kept::Staleness),
        value("cache_age", header("x-cache-age"), ValueUnit::S, Kept::Staleness),
        value("batch", header("x-batch"), ValueUnit::None, Kept::Gauge),
        value("rank", trailer, ValueUnit::Ms, Kept::Histogram),
    ];
}

fn infer(gateway: &Gateway, model: &str) -> client::Answer {
    client::post(gateway.address, &format!("/v2/models/{model}/infer"), "{}")
}

#[test]
fn numbers_of_headers_and_server_timing_are_series_of_the_model_that_answered() {
    let backend = Backend::answering(|seen| {
        let at =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() - Duration::from_secs(3600);
        let ms = if seen.head.contains("/alpha/") { "12.5" } else { "250" };
        let fields = format!(
            "x-feature-ms: {ms}\r\nserver-timing: db, infer;dur=2.5\r\nx-predicted-at: {}\r\nx-cache-age: 86400\r\nx-batch: 16\r\n",
            at.as_secs()
        );
        backend::answer("200 OK", &fields, "{}")
    });
    let gateway = Gateway::with("triton", backend.address, with_values);
    for model in ["alpha", "beta", "alpha"] {
        assert_eq!(infer(&gateway, model).field("x-batch"), Some("16"), "the header goes on to the caller");
    }
    let series = |family: &str, model: &str, value: &str| {
        gateway.value(&format!("{family}{{backend=\"triton\",model=\"{model}\",value=\"{value}\"}}"))
    };
    let near =
        |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    near(series("weir_model_header_value_seconds_count", "alpha", "feature_extraction"), 2.0);
    near(series("weir_model_header_value_seconds_sum", "alpha", "feature_extraction"), 0.025);
    near(series("weir_model_header_value_seconds_sum", "beta", "feature_extraction"), 0.25);
    near(series("weir_model_header_value_seconds_sum", "beta", "inference"), 0.0025);
    near(series("weir_model_header_value_staleness_seconds", "alpha", "cache_age"), 86_400.0);
    near(series("weir_model_header_value_last", "alpha", "batch"), 16.0);
    let staleness = series("weir_model_header_value_staleness_seconds", "alpha", "prediction");
    assert!((3600.0..3700.0).contains(&staleness), "{staleness}");
    let shown = client::get(gateway.admin, "/api/v1/models/triton/beta").body_text();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["values"]["feature_extraction"]["answers"], 1);
    near(shown["values"]["batch"]["last"].as_f64().unwrap(), 16.0);
    assert!(shown["values"]["rank"].is_null());
}

#[test]
fn a_number_in_a_trailer_is_read_when_the_answer_has_ended() {
    let backend = Backend::answering(|_| {
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-rank-ms\r\n\r\n2\r\n{}\r\n0\r\nx-rank-ms: 40\r\n\r\n".to_vec()
    });
    let gateway = Gateway::with("triton", backend.address, with_values);
    let mut client = Client::connect(gateway.address);
    client.post("/v2/models/alpha/infer", "te: trailers\r\nconnection: close\r\n", "{}");
    assert!(client.everything().contains("x-rank-ms: 40"));
    gateway.wait_for(
        "weir_model_header_value_seconds_sum{backend=\"triton\",model=\"alpha\",value=\"rank\"}",
        0.04,
    );
}

#[test]
fn what_is_no_number_is_counted_and_the_answer_goes_on() {
    let backend = Backend::answering(|_| {
        let fields = "x-feature-ms: fast\r\nserver-timing: infer;dur=-3\r\nx-predicted-at: 2500000000\r\n";
        backend::answer("200 OK", fields, "fine")
    });
    let gateway = Gateway::with("triton", backend.address, with_values);
    assert_eq!(infer(&gateway, "alpha").body_text(), "fine");
    for flag in ["value_unreadable", "value_out_of_range", "value_in_future"] {
        let count = gateway.value(&format!("weir_numbers_flags_total{{flag=\"{flag}\"}}"));
        assert!(count >= 1.0, "{flag}: {count}");
    }
    let scrape = client::get(gateway.admin, "/metrics").body_text();
    assert!(!scrape.contains("value=\"feature_extraction\""), "{scrape}");
}

#[test]
fn an_unknown_model_and_a_control_request_mint_no_series_of_values() {
    let backend = Backend::answering(|_| backend::answer("404 Not Found", "x-feature-ms: 5\r\n", "{}"));
    let gateway = Gateway::with("triton", backend.address, with_values);
    infer(&gateway, "nobody");
    client::get(gateway.address, "/v2/health/ready");
    gateway.wait_for(
        "weir_model_requests_total{backend=\"triton\",model=\"__unknown__\",outcome=\"client_error\"}",
        1.0,
    );
    let scrape = client::get(gateway.admin, "/metrics").body_text();
    assert!(
        scrape.contains("model=\"__unknown__\",value=\"feature_extraction\"") && !scrape.contains("nobody")
    );
    assert!(!scrape.contains("model=\"__control__\",value="));
}
