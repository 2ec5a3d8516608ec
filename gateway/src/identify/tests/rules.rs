//! Rules of a user's own: their order, conditions and cuts.

use weir_config::When;

use super::*;

#[test]
fn a_backends_own_rules_come_before_its_dialects() {
    let own = [rule("/v2/models/{model}/infer", vec![header("x-team-model")])];
    let matcher = matcher("triton", &own);
    check(&matcher, "POST /v2/models/a/infer\nX-Team-Model: b", Action::Infer, (Some("b"), None, None));
    check(&matcher, "POST /v2/models/a/infer", Action::Infer, (None, None, None));
    check(&matcher, "POST /v2/models/a/generate", Action::Infer, (Some("a"), None, None));
}

#[test]
fn sources_are_tried_in_their_order_also_across_the_body() {
    let own = [rule("/x", vec![json("a"), header("h1"), json("b"), header("h2")])];
    let matcher = matcher("generic", &own);
    for (text, model) in [
        ("POST /x\nh1: one\n\n{\"b\":\"B\",\"a\":\"A\"}", "A"),
        ("POST /x\nh1: one\n\n{\"b\":\"B\"}", "one"),
        ("POST /x\nh2: two\n\n{\"b\":\"B\",\"a\":1}", "B"),
        ("POST /x\nh2: two\n\n{\"b\":null}", "two"),
        ("POST /x\nh2: two\nContent-Type: text/csv\n\n{\"a\":\"A\"}", "two"),
    ] {
        check(&matcher, text, Action::Infer, (Some(model), None, None));
    }
}

#[test]
fn a_name_is_cut_as_the_source_says() {
    let source = Source {
        basename: true,
        strip_prefix: Some("m-".to_owned()),
        strip_suffix: Some(".tar.gz".to_owned()),
        ..header("x-model")
    };
    let matcher = matcher("generic", &[rule("/x", vec![source, json("model")])]);
    for (value, model) in [
        ("dir/m-a.tar.gz", Some("a")),
        ("m-m-a", Some("m-a")),
        ("a.tar.gz.zip", Some("a.tar.gz.zip")),
        ("dir/", None),
        ("m-.tar.gz", None),
    ] {
        check(&matcher, &format!("POST /x\nx-model: {value}"), Action::Infer, (model, None, None));
    }
}

#[test]
fn conditions_must_all_hold() {
    let when =
        |query: Option<&str>, header: Option<&str>, equals: Option<&str>, present: Option<bool>| When {
            query: query.map(str::to_owned),
            header: header.map(str::to_owned),
            equals: equals.map(str::to_owned),
            present,
        };
    let with = |when: Vec<When>, action| RequestRule { when, action, ..rule("/x", vec![]) };
    let matcher = matcher(
        "generic",
        &[
            with(
                vec![
                    when(Some("a b"), None, Some("1&"), None),
                    when(None, Some("X-Mode"), Some("Fast"), None),
                ],
                Action::Load,
            ),
            with(
                vec![when(Some("q"), None, None, Some(true)), when(None, Some("x-off"), None, Some(false))],
                Action::Unload,
            ),
        ],
    );
    for (text, action) in [
        ("GET /x?a+b=1%26\nx-mode: fAST", Action::Load),
        ("GET /x?a+b=1%26", Action::Infer),
        ("GET /x?a+b=1\nx-mode: fast", Action::Infer),
        ("GET /x?q", Action::Unload),
        ("GET /x?q=1\nX-Off: ", Action::Infer),
        ("GET /x", Action::Infer),
    ] {
        check(&matcher, text, action, (None, None, None));
    }
}
