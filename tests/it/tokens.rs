//! A language model's answers: tokens, time to the first one, pace, and streams that break.

use weir_tests::backend::{self, Backend, Wire};
use weir_tests::client::{self, Client};
use weir_tests::gateway::Gateway;

/// A streamed answer of these events, each sent by itself.
fn stream(wire: &mut Wire, kind: &str, frames: &[&str], ends: bool) {
    wire.send(
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n").as_bytes(),
    );
    for frame in frames {
        wire.send(format!("{:x}\r\n{frame}\r\n", frame.len()).as_bytes());
    }
    if ends {
        wire.send(b"0\r\n\r\n");
    } else {
        wire.close();
    }
}

/// Streams `frames` to every request; then the body ends, or the connection does.
fn streaming(kind: &'static str, frames: &'static [&'static str], ends: bool) -> Backend {
    Backend::start(move |wire| {
        while wire.request().is_some() {
            stream(wire, kind, frames, ends);
        }
    })
}

const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}]}\n\n";
const LO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":null}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

fn chat(gateway: &Gateway) -> client::Answer {
    client::post(gateway.address, "/v1/chat/completions", "{\"model\":\"m\",\"stream\":true}")
}

fn series(family: &str, more: &str) -> String {
    format!("{family}{{backend=\"openai\",model=\"m\"{more}}}")
}

#[test]
fn a_stream_tells_tokens_and_times_and_reaches_the_caller_as_it_was() {
    let backend = streaming("text/event-stream", &[HELLO, LO, STOP, USAGE], true);
    let gateway = Gateway::before("openai", backend.address);
    let answer = chat(&gateway);
    assert!(answer.complete);
    assert_eq!(answer.body_text(), [HELLO, LO, STOP, USAGE].concat());
    gateway.wait_for(&series("weir_model_tokens_total", ",type=\"input\""), 9.0);
    gateway.wait_for(&series("weir_model_tokens_total", ",type=\"output\""), 3.0);
    gateway.wait_for(&series("weir_model_time_to_first_token_seconds_count", ""), 1.0);
    assert!((gateway.requests("openai", "m", "ok") - 1.0).abs() < f64::EPSILON);
    let shown = client::get(gateway.admin, "/api/v1/models/openai/m").body_text();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["tokens"]["input"], &shown["tokens"]["output"]), (&9.into(), &3.into()));
    assert_eq!(shown["tokens"]["time_to_first_token"]["requests"], 1);
}

