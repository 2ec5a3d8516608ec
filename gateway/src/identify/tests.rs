//! Real requests against the embedded dialects, and rules of a user's own.

use http::Request;
use weir_config::{Config, Source};

use super::*;

mod dialects;
mod forms;
mod grpc;
mod rules;

/// The model, its resident id if that differs, and its version.
type Names<'t> = (Option<&'t str>, Option<&'t str>, Option<&'t str>);

fn matcher(dialect: &str, own: &[RequestRule]) -> Matcher {
    let config = Config::from_flags(&[format!("{dialect}=http://127.0.0.1:1").parse().unwrap()]).unwrap();
    Matcher::new(config.dialect(dialect).unwrap(), own).unwrap()
}

/// Reads `METHOD target`, header lines, an empty line and a body.
fn request(text: &str) -> Request<String> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        request = request.header(name, value);
    }
    request.body(body.to_owned()).unwrap()
}

/// Identifies as the proxy does: the head, then the body if it is needed.
fn identity(
    found: &Found<'_>,
    request: &Request<String>,
    limits: &Identify,
) -> (Option<Identity>, ScanFlags) {
    match found.identify(request.uri(), &request.headers().into(), limits) {
        Identified::Model(identity) => (Some(identity), ScanFlags::default()),
        Identified::None => (None, ScanFlags::default()),
        Identified::NeedsBody(mut scan) => {
            for piece in request.body().as_bytes().chunks(7) {
                if scan.feed(piece) != Progress::NeedMore {
                    break;
                }
            }
            scan.end();
            let Scanned { identity, flags } = scan.finish();
            (identity, flags)
        }
    }
}

fn check(matcher: &Matcher, text: &str, action: Action, names: Names<'_>) {
    let request = request(text);
    let limits = Identify::default();
    let found = matcher
        .find(request.method(), request.uri(), &request.headers().into())
        .unwrap_or_else(|| panic!("{text}"));
    assert_eq!(found.action(), action, "{text} by {}", found.template());
    let (without, _) = identity(&found, &request, &limits);
    let found = found.with_version();
    let (identity, _) = identity(&found, &request, &limits);
    let of_head = found.version(request.uri(), &request.headers().into(), &limits);
    let version = identity.as_ref().map_or(of_head.as_ref(), |identity| identity.version.as_ref());
    let (model, resident) = (
        identity.as_ref().map(|identity| identity.name.as_str()),
        identity.as_ref().and_then(|identity| identity.resident.as_deref()),
    );
    assert_eq!((model, resident, version.map(|v| v.as_str())), names, "{text} by {}", found.template());
    // Looking for the version changes nothing else, and without it nobody has one.
    let other = identity.clone().map(|identity| Identity { version: None, ..identity });
    assert_eq!(without, other, "{text}");
}

const JSON: &str = "Content-Type: application/json\n\n";

#[test]
fn mms_requests_are_named_by_the_header_and_loaded_by_the_id() {
    let mms = matcher("mms", &[]);
    let target = "X-Amzn-SageMaker-Target-Model: alpha.tar.gz";
    for (text, action, names) in [
        (
            format!("POST /models/alpha/invoke\n{target}\n{JSON}{{\"a\":1}}"),
            Action::Infer,
            (Some("alpha.tar.gz"), Some("alpha"), None),
        ),
        (
            format!("POST /models/9f86d081884c7d65/invoke\n{target}"),
            Action::Infer,
            (Some("alpha.tar.gz"), Some("9f86d081884c7d65"), None),
        ),
        ("POST /models/gamma/invoke".to_owned(), Action::Infer, (Some("gamma"), None, None)),
        (
            format!("POST /models\n{JSON}{{\"model_name\":\"alpha\",\"url\":\"LAB/mms/models/alpha\"}}"),
            Action::Load,
            (Some("alpha"), None, None),
        ),
        (
            format!(
                "POST /models\nX-Amzn-SageMaker-Target-Model: beta.tar.gz\n{JSON}{{\"url\":\"u\",\"model_name\":\"9f86\"}}"
            ),
            Action::Load,
            (Some("beta.tar.gz"), Some("9f86"), None),
        ),
        // curl without a Content-Type of its own.
        (
            "POST /models\nContent-Type: application/x-www-form-urlencoded\n\n{\"model_name\":\"a\"}"
                .to_owned(),
            Action::Load,
            (Some("a"), None, None),
        ),
        (
            format!("DELETE /models/gamma\n{target}"),
            Action::Unload,
            (Some("alpha.tar.gz"), Some("gamma"), None),
        ),
        ("GET /models?limit=1".to_owned(), Action::Control, (None, None, None)),
        ("GET /models/alpha".to_owned(), Action::Control, (Some("alpha"), None, None)),
        ("GET /ping".to_owned(), Action::Control, (None, None, None)),
        (format!("POST /invocations\n{target}"), Action::Infer, (Some("alpha.tar.gz"), None, None)),
        ("POST /invocations".to_owned(), Action::Infer, (None, None, None)),
    ] {
        check(&mms, &text, action, names);
    }
}

