//! HTTP/1.1 beyond plain requests: interim answers, expectations, upgrades, old clients, early answers, and a panic.

use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Client};
use weir_tests::gateway::{Gateway, wait};

#[test]
fn interim_answers_are_passed_on_to_clients_that_know_them() {
    let backend = Backend::start(|wire| {
        while wire.request().is_some() {
            wire.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
            wire.send(&backend::ok("fine"));
        }
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.post("/x", "connection: close\r\n", "{}");
    let all = client.everything();
    assert!(
        all.starts_with(
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200"
        ),
        "{all}"
    );
    let mut old = Client::connect(gateway.address);
    old.send("POST /x HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}");
    let all = old.everything();
    assert!(all.starts_with("HTTP/1.1 200") && all.ends_with("\r\n\r\nfine"), "{all}");
}

#[test]
fn a_backend_that_floods_interim_answers_is_cut() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.send("HTTP/1.1 102 Processing\r\n\r\n".repeat(100).as_bytes());
        wire.wait_closed();
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("POST /x HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(client.answer().status, 502);
}

#[test]
fn an_expectation_is_the_backends_to_meet() {
    let backend = Backend::start(|wire| {
        let mut head = wire.head().unwrap();
        assert!(head.to_ascii_lowercase().contains("expect: 100-continue"), "{head}");
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        head.push_str(&String::from_utf8(wire.exactly(5)).unwrap());
        wire.send(&backend::ok(head.get(head.len() - 5..).unwrap()));
    });
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("POST /v2/models/alpha/infer HTTP/1.1\r\nhost: weir\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    client.send("hello");
    assert_eq!(client.answer().body_text(), "hello");
}

#[test]
fn a_backend_may_refuse_before_the_body_is_sent() {
    let backend = Backend::start(|wire| {
        wire.head();
        wire.send(&backend::answer("413 Payload Too Large", "", "no"));
        wire.wait_closed();
    });
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("POST /v2/models/alpha/infer HTTP/1.1\r\nhost: weir\r\nexpect: 100-continue\r\ncontent-length: 5000000\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("connection")), (413, Some("close")));
}

#[test]
fn a_body_that_has_to_be_read_for_its_model_is_asked_for_by_weir() {
    let backend = Backend::answering(|seen| {
        assert!(!seen.head.contains("expect"), "{}", seen.head);
        backend::ok("fine")
    });
    let gateway = Gateway::before("openai", backend.address);
    let mut client = Client::connect(gateway.address);
    let body = "{\"model\":\"alpha\"}";
    let length = body.len();
    client.send(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 100);
    client.send(body);
    assert_eq!(client.answer().status, 200);
    gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"alpha\",outcome=\"ok\"}", 1.0);
}

#[test]
fn a_websocket_is_tunnelled_both_ways_and_counted() {
    let backend = Backend::start(|wire| {
        let head = wire.head().unwrap().to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        wire.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: x\r\n\r\nfirst");
        let word = wire.exactly(5);
        wire.send(&word);
        wire.wait_closed();
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("GET /ws HTTP/1.1\r\nhost: weir\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\n\r\n");
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.field("upgrade"), answer.field("sec-websocket-accept")),
        (101, Some("websocket"), Some("x"))
    );
    assert_eq!(client.exactly(5), b"first");
    client.send("hello");
    assert_eq!(client.exactly(5), b"hello");
    client.finish();
    assert_eq!(client.everything(), "");
    gateway.wait_for("weir_http_tunnels_total", 1.0);
    gateway.wait_for("weir_model_requests_total{backend=\"generic\",model=\"__none__\",outcome=\"ok\"}", 1.0);
}

#[test]
fn only_websocket_is_offered_to_backends() {
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    let gateway = Gateway::before("generic", backend.address);
    for fields in [
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n",
        "upgrade: websocket\r\n",
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET /x HTTP/1.1\r\nhost: weir\r\n{fields}\r\n"));
        let head = client.answer().body_text().to_ascii_lowercase();
        assert!(!head.contains("upgrade") && !head.contains("http2-settings"), "{head}");
    }
}

#[test]
fn an_old_client_gets_a_body_to_the_connections_end_and_a_kept_connection_where_that_is_possible() {
    let backend = Backend::start(|wire| {
        while let Some(seen) = wire.request() {
            if seen.head.contains("/chunks") {
                wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
            } else {
                wire.send(&backend::ok("fine"));
            }
        }
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("GET /x HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.field("connection"), answer.body_text().as_str()), (Some("keep-alive"), "fine"));
    client.send("GET /chunks HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    let rest = client.everything();
    assert!(
        rest.ends_with("\r\n\r\nhello") && !rest.contains("chunked") && rest.contains("connection: close"),
        "{rest}"
    );
}

#[test]
fn a_head_request_has_the_fields_and_no_body() {
    let backend = Backend::start(|wire| {
        while wire.request().is_some() {
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        }
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send(
        "HEAD /x HTTP/1.1\r\nhost: weir\r\n\r\nHEAD /y HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n",
    );
    let all = client.everything();
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 2, "{all}");
    assert!(all.contains("content-length: 1000") && all.ends_with("\r\n\r\n"), "{all}");
    assert_eq!(backend.connections(), 1);
}

#[test]
fn an_answer_that_comes_before_the_body_ends_arrives_and_closes() {
    let backend = Backend::start(|wire| {
        wire.head();
        wire.send(&backend::answer("403 Forbidden", "", "no"));
        wire.wait_closed();
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("POST /x HTTP/1.1\r\nhost: weir\r\ncontent-length: 100000\r\n\r\nsome");
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.body_text().as_str(), answer.field("connection")),
        (403, "no", Some("close"))
    );
}

#[test]
fn large_bodies_go_both_ways_at_once() {
    const SIZE: usize = 8 * 1024 * 1024;
    let backend = Backend::start(|wire| {
        wire.head();
        wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n").as_bytes());
        let mut left = SIZE;
        while left > 0 {
            let piece = wire.exactly(left.min(10_000));
            left -= piece.len();
            wire.send(&piece);
        }
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    let body: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    client.send(format!("POST /x HTTP/1.1\r\nhost: weir\r\ncontent-length: {SIZE}\r\n\r\n"));
    let mut sender = client.sender();
    let sent = body.clone();
    let sending = std::thread::spawn(move || std::io::Write::write_all(&mut sender, &sent).unwrap());
    let answer = client.answer();
    sending.join().unwrap();
    assert!(answer.complete && answer.body == body);
}

#[test]
fn a_panic_costs_its_request_and_no_other() {
    let backend = Backend::fine();
    let gateway = Gateway::with("generic", backend.address, |config| config.workers = Some(1));
    let mut other = Client::connect(gateway.address);
    other.post("/x", "", "{}");
    assert_eq!(other.answer().status, 200);
    let before = gateway.value("weir_panics_total");
    let mut client = Client::connect(gateway.address);
    client.post("/x", "x-weir-fault-panic: 1\r\n", "{}");
    let answer = client.answer();
    assert_eq!(answer.status, 500, "{}", answer.body_text());
    other.post("/x", "", "{}");
    assert_eq!(other.answer().status, 200);
    assert_eq!(client::post(gateway.address, "/x", "{}").status, 200);
    // Other tests of this process panic too.
    wait("it to be counted", || gateway.value("weir_panics_total") > before);
}
