//! Takes a head apart that [`super::head::Scan`] has delimited: its first line, its fields. Each byte is validated once, by what is made
//! of it: a method, a target, a name, a value.

use bytes::Bytes;
use http::header::HeaderValue;
use memchr::memchr;

use super::head::BadHead;
use super::names;
use super::notable::Notable;
use crate::message::HeaderMap;

/// Room for the fields of most heads, and for what a proxy adds.
const FIELDS: usize = 14;

/// The lines of a head, from its first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'b>(&'b [u8]);

impl<'b> Lines<'b> {
    /// The head's bytes, the empty line at its end among them.
    pub(super) fn new(block: &'b [u8]) -> Self {
        Self(block)
    }

    /// The next line without its end; none at the empty one.
    pub(super) fn next(&mut self) -> Result<Option<&'b [u8]>, BadHead> {
        let malformed = BadHead::Malformed("the head is malformed");
        let (line, rest) =
            memchr(b'\r', self.0).and_then(|at| self.0.split_at_checked(at)).ok_or(malformed)?;
        self.0 = rest.strip_prefix(b"\r\n").ok_or(malformed)?;
        if !line.is_empty() {
            return Ok(Some(line));
        }
        if self.0.is_empty() { Ok(None) } else { Err(malformed) }
    }
}

/// Splits at the first such byte.
pub(super) fn split(line: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = line.split_at_checked(memchr(at, line)?)?;
    Some((before, rest.get(1..)?))
}

/// The fields in their order. `lenient`: whitespace before a colon is taken away, as RFC 9112 §5.1 asks of a proxy with an answer.
/// Folded lines are refused (§5.2): none begins with a name.
///
/// # Errors
/// The first fault.
pub(super) fn fields(
    block: &Bytes,
    mut lines: Lines<'_>,
    fields_max: usize,
    lenient: bool,
) -> Result<(HeaderMap, Notable), BadHead> {
    let mut headers = HeaderMap::with_capacity(FIELDS);
    let mut notable = Notable::default();
    while let Some(line) = lines.next()? {
        if headers.len() == fields_max {
            return Err(BadHead::TooMany);
        }
        let (name, value) =
            split(line, b':').ok_or(BadHead::Malformed("a header field's name is malformed"))?;
        let name = names::read(if lenient { trim_end(name) } else { name }, &mut notable)?;
        let value = HeaderValue::from_maybe_shared(block.slice_ref(trim_end(trim_start(value))))
            .map_err(|_| BadHead::Malformed("a header field's value is malformed"))?;
        headers.append(name, value);
    }
    Ok((headers, notable))
}

/// Without optional whitespace (RFC 9110 §5.6.3) at its start.
fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    type Read = Option<Vec<(String, Vec<u8>)>>;

    fn ours(block: &[u8], lenient: bool) -> Read {
        let block = Bytes::copy_from_slice(block);
        let (headers, _) = fields(&block, Lines::new(&block), 8, lenient).ok()?;
        Some(
            headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
                .collect(),
        )
    }

    /// What another parser reads, which takes lines that end without CR.
    fn theirs(block: &[u8]) -> Read {
        let mut room = [httparse::EMPTY_HEADER; 8];
        let Ok(httparse::Status::Complete((length, raw))) = httparse::parse_headers(block, &mut room) else {
            return None;
        };
        (length == block.len())
            .then(|| raw.iter().map(|one| (one.name.to_ascii_lowercase(), one.value.to_vec())).collect())
    }

    #[test]
    fn what_is_taken_reads_as_another_parser_reads_it() {
        const HEAD: &[u8] = b"Host: a\r\nContent-Length:  12\t\r\nx-own:\r\nx_b: \x80 b: c\r\n\r\n";
        const BYTES: &[u8] = b"\r\n\t :\0\x0b\x7f\x80aZ-_,;\"(~";
        let mut random = StdRng::seed_from_u64(7);
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..60_000 {
            let mut head = HEAD.to_vec();
            for _ in 0..random.random_range(0..3) {
                let at = random.random_range(0..head.len());
                let byte = BYTES[random.random_range(0..BYTES.len())];
                match random.random_range(0..3) {
                    0 => head[at] = byte,
                    1 => head.insert(at, byte),
                    _ => drop(head.remove(at)),
                }
            }
            match (ours(&head, false), theirs(&head)) {
                (None, None) => refused += 1,
                (Some(ours), theirs) => {
                    assert_eq!(Some(&ours), theirs.as_ref(), "{:?}", String::from_utf8_lossy(&head));
                    taken += 1;
                }
                // Only for a line's end that is none.
                (None, Some(_)) => {
                    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(&head);
                    let bare = text.iter().enumerate().any(|(i, byte)| {
                        *byte == b'\n' && (i == 0 || text[i - 1] != b'\r')
                            || *byte == b'\r' && text.get(i + 1) != Some(&b'\n')
                    });
                    assert!(bare || !head.ends_with(b"\r\n\r\n"), "{:?}", String::from_utf8_lossy(&head));
                    refused += 1;
                }
            }
        }
        assert!(taken > 10_000 && refused > 10_000, "{taken} taken, {refused} refused");
    }

    #[test]
    fn whitespace_before_a_colon_is_refused_or_taken_away() {
        let head = b"server : a\r\n\r\n";
        assert_eq!(ours(head, false), None);
        assert_eq!(ours(head, true), Some(vec![("server".to_owned(), b"a".to_vec())]));
        assert_eq!(ours(b" server: a\r\n\r\n", true), None);
        assert_eq!(ours(b": a\r\n\r\n", true), None);
        assert_eq!(ours(b"a: b\r\n c: d\r\n\r\n", true), None, "folded");
    }

    #[test]
    fn fields_are_counted() {
        let head = |count: usize| ["a: b\r\n".repeat(count), "\r\n".to_owned()].concat();
        assert_eq!(ours(head(8).as_bytes(), false).unwrap().len(), 8);
        let block = Bytes::from(head(9));
        assert_eq!(fields(&block, Lines::new(&block), 8, false).unwrap_err(), BadHead::TooMany);
    }
}
