//! What a proxy must change in a message's head, and nothing else (RFC 9110 §7.6).
//!
//! Hop-by-hop fields end here, and so does whatever Connection names, except fields that a client must not be able to remove that
//! way: a request whose Host, Authorization or model header vanished on the way would be another request. Path and query are never
//! touched: signatures cover them.

use std::net::SocketAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{StatusCode, Version, request, response};
use weir_config::{Forward, ForwardedPolicy};

use crate::front::Conn;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Fields that Connection cannot take away: end-to-end by their meaning.
fn is_protected(name: &str) -> bool {
    const PROTECTED: [&str; 10] = [
        "host",
        "authorization",
        "content-length",
        "content-type",
        "content-encoding",
        "cookie",
        "set-cookie",
        "cache-control",
        "x-forwarded-for",
        "forwarded",
    ];
    PROTECTED.iter().any(|protected| protected.eq_ignore_ascii_case(name))
        || name.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("x-amzn-"))
        || name
            .get(..6)
            .is_some_and(|head| head.eq_ignore_ascii_case("x-amz-") || head.eq_ignore_ascii_case("x-mode"))
}

/// Removes hop-by-hop fields and those named in Connection. `te: trailers` is the one TE value that survives; Trailer stays, since
/// trailers are relayed.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        strip_named(headers);
    }
    let trailers = headers.get(TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in [&CONNECTION, &TRANSFER_ENCODING, &TE, &UPGRADE, &KEEP_ALIVE, &PROXY_CONNECTION, &EXPECT] {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

fn strip_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !is_protected(name))
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

/// The protocol that a request may switch its connection to (RFC 9110 §7.8): WebSocket, whatever else is named beside it. Others are
/// not offered to the backend; h2c least of all.
pub fn upgrade(head: &request::Parts, has_body: bool) -> Option<HeaderValue> {
    if has_body || head.version != Version::HTTP_11 || !head.headers.contains_key(UPGRADE) {
        return None;
    }
    let names = |name: &HeaderName, word: &str| {
        let all = head.headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        all.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    (names(&CONNECTION, "upgrade") && names(&UPGRADE, "websocket"))
        .then(|| HeaderValue::from_static("websocket"))
}

/// Asks the backend to switch.
pub fn ask_to_switch(headers: &mut HeaderMap, protocol: &HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol.clone());
}

/// Makes a client's request head ours: fields, target in origin form, version.
pub fn request(head: &mut request::Parts, conn: &Conn, policy: &Forward, has_body: bool) {
    let received = head.version;
    strip_hop_by_hop(&mut head.headers);
    if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(without_userinfo(authority.as_str()))
    {
        // Absolute form and HTTP/2: the target's authority is the host, whatever Host says (RFC 9112 §3.2.2).
        head.headers.insert(HOST, host);
    }
    if let Some(path) = head.uri.path_and_query()
        && head.uri.authority().is_some()
    {
        head.uri = http::Uri::from(path.clone());
    }
    if has_body && !head.headers.contains_key(CONTENT_LENGTH) {
        // Explicit, because a GET of unknown length would lose its body in the client half.
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    forwarded(&mut head.headers, conn, policy);
    if policy.via {
        add_via(&mut head.headers, received, &policy.via_name);
    }
    head.version = Version::HTTP_11;
}

/// Makes a backend's answer head ours.
pub fn response(head: &mut response::Parts, policy: &Forward) {
    let received = head.version;
    if head.headers.contains_key(TRANSFER_ENCODING) {
        // The chunks are what was read; a length beside them is a lie (RFC 9112 §6.3).
        head.headers.remove(CONTENT_LENGTH);
    }
    let switched =
        (head.status == StatusCode::SWITCHING_PROTOCOLS).then(|| head.headers.get(UPGRADE).cloned());
    strip_hop_by_hop(&mut head.headers);
    if let Some(protocol) = switched.flatten() {
        ask_to_switch(&mut head.headers, &protocol);
    }
    if policy.via {
        add_via(&mut head.headers, received, &policy.via_name);
    }
    head.version = Version::HTTP_11;
}

fn without_userinfo(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn forwarded(headers: &mut HeaderMap, conn: &Conn, policy: &Forward) {
    match policy.x_forwarded {
        ForwardedPolicy::Off => {}
        ForwardedPolicy::Append => {
            append(headers, &X_FORWARDED_FOR, &conn.peer_value);
            set_x_forwarded(headers, false);
        }
        ForwardedPolicy::Replace => {
            headers.insert(X_FORWARDED_FOR, conn.peer_value.clone());
            set_x_forwarded(headers, true);
        }
    }
    match policy.forwarded {
        ForwardedPolicy::Off => {}
        ForwardedPolicy::Append => {
            if let Some(element) = forwarded_element(headers, conn.peer) {
                append(headers, &FORWARDED, &element);
            }
        }
        ForwardedPolicy::Replace => {
            if let Some(element) = forwarded_element(headers, conn.peer) {
                headers.insert(FORWARDED, element);
            }
        }
    }
}

fn set_x_forwarded(headers: &mut HeaderMap, replace: bool) {
    if replace || !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if (replace || !headers.contains_key(X_FORWARDED_HOST))
        && let Some(host) = headers.get(HOST).cloned()
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// One `Forwarded` element (RFC 7239 §4): IPv6 in brackets and quotes.
fn forwarded_element(headers: &HeaderMap, peer: SocketAddr) -> Option<HeaderValue> {
    let client = match peer.ip().to_canonical() {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("\"[{ip}]\""),
    };
    let host =
        headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.contains(['"', '\\']));
    let text = match host {
        Some(host) => format!("for={client};host=\"{host}\";proto=http"),
        None => format!("for={client};proto=http"),
    };
    HeaderValue::from_str(&text).ok()
}

/// Adds to a list field without losing what earlier hops wrote; several lines are joined (RFC 9110 §5.3).
fn append(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    if !headers.contains_key(name) {
        headers.insert(name, value.clone());
        return;
    }
    let mut joined = Vec::new();
    for earlier in headers.get_all(name) {
        joined.extend_from_slice(earlier.as_bytes());
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(value.as_bytes());
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(name, joined);
    }
}

fn add_via(headers: &mut HeaderMap, received: Version, name: &str) {
    let protocol = match received {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    };
    // The common case without an allocation of its own.
    let value = match (name, protocol) {
        ("weir", "1.1") => HeaderValue::from_static("1.1 weir"),
        _ => match HeaderValue::from_str(&format!("{protocol} {name}")) {
            Ok(value) => value,
            Err(_) => return,
        },
    };
    append(headers, &VIA, &value);
}
