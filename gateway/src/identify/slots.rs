//! What the scanners of bodies share: the keys that are looked for, and what has been found.

use super::body::ScanFlags;
use super::name::ModelName;
use super::source::KEYS_MAX;

/// Keys and values of one scan.
#[derive(Debug)]
pub(super) struct Slots<'k> {
    pub(super) keys: [&'k str; KEYS_MAX],
    /// One bit for every key that is looked for, and for every one that has been seen.
    wanted: u8,
    seen: u8,
    /// Keys that are not worth reading on for.
    optional: u8,
    values: [Option<ModelName>; KEYS_MAX],
    /// The longest value that is one.
    pub(super) value_bytes_max: usize,
    pub(super) flags: ScanFlags,
}

impl<'k> Slots<'k> {
    /// For these keys; those beyond four are not looked for.
    pub(super) fn new(keys: impl IntoIterator<Item = &'k str>, value_bytes_max: usize) -> Self {
        let mut places = [""; KEYS_MAX];
        let mut wanted = 0;
        for (i, (place, key)) in places.iter_mut().zip(keys).enumerate() {
            *place = key;
            wanted |= 1 << i;
        }
        Self {
            keys: places,
            wanted,
            seen: 0,
            optional: 0,
            values: [const { None }; KEYS_MAX],
            value_bytes_max,
            flags: ScanFlags::default(),
        }
    }

    /// Looks only for those keys, one bit each.
    pub(super) const fn only(mut self, wanted: u8) -> Self {
        self.wanted &= wanted;
        self
    }

    /// Does not look far for those keys, one bit each.
    pub(super) const fn optional(mut self, optional: u8) -> Self {
        self.optional = optional;
        self
    }

    /// Whether this key is one of those.
    pub(super) const fn is_optional(&self, key: u8) -> bool {
        self.optional >> key & 1 == 1
    }

    /// Whether all others have been seen.
    pub(super) const fn has_all_but_optional(&self) -> bool {
        let needed = self.wanted & !self.optional;
        self.seen & needed == needed
    }

    /// From here on nobody looks for those that have not been seen.
    pub(super) const fn give_up_optional(&mut self) {
        self.wanted &= self.seen | !self.optional;
    }

    /// The keys that are looked for, one bit each.
    pub(super) const fn wanted(&self) -> u8 {
        self.wanted
    }

    /// Whether all have been seen.
    pub(super) const fn is_complete(&self) -> bool {
        self.seen & self.wanted == self.wanted
    }

    /// The number of a key that is looked for.
    pub(super) fn find(&self, is_it: impl Fn(&str) -> bool) -> Option<u8> {
        let found = |i: &usize| self.wanted >> i & 1 == 1 && self.keys.get(*i).is_some_and(|key| is_it(key));
        (0..KEYS_MAX).find(found).and_then(|i| u8::try_from(i).ok())
    }

    /// A key's value, by its number: the last one that was seen, if it may be a name.
    pub(super) fn value(&self, key: usize) -> Option<&str> {
        self.values.get(key)?.as_deref()
    }

    /// A key has been seen with this value; one that is empty, too long or no text is none.
    pub(super) fn set(&mut self, key: u8, value: Option<ModelName>) {
        self.flags.duplicate |= self.seen >> key & 1 == 1;
        self.seen |= 1 << key;
        if let Some(place) = self.values.get_mut(usize::from(key)) {
            *place = value;
        }
    }
}
