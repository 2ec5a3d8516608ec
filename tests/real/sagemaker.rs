//! boto3 against the SageMaker runtime's stand-in, which checks the AWS signature of what arrives.

use std::fs;

use serde_json::{Value, json};

use crate::kit::{Server, Weir, client, curl, eventually, ports};

const SCRIPT: &str = "sagemaker_runtime.py";

/// What weir may add to a request; none of it is signed.
const ADDED: [&str; 6] =
    ["via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"];

struct Pair {
    weir: Weir,
    direct: String,
    server: Server,
}

impl Pair {
    #[track_caller]
    fn start() -> Self {
        let [port] = ports();
        let direct = format!("http://127.0.0.1:{port}");
        let server = Server::start("sagemaker", &[port], &[]);
        eventually("stand-in", || curl(&["--data-raw", "{}", &direct]).status == 403);
        Self { weir: Weir::serve(&format!("sagemaker={direct}")), direct, server }
    }

    /// Every signed request that arrived, in order.
    fn received(&self) -> Vec<Received> {
        let text = fs::read_to_string(self.server.run.join("requests.jsonl")).unwrap();
        text.lines()
            .map(|line| Received::parse(&serde_json::from_str(line).unwrap()))
            .filter(|r| r.signed())
            .collect()
    }
}

struct Received {
    request_line: String,
    headers: Vec<(String, String)>,
    signature_holds: bool,
}

impl Received {
    fn parse(line: &Value) -> Self {
        let mut lines = line["head"].as_str().unwrap().trim_end().split("\r\n");
        let request_line = lines.next().unwrap().to_owned();
        let headers = lines.map(|line| line.split_once(':').unwrap());
        let headers = headers.map(|(name, value)| {
            (name.to_ascii_lowercase(), value.strip_prefix(' ').unwrap_or(value).to_owned())
        });
        Self { request_line, headers: headers.collect(), signature_holds: line["signature_holds"] == true }
    }

    fn signed(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == "authorization")
    }

    fn host(&self) -> &str {
        self.headers.iter().find(|(name, _)| name == "host").map_or("", |(_, value)| value)
    }

    /// The headers in order, less those that weir may add and those that differ between two calls of the same thing.
    fn comparable(&self) -> Vec<(&str, &str)> {
        let changing = ["host", "x-amz-date", "authorization", "amz-sdk-invocation-id", "user-agent"];
        let kept = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        kept.filter(|(name, _)| !ADDED.contains(name) && !changing.contains(name)).collect()
    }
}

#[test]
fn the_aws_signature_holds_behind_weir_and_each_target_model_is_counted() {
    let pair = Pair::start();
    let lines = client(
        SCRIPT,
        &[&pair.weir.url(""), "alpha.tar.gz", "alpha.tar.gz", "team/beta.tar.gz", "missing.tar.gz", "broken"],
    );

    let statuses: Vec<_> = lines.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 200, 424, 500], "{lines:?}");
    assert_eq!(
        lines[2]["body"],
        json!({ "path": "/endpoints/mme/invocations", "target": "team/beta.tar.gz", "bytes": 7 })
    );
    assert_eq!(lines[3]["error"], "ModelError", "the error's type header came through");

    let scrape = pair.weir.settled(5);
    assert_eq!(scrape.outcomes("alpha.tar.gz"), [("ok", 2)]);
    assert_eq!(scrape.outcomes("team/beta.tar.gz"), [("ok", 1)]);
    let unknown = scrape.outcomes("__unknown__");
    assert_eq!(
        unknown.iter().map(|(_, count)| count).sum::<u64>(),
        2,
        "names that never succeeded: {unknown:?}"
    );
    assert_eq!(scrape.models(), ["alpha.tar.gz", "team/beta.tar.gz"]);
    assert_eq!(pair.received().iter().filter(|request| request.signature_holds).count(), 5);
}

#[test]
fn boto3s_request_arrives_as_it_was_sent() {
    let pair = Pair::start();
    client(SCRIPT, &[&pair.direct, "alpha.tar.gz"]);
    client(SCRIPT, &[&pair.weir.url(""), "alpha.tar.gz"]);

    let received = pair.received();
    let [direct, through] = received.as_slice() else { panic!("two requests arrived") };
    assert_eq!(through.request_line, direct.request_line);
    assert_eq!(through.comparable(), direct.comparable(), "every header, in order");
    assert_eq!(format!("http://{}", through.host()), pair.weir.url(""), "the host that the client signed");
}

