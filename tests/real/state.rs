//! Triton, TorchServe and MMS, asked which models they hold while loads and unloads go past weir.

use serde_json::json;

use crate::kit::{Reply, Server, Starts, Weir, curl, eventually, lab, ports};

const STATE: &str = "state: {poll: auto, interval: 200ms}";

fn before(dialect: &str, endpoint: &str, management: &str) -> Weir {
    Weir::serve_file(&format!(
        "backends:\n- dialect: {dialect}\n  endpoints: [\"{endpoint}\"]\n  management: \"{management}\"\n  {STATE}\n"
    ))
}

/// What `/api/v1/residency` tells of a model; null if nothing.
fn resident(weir: &Weir, model: &str) -> serde_json::Value {
    let told = weir.admin(&format!("/api/v1/residency?model={model}")).json();
    told["residency"].get(0).cloned().unwrap_or_default()
}

#[track_caller]
fn wait_until(weir: &Weir, model: &str, state: &str) {
    eventually(&format!("{model} {state}"), || resident(weir, model)["state"] == state);
}

/// The gauge of a model, which follows a look within a second.
#[track_caller]
fn wait_loaded(weir: &Weir, model: &str, value: f64) {
    eventually(&format!("weir_model_loaded {value} of {model}"), || {
        weir.scrape().value("weir_model_loaded", &[("model", model)]) == Some(value)
    });
}

/// Memory that the server tells is a gauge, until the model is gone.
#[track_caller]
fn wait_memory(weir: &Weir, model: &str, is_told: bool) {
    const MEMORY: &str = "weir_model_memory_bytes";
    eventually(&format!("{MEMORY} of {model}: {is_told}"), || {
        weir.scrape().value(MEMORY, &[("model", model)]).is_some_and(|bytes| bytes > 1e6) == is_told
    });
}

/// Some looks later.
#[track_caller]
fn wait_for_looks(weir: &Weir, more: u64) {
    let looks = || weir.scrape().count("weir_state_polls_total", &[("result", "ok")]);
    let before = looks();
    eventually("more looks", || looks() >= before + more);
}

#[track_caller]
fn ok(reply: &Reply) {
    assert!(matches!(reply.status, 200 | 202), "{reply:?}");
}

#[test]
fn triton_is_asked_what_it_holds_and_its_own_statistics_know_nothing_of_it() {
    const BODY: &str = r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.0,2.0]}]}"#;
    let [port, grpc, metrics] = ports();
    let direct = format!("http://127.0.0.1:{port}");
    let mut server = Server::start("triton", &[port, grpc, metrics], &[]);
    server.wait_ready(&format!("{direct}/v2/health/ready"));
    let page = format!("http://127.0.0.1:{metrics}/metrics");
    assert_eq!(curl(&[&page]).status, 200, "Triton's own page is there");
    let weir = Weir::serve_file(&format!(
        "backends:\n- dialect: triton\n  endpoints: [\"{direct}\"]\n  state: {{poll: auto, interval: 200ms, metrics_url: \"{page}\"}}\n"
    ));
    let repository =
        |verb| curl(&["--request", "POST", &format!("{direct}/v2/repository/models/alpha/{verb}")]);
    let infer = || ok(&curl(&["--data-raw", BODY, &weir.url("/v2/models/alpha/infer")]));
    let statistics = || {
        let of = curl(&[&format!("{direct}/v2/models/alpha/stats")]).json()["model_stats"][0].take();
        [of["inference_count"].clone(), of["execution_count"].clone(), of["last_inference"].clone()]
    };

    wait_until(&weir, "alpha", "unloaded");
    ok(&repository("load"));
    wait_until(&weir, "alpha", "loaded");
    wait_for_looks(&weir, 5);
    assert_eq!(statistics()[..2], [json!(0), json!(0)], "a look is no inference");
    for _ in 0..3 {
        infer();
    }
    let after = statistics();
    assert_eq!(after[..2], [json!(3), json!(3)]);
    wait_for_looks(&weir, 5);
    assert_eq!(statistics(), after, "a look refreshes nothing");
    assert!(
        !weir.admin("/metrics").body.contains("weir_backend_gpu"),
        "this machine has none: absent, not 0"
    );
    let scrape = weir.settled(3);
    assert_eq!(scrape.starts("alpha"), Starts { cold: 1, hot: 2, unknown: 0 });
    assert_eq!(scrape.cold_starts("alpha"), [("state", 1)]);
    wait_loaded(&weir, "alpha", 1.0);

    ok(&repository("unload"));
    wait_loaded(&weir, "alpha", 0.0);
    ok(&repository("load"));
    infer();
    let scrape = weir.settled(4);
    assert_eq!(
        scrape.cold_starts("alpha"),
        [("state", 2)],
        "whether or not a look came between load and answer"
    );
    wait_loaded(&weir, "alpha", 1.0);
    let known = resident(&weir, "alpha");
    assert_eq!(
        [&known["loads"], &known["evictions"], &known["reloads"]],
        [2, 1, 1].map(|n| json!(n)).each_ref()
    );
}

