//! Finds up to four top-level string values of a JSON object in a body that comes in pieces, without parsing the rest.
//!
//! Nested values are skipped by counting brackets, strings by searching for their end; there is no recursion, and no memory but one
//! value on its way (at most as long as allowed). Time is linear in the bytes fed. However the body is cut into pieces, the answer is
//! the same.
//!
//! What is not looked at is not validated: the server is the judge of its JSON. Where the text cannot be followed any further the scan
//! ends, and what it has seen until then stays. A key that is there twice counts with its last value, as in Python's, Go's and
//! JavaScript's parsers. Escapes in keys and values are understood (RFC 8259 §7); half a surrogate pair becomes U+FFFD. A byte order
//! mark at the beginning is skipped (§8.1 allows it).
//!
//! Measured on a shared cloud core, scan set-up included: 1 KiB of one string, of prose or of numbers 0.4 to 0.5 µs, of JSON within
//! JSON 1.2 µs, of two-letter strings 2 µs; 64 KiB of one string 1.2 µs, of numbers 4 µs; 1 MiB of prose 0.2 ms.

use super::body::{Progress, ScanFlags};
use super::json_text::{Sink, Text, TextEnd, next_structural, skip_text, whole};
use super::name::ModelName;
use super::slots::Slots;
use super::source::KEYS_MAX;

/// How much of what is already there is still looked at when everything has been found, in bytes: far enough to notice a key that is
/// there twice, short enough to cost nothing (about 2 µs).
const LOOK_ON_BYTES: usize = 4096;

/// The byte order mark in UTF-8.
const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// A scan of one body.
#[derive(Debug)]
pub struct JsonScanner<'k> {
    slots: Slots<'k>,
    at: At,
    /// The key or value that is being read.
    text: Text,
    /// Keys that the present one may still be, and how many of its bytes have been compared.
    match_set: u8,
    matched: usize,
    /// A value that came in several pieces or with escapes.
    value: Vec<u8>,
    look_on: usize,
}

/// Where the scan stands.
#[derive(Debug, Clone, Copy)]
enum At {
    /// Before the object; so many bytes of a byte order mark have been seen.
    Start(u8),
    /// Before a key, or before the end of an empty object.
    Key {
        first: bool,
    },
    InKey,
    Colon,
    /// Before the value of this key; none if nobody looks for it.
    Value(Option<u8>),
    /// In a string that is kept.
    InValue(u8),
    /// In a string that is not.
    InSkipped {
        escaped: bool,
    },
    /// In an array or object.
    InNested {
        depth: usize,
        in_text: bool,
        escaped: bool,
    },
    /// In a number, or one of the three words.
    InAtom,
    /// Behind a value.
    After,
    End,
}

impl<'k> JsonScanner<'k> {
    /// A scan for these keys; more than four are not looked for. A longer value than `value_bytes_max` is none.
    pub fn new(keys: impl IntoIterator<Item = &'k str>, value_bytes_max: usize) -> Self {
        Self {
            slots: Slots::new(keys, value_bytes_max),
            at: At::Start(0),
            text: Text::default(),
            match_set: 0,
            matched: 0,
            value: Vec::new(),
            look_on: LOOK_ON_BYTES,
        }
    }

    /// Looks only for those keys, one bit each.
    #[must_use]
    pub(super) fn only(mut self, wanted: u8) -> Self {
        self.slots = self.slots.only(wanted);
        self
    }

    /// Looks at a whole body for keys that are there twice, however long it is.
    #[must_use]
    pub const fn to_the_end(mut self) -> Self {
        self.look_on = usize::MAX;
        self
    }

