//! What a report says of what is wrong, and what it does not say.

use crate::golden::fresh;
use crate::{BACKEND, wrong, wrong_with_backend};

#[test]
fn a_file_with_many_mistakes_is_told_all_of_them_at_once() {
    let text = include_str!("../golden/many.yaml");
    let report = weir_config::parse(text, "weir.yaml", &crate::no_env).unwrap_err();
    fresh("tests/golden/many.txt", &report.render(false));
    let json = serde_json::to_string_pretty(report.problems()).unwrap();
    fresh("tests/golden/many.json", &(json + "\n"));
}

#[test]
fn colour_is_there_only_if_asked_for() {
    let report = weir_config::parse("x: 1", "weir.yaml", &crate::no_env).unwrap_err();
    assert!(report.render(true).contains('\u{1b}'));
    assert!(!report.render(false).contains('\u{1b}') && report.to_string() == report.render(false));
}

#[test]
fn an_error_of_the_language_is_told_where_it_is() {
    for (text, told) in [
        ("a: [1, 2", "1:4 : unclosed bracket '['"),
        ("version: 1\na: b: c", "2:5 : mapping values are not allowed in this context"),
        ("é: 1\nworkers: *nope", "2:10 : reference to unknown value"),
        ("a: &a [*a]", "1:8 : Recursive reference not allowed here"),
        ("version: 1\n---\nversion: 1", "3:1 : only single YAML document expected but multiple found"),
        ("? [a, b]\n: 1", "1:3 : expected string scalar"),
    ] {
        assert_eq!(wrong(text), [told], "{text}");
    }
}

#[test]
fn the_caret_stands_under_what_is_meant_also_behind_wide_letters() {
    let report =
        weir_config::parse(&format!("# é中😀\nlog: {{format: xml}} # é\n{BACKEND}"), "w", &crate::no_env)
            .unwrap_err();
    let text = "# é中😀\nlog: {format: xml} # é\n";
    let (start, len) = report.problems()[0].span.unwrap();
    assert_eq!((text.get(start..start + len), report.problems()[0].column), (Some("xml"), Some(15)));
}

#[test]
fn a_file_of_another_shape_or_without_a_backend_is_told_so() {
    for (text, told) in [
        ("", "backends: there is no backend"),
        ("# nothing\n", "backends: there is no backend"),
        ("backends: []", "1:1 backends: there is no backend"),
        ("backends:", "1:1 backends: expected a list, found nothing"),
        ("backends: {dialect: mms}", "1:1 backends: expected a list, found keys and values"),
    ] {
        assert_eq!(wrong(text), [told], "{text}");
    }
    let list = wrong("[]");
    assert!(list.len() == 1 && list[0].contains("expected keys and values, of `version`"), "{list:?}");
}

#[test]
fn a_key_that_is_given_twice_names_the_line_of_the_first() {
    let text = format!("version: 1\nlog: {{level: info, level: warn}}\nversion: 1\n{BACKEND}");
    assert_eq!(
        wrong(&text),
        [
            "2:20 : the key `level` is already given on line 2",
            "3:1 : the key `version` is already given on line 1"
        ]
    );
}

