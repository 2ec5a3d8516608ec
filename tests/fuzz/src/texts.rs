//! Texts of the operator: path templates and the configuration.

use std::sync::LazyLock;

use http::{Method, Uri};
use weir_config::{Config, RequestRule, Segment, Template};
use weir_gateway::identify::Matcher;
use weir_gateway::message::HeaderMap;

/// Made once: to read all dialects takes longer than to match.
static GENERIC: LazyLock<Config> =
    LazyLock::new(|| Config::from_flags(&["generic=http://127.0.0.1:1".parse().unwrap()]).unwrap());

/// The last line is a path, those before it are templates: the tree finds the template that a plain search finds.
pub(crate) fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((templates, path)) = text.rsplit_once('\n') else { return };
    let valid = |text: &&str| text.len() <= 256 && Template::parse(text).is_ok();
    let templates: Vec<_> = templates.lines().filter(valid).take(8).collect();
    let Ok(uri) = path.parse::<Uri>() else { return };
    if !path.starts_with('/') || path.len() > 512 || uri.path() != path {
        return;
    }
    let rules: Vec<_> = templates
        .iter()
        .map(|path| RequestRule { path: (*path).to_owned(), ..RequestRule::default() })
        .collect();
    let matcher = Matcher::new(GENERIC.dialect("generic").unwrap(), &rules).unwrap();
    let headers = HeaderMap::new();
    let found = matcher.find(&Method::POST, &uri, &headers).map(|found| found.template());
    let expected = templates.iter().find(|text| fits(&Template::parse(text).unwrap(), path));
    match expected {
        Some(template) => assert_eq!(found, Some(*template), "{path}"),
        None => assert!(found.is_none_or(|found| !templates.contains(&found)), "{path} {found:?}"),
    }
}

/// Whether the template is the whole path, tried by every choice of its optional parts.
fn fits(template: &Template, path: &str) -> bool {
    let optional = template.parts.iter().filter(|part| part.optional).count();
    (0..1_u32 << optional).any(|choice| {
        let mut number = 0;
        let here = template.parts.iter().filter(|part| {
            number += u32::from(part.optional);
            !part.optional || choice >> (number - 1) & 1 == 1
        });
        let segments: Vec<_> = here.flat_map(|part| &part.segments).collect();
        is_path(&segments, path)
    })
}

fn is_path(segments: &[&Segment], path: &str) -> bool {
    let Some((segment, others)) = segments.split_first() else { return matches!(path, "" | "/") };
    let Some(tail) = path.strip_prefix('/') else { return false };
    let (here, rest) = tail.split_at(tail.find('/').unwrap_or(tail.len()));
    match segment {
        Segment::Rest { .. } => true,
        Segment::Literal(text) => here == text && is_path(others, rest),
        Segment::Capture { before, after, .. } => {
            let inner = here.strip_prefix(&**before).and_then(|text| text.strip_suffix(&**after));
            inner.is_some_and(|inner| !inner.is_empty()) && is_path(others, rest)
        }
    }
}

/// No text is too odd to be answered; and a configuration that is shown reads back as itself.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let env = |name: &str| (name.len() < 4).then(|| "value".to_owned());
    match weir_config::parse(text, "fuzz.yaml", &env) {
        Ok(config) => {
            let shown = weir_config::show(&config);
            let again = weir_config::parse(&shown, "shown.yaml", &|_| None);
            assert_eq!(again.map_err(|report| report.render(false)), Ok(config), "{shown}");
        }
        Err(report) => {
            assert!(!report.problems().is_empty());
            assert!(!report.render(false).is_empty() && !report.render(true).is_empty());
        }
    }
}