#[test]
fn torchserves_workers_are_seen_to_come_and_go_with_their_memory() {
    let ports: [u16; 5] = ports();
    let [inference, management, ..] = ports.map(|port| format!("http://127.0.0.1:{port}"));
    let mut server = Server::start("torchserve", &ports, &[]);
    server.wait_ready(&format!("{inference}/ping"));
    let weir = before("torchserve", &inference, &management);
    let manage = |method, path: &str| ok(&curl(&["--request", method, &format!("{management}{path}")]));
    let predict = |model| ok(&curl(&["--data-raw", "hello", &weir.url(&format!("/predictions/{model}"))]));

    wait_for_looks(&weir, 1);
    manage("POST", "/models?url=alpha.mar&initial_workers=1&synchronous=true");
    wait_until(&weir, "alpha", "loaded");
    predict("alpha");
    predict("alpha");
    let scrape = weir.settled(2);
    assert_eq!(scrape.starts("alpha"), Starts { cold: 1, hot: 1, unknown: 0 }, "it was in no list before");
    wait_loaded(&weir, "alpha", 1.0);
    wait_memory(&weir, "alpha", true);

    manage("PUT", "/models/alpha?min_worker=0&max_worker=0&synchronous=true");
    wait_loaded(&weir, "alpha", 0.0);
    wait_memory(&weir, "alpha", false);
    manage("PUT", "/models/alpha?min_worker=1&max_worker=1&synchronous=true");
    predict("alpha");
    assert_eq!(weir.settled(3).cold_starts("alpha"), [("state", 2)]);
    manage("DELETE", "/models/alpha");
    wait_loaded(&weir, "alpha", 0.0);

    manage("POST", "/models?url=gamma.mar&initial_workers=0");
    wait_until(&weir, "gamma", "unloaded");
    manage("PUT", "/models/gamma?min_worker=1");
    wait_until(&weir, "gamma", "loading");
    predict("gamma");
    predict("gamma");
    let scrape = weir.settled(5);
    assert_eq!(scrape.starts("gamma"), Starts { cold: 1, hot: 1, unknown: 0 }, "it waited for the worker");
    assert_eq!(scrape.cold_starts("gamma"), [("state", 1)]);
}

#[test]
fn mms_models_are_seen_to_come_and_go_with_their_memory() {
    let [port] = ports();
    let direct = format!("http://127.0.0.1:{port}");
    let mut server = Server::start("mms", &[port], &[]);
    server.wait_ready(&format!("{direct}/ping"));
    let weir = before("mms", &direct, &direct);
    let load = || {
        let body = json!({ "model_name": "alpha", "url": lab().join("mms/models/alpha") }).to_string();
        let json = "content-type: application/json";
        ok(&curl(&["--header", json, "--data-raw", &body, &format!("{direct}/models")]));
    };
    let invoke = || {
        let text = "content-type: text/plain";
        ok(&curl(&["--header", text, "--data-raw", "hello", &weir.url("/models/alpha/invoke")]));
    };

    wait_for_looks(&weir, 1);
    load();
    wait_until(&weir, "alpha", "loaded");
    invoke();
    invoke();
    let scrape = weir.settled(2);
    assert_eq!(scrape.starts("alpha"), Starts { cold: 1, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("alpha"), [("state", 1)]);
    wait_loaded(&weir, "alpha", 1.0);
    wait_memory(&weir, "alpha", true);

    ok(&curl(&["--request", "DELETE", &format!("{direct}/models/alpha")]));
    wait_loaded(&weir, "alpha", 0.0);
    wait_memory(&weir, "alpha", false);
    load();
    invoke();
    assert_eq!(weir.settled(3).cold_starts("alpha"), [("state", 2)]);
}
