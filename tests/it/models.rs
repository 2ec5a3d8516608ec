//! Counts by model: equal to the requests sent, and none for names that no backend knows.

use weir_config::{NameMap, Naming};
use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Client};
use weir_tests::gateway::Gateway;

fn known_models() -> Backend {
    Backend::answering(|seen| {
        if seen.head.contains("/models/known-") {
            backend::answer("200 OK", "x-model-cold: false\r\n", "{}")
        } else {
            backend::answer("404 Not Found", "", "{}")
        }
    })
}

#[test]
fn every_request_is_counted_under_its_model_from_the_first_on() {
    let backend = known_models();
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    for n in 0..30 {
        client.post(&format!("/v2/models/known-{}/infer", n % 3), "", "{}");
        assert_eq!(client.answer().status, 200);
    }
    for n in 0..3 {
        assert!((gateway.requests("triton", &format!("known-{n}"), "ok") - 10.0).abs() < f64::EPSILON);
    }
}

#[test]
fn the_models_of_a_running_gateway_are_listed_by_the_command_line() {
    let backend = known_models();
    let gateway = Gateway::before("triton", backend.address);
    assert_eq!(client::post(gateway.address, "/v2/repository/models/known-1/load", "{}").status, 200);
    assert_eq!(client::post(gateway.address, "/v2/models/known-1/infer", "{}").status, 200);
    gateway.wait_for("weir_model_loaded{backend=\"triton\",model=\"known-1\"}", 1.0);
    let list = |more: &[&str]| {
        let mut command = std::process::Command::new(weir_tests::process::binary());
        let output =
            command.args(["models", "--admin", &gateway.admin.to_string()]).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let table = list(&[]);
    let row = table.lines().find(|line| line.contains("known-1")).unwrap();
    assert!(row.starts_with("triton") && row.contains(" loaded "), "{table}");
    assert_eq!(list(&["--backend", "none"]).lines().count(), 1);
    let told: serde_json::Value = serde_json::from_str(&list(&["--json"])).unwrap();
    let models = told.get("models").and_then(serde_json::Value::as_array).unwrap();
    let known = models.iter().find(|model| model["model"] == "known-1").unwrap();
    assert_eq!((&known["state"], &known["loads"]), (&"loaded".into(), &1.into()));
}

#[test]
fn ten_thousand_random_names_mint_no_series() {
    let backend = known_models();
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    for n in 0..10_000_u32 {
        client.post(&format!("/v2/models/random-{:x}/infer", n.wrapping_mul(2_654_435_761)), "", "{}");
        assert_eq!(client.answer().status, 404);
    }
    let unknown =
        "weir_model_requests_total{backend=\"triton\",model=\"__unknown__\",outcome=\"client_error\"}";
    gateway.wait_for(unknown, 10_000.0);
    let scrape = client::get(gateway.admin, "/metrics").body_text();
    assert!(!scrape.contains("random-"), "a random name is a series");
    assert!((gateway.value("weir_models_known") - 0.0).abs() < f64::EPSILON);
}

#[test]
fn a_request_without_a_model_is_served_as_none() {
    let backend = Backend::fine();
    let gateway = Gateway::before("openai", backend.address);
    let answer = client::post(gateway.address, "/v1/chat/completions", "{\"no\":\"model\"}");
    assert_eq!(answer.status, 200);
    gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"__none__\",outcome=\"ok\"}", 1.0);
}

#[test]
fn a_name_given_twice_is_flagged_and_the_last_one_counts() {
    let backend = Backend::fine();
    let gateway = Gateway::before("openai", backend.address);
    client::post(gateway.address, "/v1/chat/completions", "{\"model\":\"first\",\"model\":\"last\"}");
    gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"last\",outcome=\"ok\"}", 1.0);
    assert!(gateway.value("weir_identify_flags_total{flag=\"duplicate_key\"}") >= 1.0);
}

