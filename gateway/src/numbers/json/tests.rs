//! The JSON reader, and that it agrees with a parser that reads all at once.

use proptest::prelude::*;
use serde_json::Value;
use weir_config::Usage;

use super::super::tokens::Told;
use super::*;

fn places() -> Places {
    let of = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    Places::new(&Usage {
        input: of(&["usage.input", "message.usage.input"]),
        output: of(&["usage.output"]),
        piece: of(&["choices.delta.content", "type=delta"]),
        finished: of(&["choices.finish_reason", "done", "type=end"]),
        error: of(&["error"]),
        load_ns: of(&["load"]),
    })
}

fn read(pieces: &[&[u8]]) -> (Told, bool) {
    let (mut scan, mut told, places) = (Scan::default(), Told::default(), places());
    pieces.iter().for_each(|piece| scan.feed(piece, &places, &mut told));
    scan.end(&places, &mut told);
    (told, scan.is_lost())
}

fn whole(text: &str) -> Told {
    let (told, is_lost) = read(&[text.as_bytes()]);
    assert!(!is_lost, "{text}");
    told
}

#[test]
fn numbers_and_signs_are_found_at_their_places_and_nowhere_else() {
    let told = whole(
        r#"{"id":"a\"}{","skip":{"usage":{"output":9},"x":[1,{"y":"]}"}]},"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi \"you\""},"finish_reason":null},{"delta":{"content":""},"finish_reason":"stop"}],"usage":{"input":12,"details":{"output":5},"output":7},"error":null,"load":5}"#,
    );
    assert_eq!((told.input, told.output, told.load_ns), (Some(12), Some(7), Some(5)));
    assert_eq!((told.pieces, told.finished, told.error), (1, true, false));
}

#[test]
fn a_sign_is_any_value_but_null_false_zero_and_an_empty_text() {
    for (text, finished) in [
        (r#"{"done":true}"#, true),
        (r#"{"done":false}"#, false),
        (r#"{"done":null}"#, false),
        (r#"{"done":""}"#, false),
        (r#"{"done":"length"}"#, true),
        (r#"{"done":0}"#, false),
        (r#"{"done":2}"#, true),
        (r#"{"done":{"why":"stop"}}"#, true),
        (r#"{"done":[]}"#, true),
        (r#"{"type":"end"}"#, true),
        (r#"{"type":"ended"}"#, false),
        (r#"{"type":"en"}"#, false),
        (r#"{"x":{"done":true}}"#, false),
        (r#"[{"done":true}]"#, true),
        (r#"{"d\u006fne":true}"#, false),
    ] {
        assert_eq!(whole(text).finished, finished, "{text}");
    }
}

#[test]
fn the_last_number_counts_and_what_is_no_whole_number_does_not() {
    assert_eq!(whole(r#"{"usage":{"output":1}}{"usage":{"output":15}}"#).output, Some(15));
    for text in ["1.5", "-3", "1e3", "99999999999999999999", "true", "\"7\"", "null", "[7]", "99999999999999"]
    {
        assert_eq!(whole(&format!("{{\"usage\":{{\"output\":{text}}}}}")).output, None, "{text}");
    }
    assert_eq!(whole(r#"{"usage":{"output":3},"usage":null}"#).output, Some(3), "null tells nothing");
}

#[test]
fn malformed_text_and_depth_without_end_are_survived() {
    for text in
        ["}", "{]", "{\"a\" 1}", "nul!", "{\"a\":1,,}", "[1 2]", "{1:2}", "\u{0}", "]", "{\"usage\":]"]
    {
        assert!(read(&[text.as_bytes()]).1, "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(!read(&[deep.as_bytes()]).1);
    let nested = format!("{}{{\"done\":true}}{}", "[".repeat(40), "]".repeat(40));
    assert!(!whole(&nested).finished, "deeper than any answer is at no place");
    let long = format!("{{\"{}\":1,\"done\":true}}", "k".repeat(10_000));
    assert!(whole(&long).finished);
}

/// The same by a parser that has everything.
fn by_parser(value: &Value, told: &mut Told) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| by_parser(item, told)),
        Value::Object(keys) => {
            for (key, value) in keys {
                match (key.as_str(), value) {
                    ("done", Value::Bool(true)) => told.finished = true,
                    ("done", Value::String(text)) => told.finished |= !text.is_empty(),
                    ("done", Value::Number(n)) => told.finished |= n.as_u64().is_some_and(|n| n > 0),
                    ("done", Value::Object(_) | Value::Array(_)) => told.finished = true,
                    ("load", Value::Number(n)) => told.load_ns = n.as_u64().or(told.load_ns),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f32>().prop_map(|n| Value::from(f64::from(n))),
        r#"[ -~é\\"\n]{0,50}"#.prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("done".to_owned()),
        Just("load".to_owned()),
        Just("choices".to_owned()),
        r#"[a-z"\\]{0,6}"#,
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..5)
                .prop_map(|keys| Value::Object(keys.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_finds_what_a_parser_finds(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let mut expected = Told::default();
        by_parser(&value, &mut expected);
        let told = whole(&text);
        prop_assert_eq!((told.finished, told.load_ns), (expected.finished, expected.load_ns), "{}", text);
    }

    #[test]
    fn any_split_gives_the_same(value in json(), noise in prop::collection::vec(any::<u8>(), 0..20), at in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let mut text = serde_json::to_vec(&value).unwrap();
        text.extend(noise);
        let mut cuts: Vec<_> = at.iter().map(|at| at.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[&text]));
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        prop_assert_eq!(read(&bytes), read(&[&text]));
    }
}
