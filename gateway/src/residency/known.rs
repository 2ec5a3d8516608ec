//! One model of one endpoint: what its server told when it was asked, what load and unload calls to it have shown, and what both make of
//! requests. The one truth of a model × endpoint, and what is counted of it.
//!
//! The newest word holds: a look contradicts calls that were answered before it was sent, a call contradicts looks that were answered before
//! it was. A look that was on its way when a call was answered says nothing, for nobody knows which came first.
//!
//! A poll looks at one moment between the time it was sent and the time it was answered. The rules, for a request that was answered well:
//! * A model was seen not in memory, and nobody was answered since: the first one that is answered and began after that look was sent is
//!   cold. Exactly one. Its answer is also the proof that the model is loaded now.
//! * A request that began when the model was known not to be in memory, and was still on its way when the next look found it so, waited
//!   for the load: cold, also if it is not the first.
//! * A request that began after the first answer, or after a look that found a model loaded of which nothing else was known, is hot, as
//!   long as the last look is not stale.
//! * Everything else began at a time of which nobody knows how the model stood, and stays unknown. A request that began before a model was
//!   seen to have gone is such a one: it may have been answered from memory that was given up behind it.
//! * A model that a look tells of for the first time was not in memory at the look before, if that one told of all models and the
//!   model has answered nobody since.
//!
//! * A load call that succeeds is as a look that found the model missing while the call was on its way, and loaded behind it; an unload call
//!   as one that missed it.
//!
//! What is not seen: an eviction and a load between two looks, and a load that failed between them. Time is an argument.

use std::time::Duration;

use weir_config::StateWord;
use weir_telemetry::{Evidence, Lifecycle, Lifecycles, Start};

use super::Told;
use super::entry::{Account, Phase};
use crate::identify::ModelName;

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// How it stood at the last look, or by a call or an answer since.
    pub phase: StateWord,
    /// Who told that, an answer that proved a load aside.
    pub by: By,
    /// What requests call it, if that is known.
    pub label: Option<ModelName>,
    /// What the server tells of it, and what was counted.
    pub facts: Facts,
    /// When the last look or call that told of it was answered.
    pub told_at: Duration,
    /// What happened and is not handed out yet.
    pub(super) pending: Lifecycles,
    /// Whether it was loading without having been loaded before.
    is_first_loading: bool,
    /// When the last load failed.
    failed_at: Option<Duration>,
    /// Whether the time of the last load is known.
    is_timed: bool,
    /// Since when it is known not to be in memory, without a break; of the last time.
    gone_since: Duration,
    /// When the last look that did not find it was sent; none: it was always there.
    missed: Option<Duration>,
    first: First,
    /// When the last eviction was seen.
    evicted_at: Option<Duration>,
}

/// What is known of a model beside its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Since when it is loaded, if that was seen.
    pub loaded_since: Option<Duration>,
    /// Memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Memory on GPUs, bytes.
    pub gpu_memory_bytes: Option<u64>,
    /// Loads, evictions and what else was seen.
    pub counts: Lifecycles,
}

/// Who told how a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// Its server, when it was asked.
    #[default]
    Look,
    /// A load or unload call that passed through.
    Call,
}

impl By {
    /// The layer that such a word belongs to.
    pub(super) const fn evidence(self) -> Evidence {
        match self {
            Self::Look => Evidence::State,
            Self::Call => Evidence::Lifecycle,
        }
    }

    /// As `/api/v1/residency` tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Look => "state",
            Self::Call => "lifecycle",
        }
    }
}

/// A load or unload call that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// Loaded.
    Loaded,
    /// It is being loaded.
    Accepted,
    /// The load failed.
    Failed,
    /// Unloaded.
    Unloaded,
    /// There was nothing to unload.
    Missing,
}

/// Who was answered first since the model was last not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum First {
    /// Nobody yet.
    #[default]
    Awaited,
    /// Somebody, at this time.
    At(Duration),
    /// Somebody whose answer may be from before.
    Doubtful,
}

/// What the counts go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// None: nobody asks, and what calls have shown holds.
    pub(super) stale_after: Option<Duration>,
    pub(super) reload_within: Duration,
}

