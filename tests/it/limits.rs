//! Limits on time and on clients that leave, each by its name.

use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use weir_config::Config;
use weir_tests::backend::{self, Backend};
use weir_tests::binary::{self, Binary};
use weir_tests::client::{self, Client};
use weir_tests::gateway::{Gateway, wait};

const INFER: &str = "/v2/models/alpha/infer";

fn outcome(word: &str) -> String {
    format!("weir_model_requests_total{{backend=\"triton\",model=\"__unknown__\",outcome=\"{word}\"}}")
}

fn limits(change: impl Fn(&mut weir_config::ListenLimits)) -> impl FnOnce(&mut Config) {
    move |config| change(&mut config.listeners.first_mut().unwrap().limits)
}

#[test]
fn a_client_that_leaves_within_the_answer_cancels_it_too() {
    let (gone, seen) = channel();
    let gone = Mutex::new(gone);
    let backend = Backend::start(move |wire| {
        wire.request();
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nsome");
        if wire.wait_closed() {
            let _ = gone.lock().unwrap().send(());
        }
    });
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    client.post(INFER, "", "{}");
    wait("the answer to begin", || {
        gateway.value("weir_http_connections_active") > 0.0 && backend.connections() == 1
    });
    drop(client);
    seen.recv_timeout(Duration::from_secs(20)).unwrap();
    gateway.wait_for(&outcome("cancelled"), 1.0);
}

#[test]
fn a_head_that_never_ends_and_a_silent_client_are_closed() {
    let backend = Backend::fine();
    let second = Duration::from_secs(1);
    let change = limits(move |limits| (limits.header_read_timeout, limits.idle_timeout) = (second, second));
    let gateway = Gateway::with("triton", backend.address, change);
    for (said, status) in [("", 0), ("POST /x HTTP/1.1\r\nhost: w", 408), ("PRI * HT", 0)] {
        let mut client = Client::connect(gateway.address);
        client.send(said);
        assert_eq!(client.answer().status, status, "{said:?}");
    }
    assert_eq!(backend.connections(), 0);
}

#[test]
fn a_body_that_stops_is_408_and_the_clients_error() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.wait_closed();
    });
    let change = limits(|limits| limits.body_idle_timeout = Duration::from_secs(1));
    let gateway = Gateway::with("triton", backend.address, change);
    let mut client = Client::connect(gateway.address);
    client.send(format!("POST {INFER} HTTP/1.1\r\nhost: weir\r\ncontent-length: 100\r\n\r\nsome"));
    let answer = client.answer();
    assert_eq!(answer.status, 408, "{}", answer.body_text());
    gateway.wait_for(&outcome("client_error"), 1.0);
}

#[test]
fn a_client_that_leaves_within_its_body_is_cancelled() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send(format!("POST {INFER} HTTP/1.1\r\nhost: weir\r\ncontent-length: 2000\r\n\r\n{{}}"));
    drop(client);
    gateway.wait_for(&outcome("cancelled"), 1.0);
}

#[test]
fn an_address_that_another_gateway_has_is_refused() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    let flag: weir_config::BackendFlag = format!("triton=http://{}", backend.address).parse().unwrap();
    let mut config = Config::from_flags(&[flag]).unwrap();
    config.listeners.first_mut().unwrap().address = gateway.address.into();
    config.admin.address = "127.0.0.1:0".parse().unwrap();
    let error = weir_gateway::app::Gateway::start(config).unwrap_err();
    assert!(error.to_string().contains(&format!("cannot listen on {}", gateway.address)), "{error}");
}

#[test]
fn a_request_that_takes_too_long_as_a_whole_is_504() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.wait_closed();
    });
    let gateway = Gateway::with("triton", backend.address, |config| {
        config.backends.first_mut().unwrap().timeouts.request = Duration::from_millis(300);
    });
    let mut client = Client::connect(gateway.address);
    client.post(INFER, "", "{}");
    let answer = client.answer();
    assert_eq!(answer.status, 504);
    assert!(answer.body_text().contains("request_timeout"), "{}", answer.body_text());
    gateway.wait_for(&outcome("timeout"), 1.0);
}

#[test]
fn a_body_that_breaks_off_is_the_clients_error_and_never_looks_complete_above() {
    let (whole, seen) = channel();
    let whole = Mutex::new(whole);
    let backend = Backend::start(move |wire| {
        let _ = whole.lock().unwrap().send(wire.request().is_some());
        wire.send(&backend::ok("fine"));
    });
    let gateway = Gateway::before("triton", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send(format!(
        "POST {INFER} HTTP/1.1\r\nhost: weir\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\nnonsense\r\n"
    ));
    let answer = client.answer();
    assert!(answer.status == 400 || answer.status == 0, "{}", answer.status);
    assert!(!seen.recv_timeout(Duration::from_secs(20)).unwrap());
    gateway.wait_for(&outcome("client_error"), 1.0);
}

#[test]
fn a_process_that_has_no_more_files_serves_again_as_soon_as_it_has() {
    let backend = Backend::fine();
    let (folder, flag) = (binary::folder(), format!("triton=http://{}", backend.address));
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 60; exec \"$0\" serve \"$@\""]).arg(binary::path());
    command.args(["--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--backend", &flag]);
    let weir = Binary::start(folder, &mut command);
    let mut held: Vec<_> = (0..100).map(|_| Client::connect(weir.address)).collect();
    held.iter_mut().for_each(|client| client.send("GET /x HTTP/1.1\r\nhost: weir\r\n\r\n"));
    wait("nearly all files to be in use", || {
        fs::read_dir(format!("/proc/{}/fd", weir.id())).unwrap().count() >= 50
    });
    drop(held);
    wait("a request to be served", || client::get(weir.address, "/x").status == 200);
}
