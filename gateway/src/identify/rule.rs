//! One request rule, compiled: which requests it fits besides its path, and where the ids stand.

use http::Method;
use weir_config::{Action, Plane, RequestRule, Source, Template, When};

use super::source::{Spot, header_name};
use super::{RuleError, decode, query};
use crate::message::HeaderMap;

/// A rule made ready.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) template: String,
    pub(super) action: Action,
    pub(super) plane: Plane,
    pub(super) timeout: Option<std::time::Duration>,
    methods: Vec<Method>,
    conditions: Vec<Condition>,
    /// Where the name stands, in order.
    pub(super) model: Vec<Spot>,
    /// Where the id stands by which the server loads it; empty if that is the name.
    pub(super) resident: Vec<Spot>,
    pub(super) version: Vec<Spot>,
    /// Keys of a body that any of them names.
    pub(super) keys: Vec<Box<str>>,
    /// Whether the keys are numbers of fields of a gRPC message.
    pub(super) protobuf: bool,
}

#[derive(Debug)]
enum Condition {
    Query(Box<str>, Test),
    Header(http::header::HeaderName, Test),
}

#[derive(Debug)]
enum Test {
    Equals(Box<str>),
    Present(bool),
}

/// Why a rule does not fit a request whose path it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// It takes other methods.
    Method,
    /// This one of its conditions does not hold, counted from 0.
    Condition(usize),
}

impl Rule {
    /// Compiles a rule whose template has been read.
    pub(super) fn new(rule: &RequestRule, template: &Template) -> Result<Self, RuleError> {
        let methods = rule
            .methods
            .iter()
            .map(|name| Method::from_bytes(name.as_bytes()).map_err(|_| RuleError::Method(name.clone())));
        let mut keys = Vec::new();
        let mut spots = |sources: &[Source]| {
            sources.iter().map(|source| Spot::new(source, template, &mut keys)).collect::<Result<Vec<_>, _>>()
        };
        let (mut model, resident, mut version) =
            (spots(&rule.model)?, spots(&rule.resident)?, spots(&rule.version)?);
        if model.is_empty() {
            model.extend(Spot::capture(template, "model"));
        }
        if version.is_empty() {
            version.extend(Spot::capture(template, "version"));
        }
        let sources = || rule.model.iter().chain(&rule.resident).chain(&rule.version);
        let protobuf = sources().any(|source| source.protobuf.is_some());
        if protobuf && sources().any(|source| source.json.is_some()) {
            return Err(RuleError::Source);
        }
        Ok(Self {
            template: rule.path.clone(),
            action: rule.action,
            plane: rule.plane,
            timeout: rule.timeout,
            methods: methods.collect::<Result<_, _>>()?,
            conditions: rule.when.iter().map(condition).collect::<Result<_, _>>()?,
            model,
            resident,
            version,
            keys,
            protobuf,
        })
    }

    /// What of method, query and headers is not as the rule wants it; nothing if the request fits.
    pub(super) fn misfit(&self, method: &Method, query: Option<&str>, headers: &HeaderMap) -> Option<Misfit> {
        if !self.methods.is_empty() && !self.methods.contains(method) {
            return Some(Misfit::Method);
        }
        self.conditions.iter().position(|condition| !condition.holds(query, headers)).map(Misfit::Condition)
    }
}

impl Condition {
    fn holds(&self, query: Option<&str>, headers: &HeaderMap) -> bool {
        match self {
            Self::Query(name, test) => {
                let value = query.and_then(|query| query::find(query, name));
                match test {
                    Test::Present(there) => value.is_some() == *there,
                    Test::Equals(text) => value.is_some_and(|raw| decode::query_is(raw.as_bytes(), text)),
                }
            }
            Self::Header(name, test) => {
                let value = headers.get(name);
                match test {
                    Test::Present(there) => value.is_some() == *there,
                    Test::Equals(text) => {
                        value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(text.as_bytes()))
                    }
                }
            }
        }
    }
}

fn condition(when: &When) -> Result<Condition, RuleError> {
    let test = match (&when.equals, when.present) {
        (Some(text), None) => Test::Equals(text.as_str().into()),
        (None, Some(there)) => Test::Present(there),
        _ => return Err(RuleError::Condition),
    };
    match (&when.query, &when.header) {
        (Some(name), None) => Ok(Condition::Query(name.as_str().into(), test)),
        (None, Some(name)) => Ok(Condition::Header(header_name(name)?, test)),
        _ => Err(RuleError::Condition),
    }
}
