//! Searching for the boundary of a multipart body that comes in pieces.

use memchr::memmem::Finder;
use memchr::memrchr;

/// The longest boundary that is looked for. RFC 2046 §5.1.1 allows 70; some writers take more.
const BOUNDARY_BYTES_MAX: usize = 256;

/// A search for `CR LF -- boundary`.
///
/// Its first byte, the carriage return, stands nowhere else in it. So what has matched of it so far can begin nowhere else either, and a
/// search that fails need not go back.
#[derive(Debug)]
pub(super) struct Boundary {
    finder: Finder<'static>,
    /// Bytes of it that have matched so far.
    matched: usize,
    /// So many of them stood before the text that is searched: they are not given away.
    before: usize,
}

impl Boundary {
    /// A search from the beginning of a body, where no line break stands before the first boundary. None for an impossible boundary.
    pub(super) fn new(boundary: &[u8]) -> Option<Self> {
        let possible = !boundary.is_empty()
            && boundary.len() <= BOUNDARY_BYTES_MAX
            && !boundary.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
        possible.then(|| Self {
            finder: Finder::new(&[b"\r\n--", boundary].concat()).into_owned(),
            matched: 2,
            before: 2,
        })
    }

    /// A line break stands before what comes next.
    pub(super) const fn begin_after_line_break(&mut self) {
        (self.matched, self.before) = (2, 2);
    }

    /// Gives away what stands before the boundary. Returns what follows it, if it is here.
    pub(super) fn find<'b>(&mut self, bytes: &'b [u8], mut take: impl FnMut(&[u8])) -> Option<&'b [u8]> {
        let needle = self.finder.needle();
        if self.matched > 0 {
            let left = needle.get(self.matched..).unwrap_or_default();
            if let Some(rest) = bytes.strip_prefix(left) {
                (self.matched, self.before) = (0, 0);
                return Some(rest);
            }
            if left.starts_with(bytes) {
                self.matched += bytes.len();
                return None;
            }
            take(needle.get(self.before..self.matched).unwrap_or_default());
            (self.matched, self.before) = (0, 0);
        }
        if let Some((before, rest)) = self.finder.find(bytes).and_then(|place| bytes.split_at_checked(place))
        {
            take(before);
            return rest.get(needle.len()..);
        }
        let begun = memrchr(b'\r', bytes).and_then(|place| bytes.split_at_checked(place));
        let begun = begun.filter(|(_, end)| needle.starts_with(end));
        let (before, end) = begun.unwrap_or((bytes, &[]));
        take(before);
        self.matched = end.len();
        None
    }
}
