//! What `show` prints reads back as the same configuration.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use weir_config::{
    Absent, Action, Backend, Bytes, Config, Credentials, Dialect, Endpoint, Forward, ForwardedPolicy,
    HeaderMatch, HeaderRule, HeaderTest, Kept, ListenLimits, Listener, Log, LogFormat, NameMap, Naming,
    Otherwise, Plane, Pool, RequestRule, Route, Sign, Source, Starts, StatusOutcome, StatusRule, TimeUnit,
    Timeouts, Transport, Usage, ValueRule, ValueSource, ValueUnit, When,
};

/// Any text that a file can hold, also what YAML would take for something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => r#"[ -~é中\n\t]{1,30}"#,
        1 => prop_oneof![Just("null"), Just("~"), Just("true"), Just("off"), Just("1e3"), Just("007"), Just("- a"), Just("a: b"), Just("${X}"), Just("# x"), Just(" x ")].prop_map(str::to_owned),
    ]
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,20}"
}

fn span(min: u64, max: u64) -> impl Strategy<Value = Duration> {
    (min..=max).prop_map(Duration::from_millis)
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (prop_oneof!["[a-z][a-z0-9.-]{0,20}", Just("::1".to_owned())], 1..=u16::MAX)
        .prop_map(|(host, port)| Endpoint { host, port, transport: Transport::Tcp })
}

fn source() -> impl Strategy<Value = Source> {
    let place = prop_oneof![
        Just(Source { path: Some("model".to_owned()), ..Source::default() }),
        token().prop_map(|name| Source { header: Some(name), ..Source::default() }),
        text().prop_map(|name| Source { query: Some(name), ..Source::default() }),
        text().prop_map(|name| Source { json: Some(name), ..Source::default() }),
    ];
    (place, option::of(text()), option::of(text()), any::<bool>()).prop_map(
        |(source, strip_prefix, strip_suffix, basename)| Source {
            strip_prefix,
            strip_suffix,
            basename,
            ..source
        },
    )
}

fn rule() -> impl Strategy<Value = RequestRule> {
    let action =
        prop_oneof![Just(Action::Infer), Just(Action::Load), Just(Action::Unload), Just(Action::Control)];
    let plane = prop_oneof![Just(Plane::Inference), Just(Plane::Management)];
    let when = (text(), text()).prop_map(|(query, equals)| When {
        query: Some(query),
        equals: Some(equals),
        ..When::default()
    });
    let path = "[a-z]{1,9}".prop_map(|word| format!("/{word}[/x]/pre{{model}}:post"));
    (path, vec("[A-Z]{1,9}", 0..3), vec(when, 0..2), action, plane, vec(source(), 1..3), vec(source(), 0..2))
        .prop_map(|(path, methods, when, action, plane, model, resident)| RequestRule {
            path,
            methods,
            when,
            action,
            plane,
            model,
            resident,
            version: Vec::new(),
            timeout: None,
        })
}

fn starts() -> impl Strategy<Value = Starts> {
    let test = prop_oneof![
        text().prop_map(|equals| HeaderRule { equals: Some(equals), ..HeaderRule::default() }),
        any::<bool>().prop_map(|present| HeaderRule {
            present: Some(present),
            load_time: present,
            ..HeaderRule::default()
        }),
        (0.0..1e9_f64).prop_map(|above| HeaderRule {
            above: Some(above),
            unit: TimeUnit::Us,
            ..HeaderRule::default()
        }),
        Just(HeaderRule {
            matches: Some("^(a|b: c)$".to_owned()),
            otherwise: Otherwise::Unknown,
            absent: Absent::Hot,
            ..HeaderRule::default()
        }),
    ];
    let header = (token(), test).prop_map(|(name, rule)| HeaderRule { header: Some(name), ..rule });
    let with = HeaderTest { name: "retry-after".to_owned(), present: Some(true), ..HeaderTest::default() };
    let status = (400..=599_u16, any::<bool>()).prop_map(move |(code, loading)| StatusRule {
        code,
        loading,
        header: Some(with.clone()).filter(|_| loading),
        outcome: StatusOutcome::Shed,
    });
    (vec(header, 0..3), vec(status, 0..3), any::<bool>()).prop_map(|(headers, statuses, lifecycle)| Starts {
        headers,
        statuses,
        lifecycle,
    })
}

fn value() -> impl Strategy<Value = ValueRule> {
    let kept = prop_oneof![
        Just((ValueUnit::Us, Kept::Histogram)),
        Just((ValueUnit::Percent, Kept::Gauge)),
        Just((ValueUnit::HttpDate, Kept::Staleness)),
    ];
    (token(), kept).prop_map(|(header, (unit, kept))| {
        let from = ValueSource { header: Some(header), ..ValueSource::default() };
        ValueRule { name: String::new(), from, unit, kept }
    })
}

