//! What answers tell: numbers in their bodies and headers, hot or cold in their heads.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use weir_config::Config;
use weir_gateway::classify::{StartRules, entry};
use weir_gateway::h1::response;
use weir_gateway::message::HeaderMap;
use weir_gateway::numbers::{NumberRules, Numbers};
use weir_gateway::{grpc, trace};
use weir_telemetry::{Outcome, Settings, Start, Store};

const DIALECTS: [&str; 4] = ["openai", "ollama", "tgi", "telling"];
const FRAMINGS: [&str; 3] = ["application/json", "application/x-ndjson", "text/event-stream"];
/// More is no number of tokens.
const TOKENS_MAX: u64 = 1 << 32;

/// Every test, every unit and every place that a rule can have.
const CONFIG: &str = "
backends:
- {name: openai, dialect: openai, endpoints: ['http://127.0.0.1:1']}
- {name: ollama, dialect: ollama, endpoints: ['http://127.0.0.1:2']}
- {name: tgi, dialect: tgi, endpoints: ['http://127.0.0.1:3']}
- name: telling
  dialect: generic
  endpoints: ['http://127.0.0.1:4']
  starts:
    headers:
    - {header: x-load-s, above: 0.5, unit: s, load_time: true}
    - {header: x-load-us, above: 1, unit: us, load_time: true, otherwise: unknown}
    - {server_timing: load, above: 10, load_time: true}
    - {header: x-cold, equals: 'true'}
    - {header: x-cache, matches: '(?i)^miss'}
    - {header: x-warm, present: false, otherwise: unknown}
    statuses:
    - {code: 503, header: {name: retry-after, present: true}, outcome: not_ready, loading: true}
    - {code: 429, header: {name: x-why, matches: loading}, outcome: not_ready, loading: true}
  values:
  - {name: ns, from: {header: x-ns}, unit: ns}
  - {name: unix, from: {header: x-unix}, unit: unix_s, as: staleness}
  - {name: unix_ms, from: {header: x-unix-ms}, unit: unix_ms, as: staleness}
  - {name: rfc, from: {header: x-rfc}, unit: rfc3339, as: staleness}
  - {name: date, from: {header: last-modified}, unit: http_date, as: staleness}
  - {name: percent, from: {header: x-percent}, unit: percent, as: gauge}
  - {name: timing, from: {server_timing: total}}
  - {name: trailer, from: {trailer: x-trailer}}
";

/// One backend's compiled rules.
struct Rules {
    numbers: Arc<NumberRules>,
    starts: StartRules,
}

/// The rules of backend `number`, compiled once a thread.
fn with<T>(number: usize, look: impl FnOnce(&Rules) -> T) -> T {
    thread_local!(static RULES: OnceCell<Vec<Rules>> = const { OnceCell::new() });
    RULES.with(|all| look(&all.get_or_init(compile)[number % DIALECTS.len()]))
}

fn compile() -> Vec<Rules> {
    let config: Config =
        weir_config::parse(CONFIG, "fuzz.yaml", &|_| None).map_err(|all| all.render(false)).unwrap();
    let store = Store::with(Settings::default(), 1);
    let one = |backend: &weir_config::Backend| {
        let dialect = config.dialect(&backend.dialect).unwrap();
        Rules {
            numbers: NumberRules::new(backend, dialect, store.backend(&backend.name), &store),
            starts: StartRules::new(backend.starts.as_ref(), &dialect.starts).unwrap(),
        }
    };
    config.backends.iter().map(one).collect()
}

/// The first byte chooses dialect and framing, the rest is a body: its numbers are the same however it comes, and those of a whole
/// JSON are the ones that serde_json reads.
pub(crate) fn numbers(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let (dialect, framing) = (usize::from(choice % 4), FRAMINGS[usize::from(choice / 4) % 3]);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(framing));
    let (outcome, tokens, _, _) = super::uncut(body, |pieces| {
        with(dialect, |rules| {
            let mut numbers = Numbers::begin(&rules.numbers, StatusCode::OK, &headers);
            pieces.iter().for_each(|piece| numbers.piece(piece, Instant::now()));
            let (outcome, told) = numbers.end(Outcome::Ok);
            let usage = told.usage().map(|usage| (usage.tokens, usage.broken));
            (outcome, usage.map(|usage| usage.0), usage.and_then(|usage| usage.1), numbers.start())
        })
    });
    assert!(tokens.unwrap_or_default().iter().all(|count| *count <= TOKENS_MAX));
    if DIALECTS[dialect] != "ollama" || framing != FRAMINGS[0] {
        return;
    }
    let text = String::from_utf8_lossy(body);
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return };
    // Of a name that is there twice serde_json keeps the last whatever it is, and an escaped one is not looked for.
    if text.contains('\\') || ["prompt_eval_count", "eval_count"].iter().any(|name| twice(&text, name)) {
        return;
    }
    let count =
        |name| object.get(name).and_then(Value::as_u64).filter(|count| *count <= TOKENS_MAX).unwrap_or(0);
    assert_eq!(tokens, Some([count("prompt_eval_count"), count("eval_count")]));
    assert_eq!(outcome, Outcome::Ok, "what is not a stream does not break");
}

fn twice(text: &str, name: &str) -> bool {
    text.matches(&format!("\"{name}\"")).count() > 1
}

/// An answer's head: whatever stands in it, hot or cold is told once, and a load time only of what was cold.
pub(crate) fn verdict(data: &[u8]) {
    let Some(end) = super::http::end(data, &response::LIMITS) else { return };
    let bytes = Bytes::copy_from_slice(&data[..end]);
    let Ok(head) = response::parse(&bytes, &http::Method::POST) else { return };
    let (status, headers) = (head.parts.status, &head.parts.headers);
    for number in 0..DIALECTS.len() {
        with(number, |rules| {
            let verdict = rules.starts.verdict(status, headers);
            let is_cold = matches!(verdict.start, Some((Start::Cold, _)));
            assert!(is_cold || verdict.load.is_none(), "{verdict:?}");
            let mut more = headers.clone();
            more.insert("x-nobody-asks", HeaderValue::from_static("load;dur=1"));
            assert_eq!(rules.starts.verdict(status, &more), verdict, "a header that no rule names");
            let mut numbers = Numbers::begin(&rules.numbers, status, headers);
            numbers.trailers(headers);
            let (outcome, _) = numbers.end(Outcome::ClientError);
            assert_eq!(outcome, Outcome::ClientError, "nothing that a client did is the server's");
        });
    }
    if let Some(entry) = entry(headers, "load") {
        let lines = headers.get_all("server-timing").iter();
        assert!(
            lines
                .map(|line| line.as_bytes().to_ascii_lowercase())
                .any(|line| line.windows(4).any(|at| at == b"load"))
        );
        assert!(entry.dur.is_none_or(|dur| !dur.contains(&b'"') || dur.contains(&b'\\')));
    }
    let told = grpc::told(headers);
    assert!(told.is_none() || headers.contains_key("grpc-status"));
    assert!(trace::id(headers).is_none_or(|id| id != 0));
}
