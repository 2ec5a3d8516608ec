//! AWS's binary event streams (`application/vnd.amazon.eventstream`), as Bedrock and SageMaker stream their answers.
//!
//! A message is a prelude (its length, that of its headers, and a CRC-32 of both), headers, a payload, and a CRC-32 of all before it
//! (Smithy, "Amazon Event Stream Specification"). Nothing is kept but the prelude and the first bytes of two headers' values:
//! `:message-type` says whether it is an event or an exception, `:event-type` which. What the payload holds is told by [`Payload`].
//! Lengths that cannot be, and sums that are not right, end the reading: nobody knows where the next message begins.

use flate2::Crc;

/// The longest message (16 MiB of payload in the specification; AWS's own services send some KiB).
const MESSAGE_MAX: u32 = 25 << 20;

/// The longest headers, by the specification.
const HEADERS_MAX: u32 = 128 << 10;

const PRELUDE: usize = 12;
const SUM: usize = 4;

/// Bytes of a header's name and of its value that are looked at.
const WORD_MAX: usize = 24;

/// A reading that may go on.
#[derive(Debug)]
pub(super) struct EventStream {
    at: At,
    /// The prelude, the sum, or a number of a header, as far as it is here.
    bytes: [u8; PRELUDE],
    len: usize,
    /// Of the message, so far.
    crc: Crc,
    headers_left: u32,
    payload_left: u32,
    name: Word,
    value: Word,
    payload: Payload,
    is_exception: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Prelude,
    /// The length of a header's name, its name of which so many bytes are to come, the type of its value, the value's length.
    NameLength,
    Name(u8),
    Type,
    ValueLength,
    Value(u16),
    Payload,
    Sum,
    Lost,
}

/// What the payload of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// An event of Bedrock's `InvokeModelWithResponseStream`: JSON whose `bytes` are, in base64, a JSON text of the model's own.
    Chunk,
    /// An event of SageMaker's `InvokeEndpointWithResponseStream`: a part of what the container sends.
    Part,
    /// Any other event: JSON.
    Event,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'b> {
    /// Some of a payload.
    Payload(Payload, &'b [u8]),
    /// A message has ended.
    End(Payload),
    /// A message says that the stream has failed.
    Exception,
    /// Nothing yet.
    More,
}

#[derive(Debug, Default, Clone, Copy)]
struct Word {
    bytes: [u8; WORD_MAX],
    len: usize,
}

impl Word {
    fn push(&mut self, more: &[u8]) {
        for byte in more {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = *byte;
            }
            self.len = self.len.saturating_add(1);
        }
    }

    /// Longer ones are no word that is looked for.
    fn is(&self, text: &[u8]) -> bool {
        self.bytes.get(..self.len) == Some(text)
    }
}

impl Default for EventStream {
    fn default() -> Self {
        Self {
            at: At::Prelude,
            bytes: [0; PRELUDE],
            len: 0,
            crc: Crc::new(),
            headers_left: 0,
            payload_left: 0,
            name: Word::default(),
            value: Word::default(),
            payload: Payload::Event,
            is_exception: false,
        }
    }
}

impl EventStream {
    /// Whether what came cannot be a stream of messages.
    pub(super) fn is_lost(&self) -> bool {
        self.at == At::Lost
    }

    /// Whether a message is not whole.
    pub(super) fn is_within(&self) -> bool {
        self.at != At::Prelude || self.len > 0
    }

