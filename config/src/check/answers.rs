//! Whether what is read from answers, and how requests are signed, makes sense.

use std::collections::HashSet;

use super::rules::exactly_one;
use super::{Findings, name};
use crate::backend::Backend;
use crate::sign::{Credentials, Sign};
use crate::usage::{USAGE_DEPTH_MAX, USAGE_WORD_BYTES_MAX, Usage};
use crate::values::{Kept, ValueRule};

pub(super) fn values(values: &[ValueRule], path: &str, findings: &mut Findings) {
    let mut names = HashSet::new();
    for (i, value) in values.iter().enumerate() {
        let path = format!("{path}[{i}]");
        if value.name.is_empty() {
            findings.missing(format!("{path}.name"), "a value needs a `name`", None);
        } else {
            findings.word(format!("{path}.name"), name(&value.name, &()));
            if !names.insert(value.name.as_str()) {
                findings.add(format!("{path}.name"), format!("another value is called `{}` too", value.name));
            }
        }
        let from = &value.from;
        let given = [
            ("header", from.header.is_some()),
            ("server_timing", from.server_timing.is_some()),
            ("trailer", from.trailer.is_some()),
        ];
        exactly_one(&given, &format!("{path}.from"), findings);
        kept(value, &path, findings);
    }
}

fn kept(value: &ValueRule, path: &str, findings: &mut Findings) {
    let unit = value.unit;
    let (message, help) = match value.kept {
        Kept::Histogram if unit.is_moment() => {
            ("a point in time makes no histogram", "keep it `as: staleness`")
        }
        Kept::Histogram if !unit.is_time() => {
            ("a histogram is one of times: `unit` is ns, us, ms or s", "keep it `as: gauge`")
        }
        Kept::Gauge if unit.is_moment() => ("a point in time makes no gauge", "keep it `as: staleness`"),
        Kept::Staleness if !unit.is_time() && !unit.is_moment() => (
            "staleness is an age or comes from a point in time",
            "`unit` is ns, us, ms or s, or unix_s, unix_ms, rfc3339 or http_date",
        ),
        _ => return,
    };
    findings.add_with(format!("{path}.as"), message, Some(help.to_owned()));
}

pub(super) fn usage(usage: &Usage, path: &str, findings: &mut Findings) {
    for (key, places) in usage.lists() {
        for (i, place) in places.iter().enumerate() {
            if let Err(message) = usage_place(place) {
                findings.add(format!("{path}.{key}[{i}]"), message);
            }
        }
    }
}

fn usage_place(place: &str) -> Result<(), String> {
    let (keys, text) = place.split_once('=').map_or((place, None), |(keys, text)| (keys, Some(text)));
    if keys.split('.').count() > USAGE_DEPTH_MAX {
        return Err(format!("a path has at most {USAGE_DEPTH_MAX} keys"));
    }
    let fits = |word: &str| {
        (1..=USAGE_WORD_BYTES_MAX).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
    };
    if keys.split('.').chain(text).all(fits) {
        return Ok(());
    }
    Err(format!(
        "a path is keys with `.` between them and perhaps `=` and a text, each 1 to {USAGE_WORD_BYTES_MAX} characters without \
         spaces, quotes and backslashes"
    ))
}

pub(super) fn sign(sign: &Sign, backend: &Backend, path: &str, findings: &mut Findings) {
    if sign.region.is_empty() {
        findings.missing(format!("{path}.region"), "a signature needs a `region`", None);
    }
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if sign.region.len() > 64 || !sign.region.bytes().all(fits) {
        let help = Some("for example `eu-central-1`".to_owned());
        findings.add_with(
            format!("{path}.region"),
            "a region is 1 to 64 lower-case letters, digits and `-`",
            help,
        );
    }
    if backend.endpoints.len() > 1 {
        let message = "the signature covers the host: a backend that is signed for has exactly one endpoint";
        findings.add(path, message);
    }
    let other = !matches!(sign.credentials, Credentials::Default | Credentials::Profile);
    if sign.profile.is_some() && other {
        findings.add(format!("{path}.profile"), "a profile goes with `credentials: profile` or `default`");
    }
}
