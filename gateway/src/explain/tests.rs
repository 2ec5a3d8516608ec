//! Requests of several dialects, explained.

use weir_config::Config;

use super::*;
use crate::residency::Residency;

fn told_by(config: Config, asked: &Asked) -> Explained {
    let store = Store::new(&config.telemetry, 0);
    let live = Live::compile(config, 1, &store, &Residency::default()).unwrap();
    store.tick(std::time::Duration::ZERO);
    explain(&live, &store, asked).unwrap()
}

fn told(dialect: &str, method: &str, target: &str, headers: &[&str], body: &'static str) -> Explained {
    let flag = format!("{dialect}=http://127.0.0.1:8000").parse().unwrap();
    told_by(Config::from_flags(&[flag]).unwrap(), &Asked::new(Some(method), target, headers, body).unwrap())
}

fn yaml(text: &str) -> Config {
    weir_config::parse(text, "test", &|_| None).unwrap()
}

fn model(told: &Explained) -> (&str, &str) {
    let model = told.model.as_ref().unwrap();
    (&model.name, model.found_in.as_deref().unwrap())
}

fn rule<'t>(told: &'t Explained, path: &str) -> &'t RuleTried {
    told.rules.iter().find(|rule| rule.path == path).unwrap()
}

#[test]
fn tritons_model_and_version_are_in_the_path_and_every_rule_says_how_it_stands() {
    let told = told("triton", "POST", "/v2/models/resnet/versions/3/infer", &[], "");
    assert_eq!(model(&told), ("resnet", "path {model}"));
    assert_eq!(told.version.as_ref().unwrap().name, "3");
    assert_eq!(told.backend.addresses, ["http://127.0.0.1:8000"]);
    assert_eq!(rule(&told, "/v2/models/{model}[/versions/{version}]/infer").fit, "chosen");
    assert_eq!(rule(&told, "/v2/repository[/{repository}]/models/{model}/load").fit, "path");
    assert_eq!(told.rules.iter().filter(|rule| rule.fit == "chosen").count(), 1);
    assert!(told.body.is_none() && told.starts.lifecycle && told.starts.is_start);
    assert_eq!(told.counted_under.model, "__unknown__");
    assert_eq!(told.counted_under.once_answered.as_deref(), Some("resnet"));
    let text = told.to_string();
    assert!(text.contains("model        resnet  (from path {model})\n"), "{text}");
    assert!(text.contains("* /v2/models/{model}[/versions/{version}]/infer"), "{text}");
}

#[test]
fn a_renamed_model_is_told_step_by_step() {
    let config = yaml(
        "backends:\n- dialect: mms\n  endpoints: [http://127.0.0.1:1]\n  names:\n    lowercase: true\n    \
         strip_suffix: [.tar.gz]\n    map: [{from: 'ranking-*-v?', to: ranking}]",
    );
    let header = "X-Amzn-SageMaker-Target-Model: Ranking-EU-v7.tar.gz";
    let asked = Asked::new(Some("POST"), "/models/9f86/invoke", &[header], "").unwrap();
    let told = told_by(config, &asked);
    let steps: Vec<_> = told.renamed.iter().map(|step| (step.by.as_str(), step.to.as_str())).collect();
    assert_eq!(
        steps,
        [
            ("lowercase", "ranking-eu-v7.tar.gz"),
            ("strip_suffix \".tar.gz\"", "ranking-eu-v7"),
            ("map[0] \"ranking-*-v?\"", "ranking")
        ]
    );
    assert_eq!(model(&told).0, "ranking");
    assert_eq!(told.resident.as_ref().unwrap().name, "9f86");
    assert_eq!(told.counted_under.once_answered.as_deref(), Some("ranking"));
    let text = told.to_string();
    assert!(text.contains("renamed      to ranking-eu-v7  (by names, strip_suffix"), "{text}");
}

#[test]
fn a_rule_that_takes_other_methods_says_which() {
    let told = told("triton", "DELETE", "/v2/models/resnet/infer", &[], "");
    let infer = rule(&told, "/v2/models/{model}[/versions/{version}]/infer");
    assert_eq!((infer.fit, infer.why.as_str()), ("method", "takes POST"));
}

#[test]
fn openais_model_is_in_the_body_and_a_second_one_is_noticed() {
    let body = "{\"messages\":[],\"model\":\"phi\",\"model\":\"phi-4\"}";
    let told = told("openai", "POST", "/v1/chat/completions", &["content-type: application/json"], body);
    assert_eq!(model(&told), ("phi-4", "body key model"));
    let read = told.body.as_ref().unwrap();
    assert_eq!((read.bytes_read_ahead, read.is_enough), (body.len(), true));
    assert_eq!(read.flags, ["duplicate_key"]);
}

#[test]
fn a_name_behind_what_is_read_ahead_is_not_found() {
    let config = yaml(
        "version: 1\nidentify: {peek_bytes_max: 8B}\nbackends:\n- dialect: openai\n  endpoints: [http://127.0.0.1:1]\n",
    );
    let body = "{\"prompt\":\"\",\"model\":\"m\"}";
    let told = told_by(config, &Asked::new::<&str>(None, "/v1/completions", &[], body).unwrap());
    let read = told.body.as_ref().unwrap();
    assert!(told.model.is_none() && !read.is_enough && read.bytes_read_ahead == 8, "{read:?}");
    assert_eq!(told.counted_under.model, "__none__");
}