    /// Reads on; what was read, and what is left.
    pub(super) fn read<'b>(&mut self, bytes: &'b [u8]) -> (Read<'b>, &'b [u8]) {
        match self.at {
            At::Lost => (Read::More, &[]),
            At::Payload => {
                let (run, rest) = split(bytes, self.payload_left);
                self.crc.update(run);
                self.payload_left -= length(run);
                if self.payload_left == 0 {
                    self.at = At::Sum;
                }
                (if self.is_exception { Read::More } else { Read::Payload(self.payload, run) }, rest)
            }
            At::Name(left) => {
                let (run, rest) = self.header_bytes(bytes, left.into());
                self.name.push(run);
                let left = left - u8::try_from(run.len()).unwrap_or(left);
                self.header_goes_on(if left == 0 { At::Type } else { At::Name(left) });
                (Read::More, rest)
            }
            At::Value(left) => {
                let (run, rest) = self.header_bytes(bytes, left.into());
                self.value.push(run);
                let left = left - u16::try_from(run.len()).unwrap_or(left);
                if left == 0 {
                    self.header_ends();
                } else {
                    self.header_goes_on(At::Value(left));
                }
                (Read::More, rest)
            }
            _ => self.number(bytes),
        }
    }

    /// One byte of a number, or of the prelude or the sum.
    fn number<'b>(&mut self, bytes: &'b [u8]) -> (Read<'b>, &'b [u8]) {
        let Some((byte, rest)) = bytes.split_first() else { return (Read::More, bytes) };
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = *byte;
        }
        self.len += 1;
        let is_header = matches!(self.at, At::NameLength | At::Type | At::ValueLength);
        if is_header {
            self.headers_left -= 1;
        }
        if self.at != At::Sum && (self.at != At::Prelude || self.len <= PRELUDE - SUM) {
            self.crc.update(&[*byte]);
        }
        let wanted = match self.at {
            At::Prelude => PRELUDE,
            At::Sum => SUM,
            At::ValueLength => 2,
            _ => 1,
        };
        if self.len < wanted {
            if is_header && self.headers_left == 0 {
                self.at = At::Lost;
            }
            return (Read::More, rest);
        }
        self.len = 0;
        match self.at {
            At::Prelude => self.prelude(),
            At::Sum => return (self.message_ends(), rest),
            At::NameLength => {
                (self.name, self.value) = (Word::default(), Word::default());
                self.header_goes_on(At::Name(*byte));
            }
            At::Type => self.value_begins(*byte),
            _ => {
                let [high, low, ..] = self.bytes;
                match u16::from_be_bytes([high, low]) {
                    0 => self.header_ends(),
                    length => self.header_goes_on(At::Value(length)),
                }
            }
        }
        (Read::More, rest)
    }

    fn prelude(&mut self) {
        let [a, b, c, d, e, f, g, h, sum @ ..] = self.bytes;
        let (total, headers) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        let payload = total.checked_sub(16).and_then(|rest| rest.checked_sub(headers));
        let is_right = self.crc.sum() == u32::from_be_bytes(sum);
        self.crc.update(&sum);
        let Some(payload) = payload.filter(|_| is_right && total <= MESSAGE_MAX && headers <= HEADERS_MAX)
        else {
            self.at = At::Lost;
            return;
        };
        (self.headers_left, self.payload_left) = (headers, payload);
        (self.payload, self.is_exception) = (Payload::Event, false);
        self.at = if headers > 0 { At::NameLength } else { self.behind_headers() };
    }

    /// By the type of a header's value, its length in bytes.
    fn value_begins(&mut self, kind: u8) {
        let next = match kind {
            0 | 1 => return self.header_ends(),
            2 => At::Value(1),
            3 => At::Value(2),
            4 => At::Value(4),
            5 | 8 => At::Value(8),
            6 | 7 => At::ValueLength,
            9 => At::Value(16),
            _ => At::Lost,
        };
        self.header_goes_on(next);
    }

    fn header_bytes<'b>(&mut self, bytes: &'b [u8], left: u32) -> (&'b [u8], &'b [u8]) {
        let (run, rest) = split(bytes, left.min(self.headers_left));
        self.crc.update(run);
        self.headers_left -= length(run);
        (run, rest)
    }

    /// What follows within a header, which no end of all headers may cut.
    fn header_goes_on(&mut self, next: At) {
        self.at = if self.headers_left == 0 || next == At::Name(0) { At::Lost } else { next };
    }

    fn header_ends(&mut self) {
        if self.name.is(b":message-type") {
            self.is_exception |= self.value.is(b"exception") || self.value.is(b"error");
        } else if self.name.is(b":event-type") {
            self.payload = match () {
                () if self.value.is(b"chunk") => Payload::Chunk,
                () if self.value.is(b"PayloadPart") => Payload::Part,
                () => Payload::Event,
            };
        }
        self.at = if self.headers_left > 0 { At::NameLength } else { self.behind_headers() };
    }

    const fn behind_headers(&self) -> At {
        if self.payload_left > 0 { At::Payload } else { At::Sum }
    }

    fn message_ends(&mut self) -> Read<'static> {
        let [a, b, c, d, ..] = self.bytes;
        let is_right = self.crc.sum() == u32::from_be_bytes([a, b, c, d]);
        self.crc.reset();
        self.at = if is_right { At::Prelude } else { At::Lost };
        match () {
            () if !is_right => Read::More,
            () if self.is_exception => Read::Exception,
            () => Read::End(self.payload),
        }
    }
}

fn split(bytes: &[u8], at: u32) -> (&[u8], &[u8]) {
    bytes.split_at_checked(usize::try_from(at).unwrap_or(usize::MAX)).unwrap_or((bytes, &[]))
}

fn length(run: &[u8]) -> u32 {
    u32::try_from(run.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(in crate::numbers) mod tests;
