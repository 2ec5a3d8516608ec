//! Verdicts by the conventions and by rules of a user's own.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use weir_config::{Absent, Config, HeaderTest, Otherwise, StatusOutcome, TimeUnit};

use super::*;

const COLD: Option<(Start, Evidence)> = Some((Start::Cold, Evidence::Header));
const HOT: Option<(Start, Evidence)> = Some((Start::Hot, Evidence::Header));

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    lines.iter().map(line).collect()
}

fn verdict(rules: &StartRules, status: u16, lines: &[(&str, &str)]) -> HeaderVerdict {
    rules.verdict(StatusCode::from_u16(status).unwrap(), &headers(lines))
}

fn dialect(name: &str) -> StartRules {
    let config = Config::from_flags(&[format!("{name}=http://127.0.0.1:1").parse().unwrap()]).unwrap();
    StartRules::new(None, &config.dialect(name).unwrap().starts).unwrap()
}

fn header_rules(headers: Vec<weir_config::HeaderRule>) -> StartRules {
    StartRules::new(None, &Starts { headers, ..Starts::default() }).unwrap()
}

fn on(header: &str) -> weir_config::HeaderRule {
    weir_config::HeaderRule { header: Some(header.to_owned()), ..weir_config::HeaderRule::default() }
}

#[test]
fn the_conventions_are_understood_in_front_of_every_server() {
    for name in ["mms", "sagemaker", "torchserve", "triton", "kserve-v1", "openai", "generic"] {
        let rules = dialect(name);
        let load = |ms| Some(Duration::from_millis(ms));
        for (lines, start, took) in [
            (vec![("X-Model-Cold", "true")], COLD, None),
            (vec![("x-model-cold", "True")], COLD, None),
            (vec![("X-Model-Cold", "false")], HOT, None),
            (vec![("X-Model-Load-Ms", "2310")], COLD, load(2310)),
            (vec![("X-Model-Load-Ms", "0")], HOT, None),
            (vec![("X-Model-Load-Ms", "soon")], None, None),
            (
                vec![("Server-Timing", "cache;desc=x, load;dur=12.5")],
                COLD,
                Some(Duration::from_micros(12_500)),
            ),
            (vec![("Server-Timing", "load;dur=0")], HOT, None),
            (vec![("Server-Timing", "load")], None, None),
            (vec![("Server-Timing", "db;dur=3"), ("Server-Timing", "load;dur=4")], COLD, load(4)),
            (vec![("X-Model-Cold", "true"), ("X-Model-Load-Ms", "7")], COLD, load(7)),
            (vec![("X-Model-Cold", "false"), ("X-Model-Load-Ms", "7")], HOT, None),
            (vec![], None, None),
        ] {
            let found = verdict(&rules, 200, &lines);
            assert_eq!((found.start, found.load), (start, took), "{name} {lines:?}");
            assert_eq!((found.outcome, found.loading), (None, false), "{name} {lines:?}");
        }
    }
}

#[test]
fn statuses_that_say_loading_are_told_from_those_that_do_not() {
    let not_ready = Some(Outcome::NotReady);
    for (name, status, lines, outcome, loading) in [
        ("sagemaker", 429, vec![("x-amzn-ErrorType", "ModelNotReadyException")], not_ready, true),
        ("sagemaker", 429, vec![("x-amzn-ErrorType", "ThrottlingException")], None, false),
        ("sagemaker", 429, vec![], None, false),
        // The model failed, not its client; without the rule a 4xx is the client's.
        ("sagemaker", 424, vec![], Some(Outcome::ServerError), false),
        (
            "bedrock",
            424,
            vec![("x-amzn-ErrorType", "ModelErrorException")],
            Some(Outcome::ServerError),
            false,
        ),
        ("bedrock", 408, vec![], Some(Outcome::ServerError), false),
        ("bedrock", 400, vec![], None, false),
        ("tgi", 424, vec![], Some(Outcome::ServerError), false),
        ("tei", 424, vec![], Some(Outcome::ServerError), false),
        ("mms", 424, vec![], None, false),
        ("anthropic", 529, vec![], Some(Outcome::Shed), false),
        ("vertex", 503, vec![("Retry-After", "10")], None, false),
        ("mms", 507, vec![], not_ready, false),
        ("mms", 503, vec![], None, false),
        ("torchserve", 503, vec![], None, false),
        ("openai", 503, vec![("Retry-After", "10")], not_ready, true),
        ("openai", 503, vec![], None, false),
        ("openai", 200, vec![("Retry-After", "10")], None, false),
    ] {
        let found = verdict(&dialect(name), status, &lines);
        assert_eq!((found.outcome, found.loading), (outcome, loading), "{name} {status} {lines:?}");
    }
}

#[test]
fn each_test_says_cold_hot_or_nothing() {
    let equals = |otherwise, absent| weir_config::HeaderRule {
        equals: Some("miss".to_owned()),
        otherwise,
        absent,
        ..on("x")
    };
    let matches = weir_config::HeaderRule { matches: Some("^(cold|loaded)$".to_owned()), ..on("x") };
    let there = |present| weir_config::HeaderRule { present: Some(present), ..on("x") };
    let above = weir_config::HeaderRule { above: Some(0.5), unit: TimeUnit::S, ..on("x") };
    for (rule, value, start) in [
        (equals(Otherwise::Hot, Absent::Unknown), Some(" MISS "), COLD),
        (equals(Otherwise::Hot, Absent::Unknown), Some("hit"), HOT),
        (equals(Otherwise::Unknown, Absent::Unknown), Some("hit"), None),
        (equals(Otherwise::Hot, Absent::Unknown), None, None),
        (equals(Otherwise::Hot, Absent::Hot), None, HOT),
        (matches.clone(), Some("loaded"), COLD),
        (matches, Some("unloaded"), HOT),
        (there(true), Some(""), COLD),
        (there(true), None, None),
        (there(false), None, COLD),
        (there(false), Some("x"), HOT),
        (above.clone(), Some("0.6"), COLD),
        (above.clone(), Some("0.5"), HOT),
        (above.clone(), Some("-3"), HOT),
        (above.clone(), Some("NaN"), None),
        (above, Some("12ms"), None),
    ] {
        let lines: Vec<_> = value.map(|value| ("x", value)).into_iter().collect();
        assert_eq!(
            verdict(&header_rules(vec![rule.clone()]), 200, &lines).start,
            start,
            "{rule:?} {value:?}"
        );
    }
}

