//! What it costs to read numbers out of answers: nanoseconds (the fastest of many short runs) and allocations, of one answer from its
//! head to its record.
//!
//! `cargo bench -p weir-benches --bench numbers`

#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]
#![expect(clippy::unwrap_used, reason = "a bench without its rules measures nothing")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use weir_benches::nanoseconds;
use weir_config::{BackendFlag, Config, ValueRule, ValueSource};
use weir_gateway::message::HeaderMap;
use weir_gateway::numbers::{NumberRules, Numbers};
use weir_telemetry::{Outcome, Settings, Store};

const TIMES: u32 = 2_048;

fn main() {
    println!("{:<58} {:>10} {:>12}", "one answer", "ns", "allocations");
    let head = [("content-type", "application/json"), ("x-feature-ms", "12.5"), ("x-infer-ms", "3.25")];
    let events = [("content-type", "text/event-stream")];
    case("triton: nothing to read", "triton", &[], &head, &[b"{}"]);
    case("triton: two headers", "triton", &["x-feature-ms", "x-infer-ms"], &head, &[b"{}"]);
    let frame = chunk("\"content\":\" token\"");
    let last =
        b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
    case("openai: a stream of 1 event of 200 bytes, and usage", "openai", &[], &events, &[&frame, last]);
    let pieces: Vec<&[u8]> = std::iter::repeat_n(&frame[..], 100).chain([&last[..]]).collect();
    case("openai: a stream of 100 events of 200 bytes, and usage", "openai", &[], &events, &pieces);
    let prose = format!(
        "{{\"choices\":[{{\"message\":{{\"content\":\"{}\"}}}}],\"usage\":{{\"prompt_tokens\":9}}}}",
        "the quick brown fox. ".repeat(50)
    );
    case("openai: JSON with 1 KiB of prose", "openai", &[], &head, &[prose.as_bytes()]);
    let floats = format!(
        "{{\"data\":[{{\"embedding\":[{}-0.1]}}],\"usage\":{{\"prompt_tokens\":9}}}}",
        "-0.012345678,".repeat(5_000)
    );
    case("openai: JSON with 64 KiB of floats", "openai", &[], &head, &[floats.as_bytes()]);
}

/// One event as servers send them.
fn chunk(delta: &str) -> Vec<u8> {
    format!(
        "data: {{\"id\":\"chatcmpl-0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1795521600,\"model\":\"llama-3-8b\",\
         \"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
    .into_bytes()
}

fn case(what: &str, dialect: &str, values: &[&str], head: &[(&'static str, &'static str)], pieces: &[&[u8]]) {
    let flag: BackendFlag = format!("{dialect}=http://127.0.0.1:1").parse().unwrap();
    let mut config = Config::from_flags(&[flag]).unwrap();
    let backend = config.backends.first_mut().unwrap();
    backend.values = values
        .iter()
        .map(|name| ValueRule {
            name: (*name).to_owned(),
            from: ValueSource { header: Some((*name).to_owned()), ..ValueSource::default() },
            ..ValueRule::default()
        })
        .collect();
    let store = Store::with(Settings::default(), 1);
    let id = store.backend("b");
    store.configure(id, &["m".to_owned()]);
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    let model = recorder.resolve(id, "m").unwrap();
    let rules =
        NumberRules::new(config.backends.first().unwrap(), config.dialect(dialect).unwrap(), id, &store);
    let headers: HeaderMap = head
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let began = Instant::now();
    let one = || {
        let mut numbers = Numbers::begin(black_box(&rules), StatusCode::OK, black_box(&headers));
        pieces.iter().for_each(|piece| numbers.piece(black_box(piece), began));
        let (outcome, told) = numbers.end(Outcome::Ok);
        black_box(outcome);
        numbers.record(&told, &recorder, model, Duration::from_secs(1));
    };
    one();
    let ns = nanoseconds(TIMES, one);
    let counted = allocation_counter::measure(|| (0..TIMES).for_each(|_| one()));
    println!("{what:<58} {ns:>10.1} {:>12.2}", counted.count_total as f64 / f64::from(TIMES));
}
