//! Reading numbers out of an answer allocates nothing once a thread has its block: counted by an allocator of its own, so in a test
//! binary of its own.

use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::HeaderValue;
use weir_config::{BackendFlag, Config, Kept, ValueRule, ValueSource, ValueUnit};
use weir_gateway::message::HeaderMap;
use weir_gateway::numbers::{NumberRules, Numbers};
use weir_telemetry::{Observation, Outcome, Settings, Start, Store};

const FRAME: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
const LAST: &[u8] = b"data: {\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

#[test]
fn values_and_tokens_of_an_answer_are_read_and_recorded_without_allocating() {
    let flag: BackendFlag = "openai=http://127.0.0.1:1".parse().unwrap();
    let mut config = Config::from_flags(&[flag]).unwrap();
    let header = |name: &str| ValueSource { header: Some(name.to_owned()), ..ValueSource::default() };
    let backend = config.backends.first_mut().unwrap();
    backend.values = vec![
        ValueRule { name: "feat".to_owned(), from: header("x-feat"), ..ValueRule::default() },
        ValueRule {
            name: "age".to_owned(),
            from: header("x-at"),
            unit: ValueUnit::Rfc3339,
            kept: Kept::Staleness,
        },
    ];
    let store = Store::with(Settings::default(), 1);
    let id = store.backend("openai");
    store.configure(id, &["m".to_owned()]);
    store.tick(Duration::ZERO);
    let recorder = store.recorder(0);
    let model = recorder.resolve(id, "m").unwrap();
    let backend = config.backends.first().unwrap();
    let rules = NumberRules::new(backend, config.dialect("openai").unwrap(), id, &store);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
    headers.insert("x-feat", HeaderValue::from_static("12.5"));
    headers.insert("x-at", HeaderValue::from_static("2026-11-24T12:00:00Z"));
    let one = || {
        let began = Instant::now();
        recorder.begin(model);
        let mut numbers = Numbers::begin(&rules, StatusCode::OK, &headers);
        [FRAME, FRAME, LAST].iter().for_each(|piece| numbers.piece(piece, began));
        let (outcome, told) = numbers.end(Outcome::Ok);
        numbers.record(&told, &recorder, model, Duration::from_secs(1));
        recorder.end(model, &Observation::new(outcome, Start::Hot, 1_000_000));
    };
    one();
    // A time that never was before may need new cells of its histogram; when all that come are there, nothing is allocated.
    let round = || allocation_counter::measure(|| (0..100).for_each(|_| one())).count_total;
    let rounds = (1..=50_u64).find(|_| round() == 0);
    let answers = 1 + 100 * rounds.expect("a hundred answers without one allocation");
    let seen = store.model("openai", "m").unwrap();
    let told = seen.figures().unwrap();
    assert_eq!((told.tokens, told.first_token.count()), ([9 * answers, 3 * answers], answers));
    assert_eq!((told.values[0].times.count(), told.values[1].last().is_some()), (answers, true));
}