fn naming() -> impl Strategy<Value = Naming> {
    let map = vec("[a-z*?]{1,9}", 0..3).prop_map(|froms| {
        let mut froms: Vec<_> = froms.into_iter().map(|from| format!("x{from}")).collect();
        froms.sort();
        froms.dedup();
        froms.into_iter().map(|from| NameMap { from, to: "one".to_owned() }).collect()
    });
    (any::<bool>(), vec("[a-z/.:]{1,9}", 0..3), vec("[a-z/.:]{1,9}", 0..3), map).prop_map(
        |(lowercase, strip_prefix, strip_suffix, map)| Naming { lowercase, strip_prefix, strip_suffix, map },
    )
}

fn backend(i: usize) -> impl Strategy<Value = Backend> {
    let parts = (
        vec(endpoint(), 1..2),
        option::of(endpoint()),
        span(10, 300_000),
        span(0, 3_600_000),
        vec(text(), 0..4),
    );
    let sign = option::of(text().prop_map(|profile| Sign {
        region: "eu-west-1".to_owned(),
        profile: Some(profile),
        credentials: Credentials::Profile,
        ..Sign::default()
    }));
    let told = (vec(value(), 0..3), any::<bool>(), sign, option::of(naming()));
    (parts, vec(rule(), 0..3), option::of(starts()), told).prop_map(move |(parts, requests, starts, told)| {
        let (endpoints, management, connect, idle_timeout, models) = parts;
        let (mut values, usage, sign, names) = told;
        values.iter_mut().zip(["a", "b", "c"]).for_each(|(value, name)| value.name = name.to_owned());
        Backend {
            tls: None,
            name: format!("b{i}"),
            protocol: weir_config::UpstreamProtocol::Auto,
            dialect: "kserve-v2".to_owned(),
            endpoints,
            management,
            models,
            requests,
            starts,
            inferred: usage
                .then_some(weir_config::Inferred { after_idle: Some(connect), two_peaks: false })
                .filter(|_| connect >= Duration::from_secs(1)),
            names,
            version_label: Some(usage),
            values,
            usage,
            state: weir_config::StatePoll::default(),
            sign,
            timeouts: Timeouts { connect, ..Timeouts::default() },
            pool: Pool { idle_timeout, ..Pool::default() },
        }
    })
}

fn config() -> impl Strategy<Value = Config> {
    let limits = (8_192..=1_048_576_u64, 16..=1000_u16).prop_map(|(bytes, header_count_max)| ListenLimits {
        header_bytes_max: Bytes(bytes),
        header_count_max,
        ..ListenLimits::default()
    });
    let listener = limits.prop_map(|limits| Listener { limits, ..Listener::default() });
    let header = option::of((token(), text()).prop_map(|(name, equals)| HeaderMatch { name, equals }));
    let route = (header, "/[a-z]{0,9}").prop_map(|(header, prefix)| Route {
        body_bytes_max: None,
        header,
        path_prefix: Some(prefix),
        host: None,
        backend: "b1".to_owned(),
    });
    let dialect = (vec(rule(), 0..3), starts(), text()).prop_map(|(requests, starts, about)| Dialect {
        name: "house".to_owned(),
        about,
        requests,
        starts,
        usage: Usage { output: vec!["a.b".to_owned()], ..Usage::default() },
        ..Dialect::default()
    });
    let forward = any::<bool>().prop_map(|via| Forward {
        via,
        forwarded: ForwardedPolicy::Replace,
        ..Forward::default()
    });
    let log = text().prop_map(|level| Log { level, format: LogFormat::Json });
    (
        option::of(1..=1024_u16),
        listener,
        (backend(0), backend(1)),
        vec(route, 0..3),
        vec(dialect, 0..2),
        forward,
        log,
    )
        .prop_map(|(workers, listener, (one, two), routes, dialects, forward, log)| Config {
            workers,
            listeners: vec![listener],
            backends: vec![one, two],
            routes,
            dialects,
            forward,
            log,
            ..Config::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_shown_reads_back_as_the_same_configuration(config in config()) {
        let shown = weir_config::show(&config);
        proptest::prop_assert_eq!(crate::parse(&shown), config, "{}", shown);
    }
}

#[test]
fn defaults_and_inherited_rules_are_shown_and_what_is_shown_is_shown_again() {
    let text = format!(
        "{}dialects: [{{name: house, extends: generic, requests: [{{path: '/x/{{model}}'}}]}}]",
        crate::BACKEND
    );
    let config = crate::parse(&text);
    let shown = weir_config::show(&config);
    for line in [
        "header_bytes_max: 64KiB",
        "name: triton",
        "path: /x/{model}",
        "header: X-Model-Cold",
        "idle_timeout: 4s",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    assert_eq!(crate::parse(&shown), config);
    assert_eq!(weir_config::show(&crate::parse(&shown)), shown);
}
