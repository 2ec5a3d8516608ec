//! `weir-config` as its callers see it: what is read, what is refused and in which words, and whether generated files are fresh.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod accepted;
mod bounds;
mod generated;
mod golden;
mod hostile;
mod naming;
mod export;
mod numbers;
mod interpolated;
mod reports;
mod round_trip;
mod slos;

/// What most tests need before what they are about.
const BACKEND: &str = "backends: [{dialect: triton, endpoints: [http://127.0.0.1:8000]}]\n";

/// An environment without variables.
fn no_env(_: &str) -> Option<String> {
    None
}

/// The text's configuration.
fn parse(text: &str) -> weir_config::Config {
    weir_config::parse(text, "weir.yaml", &no_env).unwrap()
}

/// What is wrong with the text: `line:column key: message`, a line each.
fn wrong(text: &str) -> Vec<String> {
    told(&weir_config::parse(text, "weir.yaml", &no_env).unwrap_err())
}

/// What is wrong with the text behind a valid backend, whose line does not count.
fn wrong_with_backend(text: &str) -> Vec<String> {
    let report = weir_config::parse(&format!("{text}\n{BACKEND}"), "weir.yaml", &no_env).unwrap_err();
    told(&report)
}

fn told(report: &weir_config::Report) -> Vec<String> {
    let line = |problem: &weir_config::Problem| {
        let at =
            problem.line.map_or_else(String::new, |line| format!("{line}:{} ", problem.column.unwrap_or(0)));
        format!("{at}{}: {}", problem.key, problem.message)
    };
    report.problems().iter().map(line).collect()
}
