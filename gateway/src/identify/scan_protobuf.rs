//! Finds up to four text fields of the first message of a gRPC call, by their numbers, in a body that comes in pieces: `1` is
//! `model_name` of Triton's `ModelInferRequest`, `1.1` is `model_spec.name` of TensorFlow Serving's `PredictRequest`.
//!
//! A gRPC message stands behind five bytes: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message"). A
//! compressed one is not looked into. Fields may come in any order (protobuf, "Encoding"); those that nobody looks for are skipped by their
//! length, of which nothing is believed that reaches beyond the message around it. Of a field that is there twice the last one counts, as
//! protobuf's parsers do it. Versions may be numbers (`Int64Value`), and nobody reads on for them where they would be by now if they were
//! there: serializers write fields in the order of their numbers. Groups, which proto3 does not have, and everything else that cannot be followed end the scan.
//!
//! Memory: one value. Time is linear in the bytes fed; a skipped field costs nothing but its bytes' arrival. However the body is cut, the
//! answer is the same.

use super::body::{Progress, ScanFlags};
use super::name::ModelName;
use super::slots::Slots;
use super::source::KEYS_MAX;

/// Messages within messages that are followed: TensorFlow Serving needs two levels.
const DEPTH_MAX: usize = 4;

/// Bytes before a message: a flag and a length.
const FRAME_BYTES: u8 = 5;

/// A varint of 64 bits has ten bytes at most.
const VARINT_BITS_MAX: u32 = 70;

/// Where a field stands: the numbers of the fields around it, then its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Way {
    numbers: [u32; DEPTH_MAX],
    depth: usize,
}

/// A scan of one call's first message.
#[derive(Debug)]
pub struct ProtobufScanner<'k> {
    slots: Slots<'k>,
    ways: [Way; KEYS_MAX],
    at: At,
    /// Where the present message stands, and where each message around the present place ends: an offset in the body.
    way: Way,
    ends: [u64; DEPTH_MAX],
    offset: u64,
    varint: u64,
    varint_bits: u32,
    value: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// Before the message, with so many bytes of its frame read.
    Frame(u8),
    /// Before a field, or in its number.
    Tag,
    /// In a number: that of this key, or one that nobody looks for.
    Varint(Option<u8>),
    /// In the length of this field.
    Length(u32),
    /// So many bytes are to be skipped.
    Skip(u64),
    /// In the value of this key, of which so many bytes are to come.
    Value(u8, u64),
    End,
}

impl Way {
    /// Reads `1` or `1.4`.
    fn parse(text: &str) -> Option<Self> {
        text.split('.')
            .try_fold(Self::default(), |way, number| way.then(number.parse().ok().filter(|n| *n > 0)?))
    }

    /// The way to a field of the message that this one leads to.
    fn then(mut self, number: u32) -> Option<Self> {
        *self.numbers.get_mut(self.depth)? = number;
        self.depth += 1;
        Some(self)
    }

    /// Whether the message that `self` leads to is around the field of `other`.
    fn leads_to(&self, other: &Self) -> bool {
        self.depth < other.depth
            && self.numbers.iter().zip(&other.numbers).take(self.depth).all(|(a, b)| a == b)
    }
}

impl<'k> ProtobufScanner<'k> {
    /// A scan for these fields, more than four are not looked for. None if one is no way to a field: numbers, parted by dots, at most
    /// four. A longer value than `value_bytes_max` is none.
    pub fn new(fields: impl IntoIterator<Item = &'k str>, value_bytes_max: usize) -> Option<Self> {
        let slots = Slots::new(fields, value_bytes_max);
        let mut ways = [Way::default(); KEYS_MAX];
        for (way, key) in ways.iter_mut().zip(slots.keys).filter(|(_, key)| !key.is_empty()) {
            *way = Way::parse(key)?;
        }
        Some(Self {
            slots,
            ways,
            at: At::Frame(0),
            way: Way::default(),
            ends: [0; DEPTH_MAX],
            offset: 0,
            varint: 0,
            varint_bits: 0,
            value: Vec::new(),
        })
    }

