//! Whole answers as servers send them.

use weir_config::Config;

use super::*;

mod clouds;

/// The places of an embedded dialect.
fn places(dialect: &str) -> Places {
    Places::new(&Config::default().dialect(dialect).unwrap().usage)
}

/// Reads frames that come 10 ms after each other.
fn ended<F: AsRef<[u8]>>(
    dialect: &str,
    framing: Framing,
    frames: &[F],
    outcome: Outcome,
) -> (Outcome, Usage) {
    let (mut tokens, places) = (Tokens::new(framing), places(dialect));
    for (n, frame) in frames.iter().enumerate() {
        tokens.piece(frame.as_ref(), Duration::from_millis(10 * (n as u64 + 1)), &places);
    }
    tokens.end(outcome, &places)
}

const CHAT: [&str; 5] = [
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\ndata: [DONE]\n\n",
];

#[test]
fn a_chat_stream_tells_its_first_token_its_pace_and_its_usage() {
    let (outcome, usage) = ended("openai", Framing::Events, &CHAT, Outcome::Ok);
    assert_eq!((outcome, usage.broken, usage.tokens), (Outcome::Ok, None, [9, 3]));
    // The frame that only says whose turn it is has no token.
    assert_eq!(usage.first_token_ns, Some(20_000_000));
    assert_eq!(usage.per_output_token_ns, Some(5_000_000));
}

#[test]
fn without_usage_pieces_stand_for_tokens_in_times_and_not_in_counts() {
    let frames = &CHAT[..4];
    let (outcome, usage) = ended("openai", Framing::Events, frames, Outcome::Ok);
    assert_eq!((outcome, usage.tokens, usage.per_output_token_ns), (Outcome::Ok, [0, 0], Some(10_000_000)));
}

#[test]
fn a_stream_that_just_ends_is_broken_and_the_servers_error() {
    let (outcome, usage) = ended("openai", Framing::Events, &CHAT[..3], Outcome::Ok);
    assert_eq!((outcome, usage.broken), (Outcome::ServerError, Some(Broken::Unfinished)));
    assert_eq!((usage.first_token_ns, usage.per_output_token_ns), (None, None));
}

#[test]
fn an_error_event_after_a_success_is_the_servers_error() {
    let error = "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n";
    let (outcome, usage) =
        ended("openai", Framing::Events, &[CHAT[1], error, "data: [DONE]\n\n"], Outcome::Ok);
    assert_eq!((outcome, usage.broken), (Outcome::ServerError, Some(Broken::Error)));
}

#[test]
fn a_stream_that_is_cut_or_left_by_its_client_is_told_apart() {
    let (_, cut) = ended("openai", Framing::Events, &CHAT[..3], Outcome::ServerError);
    assert_eq!(cut.broken, Some(Broken::Cut));
    for outcome in [Outcome::Cancelled, Outcome::Timeout] {
        let (after, left) = ended("openai", Framing::Events, &CHAT[..3], outcome);
        assert_eq!((after, left.broken, left.first_token_ns), (outcome, None, None));
    }
}

#[test]
fn a_whole_answer_tells_usage_and_no_times() {
    let body = "{\"choices\":[{\"message\":{\"content\":\"hi\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}";
    let (outcome, usage) = ended("openai", Framing::Whole, &[body], Outcome::Ok);
    assert_eq!((outcome, usage), (Outcome::Ok, Usage { tokens: [5, 2], ..Usage::default() }));
}

#[test]
fn the_responses_api_ends_with_its_own_event() {
    let frames = [
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null,\"usage\":null}}\n\n",
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"error\":null,\"usage\":{\"input_tokens\":4,\"output_tokens\":1}}}\n\n",
    ];
    let (outcome, usage) = ended("openai", Framing::Events, &frames, Outcome::Ok);
    assert_eq!((outcome, usage.tokens, usage.first_token_ns), (Outcome::Ok, [4, 1], Some(20_000_000)));
    let (outcome, _) = ended("openai", Framing::Events, &frames[..2], Outcome::Ok);
    assert_eq!(outcome, Outcome::ServerError);
}

#[test]
fn anthropics_messages_tell_input_first_and_output_last() {
    let frames = [
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"!\"}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ];
    let (outcome, usage) = ended("openai", Framing::Events, &frames, Outcome::Ok);
    assert_eq!((outcome, usage.tokens, usage.first_token_ns), (Outcome::Ok, [25, 3], Some(30_000_000)));
    assert_eq!(usage.per_output_token_ns, Some(5_000_000));
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    let (outcome, usage) = ended("openai", Framing::Events, &[frames[0], overloaded], Outcome::Ok);
    assert_eq!((outcome, usage.broken), (Outcome::ServerError, Some(Broken::Error)));
}

#[test]
fn ollamas_last_object_tells_counts_and_the_load() {
    let frames = [
        "{\"model\":\"m\",\"response\":\"Hi\",\"done\":false}\n",
        "{\"model\":\"m\",\"response\":\" you\",\"done\":false}\n",
        "{\"model\":\"m\",\"response\":\"\",\"done\":true,\"done_reason\":\"stop\",\"load_duration\":2310000000,\"prompt_eval_count\":26,\"eval_count\":2}\n",
    ];
    let (mut tokens, places) = (Tokens::new(Framing::Lines), places("ollama"));
    frames.iter().for_each(|frame| tokens.piece(frame.as_bytes(), Duration::from_millis(5), &places));
    let (outcome, usage) = tokens.end(Outcome::Ok, &places);
    assert_eq!((outcome, usage.tokens), (Outcome::Ok, [26, 2]));
    assert_eq!(tokens.load(), Some(Duration::from_millis(2310)));
    let error = "{\"error\":\"llama runner process has terminated\"}\n";
    let (_, usage) = ended("ollama", Framing::Lines, &[frames[0], error], Outcome::Ok);
    assert_eq!(usage.broken, Some(Broken::Error));
    let (_, usage) = ended("ollama", Framing::Lines, &frames[..2], Outcome::Ok);
    assert_eq!(usage.broken, Some(Broken::Unfinished));
}

#[test]
fn tgis_last_event_has_its_details() {
    let frames = [
        "data:{\"index\":1,\"token\":{\"id\":5,\"text\":\" a\"},\"generated_text\":null,\"details\":null}\n\n",
        "data:{\"index\":2,\"token\":{\"id\":6,\"text\":\" b\"},\"generated_text\":\" a b\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":2,\"input_length\":4}}\n\n",
    ];
    let (outcome, usage) = ended("tgi", Framing::Events, &frames, Outcome::Ok);
    assert_eq!((outcome, usage.tokens, usage.per_output_token_ns), (Outcome::Ok, [4, 2], Some(10_000_000)));
    let error = "data:{\"error\":\"Request failed during generation\",\"error_type\":\"generation\"}\n\n";
    assert_eq!(ended("tgi", Framing::Events, &[frames[0], error], Outcome::Ok).0, Outcome::ServerError);
}

#[test]
fn a_stream_of_a_kind_that_is_not_known_is_not_judged() {
    let (outcome, usage) = ended("openai", Framing::Events, &["data: {\"hello\":1}\n\n"], Outcome::Ok);
    assert_eq!((outcome, usage), (Outcome::Ok, Usage::default()));
}
