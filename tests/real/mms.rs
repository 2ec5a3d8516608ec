//! Multi Model Server 1.1.11 in the seat it has in SageMaker's multi-model container.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::kit::{Reply, Server, Starts, Weir, curl, eventually, lab, ports};

/// MMS and weir in front of it.
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
        let mut server = Server::start("mms", &[port], &[]);
        server.wait_ready(&format!("{direct}/ping"));
        Self { weir: Weir::serve(&format!("mms={direct}")), direct, _server: server }
    }

    fn load(&self, model: &str) -> Reply {
        load(&self.weir.url(""), model, model)
    }

    fn invoke(&self, model: &str, body: &str) -> Reply {
        invoke(&self.weir, model, body)
    }

    fn unload(&self, model: &str) -> Reply {
        curl(&["--request", "DELETE", &self.weir.url(&format!("/models/{model}"))])
    }
}

/// Loads the toy model of that name under a name of the caller's choice.
fn load(base: &str, name: &str, model: &str) -> Reply {
    let folder = lab().join("mms/models").join(model);
    let body = json!({ "model_name": name, "url": folder }).to_string();
    curl(&["--header", "content-type: application/json", "--data-raw", &body, &format!("{base}/models")])
}

/// As text: of a form, which is curl's default, MMS hands the fields to the model and not the body.
fn invoke(weir: &Weir, model: &str, body: &str) -> Reply {
    let url = weir.url(&format!("/models/{model}/invoke"));
    curl(&["--header", "content-type: text/plain", "--data-raw", body, &url])
}

#[test]
fn every_request_is_counted_under_its_model_and_the_first_after_a_load_is_cold() {
    let pair = Pair::start();

    assert_eq!(pair.invoke("alpha", "hello").status, 404, "not loaded yet");
    assert_eq!(pair.load("alpha").status, 200);
    for _ in 0..3 {
        let reply = pair.invoke("alpha", "hello");
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["bytes"], 5, "the body came through");
    }
    let again = pair.load("alpha");
    assert_eq!(again.status, 409);
    assert_eq!(again.json()["type"], "ConflictStatusException", "the server's own words");
    assert_eq!(pair.invoke("alpha", "hello").status, 200);
    let failed = pair.invoke("alpha", "boom");
    assert_eq!((failed.status, &failed.json()["message"]), (503, &json!("Prediction failed")));
    assert_eq!(pair.invoke("alpha", "oom").status, 507, "no memory for this inference");

    let scrape = pair.weir.settled(9);
    assert_eq!(
        scrape.outcomes("__unknown__"),
        [("client_error", 1)],
        "the 404, when the name was not known yet"
    );
    assert_eq!(scrape.outcomes("__control__"), [("client_error", 1), ("ok", 1)], "the loads");
    assert_eq!(
        scrape.outcomes("alpha"),
        [("not_ready", 1), ("ok", 4), ("server_error", 1)],
        "the 507 is a model without memory, the 503 a failed prediction"
    );
    assert_eq!(
        scrape.starts("alpha"),
        Starts { cold: 1, hot: 3, unknown: 0 },
        "a load refused with 409 makes nothing cold"
    );
    assert_eq!(scrape.cold_starts("alpha"), [("lifecycle", 1)]);

    let listed = pair.weir.model("alpha");
    assert_eq!(listed["backend"], "mms", "{listed}");
}

