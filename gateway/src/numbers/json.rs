//! Reads JSON as it passes and tells what stands at certain places. One value after another; any split gives the same.
//!
//! It is no validator: what it need not understand it skips, a nested value by counting its brackets. Memory is fixed: 16 levels on the
//! way to a place, one word of 40 bytes; deeper values and longer words are at no place. Malformed text ends the reading up to
//! [`Scan::reset`].

use memchr::{memchr2, memchr3};
use weir_config::USAGE_WORD_BYTES_MAX as WORD_MAX;

use super::places::{NodeId, Places, Roles};

/// Objects and arrays on the way to a place: six keys, with an array around each and some to spare.
const LEVELS_MAX: usize = 16;

/// Who is told.
pub(super) trait Sink {
    /// A whole number that is not negative.
    fn number(&mut self, roles: Roles, number: u64);
    /// Anything that is not null, false, an empty text or a number.
    fn something(&mut self, roles: Roles, is_text: bool);
}

/// A reading that may go on.
#[derive(Debug)]
pub(super) struct Scan {
    state: State,
    levels: [Level; LEVELS_MAX],
    depth: usize,
    word: [u8; WORD_MAX],
    /// One more than fits: too long.
    word_len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    node: NodeId,
    is_array: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Before a value of that place.
    Value(NodeId),
    /// Before a key, or the end of the object.
    Key,
    /// Within a key.
    InKey(Quoted),
    /// Between a key and its value.
    Colon(NodeId),
    /// Within a text; whether it was seen not to be empty.
    InText(NodeId, Quoted, bool),
    /// Within a number, `true`, `false` or `null`.
    InScalar(NodeId, Scalar),
    /// Behind a value.
    After,
    /// Within a value that is at no place: brackets still open, of the kind that it began with, and whether in a text.
    Skip(u32, Bracket, Option<Quoted>),
    /// Malformed.
    Lost,
}

#[derive(Debug, Clone, Copy)]
enum Quoted {
    Plain,
    /// The next byte is escaped.
    Escaped,
}

#[derive(Debug, Clone, Copy)]
enum Scalar {
    /// So far.
    Whole(u64),
    /// A number that is not whole, negative or too large.
    OtherNumber,
    /// `true`.
    True,
    /// `false` or `null`.
    Nothing,
}

#[derive(Debug, Clone, Copy)]
enum Bracket {
    Curly,
    Square,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            state: State::Value(NodeId::ROOT),
            levels: [Level { node: NodeId::NOWHERE, is_array: false }; LEVELS_MAX],
            depth: 0,
            word: [0; WORD_MAX],
            word_len: 0,
        }
    }
}

impl Scan {
    /// Begins anew.
    pub(super) const fn reset(&mut self) {
        self.state = State::Value(NodeId::ROOT);
        self.depth = 0;
    }

