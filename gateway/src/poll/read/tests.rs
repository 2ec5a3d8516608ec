//! Answers of real servers, shortened, read by the embedded dialects.

use weir_config::Config;

use super::*;

fn readers(dialect: &str) -> Vec<Reader> {
    let flag = format!("{dialect}=http://127.0.0.1:1").parse().unwrap();
    let config = Config::from_flags(&[flag]).unwrap();
    config.dialect(dialect).unwrap().state.iter().map(|source| Reader::new(source).unwrap()).collect()
}

/// What the pages of a dialect tell, given their answers in order; a page of one model is that of `asked`.
fn told(dialect: &str, asked: &str, answers: &[&str]) -> Vec<(String, Told)> {
    let mut found = Found::new();
    for (reader, answer) in readers(dialect).iter().zip(answers) {
        let answer = serde_json::from_str(answer).unwrap();
        reader.read(&answer, reader.is_for_one().then_some(asked), &mut found, 100);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn model(name: &str, word: StateWord, memory_bytes: Option<u64>, gpu: Option<u64>) -> (String, Told) {
    (name.to_owned(), Told { word, memory_bytes, gpu_memory_bytes: gpu })
}

#[test]
fn triton_tells_in_its_index_and_its_statistics() {
    let index = r#"[{"name":"a","version":"1","state":"UNAVAILABLE","reason":"unloaded"},{"name":"a","version":"2","state":"READY"},
        {"name":"b","version":"1","state":"LOADING"},{"name":"never"}]"#;
    let stats = r#"{"model_stats":[{"name":"a","version":"2","memory_usage":[{"type":"GPU","id":0,"byte_size":5},
        {"type":"CPU","id":0,"byte_size":3},{"type":"GPU","id":1,"byte_size":6}]}]}"#;
    assert_eq!(
        told("triton", "", &[index, stats]),
        [
            model("a", StateWord::Loaded, Some(3), Some(11)),
            model("b", StateWord::Loading, None, None),
            model("never", StateWord::Unloaded, None, None),
        ]
    );
}

#[test]
fn torchserve_and_mms_tell_of_workers_and_their_memory() {
    let list = r#"{"nextPageToken":"1","models":[{"modelName":"a","modelUrl":"a.mar"}]}"#;
    let ready = r#"[{"modelName":"a","workers":[{"status":"READY","memoryUsage":10},{"status":"READY","memoryUsage":20}]}]"#;
    let bare = r#"{"modelName":"a","workers":[{"status":"READY","memoryUsage":0}]}"#;
    let none = r#"[{"modelName":"a","workers":[]}]"#;
    let starting = r#"[{"modelName":"a","workers":[{"status":"UNLOADING","pid":-1}]}]"#;
    for dialect in ["torchserve", "mms"] {
        assert_eq!(told(dialect, "a", &[list, ready]), [model("a", StateWord::Loaded, Some(30), None)]);
        assert_eq!(told(dialect, "a", &[list, bare]), [model("a", StateWord::Loaded, None, None)]);
        assert_eq!(told(dialect, "a", &[list, none]), [model("a", StateWord::Unloaded, None, None)]);
        assert_eq!(told(dialect, "a", &[list, starting]), [model("a", StateWord::Loading, None, None)]);
        let next = readers(dialect).first().unwrap().next(&serde_json::from_str(list).unwrap());
        assert_eq!(next.as_deref(), Some("/models?limit=100&next_page_token=1"));
    }
}

#[test]
fn ollama_tells_what_runs_and_its_names_may_leave_out_the_tag() {
    let ps = r#"{"models":[{"name":"llama3:latest","size":600,"size_vram":500,"expires_at":"2026-11-24T10:00:00Z"}]}"#;
    assert_eq!(
        told("ollama", "", &[ps]),
        [
            model("llama3", StateWord::Loaded, Some(600), Some(500)),
            model("llama3:latest", StateWord::Loaded, Some(600), Some(500)),
        ]
    );
}

#[test]
fn llama_cpp_tells_in_its_list_vllm_whether_it_sleeps_and_others_nothing() {
    let router = r#"{"data":[{"id":"a","status":{"value":"unloaded"}},{"id":"b","status":{"value":"loaded"},"meta":{"size":510208}}]}"#;
    assert_eq!(
        told("openai", "", &[router]),
        [model("a", StateWord::Unloaded, None, None), model("b", StateWord::Loaded, Some(510_208), None)]
    );
    let list = r#"{"data":[{"id":"a","object":"model"}]}"#;
    assert_eq!(told("openai", "", &[list]), [model("a", StateWord::Unknown, None, None)]);
    let asleep = r#"{"is_sleeping":true}"#;
    assert_eq!(told("openai", "", &[list, asleep]), [model("a", StateWord::Unloaded, None, None)]);
}

#[test]
fn kserve_and_tensorflow_serving_tell_of_each_model() {
    let list = r#"{"models":["a"]}"#;
    let ready = r#"{"name":"a","ready":true}"#;
    assert_eq!(told("kserve-v1", "a", &[list, ready, ready]), [model("a", StateWord::Loaded, None, None)]);
    let versions =
        r#"{"model_version_status":[{"version":"1","state":"END"},{"version":"2","state":"LOADING"}]}"#;
    assert_eq!(
        told("kserve-v1", "a", &[list, versions, versions]),
        [model("a", StateWord::Loading, None, None)]
    );
}

#[test]
fn what_does_not_fit_tells_nothing_and_names_are_bounded() {
    for answer in ["null", "1", "[]", "{}", r#"{"models":7}"#, r#"{"models":[[[]],{"name":{}},{"name":""}]}"#]
    {
        assert_eq!(told("ollama", "", &[answer]), [], "{answer}");
    }
    let many: Vec<String> = (0..300).map(|n| format!("{{\"name\":\"m{n}\"}}")).collect();
    let many = format!("[{}]", many.join(","));
    assert_eq!(told("triton", "", &[&many]).len(), 100);
    let long = format!("[{{\"name\":\"{}\"}}]", "x".repeat(2000));
    assert_eq!(told("triton", "", &[&long]), []);
}
