//! One model's state, and what each event does to it. The rules stand in the room's door.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_config::StateWord;
use weir_telemetry::{Evidence, Lifecycle, Lifecycles, Start};

use super::{Evicted, Load, Settled};
use crate::identify::ModelName;

/// How long a server's word that it is loading a model counts.
const TOLD_FOR: Duration = Duration::from_secs(15 * 60);

/// A model of a backend.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Nothing is to be decided: loaded, answered before, no call on its way. Follows `state`, and is read without its lock.
    hot: AtomicBool,
    state: Mutex<State>,
}

/// Whether a model is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    #[default]
    Unknown,
    Loading,
    Loaded,
    Unloaded,
}

impl From<Phase> for StateWord {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Unknown => Self::Unknown,
            Phase::Loading => Self::Loading,
            Phase::Loaded => Self::Loaded,
            Phase::Unloaded => Self::Unloaded,
        }
    }
}

/// What stood when a request or a load began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    phase: Phase,
    turn: u32,
    /// It was loading, and loaded before that.
    reload: bool,
}

/// A model's state as it is told to operators.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) phase: Phase,
    /// When that changed last.
    pub(super) changed_at: Duration,
    pub(super) loaded_at: Option<Duration>,
    pub(super) label: Option<ModelName>,
    pub(super) counts: Lifecycles,
}

/// All that is known.
#[derive(Debug, Default, Clone)]
pub(super) struct State {
    phase: Phase,
    /// What it was before it was `Loading`.
    before: Phase,
    /// Counts loadings and unloads: whether anything has happened since a request began.
    turn: u32,
    /// Load calls on their way.
    calls: u32,
    /// A load's end is not known: it was accepted only, or its caller left.
    open_ended: bool,
    /// Whoever began in this loading found the model in memory: it had been there, and was answering meanwhile.
    served: bool,
    /// The token: nobody has been answered since the load.
    fresh: bool,
    loaded_at: Option<Duration>,
    evicted_at: Option<Duration>,
    /// When the phase changed last.
    changed_at: Duration,
    /// A load that is not handed out yet.
    load: Option<Load>,
    /// An answer has shown that a load is done whose call is still on its way; whether it was soon after an eviction.
    uncounted: Option<bool>,
    /// When a status said that it is being loaded, and the place of the endpoint that said so.
    told: Option<(Duration, Option<usize>)>,
    label: Option<ModelName>,
    /// All that happened.
    counts: Lifecycles,
    /// It is no longer in the table.
    pub(super) gone: bool,
}

impl Entry {
    /// Whether nothing is to be decided.
    pub(super) fn is_hot(&self) -> bool {
        self.hot.load(Ordering::Acquire)
    }

    /// Reads or changes the state.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.hot.store(state.is_hot(), Ordering::Release);
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while a few fields were assigned leaves nothing that is worse than a wrong label.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_hot(&self) -> bool {
        self.phase == Phase::Loaded && !self.fresh && self.told.is_none() && self.load.is_none() && !self.gone
    }

