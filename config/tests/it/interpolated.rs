//! Variables of the environment: where they are replaced, and that their values stay out of every message.

use weir_config::{Config, Report};

fn env(name: &str) -> Option<String> {
    match name {
        "PORT" => Some("8000".to_owned()),
        "WORKERS" => Some("3".to_owned()),
        "EVIL" => Some("mms\n  name: {x: [".to_owned()),
        "SECRET" => Some("hunter2-hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, Report> {
    weir_config::parse(text, "weir.yaml", &env)
}

/// A backend with more lines of its own.
fn backend(rest: &str) -> String {
    format!("backends:\n- dialect: mms\n  endpoints: [http://a:1]{rest}\n")
}

#[test]
fn a_plain_scalar_takes_its_variables_and_the_field_decides_what_they_are() {
    let text = "
workers: ${WORKERS}
backends:
- dialect: mms
  endpoints:
  - http://a:1
  - http://b:${PORT}
  pool:
    idle_max: ${MAX:-9}
";
    let config = parse(text).unwrap();
    assert_eq!((config.workers, config.backends[0].pool.idle_max), (Some(3), 9));
    assert_eq!(config.backends[0].endpoints[1].port, 8000);
}

#[test]
fn quoted_text_and_keys_stay_as_they_are_and_a_doubled_dollar_is_one() {
    let config = parse(&backend(
        "\n  models:\n  - \"${PORT}\"\n  - '${PORT}'\n  - $${PORT}\n  - a${PORT}b\n  - |-\n    ${PORT}",
    ))
    .unwrap();
    assert_eq!(config.backends[0].models, ["${PORT}", "${PORT}", "${PORT}", "a8000b", "${PORT}"]);
    let told = crate::told(&parse(&format!("${{PORT}}: 1\n{}", backend(""))).unwrap_err());
    assert_eq!(told, ["1:1 ${PORT}: unknown key `${PORT}`"]);
}

#[test]
fn a_value_never_becomes_structure() {
    let config = parse(&backend("\n  models:\n  - x\n  - ${EVIL}")).unwrap();
    assert_eq!(config.backends[0].models[1], "mms\n  name: {x: [");
}

#[test]
fn an_empty_variable_is_an_empty_text_and_for_an_optional_key_nothing() {
    assert_eq!(parse(&backend("\n  management: ${EMPTY}")).unwrap().backends[0].management, None);
    assert_eq!(
        crate::told(&parse(&backend("\n  models:\n  - ${EMPTY}")).unwrap_err()).len(),
        1,
        "a name of no bytes"
    );
}

#[test]
fn every_variable_that_is_not_set_is_told_and_its_field_is_not_blamed_twice() {
    let text = "workers: ${N}\nlog:\n  level: ${LEVEL:?set it in the unit}\nbackends:\n- dialect: ${D}\n  endpoints: [http://a:1]";
    let told = crate::told(&parse(text).unwrap_err());
    assert_eq!(
        told,
        [
            "1:10 workers: the environment variable `N` is not set",
            "3:10 log.level: the environment variable `LEVEL` is required: set it in the unit",
            "5:12 backends[0].dialect: the environment variable `D` is not set",
        ]
    );
}

#[test]
fn a_secret_is_not_in_any_message() {
    for text in [
        "workers: ${SECRET}",
        "log:\n  format: ${SECRET}",
        "listeners:\n- address: ${SECRET}",
        "drain:\n  deadline: ${SECRET}",
        "forward:\n  via: ${SECRET}",
        "forward:\n  via_name: a ${SECRET}",
        "routes:\n- backend: ${SECRET}",
        "routes:\n- backend: mms\n  path_prefix: ${SECRET}",
        "dialects:\n- name: x\n  extends: ${SECRET}",
        "dialects:\n- name: x\n  requests:\n  - path: /a\n    model:\n    - path: ${SECRET}",
        "dialects:\n- name: x\n  requests:\n  - path: /a${SECRET}/",
        "dialects:\n- name: x\n  starts:\n    headers:\n    - header: x\n      matches: (${SECRET}",
        "dialects:\n- name: a\n  aliases:\n  - ${SECRET}\n- name: b\n  aliases:\n  - ${SECRET}",
        "admin: ${SECRET}",
    ] {
        let report = parse(&format!("{text}\n{}", backend(""))).unwrap_err();
        let json = serde_json::to_string(report.problems()).unwrap();
        assert!(!format!("{report}{json}").contains("hunter2"), "{report}");
    }
}

#[test]
fn user_and_password_of_a_url_are_stars_in_the_message_and_in_the_snippet() {
    let text = "backends: [{dialect: mms, endpoints: [\"http://user:hunter2@models:8000\"]}]";
    let report = parse(text).unwrap_err().to_string();
    assert!(!report.contains("hunter2") && report.contains("http://************@models:8000"), "{report}");
}

#[test]
fn a_reference_within_brackets_cannot_be_and_the_message_says_what_to_do() {
    let report = parse("backends: [{dialect: mms, endpoints: [http://${HOST}:1]}]").unwrap_err();
    assert!(report.problems()[0].help.as_deref().unwrap().contains("a line for each value"), "{report}");
}
