//! Finds the end of a message's head as its bytes come, strictly: every line ends with CR LF and holds no other CR or LF.
//!
//! RFC 9112 §2.2 lets a recipient take a bare LF for a line's end; whoever does reads another message than whoever does not, so it is
//! refused. Each byte is looked at once, however many reads a head takes.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memmem};

/// Behind the last field. Made once: making it costs more than finding it.
static EMPTY_LINE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\r\n\r\n"));

/// Why bytes are not the head of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// Not HTTP, or HTTP that can be read in two ways.
    #[error("{0}")]
    Malformed(&'static str),
    /// More bytes than allowed.
    #[error("the head is too large")]
    TooLarge,
    /// More fields than allowed.
    #[error("too many header fields")]
    TooMany,
    /// The request line is longer than allowed.
    #[error("the request line is too long")]
    LineTooLong,
    /// A version that is not spoken here.
    #[error("only HTTP/1.0 and HTTP/1.1 are spoken here")]
    Version,
    /// A transfer coding that is not known here.
    #[error("only the transfer coding chunked is known")]
    Coding,
    /// An expectation that is not known here.
    #[error("only the expectation 100-continue is known")]
    Expectation,
    /// A method that a gateway does not serve.
    #[error("CONNECT and TRACE are not served")]
    Method,
}

/// The state of a search for the end of a head.
#[derive(Debug, Default, Clone, Copy)]
pub struct Scan {
    looked: usize,
    line: usize,
}

/// How long a head may be.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// All of it.
    pub bytes_max: usize,
    /// The first line.
    pub line_bytes_max: usize,
    /// Fields.
    pub fields_max: usize,
}

impl Scan {
    /// Looks at what is new in `bytes`, which begin with the head's first byte. The length of the whole head, its empty line
    /// included, once that is there.
    ///
    /// # Errors
    /// [`BadHead`] as soon as it is certain.
    pub fn end(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, BadHead> {
        if self.looked == 0 && bytes.starts_with(b"\r\n") {
            // A section without a field; another message may stand behind it.
            return Ok(Some(2));
        }
        if self.looked == 0
            && let Some(end) = EMPTY_LINE.find(bytes).map(|at| at + 4)
            && end <= limits.bytes_max
            && end <= limits.line_bytes_max
            && let Some(head) = bytes.get(..end)
            && are_lines_plain(head)
        {
            return Ok(Some(end));
        }
        self.end_by_lines(bytes, limits)
    }

    /// The same, line by line: heads that come in parts, and faults.
    fn end_by_lines(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, BadHead> {
        let fresh = bytes.get(self.looked..).unwrap_or_default();
        for at in memchr_iter(b'\n', fresh) {
            let at = self.looked + at;
            let line = bytes.get(self.line..at).unwrap_or_default();
            let Some((b'\r', line)) = line.split_last() else {
                return Err(BadHead::Malformed("a line ends without CR"));
            };
            if memchr(b'\r', line).is_some() {
                return Err(BadHead::Malformed("a CR within a line"));
            }
            if self.line == 0 && line.len() > limits.line_bytes_max {
                return Err(BadHead::LineTooLong);
            }
            self.line = at + 1;
            if line.is_empty() {
                return if at < limits.bytes_max { Ok(Some(at + 1)) } else { Err(BadHead::TooLarge) };
            }
        }
        self.looked = bytes.len();
        if self.line == 0 && bytes.len() > limits.line_bytes_max + 2 {
            return Err(BadHead::LineTooLong);
        }
        if bytes.len() > limits.bytes_max { Err(BadHead::TooLarge) } else { Ok(None) }
    }
}

/// Whether every CR is followed by LF and every LF preceded by CR. Without a branch in the loop, so that it is done many bytes at a time.
fn are_lines_plain(head: &[u8]) -> bool {
    let rest = head.get(1..).unwrap_or_default();
    let odd = head
        .iter()
        .zip(rest)
        .fold(0_u8, |odd, (one, next)| odd | u8::from((*one == b'\r') != (*next == b'\n')));
    odd == 0 && head.first() != Some(&b'\n')
}

/// Whether a byte may stand in a method or a field's name (RFC 9110 §5.6.2).
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes_max: 64, line_bytes_max: 32, fields_max: 8 };

    fn whole(bytes: &[u8]) -> Result<Option<usize>, BadHead> {
        Scan::default().end(bytes, &LIMITS)
    }

    #[test]
    fn the_end_is_found_at_the_empty_line_however_the_bytes_come() {
        let head = b"GET / HTTP/1.1\r\nhost: a\r\n\r\nmore";
        assert_eq!(whole(head), Ok(Some(27)));
        let mut scan = Scan::default();
        for until in 0..27 {
            assert_eq!(scan.end(&head[..until], &LIMITS), Ok(None), "{until}");
        }
        assert_eq!(scan.end(&head[..27], &LIMITS), Ok(Some(27)));
    }

    #[test]
    fn bare_line_ends_are_refused_as_soon_as_they_come() {
        assert!(matches!(whole(b"GET / HTTP/1.1\n"), Err(BadHead::Malformed(_))));
        assert!(matches!(whole(b"\n"), Err(BadHead::Malformed(_))));
        assert!(matches!(whole(b"GET / HTTP/1.1\r\na: b\rc\r\n"), Err(BadHead::Malformed(_))));
    }

    #[test]
    fn too_long_is_said_before_the_end_has_come() {
        assert_eq!(whole(&[b'a'; 35]), Err(BadHead::LineTooLong));
        let mut long = b"GET / HTTP/1.1\r\n".to_vec();
        long.extend([b'a'; 60]);
        assert_eq!(whole(&long), Err(BadHead::TooLarge));
    }
}
