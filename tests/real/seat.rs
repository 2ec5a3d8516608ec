//! The container seat with the real servers of SageMaker's multi-model containers as the command: MMS, and Triton's own SageMaker
//! port. Every load, request and unload of the platform passes weir, so that what it counts is exact.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::kit::{Reply, Starts, Weir, curl, eventually, lab};

/// The platform calls a model by a hash in the path; the header has the name that people know.
const HASH: &str = "d1a4f0c2e3b5968778695a4b3c2d1e0f";

/// The platform, as it talks to a container.
struct Platform {
    weir: Weir,
}

impl Platform {
    /// `weir serve -- tests/real/start KIND`, at a port of the safe range.
    #[track_caller]
    fn start(kind: &str) -> Self {
        let weir = Weir::seat(kind);
        let early = curl(&["--max-time", "5", &weir.url("/ping")]);
        assert!(matches!(early.status, 200 | 502 | 504), "while the server starts: {early:?}");
        assert!(early.took < Duration::from_secs(4), "it never hangs: {early:?}");
        eventually("healthy server", || curl(&["--max-time", "5", &weir.url("/ping")]).status == 200);
        Self { weir }
    }

    fn load(&self, model: &str, folder: &PathBuf, header: bool) -> Reply {
        let body = json!({ "model_name": model, "url": folder }).to_string();
        let target = format!("x-amzn-sagemaker-target-model: {NAME}");
        let named: &[&str] = if header { &["--header", &target] } else { &[] };
        let url = self.weir.url("/models");
        curl(&[named, &["--header", "content-type: application/json", "--data-raw", &body, &url]].concat())
    }

    fn invoke(&self, model: &str, kind: &str, body: &str) -> Reply {
        let target = format!("x-amzn-sagemaker-target-model: {NAME}");
        let url = self.weir.url(&format!("/models/{model}/invoke"));
        curl(&["--header", &target, "--header", kind, "--data-raw", body, &url])
    }

    fn unload(&self, model: &str) -> Reply {
        // Triton knows the model by this name alone: without it an unload never ends.
        let target = format!("x-amzn-sagemaker-target-model: {NAME}");
        curl(&["--request", "DELETE", "--header", &target, &self.weir.url(&format!("/models/{model}"))])
    }
}

const NAME: &str = "alpha.tar.gz";

#[test]
fn in_the_seat_of_mms_every_load_request_and_eviction_is_counted_under_its_name() {
    let platform = Platform::start("mms");
    let folder = lab().join("mms/models/alpha");
    let text = "content-type: text/plain";

    assert_eq!(platform.load(HASH, &folder, false).status, 200);
    assert_eq!(platform.load(HASH, &folder, false).status, 409, "loaded already");
    for _ in 0..3 {
        let reply = platform.invoke(HASH, text, "hello");
        assert_eq!((reply.status, &reply.json()["bytes"]), (200, &json!(5)), "{reply:?}");
    }
    assert_eq!(platform.load("00", &lab().join("mms/models/oomy"), false).status, 507, "no memory");
    assert_eq!(platform.unload(HASH).status, 200);
    assert_eq!(platform.load(HASH, &folder, false).status, 200);
    assert_eq!(platform.invoke(HASH, text, "hello").status, 200);

    let scrape = platform.weir.scrape();
    assert_eq!(scrape.outcomes(NAME), [("ok", 4)], "under the name that people know");
    assert_eq!(scrape.starts(NAME), Starts { cold: 2, hot: 2, unknown: 0 });
    assert_eq!(scrape.cold_starts(NAME), [("lifecycle", 2)]);
    assert_eq!(scrape.of_model("weir_model_loads_total", NAME), 2.0);
    assert_eq!(scrape.of_model("weir_model_evictions_total", NAME), 1.0);
    // tests/real/start ends MMS and says 143, as a shell does of SIGTERM.
    assert_eq!(platform.weir.stop().code(), Some(143), "the server's code is weir's");
}

#[test]
fn in_the_seat_of_triton_every_load_request_and_eviction_is_counted_under_its_name() {
    let platform = Platform::start("triton_sagemaker");
    // The platform unpacks a model's archive into `HASH/model`; in it is a folder as Triton wants it (no link: Triton looks past those).
    let unpacked = platform.weir.folder().join(HASH).join("model");
    let inner = unpacked.join("alpha");
    fs::create_dir_all(&inner).unwrap();
    let model = lab().join("triton/models/alpha");
    symlink(model.join("1"), inner.join("1")).unwrap();
    // Its name is the platform's, and not what stands in the file.
    let settings = fs::read_to_string(model.join("config.pbtxt")).unwrap().replace("name: \"alpha\"", "");
    fs::write(inner.join("config.pbtxt"), settings).unwrap();
    let body =
        json!({ "inputs": [{ "name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0] }] })
            .to_string();
    let kind = "content-type: application/json";

    assert_eq!(platform.invoke(HASH, kind, &body).status, 404, "not loaded yet");
    assert_eq!(platform.load(HASH, &unpacked, true).status, 200);
    assert_eq!(platform.load(HASH, &unpacked, true).status, 409);
    for _ in 0..3 {
        let reply = platform.invoke(HASH, kind, &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["outputs"][0]["data"], json!([2.0, 4.0]));
    }
    assert_eq!(platform.unload(HASH).status, 200);

    let scrape = platform.weir.scrape();
    assert_eq!(scrape.outcomes(NAME), [("ok", 3)]);
    assert_eq!(scrape.starts(NAME), Starts { cold: 1, hot: 2, unknown: 0 });
    assert_eq!(scrape.of_model("weir_model_loads_total", NAME), 1.0);
    assert_eq!(scrape.of_model("weir_model_evictions_total", NAME), 1.0);
    assert_eq!(platform.weir.stop().code(), Some(143));
}
