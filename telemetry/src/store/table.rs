//! Names to slots. Readers look in an immutable map that is swapped as a whole; a new name waits in a small list
//! under a lock until the next tick publishes a new map (copying the map costs 2 ms at 50,000 names, so names are
//! published in batches and never by a request).
//!
//! Names are hostile: they come from clients. Only a name that a backend answered well for, or a configured one, gets
//! here; how many do is bounded, how long they are is bounded, and what may stand in them is checked.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use hashbrown::{Equivalent, HashMap};

use super::model::MODELS_FROM;
use super::{BackendId, ModelRef, Reserved};

/// Longest name that can get a slot, bytes; identification cuts at 256 by default.
pub const NAME_BYTES_MAX: usize = 1024;

/// What the table is keyed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) backend: BackendId,
    pub(crate) name: Arc<str>,
}

/// Raised in the backend of a key that has a version, so that no name of a model is ever taken for one.
const VERSIONED: u16 = 1 << 15;

/// Between model and version in such a key; in neither of them, as it is a control character.
const BETWEEN: char = '\u{1f}';

/// The version of those that have no room of their own.
pub(crate) const OTHER_VERSIONS: &str = "__other__";

/// The key of one version of a model: writes its name and gives its backend.
pub(crate) fn versioned(backend: BackendId, model: &str, version: &str, name: &mut String) -> BackendId {
    name.clear();
    name.push_str(model);
    name.push(BETWEEN);
    name.push_str(version);
    BackendId(backend.0 | VERSIONED)
}

/// The model and the version of a key.
pub(crate) fn parts(key: &str) -> (&str, Option<&str>) {
    key.split_once(BETWEEN).map_or((key, None), |(model, version)| (model, Some(version)))
}

/// The same, borrowed: a request looks up without owning anything.
pub(crate) struct Lookup<'n>(pub(crate) BackendId, pub(crate) &'n str);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Lookup(self.backend, &self.name).hash(state);
    }
}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.0.hash(state);
        self.1.hash(state);
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.backend && *self.1 == *key.name
    }
}

/// The hash is seeded once per process: nobody outside can aim at one of its chains.
pub(crate) type Map = HashMap<Key, ModelRef, RandomState>;

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It has a slot, from now or from before.
    Slot(ModelRef),
    /// There is no room for it.
    Overflow,
    /// No model is called so.
    Refused,
}

/// The published map and the names that wait.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) published: Arc<ArcSwap<Map>>,
    waiting: Mutex<Waiting>,
    /// Names that wait, so that a tick with nothing to do takes no lock.
    waiting_count: AtomicUsize,
    /// No slot is free. With no name waiting, a request then need not take the lock to learn it.
    full: AtomicBool,
    overflowed: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    names: Map,
    /// How many versions of a model have a slot; models with none are not in it.
    versions: HashMap<Key, u32, RandomState>,
    /// Slots that had a tenant before, with the generation of the next, oldest first.
    free: VecDeque<(u32, u16)>,
    next: u32,
    end: u32,
}

impl Table {
    pub(crate) fn new(models_max: u32) -> Self {
        let waiting = Waiting {
            names: Map::default(),
            versions: HashMap::default(),
            free: VecDeque::new(),
            next: MODELS_FROM,
            end: MODELS_FROM + models_max,
        };
        Self {
            published: Arc::new(ArcSwap::from_pointee(Map::default())),
            waiting: Mutex::new(waiting),
            waiting_count: AtomicUsize::new(0),
            full: AtomicBool::new(models_max == 0),
            overflowed: AtomicU64::new(0),
        }
    }

    /// Finds the name or gives it a slot; `make` prepares the slot and says whether it could.
    pub(crate) fn admit(&self, backend: BackendId, name: &str, make: impl FnOnce(u32) -> bool) -> Admission {
        if !is_admissible(name) {
            return Admission::Refused;
        }
        if self.full.load(Ordering::Relaxed) && self.waiting_count.load(Ordering::Acquire) == 0 {
            return self.find(backend, name).map_or_else(|| self.overflow(), Admission::Slot);
        }
        let mut waiting = self.lock();
        if let Some(model) = self.known(&waiting, backend, name) {
            return Admission::Slot(model);
        }
        self.give(&mut waiting, (backend, backend), name, make)
    }

