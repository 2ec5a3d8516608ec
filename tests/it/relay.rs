//! What goes through unchanged, and what a proxy must change.

use weir_config::ForwardedPolicy;
use weir_tests::backend::{self, Backend};
use weir_tests::client::{self, Client};
use weir_tests::gateway::Gateway;

fn echo_head() -> Backend {
    Backend::answering(|seen| backend::ok(&seen.head))
}

#[test]
fn path_and_query_are_forwarded_byte_for_byte() {
    let backend = echo_head();
    let gateway = Gateway::before("generic", backend.address);
    for target in ["/a%2Fb/../c?x=%20+&y", "/model/arn%3Aaws%3Abedrock/invoke", "//double//slash/"] {
        let answer = client::post(gateway.address, target, "{}");
        assert!(
            answer.body_text().starts_with(&format!("POST {target} HTTP/1.1\r\n")),
            "{}",
            answer.body_text()
        );
    }
}

#[test]
fn hop_by_hop_fields_end_here_and_end_to_end_fields_cannot_be_named_away() {
    let backend = echo_head();
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    let fields = "connection: keep-alive, x-private, host, authorization\r\nx-private: 1\r\nkeep-alive: 5\r\n\
                  te: gzip\r\nproxy-connection: x\r\nauthorization: Bearer t\r\nx-kept: 2\r\n";
    client.post("/x", fields, "{}");
    let head = client.answer().body_text().to_ascii_lowercase();
    for gone in ["x-private", "keep-alive: 5", "te: gzip", "proxy-connection"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    for kept in ["host: weir\r\n", "authorization: bearer t\r\n", "x-kept: 2\r\n", "via: 1.1 weir\r\n"] {
        assert!(head.contains(kept), "{kept} not in {head}");
    }
}

#[test]
fn forwarded_fields_are_appended_replaced_or_left_alone_as_configured() {
    let backend = echo_head();
    let cases = [
        (ForwardedPolicy::Append, "x-forwarded-for: 10.1.1.1, 127.0.0.1\r\n"),
        (ForwardedPolicy::Replace, "x-forwarded-for: 127.0.0.1\r\n"),
        (ForwardedPolicy::Off, "x-forwarded-for: 10.1.1.1\r\n"),
    ];
    for (policy, expected) in cases {
        let gateway = Gateway::with("generic", backend.address, |config| config.forward.x_forwarded = policy);
        let mut client = Client::connect(gateway.address);
        client.post("/x", "x-forwarded-for: 10.1.1.1\r\n", "{}");
        let head = client.answer().body_text().to_ascii_lowercase();
        assert!(head.contains(expected), "{policy:?}: {head}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_over_one_connection() {
    let backend = Backend::answering(|seen| backend::ok(seen.head.lines().next().unwrap_or("")));
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    let one = |n: u8| format!("POST /n/{n} HTTP/1.1\r\nhost: weir\r\ncontent-length: 2\r\n\r\n{{}}");
    client.send((0..5).map(one).collect::<String>());
    for n in 0..5 {
        assert_eq!(client.answer().body_text(), format!("POST /n/{n} HTTP/1.1"));
    }
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_chunked_body_goes_up_and_a_chunked_answer_comes_down() {
    let backend = Backend::start(|wire| {
        while let Some(seen) = wire.request() {
            wire.send(b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n");
            wire.send(format!("{:x}\r\n", seen.body.len()).as_bytes());
            wire.send(&seen.body);
            wire.send(b"\r\n0\r\n\r\n");
        }
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("POST /x HTTP/1.1\r\nhost: weir\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.complete, answer.body_text().as_str()), (200, true, "hello world"));
}

#[test]
fn an_answer_with_trailers_is_ok_and_they_come_down_when_asked_for() {
    let backend = Backend::start(|wire| {
        while wire.request().is_some() {
            wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n");
        }
    });
    let gateway = Gateway::before("triton", backend.address);
    for fields in ["te: trailers\r\nconnection: te, close\r\n", "connection: close\r\n"] {
        let mut client = Client::connect(gateway.address);
        client.post("/v2/models/alpha/infer", fields, "{}");
        let raw = client.everything();
        assert!(raw.contains("hello") && raw.contains("\r\n0\r\n"), "{raw}");
        assert_eq!(raw.contains("x-t: 1"), fields.starts_with("te"), "{raw}");
    }
    gateway.wait_for("weir_model_requests_total{backend=\"triton\",model=\"alpha\",outcome=\"ok\"}", 2.0);
}

#[test]
fn chunks_beside_a_length_are_what_counts() {
    let backend = Backend::start(|wire| {
        while wire.request().is_some() {
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        }
    });
    let gateway = Gateway::before("triton", backend.address);
    let answer = client::post(gateway.address, "/v2/models/alpha/infer", "{}");
    assert_eq!((answer.field("content-length"), answer.body_text().as_str()), (None, "hello"));
}

#[test]
fn a_body_that_was_read_ahead_arrives_whole() {
    let backend = Backend::answering(|seen| backend::ok(&seen.body.len().to_string()));
    let gateway = Gateway::before("openai", backend.address);
    let long = "x".repeat(300_000);
    let body = format!("{{\"messages\":[\"{long}\"],\"model\":\"late\"}}");
    let answer = client::post(gateway.address, "/v1/chat/completions", &body);
    assert_eq!(answer.body_text(), body.len().to_string());
    gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"late\",outcome=\"ok\"}", 1.0);
}
