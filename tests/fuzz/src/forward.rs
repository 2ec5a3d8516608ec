//! What a head becomes on its way through: hop-by-hop fields end, all else stays.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use weir_config::{Forward, ForwardedPolicy};
use weir_gateway::forward;
use weir_gateway::front::{CoarseClock, Conn};
use weir_gateway::h1::decode::Framing;
use weir_gateway::h1::{encode, request, response};
use weir_gateway::message::HeaderMap;

use super::http::{LIMITS, end};

const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "expect"];
/// What weir itself may write.
const OURS: [&str; 9] = [
    "content-length",
    "forwarded",
    "host",
    "te",
    "transfer-encoding",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// The first byte chooses a request or an answer, and how Forwarded and X-Forwarded are treated.
pub(crate) fn forward(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let policies = [ForwardedPolicy::Off, ForwardedPolicy::Append, ForwardedPolicy::Replace];
    let policy = Forward {
        x_forwarded: policies[usize::from(choice >> 1) % 3],
        forwarded: policies[usize::from(choice >> 3) % 3],
        ..Forward::default()
    };
    if choice % 2 == 0 { asked(data, &policy) } else { answered(data, &policy) }
}

fn asked(data: &[u8], policy: &Forward) {
    let Some(end) = end(data, &LIMITS) else { return };
    let Ok(head) = request::parse(&Bytes::copy_from_slice(&data[..end]), &LIMITS) else { return };
    let has_body = head.framing != Framing::None;
    let mut sent = head.parts.clone();
    let client = Rc::new(CoarseClock::new());
    let conn = Conn::new("192.0.2.7:4000".parse().unwrap(), Duration::from_secs(1), client);
    forward::request(&mut sent, &conn, policy, has_body);
    assert_eq!(sent.uri.path_and_query().map(|target| target.as_str().to_owned()), target(&head.parts.uri));
    assert!(sent.uri.authority().is_none(), "origin form");
    assert_kept(&head.parts.headers, &sent.headers);
    let chunked = sent.headers.get("transfer-encoding").is_some();
    assert_eq!(chunked, has_body && !head.parts.headers.contains_key("content-length"));
    assert!(!chunked || !sent.headers.contains_key("content-length"), "two framings");
    if policy.x_forwarded != ForwardedPolicy::Off {
        let all = sent.headers.get("x-forwarded-for").unwrap().as_bytes();
        assert!(all.ends_with(b"192.0.2.7"), "the last hop is the one that weir saw");
        let alone = policy.x_forwarded == ForwardedPolicy::Replace;
        assert!(!alone || all == b"192.0.2.7");
    }
    // A backend that reads as strictly reads the same, if the request had a Host as HTTP/1.1 asks.
    if sent.headers.contains_key("host") {
        let mut bytes = Vec::new();
        encode::request_head(&mut bytes, &sent);
        let again = request::parse(
            &Bytes::from(bytes),
            &weir_gateway::h1::head::HeadLimits { fields_max: 64, ..LIMITS },
        );
        assert_eq!(again.unwrap().parts.headers, sent.headers);
    }
}

fn answered(data: &[u8], policy: &Forward) {
    let Some(end) = end(data, &response::LIMITS) else { return };
    let bytes = Bytes::copy_from_slice(&data[..end]);
    let Ok(head) = response::parse(&bytes, &http::Method::GET) else { return };
    let mut sent = head.parts.clone();
    forward::response(&mut sent, policy);
    assert_eq!(sent.status, head.parts.status);
    if sent.status.as_u16() == 101 {
        return;
    }
    assert_kept(&head.parts.headers, &sent.headers);
    assert!(!sent.headers.contains_key("transfer-encoding"), "the listener frames its answers itself");
    let mut interim = head.parts.headers.clone();
    forward::interim(&mut interim);
    assert_kept(&head.parts.headers, &interim);
}

/// Only hop-by-hop fields and those that Connection names may go, and a field that carries the request's meaning never does.
fn assert_kept(before: &HeaderMap, after: &HeaderMap) {
    let named = |name: &str| {
        let lists = before.get_all("connection").iter().filter_map(|list| list.to_str().ok());
        lists.flat_map(|list| list.split(',')).any(|word| word.trim().eq_ignore_ascii_case(name))
    };
    for name in HOP_BY_HOP {
        let all: Vec<_> = after.get_all(name).iter().collect();
        match name {
            "te" => assert!(all.is_empty() || all == ["trailers"], "{all:?}"),
            "transfer-encoding" => assert!(all.is_empty() || all == ["chunked"], "{all:?}"),
            _ => assert!(all.is_empty(), "{name} is for one hop: {all:?}"),
        }
    }
    for name in
        before.keys().filter(|name| !HOP_BY_HOP.contains(&name.as_str()) && !OURS.contains(&name.as_str()))
    {
        let same = before.get_all(name).iter().eq(after.get_all(name));
        let gone = !after.contains_key(name) && named(name.as_str());
        assert!(same || gone, "{name} is not weir's to change");
        let is_meant =
            ["authorization", "cookie", "content-type", "x-model", "x-amz-date"].contains(&name.as_str());
        assert!(!is_meant || same, "Connection cannot take {name} away");
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        assert!(OURS.contains(&name.as_str()), "{name} came from nowhere");
    }
}

/// What a backend is to see of a target.
fn target(uri: &http::Uri) -> Option<String> {
    uri.path_and_query().map(|target| target.as_str().to_owned())
}