    /// Whether the text was malformed since it began.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Reads on.
    pub(super) fn feed(&mut self, bytes: &[u8], places: &Places, sink: &mut impl Sink) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            let used = match self.state {
                State::Skip(open, bracket, quoted) => self.skip(rest, open, bracket, quoted),
                State::InText(node, quoted, is_told) => {
                    self.text(rest, (node, quoted, is_told), places, sink)
                }
                State::InKey(quoted) => self.key(rest, quoted, places),
                State::InScalar(node, scalar) => self.scalar(byte, node, scalar, places, sink),
                State::Lost => return,
                _ if byte.is_ascii_whitespace() => 1,
                State::Value(node) => self.value(byte, node, places, sink),
                State::Key => self.before_key(byte),
                State::Colon(node) => {
                    self.state = if byte == b':' { State::Value(node) } else { State::Lost };
                    1
                }
                State::After => self.after(byte),
            };
            rest = if used == 1 { after } else { rest.get(used..).unwrap_or_default() };
        }
    }

    /// The text has ended: a number that reached its end is one.
    pub(super) fn end(&mut self, places: &Places, sink: &mut impl Sink) {
        self.feed(b"\n", places, sink);
    }

    fn value(&mut self, byte: u8, node: NodeId, places: &Places, sink: &mut impl Sink) -> usize {
        self.state = match byte {
            b'"' => {
                self.word_len = 0;
                State::InText(node, Quoted::Plain, false)
            }
            b'{' | b'[' => return self.open(byte == b'[', node, places, sink),
            b'0'..=b'9' => State::InScalar(node, Scalar::Whole(u64::from(byte - b'0'))),
            b'-' => State::InScalar(node, Scalar::OtherNumber),
            b't' => State::InScalar(node, Scalar::True),
            b'f' | b'n' => State::InScalar(node, Scalar::Nothing),
            // The end of an empty array.
            b']' => return self.close(true),
            _ => State::Lost,
        };
        1
    }

    fn open(&mut self, is_array: bool, node: NodeId, places: &Places, sink: &mut impl Sink) -> usize {
        let roles = places.roles(node);
        if !roles.is_empty() {
            sink.something(roles, false);
        }
        if places.is_leaf(node) || self.depth >= LEVELS_MAX {
            let bracket = if is_array { Bracket::Square } else { Bracket::Curly };
            self.state = State::Skip(1, bracket, None);
            return 1;
        }
        if let Some(level) = self.levels.get_mut(self.depth) {
            *level = Level { node, is_array };
            self.depth += 1;
        }
        self.state = if is_array { State::Value(node) } else { State::Key };
        1
    }

    fn close(&mut self, is_array: bool) -> usize {
        self.state = match self.level() {
            Some(level) if level.is_array == is_array => {
                self.depth -= 1;
                self.behind()
            }
            _ => State::Lost,
        };
        1
    }

    fn level(&self) -> Option<Level> {
        self.depth.checked_sub(1).and_then(|at| self.levels.get(at)).copied()
    }

    /// What follows a value: at the top the next one.
    const fn behind(&self) -> State {
        if self.depth == 0 { State::Value(NodeId::ROOT) } else { State::After }
    }

    fn after(&mut self, byte: u8) -> usize {
        match (byte, self.level()) {
            (b',', Some(Level { node, is_array: true })) => self.state = State::Value(node),
            (b',', Some(_)) => self.state = State::Key,
            (b'}', _) => return self.close(false),
            (b']', _) => return self.close(true),
            _ => self.state = State::Lost,
        }
        1
    }

    fn before_key(&mut self, byte: u8) -> usize {
        match byte {
            b'"' => {
                self.word_len = 0;
                self.state = State::InKey(Quoted::Plain);
            }
            b'}' => return self.close(false),
            _ => self.state = State::Lost,
        }
        1
    }

    fn key(&mut self, rest: &[u8], quoted: Quoted, places: &Places) -> usize {
        let Some(byte) = rest.first() else { return 0 };
        self.state = match (quoted, *byte) {
            // An escaped key is at no place: no server writes a plain letter so.
            (Quoted::Escaped, _) => State::InKey(Quoted::Plain),
            (Quoted::Plain, b'\\') => {
                self.word_len = WORD_MAX + 1;
                State::InKey(Quoted::Escaped)
            }
            (Quoted::Plain, b'"') => {
                let node = self.level().map_or(NodeId::NOWHERE, |level| level.node);
                State::Colon(self.word().map_or(NodeId::NOWHERE, |word| places.child(node, word)))
            }
            (Quoted::Plain, _) => {
                let used = past_plain(rest);
                self.push(rest.get(..used).unwrap_or_default());
                return used;
            }
        };
        1
    }

    fn text(
        &mut self,
        rest: &[u8],
        (node, quoted, is_told): (NodeId, Quoted, bool),
        places: &Places,
        sink: &mut impl Sink,
    ) -> usize {
        let roles = places.roles(node);
        let Some(byte) = rest.first() else { return 0 };
        if matches!(quoted, Quoted::Plain) && *byte == b'"' {
            if places.has_texts(node)
                && let Some(word) = self.word()
            {
                let roles = places.roles_of_text(node, word);
                if !roles.is_empty() {
                    sink.something(roles, true);
                }
            }
            self.state = self.behind();
            return 1;
        }
        if !is_told && !roles.is_empty() {
            sink.something(roles, true);
        }
        if places.has_texts(node) {
            // Byte by byte, since the word is wanted; one with an escape is none.
            let next = match (quoted, *byte) {
                (Quoted::Plain, b'\\') => Quoted::Escaped,
                _ => Quoted::Plain,
            };
            if matches!((quoted, next), (Quoted::Plain, Quoted::Plain)) {
                self.push(std::slice::from_ref(byte));
            } else {
                self.word_len = WORD_MAX + 1;
            }
            self.state = State::InText(node, next, true);
            return 1;
        }
        let (used, quoted) = past_text(rest, quoted);
        self.state = State::InText(node, quoted, true);
        used
    }

    fn scalar(
        &mut self,
        byte: u8,
        node: NodeId,
        scalar: Scalar,
        places: &Places,
        sink: &mut impl Sink,
    ) -> usize {
        let next = match (scalar, byte) {
            (Scalar::Whole(number), b'0'..=b'9') => {
                let more = number.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(byte - b'0')));
                more.map_or(Scalar::OtherNumber, Scalar::Whole)
            }
            (Scalar::Whole(_) | Scalar::OtherNumber, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') => {
                Scalar::OtherNumber
            }
            (Scalar::True | Scalar::Nothing, b'a'..=b'z') => scalar,
            _ => {
                let roles = places.roles(node);
                match scalar {
                    Scalar::Whole(number) if !roles.is_empty() => sink.number(roles, number),
                    Scalar::True if !roles.is_empty() => sink.something(roles, false),
                    _ => {}
                }
                self.state = self.behind();
                // The byte is not of the scalar.
                return 0;
            }
        };
        self.state = State::InScalar(node, next);
        1
    }

    fn skip(&mut self, rest: &[u8], open: u32, bracket: Bracket, quoted: Option<Quoted>) -> usize {
        if let Some(quoted) = quoted {
            if matches!((quoted, rest.first()), (Quoted::Plain, Some(b'"'))) {
                self.state = State::Skip(open, bracket, None);
                return 1;
            }
            let (used, quoted) = past_text(rest, quoted);
            self.state = State::Skip(open, bracket, Some(quoted));
            return used;
        }
        let (opening, closing) = match bracket {
            Bracket::Curly => (b'{', b'}'),
            Bracket::Square => (b'[', b']'),
        };
        let Some(at) = memchr3(b'"', opening, closing, rest) else { return rest.len() };
        let found = rest.get(at).copied().unwrap_or_default();
        self.state = if found == b'"' {
            State::Skip(open, bracket, Some(Quoted::Plain))
        } else if found == opening {
            // Counting to the end of the number's range takes four gigabytes of brackets.
            State::Skip(open.saturating_add(1), bracket, None)
        } else if open > 1 {
            State::Skip(open - 1, bracket, None)
        } else {
            self.behind()
        };
        at + 1
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.word_len + bytes.len();
        if let Some(place) = self.word.get_mut(self.word_len..end) {
            place.copy_from_slice(bytes);
        }
        self.word_len = end.min(WORD_MAX + 1);
    }

    /// The word, if it fits.
    fn word(&self) -> Option<&[u8]> {
        self.word.get(..self.word_len)
    }
}

/// How many bytes of a key come before its end or an escape, of which at least the first does. Keys are short: a loop is quicker than
/// a call.
fn past_plain(rest: &[u8]) -> usize {
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

/// Goes on within a text up to its closing quote, which is left; says how far, and whether the next byte is escaped.
fn past_text(rest: &[u8], quoted: Quoted) -> (usize, Quoted) {
    if matches!(quoted, Quoted::Escaped) {
        return (1, Quoted::Plain);
    }
    match memchr2(b'"', b'\\', rest) {
        None => (rest.len(), Quoted::Plain),
        Some(at) if rest.get(at) == Some(&b'\\') => (at + 1, Quoted::Escaped),
        Some(at) => (at, Quoted::Plain),
    }
}

#[cfg(test)]
mod tests;
