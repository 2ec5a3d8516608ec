//! Finds up to four text fields of a multipart form (RFC 7578) in a body that comes in pieces, also behind a large file.
//!
//! A part is a field if its Content-Disposition has a `name` and no `filename`. Files and other fields are skipped by searching for the
//! boundary; nothing of them is kept. Memory: one line of a part's head, and one value. Time is linear; however the body is cut, the
//! answer is the same. What cannot be followed (a head that does not end, text behind a boundary) ends the scan.

use std::mem;

use super::body::{Progress, ScanFlags};
use super::boundary::Boundary;
use super::disposition;
use super::name::ModelName;
use super::slots::Slots;

/// The head of one part in bytes, and one of its lines: a Content-Disposition with a long file name fits well.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const LINE_BYTES_MAX: usize = 4 * 1024;

/// A scan of one body.
#[derive(Debug)]
pub struct MultipartScanner<'k> {
    slots: Slots<'k>,
    boundary: Boundary,
    at: At,
    /// The line of a head, or the value, that is being read.
    text: Vec<u8>,
    /// The present part is this field.
    field: Option<u8>,
    head_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// In what stands before the first boundary, or in a part's body.
    Body,
    /// Behind a boundary; so many dashes have been seen.
    Mark(u8),
    Head,
    End,
}

impl<'k> MultipartScanner<'k> {
    /// A scan for these fields, more than four are not looked for, in a body with this Content-Type; none if that has no boundary. A
    /// longer value than `value_bytes_max` is none.
    pub fn new(
        content_type: &[u8],
        fields: impl IntoIterator<Item = &'k str>,
        value_bytes_max: usize,
    ) -> Option<Self> {
        Some(Self {
            slots: Slots::new(fields, value_bytes_max),
            boundary: Boundary::new(&disposition::parameter(content_type, "boundary")?)?,
            at: At::Body,
            text: Vec::new(),
            field: None,
            head_bytes: 0,
        })
    }

    /// Looks only for those fields, one bit each.
    #[must_use]
    pub(super) fn only(mut self, wanted: u8) -> Self {
        self.slots = self.slots.only(wanted);
        self
    }

    /// Looks at the next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) -> Progress {
        let mut rest = piece;
        while !rest.is_empty() && !self.slots.is_complete() {
            rest = match self.at {
                At::Body => self.in_body(rest),
                At::Mark(dashes) => self.behind_boundary(rest, dashes),
                At::Head => self.in_head(rest),
                At::End => break,
            };
        }
        let done = matches!(self.at, At::End) || self.slots.is_complete();
        if done { Progress::Done } else { Progress::NeedMore }
    }

    /// The value of a field, by its number: the last one that was seen, if it may be a name.
    #[must_use]
    pub fn value(&self, field: usize) -> Option<&str> {
        self.slots.value(field)
    }

    /// What has been noticed so far.
    #[must_use]
    pub const fn flags(&self) -> ScanFlags {
        self.slots.flags
    }

    fn malformed<'b>(&mut self) -> &'b [u8] {
        self.slots.flags.malformed = true;
        self.at = At::End;
        &[]
    }

    fn in_body<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (kept, value, bytes_max) = (self.field.is_some(), &mut self.text, self.slots.value_bytes_max);
        let end = self.boundary.find(bytes, |run| {
            if kept {
                // One byte more than allowed: it will be found too long.
                let room = (bytes_max + 1).saturating_sub(value.len());
                value.extend_from_slice(run.get(..room).unwrap_or(run));
            }
        });
        let Some(rest) = end else { return &[] };
        self.value_ends();
        self.at = At::Mark(0);
        rest
    }

    fn value_ends(&mut self) {
        let value = mem::take(&mut self.text);
        let Some(field) = self.field.take() else { return };
        let too_long = value.len() > self.slots.value_bytes_max;
        let text = std::str::from_utf8(&value).ok().filter(|_| !too_long);
        self.slots.flags.too_long |= too_long;
        self.slots.flags.malformed |= text.is_none() && !too_long;
        self.slots.set(field, text.and_then(|text| ModelName::new(text, self.slots.value_bytes_max)));
    }

    /// `--` ends the body, a line break begins a part; blanks before it are allowed.
    fn behind_boundary<'b>(&mut self, bytes: &'b [u8], dashes: u8) -> &'b [u8] {
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        self.at = match (byte, dashes) {
            (b'-', 0) => At::Mark(1),
            (b'-', 1) => At::End,
            (b' ' | b'\t' | b'\r', 0) => At::Mark(0),
            (b'\n', 0) => {
                self.head_bytes = 0;
                At::Head
            }
            _ => return self.malformed(),
        };
        rest
    }

    fn in_head<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let end = memchr::memchr(b'\n', bytes);
        let (line, rest) = end.and_then(|end| bytes.split_at_checked(end + 1)).unwrap_or((bytes, &[]));
        self.head_bytes += line.len();
        if self.head_bytes > HEAD_BYTES_MAX || self.text.len() + line.len() > LINE_BYTES_MAX {
            return self.malformed();
        }
        self.text.extend_from_slice(line);
        if end.is_some() {
            let line = mem::take(&mut self.text);
            self.line_ends(line.trim_ascii());
        }
        rest
    }

    fn line_ends(&mut self, line: &[u8]) {
        if line.is_empty() {
            self.at = At::Body;
            // The line break before a boundary belongs to it, also when the part is empty.
            self.boundary.begin_after_line_break();
            return;
        }
        if let Some(name) = disposition::field_name(line) {
            self.field = self.slots.find(|key| key.as_bytes() == name);
        }
    }
}

#[cfg(test)]
mod tests;
