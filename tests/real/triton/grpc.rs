//! The same over gRPC, by NVIDIA's own client (`tritonclient`): unary calls and the stream, in the clear and over TLS.

use serde_json::{Value, json};
use weir_tests::authority::Authority;

use crate::kit::{Server, Starts, Weir, client_of, eventually, ports};

/// Triton, and weir in front of its gRPC port, listening in the clear and over TLS.
struct Pair {
    weir: Weir,
    authority: Authority,
    _server: Server,
}

impl Pair {
    #[track_caller]
    fn start() -> Self {
        let [http, grpc] = ports();
        let mut server = Server::start("triton", &[http, grpc], &[]);
        server.wait_ready(&format!("http://127.0.0.1:{http}/v2/health/ready"));
        let authority = Authority::new();
        let files = authority.sign("weir", &["localhost"]);
        let [secure] = ports();
        let weir = Weir::serve_file(&format!(
            "listeners:
- {{name: clear}}
- name: secure
  address: 127.0.0.1:{secure}
  tls: {{certificates: [{{cert: {}, key: {}}}]}}
backends:
- {{name: triton, dialect: triton, endpoints: ['http://127.0.0.1:{grpc}']}}
",
            files.cert, files.key
        ));
        Self { weir, authority, _server: server }
    }

    fn clear(&self, steps: &[&str]) -> Vec<Value> {
        call(&self.weir.address_of("clear"), "-", steps)
    }

    fn secure(&self, steps: &[&str]) -> Vec<Value> {
        // The certificate's name is not the address's.
        let address = self.weir.address_of("secure").replace("127.0.0.1", "localhost");
        call(&address, &self.authority.ca(), steps)
    }
}

fn call(address: &str, ca: &str, steps: &[&str]) -> Vec<Value> {
    client_of("wires", "triton_grpc.py", &[&[address, ca], steps].concat())
}

fn status(answer: &Value) -> &str {
    answer["status"].as_str().unwrap()
}

#[test]
fn a_model_loaded_over_grpc_is_cold_once_and_its_status_is_the_outcome() {
    let pair = Pair::start();
    let mut answers = pair.clear(&["infer:alpha", "load:alpha", "infer:alpha", "infer:alpha"]);
    eventually("alpha known", || pair.weir.scrape().models() == ["alpha"]);
    answers.extend(pair.clear(&["infer:alpha:-1", "infer:nosuch", "unload:alpha", "infer:alpha"]));
    let statuses: Vec<_> = answers.iter().map(status).collect();
    let [not_found, ok, internal] = ["StatusCode.NOT_FOUND", "StatusCode.OK", "StatusCode.INTERNAL"];
    assert_eq!(statuses, [not_found, ok, ok, ok, internal, not_found, ok, not_found]);
    assert_eq!(answers[2]["value"], json!([2.0, 4.0]), "the tensors came through both ways");
    assert_eq!(answers[4]["message"], "boom", "the model's own words");

    let scrape = pair.weir.settled(8);
    assert_eq!(scrape.outcomes("alpha"), [("client_error", 1), ("ok", 2), ("server_error", 1)]);
    assert_eq!(
        scrape.outcomes("__unknown__"),
        [("client_error", 2)],
        "asked for before any success, or not there"
    );
    assert_eq!(scrape.outcomes("__control__"), [("ok", 2)]);
    assert_eq!(scrape.starts("alpha"), Starts { cold: 1, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("alpha"), [("lifecycle", 1)]);
    assert_eq!(scrape.of_model("weir_model_evictions_total", "alpha"), 1.0);
    assert_eq!(scrape.models(), ["alpha"], "no name from a message that no model answered");
}

#[test]
fn a_stream_of_inferences_passes_both_ways_at_once() {
    let pair = Pair::start();
    let answers = pair.clear(&["load:alpha", "stream:alpha,nosuch,alpha"]);
    let nosuch = "Request for unknown model: 'nosuch' is not found";
    assert_eq!(answers[1], json!([[2.0, 4.0], nosuch, [2.0, 4.0]]));
    let scrape = pair.weir.settled(2);
    assert_eq!(
        scrape.outcomes("__none__"),
        [("ok", 1)],
        "each message may name another model: the call has none"
    );
}

#[test]
fn it_is_the_same_over_tls() {
    let pair = Pair::start();
    let answers = pair.secure(&["load:beta", "infer:beta", "infer:beta", "infer:nosuch", "stream:beta,beta"]);
    assert_eq!(answers[1]["value"], json!([2.0, 4.0]));
    assert_eq!(status(&answers[3]), "StatusCode.NOT_FOUND");
    assert_eq!(answers[4], json!([[2.0, 4.0], [2.0, 4.0]]));

    let scrape = pair.weir.settled(5);
    assert_eq!(scrape.outcomes("beta"), [("ok", 2)]);
    assert_eq!(scrape.starts("beta"), Starts { cold: 1, hot: 1, unknown: 0 });
    assert_eq!(scrape.cold_starts("beta"), [("lifecycle", 1)]);
    assert!(scrape.count("weir_http_connections_total", &[("listener", "secure"), ("protocol", "h2")]) > 0);
}
