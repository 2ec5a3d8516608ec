//! What is read, and what it means.

use std::path::Path;
use std::time::Duration;

use weir_config::{Action, Bytes, Config, ForwardedPolicy, LoadError, Source};

use crate::{BACKEND, parse};

#[test]
fn a_file_with_one_backend_is_enough_and_the_rest_is_the_default() {
    let config = parse(BACKEND);
    let backend = &config.backends[0];
    assert_eq!((backend.name.as_str(), backend.dialect.as_str()), ("triton", "triton"));
    assert_eq!(backend.endpoints[0].authority(), "127.0.0.1:8000");
    assert_eq!(Config { backends: Vec::new(), ..config }, Config::default());
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let Config { listeners, admin, forward, identify, telemetry, drain, log, .. } = Config::default();
    let limits = &listeners[0].limits;
    assert_eq!(
        (listeners[0].name.as_str(), listeners[0].address.to_string().as_str()),
        ("main", "127.0.0.1:9900")
    );
    assert_eq!(admin.address.to_string(), "127.0.0.1:9901");
    assert_eq!((limits.header_bytes_max, limits.header_count_max), (Bytes::kib(64), 100));
    assert_eq!(
        (limits.header_read_timeout, limits.idle_timeout),
        (Duration::from_secs(10), Duration::from_secs(75))
    );
    assert_eq!(
        (forward.x_forwarded, forward.forwarded, forward.via),
        (ForwardedPolicy::Append, ForwardedPolicy::Off, true)
    );
    assert_eq!((identify.peek_bytes_max, identify.model_name_bytes_max), (Bytes::mib(1), 256));
    assert_eq!(
        (telemetry.models_max, telemetry.shard_above_rps, telemetry.sharded_models_max),
        (50_000, 200, 128)
    );
    assert_eq!((drain.deadline, log.level.as_str()), (Duration::from_secs(30), "info"));
    let backend = &parse(BACKEND).backends[0];
    assert_eq!(
        (backend.timeouts.connect, backend.timeouts.first_byte),
        (Duration::from_secs(3), Duration::from_secs(300))
    );
    assert_eq!(
        (backend.timeouts.between_bytes, backend.timeouts.request),
        (Duration::from_secs(120), Duration::from_secs(3600))
    );
    assert_eq!((backend.pool.idle_timeout, backend.pool.idle_max), (Duration::from_secs(4), 256));
}

#[test]
fn text_fields_keep_the_text_of_what_looks_like_a_number_or_a_boolean() {
    let config = parse(
        "backends: [{dialect: mms, name: 007, endpoints: [http://a:1], models: [1e3, true, off, 1_000, 0x1F, \"\\u00e9\"]}]",
    );
    assert_eq!(config.backends[0].name, "007");
    assert_eq!(config.backends[0].models, ["1e3", "true", "off", "1_000", "0x1F", "é"]);
}

#[test]
fn anchors_aliases_and_merge_keys_stand_for_what_they_name() {
    let text = "
backends:
- &one {dialect: triton, endpoints: [http://a:1], timeouts: &t {connect: 1s}}
- {<<: *one, name: two, pool: {idle_max: 7}}
- {dialect: mms, endpoints: [http://b:1], timeouts: *t}
";
    let backends = parse(text).backends;
    let seen: Vec<_> =
        backends.iter().map(|b| (b.name.as_str(), b.timeouts.connect.as_secs(), b.pool.idle_max)).collect();
    assert_eq!(seen, [("triton", 1, 256), ("two", 1, 7), ("mms", 1, 256)]);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_problem() {
    assert_eq!(parse(&format!("\u{feff}version: 1\r\n{BACKEND}")), parse(BACKEND));
}

#[test]
fn a_dialect_of_ones_own_has_its_rules_before_those_it_extends() {
    let text = format!(
        "{BACKEND}
dialects:
- name: house
  aliases: [home]
  extends: base
  requests: [{{path: '/score/{{model}}', methods: [POST]}}]
- name: base
  extends: kserve-v2
  starts: {{headers: [{{header: x-hit, equals: miss}}]}}
"
    );
    let config = parse(&text);
    let house = config.dialect("home").unwrap();
    assert_eq!(house.name, "house");
    assert_eq!(house.extends, None, "what it extends is already in it");
    let triton = config.dialect("triton").unwrap();
    assert_eq!(house.requests[0].path, "/score/{model}");
    assert_eq!(house.requests[1..], triton.requests[..]);
    assert_eq!(house.starts.headers[0].header.as_deref(), Some("x-hit"));
    assert_eq!(house.starts.headers[1..], triton.starts.headers[..]);
    assert!(house.starts.lifecycle, "as in triton");
}

#[test]
fn a_dialect_with_an_embedded_name_replaces_it_and_may_extend_it() {
    let text = format!(
        "{BACKEND}\ndialects: [{{name: triton, extends: triton, requests: [{{path: /x, action: control}}]}}]"
    );
    let config = parse(&text);
    let (own, embedded) = (config.dialect("triton").unwrap(), Config::default());
    assert_eq!(own.requests[0].action, Action::Control);
    assert_eq!(own.requests[1..], embedded.dialect("triton").unwrap().requests[..]);
}

#[test]
fn a_rule_says_where_model_and_version_stand_if_its_template_does() {
    let text = format!(
        "{BACKEND}\ndialects: [{{name: d, requests: [{{path: '/a/{{model}}[/{{version}}]'}}, {{path: /b}}, {{path: '/c/{{model}}', model: [{{query: m}}]}}]}}]"
    );
    let config = parse(&text);
    let rules = &config.dialect("d").unwrap().requests;
    let path = |name: &str| vec![Source { path: Some(name.to_owned()), ..Source::default() }];
    assert_eq!((&rules[0].model, &rules[0].version), (&path("model"), &path("version")));
    assert_eq!((rules[1].model.len(), rules[1].version.len()), (0, 0));
    assert_eq!(rules[2].model[0].query.as_deref(), Some("m"));
}

#[test]
fn a_file_is_loaded_and_a_missing_or_binary_one_is_told_from_an_invalid_one() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(weir_config::load(&dir.join("weir.reference.yaml"), &crate::no_env).is_ok());
    let missing = weir_config::load(&dir.join("no.yaml"), &crate::no_env).unwrap_err();
    assert!(matches!(missing, LoadError::Io { .. }), "{missing}");
    let folder = weir_config::load(dir, &crate::no_env).unwrap_err();
    assert!(matches!(folder, LoadError::Io { .. }), "{folder}");
    let invalid = weir_config::load(&dir.join("tests/golden/many.yaml"), &crate::no_env).unwrap_err();
    assert!(
        matches!(&invalid, LoadError::Invalid(report) if report.name().ends_with("many.yaml")),
        "{invalid}"
    );
}
