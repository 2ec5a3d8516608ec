//! llama.cpp's server and the official OpenAI client: the model stands in the JSON body, the answer is a stream of events.

use crate::kit::{Server, Starts, Weir, client, curl, ports};

#[test]
fn the_openai_client_is_served_and_its_model_counted() {
    let [port] = ports();
    let direct = format!("http://127.0.0.1:{port}");
    let mut server = Server::start("llama", &[port], &[]);
    server.wait_ready(&format!("{direct}/health"));
    let weir = Weir::serve(&format!("openai={direct}"));

    let answer = client("openai_chat.py", &[&weir.url("/v1"), "tiny"]);
    assert_eq!(answer[0]["models"], serde_json::json!(["tiny"]));
    assert_eq!(answer[0]["completion_tokens"], 8);
    assert_eq!(answer[0]["streamed_tokens"], 8, "every event of the stream arrived: {answer:?}");

    let scrape = weir.settled(3);
    assert_eq!(scrape.outcomes("tiny"), [("ok", 2)]);
    assert_eq!(scrape.starts("tiny"), Starts { cold: 0, hot: 0, unknown: 2 }, "nothing tells");

    let tokens = |kind| scrape.count("weir_model_tokens_total", &[("model", "tiny"), ("type", kind)]);
    assert_eq!(tokens("output"), 16, "eight of the plain answer, eight of the stream");
    assert_eq!(Some(tokens("input")), answer[0]["prompt_tokens"].as_u64());
    let of = |name: &str| scrape.of_model(name, "tiny");
    assert_eq!(of("weir_model_time_to_first_token_seconds_count"), 1.0, "of the stream alone");
    assert_eq!(of("weir_model_time_per_output_token_seconds_count"), 1.0);
    let (first, each) = (
        of("weir_model_time_to_first_token_seconds_sum"),
        of("weir_model_time_per_output_token_seconds_sum"),
    );
    let longest = of("weir_model_request_duration_seconds_sum");
    assert!(0.0 < first && first < longest && 0.0 < each && each * 7.0 < longest, "{first} {each} {longest}");
    assert_eq!(weir.model("tiny")["tokens"]["broken_streams"]["unfinished"], 0);
}

#[test]
fn a_hundred_and_fifty_requests_outlive_the_servers_limit_of_a_hundred_per_connection() {
    let [port] = ports();
    let direct = format!("http://127.0.0.1:{port}");
    let mut server = Server::start("llama", &[port], &[]);
    server.wait_ready(&format!("{direct}/health"));
    let weir = Weir::serve(&format!("openai={direct}"));

    let body = r#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":1,"model":"tiny"}"#;
    let url = weir.url("/v1/chat/completions");
    for number in 0..150 {
        let reply = curl(&["--header", "content-type: application/json", "--data-raw", body, &url]);
        assert_eq!(reply.status, 200, "request {number}: {reply:?}");
    }
    assert_eq!(weir.settled(150).outcomes("tiny"), [("ok", 150)]);
}
