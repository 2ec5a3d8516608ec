//! Every bound that a comment states is the one that holds: `Default X; A to B.`

use regex::Regex;
use serde_json::{Value, json};

/// Where the structs with bounds stand in a file, as a JSON pointer of a document that has them.
const PLACES: [(&str, &str); 16] = [
    ("", ""),
    ("ListenLimits", "/listeners/0/limits"),
    ("Listener", "/listeners/0"),
    ("Admin", "/admin"),
    ("Timeouts", "/backends/0/timeouts"),
    ("Pool", "/backends/0/pool"),
    ("Identify", "/identify"),
    ("Telemetry", "/telemetry"),
    ("Drain", "/drain"),
    ("Log", "/log"),
    ("Sign", "/backends/0/sign"),
    ("Slo", "/slos/0"),
    ("Alerts", "/alerts"),
    ("AccessLog", "/access_log"),
    ("Otlp", "/export/otlp"),
    ("Emf", "/export/emf"),
];

fn document() -> Value {
    json!({
        "backends": [{"dialect": "mms", "endpoints": ["http://a:1"], "timeouts": {}, "pool": {}, "sign": {"region": "eu-west-1"}}],
        "listeners": [{"limits": {}}], "admin": {}, "identify": {}, "telemetry": {}, "drain": {}, "log": {},
        "slos": [{"name": "x", "error_rate_max": "1%"}], "alerts": {}, "access_log": {}, "export": {"otlp": {}, "emf": {"path": "/x"}},
    })
}

/// Whether the file is valid with this value there.
fn accepts(place: &str, key: &str, value: &Value) -> bool {
    let mut document = document();
    document.pointer_mut(place).unwrap()[key] = value.clone();
    weir_config::parse(&document.to_string(), "weir.yaml", &crate::no_env).is_ok()
}

/// The amount, moved by `step` in its own unit; none below zero.
fn moved(amount: &str, step: i64) -> Option<String> {
    let unit = amount.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: i64 = amount.strip_suffix(unit)?.parse().ok()?;
    Some(number + step).filter(|moved| *moved >= 0).map(|moved| format!("{moved}{unit}"))
}

/// As the file has it: a number where there is no unit.
fn value(amount: &str) -> Value {
    amount.parse::<u64>().map_or_else(|_| json!(amount), |number| json!(number))
}

#[test]
fn every_stated_range_holds_at_both_ends_and_not_beyond() {
    let schema = weir_config::schema();
    let range = Regex::new(r"[;:] (\d+(?:[a-zA-Z]+)?)(?: \([^)]*\))? to (\d+[a-zA-Z]*)").unwrap();
    let mut checked = 0;
    for (name, place) in PLACES {
        let owner = if name.is_empty() { &schema } else { &schema["$defs"][name] };
        for (key, property) in owner["properties"].as_object().unwrap() {
            let Some(found) = property["description"].as_str().and_then(|text| range.captures(text)) else {
                continue;
            };
            if property["type"] == "array" || key == "name" || key == "level" {
                continue;
            }
            let (low, high) = (&found[1], &found[2]);
            for (amount, fits) in [
                (Some(low.to_owned()), true),
                (Some(high.to_owned()), true),
                (moved(low, -1), false),
                (moved(high, 1), false),
            ] {
                let Some(amount) = amount else { continue };
                assert_eq!(accepts(place, key, &value(&amount)), fits, "{name}.{key} = {amount}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 33, "every knob with a range: {checked}");
}

#[test]
fn every_stated_default_is_the_default() {
    let schema = weir_config::schema();
    let stated = Regex::new(r"Default (?:`([^`]+)`|([0-9A-Za-z]+))[,;. ]").unwrap();
    let mut checked = 0;
    let owners = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for (key, property) in owners.filter_map(|owner| owner["properties"].as_object()).flatten() {
        let text = property["description"].as_str().unwrap_or_default().to_owned() + " ";
        let Some(found) = stated.captures(&text) else { continue };
        let actual = match &property["default"] {
            Value::Null => continue,
            Value::Array(items) if items.is_empty() && key == "methods" => "any".to_owned(),
            Value::Array(items) if items.is_empty() => "none".to_owned(),
            Value::Array(_) => "one".to_owned(),
            Value::Object(_) => "nothing".to_owned(),
            Value::String(text) if text.is_empty() => "empty".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let stated = found.get(1).or(found.get(2)).unwrap().as_str();
        assert_eq!(stated, actual, "{key}: {text}");
        checked += 1;
    }
    assert!(checked > 45, "{checked}");
}

#[test]
fn every_list_has_a_limit_and_so_has_every_text() {
    let many = |text: &str, n: usize| vec![text; n].join(",");
    for (text, key) in [
        (format!("log: {{level: {}}}", "x".repeat(1025)), "log.level"),
        (format!("listeners: [{}]", many("{address: \"127.0.0.1:0\"}", 65)), "listeners"),
        (format!("routes: [{}]", many("{host: a, backend: triton}", 4097)), "routes"),
        (
            format!(
                "dialects: [{{name: x, aliases: [{}]}}]",
                (0..17).map(|i| format!("a{i}")).collect::<Vec<_>>().join(",")
            ),
            "dialects[0].aliases",
        ),
        (format!("dialects: [{{name: x, requests: [{}]}}]", many("{path: /a}", 257)), "dialects[0].requests"),
        (
            format!("dialects: [{{name: x, requests: [{{path: /{}}}]}}]", "a".repeat(1024)),
            "dialects[0].requests[0].path",
        ),
        (
            format!(
                "dialects: [{{name: x, starts: {{headers: [{}]}}}}]",
                many("{header: a, present: true}", 33)
            ),
            "dialects[0].starts.headers",
        ),
        (
            format!(
                "dialects: [{{name: x, starts: {{headers: [{{header: a, matches: \"{}\"}}]}}}}]",
                "a".repeat(1025)
            ),
            "dialects[0].starts.headers[0].matches",
        ),
        (format!("forward: {{via_name: {}}}", "v".repeat(65)), "forward.via_name"),
    ] {
        let wrong = crate::wrong_with_backend(&text);
        assert!(wrong.iter().any(|line| line.contains(&format!("{key}: "))), "{key}: {wrong:?}");
    }
}
