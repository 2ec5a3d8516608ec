//! The end: what is in flight is finished, what is new is refused, and the deadline holds.

use std::time::Duration;

use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Client};
use weir_tests::gateway::Gateway;

#[test]
fn a_request_in_flight_is_answered_while_the_gateway_drains() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let backend = Backend::start(move |wire| {
        wire.request();
        let _ = wait.lock().unwrap().recv();
        wire.send(&backend::ok("done"));
    });
    let gateway = Gateway::before("triton", backend.address);
    assert_eq!(client::get(gateway.admin, "/readyz").status, 200);
    let mut client = Client::connect(gateway.address);
    client.post("/v2/models/alpha/infer", "", "{}");
    weir_tests::gateway::wait("the request to reach the backend", || backend.connections() == 1);
    gateway.drain();
    weir_tests::gateway::wait("not ready", || client::get(gateway.admin, "/readyz").status == 503);
    go.send(()).unwrap();
    let answer = client.answer();
    assert_eq!((answer.status, answer.body_text().as_str()), (200, "done"));
    assert_eq!(gateway.wait_drained(), 0);
}

#[test]
fn idle_connections_do_not_hold_the_drain() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    let mut idle = Client::connect(gateway.address);
    idle.post("/v2/models/alpha/infer", "", "{}");
    assert_eq!(idle.answer().status, 200);
    gateway.drain();
    assert_eq!(gateway.wait_drained(), 0);
    assert_eq!(idle.answer().status, 0);
}

#[test]
fn a_kept_connection_that_asks_once_more_is_answered_and_told_to_close() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    let mut kept = Client::connect(gateway.address);
    kept.post("/v2/models/alpha/infer", "", "{}");
    assert_eq!(kept.answer().status, 200);
    gateway.drain();
    weir_tests::gateway::wait("the listener to close", || {
        std::net::TcpStream::connect(gateway.address).is_err()
    });
    kept.post("/v2/models/alpha/infer", "", "{}");
    let answer = kept.answer();
    assert_eq!((answer.status, answer.field("connection")), (200, Some("close")), "{}", answer.head);
    assert_eq!(gateway.wait_drained(), 0);
}

#[test]
fn what_outlives_the_deadline_is_cut() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.wait_closed();
    });
    let gateway = Gateway::with("triton", backend.address, |config| {
        config.drain.deadline = Duration::from_secs(1);
    });
    let mut client = Client::connect(gateway.address);
    client.post("/v2/models/alpha/infer", "", "{}");
    weir_tests::gateway::wait("the request to reach the backend", || backend.connections() == 1);
    gateway.drain();
    assert_eq!(gateway.wait_drained(), 1);
}
