//! The bytes of JSON: reading one string that comes in pieces, its escapes undone (RFC 8259 §7) or skipped; finding the next bracket.

use memchr::memchr2;

/// Bytes that are looked at one by one before whole blocks are.
const NEAR: usize = 16;

/// Bytes that are compared at once.
const BLOCK: usize = 64;

/// Who takes a string's text as it comes.
pub(super) trait Sink {
    /// The next bytes, decoded; never half a character that was written as an escape.
    fn push(&mut self, bytes: &[u8]);
}

/// Where a string ended.
#[derive(Debug)]
pub(super) enum TextEnd<'b> {
    /// Behind its quote.
    Ended(&'b [u8]),
    /// Not yet.
    Open,
    /// It is no JSON string: an unknown escape, or a control character that was not escaped.
    Bad,
}

/// A string that is being read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Text {
    escape: Escape,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Escape {
    #[default]
    None,
    Backslash,
    Hex {
        digits: u8,
        value: u16,
    },
}

impl Text {
    /// Nothing of it has been read but whole runs.
    pub(super) const fn is_new(&self) -> bool {
        matches!(self.escape, Escape::None) && self.high.is_none()
    }

    /// Reads on.
    pub(super) fn read<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Sink) -> TextEnd<'b> {
        let mut rest = bytes;
        loop {
            if let Escape::None = self.escape {
                let length = find_mark(rest).unwrap_or(rest.len());
                let Some((run, after)) = rest.split_at_checked(length) else { return TextEnd::Bad };
                if run.iter().any(|byte| *byte < b' ') {
                    return TextEnd::Bad;
                }
                if !run.is_empty() {
                    self.lone(sink);
                    sink.push(run);
                }
                match after.split_first() {
                    None => return TextEnd::Open,
                    Some((b'"', after)) => {
                        self.lone(sink);
                        return TextEnd::Ended(after);
                    }
                    Some((_, after)) => (self.escape, rest) = (Escape::Backslash, after),
                }
            }
            let Some((byte, after)) = rest.split_first() else { return TextEnd::Open };
            rest = after;
            if self.escaped(*byte, sink).is_none() {
                return TextEnd::Bad;
            }
        }
    }

    /// One byte of an escape.
    fn escaped(&mut self, byte: u8, sink: &mut impl Sink) -> Option<()> {
        let Escape::Hex { digits, value } = self.escape else {
            self.escape = Escape::None;
            let plain = match byte {
                b'"' | b'\\' | b'/' => byte,
                b'b' => 0x08,
                b'f' => 0x0C,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'u' => {
                    self.escape = Escape::Hex { digits: 0, value: 0 };
                    return Some(());
                }
                _ => return None,
            };
            self.lone(sink);
            sink.push(&[plain]);
            return Some(());
        };
        let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok())?;
        let value = value << 4 | digit;
        self.escape = Escape::Hex { digits: digits + 1, value };
        if digits == 3 {
            self.escape = Escape::None;
            self.unit(value, sink);
        }
        Some(())
    }

    /// One UTF-16 unit.
    fn unit(&mut self, unit: u16, sink: &mut impl Sink) {
        if let (Some(high), 0xDC00..=0xDFFF) = (self.high, unit) {
            self.high = None;
            let pair = 0x1_0000 + (u32::from(high - 0xD800) << 10 | u32::from(unit - 0xDC00));
            return push_char(pair, sink);
        }
        self.lone(sink);
        if let 0xD800..=0xDBFF = unit {
            self.high = Some(unit);
        } else {
            push_char(u32::from(unit), sink);
        }
    }

    /// A first half that no second half followed.
    fn lone(&mut self, sink: &mut impl Sink) {
        if self.high.take().is_some() {
            push_char(u32::from(char::REPLACEMENT_CHARACTER), sink);
        }
    }
}

fn push_char(code: u32, sink: &mut impl Sink) {
    let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    sink.push(char.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A string's text and what follows its quote, if all of it is here and nothing in it needs undoing.
pub(super) fn whole(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(find_mark(bytes)?)?;
    let (quote, rest) = rest.split_first()?;
    (*quote == b'"' && !text.iter().any(|byte| *byte < b' ')).then_some((text, rest))
}

/// The next quote or backslash. It is mostly near, where a plain search is faster than setting up a wide one.
fn find_mark(bytes: &[u8]) -> Option<usize> {
    let (near, far) = bytes.split_at_checked(NEAR).unwrap_or((bytes, &[]));
    let near = near.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    near.or_else(|| memchr2(b'"', b'\\', far).map(|place| NEAR + place))
}

/// Skips to behind the string's end; none if it is not there yet.
pub(super) fn skip_text<'b>(bytes: &'b [u8], escaped: &mut bool) -> Option<&'b [u8]> {
    let mut rest = bytes;
    let mut place = 0;
    loop {
        if *escaped {
            let (_, after) = rest.split_first()?;
            (rest, *escaped) = (after, false);
        }
        // As far as the last one, so far the next one probably is: prose has an escape a line, JSON within JSON one a word.
        place = if place < NEAR { find_mark(rest)? } else { memchr2(b'"', b'\\', rest)? };
        let (byte, after) = rest.get(place..)?.split_first()?;
        if *byte == b'"' {
            return Some(after);
        }
        (rest, *escaped) = (after, true);
    }
}

/// The next quote or bracket, and what follows it.
pub(super) fn next_structural(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let place = find_structural(bytes)?;
    let (byte, after) = bytes.get(place..)?.split_first()?;
    Some((*byte, after))
}

fn find_structural(bytes: &[u8]) -> Option<usize> {
    // `[` and `{`, `]` and `}` differ in one bit.
    let is_one = |byte: &u8| (*byte | 0x20 == b'{') | (*byte | 0x20 == b'}') | (*byte == b'"');
    // Mostly it is near.
    let (near, far) = bytes.split_at_checked(NEAR).unwrap_or((bytes, &[]));
    if let Some(place) = near.iter().position(is_one) {
        return Some(place);
    }
    // Whole blocks are compared at once: this loop becomes vector instructions.
    let any = |block: &[u8]| block.iter().fold(0, |any, byte| any | u8::from(is_one(byte))) != 0;
    let start = far.chunks(BLOCK).position(any)? * BLOCK;
    let place = far.get(start..)?.iter().position(is_one)?;
    Some(NEAR + start + place)
}
