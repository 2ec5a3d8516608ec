//! What would become of a request: told by the command, and by a running gateway in the same words.

use std::process::{Command, Output};

use serde_json::Value;
use weir_tests::backend::Backend;
use weir_tests::client;
use weir_tests::gateway::{Gateway, wait};

fn explain(arguments: &[&str]) -> Output {
    let mut command = Command::new(weir_tests::process::binary());
    command.arg("explain").args(arguments).env_remove("WEIR_CONFIG").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_command_tells_people_and_programs_the_model_and_the_rule() {
    let asked = ["-b", "openai=http://127.0.0.1:1", "-d", "{\"model\":\"phi\"}", "/v1/chat/completions"];
    let people = explain(&asked);
    let said = text(&people.stdout);
    assert_eq!(people.status.code(), Some(0), "{said}{}", text(&people.stderr));
    assert!(said.contains("phi  (from body key model)"), "{said}");
    assert!(said.contains("* [/openai][/v1]/chat/completions"), "{said}");
    let programs = explain(&[&asked[..], &["--json"]].concat());
    let told: Value = serde_json::from_slice(&programs.stdout).unwrap();
    assert_eq!(told["model"]["name"], "phi", "{told}");
    assert_eq!(told["request"]["method"], "POST", "{told}");
}

#[test]
fn no_model_is_an_answer_and_no_request_is_an_error() {
    let nothing = explain(&["-b", "triton=http://127.0.0.1:1", "/nowhere"]);
    assert_eq!(nothing.status.code(), Some(0));
    assert!(text(&nothing.stdout).contains("none fits"), "{}", text(&nothing.stdout));
    let wrong = explain(&["-b", "triton=http://127.0.0.1:1", "-H", "no header", "/"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("\"no header\" is no header"), "{}", text(&wrong.stderr));
    assert_eq!(explain(&["-b", "tritn=http://127.0.0.1:1", "/"]).status.code(), Some(78));
}

#[test]
fn a_running_gateway_explains_by_what_it_knows_now() {
    let backend = Backend::fine();
    let gateway = Gateway::before("triton", backend.address);
    let page = "/api/v1/explain?method=POST&path=/v2/models/alpha/infer&header=x-model:%20b";
    let told = || -> Value { serde_json::from_slice(&client::get(gateway.admin, page).body).unwrap() };
    let before = told();
    assert_eq!(before["counted_under"]["model"], "__unknown__", "{before}");
    assert_eq!(before["counted_under"]["once_answered"], "alpha", "{before}");
    assert_eq!(client::post(gateway.address, "/v2/models/alpha/infer", "{}").status, 200);
    wait("the name to be known", || told()["counted_under"]["model"] == "alpha");
    assert_eq!(gateway.requests("triton", "alpha", "ok"), 1.0);
    for wrong in ["", "?path=nothing%20here", "?path=/&colour=blue", "?path=/&header=none"] {
        let refused = client::get(gateway.admin, &format!("/api/v1/explain{wrong}"));
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.body_text());
    }
}
