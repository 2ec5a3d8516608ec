//! One header rule and one status rule, compiled.

use std::time::Duration;

use http::StatusCode;
use http::header::HeaderName;
use regex::bytes::{Regex, RegexBuilder};
use weir_config::{Absent, HeaderTest, Otherwise, StatusOutcome};
use weir_telemetry::{Outcome, Start};

use super::{number, server_timing};
use crate::message::HeaderMap;

/// Compiled size of one regular expression in bytes, as `weir_config` checks it.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Nanoseconds in a millisecond, the unit of `Server-Timing`.
const MILLISECOND: f64 = 1e6;

/// Why a rule that the configuration's checks let through does not compile.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No header's name.
    #[error("`{0}` is no header name")]
    Header(String),
    /// Not exactly one place, or not exactly one test.
    #[error("a header rule needs one of `header` and `server_timing`, and one test")]
    Rule,
    /// Not exactly one test.
    #[error("a status rule's header needs one of `matches` and `present`")]
    HeaderTest,
    /// A regular expression.
    #[error("a regular expression does not compile")]
    Regex(#[from] regex::Error),
}

/// A header rule made ready.
#[derive(Debug)]
pub(super) struct HeaderRule {
    place: Place,
    test: Test,
    otherwise: Option<Start>,
    absent: Option<Start>,
    /// Nanoseconds in a unit, if the number is the load time.
    load_unit: Option<f64>,
}

/// What one header rule says.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) start: Option<Start>,
    pub(super) load: Option<Duration>,
}

#[derive(Debug)]
enum Place {
    Header(HeaderName),
    ServerTiming(Box<str>),
}

#[derive(Debug)]
enum Test {
    Equals(Box<str>),
    Present(bool),
    Matches(Regex),
    /// Above this number of the header's own units.
    Above(f64),
}

/// What stands there.
enum Value<'v> {
    Absent,
    /// An entry of `Server-Timing` without a duration.
    Bare,
    Text(&'v [u8]),
}

impl HeaderRule {
    pub(super) fn new(rule: &weir_config::HeaderRule) -> Result<Self, StartError> {
        let (place, unit) = match (&rule.header, &rule.server_timing) {
            #[expect(clippy::cast_precision_loss, reason = "a power of ten up to 1e9 is exact")]
            (Some(name), None) => (Place::Header(header_name(name)?), rule.unit.nanos() as f64),
            (None, Some(name)) => (Place::ServerTiming(name.as_str().into()), MILLISECOND),
            _ => return Err(StartError::Rule),
        };
        let test = match (&rule.equals, rule.present, &rule.matches, rule.above) {
            (Some(text), None, None, None) => Test::Equals(text.as_str().into()),
            (None, Some(there), None, None) => Test::Present(there),
            (None, None, Some(pattern), None) => Test::Matches(regex(pattern)?),
            (None, None, None, Some(bound)) => Test::Above(bound),
            _ => return Err(StartError::Rule),
        };
        let otherwise = match rule.otherwise {
            Otherwise::Hot => Some(Start::Hot),
            Otherwise::Unknown => None,
        };
        let absent = match rule.absent {
            Absent::Hot => Some(Start::Hot),
            Absent::Unknown => None,
        };
        Ok(Self { place, test, otherwise, absent, load_unit: rule.load_time.then_some(unit) })
    }

    /// What the rule says about these headers. The first value of a repeated header counts.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Told {
        let value = self.place.value(headers);
        let start = match (&self.test, &value) {
            (Test::Present(false), Value::Absent) => Some(Start::Cold),
            (Test::Present(false), _) => self.otherwise,
            (_, Value::Absent) => self.absent,
            (Test::Present(true), _) => Some(Start::Cold),
            // Nothing to compare.
            (_, Value::Bare) => None,
            (Test::Equals(text), Value::Text(value)) => {
                self.passed(value.trim_ascii().eq_ignore_ascii_case(text.as_bytes()))
            }
            (Test::Matches(regex), Value::Text(value)) => self.passed(regex.is_match(value)),
            // What should be a number and is none says nothing.
            (Test::Above(bound), Value::Text(value)) => {
                number::parse(value).and_then(|number| self.passed(number > *bound))
            }
        };
        let load = self.load_unit.filter(|_| start == Some(Start::Cold)).and_then(|unit| match value {
            Value::Text(value) => number::duration(number::parse(value)?, unit),
            Value::Absent | Value::Bare => None,
        });
        Told { start, load }
    }

    fn passed(&self, passed: bool) -> Option<Start> {
        if passed { Some(Start::Cold) } else { self.otherwise }
    }
}

impl Place {
    fn value<'v>(&self, headers: &'v HeaderMap) -> Value<'v> {
        match self {
            Self::Header(name) => {
                headers.get(name).map_or(Value::Absent, |value| Value::Text(value.as_bytes()))
            }
            Self::ServerTiming(name) => match server_timing::entry(headers, name) {
                None => Value::Absent,
                Some(entry) => entry.dur.map_or(Value::Bare, Value::Text),
            },
        }
    }
}

/// A status rule made ready.
#[derive(Debug)]
pub(super) struct StatusRule {
    code: u16,
    header: Option<(HeaderName, Sign)>,
    pub(super) outcome: Outcome,
    pub(super) loading: bool,
}

/// The test of a status rule's header.
#[derive(Debug)]
enum Sign {
    Present(bool),
    Matches(Regex),
}

impl StatusRule {
    pub(super) fn new(rule: &weir_config::StatusRule) -> Result<Self, StartError> {
        let outcome = match rule.outcome {
            StatusOutcome::NotReady => Outcome::NotReady,
            StatusOutcome::Shed => Outcome::Shed,
            StatusOutcome::ServerError => Outcome::ServerError,
            StatusOutcome::ClientError => Outcome::ClientError,
        };
        let header = rule.header.as_ref().map(sign).transpose()?;
        Ok(Self { code: rule.code, header, outcome, loading: rule.loading })
    }

    pub(super) fn fits(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        self.code == status.as_u16()
            && self.header.as_ref().is_none_or(|(name, sign)| {
                let value = headers.get(name);
                match sign {
                    Sign::Present(there) => value.is_some() == *there,
                    Sign::Matches(regex) => value.is_some_and(|value| regex.is_match(value.as_bytes())),
                }
            })
    }
}

fn sign(test: &HeaderTest) -> Result<(HeaderName, Sign), StartError> {
    let sign = match (&test.matches, test.present) {
        (Some(pattern), None) => Sign::Matches(regex(pattern)?),
        (None, Some(there)) => Sign::Present(there),
        _ => return Err(StartError::HeaderTest),
    };
    Ok((header_name(&test.name)?, sign))
}

fn header_name(name: &str) -> Result<HeaderName, StartError> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| StartError::Header(name.to_owned()))
}

fn regex(pattern: &str) -> Result<Regex, StartError> {
    Ok(RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build()?)
}
