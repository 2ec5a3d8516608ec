//! Signs of life: a worker that is wedged is reported, one that died is started again on its sockets.

use std::time::Duration;

use weir_gateway::life::Ask;
use weir_gateway::worker::Command;
use weir_tests::backend::Backend;
use weir_tests::client;
use weir_tests::gateway::{Gateway, wait};

#[test]
fn a_gateway_that_started_says_so() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    wait("the start", || client::get(gateway.admin, "/startupz").status == 200);
    assert_eq!(client::get(gateway.admin, "/healthz").status, 200);
    assert_eq!(client::get(gateway.admin, "/readyz").status, 200);
}

#[test]
fn a_wedged_worker_is_named_with_the_time_it_is_silent() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    gateway.ask(Ask::Fault(1, Box::new(Command::Block(Duration::from_secs(8)))));
    wait("the worker to be missed", || client::get(gateway.admin, "/healthz").status == 503);
    let told: serde_json::Value =
        serde_json::from_slice(&client::get(gateway.admin, "/healthz").body).unwrap();
    assert_eq!(told["wedged"][0]["worker"], 1, "{told}");
    assert!(told["wedged"][0]["silent_seconds"].as_f64().unwrap() > 5.0, "{told}");
    wait("the worker to be back", || client::get(gateway.admin, "/healthz").status == 200);
}

#[test]
fn a_worker_that_died_is_started_again_and_serves() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    let before = gateway.value("weir_worker_restarts_total");
    gateway.ask(Ask::Fault(0, Box::new(Command::Panic)));
    gateway.ask(Ask::Fault(1, Box::new(Command::Panic)));
    wait("both to be started again", || gateway.value("weir_worker_restarts_total") >= before + 2.0);
    for _ in 0..20 {
        assert_eq!(client::post(gateway.address, "/v2/models/alpha/infer", "{}").status, 200);
    }
    assert_eq!(gateway.requests("triton", "alpha", "ok"), 20.0);
}

#[test]
fn a_worker_that_keeps_dying_ends_the_gateway_with_a_reason() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    for _ in 0..10 {
        gateway.ask(Ask::Fault(0, Box::new(Command::Panic)));
        // Those that come while there is no worker to take them are lost: as many as it needs.
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let ended = gateway.wait_ended();
    assert!(ended.failure.as_ref().is_some_and(|why| why.contains("worker 0 ended")), "{ended:?}");
}
