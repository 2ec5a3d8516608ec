//! What could be read in two ways is refused: 400 or its own status, the connection closed, and the backend never hears of it.

use weir_tests::backend::{self, Backend};
use weir_tests::client::Client;
use weir_tests::gateway::Gateway;

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: weir\r\n\r\n";

/// Sends the bytes with another request behind them; the answer's status, and what the backend saw.
fn fire(bytes: &str) -> (u16, bool, Vec<String>) {
    let (tell, seen) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let backend = Backend::answering(move |seen| {
        let _ = tell.lock().unwrap().send(seen.head.lines().next().unwrap_or("").to_owned());
        backend::ok("fine")
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send(format!("{bytes}{SMUGGLED}"));
    let answer = client.answer();
    let rest = client.everything();
    drop(gateway);
    (answer.status, rest.is_empty(), seen.try_iter().collect())
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /x HTTP/1.1\r\nhost: weir\r\n{fields}\r\n{body}")
}

#[test]
fn ambiguous_framing_is_400_and_nothing_behind_it_is_served() {
    for (fields, body) in [
        ("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "0\r\n\r\n"),
        ("content-length: 5\r\ncontent-length: 5\r\n", "hello"),
        ("content-length: 5\r\ncontent-length: 6\r\n", "hello"),
        ("content-length: 5,5\r\n", "hello"),
        ("content-length: +5\r\n", "hello"),
        ("content-length : 5\r\n", "hello"),
        ("content-length: 5\n", "hello"),
        ("transfer-encoding: chunked, chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", "0\r\n\r\n"),
        ("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        ("transfer_encoding: chunked\r\n", "0\r\n\r\n"),
        ("x: a\rb\r\n", ""),
        ("x: a\0b\r\n", ""),
        ("x: 1\r\n folded\r\n", ""),
        ("host: other\r\n", ""),
    ] {
        let (status, closed, seen) = fire(&post(fields, body));
        assert_eq!((status, closed, seen), (400, true, vec![]), "{fields:?}");
    }
}

#[test]
fn malformed_chunks_break_the_request_and_nothing_behind_it_is_served() {
    for body in [
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "g\r\n",
        "0\r\nx : 1\r\n\r\n",
    ] {
        let (status, closed, seen) = fire(&post("transfer-encoding: chunked\r\n", body));
        assert_eq!((status, closed), (400, true), "{body:?}");
        assert!(!seen.iter().any(|line| line.contains("smuggled")), "{body:?} {seen:?}");
    }
}

#[test]
fn other_faults_have_their_own_status() {
    let long = "a".repeat(20_000);
    for (bytes, expected) in [
        ("TRACE / HTTP/1.1\r\nhost: weir\r\n\r\n".to_owned(), 405),
        ("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n".to_owned(), 405),
        ("GET / HTTP/2.0\r\nhost: weir\r\n\r\n".to_owned(), 505),
        (format!("GET /{long} HTTP/1.1\r\nhost: weir\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nhost: weir\r\n{}\r\n", format!("x: {long}\r\n").repeat(4)), 431),
        (format!("GET / HTTP/1.1\r\nhost: weir\r\n{}\r\n", "x: 1\r\n".repeat(101)), 431),
        (post("expect: miracles\r\ncontent-length: 2\r\n", "{}"), 417),
        (post("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501),
        ("GET http://other/ HTTP/1.1\r\nhost: weir\r\n\r\n".to_owned(), 400),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03".to_owned(), 400),
    ] {
        let (status, closed, seen) = fire(&bytes);
        assert_eq!((status, closed, seen), (expected, true, vec![]), "{:?}", bytes.get(..60));
    }
}

#[test]
fn an_absolute_target_goes_on_in_origin_form() {
    let backend = Backend::answering(|seen| backend::ok(&seen.head));
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.send("GET http://Weir:80/a?b HTTP/1.1\r\nhost: weir\r\n\r\n");
    let head = client.answer().body_text();
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert_eq!(head.matches("\r\nhost: ").count(), 1, "{head}");
}

#[test]
fn backends_are_not_trusted_either() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", 502),
        ("HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello", 502),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502),
        ("HTTP/1.1 200 OK\r\nx: 1\r\n folded\r\ncontent-length: 0\r\n\r\n", 502),
        ("HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n", 502),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", 502),
        ("SSH-2.0-OpenSSH_9.2\r\n", 502),
        ("HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello", 200),
    ] {
        let backend = Backend::start(move |wire| {
            wire.request();
            wire.send(answer.as_bytes());
            wire.wait_closed();
        });
        let gateway = Gateway::before("generic", backend.address);
        assert_eq!(weir_tests::client::post(gateway.address, "/x", "{}").status, expected, "{answer:?}");
    }
}

#[test]
fn bytes_behind_an_answer_poison_no_other() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfineHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
        wire.wait_closed();
    });
    let gateway = Gateway::with("generic", backend.address, |config| config.workers = Some(1));
    let mut client = Client::connect(gateway.address);
    for number in 1..=3 {
        client.post("/x", "", "{}");
        assert_eq!(client.answer().body_text(), "fine");
        assert_eq!(backend.connections(), number);
    }
}