    /// Looks only for those keys, and does not look far for some of them; one bit each.
    #[must_use]
    pub(super) fn only(mut self, wanted: u8, optional: u8) -> Self {
        self.slots = self.slots.only(wanted).optional(optional);
        self
    }

    /// Looks at the next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) -> Progress {
        let mut rest = piece;
        loop {
            self.leave_messages();
            if self.slots.is_complete() || matches!(self.at, At::End) {
                return Progress::Done;
            }
            if rest.is_empty() {
                return Progress::NeedMore;
            }
            rest = self.step(rest);
        }
    }

    /// The value of a field, by its number in the order of [`ProtobufScanner::new`]: the last one that was seen, if it may be a name.
    #[must_use]
    pub fn value(&self, field: usize) -> Option<&str> {
        self.slots.value(field)
    }

    /// What has been noticed so far.
    #[must_use]
    pub const fn flags(&self) -> ScanFlags {
        self.slots.flags
    }

    /// Goes out of the messages that end here.
    fn leave_messages(&mut self) {
        while matches!(self.at, At::Tag) && self.varint_bits == 0 && self.end() == self.offset {
            if self.way.depth == 0 {
                self.at = At::End;
            }
            self.way.depth = self.way.depth.saturating_sub(1);
        }
    }

    /// Where the present message ends.
    fn end(&self) -> u64 {
        self.ends.get(self.way.depth).copied().unwrap_or(0)
    }

    /// One step; returns what is left.
    fn step<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        match self.at {
            At::Skip(left) => {
                let (_, rest) = self.take(bytes, left);
                self.at = self.remaining(left, bytes.len()).map_or(At::Tag, At::Skip);
                return rest;
            }
            At::Value(key, left) => return self.in_value(bytes, key, left),
            _ => {}
        }
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        self.offset += 1;
        let next = match self.at {
            At::Frame(read) => self.in_frame(*byte, read),
            _ if self.offset > self.end() => None,
            _ => self.in_varint(*byte),
        };
        self.at = next.unwrap_or_else(|| {
            self.slots.flags.malformed = true;
            At::End
        });
        rest
    }

    fn take<'b>(&mut self, bytes: &'b [u8], left: u64) -> (&'b [u8], &'b [u8]) {
        let length = usize::try_from(left).unwrap_or(usize::MAX);
        let (run, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        self.offset += u64::try_from(run.len()).unwrap_or(0);
        (run, rest)
    }

    fn remaining(&self, left: u64, arrived: usize) -> Option<u64> {
        left.checked_sub(u64::try_from(arrived).unwrap_or(u64::MAX)).filter(|left| *left > 0)
    }

    fn in_frame(&mut self, byte: u8, read: u8) -> Option<At> {
        if read == 0 {
            self.slots.flags.compressed = byte == 1;
            return match byte {
                0 => Some(At::Frame(1)),
                1 => Some(At::End),
                _ => None,
            };
        }
        self.varint = self.varint << 8 | u64::from(byte);
        if read + 1 < FRAME_BYTES {
            return Some(At::Frame(read + 1));
        }
        if let Some(end) = self.ends.first_mut() {
            *end = self.offset + self.varint;
        }
        self.varint = 0;
        Some(At::Tag)
    }

    /// One byte of a number; what follows when it is the last.
    fn in_varint(&mut self, byte: u8) -> Option<At> {
        // What would not fit into 64 bits is lost, as in protobuf's parsers.
        self.varint |= u64::from(byte & 0x7F).checked_shl(self.varint_bits).unwrap_or(0);
        self.varint_bits += 7;
        if byte & 0x80 != 0 {
            return (self.varint_bits < VARINT_BITS_MAX).then_some(self.at);
        }
        let number = std::mem::take(&mut self.varint);
        self.varint_bits = 0;
        match self.at {
            At::Tag => self.field_begins(number),
            At::Length(field) => self.length_ends(field, number),
            At::Varint(Some(key)) => {
                self.slots.set(key, Some(ModelName::number(number.cast_signed())));
                Some(At::Tag)
            }
            _ => Some(At::Tag),
        }
    }

    fn field_begins(&mut self, tag: u64) -> Option<At> {
        let field = u32::try_from(tag >> 3).ok().filter(|field| *field > 0)?;
        if self.slots.has_all_but_optional() && self.is_past(field) {
            self.slots.give_up_optional();
        }
        match tag & 7 {
            0 => {
                let key = self.way.then(field).and_then(|way| self.key(way));
                Some(At::Varint(key.filter(|key| self.slots.is_optional(*key))))
            }
            1 => self.skip(8),
            2 => Some(At::Length(field)),
            5 => self.skip(4),
            _ => None,
        }
    }

    /// Whether a field of the present message comes behind all optional ones, if fields are in their order.
    fn is_past(&self, field: u32) -> bool {
        let Some(here) = self.way.then(field) else { return true };
        // In the order of the numbers, level by level; a field that leads to one of them, or is one, is not behind it.
        let is_before =
            |way: &Way| way.numbers.iter().take(here.depth).lt(here.numbers.iter().take(here.depth));
        let optional =
            (0..).zip(&self.ways).filter(|(key, way)| self.slots.is_optional(*key) && way.depth > 0);
        optional.into_iter().all(|(_, way)| is_before(way))
    }

    /// The key that is looked for there.
    fn key(&self, way: Way) -> Option<u8> {
        let wanted = self.slots.wanted();
        let is = |(key, known): &(u8, &Way)| wanted >> key & 1 == 1 && **known == way;
        (0..).zip(&self.ways).find(is).map(|(key, _)| key)
    }

    fn skip(&self, bytes: u64) -> Option<At> {
        let within = self.offset.checked_add(bytes)? <= self.end();
        within.then_some(if bytes == 0 { At::Tag } else { At::Skip(bytes) })
    }

    fn length_ends(&mut self, field: u32, length: u64) -> Option<At> {
        let skip = self.skip(length)?;
        let Some(way) = self.way.then(field) else { return Some(skip) };
        let wanted = self.slots.wanted();
        let is_wanted = |i: u8| wanted >> i & 1 == 1;
        if let Some(key) = self.key(way) {
            self.value.clear();
            return if length == 0 { self.value_ends(key) } else { Some(At::Value(key, length)) };
        }
        if (0..).zip(&self.ways).any(|(i, known)| is_wanted(i) && way.leads_to(known)) {
            let end = self.offset + length;
            *self.ends.get_mut(way.depth)? = end;
            self.way = way;
            return Some(At::Tag);
        }
        Some(skip)
    }

    fn in_value<'b>(&mut self, bytes: &'b [u8], key: u8, left: u64) -> &'b [u8] {
        let (run, rest) = self.take(bytes, left);
        // One byte more than allowed: it will be found too long.
        let room = (self.slots.value_bytes_max + 1).saturating_sub(self.value.len());
        self.value.extend_from_slice(run.get(..room).unwrap_or(run));
        self.at = match self.remaining(left, bytes.len()) {
            Some(left) => At::Value(key, left),
            None => self.value_ends(key).unwrap_or(At::End),
        };
        rest
    }

    fn value_ends(&mut self, key: u8) -> Option<At> {
        let too_long = self.value.len() > self.slots.value_bytes_max;
        self.slots.flags.too_long |= too_long;
        let text = if too_long { Ok("") } else { std::str::from_utf8(&self.value) };
        // proto3 asks for UTF-8, and parsers refuse the message otherwise.
        let Ok(text) = text else {
            self.slots.flags.malformed = true;
            return Some(At::End);
        };
        let name = ModelName::new(text, self.slots.value_bytes_max);
        self.slots.set(key, name);
        Some(At::Tag)
    }
}

#[cfg(test)]
mod tests;
