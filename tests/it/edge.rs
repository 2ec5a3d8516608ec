//! What an edge has to decide: clients that close half or send empty lines, bodies that nobody waited for, requests to the server itself,
//! routes by whole segments, and what is written down of that which is no request.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::Value;
use weir_config::{
    AccessFormat, AccessLog, Config, HalfClose, HeaderMatch, ListenLimits, Route, UpstreamProtocol,
};
use weir_tests::backend::{self, Backend};
use weir_tests::binary;
use weir_tests::client::{self, Client};
use weir_tests::gateway::{Gateway, wait};
use weir_tests::h2;

fn logged(path: &Path, format: AccessFormat) -> impl FnOnce(&mut Config) {
    let log = AccessLog { to: path.to_str().unwrap().to_owned(), format, ..AccessLog::default() };
    |config| config.access_log = Some(log)
}

fn lines(path: &Path, count: usize) -> Vec<String> {
    let read = || fs::read_to_string(path).unwrap_or_default();
    wait(&format!("{count} lines in the access log"), || read().lines().count() >= count);
    read().lines().map(str::to_owned).collect()
}

fn short_head(limits: &mut ListenLimits) {
    limits.header_read_timeout = std::time::Duration::from_millis(300);
}

#[test]
fn nothing_but_empty_lines_is_a_head_that_does_not_end() {
    let gateway = Gateway::with("generic", Backend::fine().address, |config| {
        short_head(&mut config.listeners.first_mut().unwrap().limits);
    });
    let refused = "weir_http_refused_total{reason=\"header_timeout\"}";
    let before = gateway.value(refused);
    let mut client = Client::connect(gateway.address);
    client.send("\r\n\r\n");
    let mut dribble = client.sender();
    std::thread::spawn(move || {
        while dribble.write_all(b"\r\n").is_ok() {
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    });
    assert_eq!(client.answer().status, 408);
    wait("it to be counted", || gateway.value(refused) > before);
    // Before a request they are passed over.
    let mut client = Client::connect(gateway.address);
    client.send("\r\n\r\nGET /x HTTP/1.1\r\nhost: weir\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_client_that_closes_its_sending_half_gets_its_answer_where_that_is_kept() {
    let (go, told) = std::sync::mpsc::channel::<()>();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |wire| {
        wire.request();
        let _ = told.lock().unwrap().recv();
        wire.send(&backend::ok("late"));
    });
    let gateway = Gateway::with("generic", backend.address, |config| {
        config.listeners.first_mut().unwrap().half_close = HalfClose::Keep;
    });
    let mut client = Client::connect(gateway.address);
    client.post("/x", "", "{}");
    client.finish();
    wait("the request to arrive", || backend.connections() == 1);
    go.send(()).unwrap();
    let answer = client.answer();
    assert_eq!((answer.status, answer.body_text().as_str()), (200, "late"));
    assert_eq!(answer.field("connection"), Some("close"));
    assert_eq!(client.everything(), "");
    gateway.wait_for("weir_model_requests_total{backend=\"generic\",model=\"__none__\",outcome=\"ok\"}", 1.0);
}

#[test]
fn a_client_that_closes_its_sending_half_within_its_body_has_sent_no_request() {
    let backend = Backend::fine();
    let gateway = Gateway::with("generic", backend.address, |config| {
        config.listeners.first_mut().unwrap().half_close = HalfClose::Keep;
    });
    let mut client = Client::connect(gateway.address);
    client.send("POST /x HTTP/1.1\r\nhost: weir\r\ncontent-length: 10\r\n\r\nhalf");
    client.finish();
    assert_ne!(client.answer().status, 200);
}

#[test]
fn a_body_that_comes_with_its_head_expects_nothing() {
    let backend = Backend::answering(|seen| {
        assert!(!seen.head.to_ascii_lowercase().contains("expect:"), "{}", seen.head);
        backend::ok(&String::from_utf8_lossy(&seen.body))
    });
    // Also where the body is looked into.
    for (dialect, path) in [("triton", "/v2/models/alpha/infer"), ("openai", "/v1/completions")] {
        let gateway = Gateway::before(dialect, backend.address);
        let mut client = Client::connect(gateway.address);
        client.send(format!(
            "POST {path} HTTP/1.1\r\nhost: weir\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello"
        ));
        assert_eq!(client.answer().body_text(), "hello");
    }
}

#[test]
fn a_body_that_comes_although_it_could_wait_is_sent_on() {
    let (seen, sees) = std::sync::mpsc::channel();
    let seen = std::sync::Mutex::new(seen);
    let backend = Backend::start(move |wire| {
        let head = wire.head().unwrap();
        let _ = seen.lock().unwrap().send(head);
        // No `100 Continue` ever.
        let body = wire.exactly(5);
        wire.send(&backend::ok(&String::from_utf8_lossy(&body)));
    });
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("POST /v2/models/alpha/infer HTTP/1.1\r\nhost: weir\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    assert!(sees.recv().unwrap().contains("expect: 100-continue"));
    client.send("hello");
    assert_eq!(client.answer().body_text(), "hello");
}

#[test]
fn options_of_an_absolute_form_without_a_path_is_about_the_server() {
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    let gateway = Gateway::before("generic", backend.address);
    for (target, line) in [
        ("http://weir", "OPTIONS * HTTP/1.1\r\n"),
        ("http://weir/", "OPTIONS / HTTP/1.1\r\n"),
        ("http://weir?x", "OPTIONS /?x HTTP/1.1\r\n"),
        ("*", "OPTIONS * HTTP/1.1\r\n"),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!("OPTIONS {target} HTTP/1.1\r\nhost: weir\r\n\r\n"));
        let head = client.answer().body_text();
        assert!(head.starts_with(line), "{target}: {head}");
    }
    let mut client = Client::connect(gateway.address);
    client.send("GET http://weir HTTP/1.1\r\nhost: weir\r\n\r\n");
    let head = client.answer().body_text();
    assert!(head.starts_with("GET / HTTP/1.1\r\nhost: weir\r\n"), "{head}");
}

#[test]
fn a_route_holds_for_whole_segments_and_for_any_line_of_a_header() {
    let (main, other) = (Backend::fine(), Backend::answering(|_| backend::ok("other")));
    let address = other.address;
    let gateway = Gateway::with("generic", main.address, |config| {
        let mut second = config.backends.first().unwrap().clone();
        second.name = "other".to_owned();
        second.endpoints = vec![format!("http://{address}").parse().unwrap()];
        config.backends.push(second);
        let gold = HeaderMatch { name: "x-tenant".to_owned(), equals: "gold".to_owned() };
        let route = |backend: &str| Route { backend: backend.to_owned(), ..Route::default() };
        config.routes = vec![
            Route { path_prefix: Some("/a".to_owned()), ..route("other") },
            Route { header: Some(gold), ..route("other") },
            route("generic"),
        ];
    });
    for (path, fields, body) in [
        ("/a", "", "other"),
        ("/a/b", "", "other"),
        ("/ab", "", "fine"),
        ("/x", "x-tenant: tin\r\nx-tenant: gold\r\n", "other"),
        ("/x", "x-tenant: tin\r\n", "fine"),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: weir\r\n{fields}\r\n"));
        assert_eq!(client.answer().body_text(), body, "{path} {fields}");
    }
}

#[test]
fn what_is_refused_before_it_is_a_request_leaves_a_line() {
    let folder = binary::folder();
    let file = folder.join("access.log");
    let gateway = Gateway::with("generic", Backend::fine().address, |config| {
        logged(&file, AccessFormat::Json)(config);
        short_head(&mut config.listeners.first_mut().unwrap().limits);
    });
    let many = format!("GET /x HTTP/1.1\r\nhost: weir\r\n{}\r\n", "a: 1\r\n".repeat(200));
    let mut lines_so_far = 0;
    for (said, status, reason) in [
        ("GET /x HTTP/1.1\r\n\r\n", 400, "malformed"),
        (many.as_str(), 431, "header_too_many"),
        ("TRACE /x HTTP/1.1\r\nhost: weir\r\n\r\n", 405, "method"),
        ("GET /x HTTP/1.1\r\nhos", 408, "header_timeout"),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(said);
        assert_eq!(client.answer().status, status);
        lines_so_far += 1;
        let line: Value = serde_json::from_str(lines(&file, lines_so_far).last().unwrap()).unwrap();
        assert_eq!((&line["status"], &line["refused"]), (&status.into(), &reason.into()), "{line}");
        assert_eq!((&line["outcome"], &line["client"]), (&"client_error".into(), &"127.0.0.1".into()));
        assert!(line.get("path").is_none() && line.get("backend").is_none(), "{line}");
    }
    // Over HTTP/2 the head is known.
    let request = http::Request::get(format!("http://{}/h2", gateway.address)).header("host", "other");
    let answer = h2::Client::connect(gateway.address).ask(request.body(()).unwrap(), "", None).unwrap();
    assert_eq!(answer.head.status.as_u16(), 400);
    let line: Value = serde_json::from_str(lines(&file, 5).last().unwrap()).unwrap();
    assert_eq!((&line["path"], &line["protocol"]), (&"/h2".into(), &"HTTP/2.0".into()), "{line}");
    // A frame that breaks the protocol ends the connection.
    let mut client = Client::connect(gateway.address);
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x06\0\0\0\0\0x");
    client.everything();
    let line: Value = serde_json::from_str(lines(&file, 6).last().unwrap()).unwrap();
    assert_eq!((&line["refused"], line.get("status")), (&"h2_protocol".into(), None), "{line}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_refused_head_in_the_combined_format_has_no_request_line() {
    let folder = binary::folder();
    let file = folder.join("access.log");
    let gateway = Gateway::with("generic", Backend::fine().address, logged(&file, AccessFormat::Clf));
    let mut client = Client::connect(gateway.address);
    client.send("GET /x HTTP/9\r\n\r\n");
    client.answer();
    let line = lines(&file, 1).remove(0);
    assert!(line.contains("] \"-\" 400 0 \"-\" \"-\""), "{line}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_streams_of_a_backends_connection_are_as_many_as_configured_and_the_log_tells_where() {
    let folder = binary::folder();
    let file = folder.join("access.log");
    let backend = h2::Backend::start(|number, _| match number {
        0 => h2::Reply::Silence,
        _ => {
            let head = Box::new(http::Response::new(()));
            h2::Reply::Answer { head, body: Some("second".into()), trailers: None }
        }
    });
    let gateway = Gateway::with("generic", backend.address, |config| {
        logged(&file, AccessFormat::Json)(config);
        config.workers = Some(1);
        let backend = config.backends.first_mut().unwrap();
        backend.protocol = UpstreamProtocol::H2;
        backend.pool.h2.concurrent_streams_max = 1;
    });
    let mut first = Client::connect(gateway.address);
    first.post("/x", "", "{}");
    wait("the first connection", || backend.connections() == 1);
    assert_eq!(client::post(gateway.address, "/x", "{}").body_text(), "second");
    assert_eq!(backend.connections(), 2);
    let line: Value = serde_json::from_str(&lines(&file, 1).remove(0)).unwrap();
    assert_eq!(line["endpoint"], backend.address.to_string(), "{line}");
    assert!(line["connect"].as_f64().is_some_and(|seconds| seconds > 0.0), "{line}");
    fs::remove_dir_all(folder).unwrap();
}