#[test]
fn a_stream_that_ends_without_its_mark_is_a_server_error_of_its_own_kind() {
    let backend = streaming("text/event-stream", &[HELLO, LO], true);
    let gateway = Gateway::before("openai", backend.address);
    assert!(chat(&gateway).complete, "the caller gets what the backend sent");
    gateway.wait_for(
        "weir_model_broken_streams_total{backend=\"openai\",model=\"__unknown__\",reason=\"unfinished\"}",
        1.0,
    );
    assert!((gateway.requests("openai", "__unknown__", "server_error") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn an_error_within_a_stream_and_a_cut_are_told_apart() {
    let failed = "data: {\"error\":{\"message\":\"CUDA out of memory\"}}\n\n";
    for (frames, ends, reason) in [(&[HELLO, failed][..], true, "error"), (&[HELLO][..], false, "cut")] {
        let frames: &'static [&'static str] = frames.to_vec().leak();
        let backend = streaming("text/event-stream", frames, ends);
        let gateway = Gateway::with("openai", backend.address, |config| {
            config.backends.first_mut().unwrap().models = vec!["m".to_owned()];
        });
        gateway.wait_for("weir_models_known", 1.0);
        assert_eq!(chat(&gateway).complete, ends);
        gateway.wait_for(&series("weir_model_broken_streams_total", &format!(",reason=\"{reason}\"")), 1.0);
        gateway.wait_for(&series("weir_model_requests_total", ",outcome=\"server_error\""), 1.0);
        assert!(
            gateway.value(&series("weir_model_time_to_first_token_seconds_count", "")).abs() < f64::EPSILON
        );
    }
}

#[test]
fn a_whole_answer_tells_its_usage() {
    let backend = Backend::answering(|_| {
        let body =
            "{\"data\":[{\"embedding\":[0.1,-2e-5]}],\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}";
        backend::answer("200 OK", "content-type: application/json\r\n", body)
    });
    let gateway = Gateway::before("openai", backend.address);
    client::post(gateway.address, "/v1/embeddings", "{\"model\":\"m\",\"input\":\"x\"}");
    gateway.wait_for(&series("weir_model_tokens_total", ",type=\"input\""), 8.0);
    assert!(!client::get(gateway.admin, "/metrics").body_text().contains("type=\"output\""));
}

#[test]
fn a_compressed_answer_is_flagged_and_passed_on_untouched() {
    let backend = Backend::answering(|_| {
        let fields = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
        backend::answer("200 OK", fields, "{\"usage\":{\"prompt_tokens\":8}}")
    });
    let gateway = Gateway::before("openai", backend.address);
    assert!(chat(&gateway).body_text().contains("prompt_tokens"));
    gateway.wait_for("weir_model_requests_total{backend=\"openai\",model=\"m\",outcome=\"ok\"}", 1.0);
    assert!(gateway.value("weir_numbers_flags_total{flag=\"usage_compressed\"}") >= 1.0);
    assert!(!client::get(gateway.admin, "/metrics").body_text().contains("weir_model_tokens_total{"));
}

#[test]
fn usage_can_be_left_unread_and_other_dialects_read_none() {
    let backend = streaming("text/event-stream", &[HELLO, USAGE], true);
    let off = Gateway::with("openai", backend.address, |config| {
        config.backends.first_mut().unwrap().usage = false;
    });
    chat(&off);
    let other = Gateway::before("triton", backend.address);
    client::post(other.address, "/v2/models/m/generate_stream", "{}");
    for (gateway, dialect) in [(off, "openai"), (other, "triton")] {
        gateway.wait_for(
            &format!("weir_model_requests_total{{backend=\"{dialect}\",model=\"m\",outcome=\"ok\"}}"),
            1.0,
        );
        assert!(!client::get(gateway.admin, "/metrics").body_text().contains("weir_model_tokens_total{"));
    }
}

#[test]
fn ollamas_lines_are_read_and_a_client_that_leaves_breaks_no_stream() {
    let lines = [
        "{\"model\":\"m\",\"response\":\"Hi\",\"done\":false}\n",
        "{\"model\":\"m\",\"response\":\"\",\"done\":true,\"load_duration\":5,\"prompt_eval_count\":26,\"eval_count\":2}\n",
    ];
    let lines: &'static [&'static str] = lines.to_vec().leak();
    let backend = Backend::start(move |wire| {
        while let Some(seen) = wire.request() {
            if seen.head.contains("/api/chat") {
                wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n");
                wire.send(format!("{:x}\r\n{}\r\n", lines[0].len(), lines[0]).as_bytes());
                wire.wait_closed();
            } else {
                stream(wire, "application/x-ndjson", lines, true);
            }
        }
    });
    let gateway = Gateway::before("ollama", backend.address);
    client::post(gateway.address, "/api/generate", "{\"model\":\"m\",\"prompt\":\"x\"}");
    gateway.wait_for("weir_model_tokens_total{backend=\"ollama\",model=\"m\",type=\"output\"}", 2.0);
    let mut leaving = Client::connect(gateway.address);
    leaving.post("/api/chat", "", "{\"model\":\"m\"}");
    leaving.exactly(15);
    drop(leaving);
    gateway.wait_for("weir_model_requests_total{backend=\"ollama\",model=\"m\",outcome=\"cancelled\"}", 1.0);
    assert!(!client::get(gateway.admin, "/metrics").body_text().contains("weir_model_broken_streams_total{"));
}

#[test]
fn geminis_stream_of_an_array_and_bedrocks_of_messages_are_streams() {
    let text = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\"usageMetadata\":{\"promptTokenCount\":9}}";
    let last = "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":3}}";
    let frames: &'static [&'static str] =
        vec![&*format!("[{text}").leak(), &*format!(",{last}]").leak()].leak();
    let backend = streaming("application/json; charset=UTF-8", frames, true);
    let gateway = Gateway::before("vertex", backend.address);
    let path = "/v1beta/models/m:streamGenerateContent";
    assert_eq!(client::post(gateway.address, path, "{}").body_text(), frames.concat());
    let of = |family: &str, more: &str| format!("{family}{{backend=\"vertex\",model=\"m\"{more}}}");
    gateway.wait_for(&of("weir_model_tokens_total", ",type=\"output\""), 3.0);
    gateway.wait_for(&of("weir_model_time_to_first_token_seconds_count", ""), 1.0);
    // A stream that says it is AWS's and is none has no end.
    let backend = streaming("application/vnd.amazon.eventstream", &["hello, hello, hello"], true);
    let gateway = Gateway::before("bedrock", backend.address);
    assert!(client::post(gateway.address, "/model/m/converse-stream", "{}").complete);
    let broken =
        "weir_model_broken_streams_total{backend=\"bedrock\",model=\"__unknown__\",reason=\"unfinished\"}";
    gateway.wait_for(broken, 1.0);
}