#[test]
fn a_name_behind_more_than_is_read_ahead_is_none_and_flagged() {
    let backend = Backend::fine();
    let gateway = Gateway::before("openai", backend.address);
    let long = "x".repeat(2 << 20);
    let early = format!("{{\"model\":\"early\",\"prompt\":\"{long}\"}}");
    assert_eq!(client::post(gateway.address, "/v1/completions", &early).status, 200);
    gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"early\",outcome=\"ok\"}", 1.0);
    let flag = "weir_identify_flags_total{flag=\"too_large\"}";
    assert!(!client::get(gateway.admin, "/metrics").body_text().contains(flag), "an early name is no matter");
    let late = format!("{{\"prompt\":\"{long}\",\"model\":\"late\"}}");
    assert_eq!(client::post(gateway.address, "/v1/completions", &late).status, 200);
    gateway.wait_for(flag, 1.0);
    gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"__none__\",outcome=\"ok\"}", 1.0);
}

#[test]
fn a_cold_start_told_by_a_header_is_counted_with_its_evidence() {
    let backend = Backend::answering(|_| {
        backend::answer("200 OK", "x-model-cold: true\r\nx-model-load-ms: 1500\r\n", "{}")
    });
    let gateway = Gateway::before("triton", backend.address);
    client::post(gateway.address, "/v2/models/alpha/infer", "{}");
    gateway.wait_for(
        "weir_model_cold_starts_total{backend=\"triton\",model=\"alpha\",evidence=\"header\"}",
        1.0,
    );
    gateway.wait_for("weir_model_load_seconds_total{backend=\"triton\",model=\"alpha\"}", 1.5);
}

#[test]
fn the_tail_is_scraped_apart() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    let tail = client::get(gateway.admin, "/metrics/tail");
    assert_eq!(tail.status, 200);
    assert!(tail.body_text().contains("weir_tail_omitted_models 0"), "{}", tail.body_text());
}

#[test]
fn a_form_field_names_the_model_behind_a_file() {
    let backend = Backend::fine();
    let gateway = Gateway::before("openai", backend.address);
    let mut client = Client::connect(gateway.address);
    let body = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nmodel=no\r\n--b\r\n\
                content-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b--\r\n";
    client.post("/v1/audio/transcriptions", "content-type: multipart/form-data; boundary=b\r\n", body);
    assert_eq!(client.answer().status, 200);
    gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"whisper-1\",outcome=\"ok\"}", 1.0);
}

#[test]
fn names_made_alike_are_one_model_and_what_is_forwarded_stays() {
    let backend = Backend::answering(|seen| backend::answer("200 OK", "", seen.head.lines().next().unwrap()));
    let gateway = Gateway::with("triton", backend.address, |config| {
        config.backends[0].names = Some(Naming {
            lowercase: true,
            strip_suffix: vec![".tar.gz".to_owned()],
            map: vec![NameMap { from: "ranking-*-v?".to_owned(), to: "ranking".to_owned() }],
            ..Naming::default()
        });
    });
    let mut client = Client::connect(gateway.address);
    for path in ["/v2/models/Ranking-EU-v1.tar.gz/infer", "/v2/models/ranking-us-V2/infer"] {
        client.post(path, "", "{}");
        assert_eq!(client.answer().body_text(), format!("POST {path} HTTP/1.1"));
    }
    gateway.wait_for("weir_model_requests_total{backend=\"triton\",model=\"ranking\",outcome=\"ok\"}", 2.0);
    assert!((gateway.value("weir_models_known") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_load_by_the_servers_name_makes_the_renamed_model_cold_once() {
    let backend = Backend::fine();
    let gateway = Gateway::with("triton", backend.address, |config| {
        let map = vec![NameMap { from: "resnet-*".to_owned(), to: "resnet".to_owned() }];
        config.backends[0].names = Some(Naming { map, ..Naming::default() });
    });
    client::post(gateway.address, "/v2/repository/models/resnet-50/load", "{}");
    for _ in 0..3 {
        assert_eq!(client::post(gateway.address, "/v2/models/resnet-50/infer", "{}").status, 200);
    }
    // The server has another one under this name: nothing is known of that.
    assert_eq!(client::post(gateway.address, "/v2/models/resnet-18/infer", "{}").status, 200);
    let cold = "weir_model_cold_starts_total{backend=\"triton\",model=\"resnet\",evidence=\"lifecycle\"}";
    gateway.wait_for(cold, 1.0);
    gateway.wait_for("weir_model_requests_total{backend=\"triton\",model=\"resnet\",outcome=\"ok\"}", 4.0);
    gateway.wait_for(cold, 1.0);
}
