//! Metrics that are pushed: what a collector gets, what happens when it does not take it, and what CloudWatch's lines say.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;
use weir_config::{Compression, Config, Credentials, Emf, ExportSign, Otlp, Remote, Url};
use weir_tests::backend::{self, Backend};
use weir_tests::client;
use weir_tests::gateway::{self, Gateway};

const PATIENCE: Duration = Duration::from_secs(30);

/// Says what `answer` does for each try, counted from 0, and hands heads and bodies to the test.
fn collector(
    answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> (SocketAddr, Receiver<(String, Vec<u8>)>) {
    let (told, hears) = channel();
    let (told, tries) = (Mutex::new(told), AtomicUsize::new(0));
    let collector = Backend::answering(move |seen| {
        let _ = told.lock().unwrap().send((seen.head.to_ascii_lowercase(), seen.body.clone()));
        answer(tries.fetch_add(1, Ordering::Relaxed))
    });
    (collector.address, hears)
}

fn pushing(collector: SocketAddr) -> Otlp {
    let to = format!("http://{collector}/v1/metrics").parse::<Url>().unwrap();
    Otlp { to: Some(Remote::from(to)), interval: Some(Duration::from_secs(1)), ..Otlp::default() }
}

fn serving(change: impl FnOnce(&mut Config)) -> Gateway {
    let gateway = Gateway::with("triton", Backend::fine().address, change);
    assert_eq!(client::post(gateway.address, "/v2/models/resnet/infer", "{}").status, 200);
    gateway
}

fn pushes(gateway: &Gateway, exporter: &str, result: &str) -> f64 {
    gateway.value(&format!("weir_exporter_pushes_total{{exporter=\"{exporter}\",result=\"{result}\"}}"))
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_collector_gets_every_model_in_a_compressed_message_and_again_at_each_interval() {
    let (address, hears) = collector(|_| backend::ok(""));
    let gateway = serving(|config| config.export.otlp = Some(pushing(address)));
    let named = |body: &[u8]| {
        let mut message = Vec::new();
        GzDecoder::new(body).read_to_end(&mut message).unwrap();
        has(&message, "weir_model_requests_total") && has(&message, "resnet") && has(&message, "weir_ready")
    };
    for _ in 0..2 {
        let (head, body) = hears.recv_timeout(PATIENCE).unwrap();
        assert!(head.starts_with("post /v1/metrics http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
        assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
        assert!(named(&body));
    }
    gateway::wait("pushes are counted", || pushes(&gateway, "otlp", "ok") >= 2.0);
    assert!(gateway.value("weir_exporter_last_success_timestamp_seconds{exporter=\"otlp\"}") > 1e9);
}

#[test]
fn a_collector_that_says_later_is_asked_again_and_one_that_says_no_is_told_so_in_the_metrics() {
    let (address, hears) = collector(|tried| match tried {
        0 => backend::answer("503 Service Unavailable", "retry-after: 1\r\n", "busy"),
        1 => backend::answer("400 Bad Request", "", "no"),
        2 => backend::answer("307 Temporary Redirect", "location: http://127.0.0.1:1/\r\n", ""),
        // One data point was not kept.
        _ => b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\x0a\x02\x08\x01".to_vec(),
    });
    let rejected_points = "weir_exporter_rejected_points_total{exporter=\"otlp\"}";
    let gateway = serving(|config| {
        config.export.otlp = Some(Otlp { compression: Some(Compression::None), ..pushing(address) });
    });
    let before = (pushes(&gateway, "otlp", "rejected"), gateway.value(rejected_points));
    for _ in 0..4 {
        let (head, body) = hears.recv_timeout(PATIENCE).unwrap();
        assert!(!head.contains("content-encoding") && has(&body, "resnet"), "{head}");
    }
    gateway::wait("each is counted", || {
        pushes(&gateway, "otlp", "unavailable") > 0.0
            && pushes(&gateway, "otlp", "rejected") >= before.0 + 1.0
            && gateway.value(rejected_points) > before.1
    });
}

#[test]
fn a_collector_that_is_down_costs_no_request_anything() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = serving(|config| config.export.otlp = Some(pushing(nobody)));
    gateway::wait("failures are counted", || pushes(&gateway, "otlp", "connect") > 0.0);
    assert_eq!(client::post(gateway.address, "/v2/models/resnet/infer", "{}").status, 200);
}

#[test]
fn messages_to_cloudwatch_are_signed() {
    let (address, hears) = collector(|_| backend::ok(""));
    // Which credentials there are is the environment's; without any nothing is sent unsigned.
    let is_there = std::env::var_os("AWS_ACCESS_KEY_ID").is_some();
    let gateway = serving(|config| {
        let sign = ExportSign {
            region: "eu-central-1".to_owned(),
            credentials: Credentials::Environment,
            ..ExportSign::default()
        };
        config.export.otlp = Some(Otlp { sign: Some(sign), ..pushing(address) });
    });
    if is_there {
        let (head, _) = hears.recv_timeout(PATIENCE).unwrap();
        assert!(head.contains("/eu-central-1/monitoring/aws4_request"), "{head}");
    } else {
        gateway::wait("that is counted", || pushes(&gateway, "otlp", "credentials") > 0.0);
        assert!(hears.try_recv().is_err());
    }
}

#[test]
fn what_happened_up_to_the_end_is_pushed_when_weir_has_drained() {
    let (address, hears) = collector(|_| backend::ok(""));
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display().to_string();
    let gateway = serving(|config| {
        let interval = Some(Duration::from_secs(300));
        config.export.otlp =
            Some(Otlp { interval, compression: Some(Compression::None), ..pushing(address) });
        config.export.emf = Some(Emf { path: Some(path), ..Emf::default() });
    });
    gateway.drain();
    gateway.wait_drained();
    assert!(has(&hears.recv_timeout(PATIENCE).unwrap().1, "resnet"));
    let text = std::fs::read_to_string(file.path()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["Model"] == "resnet" && line["Requests"] == 1), "{text}");
}

#[test]
fn cloudwatchs_lines_are_appended_and_a_file_that_cannot_be_written_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later/metrics.emf");
    let emf =
        Emf { path: Some(path.display().to_string()), interval: Duration::from_secs(1), ..Emf::default() };
    let gateway = serving(|config| config.export.emf = Some(emf));
    gateway::wait("the failure is counted", || pushes(&gateway, "emf", "disk") > 0.0);
    std::fs::create_dir(folder.path().join("later")).unwrap();
    gateway::wait("a line", || {
        client::post(gateway.address, "/v2/models/resnet/infer", "{}");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines().any(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["Model"] == "resnet" && line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Weir"
        })
    });
}
