//! The scanner finds what `serde_json` finds, however the body is cut, and survives everything else.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

const KEYS: [&str; 2] = ["model", "resident"];

/// What the scan of one body came to.
#[derive(Debug, PartialEq)]
struct Found {
    model: Option<String>,
    resident: Option<String>,
    flags: ScanFlags,
    last: Progress,
}

fn scan(pieces: &[&[u8]]) -> Found {
    let mut scanner = JsonScanner::new(KEYS, 64).to_the_end();
    let last = pieces.iter().map(|piece| scanner.feed(piece)).last().unwrap_or(Progress::NeedMore);
    let value = |key| scanner.value(key).map(str::to_owned);
    Found { model: value(0), resident: value(1), flags: scanner.flags(), last }
}

fn model(body: &str) -> Option<String> {
    scan(&[body.as_bytes()]).model
}

#[test]
fn a_model_is_found_wherever_it_stands_at_the_top_level() {
    let long = format!(r#"{{"messages":[{{"content":"{}"}}],"model":"m"}}"#, "x\\n\\\"".repeat(10_000));
    for body in [
        r#"{"model":"m"}"#,
        " \t\r\n{ \"model\" : \"m\" } trailing",
        "\u{feff}{\"model\":\"m\"}",
        r#"{"a":{"model":"n"},"b":[{"model":"o"}],"model":"m","c":1}"#,
        r#"{"a":-1.5e+3,"b":true,"c":null,"d":"}\"]\\","model":"m"}"#,
        r#"{"stream":NaN,"model":"m"}"#,
        r#"{"m\u006fdel":"\u006d"}"#,
        r#"{"modelx":"a","mode":"b","Model":"c","":"d","model":"m"}"#,
        &long,
    ] {
        assert_eq!(model(body).as_deref(), Some("m"), "{}", body.get(..80).unwrap_or(body));
    }
}

#[test]
fn escapes_in_a_value_are_undone_and_half_a_surrogate_pair_is_replaced() {
    for (raw, text) in [
        (r"a\/b\\c\u0022d", "a/b\\c\"d"),
        (r"\b\f\n\r\t", "\u{8}\u{c}\n\r\t"),
        (r"\u00e9\u20AC", "é€"),
        (r"\uD83D\uDE00!", "😀!"),
        (r"\uD83D", "\u{fffd}"),
        (r"\uD83Dx", "\u{fffd}x"),
        (r"\uD83D\n", "\u{fffd}\n"),
        (r"\uDE00\uD83D", "\u{fffd}\u{fffd}"),
        (r"\uD83D\uD83D\uDE00", "\u{fffd}😀"),
        ("модель", "модель"),
    ] {
        assert_eq!(model(&format!(r#"{{"model":"{raw}"}}"#)).as_deref(), Some(text), "{raw}");
    }
}

#[test]
fn the_last_of_two_equal_keys_counts_and_is_flagged() {
    let found = scan(&[br#"{"model":"a","x":1,"mod\u0065l":"b"}"#]);
    assert_eq!(found.model.as_deref(), Some("b"));
    assert!(found.flags.duplicate);
    let found = scan(&[br#"{"model":"a","model":7}"#]);
    assert_eq!(found.model, None);
    assert!(found.flags.duplicate && found.flags.not_a_string);
    assert!(!scan(&[br#"{"model":"a","x":{"model":"b"}}"#]).flags.duplicate);
}

#[test]
fn a_value_that_is_no_string_is_no_name() {
    for value in ["1", "-0.5", "null", "true", "{}", "[]", r#"{"model":"x"}"#, r#"["x"]"#] {
        let found = scan(&[format!(r#"{{"model":{value},"resident":"r"}}"#).as_bytes()]);
        assert_eq!((found.model, found.resident.as_deref()), (None, Some("r")), "{value}");
        assert!(found.flags.not_a_string, "{value}");
    }
}

#[test]
fn an_empty_or_overlong_value_is_no_name() {
    assert_eq!(scan(&[br#"{"model":""}"#]).model, None);
    let fits = "x".repeat(64);
    assert_eq!(model(&format!(r#"{{"model":"{fits}"}}"#)), Some(fits));
    for long in ["x".repeat(65), "é".repeat(33), "\\n".repeat(65), "y".repeat(1_000_000)] {
        let found = scan(&[format!(r#"{{"model":"{long}"}}"#).as_bytes()]);
        assert_eq!(found.model, None);
        assert!(found.flags.too_long && !found.flags.malformed);
    }
}

#[test]
fn what_cannot_be_followed_ends_the_scan_and_keeps_what_was_seen() {
    for (body, seen) in [
        ("[1,2]", None),
        ("\"model\"", None),
        ("model=m&x=1", None),
        ("--boundary", None),
        ("\u{feff} \u{feff}{}", None),
        (r#"{"model" "m"}"#, None),
        (r#"{model:"m"}"#, None),
        (r#"{'model':'m'}"#, None),
        (r#"{"model":"m\x"}"#, None),
        (r#"{"model":"\u12G4"}"#, None),
        ("{\"model\":\"a\nb\"}", None),
        (r#"{"model":}"#, None),
        (r#"{"model":"m" "x":1}"#, Some("m")),
        (r#"{"model":"m",}"#, Some("m")),
        (r#"{"model":"m",,"#, Some("m")),
        (r#"{"model":"m"]"#, Some("m")),
    ] {
        let found = scan(&[body.as_bytes()]);
        assert_eq!(found.model.as_deref(), seen, "{body}");
        assert!(found.flags.malformed && found.last == Progress::Done, "{body}");
    }
    assert!(scan(&[b"{\"model\":\"\xff\"}"]).flags.malformed);
}

#[test]
fn an_empty_object_and_a_finished_one_need_no_more() {
    for body in ["{}", r#"{"a":1}"#, r#"{"model":"m"}{"model":"n"}"#] {
        let found = scan(&[body.as_bytes()]);
        assert_eq!(found.last, Progress::Done, "{body}");
        assert!(!found.flags.malformed && !found.flags.duplicate, "{body}");
    }
}

#[test]
fn a_body_that_ends_too_soon_only_asks_for_more() {
    let body = r#" {"a":{"b":["\""]},"model":"m\n","resident":"r"}"#;
    for end in 0..body.len() - 1 {
        let found = scan(&[&body.as_bytes()[..end]]);
        assert!(!found.flags.malformed, "{end}");
        assert_ne!(found.last, Progress::Done, "{end}");
    }
}

#[test]
fn nobody_waits_for_more_than_the_keys() {
    let mut scanner = JsonScanner::new(["model"], 64);
    assert_eq!(scanner.feed(br#"{"stream":true,"#), Progress::NeedMore);
    assert_eq!(scanner.feed(br#""model":"m","messages":["#), Progress::Found);
    assert_eq!(scanner.value(0), Some("m"));
}

#[test]
fn a_second_key_is_looked_for_only_a_little_way() {
    let tail = |bytes: usize| format!(r#"{{"model":"a","x":"{}","model":"b"}}"#, "x".repeat(bytes));
    for (bytes, value) in [(100, "b"), (4000, "b"), (5000, "a"), (100_000, "a")] {
        let mut scanner = JsonScanner::new(["model"], 64);
        assert_eq!(scanner.feed(tail(bytes).as_bytes()), Progress::Done);
        assert_eq!((scanner.value(0), scanner.flags().duplicate), (Some(value), value == "b"), "{bytes}");
    }
}

#[test]
fn depth_costs_neither_memory_nor_stack() {
    let deep = 200_000;
    let body = format!(r#"{{"a":{}1{},"model":"m"}}"#, r#"{"x":["#.repeat(deep / 2), "]}".repeat(deep / 2));
    assert_eq!(model(&body).as_deref(), Some("m"));
    assert_eq!(scan(&["[{".repeat(deep).as_bytes()]).last, Progress::Done);
    assert_eq!(scan(&["{\"a\":".repeat(deep).as_bytes()]).last, Progress::NeedMore);
}

#[test]
fn a_scan_for_nothing_is_done_at_once() {
    let mut scanner = JsonScanner::new([], 64);
    assert_ne!(scanner.feed(b"{"), Progress::NeedMore);
}

/// JSON values, three levels deep, with names that collide with the keys.
fn value() -> impl Strategy<Value = Value> {
    let text =
        prop_oneof!["[ -~]{0,12}", any::<String>(), Just("model".to_owned()), "[\"\\\\/\n\u{1}é😀]{0,6}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            object(inner).prop_map(Value::from),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![Just("model".to_owned()), Just("resident".to_owned()), "[a-z\"\\\\é]{0,8}"];
    prop::collection::vec((key, inner), 0..6).prop_map(|pairs| pairs.into_iter().collect())
}

/// A document, indented or not, with some letters of its strings escaped.
fn document() -> impl Strategy<Value = String> {
    (object(value()), any::<bool>(), any::<bool>()).prop_map(|(object, pretty, escaped)| {
        let text =
            if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
        let text = text.unwrap();
        if escaped { escape(&text) } else { text }
    })
}

/// Writes every character beyond ASCII, and every `o`, as an escape; `o` stands in no word of JSON.
fn escape(text: &str) -> String {
    let unit = |unit: u16| format!("\\u{unit:04X}");
    let one = |c: char| {
        if c.is_ascii() && c != 'o' {
            c.to_string()
        } else {
            c.encode_utf16(&mut [0; 2]).iter().map(|u| unit(*u)).collect()
        }
    };
    // An `o` behind a backslash cannot be there: `\o` is no escape.
    text.chars().map(one).collect()
}

fn name(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key)?.as_str().filter(|text| !text.is_empty() && text.len() <= 64).map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_valid_document_gives_what_serde_json_gives(text in document()) {
        let object: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let found = scan(&[text.as_bytes()]);
        prop_assert_eq!(&found.model, &name(&object, "model"), "{}", text);
        prop_assert_eq!(&found.resident, &name(&object, "resident"), "{}", text);
        prop_assert!(!found.flags.malformed && found.last == Progress::Done);
    }

    #[test]
    fn any_two_cuts_change_nothing(text in document(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let bytes = text.as_bytes();
        let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
        let (a, b) = (a.min(b), a.max(b));
        prop_assert_eq!(scan(&[&bytes[..a], &bytes[a..b], &bytes[b..]]), scan(&[bytes]));
    }

    #[test]
    fn byte_by_byte_changes_nothing(text in document()) {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(scan(&pieces), scan(&[text.as_bytes()]));
    }

    #[test]
    fn a_damaged_document_is_read_alike_however_it_is_cut(text in document(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
        let (cut, whole) = (scan(&pieces), scan(&[&bytes]));
        prop_assert_eq!(&cut.model, &whole.model);
        prop_assert_eq!(cut.flags, whole.flags);
    }

    #[test]
    fn random_bytes_never_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..4)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        scan(&pieces);
    }

    #[test]
    fn jsonish_bytes_never_panic(text in r#"[{}\[\]":,\\umodel0-9 \n\x00-]{0,200}"#) {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(3).collect();
        let (cut, whole) = (scan(&pieces), scan(&[text.as_bytes()]));
        prop_assert_eq!(cut.model, whole.model);
        prop_assert_eq!(cut.flags, whole.flags);
    }
}
