//! What it costs to find whose model a request is for: nanoseconds (the fastest of many short runs) and allocations.
//!
//! `cargo bench -p weir-benches --bench identify`

#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]
#![expect(clippy::unwrap_used, reason = "a bench without its rules measures nothing")]

use std::hint::black_box;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Uri};
use weir_benches::nanoseconds;
use weir_config::{BackendFlag, Config, Identify};
use weir_gateway::identify::{Identified, Matcher};
use weir_gateway::message::HeaderMap;

const TIMES: u32 = 2_048;

fn main() {
    println!("{:<58} {:>8} {:>12}", "find + identify", "ns", "allocations");
    let json = headers(&[("content-type", "application/json")]);
    let target = headers(&[("x-amzn-sagemaker-target-model", "team/fraud.tar.gz")]);
    case("triton: path", "triton", "/v2/models/fraud-detector/infer", &json, b"");
    case(
        "triton: path of 40 bytes with an escape",
        "triton",
        "/v2/models/team%2Fa-rather-long-name-of-a-model-v12/infer",
        &json,
        b"",
    );
    case("sagemaker: header", "sagemaker", "/endpoints/mme/invocations", &target, b"");
    case("openai: JSON, model first", "openai", "/v1/chat/completions", &json, &chat(1_024, true));
    case("openai: JSON of 1 KiB, model last", "openai", "/v1/chat/completions", &json, &chat(1_024, false));
    case("openai: JSON of 64 KiB, model last", "openai", "/v1/chat/completions", &json, &chat(65_536, false));
    case("triton: no rule fits", "triton", "/something/else", &json, b"");
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in fields {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    headers
}

/// A chat request whose messages are prose of so many bytes.
fn chat(bytes: usize, model_first: bool) -> Vec<u8> {
    let prose = "the quick brown fox jumps over the lazy dog. ".repeat(bytes / 45 + 1);
    let messages = format!(
        "\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]",
        prose.get(..bytes).unwrap_or(&prose)
    );
    let model = "\"model\":\"llama-3-8b\"";
    let body =
        if model_first { format!("{{{model},{messages}}}") } else { format!("{{{messages},{model}}}") };
    body.into_bytes()
}

fn case(what: &str, dialect: &str, path: &str, headers: &HeaderMap, body: &[u8]) {
    let flag: BackendFlag = format!("{dialect}=http://127.0.0.1:1").parse().unwrap();
    let config = Config::from_flags(&[flag]).unwrap();
    let matcher = Matcher::new(config.dialect(dialect).unwrap(), &[]).unwrap();
    let (uri, limits): (Uri, Identify) = (path.parse().unwrap(), Identify::default());
    let one = || {
        let found = matcher.find(black_box(&Method::POST), black_box(&uri), headers);
        let identity = found.as_ref().and_then(|found| match found.identify(&uri, headers, &limits) {
            Identified::Model(identity) => Some(identity),
            Identified::NeedsBody(mut scan) => {
                scan.feed(black_box(body));
                scan.end();
                scan.finish().identity
            }
            Identified::None => None,
        });
        black_box(&identity);
    };
    let ns = nanoseconds(TIMES, one);
    let counted = allocation_counter::measure(|| (0..TIMES).for_each(|_| one()));
    println!("{what:<58} {ns:>8.1} {:>12.2}", counted.count_total as f64 / f64::from(TIMES));
}
