//! gRPC: HTTP/2 on both sides, and its status decides how a request counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use h2::Reason;
use http::Response;
use weir_tests::backend;
use weir_tests::gateway::{Gateway, wait};
use weir_tests::h2::{Backend, Client, Reply, fields, grpc, grpc_answer};

const METHOD: &str = "/inference.GRPCInferenceService/ServerReady";

fn outcomes(gateway: &Gateway, outcome: &str) -> f64 {
    let value = |model: &str| gateway.requests("triton", model, outcome);
    value("__none__") + value("__control__")
}

#[test]
fn a_call_goes_up_and_comes_down_with_trailers_both_ways() {
    let backend = Backend::start(|_, asked| {
        assert_eq!(asked.head.version, http::Version::HTTP_2);
        assert_eq!((asked.body.as_slice(), asked.trailer("x-up")), (b"hello".as_slice(), Some("1")));
        assert_eq!(asked.head.headers.get("te").unwrap(), "trailers");
        assert_eq!(asked.head.headers.get("grpc-timeout").unwrap(), "5S");
        assert!(asked.head.headers.get("x-forwarded-for").is_some());
        grpc_answer(b"world", "0")
    });
    let gateway = Gateway::before("triton", backend.address);
    let client = Client::connect(gateway.address);
    for _ in 0..3 {
        let mut request = grpc(gateway.address, METHOD);
        request.headers_mut().insert("grpc-timeout", "5S".parse().unwrap());
        let answer = client.ask(request, "hello", Some(fields([("x-up", "1")]))).unwrap();
        assert_eq!((answer.head.status.as_u16(), answer.body.as_slice()), (200, b"world".as_slice()));
        assert_eq!(answer.trailer("grpc-status"), Some("0"));
    }
    assert_eq!(backend.connections(), 1);
    wait("3 ok", || outcomes(&gateway, "ok") >= 3.0);
}

#[test]
fn the_status_in_trailers_or_in_the_head_alone_is_the_outcome() {
    for (status, outcome) in
        [("5", "client_error"), ("4", "timeout"), ("14", "not_ready"), ("8", "shed"), ("13", "server_error")]
    {
        for bare in [false, true] {
            let backend = Backend::start(move |_, _| {
                if !bare {
                    return grpc_answer(b"", status);
                }
                let head = Response::builder().header("content-type", "application/grpc");
                let head = head.header("grpc-status", status).body(()).unwrap();
                Reply::Answer { head: Box::new(head), body: None, trailers: None }
            });
            let gateway = Gateway::before("triton", backend.address);
            let answer =
                Client::connect(gateway.address).ask(grpc(gateway.address, METHOD), "x", None).unwrap();
            let seen = if bare { answer.field("grpc-status") } else { answer.trailer("grpc-status") };
            assert_eq!((seen, answer.head.status.as_u16()), (Some(status), 200));
            wait(outcome, || outcomes(&gateway, outcome) >= 1.0);
        }
    }
}

#[test]
fn an_answer_without_a_status_is_an_error() {
    let backend = Backend::start(|_, _| {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        Reply::Answer { head: Box::new(head), body: Some("x".into()), trailers: None }
    });
    let gateway = Gateway::before("triton", backend.address);
    let answer = Client::connect(gateway.address).ask(grpc(gateway.address, METHOD), "x", None).unwrap();
    assert_eq!((answer.head.status.as_u16(), answer.trailers), (200, None));
    wait("server_error", || outcomes(&gateway, "server_error") >= 1.0);
}

