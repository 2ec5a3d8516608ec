//! Where clients reach weir, and what a listener allows: addresses, limits, and the headers that say a
//! request passed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::ListenAddress;
use crate::h2::Http2Limits;
use crate::proxy_protocol::{ProxyProtocol, or_a_word};
use crate::tls::ListenTls;
use crate::units::{Bytes, DurationText, bytes_within, duration, duration_within};

/// One address that clients connect to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Listener {
    /// Name in logs and metrics. Default `main`; letters, digits, `_`, `-` and `.`, 1 to 64 of them, unique.
    #[garde(custom(crate::check::name))]
    pub name: String,
    /// IP address and port, or `unix:/PATH`. Default `127.0.0.1:9900`; port 0 takes any free port; a host name is not accepted.
    #[schemars(with = "String")]
    pub address: ListenAddress,
    /// TLS. Default none: plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub tls: Option<ListenTls>,
    /// What is spoken: offered over TLS by ALPN (RFC 7301) in this order, told from the first bytes where the client did not choose.
    /// Default: both, HTTP/2 first; 1 to 2 of them.
    #[garde(length(min = 1, max = 2))]
    pub protocols: Vec<HttpProtocol>,
    /// Whether connections begin with a PROXY header (HAProxy's, version 1 or 2), which names the client: one word, or with the
    /// networks that are believed.
    #[schemars(transform = or_a_word)]
    #[garde(dive)]
    pub proxy_protocol: ProxyProtocol,
    /// What becomes of a client of HTTP/1.1 that closes its sending half before it has its answer. Default `cancel`.
    pub half_close: HalfClose,
    /// What one connection or request may use.
    #[garde(dive)]
    pub limits: ListenLimits,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            name: "main".to_owned(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9900)).into(),
            tls: None,
            protocols: vec![HttpProtocol::H2, HttpProtocol::Http1],
            proxy_protocol: ProxyProtocol::default(),
            half_close: HalfClose::Cancel,
            limits: ListenLimits::default(),
        }
    }
}

/// What is spoken on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HttpProtocol {
    /// HTTP/2.
    #[serde(rename = "h2")]
    H2,
    /// HTTP/1.0 and 1.1.
    #[serde(rename = "http/1.1")]
    Http1,
}

impl HttpProtocol {
    /// Its name in ALPN.
    #[must_use]
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Self::H2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }
}

/// What becomes of a client that closes its sending half before it has its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HalfClose {
    /// It counts as gone, and its request is cancelled: most who close are.
    #[default]
    Cancel,
    /// It gets its answer; one that is really gone is noticed when that is written.
    Keep,
}

/// What one connection or request may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct ListenLimits {
    /// Size of a request's head, all header lines together. Default `64KiB`; 8KiB to 1MiB. Above it: 431.
    #[garde(custom(bytes_within("8KiB", "1MiB")))]
    pub header_bytes_max: Bytes,
    /// Length of a request's first line. Default `16KiB`; 1KiB to 60KiB. Above it: 414.
    #[garde(custom(bytes_within("1KiB", "60KiB")))]
    pub request_line_bytes_max: Bytes,
    /// Number of header lines of a request. Default 100; 16 to 1000. Above it: 431.
    #[garde(range(min = 16, max = 1000))]
    pub header_count_max: u16,
    /// Time from the first byte of a request's head to its last. Default `10s`; 100ms to 5m. After it: 408.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("100ms", "5m")))]
    pub header_read_timeout: Duration,
    /// Time a kept-alive connection may wait for its next request. Default `75s`; 1s to 1h.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "1h")))]
    pub idle_timeout: Duration,
    /// Time between two pieces of a request's body. Default `1m`; 100ms to 1h. After it: 408.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("100ms", "1h")))]
    pub body_idle_timeout: Duration,
    /// Time for a TLS handshake and a PROXY header. Default `10s`; 100ms to 5m. After it the connection is closed.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("100ms", "5m")))]
    pub handshake_timeout: Duration,
    /// Size of a request's body. Default `0B`, which means no limit; a route can have its own. Above it: 413.
    pub body_bytes_max: Bytes,
    /// Requests served on one HTTP/1.1 connection before it is closed. Default 0, which means no limit; 0 to 1000000000.
    #[garde(range(max = 1_000_000_000))]
    pub requests_per_connection_max: u32,
    /// Open client connections of one worker on this listener. Default 10000; 1 to 1000000. Above it new ones are closed at once.
    #[garde(range(min = 1, max = 1_000_000))]
    pub connections_max: u32,
    /// Requests at one time on one HTTP/2 connection. Default 100; 1 to 10000.
    #[garde(range(min = 1, max = 10_000))]
    pub h2_concurrent_streams_max: u32,
    /// What one HTTP/2 connection may use and send besides.
    #[garde(dive)]
    pub h2: Http2Limits,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            header_bytes_max: Bytes::kib(64),
            request_line_bytes_max: Bytes::kib(16),
            header_count_max: 100,
            header_read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_idle_timeout: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(10),
            body_bytes_max: Bytes(0),
            requests_per_connection_max: 0,
            connections_max: 10_000,
            h2_concurrent_streams_max: 100,
            h2: Http2Limits::default(),
        }
    }
}

/// What a backend is told about the request's way here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Forward {
    /// Add a `Via` line to requests and responses (RFC 9110 §7.6.3). Default true.
    pub via: bool,
    /// The name in `Via`. Default `weir`; a token of RFC 9110, 1 to 64 characters.
    #[garde(custom(crate::check::token))]
    pub via_name: String,
    /// `X-Forwarded-For`, `-Proto` and `-Host`. Default `append`.
    pub x_forwarded: ForwardedPolicy,
    /// `Forwarded` (RFC 7239). Default `off`.
    pub forwarded: ForwardedPolicy,
    /// `X-Request-Id`, which backend, answer and access log get alike. Default `make`.
    pub request_id: RequestId,
    /// Add `Server-Timing: weir;dur=…` to answers: milliseconds until the answer's head, and hot or cold. Default false.
    pub server_timing: bool,
    /// Add `X-Weir-Start: hot` or `cold` to answers, where it is known when their head comes. Default false.
    pub start_header: bool,
}

impl Default for Forward {
    fn default() -> Self {
        Self {
            via: true,
            via_name: "weir".to_owned(),
            x_forwarded: ForwardedPolicy::Append,
            forwarded: ForwardedPolicy::Off,
            request_id: RequestId::Make,
            server_timing: false,
            start_header: false,
        }
    }
}

/// What to do about `X-Request-Id`. One that came in is believed if it is 1 to 128 letters, digits and `-_.:/+=@~`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestId {
    /// It is a header like any other.
    Off,
    /// Keep the client's, drop a malformed one, make none.
    Keep,
    /// Keep the client's, make one where there is none or a malformed one: 32 hexadecimal digits.
    #[default]
    Make,
}

/// What to do with the header lines that name the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedPolicy {
    /// Keep what came in and add the client.
    #[default]
    Append,
    /// Drop what came in and write the client: for an edge that trusts nobody.
    Replace,
    /// Pass what came in and add nothing.
    Off,
}

/// How weir stops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Drain {
    /// Time between `/readyz` saying 503 and the end of accepting, for load balancers to notice. Default `0s`; 0s to 10m.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("0s", "10m")))]
    pub delay: Duration,
    /// Time that requests in flight have to end once accepting has ended. Default `30s`; 0s to 1h.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("0s", "1h")))]
    pub deadline: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { delay: Duration::ZERO, deadline: Duration::from_secs(30) }
    }
}
