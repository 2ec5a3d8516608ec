//! The embedded dialects are valid, known by their names and aliases, and extend what they say.

use super::*;
use crate::dialect::Action::{self, Control, Infer, Load, Unload};
use crate::dialect::Plane::{self, Inference, Management};
use crate::starts::StatusOutcome;
use crate::template::{Segment, Template};

#[test]
fn every_embedded_file_reads_without_a_problem_and_is_called_like_its_file() {
    for (name, yaml) in embedded_dialects() {
        let dialect = read::dialect(yaml, name).unwrap();
        assert_eq!(dialect.name, name);
        assert!(!dialect.about.is_empty(), "{name} says what it is about");
        assert!(dialect.extends.is_none_or(|base| find(&base).is_some()), "{name} extends one that exists");
    }
}

#[test]
fn names_and_aliases_find_their_dialect_and_no_two_share_one() {
    for (word, name) in [
        ("mms", "mms"),
        ("sagemaker", "sagemaker"),
        ("torchserve", "torchserve"),
        ("triton", "triton"),
        ("kserve-v2", "triton"),
        ("kserve-v1", "kserve-v1"),
        ("tfserving", "kserve-v1"),
        ("openai", "openai"),
        ("ollama", "ollama"),
        ("azure-openai", "openai"),
        ("tgi", "tgi"),
        ("tei", "tei"),
        ("anthropic", "anthropic"),
        ("bedrock", "bedrock"),
        ("gemini", "vertex"),
        ("ray-serve", "ray"),
        ("bentoml", "bentoml"),
        ("seldon-core", "seldon"),
        ("generic", "generic"),
        ("conventions", "conventions"),
    ] {
        assert_eq!(find(word).map(|d| d.name.as_str()), Some(name), "{word}");
    }
    assert!(find("ollama2").is_none() && embedded_dialect("ollama2").is_none());
    assert_eq!(embedded_dialect("tfserving"), embedded_dialect("kserve-v1"));
    assert!(embedded_dialect("tfserving").is_some_and(|yaml| yaml.contains("name: kserve-v1")));
    let words = known(&[]);
    let unique: std::collections::HashSet<_> = words.iter().collect();
    assert_eq!(unique.len(), words.len());
}

#[test]
fn every_dialect_understands_the_conventional_cold_headers_and_statuses() {
    for (name, _) in embedded_dialects() {
        let starts = &find(name).unwrap().starts;
        let headers: Vec<_> = starts
            .headers
            .iter()
            .filter_map(|rule| rule.header.as_deref().or(rule.server_timing.as_deref()))
            .collect();
        assert_eq!(headers, ["X-Model-Cold", "X-Model-Load-Ms", "load"], "{name}");
        for code in [429, 507] {
            let rule = starts.statuses.iter().find(|rule| rule.code == code).unwrap();
            assert_eq!(rule.outcome, StatusOutcome::NotReady, "{name} {code}");
        }
    }
}

#[test]
fn a_503_alone_is_never_a_sign_of_a_cold_model() {
    for (name, _) in embedded_dialects() {
        let rules = find(name).unwrap().starts.statuses.iter().filter(|rule| rule.code == 503);
        let tested: Vec<bool> = rules.map(|rule| rule.header.is_some()).collect();
        let with_retry_after = ["openai", "ollama", "tgi", "tei", "ray", "bentoml"].contains(&name);
        assert_eq!(tested, if with_retry_after { vec![true] } else { vec![] }, "{name}");
    }
}

#[test]
fn loads_are_followed_where_they_all_pass_through() {
    let followed: Vec<_> = embedded_dialects()
        .map(|(name, _)| name)
        .filter(|name| find(name).unwrap().starts.lifecycle)
        .collect();
    assert_eq!(followed, ["mms", "torchserve", "triton", "kserve-v1"]);
    for name in followed {
        let has = |action| find(name).unwrap().requests.iter().any(|rule| rule.action == action);
        assert!(has(Load) && has(Unload) && has(Infer) && has(Control), "{name}");
    }
}

