//! A model's version beside its name: in the access log always, in series by choice, and never without bound.

use std::fs;

use serde_json::Value;
use weir_config::{AccessLog, Config};
use weir_tests::backend::Backend;
use weir_tests::binary;
use weir_tests::client::{self, Client};
use weir_tests::gateway::{Gateway, wait};
use weir_tests::h2::{self, grpc, grpc_answer};

fn counted(config: &mut Config) {
    config.telemetry.version_label = true;
    config.telemetry.versions_per_model_max = 3;
}

fn requests(model: &str, version: &str) -> String {
    format!(
        "weir_model_requests_total{{backend=\"triton\",model=\"{model}\",version=\"{version}\",outcome=\"ok\"}}"
    )
}

/// `ModelInferRequest` of this model and version, in its frame.
fn infer(model: &str, version: &str) -> Vec<u8> {
    let field = |number: u8, text: &str| {
        [&[number << 3 | 2, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    };
    let message = [field(1, model), field(2, version), field(5, "inputs")].concat();
    [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message.as_slice()].concat()
}

#[test]
fn versions_are_counted_apart_by_path_and_by_grpc_message() {
    let backend = h2::Backend::start(|_, _| grpc_answer(b"x", "0"));
    let gateway = Gateway::with("triton", backend.address, counted);
    let client = h2::Client::connect(gateway.address);
    for version in ["7", "7", "8"] {
        let call = grpc(gateway.address, "/inference.GRPCInferenceService/ModelInfer");
        assert_eq!(client.ask(call, infer("m", version), None).unwrap().head.status.as_u16(), 200);
    }
    gateway.wait_for(&requests("m", "7"), 2.0);
    gateway.wait_for(&requests("m", "8"), 1.0);
    // The model itself is there for what has no version.
    assert!(client::get(gateway.admin, "/metrics").body_text().contains("model=\"m\",outcome=\"ok\"} 0\n"));
}

#[test]
fn hostile_versions_share_one_series_and_requests_without_one_have_none() {
    let backend = Backend::fine();
    let gateway = Gateway::with("triton", backend.address, counted);
    let mut client = Client::connect(gateway.address);
    for n in 0..500 {
        client.post(&format!("/v2/models/m/versions/{n}/infer"), "", "{}");
        assert_eq!(client.answer().status, 200);
    }
    client.post("/v2/models/m/infer", "", "{}");
    assert_eq!(client.answer().status, 200);
    gateway.wait_for(&requests("m", "__other__"), 497.0);
    for n in 0..3 {
        gateway.wait_for(&requests("m", &n.to_string()), 1.0);
    }
    gateway.wait_for("weir_model_requests_total{backend=\"triton\",model=\"m\",outcome=\"ok\"}", 1.0);
    gateway.wait_for("weir_models_known", 5.0);
    let odd = "/v2/models/m/versions/a%1Fb/infer";
    assert_eq!(client::post(gateway.address, odd, "{}").status, 200);
    gateway.wait_for("weir_models_known", 5.0);
}

#[test]
fn without_the_label_versions_are_one_series_and_still_in_the_log() {
    let folder = binary::folder();
    let file = folder.join("access.log");
    let backend = h2::Backend::start(|_, _| grpc_answer(b"x", "0"));
    let gateway = Gateway::with("triton", backend.address, |config| {
        counted(config);
        config.backends[0].version_label = Some(false);
        config.access_log = Some(AccessLog { to: file.to_str().unwrap().to_owned(), ..AccessLog::default() });
    });
    let client = h2::Client::connect(gateway.address);
    for version in ["7", "8"] {
        let call = grpc(gateway.address, "/inference.GRPCInferenceService/ModelInfer");
        assert_eq!(client.ask(call, infer("m", version), None).unwrap().head.status.as_u16(), 200);
    }
    gateway.wait_for("weir_model_requests_total{backend=\"triton\",model=\"m\",outcome=\"ok\"}", 2.0);
    let lines = || fs::read_to_string(&file).unwrap_or_default();
    wait("two lines", || lines().lines().count() >= 2);
    let versions: Vec<String> = lines()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["version"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(versions, ["7", "8"]);
}
