//! HTTP/2 clients: what reaches an HTTP/1.1 backend, what is refused, and what ends the connection.

use std::time::Duration;

use http::{Method, Request};
use weir_tests::backend::{self, Backend};
use weir_tests::client;
use weir_tests::gateway::{Gateway, wait};
use weir_tests::h2::Client;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn echo_head() -> Backend {
    Backend::answering(|seen| backend::ok(&seen.head))
}

fn refused(reason: &str) -> String {
    format!("weir_http_refused_total{{reason=\"{reason}\"}}")
}

/// A frame on stream `id`.
fn frame(kind: u8, flags: u8, id: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, id];
    frame.extend(payload);
    frame
}

#[test]
fn a_request_becomes_http_1_with_one_cookie_and_a_host() {
    let backend = echo_head();
    let gateway = Gateway::before("generic", backend.address);
    let mut request = Request::post(format!("http://{}/a%2Fb?x=%20", gateway.address));
    for crumb in ["a=1", "b=2"] {
        request = request.header("cookie", crumb);
    }
    let client = Client::connect(gateway.address);
    let answer = client.ask(request.body(()).unwrap(), "{}", None).unwrap();
    let head = String::from_utf8(answer.body).unwrap();
    assert!(head.starts_with("POST /a%2Fb?x=%20 HTTP/1.1\r\n"), "{head}");
    for line in [
        format!("host: {}\r\n", gateway.address),
        "cookie: a=1; b=2\r\n".to_owned(),
        "via: 2.0 weir\r\n".to_owned(),
    ] {
        assert!(head.contains(&line), "{line:?} not in {head}");
    }
}

#[test]
fn what_is_ambiguous_is_refused_and_the_connection_goes_on() {
    let gateway = Gateway::before("generic", Backend::fine().address);
    let client = Client::connect(gateway.address);
    let url = format!("http://{}/x", gateway.address);
    for (request, status) in [
        (Request::get(&url).header("host", "other"), 400),
        (Request::get(&url).header("content_length", "1"), 400),
        (Request::builder().method(Method::TRACE).uri(&url), 405),
        (Request::get(format!("{url}{}", "y".repeat(20_000))), 414),
        ((0..150).fold(Request::get(&url), |request, n| request.header(format!("x-{n}"), "1")), 431),
        (Request::get(&url), 200),
    ] {
        let answer = client.ask(request.body(()).unwrap(), "", None).unwrap();
        assert_eq!(answer.head.status.as_u16(), status, "{:?}", answer.head);
    }
}

#[test]
fn floods_end_the_connection_and_are_counted() {
    let gateway = Gateway::before("generic", Backend::fine().address);
    for (flood, reason) in [
        (frame(6, 0, 0, &[0; 8]), "h2_control_frames"),
        (frame(4, 0, 0, &[]), "h2_control_frames"),
        (frame(2, 0, 3, &[0, 0, 0, 0, 1]), "h2_control_frames"),
        (frame(0xee, 0, 0, &[]), "h2_control_frames"),
    ] {
        let before = gateway.value(&refused(reason));
        let mut client = client::Client::connect(gateway.address);
        client.send([PREFACE, &flood.repeat(1000)].concat());
        client.everything();
        wait(reason, || gateway.value(&refused(reason)) > before);
    }
    // Rapid reset: HEADERS with a whole request, and at once its RST_STREAM.
    let mut client = client::Client::connect(gateway.address);
    let mut bytes = PREFACE.to_vec();
    for stream in (1..=u16::MAX).step_by(2).take(1000) {
        let [high, low] = stream.to_be_bytes();
        let head = b"\x82\x84\x86\x41\x01a";
        bytes.extend([0, 0, u8::try_from(head.len()).unwrap(), 1, 5, 0, 0, high, low]);
        bytes.extend(head);
        bytes.extend([0, 0, 4, 3, 0, 0, 0, high, low, 0, 0, 0, 8]);
    }
    let mut sender = client.sender();
    std::thread::spawn(move || std::io::Write::write_all(&mut sender, &bytes));
    client.everything();
    wait("resets", || gateway.value(&refused("h2_resets")) + gateway.value(&refused("h2_flood")) >= 1.0);
    // An endless head.
    let mut client = client::Client::connect(gateway.address);
    let endless = [PREFACE, &frame(1, 0, 1, b"\x82"), &frame(9, 0, 1, b"").repeat(10_000)].concat();
    let mut sender = client.sender();
    std::thread::spawn(move || std::io::Write::write_all(&mut sender, &endless));
    client.everything();
    assert_eq!(client::get(gateway.address, "/x").status, 200);
}

#[test]
fn a_ping_on_an_idle_connection_is_no_head_that_does_not_end() {
    let gateway = Gateway::with("generic", Backend::fine().address, |config| {
        let limits = &mut config.listeners.first_mut().unwrap().limits;
        limits.header_read_timeout = Duration::from_millis(100);
    });
    let mut pinged = client::Client::connect(gateway.address);
    pinged.send([PREFACE, &frame(6, 0, 0, b"ping-one")].concat());
    // Half a frame is a head that does not end.
    let mut dribble = client::Client::connect(gateway.address);
    dribble.send([PREFACE, &[0, 0, 5, 1]].concat());
    dribble.everything();
    assert!(gateway.value(&refused("header_timeout")) >= 1.0);
    pinged.send(frame(6, 0, 0, b"ping-two"));
    let mut seen = Vec::new();
    while !seen.windows(8).any(|piece| piece == b"ping-two") {
        let more = pinged.exactly(1);
        assert!(!more.is_empty(), "closed after {seen:?}");
        seen.extend(more);
    }
}

#[test]
fn an_answer_that_its_client_does_not_take_is_given_up() {
    let backend = Backend::answering(|_| backend::ok(&"x".repeat(1 << 20)));
    let gateway = Gateway::with("generic", backend.address, |config| {
        let limits = &mut config.listeners.first_mut().unwrap().limits;
        limits.body_idle_timeout = Duration::from_millis(200);
    });
    let mut client = client::Client::connect(gateway.address);
    // A GET whose answer is longer than the window, which is never opened.
    client.send([PREFACE, &frame(1, 5, 1, b"\x82\x84\x86\x41\x01a")].concat());
    gateway.wait_for(&refused("write_idle"), 1.0);
    assert_eq!(client::get(gateway.address, "/x").status, 200);
}

#[test]
fn a_panic_costs_its_request_alone() {
    let gateway = Gateway::before("generic", Backend::fine().address);
    let client = Client::connect(gateway.address);
    let url = format!("http://{}/x", gateway.address);
    let request = Request::get(&url).header("x-weir-fault-panic", "1").body(()).unwrap();
    assert_eq!(client.ask(request, "", None).unwrap().head.status.as_u16(), 500);
    let request = Request::get(&url).body(()).unwrap();
    assert_eq!(client.ask(request, "", None).unwrap().head.status.as_u16(), 200);
}
