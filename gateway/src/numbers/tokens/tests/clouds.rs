//! Streams of Bedrock and SageMaker in AWS's binary messages, and Gemini's arrays.

use super::*;
use crate::numbers::event_stream::tests::{event, exception, message};

const BINARY: Framing = Framing::Binary;

/// Bedrock's `ConverseStream`.
fn converse() -> Vec<Vec<u8>> {
    vec![
        event("messageStart", "{\"p\":\"abc\",\"role\":\"assistant\"}"),
        event("contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hel\"},\"p\":\"abcdef\"}"),
        event("contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"lo\"},\"p\":\"ab\"}"),
        event("contentBlockStop", "{\"contentBlockIndex\":0,\"p\":\"ab\"}"),
        event("messageStop", "{\"p\":\"abcd\",\"stopReason\":\"end_turn\"}"),
        event(
            "metadata",
            "{\"metrics\":{\"latencyMs\":551},\"p\":\"a\",\"usage\":{\"inputTokens\":9,\"outputTokens\":3,\"totalTokens\":12}}",
        ),
    ]
}

/// A chunk of `InvokeModelWithResponseStream` with a model's own JSON.
fn chunk(json: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    // Spaces behind JSON are nothing, and so there is no padding.
    let padded = format!("{json}{}", " ".repeat((3 - json.len() % 3) % 3));
    for three in padded.as_bytes().chunks(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        text.extend([18, 12, 6, 0].map(|by| char::from(DIGITS[bits >> by & 63])));
    }
    event("chunk", &format!("{{\"bytes\":\"{text}\",\"p\":\"abcdefgh\"}}"))
}

#[test]
fn a_converse_stream_tells_tokens_and_times() {
    let (outcome, usage) = ended("bedrock", BINARY, &converse(), Outcome::Ok);
    assert_eq!((outcome, usage.broken, usage.tokens), (Outcome::Ok, None, [9, 3]));
    assert_eq!((usage.first_token_ns, usage.per_output_token_ns), (Some(20_000_000), Some(5_000_000)));
    // The same, a byte at a time.
    let bytes: Vec<Vec<u8>> = converse().concat().into_iter().map(|byte| vec![byte]).collect();
    let (outcome, usage) = ended("bedrock", BINARY, &bytes, Outcome::Ok);
    assert_eq!((outcome, usage.tokens), (Outcome::Ok, [9, 3]));
}

#[test]
fn a_converse_stream_that_breaks_is_the_servers_error() {
    let whole = converse();
    let with = |last: Vec<u8>| [whole[..3].to_vec(), vec![last]].concat();
    for (why, frames, broken) in [
        ("an exception", with(exception("modelStreamErrorException")), Broken::Error),
        ("no end", whole[..4].to_vec(), Broken::Unfinished),
        ("half a message", with(whole[5][..40].to_vec()), Broken::Unfinished),
        ("a spoilt sum", with([&whole[4][..whole[4].len() - 1], b"x"].concat()), Broken::Unfinished),
        ("half a message alone", vec![whole[0][..20].to_vec()], Broken::Unfinished),
    ] {
        let (outcome, usage) = ended("bedrock", BINARY, &frames, Outcome::Ok);
        assert_eq!((outcome, usage.broken), (Outcome::ServerError, Some(broken)), "{why}");
    }
    let (outcome, usage) = ended("bedrock", BINARY, &whole[..3], Outcome::ServerError);
    assert_eq!((outcome, usage.broken), (Outcome::ServerError, Some(Broken::Cut)));
}

