//! A real Prometheus scrapes what is encoded, with and without native histograms, and its `histogram_quantile` agrees
//! with the exact quantile. Where Prometheus is not installed there is nothing to ask, and nothing is.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "helpers of a test fail it, and say what was not done"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use weir_telemetry::process::Process;
use weir_telemetry::{Exemplar, Format, Observation, Outcome, Settings, Snapshot, Start, Store};

/// Durations in nanoseconds with two peaks, and their exact quantiles by nearest rank.
fn durations() -> Vec<u64> {
    (0..5_000_u64)
        .map(|n| if n % 10 < 9 { 20_000_000 + n * 4_000 } else { 900_000_000 + n * 100_000 })
        .collect()
}

fn snapshot() -> Snapshot {
    let store = Store::with(Settings::default(), 1);
    let backend = store.backend("b");
    store.configure(backend, &["m".to_owned(), "quote\"back\\模".to_owned()]);
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    let model = recorder.resolve(backend, "m").unwrap();
    for duration_ns in durations() {
        recorder.begin(model);
        recorder.end(model, &Observation::new(Outcome::Ok, Start::Hot, duration_ns));
        recorder.exemplar(model, Start::Hot, Exemplar { trace: 7, duration_ns, unix_ms: 1_700_000_000_000 });
    }
    store.snapshot()
}

/// Answers every request with the metrics, in the format it asks for, and tells which.
fn serve(listener: &TcpListener, scraped: &Sender<Format>) {
    let (snapshot, process) = (snapshot(), Process::install());
    metrics::gauge!(weir_telemetry::names::READY.name).set(3.0);
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).unwrap_or(0) == 0 {
                break;
            }
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let accept = head.lines().find_map(|line| line.strip_prefix("Accept: ")).unwrap_or("");
        let format = Format::of_accept(accept);
        let body = format.encode(&snapshot, &process);
        let (kind, length) = (format.content_type(), body.len());
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        _ = stream.write_all(&[head.as_bytes(), &body].concat());
        if scraped.send(format).is_err() {
            return;
        }
    }
}

/// A Prometheus that scrapes every second; ended and its data removed with the value.
struct Prometheus {
    child: Child,
    folder: PathBuf,
    port: u16,
    scraped: Receiver<Format>,
}

impl Prometheus {
    fn start(name: &str, flags: &[&str]) -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        // Free a moment ago; Prometheus cannot be asked for any free one.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("weir-prometheus-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: weir, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            eprintln!("prometheus is not installed: nothing was asked");
            fs::remove_dir_all(folder).unwrap();
            return None;
        };
        let (sender, scraped) = channel();
        thread::spawn(move || serve(&listener, &sender));
        Some(Self { child, folder, port, scraped })
    }

    /// The value of an expression, as soon as it has one: asked again after each scrape.
    fn value(&self, expression: &str) -> f64 {
        for _ in 0..30 {
            self.scraped.recv_timeout(Duration::from_secs(30)).unwrap();
            if let Some(value) = self.ask(expression) {
                return value;
            }
        }
        panic!("{expression} has no value")
    }

    fn ask(&self, expression: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        write!(stream, "GET /api/v1/query?query={encoded} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let value = answer.split("\"value\":[").nth(1)?.split('"').nth(1)?;
        value.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = fs::remove_dir_all(&self.folder);
    }
}

fn exact(q: f64) -> f64 {
    let mut durations = durations();
    durations.sort_unstable();
    durations[(q * durations.len() as f64).ceil() as usize - 1] as f64 / 1e9
}

#[test]
fn native_histograms_are_scraped_and_their_quantiles_agree_with_the_exact_ones() {
    let Some(prometheus) = Prometheus::start("native", &["--enable-feature=native-histograms"]) else {
        return;
    };
    for q in [0.5, 0.95, 0.99] {
        let value = prometheus
            .value(&format!("histogram_quantile({q}, weir_model_request_duration_seconds{{model=\"m\"}})"));
        // Prometheus interpolates within the bucket, which is 9.05 % wide.
        assert!((value - exact(q)).abs() <= exact(q) * 0.0905, "p{q}: {value} for {}", exact(q));
    }
    assert_eq!(prometheus.value("histogram_count(weir_model_request_duration_seconds)"), 5_000.0);
    assert_eq!(prometheus.value("weir_ready"), 3.0);
    assert_eq!(prometheus.value("weir_model_tier{model=\"quote\\\"back\\\\模\"}"), 1.0);
    assert_eq!(prometheus.scraped.recv_timeout(Duration::from_secs(30)).unwrap(), Format::Protobuf);
}

#[test]
fn classic_histograms_are_scraped_as_openmetrics_and_their_quantiles_lie_in_the_right_bucket() {
    let Some(prometheus) = Prometheus::start("classic", &[]) else { return };
    for (q, bucket) in [(0.5, 0.025..0.05), (0.95, 1.0..2.5)] {
        let value = prometheus.value(&format!(
            "histogram_quantile({q}, weir_model_request_duration_seconds_bucket{{model=\"m\"}})"
        ));
        assert!(bucket.contains(&value) && bucket.contains(&exact(q)), "p{q}: {value} for {}", exact(q));
    }
    assert_eq!(prometheus.value("weir_model_request_duration_seconds_count"), 5_000.0);
    assert_eq!(prometheus.value("weir_ready"), 3.0);
    assert_eq!(prometheus.value("weir_model_requests_total{model=\"m\"}"), 5_000.0);
    assert_eq!(prometheus.scraped.recv_timeout(Duration::from_secs(30)).unwrap(), Format::OpenMetrics);
}
