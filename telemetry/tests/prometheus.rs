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
use weir_telemetry::{
    Exemplar, Format, Observation, Outcome, Pin, Reserved, Settings, Snapshot, Start, Store,
};

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

/// Answers every request with what `scrape` gives, in the format it asks for, and tells which.
fn serve(listener: &TcpListener, scraped: &Sender<Format>, mut scrape: impl FnMut() -> Snapshot) {
    let process = Process::install();
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
        let body = format.encode(&scrape(), &process);
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
    fn start(name: &str, flags: &[&str], scrape: impl FnMut() -> Snapshot + Send + 'static) -> Option<Self> {
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
        thread::spawn(move || serve(&listener, &sender, scrape));
        Some(Self { child, folder, port, scraped })
    }

    /// Waits until so many scrapes more were answered.
    fn pass(&self, scrapes: usize) {
        (0..scrapes).for_each(|_| _ = self.scraped.recv_timeout(Duration::from_secs(30)).unwrap());
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
    let told = snapshot();
    let native = ["--enable-feature=native-histograms"];
    let Some(prometheus) = Prometheus::start("native", &native, move || told.clone()) else {
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
    let told = snapshot();
    let Some(prometheus) = Prometheus::start("classic", &[], move || told.clone()) else { return };
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

/// Ten requests of `m` and ten of `n` before each scrape. There is room for one of the two: `m` has it first, loses it
/// after eight scrapes, and has it again after sixteen.
fn changing() -> impl FnMut() -> Snapshot {
    let store = Store::with(Settings { series_budget: 110, top_models: 0, ..Settings::default() }, 1);
    let backend = store.backend("b");
    let (recorder, mut minute) = (store.recorder(0), 0);
    move || {
        let pinned = if (8..16).contains(&minute) { "n" } else { "m" };
        store.pin(backend, Pin::Configured, &[pinned.to_owned()]);
        for name in ["m", "n"].into_iter().flat_map(|name| [name; 10]) {
            recorder.begin(recorder.reserved(backend, Reserved::Unknown));
            recorder
                .end(recorder.admit(backend, name), &Observation::new(Outcome::Ok, Start::Hot, 5_000_000));
        }
        minute += 1;
        store.tick(Duration::from_secs(60 * minute));
        store.snapshot()
    }
}

#[test]
fn a_model_that_leaves_goes_stale_and_one_that_returns_resumes_without_a_spike() {
    let Some(prometheus) = Prometheus::start("changing", &[], changing()) else { return };
    let of = |model: &str| format!("weir_model_requests_total{{model=\"{model}\",outcome=\"ok\"}}");
    prometheus.pass(7);
    assert!(prometheus.value(&of("m")) <= 90.0);
    prometheus.pass(6);
    assert_eq!(prometheus.ask(&of("m")), None, "it is stale");
    assert!(prometheus.ask(&of("n")).is_some());
    prometheus.pass(12);
    // It was away for eight scrapes, in which it was counted as __other__.
    let (m, other) = (prometheus.value(&of("m")), prometheus.value(&of("__other__")));
    assert!((100.0..=220.0).contains(&m) && other >= 80.0, "{m} and {other}");
    // 10 a second of each; scrapes come a little early and late, and a window's ends are extrapolated. A total that had
    // jumped by what was counted elsewhere would show as 4 times as much.
    for (expression, most) in [
        (format!("max_over_time(rate({}[4s])[40s:1s])", of("m")), 16.0),
        (format!("max_over_time(rate({}[12s])[40s:1s])", of("m")), 16.0),
        (format!("max_over_time(rate({}[12s])[40s:1s])", of("n")), 16.0),
        ("max_over_time(sum(rate(weir_model_requests_total{outcome=\"ok\"}[4s]))[40s:1s])".to_owned(), 32.0),
    ] {
        let rate = prometheus.value(&expression);
        assert!(rate > 5.0 && rate <= most, "{expression} = {rate}");
    }
}