/// What a request is, by the first rule whose template, method and conditions fit: a plain matcher, to read the files by.
fn first_rule(dialect: &str, method: &str, target: &str) -> Option<(Action, Plane, String)> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    let rules = find(dialect)?.requests.iter();
    let fits = |rule: &&crate::dialect::RequestRule| {
        let methods = rule.methods.is_empty() || rule.methods.iter().any(|m| m == method);
        let when = rule.when.iter().all(|when| {
            let name = when.query.as_deref().unwrap();
            let value = query.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            when.equals.as_deref().is_none_or(|equals| value == Some(equals))
                && when.present.is_none_or(|present| present == value.is_some())
        });
        methods && when && captures(&rule.path, path).is_some()
    };
    let rule = rules.clone().find(fits)?;
    let captured = captures(&rule.path, path)?;
    let value = |source: &crate::dialect::Source| {
        if let Some(name) = &source.path {
            return captured.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        }
        let name = source.query.as_deref()?;
        let found = query.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())?;
        let found = if source.basename { found.rsplit('/').next()?.to_owned() } else { found };
        Some(found.strip_suffix(source.strip_suffix.as_deref().unwrap_or("")).unwrap_or(&found).to_owned())
    };
    let named = |sources: &[crate::dialect::Source]| sources.iter().find_map(value).unwrap_or_default();
    let (model, version) = (named(&rule.model), named(&rule.version));
    Some((rule.action, rule.plane, if version.is_empty() { model } else { format!("{model}@{version}") }))
}

/// Captures of a path, trying every choice of optional parts.
fn captures(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let template = Template::parse(template).unwrap();
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let optional = template.parts.iter().filter(|part| part.optional).count();
    (0..1_u32 << optional).rev().find_map(|choice| {
        let mut bit = 0;
        let mut segments = Vec::new();
        for part in &template.parts {
            let keep = !part.optional || choice >> bit & 1 == 1;
            bit += u32::from(part.optional);
            segments.extend(part.segments.iter().filter(|_| keep));
        }
        segments_match(&segments, &path)
    })
}

fn segments_match(segments: &[&Segment], path: &[&str]) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (i, segment) in segments.iter().enumerate() {
        match segment {
            Segment::Literal(text) if path.get(i) == Some(&text.as_str()) => {}
            Segment::Capture { before, name, after } => {
                let value = path.get(i)?.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
                found.push((name.clone(), Some(value).filter(|value| !value.is_empty())?.to_owned()));
            }
            Segment::Rest { name } if i < path.len() => {
                found.push((name.clone(), path[i..].join("/")));
                return Some(found);
            }
            _ => return None,
        }
    }
    let root = segments.is_empty() && path == [""];
    if segments.len() == path.len() || root { Some(found) } else { None }
}

