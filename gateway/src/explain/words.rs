//! Rules in words, as the configuration has them: routes, request rules, places, start rules.

use weir_config::{
    Absent, HeaderRule, HeaderTest, Inferred, Otherwise, RequestRule, Route, Source, StatusOutcome,
    StatusRule, Template, TimeUnit, When, duration_text,
};

use super::{RouteTried, RuleTried, Stands};
use crate::identify::{Fit, Misfit};
use crate::live::{RouteMisfit, Why};

/// The places of a rule, with those that stand for none.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) model: Vec<Source>,
    pub(super) resident: Vec<Source>,
    pub(super) version: Vec<Source>,
}

pub(super) fn sources(rule: &RequestRule) -> Sources {
    let template = Template::parse(&rule.path).ok();
    let or_capture = |sources: &[Source], name: &str| {
        let is_there = template.as_ref().is_some_and(|template| template.captures().any(|c| c == name));
        match sources.is_empty() && is_there {
            true => vec![Source { path: Some(name.to_owned()), ..Source::default() }],
            false => sources.to_vec(),
        }
    };
    Sources {
        model: or_capture(&rule.model, "model"),
        resident: rule.resident.clone(),
        version: or_capture(&rule.version, "version"),
    }
}

pub(super) fn source(source: &Source) -> String {
    let Source { path, header, query, json, protobuf, strip_prefix, strip_suffix, basename } = source;
    let place = match (path, header, query, json, protobuf) {
        (Some(name), ..) => format!("path {{{name}}}"),
        (_, Some(name), ..) => format!("header {name}"),
        (_, _, Some(name), ..) => format!("query {name}"),
        (_, _, _, Some(name), _) => format!("body key {name}"),
        (.., Some(field)) => format!("field {field} of the gRPC message"),
        _ => String::new(),
    };
    let last = basename.then(|| ", after its last `/`".to_owned());
    let prefix = strip_prefix.as_ref().map(|cut| format!(", without {cut:?} before it"));
    let suffix = strip_suffix.as_ref().map(|cut| format!(", without {cut:?} at its end"));
    [Some(place), last, prefix, suffix].into_iter().flatten().collect()
}

pub(super) fn why(why: Why) -> String {
    match why {
        Why::Route(i) => format!("routes[{i}] leads to it"),
        Why::Only => "no route fits; it is the only backend".to_owned(),
        Why::Known => "no route fits; it is the first backend that has a rule for this request".to_owned(),
        Why::First => "no route fits and no backend has a rule for this request; it is the first".to_owned(),
    }
}

pub(super) fn route(
    number: usize,
    route: &Route,
    misfit: Option<RouteMisfit>,
    is_chosen: bool,
) -> RouteTried {
    let wanted = |text: &Option<String>| text.clone().unwrap_or_default();
    let (fit, why) = match misfit {
        None if is_chosen => ("chosen", "the first that fits".to_owned()),
        None => ("later", "fits too, but comes later".to_owned()),
        Some(RouteMisfit::Host) => ("host", format!("wants host {}", wanted(&route.host))),
        Some(RouteMisfit::PathPrefix) => {
            ("path_prefix", format!("wants a path below {}", wanted(&route.path_prefix)))
        }
        Some(RouteMisfit::Header) => {
            let header = route.header.as_ref();
            let line = header.map(|header| format!("{}: {}", header.name, header.equals));
            ("header", format!("wants header {}", line.unwrap_or_default()))
        }
    };
    RouteTried { route: number, backend: route.backend.clone(), fit, why }
}

pub(super) fn rule(of: Stands, rule: &RequestRule, fit: Fit) -> RuleTried {
    let (fit, why) = match fit {
        Fit::Chosen => ("chosen", "the first that fits".to_owned()),
        Fit::Later => ("later", "fits too, but comes later".to_owned()),
        Fit::Path => ("path", "another path".to_owned()),
        Fit::Misfit(Misfit::Method) => ("method", format!("takes {}", rule.methods.join(", "))),
        Fit::Misfit(Misfit::Condition(i)) => {
            ("condition", rule.when.get(i).map(condition).unwrap_or_default())
        }
    };
    RuleTried { of, path: rule.path.clone(), methods: rule.methods.clone(), action: rule.action, fit, why }
}

fn condition(when: &When) -> String {
    let place = match (&when.query, &when.header) {
        (Some(name), _) => format!("query {name}"),
        (_, Some(name)) => format!("header {name}"),
        _ => String::new(),
    };
    match (&when.equals, when.present) {
        (Some(text), _) => format!("wants {place} to be {text:?}"),
        (None, Some(false)) => format!("wants no {place}"),
        (None, _) => format!("wants {place}"),
    }
}

pub(super) fn header_rule(rule: &HeaderRule) -> String {
    let place = match (&rule.header, &rule.server_timing) {
        (Some(name), _) => format!("header {name}"),
        (_, Some(name)) => format!("Server-Timing {name}"),
        _ => String::new(),
    };
    let unit = match (&rule.server_timing, rule.unit) {
        (Some(_), _) | (_, TimeUnit::Ms) => "ms",
        (_, TimeUnit::Ns) => "ns",
        (_, TimeUnit::Us) => "us",
        (_, TimeUnit::S) => "s",
    };
    let test = match (&rule.equals, rule.present, &rule.matches, rule.above) {
        (Some(text), ..) => format!("is {text:?}"),
        (_, Some(true), ..) => "is there".to_owned(),
        (_, Some(false), ..) => "is not there".to_owned(),
        (_, _, Some(pattern), _) => format!("matches /{pattern}/"),
        (.., Some(bound)) => format!("is above {bound} {unit}"),
        _ => String::new(),
    };
    let otherwise = match (rule.present, rule.otherwise) {
        (Some(true), _) | (_, Otherwise::Unknown) => "",
        (_, Otherwise::Hot) => ", else hot",
    };
    let absent = match (rule.present, rule.absent) {
        (Some(false), _) | (_, Absent::Unknown) => "",
        (_, Absent::Hot) => ", hot if it is absent",
    };
    let load = if rule.load_time { "; the number is the load time" } else { "" };
    format!("{place} {test}: cold{otherwise}{absent}{load}")
}

pub(super) fn status_rule(rule: &StatusRule) -> String {
    let header = rule.header.as_ref().map(header_test).unwrap_or_default();
    let outcome = match rule.outcome {
        StatusOutcome::NotReady => "not_ready",
        StatusOutcome::Shed => "shed",
        StatusOutcome::ServerError => "server_error",
        StatusOutcome::ClientError => "client_error",
    };
    let loading = if rule.loading { ", and the next answer that succeeds is cold" } else { "" };
    format!("{}{header}: {outcome}{loading}", rule.code)
}

pub(super) fn inferred(rules: &Inferred) -> Vec<String> {
    let unload = Some("the first answer after an unload that passed through is cold".to_owned());
    let idle = rules.after_idle.map(|idle| {
        format!("the first answer after {} without one is cold, if it is slow", duration_text(idle))
    });
    let peaks = "where times to the first byte have two peaks, the slow one is cold and the fast one hot";
    [unload, idle, rules.two_peaks.then(|| peaks.to_owned())].into_iter().flatten().collect()
}

fn header_test(test: &HeaderTest) -> String {
    match (&test.matches, test.present) {
        (Some(pattern), _) => format!(" with header {} matching /{pattern}/", test.name),
        (None, Some(false)) => format!(" without header {}", test.name),
        (None, _) => format!(" with header {}", test.name),
    }
}