    /// The same for one version of a model. From `versions_max` on they share one slot.
    pub(crate) fn admit_version(
        &self,
        backend: BackendId,
        (model, version): (&str, &str),
        versions_max: u32,
        make: impl FnOnce(u32) -> bool,
    ) -> Admission {
        if !is_admissible(model) || !is_admissible(version) {
            return Admission::Refused;
        }
        let mut name = String::new();
        let of = versioned(backend, model, version, &mut name);
        let mut waiting = self.lock();
        if let Some(model) = self.known(&waiting, of, &name) {
            return Admission::Slot(model);
        }
        let count = waiting.versions.get(&Lookup(backend, model)).copied().unwrap_or(0);
        if count >= versions_max {
            versioned(backend, model, OTHER_VERSIONS, &mut name);
            let others = self.known(&waiting, of, &name);
            return others
                .map_or_else(|| self.give(&mut waiting, (of, backend), &name, make), Admission::Slot);
        }
        let given = self.give(&mut waiting, (of, backend), &name, make);
        if matches!(given, Admission::Slot(_)) {
            *waiting.versions.entry(Key { backend, name: model.into() }).or_default() += 1;
        }
        given
    }

    /// Both looks are under the lock that a publication holds: a name is in one of the two.
    fn known(&self, waiting: &Waiting, key: BackendId, name: &str) -> Option<ModelRef> {
        waiting.names.get(&Lookup(key, name)).copied().or_else(|| self.find(key, name))
    }

    /// Gives a new name a slot; `of` is the backend of its key, and the model's.
    fn give(
        &self,
        waiting: &mut Waiting,
        of: (BackendId, BackendId),
        name: &str,
        make: impl FnOnce(u32) -> bool,
    ) -> Admission {
        let Some((slot, generation)) = waiting.take().filter(|(slot, _)| make(*slot)) else {
            self.full.store(true, Ordering::Relaxed);
            return self.overflow();
        };
        let (key, backend) = of;
        let model = ModelRef { slot, generation, backend };
        waiting.names.insert(Key { backend: key, name: name.into() }, model);
        self.waiting_count.store(waiting.names.len(), Ordering::Release);
        Admission::Slot(model)
    }

    /// Publishes the names that wait and hands each to `each`. Called by the control plane alone.
    pub(crate) fn publish(&self, mut each: impl FnMut(&Key, ModelRef)) {
        if self.waiting_count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.lock();
        let mut map = Map::clone(&self.published.load());
        let mut names: Vec<_> = std::mem::take(&mut waiting.names).into_iter().collect();
        // In the order in which they came.
        names.sort_unstable_by_key(|(_, model)| model.slot);
        for (key, model) in names {
            each(&key, model);
            map.insert(key, model);
        }
        self.published.store(Arc::new(map));
        self.waiting_count.store(0, Ordering::Release);
    }

    /// Takes names out of the published map. Their slots are not free before [`Table::free`].
    pub(crate) fn remove<'n>(&self, names: impl Iterator<Item = (BackendId, &'n str)>) {
        // The lock keeps a publication from bringing back an older map.
        let mut waiting = self.lock();
        let mut map = Map::clone(&self.published.load());
        for (backend, name) in names {
            let (model, version) = parts(name);
            let key = version.map_or(backend, |_| BackendId(backend.0 | VERSIONED));
            map.remove(&Lookup(key, name));
            if version.is_some_and(|version| version != OTHER_VERSIONS) {
                waiting.forget_version(backend, model);
            }
        }
        self.published.store(Arc::new(map));
    }

    /// Lets a slot be given to another name, under a new generation.
    pub(crate) fn free(&self, slot: u32, generation: u16) {
        self.lock().free.push_back((slot, generation));
        self.full.store(false, Ordering::Relaxed);
    }

    /// Looks in the published map.
    pub(crate) fn find(&self, backend: BackendId, name: &str) -> Option<ModelRef> {
        self.published.load().get(&Lookup(backend, name)).copied()
    }

    /// The same, and among the names that wait to be published.
    pub(crate) fn find_any(&self, backend: BackendId, name: &str) -> Option<ModelRef> {
        let waiting = self.lock();
        let known = waiting.names.get(&Lookup(backend, name)).copied();
        known.or_else(|| self.find(backend, name))
    }

    /// Names in the published map.
    pub(crate) fn len(&self) -> usize {
        self.published.load().len()
    }

    /// Requests of names for which there was no room.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    fn overflow(&self) -> Admission {
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        Admission::Overflow
    }

    /// A panic while the lock was held leaves a list that is still well formed.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// One version less of a model.
    fn forget_version(&mut self, backend: BackendId, model: &str) {
        let key = Lookup(backend, model);
        match self.versions.get_mut(&key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = self.versions.remove(&key),
        }
    }

    /// A slot that was never used, else the one that has been free the longest.
    fn take(&mut self) -> Option<(u32, u16)> {
        if self.next < self.end {
            self.next += 1;
            return Some((self.next - 1, 0));
        }
        self.free.pop_front()
    }
}

