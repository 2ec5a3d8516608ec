//! Backends and clients that misbehave: a clear status, a counted outcome, and the next request unharmed.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Client};
use weir_tests::gateway::Gateway;

const INFER: &str = "/v2/models/alpha/infer";

fn in_front_of(backend: SocketAddr) -> Gateway {
    Gateway::with("triton", backend, |config| {
        let timeouts = &mut config.backends.first_mut().unwrap().timeouts;
        timeouts.first_byte = Duration::from_millis(300);
        timeouts.between_bytes = Duration::from_millis(300);
    })
}

fn unknown(outcome: &str) -> String {
    format!("weir_model_requests_total{{backend=\"triton\",model=\"__unknown__\",outcome=\"{outcome}\"}}")
}

#[test]
fn a_backend_that_refuses_is_502_and_unreachable() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let gateway = in_front_of(address);
    let answer = client::post(gateway.address, INFER, "{}");
    assert_eq!(answer.status, 502);
    assert!(answer.body_text().contains("\"error\":\"connect_failed\""), "{}", answer.body_text());
    gateway.wait_for(&unknown("unreachable"), 1.0);
}

#[test]
fn a_backend_that_never_answers_is_504_and_timeout() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.wait_closed();
    });
    let gateway = in_front_of(backend.address);
    let answer = client::post(gateway.address, INFER, "{}");
    assert_eq!(answer.status, 504);
    assert!(answer.body_text().contains("first_byte_timeout"), "{}", answer.body_text());
    gateway.wait_for(&unknown("timeout"), 1.0);
}

#[test]
fn garbage_half_a_head_and_an_early_end_are_502_and_the_next_request_is_served() {
    let bad: [&'static [u8]; 4] = [
        b"\x00\x01garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
    ];
    for bytes in bad {
        let backend = Backend::start(move |wire| {
            wire.request();
            if wire.number == 0 {
                wire.send(bytes);
                wire.close();
            } else {
                wire.send(&backend::ok("fine"));
            }
        });
        let gateway = in_front_of(backend.address);
        let mut client = Client::connect(gateway.address);
        client.post(INFER, "", "{}");
        assert_eq!(client.answer().status, 502, "{:?}", String::from_utf8_lossy(bytes));
        client.post(INFER, "", "{}");
        assert_eq!(client.answer().status, 200);
        gateway.wait_for(&unknown("server_error"), 1.0);
    }
}

#[test]
fn a_truncated_answer_never_looks_complete() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nshort",
    ] {
        let backend = Backend::start(move |wire| {
            wire.request();
            wire.send(head.as_bytes());
            wire.close();
        });
        let gateway = in_front_of(backend.address);
        let answer = client::post(gateway.address, INFER, "{}");
        assert_eq!((answer.status, answer.complete), (200, false));
        gateway.wait_for(&unknown("server_error"), 1.0);
    }
}

#[test]
fn an_answer_that_stalls_is_cut_and_counted_as_timeout() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome");
        wire.wait_closed();
    });
    let gateway = in_front_of(backend.address);
    assert!(!client::post(gateway.address, INFER, "{}").complete);
    gateway.wait_for(&unknown("timeout"), 1.0);
}

#[test]
fn an_idle_connection_that_died_costs_a_retry_and_no_request() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.send(&backend::ok("fine"));
        // The second request on the first connection is met by a close without an answer.
        if wire.number > 0 || wire.request().is_none() {
            return;
        }
        wire.close();
    });
    let gateway = Gateway::with("triton", backend.address, |config| config.workers = Some(1));
    let mut client = Client::connect(gateway.address);
    for _ in 0..2 {
        client.post(INFER, "", "{\"a\":1}");
        let answer = client.answer();
        assert_eq!((answer.status, answer.body_text().as_str()), (200, "fine"));
    }
    assert_eq!(backend.connections(), 2);
    gateway.wait_for("weir_model_requests_total{backend=\"triton\",model=\"alpha\",outcome=\"ok\"}", 2.0);
}

#[test]
fn a_client_that_leaves_cancels_the_request_to_the_backend() {
    let (gone, seen) = std::sync::mpsc::channel();
    let gone = std::sync::Mutex::new(gone);
    let backend = Backend::start(move |wire| {
        wire.request();
        if wire.wait_closed() {
            let _ = gone.lock().unwrap().send(());
        }
    });
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    client.post(INFER, "", "{}");
    weir_tests::gateway::wait("the request to reach the backend", || backend.connections() == 1);
    drop(client);
    seen.recv_timeout(Duration::from_secs(20)).unwrap();
    gateway.wait_for(&unknown("cancelled"), 1.0);
}

#[test]
fn ambiguous_and_malformed_requests_are_400_and_close() {
    let backend = Backend::fine();
    let gateway = Gateway::before("generic", backend.address);
    let cases = [
        "GET /x HTTP/1.1\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\nbad name: 1\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
    ];
    for case in cases {
        let mut client = Client::connect(gateway.address);
        client.send(case);
        let answer = client.answer();
        assert_eq!(answer.status, 400, "{case:?}");
        assert_eq!(answer.field("connection"), Some("close"), "{case:?}");
    }
    assert_eq!(backend.connections(), 0);
}

#[test]
fn a_backend_that_takes_no_connection_is_504_and_unreachable() {
    // Its queue is full and nobody accepts: the kernel answers nothing more.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let full = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let held: Vec<_> = std::iter::from_fn(|| full().ok()).take(100).collect();
    assert!(held.len() < 100, "the queue never filled");
    let gateway = Gateway::with("triton", address, |config| {
        config.backends.first_mut().unwrap().timeouts.connect = Duration::from_millis(200);
    });
    let answer = client::post(gateway.address, INFER, "{}");
    assert_eq!(answer.status, 504, "{}", answer.body_text());
    assert!(answer.body_text().contains("connect_timeout"), "{}", answer.body_text());
    gateway.wait_for(&unknown("unreachable"), 1.0);
}