#[test]
fn a_streamed_invoke_tells_what_is_in_its_chunks() {
    let metrics = "\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":10,\"outputTokenCount\":4,\"invocationLatency\":1290,\"firstByteLatency\":512}";
    let claude = [
        chunk(
            "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}",
        ),
        chunk("{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}"),
        chunk(
            "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}",
        ),
        chunk(&format!("{{\"type\":\"message_stop\",{metrics}}}")),
    ];
    let (outcome, usage) = ended("bedrock", BINARY, &claude, Outcome::Ok);
    assert_eq!((outcome, usage.tokens, usage.first_token_ns), (Outcome::Ok, [10, 4], Some(20_000_000)));
    assert_eq!(ended("bedrock", BINARY, &claude[..3], Outcome::Ok).1.broken, Some(Broken::Unfinished));
    let llama = [
        chunk(
            "{\"generation\":\" a\",\"prompt_token_count\":7,\"generation_token_count\":1,\"stop_reason\":null}",
        ),
        chunk(&format!(
            "{{\"generation\":\"\",\"generation_token_count\":4,\"stop_reason\":\"stop\",{metrics}}}"
        )),
    ];
    assert_eq!(ended("bedrock", BINARY, &llama, Outcome::Ok).1.tokens, [10, 4]);
    let nova = [
        chunk("{\"contentBlockDelta\":{\"delta\":{\"text\":\"a\"},\"contentBlockIndex\":0}}"),
        chunk("{\"metadata\":{\"usage\":{\"inputTokens\":3,\"outputTokens\":2}}}"),
        chunk(&format!("{{{metrics}}}")),
    ];
    assert_eq!(ended("bedrock", BINARY, &nova, Outcome::Ok), ended("bedrock", BINARY, &nova, Outcome::Ok));
    assert_eq!(ended("bedrock", BINARY, &nova[..2], Outcome::Ok).1.tokens, [3, 2]);
}

#[test]
fn parts_of_a_sagemaker_stream_are_one_stream_of_the_containers() {
    let part = |text: &str| {
        let headers = [(":event-type", "PayloadPart"), (":message-type", "event")];
        message(&headers, text.as_bytes())
    };
    // Events cut by parts, as a container writes and the platform packs them.
    let text = CHAT.concat();
    let parts: Vec<Vec<u8>> =
        text.as_bytes().chunks(33).map(|cut| part(std::str::from_utf8(cut).unwrap())).collect();
    let (outcome, usage) = ended("sagemaker", BINARY, &parts, Outcome::Ok);
    assert_eq!((outcome, usage.tokens), (Outcome::Ok, [9, 3]));
    let lines = [
        part("{\"token\":{\"id\":5,\"text\":\"a\"}}\n{\"token\":{\"id\""),
        part(":6,\"text\":\"b\"},\"generated_text\":\"ab\",\"details\":{\"generated_tokens\":2}}\n"),
    ];
    assert_eq!(ended("sagemaker", BINARY, &lines, Outcome::Ok).1.tokens, [0, 2]);
    for kind in ["ModelStreamError", "InternalStreamFailure"] {
        let (outcome, usage) = ended("sagemaker", BINARY, &[parts[0].clone(), exception(kind)], Outcome::Ok);
        assert_eq!((outcome, usage.broken), (Outcome::ServerError, Some(Broken::Error)), "{kind}");
    }
    // What no rule knows is not judged.
    let unknown = [part("hello"), part(" world")];
    assert_eq!(ended("sagemaker", BINARY, &unknown, Outcome::Ok), (Outcome::Ok, Usage::default()));
}

const GEMINI: [&str; 3] = [
    "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hel\"}],\"role\":\"model\"}}],\"usageMetadata\":{\"promptTokenCount\":9,\"totalTokenCount\":9}}\n",
    ",\r\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"lo\"}],\"role\":\"model\"},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":3,\"totalTokenCount\":12}}\n",
    "]",
];

#[test]
fn geminis_array_is_a_stream_and_its_single_object_is_none() {
    let (outcome, usage) = ended("vertex", Framing::Whole, &GEMINI, Outcome::Ok);
    assert_eq!((outcome, usage.broken, usage.tokens), (Outcome::Ok, None, [9, 3]));
    assert_eq!((usage.first_token_ns, usage.per_output_token_ns), (Some(10_000_000), Some(5_000_000)));
    let (outcome, usage) = ended("vertex", Framing::Whole, &[GEMINI[0], "]"], Outcome::Ok);
    assert_eq!((outcome, usage.broken), (Outcome::ServerError, Some(Broken::Unfinished)));
    let error =
        ",{\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}]";
    let (outcome, usage) = ended("vertex", Framing::Whole, &[GEMINI[0], error], Outcome::Ok);
    assert_eq!((outcome, usage.broken), (Outcome::ServerError, Some(Broken::Error)));
    let whole = GEMINI[1].trim_start_matches(",\r\n");
    let (outcome, usage) = ended("vertex", Framing::Whole, &[whole], Outcome::Ok);
    assert_eq!((outcome, usage.tokens, usage.first_token_ns), (Outcome::Ok, [9, 3], None));
    let events = [format!("data: {whole}\r\n\r\n")];
    assert_eq!(ended("vertex", Framing::Events, &events, Outcome::Ok).1.tokens, [9, 3]);
}