#[test]
fn a_refused_stream_and_one_behind_a_goodbye_are_tried_once_more_and_others_are_not() {
    for (reason, tries, status) in
        [(Reason::REFUSED_STREAM, 2, None), (Reason::INTERNAL_ERROR, 1, Some("14"))]
    {
        let seen = std::sync::Arc::new(AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&seen);
        let backend = Backend::start(move |_, asked| {
            assert_eq!(asked.body, b"hello");
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                Reply::Reset(reason)
            } else {
                grpc_answer(b"", "0")
            }
        });
        let gateway = Gateway::before("triton", backend.address);
        let answer =
            Client::connect(gateway.address).ask(grpc(gateway.address, METHOD), "hello", None).unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), tries);
        assert_eq!(answer.field("grpc-status"), status);
    }
}

#[test]
fn a_goodbye_before_the_call_moves_it_to_another_connection() {
    // The first connection says GOAWAY for everything (last stream 0) and stays open, as a server does that is going.
    let backend = backend::Backend::start(|wire| {
        let _ = wire.exactly(24);
        wire.send(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        if wire.number == 0 {
            wire.send(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        let _ = wire.wait_closed();
    });
    let gateway = Gateway::before("triton", backend.address);
    let client = Client::connect(gateway.address);
    let asked = std::thread::spawn(move || client.ask(grpc(gateway.address, METHOD), "x", None));
    wait("a second connection", || backend.connections() == 2);
    drop(asked);
}

#[test]
fn a_peers_stream_limit_brings_another_connection() {
    let mut settings = h2::server::Builder::new();
    settings.max_concurrent_streams(1);
    let backend = Backend::with(settings, |_, asked| match asked.body.as_slice() {
        b"first" => grpc_answer(b"", "0"),
        _ => Reply::Silence,
    });
    let gateway = Gateway::with("triton", backend.address, |config| config.workers = Some(1));
    let address = gateway.address;
    let client = Client::connect(address);
    // The peer's settings are known after the first answer.
    client.ask(grpc(address, METHOD), "first", None).unwrap();
    for _ in 0..3 {
        let client = Client::connect(address);
        std::thread::spawn(move || client.ask(grpc(address, METHOD), "x", None));
    }
    wait("three connections", || backend.connections() >= 3);
}

#[test]
fn what_weir_refuses_is_a_grpc_status_to_a_grpc_client() {
    let gateway = Gateway::before("triton", "127.0.0.1:1".parse().unwrap());
    let answer = Client::connect(gateway.address).ask(grpc(gateway.address, METHOD), "x", None).unwrap();
    assert_eq!((answer.head.status.as_u16(), answer.field("grpc-status")), (200, Some("14")));
    assert_eq!(answer.field("content-type"), Some("application/grpc"));
    assert!(answer.field("grpc-message").unwrap().contains("cannot connect"), "{answer:?}");
    assert!(answer.body.is_empty());
}

#[test]
fn a_backend_that_speaks_something_else_is_a_bad_answer() {
    let backend = backend::Backend::answering(|_| backend::ok("fine"));
    let gateway = Gateway::before("triton", backend.address);
    let answer = Client::connect(gateway.address).ask(grpc(gateway.address, METHOD), "x", None).unwrap();
    assert_eq!((answer.head.status.as_u16(), answer.field("grpc-status")), (200, Some("14")), "{answer:?}");
}

#[test]
fn with_protocol_h2_a_request_of_http_1_goes_up_as_h2() {
    let backend = Backend::start(|_, asked| {
        let text = format!("{} {:?}", asked.head.uri, asked.head.headers.get("host"));
        Reply::Answer { head: Box::new(Response::new(())), body: Some(text.into()), trailers: None }
    });
    let gateway = Gateway::with("generic", backend.address, |config| {
        config.backends.iter_mut().for_each(|backend| backend.protocol = weir_config::UpstreamProtocol::H2);
    });
    let mut client = weir_tests::client::Client::connect(gateway.address);
    for _ in 0..2 {
        client.send("POST /a%2Fb?x=1 HTTP/1.1\r\nhost: weir\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
        let answer = client.answer();
        assert_eq!((answer.status, answer.complete), (200, true));
        assert_eq!(answer.body_text(), "http://weir/a%2Fb?x=1 None");
    }
}