#[test]
fn what_is_behind_the_last_chunk_is_the_next_request() {
    let backend = Backend::answering(|seen| backend::ok(seen.head.lines().next().unwrap_or("")));
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    let first = post("transfer-encoding: chunked\r\n", "2;a=b\r\n{}\r\n0\r\n\r\n");
    client.send(format!("{first}GET /next HTTP/1.1\r\nhost: weir\r\n\r\n"));
    assert_eq!(client.answer().body_text(), "POST /x HTTP/1.1");
    assert_eq!(client.answer().body_text(), "GET /next HTTP/1.1");
}

#[test]
fn what_goes_on_is_strictly_http_whatever_came() {
    let backend = Backend::answering(|seen| backend::ok(&seen.head.to_ascii_lowercase()));
    let gateway = Gateway::before("generic", backend.address);
    for (bytes, line, field) in [
        ("GET http://weir?a HTTP/1.1\r\nhost: weir\r\n\r\n", "get /?a http/1.1", "host: weir".to_owned()),
        ("GET /x HTTP/1.0\r\n\r\n", "get /x http/1.1", format!("host: {}", backend.address)),
        (
            "POST /x HTTP/1.1\r\nhost: weir\r\ncontent-length: 000\r\n\r\n",
            "post /x http/1.1",
            "content-length: 0\r\n".to_owned(),
        ),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(bytes);
        let head = client.answer().body_text();
        assert!(head.starts_with(line) && head.contains(&format!("\r\n{field}")), "{bytes:?} {head}");
    }
}

#[test]
fn what_no_server_reads_alike_is_400() {
    for bytes in [
        "GET /caf\u{e9} HTTP/1.1\r\nhost: weir\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: weir:65536\r\n\r\n".to_owned(),
        post("content-length: 9223372036854775808\r\n", ""),
    ] {
        let (status, closed, seen) = fire(&bytes);
        assert_eq!((status, closed, seen), (400, true, vec![]), "{bytes:?}");
    }
}

#[test]
fn an_interim_answer_says_nothing_of_the_backends_connection() {
    let backend = Backend::start(|wire| {
        wire.request();
        wire.send(b"HTTP/1.1 103 Early Hints\r\nconnection: close, x-hop\r\nx-hop: 1\r\nkeep-alive: 5\r\nlink: </a>\r\n\r\n");
        wire.send(&backend::ok("fine"));
    });
    let gateway = Gateway::before("generic", backend.address);
    let mut client = Client::connect(gateway.address);
    client.post("/x", "", "{}");
    let hints = client.answer();
    assert_eq!((hints.status, hints.field("link")), (103, Some("</a>")));
    for gone in ["connection", "x-hop", "keep-alive"] {
        assert_eq!(hints.field(gone), None);
    }
    assert_eq!(client.answer().body_text(), "fine");
}

#[test]
fn a_connection_whose_204_announces_a_body_is_not_used_again() {
    for fields in ["content-length: 4\r\n", "transfer-encoding: chunked\r\n"] {
        let backend = Backend::start(move |wire| {
            while wire.request().is_some() {
                wire.send(format!("HTTP/1.1 204 No Content\r\n{fields}\r\n").as_bytes());
            }
        });
        let gateway = Gateway::with("generic", backend.address, |config| config.workers = Some(1));
        let mut client = Client::connect(gateway.address);
        for number in 1..=2 {
            client.post("/x", "", "{}");
            assert_eq!(client.answer().status, 204);
            assert_eq!(backend.connections(), number, "{fields}");
        }
    }
}
