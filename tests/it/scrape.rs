//! What a scraper reads from a running gateway: in the format and the coding it asks for, whole, bounded, and exact
//! while requests run.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::thread;

use flate2::read::GzDecoder;
use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Answer, Client};
use weir_tests::gateway::Gateway;

/// `GET` of the admin side with fields.
fn get(gateway: &Gateway, path: &str, fields: &str) -> Answer {
    let mut client = Client::connect(gateway.admin);
    client.send(format!("GET {path} HTTP/1.1\r\nhost: admin\r\n{fields}\r\n"));
    client.answer()
}

fn infer(gateway: &Gateway, model: &str, fields: &str) {
    let mut client = Client::connect(gateway.address);
    client.post(&format!("/v2/models/{model}/infer"), fields, "{}");
    assert_eq!(client.answer().status, 200);
}

/// Says cold for models that are called so.
fn hot_and_cold() -> Backend {
    Backend::answering(|seen| {
        let cold = seen.head.contains("/cold-");
        backend::answer("200 OK", &format!("x-model-cold: {cold}\r\n"), "{}")
    })
}

#[test]
fn the_format_is_negotiated_and_compressed_for_whom_can_read_it() {
    let backend = hot_and_cold();
    let gateway = Gateway::before("triton", backend.address);
    for n in 0..20 {
        infer(&gateway, &format!("m{n}"), "");
    }
    let protobuf =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    for (accept, kind) in [
        (String::new(), "text/plain; version=0.0.4"),
        ("accept: text/html\r\n".to_owned(), "text/plain; version=0.0.4"),
        (
            format!("accept: {protobuf};q=0.3, application/openmetrics-text;version=1.0.0;q=0.5\r\n"),
            "application/openmetrics-text; version=1.0.0",
        ),
        // A header in two lines is one list.
        (
            format!("accept: text/plain;q=0.5\r\naccept: {protobuf}\r\n"),
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        ),
    ] {
        let plain = get(&gateway, "/metrics", &accept);
        let coded = get(&gateway, "/metrics", &format!("{accept}accept-encoding: gzip;q=0.5, br\r\n"));
        for answer in [&plain, &coded] {
            assert!(answer.field("content-type").unwrap().starts_with(kind), "{accept}: {}", answer.head);
            assert_eq!(answer.field("vary"), Some("Accept, Accept-Encoding"));
        }
        assert_eq!((plain.field("content-encoding"), coded.field("content-encoding")), (None, Some("gzip")));
        let mut body = Vec::new();
        GzDecoder::new(&coded.body[..]).read_to_end(&mut body).unwrap();
        assert!(coded.body.len() * 4 < body.len(), "{} of {}", coded.body.len(), body.len());
        // The scrape before is counted in the second one alone; else they say the same.
        assert!(body.len().abs_diff(plain.body.len()) < 2_000, "{} and {}", body.len(), plain.body.len());
    }
}

#[test]
fn a_cold_start_carries_the_trace_of_its_caller_as_exemplar() {
    let backend = hot_and_cold();
    let gateway = Gateway::before("triton", backend.address);
    let trace = |n: u32| format!("traceparent: 00-{n:032x}-00f067aa0ba902b7-01\r\n");
    infer(&gateway, "cold-1", &trace(0xabc));
    infer(&gateway, "hot-1", &trace(0xdef));
    infer(&gateway, "hot-2", "");
    infer(&gateway, "hot-3", "traceparent: 00-zz-00f067aa0ba902b7-01\r\n");
    let open =
        get(&gateway, "/metrics", "accept: application/openmetrics-text;version=1.0.0\r\n").body_text();
    let exemplars: Vec<_> = open.lines().filter(|line| line.contains(" # {")).collect();
    assert_eq!(exemplars.len(), 2, "{exemplars:?}");
    for (line, model, start, trace) in
        [(exemplars[0], "cold-1", "cold", 0xabc), (exemplars[1], "hot-1", "hot", 0xdef)]
    {
        let (series, exemplar) = line.split_once(" # ").unwrap();
        assert!(series.contains(&format!("model=\"{model}\",start=\"{start}\"")), "{line}");
        assert!(exemplar.starts_with(&format!("{{trace_id=\"{trace:032x}\"}} ")), "{line}");
        assert!(exemplar.len() < 128, "{line}");
    }
    assert!(!get(&gateway, "/metrics", "").body_text().contains(" # {"), "text 0.0.4 knows no exemplars");
}