impl Known {
    /// What calls alone have shown.
    pub(super) fn of(account: Account) -> Self {
        let facts = Facts { loaded_since: account.loaded_at, counts: account.counts, ..Facts::default() };
        let phase = account.phase.into();
        let (by, told_at) = (By::Call, account.changed_at);
        Self { phase, by, label: account.label, facts, told_at, ..Self::default() }
    }

    /// A call that is on its way, or an answer that proved a load, may be newer than what was told.
    pub(super) fn newer(&mut self, account: &Account) {
        if account.phase != Phase::Unknown && account.changed_at > self.told_at {
            (self.phase, self.by, self.told_at) = (account.phase.into(), By::Call, account.changed_at);
            self.facts.loaded_since = account.loaded_at;
        }
    }

    /// Whether the last look is too old to say anything.
    #[must_use]
    pub(super) fn is_stale(&self, now: Duration, limits: Limits) -> bool {
        limits.stale_after.is_some_and(|limit| now.saturating_sub(self.told_at) > limit)
    }

    fn happened(&mut self, event: Lifecycle) {
        self.facts.counts.count(event);
        self.pending.count(event);
    }

    pub(super) fn called(&mut self, called: Called, (sent, answered): (Duration, Duration), limits: Limits) {
        match called {
            Called::Loaded => self.load_called((sent, answered), limits),
            Called::Accepted if self.phase == StateWord::Loaded => return,
            Called::Accepted => {
                if self.phase == StateWord::Unknown {
                    self.gone_since = sent;
                }
                self.is_first_loading = true;
                self.is_missing(StateWord::Loading, answered);
            }
            Called::Failed => {
                if self.failed_at.is_none_or(|at| at < sent) {
                    self.load_failed(answered);
                }
                if self.phase == StateWord::Loading && self.is_first_loading {
                    self.is_missing(StateWord::Unloaded, answered);
                } else {
                    return;
                }
            }
            Called::Unloaded if self.phase == StateWord::Unknown => {
                self.happened(Lifecycle::Evicted { age: None });
                self.missed(StateWord::Unloaded, answered, answered);
            }
            Called::Unloaded | Called::Missing => self.missed(StateWord::Unloaded, answered, answered),
        }
        (self.by, self.told_at) = (By::Call, answered);
        if self.phase != StateWord::Loaded {
            (self.facts.memory_bytes, self.facts.gpu_memory_bytes) = (None, None);
        }
    }

    /// A load call succeeded. A look or an answer may have shown it before the call's own answer came.
    fn load_called(&mut self, (sent, answered): (Duration, Duration), limits: Limits) {
        let took = answered.saturating_sub(sent);
        match (self.phase, self.facts.loaded_since) {
            (StateWord::Loaded, Some(since)) if since >= sent => self.load_took(took),
            (StateWord::Loaded, _) => self.happened(Lifecycle::Loaded { took: Some(took) }),
            _ => {
                if self.phase == StateWord::Unknown {
                    self.gone_since = sent;
                }
                self.missed = Some(answered);
                self.first = First::Awaited;
                self.loaded(answered, limits);
                self.load_took(took);
            }
        }
    }

    /// The answer to a request told that a load took so long: the one that it waited for, or one that nobody has seen.
    pub(super) fn load_told(
        &mut self,
        took: Duration,
        start: Option<Start>,
        (began, now): (Duration, Duration),
        limits: Limits,
    ) {
        let is_seen =
            start == Some(Start::Cold) || self.facts.loaded_since.is_some_and(|since| since >= began);
        if !is_seen {
            self.loaded(now, limits);
        }
        self.load_took(took);
    }

    fn load_took(&mut self, took: Duration) {
        if !self.is_timed {
            self.is_timed = true;
            self.happened(Lifecycle::Timed(took));
        }
    }

    fn load_failed(&mut self, at: Duration) {
        self.failed_at = Some(at);
        self.happened(Lifecycle::LoadFailed);
    }

