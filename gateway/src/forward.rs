//! What a proxy must change in a message's head, and nothing else (RFC 9110 §7.6).
//!
//! Hop-by-hop fields end here, and so does whatever Connection names, except fields that a client must not be able to remove that
//! way: a request whose Host, Authorization or model header vanished on the way would be another request. Path and query are never
//! touched: signatures cover them.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::{StatusCode, Version};
use weir_config::{Forward, ForwardedPolicy};

use crate::front::Conn;
use crate::h1::notable::{Field, Notable};
use crate::message::{HeaderMap, RequestParts, ResponseParts};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

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

static HOP_BY_HOP: [(Field, HeaderName); 7] = [
    (Field::Connection, CONNECTION),
    (Field::TransferEncoding, TRANSFER_ENCODING),
    (Field::Te, TE),
    (Field::Upgrade, UPGRADE),
    (Field::KeepAlive, HeaderName::from_static("keep-alive")),
    (Field::ProxyConnection, HeaderName::from_static("proxy-connection")),
    (Field::Expect, EXPECT),
];

/// Removes hop-by-hop fields and those named in Connection. `te: trailers` is the one TE value that survives; Trailer stays, since
/// trailers are relayed.
fn strip_hop_by_hop(headers: &mut HeaderMap, notable: Notable) {
    if notable.has(Field::Connection) {
        strip_named(headers);
    }
    let trailers = notable.has(Field::Te)
        && headers.get(TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for (field, name) in &HOP_BY_HOP {
        if notable.has(*field) {
            headers.remove(name);
        }
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
pub fn upgrade(head: &RequestParts, has_body: bool) -> Option<HeaderValue> {
    if has_body || head.version != Version::HTTP_11 || !head.headers.contains_key(UPGRADE) {
        return None;
    }
    let names = |name: &HeaderName, word: &str| {
        let all = head.headers.get_all(name).filter_map(|value| value.to_str().ok());
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
pub fn request(head: &mut RequestParts, conn: &Conn, policy: &Forward, has_body: bool) {
    let received = head.version;
    let notable = head.notable;
    strip_hop_by_hop(&mut head.headers, notable);
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
    match (has_body, notable.has(Field::ContentLength)) {
        (true, false) => {
            head.headers.append(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        // Chunks that held nothing.
        (false, false) if notable.has(Field::TransferEncoding) => {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        _ => {}
    }
    forwarded(&mut head.headers, notable, conn, policy);
    if policy.via {
        add_via(&mut head.headers, notable, received, &policy.via_name);
    }
    head.version = Version::HTTP_11;
}

/// Makes an interim answer's fields ours: what a backend says of its connection is not the client's.
pub fn interim(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers, Notable::of(headers));
}

/// Makes a backend's answer head ours.
pub fn response(head: &mut ResponseParts, policy: &Forward) {
    let received = head.version;
    let notable = head.notable;
    if notable.has(Field::TransferEncoding) && notable.has(Field::ContentLength) {
        // The chunks are what was read; a length beside them is a lie (RFC 9112 §6.3).
        head.headers.remove(CONTENT_LENGTH);
        head.notable.forget(Field::ContentLength);
    }
    let switched =
        (head.status == StatusCode::SWITCHING_PROTOCOLS).then(|| head.headers.get(UPGRADE).cloned());
    strip_hop_by_hop(&mut head.headers, notable);
    for (field, _) in &HOP_BY_HOP {
        head.notable.forget(*field);
    }
    if let Some(protocol) = switched.flatten() {
        ask_to_switch(&mut head.headers, &protocol);
    }
    if policy.via {
        add_via(&mut head.headers, notable, received, &policy.via_name);
    }
    head.version = Version::HTTP_11;
}

fn without_userinfo(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn forwarded(headers: &mut HeaderMap, notable: Notable, conn: &Conn, policy: &Forward) {
    match policy.x_forwarded {
        ForwardedPolicy::Off => {}
        ForwardedPolicy::Append => {
            append(headers, notable.has(Field::XForwardedFor), &X_FORWARDED_FOR, &conn.peer_value);
            set_x_forwarded(headers, conn, notable);
        }
        ForwardedPolicy::Replace => {
            for name in [&X_FORWARDED_FOR, &X_FORWARDED_PROTO, &X_FORWARDED_HOST] {
                headers.remove(name);
            }
            headers.append(&X_FORWARDED_FOR, conn.peer_value.clone());
            set_x_forwarded(headers, conn, Notable::default());
        }
    }
    match policy.forwarded {
        ForwardedPolicy::Off => {}
        ForwardedPolicy::Append => {
            if let Some(element) = forwarded_element(headers, conn) {
                append(headers, notable.has(Field::Forwarded), &FORWARDED, &element);
            }
        }
        ForwardedPolicy::Replace => {
            if let Some(element) = forwarded_element(headers, conn) {
                headers.insert(FORWARDED, element);
            }
        }
    }
}

/// What is there already stays.
fn set_x_forwarded(headers: &mut HeaderMap, conn: &Conn, there: Notable) {
    if !there.has(Field::XForwardedProto) {
        headers.append(&X_FORWARDED_PROTO, HeaderValue::from_static(scheme(conn)));
    }
    if !there.has(Field::XForwardedHost)
        && let Some(host) = headers.get(&HOST).cloned()
    {
        headers.append(&X_FORWARDED_HOST, host);
    }
}

const fn scheme(conn: &Conn) -> &'static str {
    if conn.secure { "https" } else { "http" }
}

/// One `Forwarded` element (RFC 7239 §4): IPv6 in brackets and quotes.
fn forwarded_element(headers: &HeaderMap, conn: &Conn) -> Option<HeaderValue> {
    let proto = scheme(conn);
    let client = match conn.peer.ip().to_canonical() {
        ip if ip.is_unspecified() => "unknown".to_owned(),
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("\"[{ip}]\""),
    };
    let host =
        headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.contains(['"', '\\']));
    let text = match host {
        Some(host) => format!("for={client};host=\"{host}\";proto={proto}"),
        None => format!("for={client};proto={proto}"),
    };
    HeaderValue::from_str(&text).ok()
}

/// Adds to a list field without losing what earlier hops wrote; several lines are joined (RFC 9110 §5.3).
fn append(headers: &mut HeaderMap, present: bool, name: &HeaderName, value: &HeaderValue) {
    if !present {
        headers.append(name, value.clone());
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

fn add_via(headers: &mut HeaderMap, notable: Notable, received: Version, name: &str) {
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
    append(headers, notable.has(Field::Via), &VIA, &value);
}
