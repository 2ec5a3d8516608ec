//! Where an id stands in a request, compiled: a capture, a header, a query parameter, a key of a JSON body; and what is cut off it.

use http::header::HeaderName;
use weir_config::{Source, Template};

use super::name::ModelName;
use super::template::Captures;
use super::{Origin, RuleError, decode, query};
use crate::message::HeaderMap;

/// Different keys of bodies that the sources of one rule may name.
pub(super) const KEYS_MAX: usize = 4;

/// One place, and the cuts.
#[derive(Debug)]
pub(super) struct Spot {
    place: Place,
    basename: bool,
    strip_prefix: Box<str>,
    strip_suffix: Box<str>,
}

#[derive(Debug)]
enum Place {
    /// Number of a capture of the rule's template.
    Path(u8),
    Header(HeaderName),
    Query(Box<str>),
    /// Number of a key of the rule: of a JSON body or a form, or a field of a protobuf message.
    Key(usize),
}

/// What of a request can be looked at before its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'r> {
    pub(super) path: &'r str,
    pub(super) query: Option<&'r str>,
    pub(super) headers: &'r HeaderMap,
    pub(super) captures: &'r Captures,
    pub(super) name_bytes_max: usize,
}

impl Spot {
    /// Compiles a source. Keys of bodies are added to `keys`.
    pub(super) fn new(
        source: &Source,
        template: &Template,
        keys: &mut Vec<Box<str>>,
    ) -> Result<Self, RuleError> {
        let Source { path, header, query, json, protobuf, strip_prefix, strip_suffix, basename } = source;
        let place = match (path, header, query, json.as_ref().or(protobuf.as_ref())) {
            (Some(name), None, None, None) => capture(template, name)?,
            (None, Some(name), None, None) => Place::Header(header_name(name)?),
            (None, None, Some(name), None) => Place::Query(name.as_str().into()),
            (None, None, None, Some(name)) => Place::Key(key(name, keys)?),
            _ => return Err(RuleError::Source),
        };
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
        Ok(Self {
            place,
            basename: *basename,
            strip_prefix: text(strip_prefix),
            strip_suffix: text(strip_suffix),
        })
    }

    /// The capture of this name, as it is.
    pub(super) fn capture(template: &Template, name: &str) -> Option<Self> {
        let place = capture(template, name).ok()?;
        Some(Self { place, basename: false, strip_prefix: "".into(), strip_suffix: "".into() })
    }

    /// The key of the body that it names, if it does.
    pub(super) const fn key(&self) -> Option<usize> {
        match self.place {
            Place::Key(key) => Some(key),
            _ => None,
        }
    }

    /// What kind of place it is.
    pub(super) const fn origin(&self) -> Origin {
        match self.place {
            Place::Path(_) => Origin::Path,
            Place::Header(_) => Origin::Header,
            Place::Query(_) => Origin::Query,
            Place::Key(_) => Origin::Body,
        }
    }

    /// The name that stands there, if the place is not in the body.
    pub(super) fn read(&self, head: &Head<'_>) -> Option<ModelName> {
        match &self.place {
            Place::Path(capture) => {
                let raw = head.captures.text(head.path, *capture)?;
                self.cut(&decode::path(raw), head.name_bytes_max)
            }
            Place::Query(name) => {
                let raw = query::find(head.query?, name)?;
                self.cut(&decode::query(raw), head.name_bytes_max)
            }
            // The first value of a repeated header. One that is not UTF-8 is no name.
            Place::Header(name) => {
                let value = std::str::from_utf8(head.headers.get(name)?.as_bytes()).ok()?;
                self.cut(value, head.name_bytes_max)
            }
            Place::Key(_) => None,
        }
    }

    /// Cuts the text as the source says; what is left must be a name.
    pub(super) fn cut(&self, text: &str, bytes_max: usize) -> Option<ModelName> {
        let text = if self.basename { text.rsplit_once('/').map_or(text, |(_, last)| last) } else { text };
        let text = text.strip_prefix(&*self.strip_prefix).unwrap_or(text);
        let text = text.strip_suffix(&*self.strip_suffix).unwrap_or(text);
        ModelName::new(text, bytes_max)
    }
}

fn capture(template: &Template, name: &str) -> Result<Place, RuleError> {
    let place = template.captures().position(|capture| capture == name);
    let place = place.and_then(|place| u8::try_from(place).ok());
    place.map(Place::Path).ok_or_else(|| RuleError::Capture(name.to_owned()))
}

/// A header's name for looking it up, whatever its case in the file.
pub(super) fn header_name(name: &str) -> Result<HeaderName, RuleError> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| RuleError::Header(name.to_owned()))
}

fn key(name: &str, keys: &mut Vec<Box<str>>) -> Result<usize, RuleError> {
    if let Some(known) = keys.iter().position(|key| **key == *name) {
        return Ok(known);
    }
    if keys.len() == KEYS_MAX {
        return Err(RuleError::Keys);
    }
    keys.push(name.into());
    Ok(keys.len() - 1)
}
