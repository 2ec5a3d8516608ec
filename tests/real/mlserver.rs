//! MLServer: KServe's protocol v2 over REST and gRPC, its repository, and its index, which is asked.

use std::process::Command;

use serde_json::json;

use crate::kit::{Reply, Server, Starts, Weir, curl, eventually, here, lab, ports};

const BODY: &str = r#"{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1.0,2.0]}]}"#;

struct Bench {
    weir: Weir,
    direct: String,
    _server: Server,
}

/// MLServer behind weir: REST is one backend, gRPC, at a port of its own, another.
fn bench(state: &str) -> Bench {
    let [http, grpc, metrics] = ports();
    let direct = format!("http://127.0.0.1:{http}");
    let mut server = Server::start("mlserver", &[http, grpc, metrics], &[]);
    server.wait_ready(&format!("{direct}/v2/health/live"));
    let weir = Weir::serve_file(&format!(
        "backends:\n- {{name: rest, dialect: kserve-v2, endpoints: [\"{direct}\"], state: {{{state}}}}}\n\
         - {{name: grpc, dialect: kserve-v2, endpoints: [\"http://127.0.0.1:{grpc}\"]}}\n\
         routes:\n- {{path_prefix: /inference.GRPCInferenceService/, backend: grpc}}\n- {{backend: rest}}\n"
    ));
    Bench { weir, direct, _server: server }
}

fn post(url: &str, body: &str) -> Reply {
    curl(&["--header", "content-type: application/json", "--data-raw", body, url])
}

impl Bench {
    #[track_caller]
    fn infer(&self, model: &str) {
        let reply = post(&self.weir.url(&format!("/v2/models/{model}/infer")), BODY);
        assert_eq!(
            (reply.status, &reply.json()["outputs"][0]["data"]),
            (200, &json!([2.0, 4.0])),
            "{reply:?}"
        );
    }

    #[track_caller]
    fn manage(&self, base: &str, model: &str, verb: &str) {
        let reply = post(&format!("{base}/v2/repository/models/{model}/{verb}"), "{}");
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    fn resident(&self, model: &str) -> serde_json::Value {
        let told = self.weir.admin(&format!("/api/v1/residency?backend=rest&model={model}")).json();
        told["residency"].get(0).cloned().unwrap_or_default()
    }
}

#[test]
fn loads_requests_and_unloads_through_weir_are_counted_and_every_start_is_known() {
    let bench = bench("poll: off");
    let through = bench.weir.url("");
    let unloaded = post(&bench.weir.url("/v2/models/alpha/infer"), BODY);
    assert_eq!(unloaded.status, 404, "{unloaded:?}");
    bench.manage(&through, "alpha", "load");
    bench.infer("alpha");
    bench.infer("alpha");
    bench.manage(&through, "alpha", "unload");
    assert_eq!(bench.resident("alpha")["state"], "unloaded");
    bench.manage(&through, "alpha", "load");
    bench.infer("alpha");
    let known = bench.resident("alpha");
    assert_eq!([&known["state"], &known["evidence"]], [&json!("loaded"), &json!("lifecycle")]);

    let scrape = bench.weir.scrape();
    assert_eq!(scrape.starts("alpha"), Starts { cold: 2, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("alpha"), [("lifecycle", 2)]);
    assert_eq!(scrape.of_model("weir_model_loads_total", "alpha"), 2.0);
    assert_eq!(scrape.of_model("weir_model_evictions_total", "alpha"), 1.0);
    assert_eq!(scrape.of_model("weir_model_reloads_total", "alpha"), 1.0);

    bench.manage(&through, "telling", "load");
    bench.infer("telling");
    bench.infer("telling");
    let scrape = bench.weir.scrape();
    assert_eq!(scrape.cold_starts("telling"), [("header", 1)], "MLServer passes a model's headers on");
    assert_eq!(scrape.starts("telling"), Starts { cold: 1, hot: 1, unknown: 0 });
}

#[test]
fn its_index_tells_what_it_holds_while_loads_go_past_weir() {
    let bench = bench("poll: auto, interval: 200ms");
    eventually("gamma unloaded", || bench.resident("gamma")["state"] == "unloaded");
    let url = format!("{}/v2/repository/models/gamma/load", bench.direct);
    let loading = std::thread::spawn(move || post(&url, "{}").status);
    eventually("gamma loading", || bench.resident("gamma")["state"] == "loading");
    eventually("gamma loaded", || bench.resident("gamma")["state"] == "loaded");
    assert_eq!(loading.join().unwrap(), 200);
    bench.infer("gamma");
    bench.infer("gamma");
    let scrape = bench.weir.scrape();
    assert_eq!(scrape.starts("gamma"), Starts { cold: 1, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("gamma"), [("state", 1)]);
    bench.manage(&bench.direct, "gamma", "unload");
    eventually("the eviction to be counted", || {
        bench.weir.scrape().value("weir_model_evictions_total", &[("model", "gamma")]) == Some(1.0)
    });
    assert_eq!(bench.resident("gamma")["state"], "unloaded");
}

#[test]
fn grpc_calls_are_served_and_counted_under_their_model() {
    let bench = bench("poll: off");
    bench.manage(&bench.direct, "alpha", "load");
    let url = bench.weir.url("");
    let output = Command::new(lab().join("mlserver/venv/bin/python"))
        .arg(here().join("clients/kserve_grpc.py"))
        .args([url.trim_start_matches("http://").trim_end_matches('/'), "alpha", "3"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        said.trim(),
        "[[2.0, 4.0], [2.0, 4.0], [2.0, 4.0]]",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let scrape = bench.weir.scrape();
    assert_eq!(scrape.outcomes("alpha"), [("ok", 3)]);
    assert_eq!(scrape.count("weir_model_requests_total", &[("backend", "grpc"), ("model", "alpha")]), 3);
}
