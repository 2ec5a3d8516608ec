//! Finds up to four fields of a form (`application/x-www-form-urlencoded`) in a body that comes in pieces: `a=1&model=x`.
//!
//! A field that is there twice counts with its last value, as in the form readers of Starlette and Django. Names and values are decoded
//! as in a query. Memory: one name and one value on their way, three times as long as allowed (a byte may be written with three).
//! Time is linear; however the body is cut, the answer is the same.
//!
//! Only the body's end tells that its last field is whole, so that one counts only after [`FormScanner::end`].

use memchr::memchr2;

use super::body::{Progress, ScanFlags};
use super::decode;
use super::name::ModelName;
use super::slots::Slots;

/// A scan of one body.
#[derive(Debug)]
pub struct FormScanner<'k> {
    slots: Slots<'k>,
    /// The name that is being read, or the value of a field that is looked for.
    text: Vec<u8>,
    at: At,
}

#[derive(Debug, Clone, Copy)]
enum At {
    Name,
    /// In the value of this field; none if nobody looks for it.
    Value(Option<u8>),
}

impl<'k> FormScanner<'k> {
    /// A scan for these fields; more than four are not looked for. A longer value than `value_bytes_max` is none.
    pub fn new(fields: impl IntoIterator<Item = &'k str>, value_bytes_max: usize) -> Self {
        Self { slots: Slots::new(fields, value_bytes_max), text: Vec::new(), at: At::Name }
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
        while !rest.is_empty() {
            if self.slots.is_complete() {
                return Progress::Done;
            }
            // In a name also `=` ends; in a value it is a byte like another.
            let mark = if matches!(self.at, At::Name) { b'=' } else { b'&' };
            let end = memchr2(b'&', mark, rest);
            let (run, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            self.take(run);
            let Some((mark, after)) = after.split_first() else { break };
            match self.at {
                At::Name if *mark == b'=' => self.name_ends(),
                // A name without a value has an empty one.
                At::Name => {
                    self.name_ends();
                    self.value_ends();
                }
                At::Value(_) => self.value_ends(),
            }
            rest = after;
        }
        if self.slots.is_complete() { Progress::Done } else { Progress::NeedMore }
    }

    /// The body is at its end.
    pub fn end(&mut self) {
        if matches!(self.at, At::Name) {
            self.name_ends();
        }
        self.value_ends();
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

    fn take(&mut self, run: &[u8]) {
        if let At::Value(None) = self.at {
            return;
        }
        let longest = self.slots.keys.iter().map(|key| key.len()).max().unwrap_or(0);
        let decoded = if matches!(self.at, At::Name) { longest } else { self.slots.value_bytes_max };
        // One byte more than can mean something: it will be found too long.
        let room = (3 * decoded + 1).saturating_sub(self.text.len());
        self.text.extend_from_slice(run.get(..room).unwrap_or(run));
    }

    fn name_ends(&mut self) {
        self.at = At::Value(self.slots.find(|key| decode::query_is(&self.text, key)));
        self.text.clear();
    }

    fn value_ends(&mut self) {
        if let At::Value(Some(field)) = self.at {
            let value = std::str::from_utf8(&self.text).ok().map(decode::query);
            let name = value.as_ref().and_then(|value| ModelName::new(value, self.slots.value_bytes_max));
            self.slots.flags.malformed |= value.is_none();
            self.slots.flags.too_long |= value.is_some_and(|value| value.len() > self.slots.value_bytes_max);
            self.slots.set(field, name);
        }
        self.at = At::Name;
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Value of `model`, value of `x`, flags.
    fn scan(pieces: &[&[u8]]) -> (Option<String>, Option<String>, ScanFlags) {
        let mut scanner = FormScanner::new(["model", "x y"], 8);
        for piece in pieces {
            scanner.feed(piece);
        }
        scanner.end();
        let value = |field| scanner.value(field).map(str::to_owned);
        (value(0), value(1), scanner.flags())
    }

    #[test]
    fn fields_are_found_decoded_and_the_last_of_two_counts() {
        for (body, model, x) in [
            ("model=a&x+y=b", Some("a"), Some("b")),
            ("b=1&m%6fdel=a%2Fb+c", Some("a/b c"), None),
            ("model=a&model=b", Some("b"), None),
            ("model=a=b", Some("a=b"), None),
            ("model&x%20y=1", None, Some("1")),
            ("models=a&Model=b&=c", None, None),
            ("model=123456789", None, None),
            ("model=%31%32%33%34%35%36%37%38", Some("12345678"), None),
            ("", None, None),
        ] {
            let (found, other, _) = scan(&[body.as_bytes()]);
            assert_eq!((found.as_deref(), other.as_deref()), (model, x), "{body}");
        }
        assert!(scan(&[b"model=a&model=b"]).2.duplicate);
        assert!(scan(&[b"model=123456789"]).2.too_long);
        assert!(scan(&[b"model=\xff"]).2.malformed);
    }

    #[test]
    fn a_field_without_its_end_counts_only_at_the_bodys_end() {
        let mut scanner = FormScanner::new(["model"], 8);
        assert_eq!(scanner.feed(b"a=1&model=ab"), Progress::NeedMore);
        assert_eq!(scanner.value(0), None);
        assert_eq!(scanner.feed(b"c&"), Progress::Done);
        assert_eq!(scanner.value(0), Some("abc"));
    }

    #[test]
    fn memory_is_bounded_by_the_value() {
        let mut scanner = FormScanner::new(["model"], 8);
        scanner.feed(&b"x".repeat(1_000_000));
        scanner.feed(b"=");
        scanner.feed(&b"x".repeat(1_000_000));
        scanner.feed(b"&model=");
        scanner.feed(&b"x".repeat(1_000_000));
        assert!(scanner.text.capacity() < 100);
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_answer_is_the_same(body in "(model|x%20y|[a-z]|[=&+%]|%4[0-9]){0,20}", size in 1_usize..6) {
            let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
            prop_assert_eq!(scan(&pieces), scan(&[body.as_bytes()]), "{}", body);
        }

        #[test]
        fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..100)) {
            scan(&[&body]);
        }
    }
}