    /// Looks at the next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) -> Progress {
        let mut rest = piece;
        let mut complete = false;
        loop {
            if self.slots.is_complete() && !complete {
                complete = true;
                rest = self.take_look_on(rest);
            }
            if matches!(self.at, At::End) || complete && self.look_on == 0 && rest.is_empty() {
                return Progress::Done;
            }
            if rest.is_empty() {
                return if complete { Progress::Found } else { Progress::NeedMore };
            }
            rest = self.step(rest);
        }
    }

    /// The value of a key, by its number: the last one that was seen, if that is a string that may be a name.
    #[must_use]
    pub fn value(&self, key: usize) -> Option<&str> {
        self.slots.value(key)
    }

    /// What has been noticed so far.
    #[must_use]
    pub const fn flags(&self) -> ScanFlags {
        self.slots.flags
    }

    fn take_look_on<'b>(&mut self, rest: &'b [u8]) -> &'b [u8] {
        let (rest, _) = rest.split_at_checked(self.look_on).unwrap_or((rest, &[]));
        self.look_on -= rest.len();
        rest
    }

    /// One step from a text that is not empty; returns what is left of it.
    fn step<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        match self.at {
            At::InKey => return self.in_key(bytes),
            At::InValue(key) => return self.in_value(bytes, key),
            At::InSkipped { mut escaped } => {
                let rest = skip_text(bytes, &mut escaped);
                self.at = if rest.is_some() { At::After } else { At::InSkipped { escaped } };
                return rest.unwrap_or_default();
            }
            At::InNested { .. } => return self.in_nested(bytes),
            At::InAtom => return self.in_atom(bytes),
            _ => {}
        }
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        match (self.at, *byte) {
            (At::Start(marks @ 0..=2), byte) if MARK.get(usize::from(marks)) == Some(&byte) => {
                self.at = At::Start(marks + 1);
            }
            // Half a byte order mark.
            (At::Start(1 | 2), _) => return self.malformed(),
            (_, b' ' | b'\t' | b'\n' | b'\r') => {
                // A mark stands at the very beginning.
                if let At::Start(_) = self.at {
                    self.at = At::Start(3);
                }
            }
            (At::Start(_), b'{') => self.at = At::Key { first: true },
            (At::Key { .. }, b'"') => {
                self.at = At::InKey;
                self.text = Text::default();
                self.match_set = self.slots.wanted();
                self.matched = 0;
            }
            (At::Key { first: true } | At::After, b'}') => self.at = At::End,
            (At::Colon, b':') => self.at = At::Value(self.key()),
            (At::Value(key), byte) => return self.value_begins(byte, bytes, rest, key),
            (At::After, b',') => self.at = At::Key { first: false },
            _ => return self.malformed(),
        }
        rest
    }

    fn malformed<'b>(&mut self) -> &'b [u8] {
        self.slots.flags.malformed = true;
        self.at = At::End;
        &[]
    }

    fn in_key<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut sink =
            KeySink { keys: &self.slots.keys, set: &mut self.match_set, matched: &mut self.matched };
        match self.text.read(bytes, &mut sink) {
            TextEnd::Ended(rest) => {
                self.at = At::Colon;
                rest
            }
            TextEnd::Open => &[],
            TextEnd::Bad => self.malformed(),
        }
    }

    /// The key that has just ended, if somebody looks for it.
    fn key(&self) -> Option<u8> {
        let is_it = |(i, key): (u8, &&str)| self.match_set >> i & 1 == 1 && key.len() == self.matched;
        (0..).zip(&self.slots.keys).find(|place| is_it(*place)).map(|(i, _)| i)
    }

    fn value_begins<'b>(&mut self, byte: u8, bytes: &'b [u8], rest: &'b [u8], key: Option<u8>) -> &'b [u8] {
        if let Some(key) = key.filter(|_| byte != b'"') {
            self.slots.flags.not_a_string = true;
            self.slots.set(key, None);
        }
        self.at = match (byte, key) {
            (b'"', None) => At::InSkipped { escaped: false },
            (b'"', Some(key)) => {
                self.text = Text::default();
                self.value.clear();
                At::InValue(key)
            }
            (b'{' | b'[', _) => At::InNested { depth: 1, in_text: false, escaped: false },
            // Numbers and words, also those that only some parsers know (`NaN`).
            (b'-' | b'+' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z', _) => {
                self.at = At::InAtom;
                return bytes;
            }
            _ => return self.malformed(),
        };
        rest
    }

    fn in_value<'b>(&mut self, bytes: &'b [u8], key: u8) -> &'b [u8] {
        // Most values are whole and have no escapes: they need not be gathered.
        if self.value.is_empty()
            && self.text.is_new()
            && let Some((text, rest)) = whole(bytes)
            && text.len() <= self.slots.value_bytes_max
        {
            return self.value_ends(text, rest, key);
        }
        let mut sink = ValueSink { value: &mut self.value, bytes_max: self.slots.value_bytes_max };
        match self.text.read(bytes, &mut sink) {
            TextEnd::Open => &[],
            TextEnd::Bad => self.malformed(),
            TextEnd::Ended(rest) => {
                let value = std::mem::take(&mut self.value);
                // A value that is too long has been cut, maybe within a character.
                let too_long = value.len() > self.slots.value_bytes_max;
                self.slots.flags.too_long |= too_long;
                let value = if too_long { &[] } else { value.as_slice() };
                self.value_ends(value, rest, key)
            }
        }
    }

    fn value_ends<'b>(&mut self, value: &[u8], rest: &'b [u8], key: u8) -> &'b [u8] {
        let Ok(text) = std::str::from_utf8(value) else { return self.malformed() };
        self.slots.set(key, ModelName::new(text, self.slots.value_bytes_max));
        self.at = At::After;
        rest
    }

    fn in_nested<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let At::InNested { mut depth, mut in_text, mut escaped } = self.at else { return bytes };
        let mut rest = bytes;
        loop {
            if in_text {
                let Some(after) = skip_text(rest, &mut escaped) else { break };
                (rest, in_text) = (after, false);
            }
            let Some((byte, after)) = next_structural(rest) else { break };
            rest = after;
            match byte {
                b'"' => in_text = true,
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
            if depth == 0 {
                self.at = At::After;
                return rest;
            }
        }
        self.at = At::InNested { depth, in_text, escaped };
        &[]
    }

    fn in_atom<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let atom = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let end = bytes.iter().position(|byte| !atom(byte));
        if end.is_some() {
            self.at = At::After;
        }
        end.and_then(|end| bytes.get(end..)).unwrap_or_default()
    }
}

/// Compares a key with those that are looked for, as it comes.
struct KeySink<'s, 'k> {
    keys: &'s [&'k str; KEYS_MAX],
    set: &'s mut u8,
    matched: &'s mut usize,
}

impl Sink for KeySink<'_, '_> {
    fn push(&mut self, bytes: &[u8]) {
        if *self.set == 0 {
            return;
        }
        for (i, key) in self.keys.iter().enumerate() {
            let may_be = *self.set >> i & 1 == 1;
            if may_be && !key.as_bytes().get(*self.matched..).is_some_and(|left| left.starts_with(bytes)) {
                *self.set &= !(1 << i);
            }
        }
        *self.matched += bytes.len();
    }
}

/// Keeps a value, up to one byte more than a name may have.
struct ValueSink<'s> {
    value: &'s mut Vec<u8>,
    bytes_max: usize,
}

impl Sink for ValueSink<'_> {
    fn push(&mut self, bytes: &[u8]) {
        let room = (self.bytes_max + 1).saturating_sub(self.value.len());
        self.value.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

#[cfg(test)]
mod tests;
