//! TorchServe 0.12.0 with inference and management on ports of their own, both behind one listener of weir.

use std::thread;
use std::time::Duration;

use crate::kit::{Reply, Server, Starts, Weir, curl, eventually, ports};

struct Pair {
    weir: Weir,
    management: String,
    _server: Server,
}

impl Pair {
    #[track_caller]
    fn start() -> Self {
        let ports: [u16; 5] = ports();
        let [inference, management, ..] = ports.map(|port| format!("http://127.0.0.1:{port}"));
        let mut server = Server::start("torchserve", &ports, &[]);
        server.wait_ready(&format!("{inference}/ping"));
        let weir = Weir::serve(&format!("torchserve={inference},management={management}"));
        Self { weir, management, _server: server }
    }

    fn manage(&self, method: &str, path: &str) -> Reply {
        curl(&["--request", method, &self.weir.url(path)])
    }

    fn predict(&self, model: &str) -> Reply {
        let url = self.weir.url(&format!("/predictions/{model}"));
        curl(&["--header", "content-type: text/plain", "--data-raw", "hello", &url])
    }

    /// Whether the model has a worker that was started and is not ready.
    fn is_loading(&self, model: &str) -> bool {
        let described = curl(&[&format!("{}/models/{model}", self.management)]);
        described.status == 200 && described.json()[0]["workers"][0]["status"] == "UNLOADING"
    }
}

#[test]
fn register_predict_unregister_are_told_apart_and_the_first_prediction_is_cold() {
    let pair = Pair::start();
    let register = "/models?url=alpha.mar&initial_workers=1&synchronous=true";

    assert_eq!(pair.predict("alpha").status, 404, "not registered yet");
    assert_eq!(pair.manage("POST", register).status, 200);
    for _ in 0..3 {
        let reply = pair.predict("alpha");
        assert_eq!((reply.status, &reply.json()["bytes"]), (200, &serde_json::json!(5)), "{reply:?}");
    }
    assert_eq!(pair.manage("POST", register).status, 409);
    assert_eq!(pair.predict("alpha").status, 200);
    assert_eq!(pair.manage("DELETE", "/models/alpha").status, 200);
    assert_eq!(pair.predict("alpha").status, 404);

    let scrape = pair.weir.settled(9);
    assert_eq!(scrape.outcomes("alpha"), [("client_error", 1), ("ok", 4)]);
    assert_eq!(scrape.outcomes("__unknown__"), [("client_error", 1)]);
    assert_eq!(scrape.outcomes("__control__"), [("client_error", 1), ("ok", 2)]);
    assert_eq!(scrape.starts("alpha"), Starts { cold: 1, hot: 3, unknown: 0 });
    assert_eq!(scrape.cold_starts("alpha"), [("lifecycle", 1)]);
    assert_eq!(scrape.of_model("weir_model_evictions_total", "alpha"), 1.0);
}

#[test]
fn a_prediction_that_waits_for_a_worker_to_start_is_cold() {
    let pair = Pair::start();
    assert_eq!(
        pair.manage("POST", "/models?url=gamma.mar&initial_workers=0").status,
        200,
        "registered, no worker"
    );
    assert_eq!(pair.predict("gamma").status, 503, "no worker");

    assert_eq!(
        pair.manage("PUT", "/models/gamma?min_worker=1").status,
        202,
        "the worker starts after the answer"
    );
    eventually("a starting worker", || pair.is_loading("gamma"));
    let waited = pair.predict("gamma");
    assert_eq!(waited.status, 200, "TorchServe lets it wait: {waited:?}");
    assert!(waited.took > Duration::from_millis(300), "it waited for the worker, {:?}", waited.took);
    assert_eq!(pair.predict("gamma").status, 200);

    let scrape = pair.weir.settled(5);
    assert_eq!(scrape.outcomes("gamma"), [("ok", 2)], "the 503 came before the name was known");
    assert_eq!(scrape.starts("gamma"), Starts { cold: 1, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("gamma"), [("lifecycle", 1)]);

    assert_eq!(pair.manage("PUT", "/models/gamma?min_worker=0&max_worker=0&synchronous=true").status, 200);
    assert_eq!(pair.predict("gamma").status, 503, "scaled to nothing");
    assert_eq!(pair.manage("PUT", "/models/gamma?min_worker=1&max_worker=1&synchronous=true").status, 200);
    assert_eq!(pair.predict("gamma").status, 200);

    let scrape = pair.weir.settled(9);
    assert_eq!(scrape.outcomes("gamma"), [("ok", 3), ("server_error", 1)], "the second 503 is this model's");
    assert_eq!(scrape.starts("gamma"), Starts { cold: 2, hot: 1, unknown: 0 }, "scaling to nothing unloads");
}

#[test]
fn a_load_without_memory_is_507_and_a_handlers_header_is_evidence() {
    let pair = Pair::start();
    assert_eq!(pair.manage("POST", "/models?url=oomy.mar&initial_workers=1&synchronous=true").status, 507);
    let direct = format!("{}/models?url=delta.mar&initial_workers=1&synchronous=true", pair.management);
    assert_eq!(
        curl(&["--request", "POST", &direct]).status,
        200,
        "past weir, which so knows nothing of the load"
    );

    thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| pair.predict("delta").status)).collect();
        assert!(all.into_iter().all(|request| request.join().unwrap() == 200));
    });

    let scrape = pair.weir.settled(5);
    assert_eq!(scrape.outcomes("delta"), [("ok", 4)]);
    assert_eq!(scrape.starts("delta"), Starts { cold: 1, hot: 3, unknown: 0 });
    assert_eq!(scrape.cold_starts("delta"), [("header", 1)]);
}