#[test]
fn a_value_of_another_type_is_told_with_what_was_found() {
    for (text, told) in [
        ("version: 0x1", "1:10 version: expected a whole number between 0 and 4294967295, found `0x1`"),
        ("version: '1'", "1:10 version: expected a whole number between 0 and 4294967295, found `\"1\"`"),
        ("version: 2", "1:10 version: must not be greater than 1"),
        ("workers: -1", "1:10 workers: expected a whole number between 0 and 65535, found `-1`"),
        ("workers: 0", "1:10 workers: must not be lower than 1"),
        ("forward: {via: yes}", "1:16 forward.via: expected true or false, found `yes`"),
        ("log: {level: [a]}", "1:7 log.level: expected text, found a list"),
        ("log: {level: }", "1:7 log.level: expected text, found nothing"),
        ("log: {format: TEXT}", "1:15 log.format: expected one of `text` and `json`, found `TEXT`"),
        ("log: text", "1:6 log: expected keys and values, of `level` and `format`, found `text`"),
        ("drain: {deadline: 30}", "1:19 drain.deadline: cannot read `30`"),
        ("identify: {peek_bytes_max: 1MB}", "1:28 identify.peek_bytes_max: cannot read `1MB`"),
        ("admin: {address: localhost:9901}", "1:18 admin.address: cannot read `localhost:9901`"),
        (
            "routes: [{backend: triton, header: {name: a}}]",
            "1:28 routes[0].header.equals: it is missing or empty, or longer than 8192 bytes",
        ),
    ] {
        assert_eq!(wrong_with_backend(text), [told], "{text}");
    }
}

#[test]
fn an_unknown_key_is_told_with_the_one_that_was_probably_meant() {
    for (text, help) in [
        ("listen: []", Some("did you mean `listeners`?")),
        ("telemetry: {model_max: 1}", Some("did you mean `models_max`?")),
        ("admin: {adress: x}", Some("did you mean `address`?")),
        ("admin: {colour: x}", None),
    ] {
        let report = weir_config::parse(&format!("{text}\n{BACKEND}"), "w", &crate::no_env).unwrap_err();
        let said = report.problems()[0].help.as_deref().unwrap();
        assert!(said.contains("the keys here are"), "{said}");
        assert_eq!(said.find("did you mean").and_then(|_| said.split_inclusive('?').next()), help);
    }
}

