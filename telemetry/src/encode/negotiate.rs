//! Which format a scraper is answered in, and whether it is compressed.

use super::protobuf::{PROTOBUF_CONTENT_TYPE, encode_protobuf, encode_protobuf_of_text};
use super::text::{OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE, encode_openmetrics, encode_text};
use crate::process::Process;
use crate::snapshot::Snapshot;

/// A format of exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
    /// Delimited protobuf, with native histograms and exemplars.
    Protobuf,
}

impl Format {
    /// What the `Accept` header wants most of what there is; text 0.0.4 for anything else. Prometheus gives its order
    /// by `q`.
    #[must_use]
    pub fn of_accept(accept: &str) -> Self {
        let mut best = (0, Self::Text);
        for part in parts(accept) {
            let Some(format) = format_of(&part.name, |name| part.value(name)) else { continue };
            if part.q > best.0 {
                best = (part.q, format);
            }
        }
        best.1
    }

    /// A word for it, as a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::OpenMetrics => "openmetrics",
            Self::Protobuf => "protobuf",
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => TEXT_CONTENT_TYPE,
            Self::OpenMetrics => OPENMETRICS_CONTENT_TYPE,
            Self::Protobuf => PROTOBUF_CONTENT_TYPE,
        }
    }

    /// A whole body: the models, the store and the gateway.
    #[must_use]
    pub fn encode(self, snapshot: &Snapshot, process: &Process) -> Vec<u8> {
        let mut gateway = String::new();
        process.render_to(&mut gateway);
        match self {
            Self::Text => {
                encode_text(snapshot, &mut gateway);
                gateway.into_bytes()
            }
            Self::OpenMetrics => {
                let mut out = String::new();
                encode_openmetrics(snapshot, &gateway, &mut out);
                out.into_bytes()
            }
            Self::Protobuf => {
                let mut out = Vec::new();
                encode_protobuf(snapshot, &mut out);
                encode_protobuf_of_text(&gateway, &mut out);
                out
            }
        }
    }
}

/// How a body is coded on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// As it is.
    Identity,
    /// Compressed by gzip.
    Gzip,
}

impl Coding {
    /// Gzip, if the `Accept-Encoding` header has it and does not want the body as it is more (RFC 9110 §12.5.3).
    #[must_use]
    pub fn of_accept_encoding(accepted: &str) -> Self {
        let (mut gzip, mut any, mut identity) = (None, None, None);
        for part in parts(accepted) {
            let place = match part.name.as_str() {
                "gzip" | "x-gzip" => &mut gzip,
                "*" => &mut any,
                "identity" => &mut identity,
                _ => continue,
            };
            *place = Some(part.q.max(place.unwrap_or(0)));
        }
        let gzip = gzip.or(any).unwrap_or(0);
        if gzip > 0 && gzip >= identity.unwrap_or(0) { Self::Gzip } else { Self::Identity }
    }
}

/// One alternative of an `Accept` or `Accept-Encoding` header.
struct Part<'h> {
    /// In lower case.
    name: String,
    parameters: Vec<(&'h str, &'h str)>,
    /// Per mille.
    q: u32,
}

impl<'h> Part<'h> {
    fn value(&self, name: &str) -> Option<&'h str> {
        let found = self.parameters.iter().find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().trim_matches('"'))
    }
}

fn parts(header: &str) -> impl Iterator<Item = Part<'_>> {
    header.split(',').map(|part| {
        let mut parameters = part.split(';').map(str::trim);
        let name = parameters.next().unwrap_or("").to_ascii_lowercase();
        let parameters = parameters.filter_map(|parameter| parameter.split_once('=')).collect();
        let mut part = Part { name, parameters, q: 0 };
        // A q that is none counts as 1, as the header without one does.
        let q = part.value("q").and_then(|q| q.parse::<f64>().ok()).filter(|q| !q.is_nan()).unwrap_or(1.0);
        part.q = (q.clamp(0.0, 1.0) * 1000.0) as u32;
        part
    })
}

fn format_of<'v>(media: &str, value: impl Fn(&str) -> Option<&'v str>) -> Option<Format> {
    match media {
        "application/vnd.google.protobuf" => {
            let is_ours = value("proto").is_none_or(|proto| proto == "io.prometheus.client.MetricFamily")
                && value("encoding") == Some("delimited");
            is_ours.then_some(Format::Protobuf)
        }
        "application/openmetrics-text" => {
            value("version").is_none_or(|version| version.starts_with("1.")).then_some(Format::OpenMetrics)
        }
        "text/plain" | "text/*" | "*/*" => Some(Format::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_gets_what_it_wants_most() {
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                      application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let plain = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                     text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let three = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.6";
        assert_eq!(Format::of_accept(native), Format::Protobuf);
        assert_eq!(Format::of_accept(plain), Format::OpenMetrics);
        assert_eq!(Format::of_accept(three), Format::Text);
    }

    #[test]
    fn a_body_is_compressed_for_whom_can_read_it_and_does_not_want_it_plain() {
        for (accepted, coding) in [
            ("gzip", Coding::Gzip),
            ("deflate, GZIP;q=0.5", Coding::Gzip),
            ("*", Coding::Gzip),
            ("identity;q=0.5, gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("", Coding::Identity),
            ("br", Coding::Identity),
            ("gzip;q=0", Coding::Identity),
            ("*, gzip;q=0.000", Coding::Identity),
            ("gzip;q=0.1, identity;q=0.9", Coding::Identity),
            ("gzip;q=nan;;,=", Coding::Gzip),
        ] {
            assert_eq!(Coding::of_accept_encoding(accepted), coding, "{accepted}");
        }
    }

    #[test]
    fn anything_else_is_answered_in_text() {
        for accept in [
            "",
            "*/*",
            "text/html",
            "application/vnd.google.protobuf",
            ";;,,=",
            "application/openmetrics-text;q=0",
        ] {
            assert_eq!(Format::of_accept(accept), Format::Text, "{accept}");
        }
    }
}
