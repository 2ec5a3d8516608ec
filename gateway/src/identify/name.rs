//! The name of a model as a request says it: owned, since it outlives the head it came from, and cheap to move.
//!
//! Names of up to 24 bytes are kept inline; a longer one costs one allocation. Nothing is trimmed or folded: two spellings are two
//! models. Control characters may be in it; whoever prints it escapes.

use std::fmt;
use std::ops::Deref;

use compact_str::{CompactString, ToCompactString};

/// A model's name: not empty, and within the configured length (`identify.model_name_bytes_max`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName(CompactString);

impl ModelName {
    /// The name, if it is one: neither empty nor longer than `bytes_max`.
    #[must_use]
    pub fn new(text: &str, bytes_max: usize) -> Option<Self> {
        (!text.is_empty() && text.len() <= bytes_max).then(|| Self(CompactString::new(text)))
    }

    /// A number's digits.
    pub(super) fn number(number: i64) -> Self {
        Self(number.to_compact_string())
    }

    /// Makes letters A to Z small.
    pub(super) fn make_lowercase(&mut self) {
        self.0.make_ascii_lowercase();
    }

    /// Takes so many bytes off the beginning, which must be whole letters and not all of it; else nothing.
    pub(super) fn cut_front(&mut self, bytes: usize) {
        if self.0.is_char_boundary(bytes) && bytes < self.0.len() {
            self.0.drain(..bytes);
        }
    }

    /// The same at the end.
    pub(super) fn cut_back(&mut self, bytes: usize) {
        let rest = self.0.len().saturating_sub(bytes);
        if self.0.is_char_boundary(rest) && rest > 0 {
            self.0.truncate(rest);
        }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Deref for ModelName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for ModelName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<str> for ModelName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for ModelName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_overlong_text_is_no_name_and_everything_else_is_kept_as_it_is() {
        assert_eq!(ModelName::new("", 256), None);
        assert_eq!(ModelName::new("abcde", 4), None);
        for text in [" a ", "a\u{1}b", "dir/m.tar.gz", "модель", "A"] {
            assert_eq!(ModelName::new(text, 256).unwrap(), text);
        }
    }

    #[test]
    fn a_name_takes_the_room_of_three_words() {
        assert_eq!(size_of::<Option<ModelName>>(), 24);
    }
}