    /// Nothing is known that would have to be kept.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Unknown && self.calls == 0 && self.told.is_none() && self.load.is_none()
    }

    /// What is known may be forgotten when there is no room.
    pub(super) fn is_forgettable(&self) -> bool {
        matches!(self.phase, Phase::Unknown | Phase::Unloaded) && self.calls == 0
    }

    pub(super) fn label(&self) -> Option<ModelName> {
        self.label.clone()
    }

    /// A request begins, or a load call.
    pub(super) fn began(&self) -> Began {
        let reload = self.phase == Phase::Loading && self.before == Phase::Loaded;
        Began { phase: self.phase, turn: self.turn, reload }
    }

    /// As it is told to operators.
    pub(super) fn account(&self) -> Account {
        Account {
            phase: self.phase,
            changed_at: self.changed_at,
            loaded_at: self.loaded_at.filter(|_| self.phase == Phase::Loaded),
            label: self.label.clone(),
            counts: self.counts,
        }
    }

    pub(super) fn load_began(&mut self, now: Duration) {
        if self.phase != Phase::Loading {
            self.before = self.phase;
            self.phase = Phase::Loading;
            self.changed_at = now;
            self.turn = self.turn.wrapping_add(1);
            self.open_ended = false;
            self.served = false;
        }
        self.calls += 1;
    }

    /// 2xx.
    pub(super) fn load_succeeded(&mut self, took: Duration, now: Duration, reload_within: Duration) {
        self.calls = self.calls.saturating_sub(1);
        match self.phase {
            // Somebody was answered already, or another call was first: no second token.
            Phase::Loaded => {
                let reload = self.uncounted.take().unwrap_or(false);
                return self.load_counts(Some(took), reload);
            }
            Phase::Loading => self.fresh = !self.served,
            Phase::Unknown | Phase::Unloaded => self.fresh = true,
        }
        self.loaded(Some(took), now, reload_within);
    }

    /// 202, or nobody knows: the first answer will tell. A model that was loaded before still is.
    pub(super) fn load_left_open(&mut self, now: Duration) {
        self.open_ended = true;
        self.load_ended_without_success(now);
    }

    /// Refused or failed.
    pub(super) fn load_failed(&mut self, now: Duration) {
        self.counts.count(Lifecycle::LoadFailed);
        self.load_ended_without_success(now);
    }

    /// Refused or failed, or never sent, or nothing to do: as if it had not been.
    pub(super) fn load_ended_without_success(&mut self, now: Duration) {
        self.calls = self.calls.saturating_sub(1);
        let undecided = self.open_ended && self.before != Phase::Loaded;
        if self.calls == 0 && self.phase == Phase::Loading && !undecided {
            self.phase = self.before;
            self.changed_at = now;
            self.served = self.before == Phase::Loaded;
            self.open_ended = false;
        }
        if self.calls == 0
            && let Some(reload) = self.uncounted.take()
        {
            self.load_counts(None, reload);
        }
    }

    /// 2xx.
    pub(super) fn unloaded(&mut self, now: Duration) -> Option<Evicted> {
        let was = if self.phase == Phase::Loading { self.before } else { self.phase };
        // A load that was never confirmed put nothing in that could be taken out. Where nothing was seen the server knows best.
        let evicted = match (was, self.phase) {
            (Phase::Loaded, _) | (Phase::Unknown, Phase::Unknown) => {
                let age = self.loaded_at.map(|at| now.saturating_sub(at));
                self.counts.count(Lifecycle::Evicted { age });
                Some(Evicted { age, label: self.label.clone(), load: self.load.take(), is_told: false })
            }
            _ => None,
        };
        if evicted.is_some() {
            self.evicted_at = Some(now);
        }
        self.gone_from_memory(now);
        evicted
    }

    /// The server, asked at `sent`, said otherwise than what calls have shown before: they show nothing any more.
    pub(super) fn contradicted(&mut self, is_loaded: bool, sent: Duration) {
        let otherwise = match self.phase {
            Phase::Loaded => !is_loaded,
            Phase::Unloaded => is_loaded,
            // An accepted load that came to nothing.
            Phase::Loading => self.calls == 0 && !is_loaded,
            Phase::Unknown => false,
        };
        if otherwise && self.changed_at < sent {
            self.turn = self.turn.wrapping_add(1);
            (self.phase, self.before) = (Phase::Unknown, Phase::Unknown);
            (self.fresh, self.open_ended, self.served) = (false, false, false);
            self.loaded_at = None;
            self.changed_at = sent;
        }
    }

    /// An unload found nothing to do (404), or succeeded.
    pub(super) fn gone_from_memory(&mut self, now: Duration) {
        self.turn = self.turn.wrapping_add(1);
        if self.phase != Phase::Unloaded {
            self.changed_at = now;
        }
        if self.phase == Phase::Loaded {
            self.evicted_at = Some(now);
        }
        self.phase = Phase::Unloaded;
        self.before = Phase::Unloaded;
        self.fresh = false;
        self.open_ended = false;
        self.loaded_at = None;
        self.told = None;
    }

    pub(super) fn told_loading(&mut self, place: Option<usize>, now: Duration) {
        self.told = Some((now, place));
    }

    /// A request is answered well, by the endpoint at `place`.
    pub(super) fn answered(
        &mut self,
        began: Began,
        name: &ModelName,
        (place, now, reload_within): (Option<usize>, Duration, Duration),
    ) -> Settled {
        let told = self.is_told(place, now);
        self.told = self.told.filter(|(_, by)| *by != place);
        let lifecycle = self.lifecycle(began, now, reload_within);
        if told || lifecycle == Some(Start::Cold) {
            self.fresh = false;
        }
        if self.label.as_ref() != Some(name) {
            self.label = Some(name.clone());
        }
        let start = if told {
            Some((Start::Cold, Evidence::Status))
        } else {
            lifecycle.map(|start| (start, Evidence::Lifecycle))
        };
        // A load whose call is still on its way is handed out with a later answer.
        Settled { start, load: self.load.take() }
    }

    /// What [`State::answered`] would say of the start.
    pub(super) fn would_be(
        &self,
        began: Began,
        place: Option<usize>,
        now: Duration,
    ) -> Option<(Start, Evidence)> {
        if self.is_told(place, now) {
            return Some((Start::Cold, Evidence::Status));
        }
        self.clone().lifecycle(began, now, Duration::ZERO).map(|start| (start, Evidence::Lifecycle))
    }

    fn is_told(&self, place: Option<usize>, now: Duration) -> bool {
        self.told.is_some_and(|(at, by)| by == place && now.saturating_sub(at) <= TOLD_FOR)
    }

    fn lifecycle(&mut self, began: Began, now: Duration, reload_within: Duration) -> Option<Start> {
        let same = began.turn == self.turn;
        match (began.phase, self.phase) {
            // Of a load that began later nothing can be said.
            (Phase::Unknown, _) => None,
            (Phase::Loaded, _) => Some(if self.fresh { Start::Cold } else { Start::Hot }),
            // Something else has loaded it, or a load whose end nobody saw has succeeded.
            (Phase::Unloaded | Phase::Loading, Phase::Unloaded) if same => {
                self.loaded(None, now, reload_within);
                Some(Start::Cold)
            }
            (Phase::Unloaded, Phase::Loading) => {
                self.answered_while_loading(now, reload_within);
                Some(Start::Cold)
            }
            (Phase::Unloaded, _) => Some(Start::Cold),
            (Phase::Loading, _) if !same => (!began.reload).then_some(Start::Cold),
            (Phase::Loading, Phase::Loading) if began.reload && self.calls > 0 => {
                self.served = true;
                Some(if self.fresh { Start::Cold } else { Start::Hot })
            }
            (Phase::Loading, Phase::Loading) => {
                self.answered_while_loading(now, reload_within);
                Some(Start::Cold)
            }
            (Phase::Loading, Phase::Loaded) => Some(if self.served { Start::Hot } else { Start::Cold }),
            // The load failed, and nothing was known before it.
            (Phase::Loading, _) => None,
        }
    }

    /// An answer is the proof that a load is done, also when its call has none yet.
    fn answered_while_loading(&mut self, now: Duration, reload_within: Duration) {
        if self.before != Phase::Loaded {
            // While a call is on its way its end counts the load, and its time.
            let reload = self.is_reload(now, reload_within);
            self.become_loaded(now);
            if self.calls > 0 {
                self.uncounted = Some(reload);
            } else {
                self.load_counts(None, reload);
            }
        }
    }

    fn loaded(&mut self, took: Option<Duration>, now: Duration, reload_within: Duration) {
        let reload = self.is_reload(now, reload_within);
        self.become_loaded(now);
        self.load_counts(took, reload);
    }

    fn become_loaded(&mut self, now: Duration) {
        self.phase = Phase::Loaded;
        self.open_ended = false;
        self.loaded_at = Some(now);
        self.changed_at = now;
    }

    fn load_counts(&mut self, took: Option<Duration>, reload: bool) {
        self.counts.count(Lifecycle::Loaded { took });
        if reload {
            self.counts.count(Lifecycle::Reloaded);
        }
        self.load = Some(Load { took, reload });
    }

    fn is_reload(&self, now: Duration, reload_within: Duration) -> bool {
        let before_loaded = self.phase == Phase::Loaded || self.before == Phase::Loaded;
        !before_loaded && self.evicted_at.is_some_and(|at| now.saturating_sub(at) <= reload_within)
    }
}
