//! A body that is read ahead for the model's name: which of its keys to look for, when that is enough, and what it comes to.
//!
//! Who reads the body and how far is the caller's matter; here it is only looked at, and every byte stays the caller's.
//!
//! A body is taken for JSON if it is not compressed (weir never inflates what a client sends) and its Content-Type says JSON, or is
//! missing, or is what `curl -d` sends when nobody told it better (`application/x-www-form-urlencoded`; servers that read bodies without
//! regard to their type, such as llama.cpp and Ollama, take those). A body that is no JSON object after all ends the scan with its first byte.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use memchr::memmem;

use super::name::ModelName;
use super::scan_json::JsonScanner;
use super::source::{Head, Spot};
use super::{Identity, Origin};

/// The longest value that is kept before it is cut down to a name: the bound of `identify.model_name_bytes_max`.
const VALUE_BYTES_MAX: usize = 1024;

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is decided: more of the body is needed.
    NeedMore,
    /// Everything has been found. More of the body could only tell that a key is there twice; nobody waits for that.
    Found,
    /// More of the body changes nothing.
    Done,
}

/// What was noticed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanFlags {
    /// A key that was looked for is there twice; the last one that was seen counts.
    pub duplicate: bool,
    /// A key that was looked for has a value that is no string.
    pub not_a_string: bool,
    /// The body is not JSON, or not from some point on.
    pub malformed: bool,
    /// A value is too long for a name.
    pub too_long: bool,
}

/// What a body came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// Whose model it is, by the body or, failing that, by a later source of the rule.
    pub identity: Option<Identity>,
    /// What was noticed.
    pub flags: ScanFlags,
}

/// A scan of one request's body.
#[derive(Debug)]
pub struct BodyScan<'m> {
    scanner: JsonScanner<'m>,
    model: Choice<'m>,
    resident: Choice<'m>,
    name_bytes_max: usize,
}

impl<'m> BodyScan<'m> {
    pub(super) fn new(
        keys: &'m [Box<str>],
        model: Choice<'m>,
        resident: Choice<'m>,
        name_bytes_max: usize,
    ) -> Self {
        let wanted = |key: usize| model.wants(key) || resident.wants(key);
        let scanner = JsonScanner::new(keys.iter().map(|key| &**key), VALUE_BYTES_MAX).only(wanted);
        Self { scanner, model, resident, name_bytes_max }
    }

    /// Looks at the next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) -> Progress {
        match self.scanner.feed(piece) {
            // The first key of an order of keys is enough.
            Progress::NeedMore if self.model.is_met(&self.scanner) && self.resident.is_met(&self.scanner) => {
                Progress::Found
            }
            progress => progress,
        }
    }

    /// What it came to. The body need not be at its end.
    #[must_use]
    pub fn finish(self) -> Scanned {
        let mut flags = self.scanner.flags();
        let mut settle = |choice: Choice<'m>| choice.settle(&self.scanner, self.name_bytes_max, &mut flags);
        let (model, resident) = (settle(self.model), settle(self.resident));
        Scanned { identity: identity(model, resident), flags }
    }
}

/// A name and where it stood.
pub(super) type Known = (ModelName, Origin);

/// The places where one id may stand, as far as the head has decided among them.
#[derive(Debug)]
pub(super) struct Choice<'m> {
    /// Places up to the one that has decided, if the body must be looked at first; else none.
    spots: &'m [Spot],
    /// What holds if the body has nothing.
    otherwise: Option<Known>,
}

impl<'m> Choice<'m> {
    /// Tries the places in order; those in the body stay open if it can be read.
    pub(super) fn new(spots: &'m [Spot], head: &Head<'_>) -> Self {
        let known = spots.iter().enumerate().find_map(|(i, spot)| Some((i, spot.read(head)?, spot.origin())));
        let end = known.as_ref().map_or(spots.len(), |(i, ..)| *i);
        let before = spots.get(..end).unwrap_or_default();
        let open = before.iter().any(|spot| spot.key().is_some()) && is_json(head.headers);
        Self {
            spots: if open { before } else { &[] },
            otherwise: known.map(|(_, name, origin)| (name, origin)),
        }
    }

    pub(super) const fn needs_body(&self) -> bool {
        !self.spots.is_empty()
    }

    /// What the head alone tells.
    pub(super) fn known(self) -> Option<Known> {
        self.otherwise
    }

    fn keys(&self) -> impl Iterator<Item = (&'m Spot, usize)> {
        self.spots.iter().filter_map(|spot| Some((spot, spot.key()?)))
    }

    fn wants(&self, key: usize) -> bool {
        self.keys().any(|(_, wanted)| wanted == key)
    }

    /// Whether the body need not be looked at any further.
    fn is_met(&self, scanner: &JsonScanner<'_>) -> bool {
        !self.needs_body() || self.keys().next().is_some_and(|(_, key)| scanner.value(key).is_some())
    }

    fn settle(
        self,
        scanner: &JsonScanner<'_>,
        name_bytes_max: usize,
        flags: &mut ScanFlags,
    ) -> Option<Known> {
        let named = self.keys().find_map(|(spot, key)| {
            let value = scanner.value(key)?;
            let name = spot.cut(value, name_bytes_max);
            flags.too_long |= name.is_none();
            Some((name?, spot.origin()))
        });
        named.or(self.otherwise)
    }
}

/// A model of which only the id is known by which it is loaded is called by that.
pub(super) fn identity(model: Option<Known>, resident: Option<Known>) -> Option<Identity> {
    match (model, resident) {
        (Some((name, origin)), resident) => {
            let resident = resident.map(|(id, _)| id).filter(|id| *id != name);
            Some(Identity { name, resident, origin })
        }
        (None, Some((name, origin))) => Some(Identity { name, resident: None, origin }),
        (None, None) => None,
    }
}

/// Whether the body may be looked at as JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let plain = |value: &[u8]| value.is_empty() || value.eq_ignore_ascii_case(b"identity");
    headers.get_all(CONTENT_ENCODING).iter().all(|value| plain(value.as_bytes()))
        && headers.get(CONTENT_TYPE).is_none_or(|value| {
            let value = value.as_bytes();
            is_form(value) || contains_json(value)
        })
}

fn is_form(content_type: &[u8]) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    content_type.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM))
}

/// `application/json`, `application/vnd.api+json; charset=utf-8`, `text/json`.
fn contains_json(content_type: &[u8]) -> bool {
    memmem::find(content_type, b"json").is_some()
        || content_type.windows(4).any(|four| four.eq_ignore_ascii_case(b"json"))
}
