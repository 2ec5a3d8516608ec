//! Tests of `encode/profiles`.

use weir_config::Profile;

use crate::numbers::Usage;
use crate::observation::{Observation, Outcome, Start};
use crate::{Settings, Store, encode_openmetrics, encode_text};

/// One model of a language, one that tells nothing, with every outcome once and one more success.
fn store(profiles: &[Profile]) -> std::sync::Arc<Store> {
    let store = Store::with(Settings { profiles: profiles.to_vec(), ..Settings::default() }, 1);
    let backend = store.backend("b");
    store.configure(backend, &["llm\"".to_owned(), "plain".to_owned()]);
    store.tick(std::time::Duration::ZERO);
    let recorder = store.recorder(0);
    for name in ["llm\"", "plain"] {
        let model = recorder.resolve(backend, name).unwrap();
        for outcome in Outcome::ALL.into_iter().chain([Outcome::Ok]) {
            let first_byte_ns = Some(2_000_000_000);
            let seen = Observation {
                first_byte_ns,
                queue_ns: 5_000,
                ..Observation::new(outcome, Start::Cold, 80_000_000)
            };
            recorder.begin(model);
            let told = Usage {
                first_token_ns: Some(60_000_000),
                per_output_token_ns: Some(75_000_001),
                ..Usage::default()
            };
            if name != "plain" && outcome == Outcome::Ok {
                recorder.usage(model, &told);
            }
            recorder.end(model, &seen);
        }
    }
    store
}

fn text(profiles: &[Profile]) -> String {
    let mut text = String::new();
    encode_text(&store(profiles).snapshot(), &mut text);
    text
}

#[test]
fn without_a_profile_every_name_is_weirs_own() {
    assert!(text(&[]).lines().all(|line| line.starts_with('#') || line.starts_with("weir_")));
}

#[test]
fn each_profile_speaks_with_the_names_labels_and_bounds_of_the_other() {
    let all = [Profile::OtelGenai, Profile::OtelHttp, Profile::Torchserve, Profile::Triton];
    let text = text(&all);
    let mut open = String::new();
    encode_openmetrics(&store(&all).snapshot(), "", &mut open);
    for line in [
        r#"gen_ai_server_request_duration_seconds_bucket{backend="b",gen_ai_request_model="llm\"",le="0.08"} 2"#,
        r#"gen_ai_server_request_duration_seconds_bucket{backend="b",gen_ai_request_model="llm\"",le="0.04"} 0"#,
        r#"gen_ai_server_time_to_first_token_seconds_bucket{backend="b",gen_ai_request_model="llm\"",le="0.06"} 2"#,
        r#"gen_ai_server_time_per_output_token_seconds_bucket{backend="b",gen_ai_request_model="llm\"",le="0.075"} 0"#,
        r#"gen_ai_server_time_per_output_token_seconds_count{backend="b",gen_ai_request_model="llm\""} 2"#,
        r#"http_server_request_duration_seconds_bucket{backend="b",model="plain",le="+Inf"} 2"#,
        r#"http_server_active_requests{backend="b",model="plain"} 0"#,
        r#"ts_inference_requests_total{backend="b",model_name="llm\""} 9"#,
        r#"ts_inference_latency_microseconds{backend="b",model_name="llm\""} 160000"#,
        r#"ts_queue_latency_microseconds{backend="b",model_name="plain"} 45"#,
        r#"nv_inference_request_success{backend="b",model="plain"} 2"#,
        r#"nv_inference_request_failure{backend="b",model="plain",reason="BACKEND"} 4"#,
        r#"nv_inference_request_failure{backend="b",model="plain",reason="REJECTED"} 1"#,
        r#"nv_inference_request_failure{backend="b",model="plain",reason="CANCELED"} 1"#,
        r#"nv_inference_request_failure{backend="b",model="plain",reason="OTHER"} 1"#,
        r#"nv_inference_request_duration_us{backend="b",model="plain"} 160000"#,
        r#"nv_inference_first_response_histogram_ms_bucket{backend="b",model="plain",le="500"} 0"#,
        r#"nv_inference_first_response_histogram_ms_bucket{backend="b",model="plain",le="2000"} 2"#,
        r#"nv_inference_first_response_histogram_ms_sum{backend="b",model="plain"} 4000"#,
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
        assert!(open.lines().any(|found| found == line), "no line {line} in\n{open}");
    }
    assert!(!text.contains("gen_ai_request_model=\"plain\""), "it told of no tokens");
    assert!(open.contains("# TYPE nv_inference_request_success unknown\n"));
    assert!(open.contains("# TYPE ts_inference_requests counter\n"));
}