#[test]
fn models_beyond_the_budget_are_in_the_tail_and_in_the_api_by_name() {
    let backend = hot_and_cold();
    let gateway = Gateway::with("triton", backend.address, |config| {
        config.telemetry.series_budget = 224;
        config.telemetry.top_models = 2;
        config.telemetry.tail_models_max = 2;
        config.telemetry.tier_label = "team".to_owned();
        config.telemetry.tiers = vec![weir_config::Tier {
            name: "search".to_owned(),
            models: vec!["cold-*".to_owned()],
            backend: None,
        }];
        config.telemetry.profiles = vec![weir_config::Profile::Torchserve];
    });
    for (model, known) in [("first", 1.0), ("second", 2.0)] {
        infer(&gateway, model, "");
        gateway.wait_for("weir_models_known", known);
    }
    for (model, times) in [("cold-1", 3), ("cold-2", 2), ("last", 1)] {
        (0..times).for_each(|_| infer(&gateway, model, ""));
    }
    gateway.wait_for("weir_models_known", 5.0);
    assert_eq!(gateway.value("weir_models_exported"), 2.0);
    let other = "weir_model_requests_total{backend=\"triton\",model=\"__other__\"";
    gateway.wait_for(&format!("{other},team=\"search\",outcome=\"ok\"}}"), 5.0);
    gateway.wait_for(&format!("{other},outcome=\"ok\"}}"), 1.0);
    assert_eq!(gateway.value("ts_inference_requests_total{backend=\"triton\",model_name=\"first\"}"), 1.0);
    let tail = client::get(gateway.admin, "/metrics/tail").body_text();
    assert!(
        tail.contains("weir_tail_requests_total{backend=\"triton\",model=\"cold-1\",team=\"search\"} 3\n"),
        "{tail}"
    );
    assert!(tail.contains("weir_tail_omitted_models 1\n") && !tail.contains("\"last\""), "{tail}");
    let one = client::get(gateway.admin, "/api/v1/models/triton/last").body_text();
    assert!(one.contains("\"requests\":1") && one.contains("\"exported_for\":null"), "{one}");
    let one = client::get(gateway.admin, "/api/v1/models/triton/first").body_text();
    assert!(one.contains("\"exported_for\":\"fits\""), "{one}");
}

/// Requests by series, of all models.
fn requests(body: &str) -> BTreeMap<&str, f64> {
    let lines = body.lines().filter(|line| line.starts_with("weir_model_requests_total{"));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, value)| (series, value.parse().unwrap()))
        .collect()
}

#[test]
fn scrapes_while_two_callers_send_lose_nothing_and_no_counter_falls() {
    const EACH: usize = 1_500;
    let backend = hot_and_cold();
    let gateway = Gateway::before("triton", backend.address);
    thread::scope(|scope| {
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let address = gateway.address;
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    for n in 0..EACH {
                        client.post(&format!("/v2/models/m{}/infer", (n + sender) % 7), "", "{}");
                        assert_eq!(client.answer().status, 200);
                    }
                })
            })
            .collect();
        let mut before = String::new();
        while !senders.iter().all(thread::ScopedJoinHandle::is_finished) {
            let body = client::get(gateway.admin, "/metrics").body_text();
            let (then, now) = (requests(&before), requests(&body));
            for (series, value) in then {
                assert!(now.get(series).is_some_and(|now| *now >= value), "{series} fell from {value}");
            }
            before = body;
        }
    });
    let body = client::get(gateway.admin, "/metrics").body_text();
    let total: f64 = requests(&body).values().sum();
    assert_eq!(total, 2.0 * EACH as f64);
}

#[test]
fn scrapers_that_stall_or_hang_up_keep_nobody_from_the_next_scrape() {
    let backend = hot_and_cold();
    let gateway = Gateway::with("triton", backend.address, |config| {
        if let Some(backend) = config.backends.first_mut() {
            backend.models = (0..800).map(|n| format!("model-with-a-long-name-{n:0>200}")).collect();
        }
        config.telemetry.series_budget = 1_000_000;
    });
    let ask = |client: &mut Client| client.send("GET /metrics HTTP/1.1\r\nhost: admin\r\n\r\n");
    let mut stalled: Vec<_> = (0..20).map(|_| Client::connect(gateway.admin)).collect();
    stalled.iter_mut().for_each(ask);
    for _ in 0..20 {
        ask(&mut Client::connect(gateway.admin));
    }
    let body = client::get(gateway.admin, "/metrics");
    assert!(body.complete && body.body.len() > 500_000, "{} bytes", body.body.len());
    assert_eq!(client::get(gateway.admin, "/healthz").status, 200);
    assert!(gateway.value("weir_scrapes_total{format=\"text\"}") >= 21.0);
    drop(stalled);
}
