//! Names in forms, as the dialects' rules find them.

use super::*;

const AUDIO: &str = "POST /v1/audio/transcriptions\nContent-Type: multipart/form-data; boundary=\"XyZ\"\n\n";

fn part(disposition: &str, body: &str) -> String {
    format!("--XyZ\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{body}\r\n")
}

#[test]
fn a_model_behind_a_file_is_found() {
    let openai = matcher("openai", &[]);
    let file = part("name=\"file\"; filename=\"a.wav\"", &"\0riff".repeat(30_000));
    let model = part("name=\"model\"", "whisper-1");
    for body in [format!("{file}{model}--XyZ--"), format!("{model}{file}--XyZ--")] {
        check(&openai, &format!("{AUDIO}{body}"), Action::Infer, (Some("whisper-1"), None, None));
    }
    check(&openai, &format!("{AUDIO}{file}--XyZ--"), Action::Infer, (None, None, None));
    let unbound = "POST /v1/audio/transcriptions\nContent-Type: multipart/form-data\n\n--XyZ";
    check(&openai, unbound, Action::Infer, (None, None, None));
}

#[test]
fn a_field_of_a_form_is_found_also_when_it_is_the_last() {
    let form = "POST /x\nContent-Type: application/x-www-form-urlencoded\n\n";
    let matcher = matcher("generic", &[rule("/x", vec![json("model_name"), header("x-model")])]);
    for (body, model) in [
        ("a=1&model_name=alpha%2F1", Some("alpha/1")),
        ("model_name=alpha&a=1", Some("alpha")),
        (" \n{\"model_name\":\"j\"}", Some("j")),
        ("model_name=", None),
        ("", None),
    ] {
        check(&matcher, &format!("{form}{body}"), Action::Infer, (model, None, None));
    }
}

#[test]
fn the_last_field_of_a_form_that_is_not_read_to_its_end_is_not_believed() {
    let matcher = matcher("generic", &[rule("/x", vec![json("model"), header("x-model")])]);
    let request = request("POST /x\nContent-Type: application/x-www-form-urlencoded\nX-Model: h\n\n");
    let found = matcher.find(request.method(), request.uri(), &request.headers().into()).unwrap();
    let Identified::NeedsBody(mut scan) =
        found.identify(request.uri(), &request.headers().into(), &Identify::default())
    else {
        panic!("the name may be in the body")
    };
    assert_eq!(scan.feed(b"model=alph"), Progress::NeedMore);
    assert_eq!(scan.finish().identity.unwrap().name, "h");
}
