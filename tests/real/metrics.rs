//! The real promtool and the real Prometheus on weir's `/metrics`.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::kit::{Server, Weir, curl, eventually, lab, ports};

/// Triton with one loaded model and weir in front of it, which has seen `requests` good requests for it and one bad.
fn busy_weir(requests: usize) -> (Weir, Server) {
    let [port] = ports();
    let direct = format!("http://127.0.0.1:{port}");
    let mut server = Server::start("triton", &[port], &[]);
    server.wait_ready(&format!("{direct}/v2/health/ready"));
    let weir = Weir::serve(&format!("triton={direct}"));
    assert_eq!(curl(&["--request", "POST", &weir.url("/v2/repository/models/alpha/load")]).status, 200);
    let body = r#"{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1.0]}]}"#;
    for _ in 0..requests {
        assert_eq!(curl(&["--data-raw", body, &weir.url("/v2/models/alpha/infer")]).status, 200);
    }
    assert_eq!(curl(&["--data-raw", body, &weir.url("/v2/models/nosuch/infer")]).status, 404);
    (weir, server)
}

#[test]
fn promtool_finds_nothing_to_say_about_the_scrape() {
    let (weir, _server) = busy_weir(3);
    weir.settled(5);
    let reply = weir.admin("/metrics");
    assert!(
        reply.header("content-type").unwrap_or("").starts_with("text/plain; version=0.0.4"),
        "{:?}",
        reply.headers
    );

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: run tests/install promtool");
    promtool.stdin.take().unwrap().write_all(reply.body.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.is_empty(), "promtool says:\n{words}\nabout\n{}", reply.body);
}

#[test]
fn prometheus_scrapes_the_models_counts() {
    let (weir, _server) = busy_weir(7);
    weir.settled(9);
    let [port] = ports();
    let file = lab().join(format!("prometheus-{port}.yml"));
    let job = format!("{{job_name: weir, static_configs: [{{targets: ['{}']}}]}}", weir.admin_address());
    fs::write(&file, format!("global: {{scrape_interval: 1s}}\nscrape_configs: [{job}]\n")).unwrap();
    let mut prometheus = Server::start("prometheus", &[port], &[file.to_str().unwrap()]);
    prometheus.wait_ready(&format!("http://127.0.0.1:{port}/-/ready"));
    fs::remove_file(&file).unwrap();

    let ask = |query: &str| {
        let url = format!("http://127.0.0.1:{port}/api/v1/query");
        let reply = curl(&["--get", "--data-urlencode", &format!("query={query}"), &url]).json();
        reply["data"]["result"][0]["value"][1].as_str().and_then(|value| value.parse::<f64>().ok())
    };
    let good = "weir_model_requests_total{backend='triton',model='alpha',outcome='ok'}";
    eventually("count of 7 in Prometheus", || ask(good) == Some(7.0));
    assert_eq!(ask("up"), Some(1.0));
    assert_eq!(ask("weir_model_cold_starts_total{model='alpha',evidence='lifecycle'}"), Some(1.0));
    // Prometheus asks for native histograms here, and keeps no `_count` and `_bucket` series beside them.
    let all = "sum(histogram_count(weir_model_request_duration_seconds{model='alpha'}))";
    eventually("durations of 7 in Prometheus", || ask(all) == Some(7.0));
    let hot = "histogram_quantile(0.5, sum(weir_model_request_duration_seconds{model='alpha',start='hot'}))";
    let hot = ask(hot).expect("the histogram has buckets");
    assert!((0.001..1.0).contains(&hot), "the toy model takes 2 ms, Prometheus computes {hot} s");
}
