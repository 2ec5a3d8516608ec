//! Prometheus's own checker has nothing to say about a body made of all that can be exported. Where promtool is not
//! installed there is nothing to ask, and the chapters of `tests/` that need it say so.

use std::io::Write;
use std::process::{Command, Stdio};

use metrics::{Label, counter, gauge, histogram};
use weir_telemetry::names::{self, Kind, Scope};
use weir_telemetry::process::Process;
use weir_telemetry::{Evidence, Lifecycle, Observation, Outcome, Settings, Start, Store, encode_text};

fn body() -> String {
    let process = Process::install();
    for family in names::all().filter(|family| family.scope == Scope::Gateway) {
        let labels: Vec<_> = family.labels.iter().map(|name| Label::new(*name, "x")).collect();
        match family.kind {
            Kind::Counter => counter!(family.name, labels).increment(1),
            Kind::Gauge => gauge!(family.name, labels).set(1.0),
            Kind::Histogram => histogram!(family.name, labels).record(0.2),
        }
    }
    let store = Store::with(Settings::default(), 2);
    let backend = store.backend("b\\\"");
    let recorder = store.recorder(0);
    for name in ["plain", "quote\"", "back\\slash", "模型", "a{b}=c,d e#f"] {
        for (outcome, start) in Outcome::ALL.into_iter().flat_map(|o| Start::ALL.map(|s| (o, s))) {
            let seen = Observation {
                evidence: Some(Evidence::Header),
                first_byte_ns: Some(7),
                queue_ns: 9,
                load_ns: Some(3),
                ..Observation::new(outcome, start, 1 << 33)
            };
            recorder.begin(recorder.reserved(backend, weir_telemetry::Reserved::Unknown));
            let model = recorder.admit(backend, name);
            recorder.end(model, &seen);
            recorder.lifecycle(model, Lifecycle::Evicted { age: None });
            recorder.lifecycle(model, Lifecycle::LoadFailed);
        }
    }
    let mut text = String::new();
    process.render_to(&mut text);
    encode_text(&store.snapshot(), &mut text);
    text
}

#[test]
fn promtool_check_metrics_is_silent() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("promtool is not installed: nothing was checked");
        return;
    };
    let text = body();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let answer = promtool.wait_with_output().unwrap();
    let said = [answer.stdout, answer.stderr].concat();
    assert!(answer.status.success() && said.is_empty(), "{}\n{text}", String::from_utf8_lossy(&said));
}
