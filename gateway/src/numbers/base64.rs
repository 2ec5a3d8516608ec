//! The text of `bytes` in `{"bytes":"…"}`, decoded from base64 (RFC 4648 §4) as it passes: what a chunk of Bedrock's streams holds.

/// What stands before the text; AWS writes no space there, other JSON writers may.
const KEY: &[u8] = b"\"bytes\"";

/// Bytes decoded at once.
const RUN: usize = 192;

/// A reading that may go on.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    at: At,
    /// Six bits each, and how many of them.
    bits: u32,
    digits: u8,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// So many bytes of the key were there.
    #[default]
    Before,
    Key(usize),
    /// Behind the key, before its text.
    Colon,
    Text,
    /// Behind the text, or in something that is none.
    Behind,
}

impl Chunk {
    /// Reads on, and hands on what was decoded.
    pub(super) fn feed(&mut self, bytes: &[u8], mut decoded: impl FnMut(&[u8])) {
        let (mut run, mut len) = ([0; RUN], 0);
        for byte in bytes {
            if self.at == At::Text && *byte != b'"' {
                let Some(digit) = digit(*byte) else { continue };
                self.bits = self.bits << 6 | u32::from(digit);
                self.digits += 1;
                if self.digits == 4 {
                    let [_, three @ ..] = self.bits.to_be_bytes();
                    if let Some(place) = run.get_mut(len..len + 3) {
                        place.copy_from_slice(&three);
                    }
                    (self.bits, self.digits, len) = (0, 0, len + 3);
                    if len == RUN {
                        decoded(&run);
                        len = 0;
                    }
                }
            } else {
                if self.at == At::Text {
                    let (last, count) = self.last();
                    decoded(run.get(..len).unwrap_or_default());
                    decoded(last.get(..count).unwrap_or_default());
                    len = 0;
                }
                self.step(*byte);
            }
        }
        if len > 0 {
            decoded(run.get(..len).unwrap_or_default());
        }
    }

    /// What begins next is another chunk.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    fn step(&mut self, byte: u8) {
        self.at = match self.at {
            At::Before if byte == b'"' => At::Key(1),
            At::Key(seen) if KEY.get(seen) == Some(&byte) => {
                if seen + 1 == KEY.len() {
                    At::Colon
                } else {
                    At::Key(seen + 1)
                }
            }
            At::Key(_) if byte == b'"' => At::Key(1),
            At::Key(_) => At::Before,
            At::Colon if byte == b'"' => At::Text,
            At::Colon if byte == b':' || byte.is_ascii_whitespace() => At::Colon,
            At::Colon | At::Text | At::Behind => At::Behind,
            At::Before => At::Before,
        };
    }

    /// The one or two bytes of the last digits, which padding may follow.
    const fn last(&self) -> ([u8; 2], usize) {
        match self.digits {
            2 => ([(self.bits >> 4) as u8, 0], 1),
            3 => ([(self.bits >> 10) as u8, (self.bits >> 2) as u8], 2),
            _ => ([0, 0], 0),
        }
    }
}

/// The six bits of a digit; none of padding, and of what JSON escapes (`\/` is `/`).
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut chunk, mut out) = (Chunk::default(), Vec::new());
        pieces.iter().for_each(|piece| chunk.feed(piece, |bytes| out.extend_from_slice(bytes)));
        out
    }

    #[test]
    fn the_bytes_of_a_chunk_are_decoded_and_nothing_else_is() {
        for (text, bytes) in [
            (r#"{"bytes":"eyJhIjoxfQ=="}"#, &b"{\"a\":1}"[..]),
            (r#"{"p":"abcd","bytes": "YWI=","q":"YWI="}"#, b"ab"),
            (r#"{"bytes":"YW\/jYQ"}"#, b"ao\xe3a"),
            (r#"{"bytes":""}"#, b""),
            (r#"{"bytes":5,"x":"YWI="}"#, b""),
            (r#"{"xbytes":"YWI="}"#, b""),
        ] {
            assert_eq!(decode(&[text.as_bytes()]), bytes, "{text}");
        }
    }

    fn encode(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for three in bytes.chunks(3) {
            let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
                << (8 * (3 - three.len()));
            for digit in 0..=three.len() {
                out.push(char::from(DIGITS[bits >> (18 - 6 * digit) & 63]));
            }
            out.extend(std::iter::repeat_n('=', 3 - three.len()));
        }
        out
    }

    proptest! {
        #[test]
        fn any_bytes_come_out_whole_however_they_are_cut(bytes in prop::collection::vec(any::<u8>(), 0..700), cut in 1..97_usize) {
            let text = format!("{{\"bytes\":\"{}\",\"p\":\"abc\"}}", encode(&bytes));
            let pieces: Vec<_> = text.as_bytes().chunks(cut).collect();
            prop_assert_eq!(decode(&pieces), bytes);
        }
    }
}