#[test]
fn names_that_do_not_exist_or_exist_twice_are_told() {
    let text = "
backends:
- {dialect: mms, endpoints: [http://a:1]}
- {dialect: mms, endpoints: [http://b:1, http://b:1]}
- {dialect: mmss, name: 'a b', endpoints: []}
- {endpoints: [http://c:1]}
routes:
- {host: h, backend: nms}
dialects:
- {name: x, aliases: [y]}
- {name: y}
- {extends: z}
";
    assert_eq!(
        wrong(text),
        [
            "4:4 backends[1].name: another backend is called `mms` too",
            "4:42 backends[1].endpoints[1]: `http://b:1` is given twice",
            "5:13 backends[2].dialect: unknown dialect `mmss`",
            "5:25 backends[2].name: a name is 1 to 64 letters, digits, `_`, `-` and `.`",
            "5:32 backends[2].endpoints: a backend needs at least one endpoint",
            "6:4 backends[3].dialect: a backend needs a `dialect`",
            "8:22 routes[0].backend: there is no backend `nms`",
            "11:10 dialects[1].name: another dialect is called `y` too",
            "12:4 dialects[2].name: a dialect needs a `name`",
            "12:13 dialects[2].extends: unknown dialect `z`",
        ]
    );
}

#[test]
fn addresses_that_cannot_both_be_bound_are_told_and_others_are_not() {
    let listeners = |a: &str, b: &str| {
        format!("listeners: [{{name: a, address: \"{a}\"}}, {{name: b, address: \"{b}\"}}]")
    };
    for (a, b, clash) in [
        ("127.0.0.1:80", "127.0.0.1:80", true),
        ("0.0.0.0:80", "127.0.0.1:80", true),
        ("127.0.0.1:80", "[::]:80", true),
        ("127.0.0.1:80", "127.0.0.2:80", false),
        ("127.0.0.1:80", "127.0.0.1:81", false),
        ("127.0.0.1:0", "127.0.0.1:0", false),
    ] {
        let text = format!("{}\n{BACKEND}", listeners(a, b));
        let report = weir_config::parse(&text, "w", &crate::no_env);
        assert_eq!(report.is_err(), clash, "{a} {b}");
    }
    let admin = wrong_with_backend("admin: {address: 127.0.0.1:9900}");
    assert_eq!(
        admin,
        [
            "1:18 admin.address: `127.0.0.1:9900` clashes with `listeners[0].address`, which is `127.0.0.1:9900`"
        ]
    );
}

#[test]
fn dialects_that_extend_each_other_in_a_ring_are_told() {
    let ring = wrong_with_backend(
        "dialects: [{name: a, extends: b}, {name: b, extends: c}, {name: c, extends: a}, {name: d, extends: a}]",
    );
    assert_eq!(
        ring,
        [
            "1:31 dialects[0].extends: the dialects extend each other in a ring: a → b → c → a",
            "1:54 dialects[1].extends: the dialects extend each other in a ring: b → c → a → b",
            "1:77 dialects[2].extends: the dialects extend each other in a ring: c → a → b → c",
        ]
    );
    let own = wrong_with_backend("dialects: [{name: a, extends: a}]");
    assert_eq!(own, ["1:31 dialects[0].extends: it extends itself, and no embedded dialect has this name"]);
}

#[test]
fn rules_that_make_no_sense_are_told() {
    for (rule, told) in [
        ("{}", "requests[0].path: a request rule needs a `path`"),
        ("{path: a}", "requests[0].path: a template begins with `/`"),
        (
            "{path: /a, action: load}",
            "requests[0].model: a load or unload needs a `model`: weir must know whose it is",
        ),
        (
            "{path: /a, methods: [G T]}",
            "requests[0].methods[0]: it must be 1 to 64 letters, digits and characters of a header name, without spaces or `:`",
        ),
        ("{path: /a, when: [{query: x}]}", "requests[0].when[0]: it needs one of `equals` or `present`"),
        ("{path: /a, when: [{equals: x}]}", "requests[0].when[0]: it needs one of `query` or `header`"),
        (
            "{path: /a, model: [{}]}",
            "requests[0].model[0]: it needs one of `path`, `header`, `query`, `json` or `protobuf`",
        ),
        (
            "{path: /a, model: [{header: 'x y'}]}",
            "requests[0].model[0].header: it must be 1 to 64 letters, digits and characters of a header name, without spaces or `:`",
        ),
    ] {
        let wrong = wrong_with_backend(&format!("dialects: [{{name: x, requests: [{rule}]}}]"));
        assert!(wrong.len() == 1 && wrong[0].ends_with(&format!("dialects[0].{told}")), "{rule}: {wrong:?}");
        let own = format!("backends: [{{dialect: mms, endpoints: [http://a:1], requests: [{rule}]}}]");
        assert!(
            crate::wrong(&own)[0].contains(&format!("backends[0].{told}")),
            "the same for a backend's own rule: {rule}"
        );
    }
}

#[test]
fn a_typo_in_a_rule_is_one_problem_not_two() {
    assert_eq!(
        wrong_with_backend("dialects: [{name: x, starts: {headers: [{heder: a, present: true}]}}]"),
        ["1:42 dialects[0].starts.headers[0].heder: unknown key `heder`"]
    );
    assert_eq!(
        wrong("backends:\n- {name: [x], dialect: mms, endpoints: [http://a:1]}\nroutes: [{backend: x}]"),
        ["2:4 backends[0].name: expected text, found a list"],
        "nobody is told that there is no backend `x`"
    );
}

#[test]
fn a_path_counts_what_is_in_the_file_also_behind_something_unreadable() {
    let wrong = wrong("backends:\n- 3\n- {dialect: mms, endpoints: [nope, http://a:1, http://a:1]}");
    let [shape, unread, twice] = &wrong[..] else { panic!("{wrong:?}") };
    assert!(
        shape.starts_with("2:3 backends[0]: expected keys and values, of `name`, `dialect`, `endpoints`,")
    );
    assert_eq!(
        [unread, twice],
        [
            "3:30 backends[1].endpoints[0]: cannot read `nope`",
            "3:48 backends[1].endpoints[2]: `http://a:1` is given twice",
        ]
    );
}
