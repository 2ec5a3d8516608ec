//! Which scanner a body gets, by its Content-Type.
//!
//! A body is looked at if it is not compressed (weir never inflates what a client sends) and its Content-Type is one of these:
//! * JSON, or missing: as JSON.
//! * `multipart/form-data`: as that.
//! * `application/x-www-form-urlencoded`: as a form; but as JSON if it begins with `{`. That is what `curl -d '{…}'` sends when nobody
//!   told it better, and servers that read bodies without regard to their type, such as llama.cpp and Ollama, take it.
//! * `application/grpc`: as protobuf, if the rule names fields by number; such a rule looks into no other body.
//!
//! A key of a JSON object and the field of a form with the same name are one place: a server that takes both means the same by them.
//! A body that is not what its type says ends the scan early.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use memchr::memmem;

use super::body::{Progress, ScanFlags};
use super::rule::Rule;
use super::scan_form::FormScanner;
use super::scan_json::JsonScanner;
use super::scan_multipart::MultipartScanner;
use super::scan_protobuf::ProtobufScanner;
use crate::message::HeaderMap;

/// The longest value that is kept before it is cut down to a name: the bound of `identify.model_name_bytes_max`.
const VALUE_BYTES_MAX: usize = 1024;

/// A scan of one body, of the kind that its type asks for.
#[derive(Debug)]
pub(super) enum Scanner<'k> {
    Json(JsonScanner<'k>),
    Form(FormScanner<'k>),
    /// Boxed, since it is the largest by far and the rarest.
    Multipart(Box<MultipartScanner<'k>>),
    /// Boxed for its size too.
    Protobuf(Box<ProtobufScanner<'k>>),
    /// A form by its type, until its first byte is here.
    Undecided {
        keys: &'k [Box<str>],
        wanted: u8,
    },
}

impl<'k> Scanner<'k> {
    /// The scanner for those keys of the rule that are `wanted`, one bit each, and maybe for those of a version, if they are near; none if
    /// nobody can look into the body.
    pub(super) fn new(headers: &HeaderMap, rule: &'k Rule, wanted: u8, of_version: u8) -> Option<Self> {
        let plain = |value: &[u8]| value.is_empty() || value.eq_ignore_ascii_case(b"identity");
        if !headers.get_all(CONTENT_ENCODING).iter().all(|value| plain(value.as_bytes())) {
            return None;
        }
        let keys = rule.keys.as_slice();
        if rule.protobuf {
            let is_grpc = headers
                .get(CONTENT_TYPE)
                .is_some_and(|kind| begins_with(kind.as_bytes(), b"application/grpc"));
            let scanner = is_grpc.then(|| ProtobufScanner::new(names(keys), VALUE_BYTES_MAX)).flatten()?;
            let scanner = scanner.only(wanted | of_version, of_version & !wanted);
            return Some(Self::Protobuf(Box::new(scanner)));
        }
        let wanted = wanted | of_version;
        let Some(content_type) = headers.get(CONTENT_TYPE) else { return Some(Self::json(keys, wanted)) };
        let content_type = content_type.as_bytes();
        if begins_with(content_type, b"multipart/form-data") {
            let scanner = MultipartScanner::new(content_type, names(keys), VALUE_BYTES_MAX)?;
            return Some(Self::Multipart(Box::new(scanner.only(wanted))));
        }
        if begins_with(content_type, b"application/x-www-form-urlencoded") {
            return Some(Self::Undecided { keys, wanted });
        }
        contains_json(content_type).then(|| Self::json(keys, wanted))
    }

    fn json(keys: &'k [Box<str>], wanted: u8) -> Self {
        Self::Json(JsonScanner::new(names(keys), VALUE_BYTES_MAX).only(wanted))
    }

    pub(super) fn feed(&mut self, piece: &[u8]) -> Progress {
        match self {
            Self::Json(scanner) => scanner.feed(piece),
            Self::Form(scanner) => scanner.feed(piece),
            Self::Multipart(scanner) => scanner.feed(piece),
            Self::Protobuf(scanner) => scanner.feed(piece),
            Self::Undecided { keys, wanted } => {
                let Some(first) = piece.iter().find(|byte| !byte.is_ascii_whitespace()) else {
                    return Progress::NeedMore;
                };
                let form = || FormScanner::new(names(keys), VALUE_BYTES_MAX).only(*wanted);
                *self = if *first == b'{' { Self::json(keys, *wanted) } else { Self::Form(form()) };
                self.feed(piece)
            }
        }
    }

    /// The body is at its end.
    pub(super) fn end(&mut self) {
        if let Self::Form(scanner) = self {
            scanner.end();
        }
    }

    pub(super) fn value(&self, key: usize) -> Option<&str> {
        match self {
            Self::Json(scanner) => scanner.value(key),
            Self::Form(scanner) => scanner.value(key),
            Self::Multipart(scanner) => scanner.value(key),
            Self::Protobuf(scanner) => scanner.value(key),
            Self::Undecided { .. } => None,
        }
    }

    pub(super) fn flags(&self) -> ScanFlags {
        match self {
            Self::Json(scanner) => scanner.flags(),
            Self::Form(scanner) => scanner.flags(),
            Self::Multipart(scanner) => scanner.flags(),
            Self::Protobuf(scanner) => scanner.flags(),
            Self::Undecided { .. } => ScanFlags::default(),
        }
    }
}

fn names(keys: &[Box<str>]) -> impl Iterator<Item = &str> {
    keys.iter().map(|key| &**key)
}

fn begins_with(value: &[u8], start: &[u8]) -> bool {
    value.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// `application/json`, `application/vnd.api+JSON; charset=utf-8`, `text/json`.
fn contains_json(content_type: &[u8]) -> bool {
    memmem::find(content_type, b"json").is_some()
        || content_type.windows(4).any(|four| four.eq_ignore_ascii_case(b"json"))
}