#[test]
fn sagemaker_requests_are_named_by_target_component_or_endpoint() {
    let sagemaker = matcher("sagemaker", &[]);
    let invocations = "POST /endpoints/mme/invocations\nAccept-Encoding: identity";
    for (text, names) in [
        (
            format!(
                "{invocations}\nX-Amzn-SageMaker-Target-Model: alpha.tar.gz\nX-Amzn-SageMaker-Target-Variant: AllTraffic\n{JSON}{{\"a\":1}}"
            ),
            (Some("alpha.tar.gz"), None, Some("AllTraffic")),
        ),
        (
            format!("{invocations}\nX-Amzn-SageMaker-Target-Model: dir/m.tar.gz"),
            (Some("dir/m.tar.gz"), None, None),
        ),
        (format!("{invocations}\nX-Amzn-SageMaker-Inference-Component: ic-1"), (Some("ic-1"), None, None)),
        (invocations.to_owned(), (Some("mme"), None, None)),
        ("POST /endpoints/mme/invocations-response-stream".to_owned(), (Some("mme"), None, None)),
        ("POST /endpoints/mme/async-invocations".to_owned(), (Some("mme"), None, None)),
    ] {
        check(&sagemaker, &text, Action::Infer, names);
    }
}

#[test]
fn torchserve_requests_are_told_apart() {
    let torchserve = matcher("torchserve", &[]);
    for (text, action, names) in [
        ("POST /predictions/alpha", Action::Infer, (Some("alpha"), None, None)),
        ("DELETE /predictions/alpha", Action::Infer, (Some("alpha"), None, None)),
        ("POST /predictions/alpha/1.0", Action::Infer, (Some("alpha"), None, Some("1.0"))),
        ("POST /predictions/alpha/1.0/a/b", Action::Infer, (Some("alpha"), None, Some("1.0"))),
        ("OPTIONS /predictions/alpha", Action::Control, (None, None, None)),
        ("OPTIONS /", Action::Control, (None, None, None)),
        ("POST /v1/models/gamma:predict", Action::Infer, (Some("gamma"), None, None)),
        ("POST /v2/models/gamma/infer", Action::Infer, (Some("gamma"), None, None)),
        ("POST /models/alpha/invoke", Action::Infer, (Some("alpha"), None, None)),
        ("POST /invocations?model_name=a%2Fb+c", Action::Infer, (Some("a/b c"), None, None)),
        ("POST /invocations", Action::Infer, (None, None, None)),
        (
            "POST /models?url=alpha.mar&initial_workers=1&synchronous=true",
            Action::Load,
            (Some("alpha"), None, None),
        ),
        (
            "POST /models?url=s3%3A%2F%2Fb%2Fbeta.mar&initial_workers=1",
            Action::Load,
            (Some("beta"), None, None),
        ),
        (
            "POST /models?url=gamma.mar&initial_workers=0&model_name=gamma",
            Action::Control,
            (None, None, None),
        ),
        ("PUT /models/gamma?min_worker=1&synchronous=true", Action::Load, (Some("gamma"), None, None)),
        (
            "PUT /models/gamma?min_worker=0&max_worker=0&synchronous=true",
            Action::Unload,
            (Some("gamma"), None, None),
        ),
        ("PUT /models/alpha/1.0/set-default", Action::Control, (Some("alpha"), None, Some("1.0"))),
        ("DELETE /models/beta", Action::Unload, (Some("beta"), None, None)),
        ("GET /models/alpha/all?customized=true", Action::Control, (Some("alpha"), None, Some("all"))),
        ("GET /models", Action::Control, (None, None, None)),
        ("POST /alpha/predict", Action::Infer, (Some("alpha"), None, None)),
        ("POST /alpha/1.0/predict", Action::Infer, (Some("alpha"), None, Some("1.0"))),
    ] {
        check(&torchserve, text, action, names);
    }
    let load = format!("POST /models\n{JSON}{{\"model_name\":\"alpha\",\"url\":\"alpha.mar\"}}");
    check(&torchserve, &load, Action::Load, (Some("alpha"), None, None));
}