#[test]
fn a_request_that_waits_for_a_running_load_is_cold_and_an_unload_makes_the_next_one_cold_again() {
    let pair = Pair::start();

    thread::scope(|scope| {
        let load = scope.spawn(|| pair.load("gamma"));
        eventually("loading gamma", || curl(&[&format!("{}/models/gamma", pair.direct)]).status == 200);
        let waited = pair.invoke("gamma", "hello");
        assert_eq!(waited.status, 200, "MMS lets it wait: {waited:?}");
        assert!(waited.took > Duration::from_millis(300), "it waited for the load, {:?}", waited.took);
        assert_eq!(load.join().unwrap().status, 200);
    });
    assert_eq!(pair.invoke("gamma", "hello").status, 200);

    let scrape = pair.weir.settled(3);
    assert_eq!(scrape.outcomes("gamma"), [("ok", 2)]);
    assert_eq!(scrape.starts("gamma"), Starts { cold: 1, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("gamma"), [("lifecycle", 1)]);
    assert_eq!(scrape.of_model("weir_model_loads_total", "gamma"), 1.0);
    let took = scrape.of_model("weir_model_last_load_seconds", "gamma");
    assert!((1.5..30.0).contains(&took), "the toy model takes 1.5 s to load, weir saw {took} s");

    assert_eq!(pair.unload("gamma").status, 200);
    assert_eq!(pair.invoke("gamma", "hello").status, 404, "unloaded");
    assert_eq!(pair.load("gamma").status, 200);
    assert_eq!(pair.invoke("gamma", "hello").status, 200);

    let scrape = pair.weir.settled(7);
    assert_eq!(scrape.outcomes("gamma"), [("client_error", 1), ("ok", 3)]);
    assert_eq!(scrape.starts("gamma"), Starts { cold: 2, hot: 1, unknown: 0 });
    assert_eq!(scrape.of_model("weir_model_evictions_total", "gamma"), 1.0);
    assert_eq!(scrape.of_model("weir_model_loads_total", "gamma"), 2.0);
}

#[test]
fn a_load_that_does_not_fit_passes_through_as_507_and_mints_no_series() {
    let pair = Pair::start();

    let refused = pair.load("oomy");
    assert_eq!(refused.status, 507);
    assert_eq!(refused.json()["code"], 507, "the server's own words");
    assert_eq!(pair.load("alpha").status, 200, "the next request is unharmed");
    assert_eq!(pair.invoke("alpha", "hello").status, 200);
    assert_eq!(pair.unload("oomy").status, 200, "MMS keeps the name of a model that failed to load");

    let scrape = pair.weir.settled(4);
    assert_eq!(scrape.outcomes("__control__"), [("not_ready", 1), ("ok", 2)]);
    assert_eq!(scrape.outcomes("alpha"), [("ok", 1)]);
    assert_eq!(scrape.models(), ["alpha"]);
}

#[test]
fn the_platforms_opaque_name_loads_and_the_target_model_header_names() {
    let pair = Pair::start();
    let hash = "9c5d3a2f4b6e";
    let url = pair.weir.url(&format!("/models/{hash}/invoke"));
    let invoke = || {
        curl(&["--header", "X-Amzn-SageMaker-Target-Model: team/beta.tar.gz", "--data-raw", "hello", &url])
            .status
    };

    assert_eq!(load(&pair.weir.url(""), hash, "beta").status, 200);
    assert_eq!([invoke(), invoke()], [200, 200]);

    let scrape = pair.weir.settled(3);
    assert_eq!(scrape.outcomes("team/beta.tar.gz"), [("ok", 2)]);
    let expected = Starts { cold: 1, hot: 1, unknown: 0 };
    assert_eq!(scrape.starts("team/beta.tar.gz"), expected, "the load under the opaque name is this model's");
    assert_eq!(scrape.models(), ["team/beta.tar.gz"]);
}

#[test]
fn a_handler_that_says_cold_in_a_header_is_believed() {
    let pair = Pair::start();
    assert_eq!(
        load(&pair.direct, "delta", "delta").status,
        200,
        "past weir, which so knows nothing of the load"
    );
    assert_eq!(load(&pair.direct, "alpha", "alpha").status, 200);

    let first = pair.invoke("delta", "hello");
    assert_eq!(
        (first.status, first.header("x-model-cold")),
        (200, Some("true")),
        "the header reaches the caller"
    );
    assert_eq!(pair.invoke("delta", "hello").header("x-model-cold"), Some("false"));
    assert_eq!(pair.invoke("alpha", "hello").status, 200);

    let scrape = pair.weir.settled(3);
    assert_eq!(scrape.outcomes("delta"), [("ok", 2)]);
    assert_eq!(scrape.starts("delta"), Starts { cold: 1, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("delta"), [("header", 1)]);
    let took = scrape.of_model("weir_model_last_load_seconds", "delta");
    assert!((0.3..10.0).contains(&took), "X-Model-Load-Ms said about 300, weir says {took} s");
    assert_eq!(
        scrape.starts("alpha"),
        Starts { cold: 0, hot: 0, unknown: 1 },
        "nobody said: not guessed into hot"
    );
}

#[test]
fn a_header_of_the_users_own_decides() {
    let pair = Pair::start();
    assert_eq!(load(&pair.direct, "delta", "delta").status, 200);
    let weir = Weir::serve_file(&format!(
        "
version: 1
backends:
  - name: models
    dialect: mms
    endpoints: [{}]
    starts:
      headers:
        - header: X-Model-Load-Ms
          above: 100
          load_time: true
",
        pair.direct
    ));

    assert_eq!([invoke(&weir, "delta", "a").status, invoke(&weir, "delta", "b").status], [200, 200]);

    let scrape = weir.settled(2);
    assert_eq!(scrape.cold_starts("delta"), [("header", 1)]);
    assert_eq!(weir.model("delta")["backend"], "models");
    assert!(weir.stop().success(), "SIGTERM ends it in order");
}