#[test]
fn a_load_time_has_the_units_of_its_rule_and_is_not_believed_beyond_a_day() {
    for (unit, value, took) in [
        (TimeUnit::S, "1.5", Some(Duration::from_millis(1500))),
        (TimeUnit::Ms, "1.5", Some(Duration::from_micros(1500))),
        (TimeUnit::Us, "1500", Some(Duration::from_micros(1500))),
        (TimeUnit::Ns, "1500000", Some(Duration::from_micros(1500))),
        (TimeUnit::S, "1e300", None),
        (TimeUnit::S, "100000", None),
    ] {
        let rule = weir_config::HeaderRule { above: Some(0.0), unit, load_time: true, ..on("x") };
        let found = verdict(&header_rules(vec![rule]), 200, &[("x", value)]);
        assert_eq!((found.start, found.load), (COLD, took), "{unit:?} {value}");
    }
}

#[test]
fn the_first_rule_that_says_something_wins_and_a_backends_own_come_first() {
    let equals =
        |header: &str, text: &str| weir_config::HeaderRule { equals: Some(text.to_owned()), ..on(header) };
    let own = Starts { headers: vec![equals("x-own", "cold")], ..Starts::default() };
    let base = Starts { headers: vec![equals("x-base", "cold")], ..Starts::default() };
    let rules = StartRules::new(Some(&own), &base).unwrap();
    assert_eq!(verdict(&rules, 200, &[("x-own", "cold"), ("x-base", "hot")]).start, COLD);
    assert_eq!(verdict(&rules, 200, &[("x-own", "hot"), ("x-base", "cold")]).start, HOT);
    assert_eq!(verdict(&rules, 200, &[("x-base", "cold")]).start, COLD);
}

#[test]
fn the_first_status_rule_that_fits_wins() {
    let status = |code, header, outcome, loading| weir_config::StatusRule { code, header, outcome, loading };
    let test = |present| Some(HeaderTest { name: "x".to_owned(), matches: None, present: Some(present) });
    let statuses = vec![
        status(503, test(false), StatusOutcome::Shed, false),
        status(503, None, StatusOutcome::ServerError, true),
        status(404, None, StatusOutcome::ClientError, false),
    ];
    let rules = StartRules::new(None, &Starts { statuses, ..Starts::default() }).unwrap();
    assert_eq!(verdict(&rules, 503, &[]).outcome, Some(Outcome::Shed));
    let found = verdict(&rules, 503, &[("x", "")]);
    assert_eq!((found.outcome, found.loading), (Some(Outcome::ServerError), true));
    assert_eq!(verdict(&rules, 404, &[]).outcome, Some(Outcome::ClientError));
    assert_eq!(verdict(&rules, 500, &[]), HeaderVerdict::default());
}

#[test]
fn without_a_rule_the_status_says_whose_fault_it_was() {
    for (status, expected) in [
        (101, Outcome::Ok),
        (200, Outcome::Ok),
        (304, Outcome::Ok),
        (404, Outcome::ClientError),
        (424, Outcome::ClientError),
        (429, Outcome::Shed),
        (499, Outcome::ClientError),
        (500, Outcome::ServerError),
        (503, Outcome::ServerError),
        (530, Outcome::ServerError),
        (999, Outcome::ServerError),
    ] {
        assert_eq!(outcome(StatusCode::from_u16(status).unwrap()), expected, "{status}");
    }
}

#[test]
fn rules_that_checks_should_have_stopped_are_errors_here_too() {
    for rule in [
        weir_config::HeaderRule { present: Some(true), ..on("not a name") },
        weir_config::HeaderRule { matches: Some("(".to_owned()), ..on("x") },
        weir_config::HeaderRule { matches: Some("\\w{1000}{1000}".to_owned()), ..on("x") },
        weir_config::HeaderRule { equals: Some("a".to_owned()), above: Some(1.0), ..on("x") },
        weir_config::HeaderRule { server_timing: Some("load".to_owned()), present: Some(true), ..on("x") },
        on("x"),
        weir_config::HeaderRule::default(),
    ] {
        let starts = Starts { headers: vec![rule.clone()], ..Starts::default() };
        assert!(StartRules::new(None, &starts).is_err(), "{rule:?}");
    }
}

proptest! {
    #[test]
    fn no_header_value_panics(value in prop::collection::vec(any::<u8>().prop_filter("visible", |b| *b >= b' ' && *b != 127), 0..80)) {
        let value = HeaderValue::from_bytes(&value).unwrap();
        let names = ["x-model-cold", "x-model-load-ms", "server-timing"];
        let headers = names.iter().map(|name| (HeaderName::from_static(name), value.clone())).collect();
        let _ = dialect("generic").verdict(StatusCode::OK, &headers);
    }
}
