//! What one HTTP/2 connection may use and send, beside what holds for every connection: a client's, and one to a backend.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Bytes, DurationText, bytes_within, duration, duration_within};

/// What one HTTP/2 connection may use and send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Http2Limits {
    /// Body bytes of one request that a client may send before they are forwarded. Default `256KiB`; 64KiB to 16MiB.
    #[garde(custom(bytes_within("64KiB", "16MiB")))]
    pub window_bytes: Bytes,
    /// The same for all requests of a connection together. Default `1MiB`; 64KiB to 64MiB.
    #[garde(custom(bytes_within("64KiB", "64MiB")))]
    pub connection_window_bytes: Bytes,
    /// Requests that a client may reset in a second. Default 200; 1 to 100000. Above it the connection is closed.
    #[garde(range(min = 1, max = 100_000))]
    pub resets_per_second_max: u32,
    /// SETTINGS, PING, PRIORITY, empty and unknown frames that a client may send in a second. Default 200; 10 to 100000. Above it the
    /// connection is closed.
    #[garde(range(min = 10, max = 100_000))]
    pub control_frames_per_second_max: u32,
    /// Time of silence after which the client is sent a ping. Default `0s`, which means never; 0s to 1h.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("0s", "1h")))]
    pub ping_interval: Duration,
    /// Time that a client has to answer a ping. Default `20s`; 1s to 5m. After it the connection is closed.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    #[garde(custom(duration_within("1s", "5m")))]
    pub ping_timeout: Duration,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            window_bytes: Bytes::kib(256),
            connection_window_bytes: Bytes::kib(1024),
            resets_per_second_max: 200,
            control_frames_per_second_max: 200,
            ping_interval: Duration::ZERO,
            ping_timeout: Duration::from_secs(20),
        }
    }
}

/// What one HTTP/2 connection to a backend carries and may send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct UpstreamHttp2 {
    /// Requests at one time on one connection, if the backend allows as many; above it another one is opened. Default 100; 1 to 10000.
    #[garde(range(min = 1, max = 10_000))]
    pub concurrent_streams_max: u32,
    /// Connections per worker and endpoint. Default 64; 1 to 10000. Above it requests wait for a stream, within `timeouts.first_byte`.
    #[garde(range(min = 1, max = 10_000))]
    pub connections_max: u32,
    /// Body bytes of one answer that the backend may send before they are forwarded. Default `256KiB`; 64KiB to 16MiB.
    #[garde(custom(bytes_within("64KiB", "16MiB")))]
    pub window_bytes: Bytes,
    /// The same for all answers of a connection together. Default `25MiB`, so that a slow client holds up nobody else; 64KiB to 1GiB.
    #[garde(custom(bytes_within("64KiB", "1GiB")))]
    pub connection_window_bytes: Bytes,
    /// Size of one frame that the backend may send. Default `16KiB`; 16KiB to 1MiB.
    #[garde(custom(bytes_within("16KiB", "1MiB")))]
    pub frame_bytes_max: Bytes,
    /// Size of an answer's head, all fields together. Default `256KiB`; 8KiB to 1MiB. Above it the answer is refused: 502.
    #[garde(custom(bytes_within("8KiB", "1MiB")))]
    pub header_list_bytes_max: Bytes,
    /// Bytes of one request that wait to be written before its body is no longer pulled. Default `128KiB`; 16KiB to 16MiB.
    #[garde(custom(bytes_within("16KiB", "16MiB")))]
    pub send_buffer_bytes: Bytes,
}

impl Default for UpstreamHttp2 {
    fn default() -> Self {
        Self {
            concurrent_streams_max: 100,
            connections_max: 64,
            window_bytes: Bytes::kib(256),
            connection_window_bytes: Bytes::mib(25),
            frame_bytes_max: Bytes::kib(16),
            header_list_bytes_max: Bytes::kib(256),
            send_buffer_bytes: Bytes::kib(128),
        }
    }
}