#[test]
fn sagemakers_model_is_the_first_of_its_places_that_has_one() {
    let path = "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/e/invocations";
    let with = told("sagemaker", "POST", path, &["x-amzn-sagemaker-target-model: a.tar.gz"], "{}");
    assert_eq!(model(&with), ("a.tar.gz", "header X-Amzn-SageMaker-Target-Model"));
    assert_eq!(with.request.host.as_deref(), Some("runtime.sagemaker.eu-central-1.amazonaws.com"));
    assert!(with.starts.statuses.iter().any(|rule| rule.starts_with("429 with header x-amzn-errortype")));
    let without = told("sagemaker", "POST", path, &[], "{}");
    assert_eq!(model(&without), ("e", "path {endpoint}"));
    let places: Vec<_> = without.looked_in.iter().map(|place| place.value.as_deref()).collect();
    assert_eq!(places, [None, None, Some("e"), None]);
}

#[test]
fn a_request_that_no_rule_fits_is_an_answer_too() {
    let told = told("triton", "GET", "/nowhere", &[], "");
    assert!(told.model.is_none() && told.looked_in.is_empty());
    assert!(told.rules.iter().all(|rule| rule.fit == "path"));
    assert_eq!(told.counted_under.model, "__none__");
    assert!(told.to_string().contains("none fits"), "{told}");
}

#[test]
fn loads_are_counted_as_control_and_are_no_start() {
    let told = told("triton", "POST", "/v2/repository/models/resnet/load", &[], "");
    assert_eq!((told.action, told.counted_under.model.as_str()), (Action::Load, "__control__"));
    assert!(!told.starts.is_start);
}

const ROUTED: &str = "version: 1
routes:
- {host: a.example, backend: a}
- {header: {name: x-tenant, equals: gold}, backend: b}
- {path_prefix: /v2, backend: b}
- {path_prefix: /, backend: a}
backends:
- {name: a, dialect: triton, endpoints: [http://127.0.0.1:1]}
- name: b
  dialect: triton
  endpoints: [http://127.0.0.1:2]
  management: http://127.0.0.1:3
  models: [resnet]
  requests:
  - {path: '/v2/models/{model}/infer', when: [{header: x-team, present: true}], model: [{header: x-team}]}
";

#[test]
fn routes_and_own_rules_say_how_they_stand() {
    let asked = Asked::new::<&str>(Some("POST"), "http://b.example:9900/v2/models/resnet/infer", &[], "");
    let told = told_by(yaml(ROUTED), &asked.unwrap());
    let fits: Vec<_> = told.routes.iter().map(|route| route.fit).collect();
    assert_eq!(fits, ["host", "header", "chosen", "later"]);
    assert_eq!((told.backend.name.as_str(), told.backend.why.as_str()), ("b", "routes[2] leads to it"));
    let own = told.rules.first().unwrap();
    assert_eq!((own.of, own.fit, own.why.as_str()), (Stands::Backend, "condition", "wants header x-team"));
    assert_eq!(told.counted_under.model, "resnet");
    assert_eq!(told.counted_under.once_answered, None);
    let team = Asked::new(Some("POST"), "/v2/models/resnet/infer", &["X-Team: t"], "");
    let told = told_by(yaml(ROUTED), &team.unwrap());
    assert_eq!(model(&told), ("t", "header x-team"));
    assert_eq!(rule(&told, "/v2/models/{model}[/versions/{version}]/infer").fit, "later");
}

#[test]
fn what_a_request_brings_is_escaped_in_the_text() {
    let told = told("openai", "POST", "/v1/completions", &[], "{\"model\":\"a\\u001b[2Jb\"}");
    assert_eq!(model(&told).0, "a\u{1b}[2Jb");
    assert!(!told.to_string().contains('\u{1b}'));
}

#[test]
fn what_is_no_request_is_refused_by_name() {
    let refused = |method, target, headers: &[&str]| {
        Asked::new(Some(method), target, headers, "").unwrap_err().to_string()
    };
    assert!(refused("GE T", "/", &[]).contains("method"));
    for target in ["", "http://", "/a b", "http:///x"] {
        assert!(refused("GET", target, &[]).contains("URL"), "{target}");
    }
    for line in ["x-model", ": a", "x y: a", "x: a\nb"] {
        assert!(refused("GET", "/", &[line]).contains("header"), "{line}");
    }
    assert!(refused("GET", "/", &vec!["x: y"; HEADERS_OVER]).contains("at most"));
    let bare = Asked::new::<&str>(None, "localhost:9900/v2#top", &[], "").unwrap();
    assert_eq!((bare.told().path.as_str(), bare.told().host.as_deref()), ("/v2", Some("localhost:9900")));
    assert_eq!(bare.told().method, "GET");
}

const HEADERS_OVER: usize = 257;
