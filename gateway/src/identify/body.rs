//! A body that is read ahead for the model's name: which of its keys to look for, when that is enough, and what it comes to.
//!
//! Who reads the body and how far is the caller's matter; here it is only looked at, and every byte stays the caller's. `scanner` says
//! which bodies can be looked into.

use super::name::ModelName;
use super::scanner::Scanner;
use super::source::{Head, Spot};
use super::{Called, Identity, Origin};

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
    /// The search ended before the body did, for its length.
    pub too_large: bool,
    /// A gRPC message is compressed, and so not looked into.
    pub compressed: bool,
}

impl ScanFlags {
    /// The names of those that are set, as the label `flag` has them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = [
            (self.duplicate, "duplicate_key"),
            (self.not_a_string, "not_a_string"),
            (self.malformed, "malformed"),
            (self.too_long, "too_long"),
            (self.too_large, "too_large"),
            (self.compressed, "compressed"),
        ];
        named.into_iter().filter(|(set, _)| *set).map(|(_, name)| name)
    }
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
    scanner: Scanner<'m>,
    model: Choice<'m>,
    resident: Choice<'m>,
    version: Choice<'m>,
    called: Called<'m>,
    name_bytes_max: usize,
}

impl<'m> BodyScan<'m> {
    pub(super) fn new(
        scanner: Scanner<'m>,
        called: Called<'m>,
        choices: [Choice<'m>; 3],
        name_bytes_max: usize,
    ) -> Self {
        let [model, resident, version] = choices;
        Self { scanner, model, resident, version, called, name_bytes_max }
    }

    /// Looks at the next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) -> Progress {
        match self.scanner.feed(piece) {
            // The first key of an order of keys is enough.
            Progress::NeedMore
                if [&self.model, &self.resident, &self.version]
                    .iter()
                    .all(|one| one.is_met(&self.scanner)) =>
            {
                Progress::Found
            }
            progress => progress,
        }
    }

    /// The body is at its end. Said before [`BodyScan::finish`]: only so the last field of a form is known to be whole.
    pub fn end(&mut self) {
        self.scanner.end();
    }

    /// What stands at a place of the body, if it was looked for there.
    pub(super) fn read(&self, spot: &Spot) -> Option<ModelName> {
        spot.cut(self.scanner.value(spot.key()?)?, self.name_bytes_max)
    }

    /// What it came to, as far as the body has been looked at.
    #[must_use]
    pub fn finish(self) -> Scanned {
        let mut flags = self.scanner.flags();
        let mut settle = |choice: Choice<'m>| choice.settle(&self.scanner, self.name_bytes_max, &mut flags);
        let (model, resident) = (settle(self.model), settle(self.resident));
        let version = settle(self.version);
        let identity = identity(model, resident, version);
        Scanned { identity: identity.map(|identity| self.called.of(identity)), flags }
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
    /// No place at all.
    pub(super) const fn nothing() -> Self {
        Self { spots: &[], otherwise: None }
    }

    /// Tries the places in order; those in the body stay open.
    pub(super) fn new(spots: &'m [Spot], head: &Head<'_>) -> Self {
        let known = spots.iter().enumerate().find_map(|(i, spot)| Some((i, spot.read(head)?, spot.origin())));
        let end = known.as_ref().map_or(spots.len(), |(i, ..)| *i);
        let before = spots.get(..end).unwrap_or_default();
        let open = before.iter().any(|spot| spot.key().is_some());
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

    /// The keys of the body that are looked for, one bit each.
    pub(super) fn wanted(&self) -> u8 {
        self.keys().fold(0, |wanted, (_, key)| wanted | 1 << key)
    }

    /// Whether the body need not be looked at any further.
    fn is_met(&self, scanner: &Scanner<'_>) -> bool {
        !self.needs_body() || self.keys().next().is_some_and(|(_, key)| scanner.value(key).is_some())
    }

    fn settle(self, scanner: &Scanner<'_>, name_bytes_max: usize, flags: &mut ScanFlags) -> Option<Known> {
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
pub(super) fn identity(
    model: Option<Known>,
    resident: Option<Known>,
    version: Option<Known>,
) -> Option<Identity> {
    let version = version.map(|(version, _)| version);
    match (model, resident) {
        (Some((name, origin)), resident) => {
            let resident = resident.map(|(id, _)| id).filter(|id| *id != name);
            Some(Identity { name, resident, version, by_version: false, origin })
        }
        (None, Some((name, origin))) => {
            Some(Identity { name, resident: None, version, by_version: false, origin })
        }
        (None, None) => None,
    }
}