/// Dialect, method, target; what it does, where it goes, and `model@version` as far as path and query tell.
#[rustfmt::skip]
const REQUESTS: &[(&str, &str, &str, Action, Plane, &str)] = &[
    ("mms", "POST", "/models/9f86d081/invoke", Infer, Inference, "9f86d081"),
    ("mms", "POST", "/models", Load, Management, ""),
    ("mms", "POST", "/models?url=a.mar&model_name=a&initial_workers=1", Load, Management, "a"),
    ("mms", "POST", "/models?url=a.mar&model_name=a", Control, Management, ""),
    ("mms", "POST", "/models?url=a.mar&initial_workers=0", Control, Management, ""),
    ("mms", "DELETE", "/models/9f86d081", Unload, Management, "9f86d081"),
    ("mms", "PUT", "/models/a?min_worker=0", Unload, Management, "a"),
    ("mms", "PUT", "/models/a?min_worker=2", Load, Management, "a"),
    ("mms", "GET", "/models", Control, Management, ""),
    ("mms", "GET", "/models/a", Control, Management, "a"),
    ("mms", "GET", "/ping", Control, Inference, ""),
    ("mms", "POST", "/invocations", Infer, Inference, ""),
    ("mms", "POST", "/predictions/a", Infer, Inference, "a"),
    ("sagemaker", "POST", "/endpoints/mme/invocations", Infer, Inference, "mme"),
    ("sagemaker", "POST", "/endpoints/mme/invocations-response-stream", Infer, Inference, "mme"),
    ("sagemaker", "POST", "/endpoints/mme/async-invocations", Infer, Inference, "mme"),
    ("torchserve", "POST", "/predictions/resnet", Infer, Inference, "resnet"),
    ("torchserve", "DELETE", "/predictions/resnet", Infer, Inference, "resnet"),
    ("torchserve", "POST", "/predictions/resnet/1.0", Infer, Inference, "resnet@1.0"),
    ("torchserve", "POST", "/predictions/resnet/1.0/a/b", Infer, Inference, "resnet@1.0"),
    ("torchserve", "POST", "/explanations/resnet", Infer, Inference, "resnet"),
    ("torchserve", "OPTIONS", "/predictions/resnet", Control, Inference, ""),
    ("torchserve", "OPTIONS", "/", Control, Inference, ""),
    ("torchserve", "POST", "/models/resnet/invoke", Infer, Inference, "resnet"),
    ("torchserve", "POST", "/invocations?model_name=resnet", Infer, Inference, "resnet"),
    ("torchserve", "POST", "/resnet/predict", Infer, Inference, "resnet"),
    ("torchserve", "POST", "/resnet/2/predict", Infer, Inference, "resnet@2"),
    ("torchserve", "POST", "/v1/models/resnet:predict", Infer, Inference, "resnet"),
    ("torchserve", "POST", "/v1/models/resnet:explain", Infer, Inference, "resnet"),
    ("torchserve", "POST", "/v2/models/resnet/infer", Infer, Inference, "resnet"),
    ("torchserve", "POST", "/v2/models/resnet/explain", Infer, Inference, "resnet"),
    ("torchserve", "GET", "/v2/models/resnet/ready", Control, Inference, "resnet"),
    ("torchserve", "GET", "/ping", Control, Inference, ""),
    (
        "torchserve",
        "POST",
        "/models?url=https://x/y/gamma.mar&initial_workers=1",
        Load,
        Management,
        "gamma",
    ),
    (
        "torchserve",
        "POST",
        "/models?url=g.mar&model_name=gamma&initial_workers=1",
        Load,
        Management,
        "gamma",
    ),
    (
        "torchserve",
        "POST",
        "/models?url=g.mar&model_name=gamma&initial_workers=0",
        Control,
        Management,
        "",
    ),
    ("torchserve", "POST", "/models?url=g.mar", Control, Management, ""),
    ("torchserve", "POST", "/models", Load, Management, ""),
    ("torchserve", "PUT", "/models/gamma?min_worker=1&synchronous=true", Load, Management, "gamma"),
    ("torchserve", "PUT", "/models/gamma/2.0?min_worker=1", Load, Management, "gamma@2.0"),
    ("torchserve", "PUT", "/models/gamma?min_worker=0&max_worker=0", Unload, Management, "gamma"),
    ("torchserve", "PUT", "/models/gamma/1.0/set-default", Control, Management, "gamma@1.0"),
    ("torchserve", "DELETE", "/models/gamma", Unload, Management, "gamma"),
    ("torchserve", "DELETE", "/models/gamma/1.0", Control, Management, "gamma@1.0"),
    ("torchserve", "GET", "/models?limit=1", Control, Management, ""),
    ("torchserve", "GET", "/models/gamma/all", Control, Management, "gamma@all"),
    ("kserve-v2", "POST", "/v2/models/gamma/infer", Infer, Inference, "gamma"),
    ("triton", "POST", "/v2/models/gamma/versions/1/infer", Infer, Inference, "gamma@1"),
    ("triton", "POST", "/v2/models/gamma/generate", Infer, Inference, "gamma"),
    ("triton", "POST", "/v2/models/gamma/versions/3/generate_stream", Infer, Inference, "gamma@3"),
    ("triton", "POST", "/v2/repository/models/gamma/load", Load, Inference, "gamma"),
    ("triton", "POST", "/v2/repository/r/models/gamma/unload", Unload, Inference, "gamma"),
    ("triton", "POST", "/v2/repository/index", Control, Inference, ""),
    ("triton", "GET", "/v2/models/stats", Control, Inference, ""),
    ("triton", "GET", "/v2/models/gamma/versions/1/stats", Control, Inference, "gamma@1"),
    ("triton", "GET", "/v2/models/gamma/ready", Control, Inference, "gamma"),
    ("triton", "GET", "/v2/health/ready", Control, Inference, ""),
    ("triton", "GET", "/v2", Control, Inference, ""),
    ("triton", "POST", "/v2/models/gamma/trace/setting", Control, Inference, "gamma"),
    ("kserve-v1", "POST", "/v1/models/iris:predict", Infer, Inference, "iris"),
    ("kserve-v1", "POST", "/v1/models/iris:explain", Infer, Inference, "iris"),
    (
        "tfserving",
        "POST",
        "/v1/models/half_plus_two/versions/123:predict",
        Infer,
        Inference,
        "half_plus_two@123",
    ),
    (
        "tfserving",
        "POST",
        "/v1/models/half_plus_two/labels/stable:classify",
        Infer,
        Inference,
        "half_plus_two@stable",
    ),
    ("tfserving", "POST", "/v1/models/half_plus_two:regress", Infer, Inference, "half_plus_two"),
    ("tfserving", "GET", "/v1/models/half_plus_two/metadata", Control, Inference, "half_plus_two"),
    (
        "tfserving",
        "GET",
        "/v1/models/half_plus_two/versions/1/metadata",
        Control,
        Inference,
        "half_plus_two@1",
    ),
    ("kserve-v1", "GET", "/v1/models", Control, Inference, ""),
    ("openai", "POST", "/v1/chat/completions", Infer, Inference, ""),
    ("openai", "POST", "/chat/completions", Infer, Inference, ""),
    ("openai", "POST", "/openai/v1/embeddings", Infer, Inference, ""),
    ("openai", "GET", "/v1/chat/completions?model=x", Control, Inference, ""),
    ("openai", "GET", "/v1/realtime?model=gpt-r", Infer, Inference, "gpt-r"),
    ("openai", "GET", "/v1/models/org/name", Control, Inference, ""),
    ("openai", "GET", "/v1/models", Control, Inference, ""),
    ("openai", "POST", "/openai/deployments/gpt/chat/completions?api-version=2", Infer, Inference, "gpt"),
    ("openai", "POST", "/models/load", Load, Inference, ""),
    ("openai", "POST", "/v1/responses", Infer, Inference, ""),
    ("openai", "GET", "/v1/responses/r_1", Control, Inference, ""),
    ("generic", "POST", "/anything/at/all?model=m", Infer, Inference, "m"),
    ("generic", "POST", "/?model=m", Infer, Inference, "m"),
    ("generic", "GET", "/healthz", Control, Inference, ""),
];

#[test]
fn requests_of_every_server_are_what_they_should_be() {
    for &(dialect, method, target, action, plane, model) in REQUESTS {
        let expected = Some((action, plane, model.to_owned()));
        assert_eq!(first_rule(dialect, method, target), expected, "{dialect}: {method} {target}");
    }
    for (dialect, method, target) in [
        ("sagemaker", "GET", "/endpoints/mme/invocations"),
        ("triton", "GET", "/v2/models/gamma/infer"),
        ("kserve-v1", "POST", "/v1/models/iris:delete"),
        ("mms", "PATCH", "/models/a"),
    ] {
        assert_eq!(first_rule(dialect, method, target), None, "{dialect}: {method} {target}");
    }
}