#[test]
fn triton_requests_are_named_by_the_path_and_their_bodies_left_alone() {
    let triton = matcher("triton", &[]);
    let binary = "POST /v2/models/gamma/infer\nInference-Header-Content-Length: 147\n\n{\"id\":\"req-7\",\"model\":\"x\"}\u{0}";
    for (text, action, names) in [
        (binary, Action::Infer, (Some("gamma"), None, None)),
        ("POST /v2/models/gamma/versions/1/infer", Action::Infer, (Some("gamma"), None, Some("1"))),
        ("POST /v2/models/gamma/versions/v10/infer", Action::Infer, (Some("gamma"), None, Some("v10"))),
        ("POST /v2/models/m%20x/generate_stream", Action::Infer, (Some("m x"), None, None)),
        ("POST /v2/repository/models/gamma/load", Action::Load, (Some("gamma"), None, None)),
        ("POST /v2/repository/r1/models/gamma/unload", Action::Unload, (Some("gamma"), None, None)),
        ("POST /v2/repository/index", Action::Control, (None, None, None)),
        ("GET /v2/models/stats", Action::Control, (None, None, None)),
        ("GET /v2/models/gamma/stats", Action::Control, (Some("gamma"), None, None)),
        ("GET /v2/models/gamma/ready", Action::Control, (Some("gamma"), None, None)),
        ("GET /v2/health/ready", Action::Control, (None, None, None)),
        ("GET /v2", Action::Control, (None, None, None)),
    ] {
        check(&triton, text, action, names);
    }
    let kserve = matcher("kserve-v1", &[]);
    check(&kserve, "POST /v1/models/alpha:predict", Action::Infer, (Some("alpha"), None, None));
    check(&kserve, "POST /v1/models/a/versions/3:predict", Action::Infer, (Some("a"), None, Some("3")));
    check(
        &kserve,
        "POST /v1/models/a/labels/stable:regress",
        Action::Infer,
        (Some("a"), None, Some("stable")),
    );
    check(&kserve, "GET /v1/models", Action::Control, (None, None, None));
}

