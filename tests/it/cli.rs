//! The command line, by the real binary: `WEIR_BIN`, or the one that was built beside this test.

use std::process::{Command, Output};

fn weir(arguments: &[&str]) -> Output {
    Command::new(weir_tests::process::binary()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_wrong_configuration_is_78_with_every_problem_at_its_place() {
    let file = std::env::temp_dir().join(format!("weir-cli-{}.yaml", std::process::id()));
    std::fs::write(
        &file,
        "version: 1\nbackends:\n- dialct: triton\n  endpoints: [http://127.0.0.1:1]\nworkers: 0\n",
    )
    .unwrap();
    let output = weir(&["check", "-c", file.to_str().unwrap()]);
    let json = weir(&["check", "--json", "-c", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output.stderr);
    assert!(said.contains("dialct") && said.contains("dialect") && said.contains("workers"), "{said}");
    assert_eq!(json.status.code(), Some(78));
    let problems: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(problems.as_array().unwrap().iter().any(|problem| problem["line"] == 3), "{problems}");
}

#[test]
fn what_is_doubtful_is_a_warning_and_a_problem_if_that_is_wanted() {
    let file = std::env::temp_dir().join(format!("weir-doubt-{}.yaml", std::process::id()));
    let text_of = "backends:\n- dialect: torchserve\n  endpoints: [http://127.0.0.1:1, http://127.0.0.1:2]\n  management: http://127.0.0.1:3\n  state: {poll: auto}\n";
    std::fs::write(&file, text_of).unwrap();
    let plain = weir(&["check", "-c", file.to_str().unwrap()]);
    let strict = weir(&["check", "--deny-warnings", "-c", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!((plain.status.code(), strict.status.code()), (Some(0), Some(78)));
    let said = text(&plain.stderr);
    assert!(said.contains("warning: backends[0].management") && said.contains("tell them apart"), "{said}");
}

#[test]
fn no_backend_is_a_clear_error_and_wrong_usage_is_2() {
    let nothing = weir(&["serve"]);
    assert_eq!(nothing.status.code(), Some(78));
    assert!(text(&nothing.stderr).contains("backend"), "{}", text(&nothing.stderr));
    assert_eq!(weir(&["serve", "--backend", "tritn=http://127.0.0.1:1"]).status.code(), Some(78));
    assert_eq!(weir(&["serve", "--backend", "no-url"]).status.code(), Some(2));
    let loud = weir(&["serve", "--backend", "triton=http://127.0.0.1:1", "--log", "loud"]);
    assert_eq!(loud.status.code(), Some(1));
    assert!(text(&loud.stderr).contains("log level \"loud\""), "{}", text(&loud.stderr));
    assert_eq!(weir(&["nonsense"]).status.code(), Some(2));
}

#[test]
fn what_is_printed_is_what_is_promised() {
    let schema: serde_json::Value = serde_json::from_slice(&weir(&["config", "schema"]).stdout).unwrap();
    assert!(schema["properties"]["backends"].is_object());
    let shown = text(&weir(&["config", "show", "--backend", "triton=http://127.0.0.1:8000"]).stdout);
    assert!(shown.contains("127.0.0.1:9900") && shown.contains("triton"), "{shown}");
    assert!(text(&weir(&["config", "dialect"]).stdout).lines().any(|line| line == "torchserve"));
    assert!(text(&weir(&["config", "dialect", "triton"]).stdout).contains("/v2/models/{model}"));
    let metrics: serde_json::Value =
        serde_json::from_slice(&weir(&["metrics", "list", "--json"]).stdout).unwrap();
    assert!(metrics.as_array().unwrap().iter().any(|family| family["name"] == "weir_model_requests_total"));
}

#[test]
fn the_demo_keeps_serving_and_sums_up() {
    let output = weir(&["demo", "--for", "8s", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("metrics  http://127.0.0.1:") && said.contains("hit ratio"), "{said}");
    let summary = said.lines().find(|line| line.contains(" requests for ")).unwrap();
    let number = |before: &str| -> f64 {
        let word = summary.split(before).next().and_then(|head| head.split_whitespace().last());
        word.unwrap().parse().unwrap()
    };
    assert!(number(" ok") > 100.0 && number(" failed") < number(" ok") / 10.0, "{summary}");
}