/// Whether a model may be called so. Control and bidirectional-override characters are in no model's name, but in
/// names meant to break a parser or to deceive a reader; reserved names are ours.
pub(crate) fn is_admissible(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !Reserved::ALL.iter().any(|reserved| reserved.as_str() == name)
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: BackendId = BackendId(0);

    #[test]
    fn a_name_keeps_its_slot_before_and_after_it_is_published() {
        let table = Table::new(10);
        let first = table.admit(B, "m", |_| true);
        assert_eq!(table.find(B, "m"), None);
        assert_eq!(table.admit(B, "m", |_| true), first);
        table.publish(|_, _| ());
        assert_eq!(table.find(B, "m").map(Admission::Slot), Some(first));
        assert_eq!(table.admit(B, "m", |_| true), first);
    }

    #[test]
    fn the_same_name_on_two_backends_is_two_models() {
        let table = Table::new(10);
        assert_ne!(table.admit(B, "m", |_| true), table.admit(BackendId(1), "m", |_| true));
    }

    #[test]
    fn names_beyond_the_cap_overflow_and_are_counted() {
        let table = Table::new(2);
        for name in ["a", "b", "c", "d", "a"] {
            _ = table.admit(B, name, |_| true);
        }
        table.publish(|_, _| ());
        assert_eq!(table.admit(B, "e", |_| true), Admission::Overflow);
        assert!(matches!(table.admit(B, "b", |_| true), Admission::Slot(_)));
        assert_eq!((table.len(), table.overflowed()), (2, 3));
    }

    #[test]
    fn versions_beyond_the_cap_share_a_slot_and_room_comes_back() {
        let table = Table::new(100);
        let admit = |version: &str| table.admit_version(B, ("m", version), 2, |_| true);
        let (one, two, three) = (admit("1"), admit("2"), admit("3"));
        assert!(one != two && two != three && admit("1") == one);
        for hostile in 0..1000 {
            assert_eq!(admit(&format!("x{hostile}")), three);
        }
        table.publish(|_, _| ());
        assert_eq!((table.len(), admit("2"), admit("9")), (3, two, three));
        table.remove([(B, "m\u{1f}1"), (B, "m\u{1f}__other__")].into_iter());
        let four = admit("4");
        assert!(four != three && admit("5") != four);
        for bad in ["", "a\nb", "__other__", "a\u{1f}b"] {
            assert_eq!(admit(bad), Admission::Refused);
        }
    }

    #[test]
    fn a_model_called_like_a_key_of_a_version_is_none() {
        let table = Table::new(10);
        let version = table.admit_version(B, ("m", "1"), 2, |_| true);
        table.publish(|_, _| ());
        assert_eq!(table.find(B, "m\u{1f}1"), None);
        assert_eq!(table.admit(B, "m\u{1f}1", |_| true), Admission::Refused);
        let mut name = String::new();
        let of = versioned(B, "m", "1", &mut name);
        assert_eq!(table.find(of, &name).map(Admission::Slot), Some(version));
    }

    #[test]
    fn hostile_names_are_refused_and_odd_ones_are_not() {
        let (long, longest) = ("x".repeat(NAME_BYTES_MAX + 1), "x".repeat(NAME_BYTES_MAX));
        for name in ["", "__none__", "__other__", "a\nb", "a\0", "\u{7f}", "\u{202e}gpj", "\u{2066}", &long] {
            assert!(!is_admissible(name), "{name:?}");
        }
        for name in ["__mine__", "a\"b", "a\\b", "模型", "org/name:v1", " ", "🦀", &longest] {
            assert!(is_admissible(name), "{name:?}");
        }
    }
}
