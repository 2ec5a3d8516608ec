//! The example handlers of `deploy/examples/handlers`, in the servers that they are for: what they tell becomes metrics of their model.

use serde_json::json;

use crate::kit::{Scrape, Server, Weir, curl, lab, ports};

/// What the README shows.
const VALUES: &str = "  values:
  - {name: feature_extraction, from: {header: x-feature-ms}}
  - {name: inference, from: {server_timing: infer}}
  - {name: features, from: {header: x-features-from}, unit: unix_s, as: staleness}
";

fn told(scrape: &Scrape, family: &str, value: &str) -> f64 {
    let labels = [("model", "telling"), ("value", value)];
    scrape.value(family, &labels).unwrap_or_else(|| panic!("no {family} {value}"))
}

#[track_caller]
fn holds(weir: &Weir, requests: u64, answered: f64) {
    let scrape = weir.settled(requests);
    for value in ["feature_extraction", "inference"] {
        assert_eq!(told(&scrape, "weir_model_header_value_seconds_count", value), answered, "{value}");
        let sum = told(&scrape, "weir_model_header_value_seconds_sum", value);
        assert!((0.0..1.0).contains(&sum), "{value} took {sum} s");
    }
    let age = told(&scrape, "weir_model_header_value_staleness_seconds", "features");
    assert!((90.0..120.0).contains(&age), "the handler's features are 90 s old, weir says {age} s");
    assert_eq!(weir.model("telling")["values"]["inference"]["answers"], answered as u64);
}

#[test]
fn torchserves_handler_tells_its_times_and_how_old_its_features_are() {
    let ports: [u16; 5] = ports();
    let [inference, management, ..] = ports.map(|port| format!("http://127.0.0.1:{port}"));
    let mut server = Server::start("torchserve", &ports, &[]);
    server.wait_ready(&format!("{inference}/ping"));
    let weir = Weir::serve_file(&format!(
        "backends:\n- dialect: torchserve\n  endpoints: [\"{inference}\"]\n  management: \"{management}\"\n{VALUES}"
    ));
    let register = weir.url("/models?url=telling.mar&initial_workers=1&synchronous=true");
    assert_eq!(curl(&["--request", "POST", &register]).status, 200);
    for _ in 0..3 {
        let reply = curl(&[
            "--header",
            "content-type: text/plain",
            "--data-raw",
            "hello",
            &weir.url("/predictions/telling"),
        ]);
        assert_eq!((reply.status, reply.json()), (200, json!({ "length": 5 })), "{reply:?}");
    }
    holds(&weir, 4, 3.0);
}

#[test]
fn mmss_handler_tells_its_times_and_how_old_its_features_are() {
    let [port] = ports();
    let direct = format!("http://127.0.0.1:{port}");
    let mut server = Server::start("mms", &[port], &["mms_handler.py"]);
    server.wait_ready(&format!("{direct}/ping"));
    let weir = Weir::serve_file(&format!("backends:\n- dialect: mms\n  endpoints: [\"{direct}\"]\n{VALUES}"));
    let body = json!({ "model_name": "telling", "url": lab().join("mms/models/alpha") }).to_string();
    let loaded =
        curl(&["--header", "content-type: application/json", "--data-raw", &body, &weir.url("/models")]);
    assert_eq!(loaded.status, 200, "{loaded:?}");
    for _ in 0..3 {
        let url = weir.url("/models/telling/invoke");
        let reply = curl(&["--header", "content-type: text/plain", "--data-raw", "hello", &url]);
        assert_eq!((reply.status, reply.json()), (200, json!({ "length": 5 })), "{reply:?}");
    }
    holds(&weir, 4, 3.0);
}

#[test]
fn tritons_model_tells_its_times_to_tritons_own_metrics() {
    let [http, grpc, metrics] = ports();
    let direct = format!("http://127.0.0.1:{http}");
    let mut server = Server::start("triton", &[http, grpc, metrics], &[]);
    server.wait_ready(&format!("{direct}/v2/health/ready"));
    let weir = Weir::serve(&format!("triton={direct}"));
    assert_eq!(curl(&["--request", "POST", &weir.url("/v2/repository/models/telling/load")]).status, 200);
    let body = r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.0,2.0]}]}"#;
    for _ in 0..3 {
        let url = weir.url("/v2/models/telling/infer");
        let reply = curl(&["--header", "content-type: application/json", "--data-raw", body, &url]);
        assert_eq!(reply.json()["outputs"][0]["data"], json!([4.0, 6.0]), "{reply:?}");
    }
    let page = curl(&[&format!("http://127.0.0.1:{metrics}/metrics")]).body;
    let line = page.lines().find(|line| line.starts_with("model_feature_extractions_total{")).unwrap();
    assert!(line.contains("model=\"telling\"") && line.ends_with(" 3"), "{line}");
}
