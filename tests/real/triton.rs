//! NVIDIA Triton 2.51.0 with its Python backend, over HTTP, models loaded by the repository API.

mod grpc;

use std::thread;
use std::time::Duration;

use crate::kit::{Reply, Server, Starts, Weir, curl, eventually, ports};

const BODY: &str = r#"{"id":"q-1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.0,2.0]}]}"#;

struct Pair {
    weir: Weir,
    direct: String,
    _server: Server,
}

impl Pair {
    #[track_caller]
    fn start() -> Self {
        let [port] = ports();
        let direct = format!("http://127.0.0.1:{port}");
        let mut server = Server::start("triton", &[port], &[]);
        server.wait_ready(&format!("{direct}/v2/health/ready"));
        Self { weir: Weir::serve(&format!("triton={direct}")), direct, _server: server }
    }

    fn infer(&self, model: &str) -> Reply {
        let url = self.weir.url(&format!("/v2/models/{model}/infer"));
        curl(&["--header", "content-type: application/json", "--data-raw", BODY, &url])
    }

    fn repository(&self, model: &str, verb: &str) -> Reply {
        curl(&["--request", "POST", &self.weir.url(&format!("/v2/repository/models/{model}/{verb}"))])
    }

    fn state(&self, model: &str) -> String {
        let index = curl(&["--request", "POST", &format!("{}/v2/repository/index", self.direct)]).json();
        let entries = index.as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["name"] == model).unwrap();
        entry["state"].as_str().unwrap_or_default().to_owned()
    }
}

#[test]
fn a_model_loaded_through_weir_answers_cold_once_and_then_hot() {
    let pair = Pair::start();

    assert_eq!(pair.infer("alpha").status, 404, "in the repository, not loaded");
    assert_eq!(pair.repository("alpha", "load").status, 200);
    for _ in 0..4 {
        let reply = pair.infer("alpha");
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(
            reply.json()["outputs"][0]["data"],
            serde_json::json!([2.0, 4.0]),
            "the body came through both ways"
        );
    }
    assert_eq!(pair.repository("alpha", "unload").status, 200);
    eventually("unloaded alpha", || pair.state("alpha") == "UNAVAILABLE");
    assert_eq!(pair.infer("alpha").status, 404);
    assert_eq!(pair.repository("alpha", "load").status, 200);
    assert_eq!(pair.infer("alpha").status, 200);

    let scrape = pair.weir.settled(10);
    assert_eq!(scrape.outcomes("alpha"), [("client_error", 1), ("ok", 5)]);
    assert_eq!(scrape.outcomes("__unknown__"), [("client_error", 1)]);
    assert_eq!(scrape.outcomes("__control__"), [("ok", 3)]);
    assert_eq!(scrape.starts("alpha"), Starts { cold: 2, hot: 3, unknown: 0 }, "one cold after each load");
    assert_eq!(scrape.cold_starts("alpha"), [("lifecycle", 2)]);
    assert_eq!(scrape.of_model("weir_model_evictions_total", "alpha"), 1.0);
    assert_eq!(scrape.of_model("weir_model_loads_total", "alpha"), 2.0);
}

#[test]
fn a_model_that_is_loading_is_refused_by_triton_and_cold_once_it_is_there() {
    let pair = Pair::start();

    thread::scope(|scope| {
        let load = scope.spawn(|| pair.repository("gamma", "load"));
        eventually("loading gamma", || pair.state("gamma") == "LOADING");
        let early = pair.infer("gamma");
        assert_eq!(early.status, 404, "Triton does not let it wait");
        assert!(early.took < Duration::from_secs(1), "it is refused at once");
        assert_eq!(load.join().unwrap().status, 200);
    });
    assert_eq!([pair.infer("gamma").status, pair.infer("gamma").status], [200, 200]);

    let scrape = pair.weir.settled(4);
    assert_eq!(scrape.starts("gamma"), Starts { cold: 1, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("gamma"), [("lifecycle", 1)]);
    let took = scrape.of_model("weir_model_last_load_seconds", "gamma");
    assert!((1.5..30.0).contains(&took), "the toy model takes 1.5 s to load, weir saw {took} s");
}

#[test]
fn unknown_models_and_failed_loads_mint_no_series() {
    let pair = Pair::start();

    let failed = pair.repository("oomy", "load");
    assert_eq!(failed.status, 400);
    assert!(failed.body.contains("the toy model does not fit"), "the server's own words: {failed:?}");
    assert_eq!(pair.repository("alpha", "load").status, 200);
    assert_eq!(pair.infer("alpha").status, 200);
    for number in 0..50 {
        assert_eq!(pair.infer(&format!("nosuch-{number}")).status, 404);
    }

    let scrape = pair.weir.settled(53);
    assert_eq!(scrape.outcomes("__unknown__"), [("client_error", 50)]);
    assert_eq!(scrape.models(), ["alpha"]);
}