#[test]
fn openai_requests_are_named_in_the_body() {
    let openai = matcher("openai", &[]);
    let chat = |body: &str| format!("POST /v1/chat/completions\n{JSON}{body}");
    for (text, names) in [
        (chat(r#"{"model":"tiny-a","messages":[]}"#), (Some("tiny-a"), None, None)),
        (chat(r#"{"messages":[{"role":"user","content":"\"model\":\"x\""}],"m\u006fdel":"meta\/llama-3"}"#), (Some("meta/llama-3"), None, None)),
        (chat(r#"{"messages":[]}"#), (None, None, None)),
        (chat("not json"), (None, None, None)),
        ("POST /v1/completions\n\n{\"model\":\"m\"}".to_owned(), (Some("m"), None, None)),
        ("POST /openai/v1/embeddings\nContent-Type: application/vnd.x+JSON; charset=utf-8\n\n{\"model\":\"m\"}".to_owned(), (Some("m"), None, None)),
        ("POST /v1/embeddings\nContent-Type: image/png\n\n{\"model\":\"m\"}".to_owned(), (None, None, None)),
        ("POST /v1/embeddings\nContent-Encoding: gzip\n\n{\"model\":\"m\"}".to_owned(), (None, None, None)),
        ("POST /v1/embeddings\nContent-Encoding: identity\n\n{\"model\":\"m\"}".to_owned(), (Some("m"), None, None)),
        ("POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21\n\n{\"model\":\"x\"}".to_owned(), (Some("gpt-4o"), None, None)),
    ] {
        check(&openai, &text, Action::Infer, names);
    }
    check(&openai, "GET /v1/models", Action::Control, (None, None, None));
    check(&openai, "POST /models/load\n\n{\"model\":\"tiny-a\"}", Action::Load, (Some("tiny-a"), None, None));
}

#[test]
fn generic_requests_are_named_by_the_first_place_that_has_a_name() {
    let generic = matcher("generic", &[]);
    for (text, model) in [
        ("POST /any/where?model=q\nX-Model: h\n\n{\"model\":\"b\"}", Some("h")),
        ("POST /any?model=q\nX-Model: \nX-Model-Id: i", Some("i")),
        ("POST /?model=q%20r\n\n{\"model\":\"b\"}", Some("q r")),
        ("POST /?model=\n\n{\"model\":\"b\"}", Some("b")),
        ("POST /\nX-Model: a\nX-Model: b", Some("a")),
        ("POST /\n\n[]", None),
        ("POST /\n\n", None),
    ] {
        check(&generic, text, Action::Infer, (model, None, None));
    }
}

fn rule(path: &str, model: Vec<Source>) -> RequestRule {
    RequestRule { path: path.to_owned(), model, ..RequestRule::default() }
}

fn json(key: &str) -> Source {
    Source { json: Some(key.to_owned()), ..Source::default() }
}

fn header(name: &str) -> Source {
    Source { header: Some(name.to_owned()), ..Source::default() }
}

#[test]
fn a_name_that_is_too_long_or_no_text_is_none_and_the_next_place_counts() {
    let matcher = matcher("generic", &[]);
    let long = "x".repeat(257);
    let fits = "x".repeat(256);
    check(&matcher, &format!("GET /?model=q\nX-Model: {long}"), Action::Infer, (Some("q"), None, None));
    check(&matcher, &format!("GET /?model=q\nX-Model: {fits}"), Action::Infer, (Some(&fits), None, None));
    let mut bytes = request("GET /?model=q");
    bytes.headers_mut().insert("x-model", http::HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    let found = matcher.find(bytes.method(), bytes.uri(), &bytes.headers().into()).unwrap();
    let (named, _) = identity(&found, &bytes, &Identify::default());
    assert_eq!(named.unwrap().name, "q");
}

#[test]
fn what_a_body_hides_is_flagged() {
    let openai = matcher("openai", &[]);
    for (body, flags) in [
        (r#"{"model":"a","model":"b"}"#.to_owned(), ScanFlags { duplicate: true, ..ScanFlags::default() }),
        (r#"{"model":1}"#.to_owned(), ScanFlags { not_a_string: true, ..ScanFlags::default() }),
        ("nonsense".to_owned(), ScanFlags { malformed: true, ..ScanFlags::default() }),
        (
            format!(r#"{{"model":"{}"}}"#, "x".repeat(300)),
            ScanFlags { too_long: true, ..ScanFlags::default() },
        ),
        (
            format!(r#"{{"model":"{}"}}"#, "x".repeat(3000)),
            ScanFlags { too_long: true, ..ScanFlags::default() },
        ),
    ] {
        let request = request(&format!("POST /v1/completions\n\n{body}"));
        let found = openai.find(request.method(), request.uri(), &request.headers().into()).unwrap();
        let Identified::NeedsBody(mut scan) =
            found.identify(request.uri(), &request.headers().into(), &Identify::default())
        else {
            panic!("the name is in the body")
        };
        assert_eq!(scan.feed(body.as_bytes()), Progress::Done);
        assert_eq!(scan.finish().flags, flags, "{body}");
    }
}

#[test]
fn a_request_that_no_rule_knows_is_none() {
    let triton = matcher("triton", &[]);
    for text in ["GET /nosuch", "DELETE /v2/models/a/infer", "POST /v2/models//infer", "OPTIONS *", "GET /"] {
        let request = request(text);
        assert!(triton.find(request.method(), request.uri(), &request.headers().into()).is_none(), "{text}");
    }
}
