//! The backends of a soak, a good one and one that fails in every way, and weir's configuration in front of them.

use std::net::SocketAddr;

use weir_tests::backend::{self, Backend, Wire};

/// Answers at once, with a stream of events where it is asked for one.
pub(crate) fn good() -> Backend {
    Backend::start(|wire| {
        while let Some(seen) = wire.request() {
            if seen.head.contains("/generate_stream") {
                events(wire);
            } else {
                wire.send(&backend::answer(
                    "200 OK",
                    "x-model-cold: false\r\n",
                    &"y".repeat(seen.body.len()),
                ));
            }
        }
    })
}

fn events(wire: &mut Wire) {
    wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    for number in 0..20 {
        let event = format!("data: {{\"n\":{number}}}\n\n");
        wire.send(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
    }
    wire.send(b"0\r\n\r\n");
}

/// Does what the model's name says.
pub(crate) fn bad() -> Backend {
    Backend::start(|wire| {
        while let Some(seen) = wire.request() {
            let head = &seen.head;
            let does = |word: &str| head.contains(&format!("/models/{word}"));
            if does("invented") {
                wire.send(&backend::ok("as you like"));
                continue;
            }
            if does("unknown") {
                wire.send(&backend::answer("404 Not Found", "", "no such model"));
                continue;
            }
            fail(wire, &does);
            return;
        }
    })
}

/// The connection is of no use afterwards.
fn fail(wire: &mut Wire, does: &impl Fn(&str) -> bool) {
    if does("truncated") {
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome");
    } else if does("half-chunk") {
        wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nsome");
    } else if does("garbage") {
        wire.send(&[0xfe; 3000]);
    } else if does("oversized") {
        wire.send(b"HTTP/1.1 200 OK\r\n");
        for _ in 0..2000 {
            wire.send(format!("x-{}: 1\r\n", "y".repeat(400)).as_bytes());
        }
    } else if does("silent") {
        wire.wait_closed();
    } else if does("big") {
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 33554432\r\n\r\n");
        for _ in 0..512 {
            wire.send(&[b'z'; 65536]);
        }
    }
    wire.close();
}

/// Short limits, so that what is slow is over within a soak; few models, so that the store is full before the warm-up ends.
pub(crate) fn config(good: SocketAddr, bad: SocketAddr) -> String {
    let models: Vec<_> = (0..crate::good::MODELS).map(|number| format!("m-{number}")).collect();
    format!(
        "workers: 2
listeners:
- name: main
  limits: {{header_read_timeout: 2s, idle_timeout: 3s, body_idle_timeout: 2s}}
backends:
- {{name: good, dialect: triton, endpoints: ['http://{good}'], models: [{}]}}
- name: bad
  dialect: triton
  endpoints: ['http://127.0.0.1:1', 'http://{bad}']
  timeouts: {{connect: 1s, first_byte: 1s, between_bytes: 2s, request: 8s}}
routes:
- {{header: {{name: x-to, equals: good}}, backend: good}}
- {{backend: bad}}
telemetry: {{models_max: 1000, series_budget: 4000}}
",
        models.join(", ")
    )
}

/// The same with something that comes and goes.
pub(crate) fn turned(config: &str, turn: u32) -> String {
    let other = if turn.is_multiple_of(2) { "- {name: other, address: '127.0.0.1:0'}\n" } else { "" };
    let config = config.replace("backends:\n", &format!("{other}backends:\n"));
    format!("{config}slos:\n- {{name: fast, latency: {{percentile: 99%, below: {}ms}}}}\n", 100 + turn % 7)
}