#[test]
fn a_model_that_was_not_ready_is_cold_when_it_answers() {
    let pair = Pair::start();
    let target = "loading.tar.gz";
    let lines = client(SCRIPT, &[&pair.weir.url(""), target, target, target, target]);
    let statuses: Vec<_> = lines.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [429, 429, 200, 200]);
    assert_eq!(lines[0]["error"], "ModelNotReadyException");

    let scrape = pair.weir.settled(4);
    assert_eq!(scrape.outcomes(target), [("ok", 2)]);
    assert_eq!(scrape.outcomes("__unknown__"), [("not_ready", 2)]);
    assert_eq!(scrape.starts(target).cold, 1);
    assert_eq!(scrape.cold_starts(target), [("status", 1)]);
}

#[test]
fn a_streamed_answer_reaches_boto3_event_by_event() {
    let pair = Pair::start();
    let lines = client(SCRIPT, &[&pair.weir.url(""), "stream"]);
    assert_eq!(lines[0]["parts"], json!([r#"{"token":0}"#, r#"{"token":1}"#, r#"{"token":2}"#]));
    let scrape = pair.weir.settled(1);
    assert_eq!(scrape.outcomes("mme"), [("ok", 1)], "without a target model it is the endpoint's own");
}

/// Signs for that service with the stand-in's secret, under a key of its own.
fn signing(direct: &str, service: &str) -> Weir {
    Weir::serve_file_in(
        &format!(
            "backends:\n- dialect: sagemaker\n  endpoints: [\"{direct}\"]\n  sign: {{service: {service}, region: eu-central-1}}\n"
        ),
        &[
            ("AWS_ACCESS_KEY_ID", "AKIDOFWEIR"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("AWS_SESSION_TOKEN", "a/token+of/weir=="),
        ],
    )
}

#[test]
fn weirs_own_signature_is_the_one_that_botocore_computes() {
    let pair = Pair::start();
    let refused = client(SCRIPT, &["--wrong-secret", &pair.direct, "alpha.tar.gz"]);
    assert_eq!(refused[0]["status"], 403, "the client's own signature does not hold");

    let sagemaker = signing(&pair.direct, "sagemaker");
    let lines =
        client(SCRIPT, &["--wrong-secret", &sagemaker.url(""), "alpha.tar.gz", "team/beta.tar.gz", "stream"]);
    assert_eq!(lines[0]["body"]["target"], "alpha.tar.gz", "{lines:?}");
    assert_eq!(lines[2]["parts"].as_array().map(Vec::len), Some(3), "{lines:?}");
    let bedrock = signing(&pair.direct, "bedrock");
    let path = bedrock.url("/model/arn%3Aaws%3Abedrock%2Fanthropic.claude-v1%3A0/invoke");
    let reply = curl(&["--header", "transfer-encoding: chunked", "--data-raw", "{\"prompt\":\"é\"}", &path]);
    assert_eq!(reply.status, 200, "{reply:?}");

    let verdicts =
        client("verify_signatures.py", &[pair.server.run.join("requests.jsonl").to_str().unwrap()]);
    let ours: Vec<_> = verdicts.iter().filter(|verdict| verdict["key"] == "AKIDOFWEIR").collect();
    assert_eq!(ours.len(), 4, "{verdicts:?}");
    assert!(ours.iter().all(|verdict| verdict["holds"] == true), "{ours:?}");
    let services: Vec<_> = ours.iter().map(|verdict| verdict["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["sagemaker", "sagemaker", "sagemaker", "bedrock"]);
    let signed = &ours[0]["signed"];
    let has = |name: &str| signed.as_array().unwrap().iter().any(|signed| signed == name);
    assert!(has("host") && has("x-amz-security-token") && has("x-amzn-sagemaker-target-model"), "{signed}");
    assert!(!has("via") && !has("x-forwarded-for") && !has("user-agent"), "{signed}");
    for log in [sagemaker.log(), bedrock.log()] {
        assert!(!log.contains("wJalrXUtnFEMI") && !log.contains("a/token"), "{log}");
    }
}
