//! What one HTTP/2 connection may use and send, beside what holds for every connection.

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
