//! Request heads, good and bad.

use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 4096, line_bytes_max: 2048, fields_max: 20 };

fn read(head: &str) -> Result<RequestHead, BadHead> {
    parse(&Bytes::from(head.to_owned()), &LIMITS)
}

fn framed(fields: &str) -> Result<Framing, BadHead> {
    read(&format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n")).map(|head| head.framing)
}

fn is_malformed<T>(result: &Result<T, BadHead>) -> bool {
    matches!(result, Err(BadHead::Malformed(_)))
}

#[test]
fn a_plain_head_is_read_without_a_change() {
    let head =
        read("POST /a%2Fb/..?q=%20+ HTTP/1.1\r\nHost: a:80\r\nX-Two: 1\r\nx-two:  2 \r\n\r\n").unwrap();
    assert_eq!(head.parts.method, Method::POST);
    assert_eq!(head.parts.uri.path_and_query().unwrap().as_str(), "/a%2Fb/..?q=%20+");
    let two: Vec<_> = head.parts.headers.get_all("x-two").iter().collect();
    assert_eq!(two, ["1", "2"]);
    assert!(head.keep_alive);
}

#[test]
fn one_plain_length_or_chunked_frames_a_body() {
    assert_eq!(framed(""), Ok(Framing::None));
    assert_eq!(framed("content-length: 0\r\n"), Ok(Framing::None));
    assert_eq!(framed("content-length: 12\r\n"), Ok(Framing::Length(12)));
    assert_eq!(framed("content-length: 012\r\n"), Ok(Framing::Length(12)));
    assert_eq!(framed("transfer-encoding: Chunked\r\n"), Ok(Framing::Chunked));
}

#[test]
fn a_length_in_another_spelling_goes_on_in_the_plain_one() {
    let head = read("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 012\r\n\r\n").unwrap();
    assert_eq!(head.parts.headers.get(CONTENT_LENGTH).unwrap(), "12");
}

#[test]
fn what_two_could_frame_in_two_ways_is_malformed() {
    for fields in [
        "content-length: 1\r\ncontent-length: 1\r\n",
        "content-length: 1, 1\r\n",
        "content-length: +1\r\n",
        "content-length: -1\r\n",
        "content-length: 0x1\r\n",
        "content-length: 1 1\r\n",
        "content-length: \r\n",
        "content-length: 18446744073709551616\r\n",
        "content-length: 1\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked;q=1\r\n",
        "transfer-encoding: \u{b}chunked\r\n",
        "transfer-encoding: \r\n",
        "transfer_encoding: chunked\r\n",
        "content_length: 1\r\n",
        "content-length : 1\r\n",
        " content-length: 1\r\n",
        "x: 1\r\n folded\r\n",
        ": 1\r\n",
        "x\r\n",
        "x y: 1\r\n",
        "x: a\0b\r\n",
        "x: a\u{7f}b\r\n",
    ] {
        assert!(is_malformed(&framed(fields)), "{fields:?} {:?}", framed(fields));
    }
    assert_eq!(framed("transfer-encoding: gzip, chunked\r\n"), Err(BadHead::Coding));
    assert!(is_malformed(&read("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n")));
}

#[test]
fn a_host_is_there_once_and_is_the_targets() {
    let host = |version: &str, target: &str, fields: &str| {
        read(&format!("GET {target} HTTP/{version}\r\n{fields}\r\n"))
    };
    assert!(host("1.0", "/", "").is_ok());
    assert!(host("1.1", "http://a/x", "host: A:80\r\n").is_ok());
    assert!(host("1.1", "http://[::1]:81/x", "host: [::1]:81\r\n").is_ok());
    for (target, fields) in [
        ("/", ""),
        ("/", "host: \r\n"),
        ("/", "host: a\r\nhost: a\r\n"),
        ("/", "host: a, b\r\n"),
        ("/", "host: u@a\r\n"),
        ("/", "host: a/b\r\n"),
        ("http://a/x", "host: b\r\n"),
        ("http://u@a/x", "host: a\r\n"),
        ("http:///x", "host: a\r\n"),
    ] {
        assert!(is_malformed(&host("1.1", target, fields)), "{target} {fields:?}");
    }
}

#[test]
fn targets_are_of_a_known_form() {
    let target =
        |line: &str| read(&format!("{line}\r\nhost: a\r\n\r\n")).map(|head| head.parts.uri.to_string());
    assert_eq!(target("OPTIONS * HTTP/1.1").as_deref(), Ok("*"));
    for line in [
        "GET * HTTP/1.1",
        "GET x HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /a b HTTP/1.1",
        "GET /\u{1} HTTP/1.1",
        "GET",
        "GET /",
        "G(T / HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/11",
    ] {
        assert!(is_malformed(&target(line)), "{line} {:?}", target(line));
    }
    assert!(is_malformed(&target(&format!("{} / HTTP/1.1", "A".repeat(33)))));
    for line in ["GET / HTTP/2.0", "GET / HTTP/1.2", "GET / HTTP/0.9"] {
        assert_eq!(target(line), Err(BadHead::Version), "{line}");
    }
    for line in ["CONNECT a:1 HTTP/1.1", "TRACE / HTTP/1.1"] {
        assert!(target(line).is_err(), "{line}");
    }
}

#[test]
fn connection_says_whether_it_is_kept() {
    let keeps = |version: &str, fields: &str| {
        read(&format!("GET / HTTP/{version}\r\nhost: a\r\n{fields}\r\n")).unwrap().keep_alive
    };
    assert!(keeps("1.1", ""));
    assert!(!keeps("1.1", "connection: x, Close\r\n"));
    assert!(!keeps("1.1", "connection: keep-alive\r\nconnection: close\r\n"));
    assert!(!keeps("1.0", ""));
    assert!(keeps("1.0", "connection: Keep-Alive\r\n"));
}

#[test]
fn an_expectation_is_kept_only_where_it_can_be_met() {
    let expects = |line: &str, fields: &str| {
        read(&format!("POST / HTTP/{line}\r\nhost: a\r\n{fields}\r\n")).map(|head| head.expects_continue)
    };
    assert_eq!(expects("1.1", "expect: 100-Continue\r\ncontent-length: 1\r\n"), Ok(true));
    assert_eq!(expects("1.1", "expect: 100-continue\r\n"), Ok(false));
    assert_eq!(expects("1.0", "expect: 100-continue\r\ncontent-length: 1\r\n"), Ok(false));
    assert_eq!(expects("1.1", "expect: miracles\r\ncontent-length: 1\r\n"), Err(BadHead::Expectation));
}

#[test]
fn more_fields_than_allowed_are_too_many() {
    let fields: String = (0..20).map(|n| format!("x-{n}: 1\r\n")).collect();
    assert_eq!(framed(&fields), Err(BadHead::TooMany));
}