    pub(super) fn told(&mut self, told: &Told, (sent, answered): (Duration, Duration), limits: Limits) {
        // What stood before nobody looked for so long is no longer known.
        if self.is_stale(sent, limits) {
            self.phase = StateWord::Unknown;
            self.facts.loaded_since = None;
        }
        // A look that was on its way when a call was answered.
        if self.by == By::Call && self.told_at >= sent {
            return;
        }
        let before = self.phase;
        match told.word {
            StateWord::Unknown => {}
            StateWord::Loaded => self.found(sent, answered, limits),
            // An answer while the look was on its way: nobody knows which came first.
            StateWord::Loading | StateWord::Unloaded
                if self.phase == StateWord::Loaded && matches!(self.first, First::At(at) if at >= sent) => {}
            word => self.missed(word, sent, answered),
        }
        if told.word == StateWord::Unknown {
            // It was not among those that were asked this time.
            return;
        }
        self.told_at = answered;
        if self.phase != before {
            self.by = By::Look;
        }
        let is_loaded = self.phase == StateWord::Loaded;
        self.facts.memory_bytes = told.memory_bytes.filter(|_| is_loaded);
        self.facts.gpu_memory_bytes = told.gpu_memory_bytes.filter(|_| is_loaded);
    }

    fn found(&mut self, sent: Duration, answered: Duration, limits: Limits) {
        match self.phase {
            StateWord::Loaded => {}
            StateWord::Unknown => {
                self.missed = None;
                self.first = First::At(answered);
            }
            StateWord::Loading | StateWord::Unloaded => {
                self.loaded(sent, limits);
                if self.first == First::Doubtful {
                    self.first = First::At(answered);
                }
            }
        }
        self.phase = StateWord::Loaded;
    }

    fn missed(&mut self, word: StateWord, sent: Duration, answered: Duration) {
        match (self.phase, word) {
            (StateWord::Loading, StateWord::Unloaded) => {
                if std::mem::take(&mut self.is_first_loading) && self.failed_at.is_none_or(|at| at < sent) {
                    self.load_failed(answered);
                }
            }
            (StateWord::Unloaded, StateWord::Loading) => self.is_first_loading = true,
            (StateWord::Loading | StateWord::Unloaded, _) => {}
            (StateWord::Unknown, _) => {
                self.gone_since = answered;
                self.is_first_loading = word == StateWord::Loading;
            }
            (StateWord::Loaded, _) => {
                self.gone_since = answered;
                self.is_first_loading = false;
                let age = self.facts.loaded_since.map(|since| sent.saturating_sub(since));
                self.happened(Lifecycle::Evicted { age });
                self.evicted_at = Some(sent);
            }
        }
        self.is_missing(word, sent);
    }

    fn is_missing(&mut self, word: StateWord, missed: Duration) {
        self.phase = word;
        self.missed = Some(missed);
        self.first = First::Awaited;
        self.facts.loaded_since = None;
    }

    fn loaded(&mut self, at: Duration, limits: Limits) {
        self.phase = StateWord::Loaded;
        self.facts.loaded_since = Some(at);
        self.is_timed = false;
        self.is_first_loading = false;
        self.happened(Lifecycle::Loaded { took: None });
        if self.evicted_at.is_some_and(|evicted| at.saturating_sub(evicted) <= limits.reload_within) {
            self.happened(Lifecycle::Reloaded);
        }
        self.evicted_at = None;
    }

    pub(super) fn answered(&mut self, began: Duration, now: Duration, limits: Limits) -> Option<Start> {
        if self.phase == StateWord::Unknown || self.is_stale(now, limits) {
            return None;
        }
        if let Some(missed) = self.missed
            && began <= missed
        {
            if self.gone_since <= began {
                self.answered_first(now, limits);
                return Some(Start::Cold);
            }
            if self.first == First::Awaited {
                self.first = if self.phase == StateWord::Loaded { First::At(now) } else { First::Doubtful };
            }
            return None;
        }
        match self.first {
            First::Awaited => {
                self.answered_first(now, limits);
                Some(Start::Cold)
            }
            First::At(first) => (began >= first).then_some(Start::Hot),
            First::Doubtful => None,
        }
    }

    fn answered_first(&mut self, now: Duration, limits: Limits) {
        if self.phase != StateWord::Loaded {
            self.loaded(now, limits);
        }
        if !matches!(self.first, First::At(_)) {
            self.first = First::At(now);
        }
    }

    /// Requests that begin from the first on and end before the second are hot.
    pub(super) fn hot(&self, limits: Limits) -> Option<(Duration, Duration)> {
        match (self.phase, self.first) {
            (StateWord::Loaded, First::At(first)) => {
                Some((first, limits.stale_after.map_or(Duration::MAX, |limit| self.told_at + limit)))
            }
            _ => None,
        }
    }
}
