//! One model's state, and what each event does to it. The rules stand in the room's door.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_telemetry::{Evidence, Start};

use super::{Evicted, Settled};
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

/// What stood when a request or a load began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    phase: Phase,
    turn: u32,
    /// It was loading, and loaded before that.
    reload: bool,
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
    /// A load that is not handed out yet.
    took: Option<Duration>,
    /// When a status said that it is being loaded.
    told: Option<Duration>,
    label: Option<ModelName>,
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
        self.phase == Phase::Loaded && !self.fresh && self.told.is_none() && self.took.is_none() && !self.gone
    }

    /// Nothing is known that would have to be kept.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Unknown && self.calls == 0 && self.told.is_none() && self.took.is_none()
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

    pub(super) fn load_began(&mut self) {
        if self.phase != Phase::Loading {
            self.before = self.phase;
            self.phase = Phase::Loading;
            self.turn = self.turn.wrapping_add(1);
            self.open_ended = false;
            self.served = false;
        }
        self.calls += 1;
    }

    /// 2xx.
    pub(super) fn load_succeeded(&mut self, took: Duration, now: Duration) {
        self.calls = self.calls.saturating_sub(1);
        self.took = Some(took);
        match self.phase {
            // Somebody was answered already, or another call was first: no second token.
            Phase::Loaded => return,
            Phase::Loading => self.fresh = !self.served,
            Phase::Unknown | Phase::Unloaded => self.fresh = true,
        }
        self.loaded(now);
    }

    /// 202, or nobody knows: the first answer will tell. A model that was loaded before still is.
    pub(super) fn load_left_open(&mut self) {
        self.open_ended = true;
        self.load_ended_without_success();
    }

    /// Refused or failed, or never sent, or nothing to do: as if it had not been.
    pub(super) fn load_ended_without_success(&mut self) {
        self.calls = self.calls.saturating_sub(1);
        let undecided = self.open_ended && self.before != Phase::Loaded;
        if self.calls == 0 && self.phase == Phase::Loading && !undecided {
            self.phase = self.before;
            self.served = self.before == Phase::Loaded;
            self.open_ended = false;
        }
    }

    /// 2xx.
    pub(super) fn unloaded(&mut self, now: Duration) -> Option<Evicted> {
        let was = if self.phase == Phase::Loading { self.before } else { self.phase };
        // A load that was never confirmed put nothing in that could be taken out. Where nothing was seen the server knows best.
        let evicted = match (was, self.phase) {
            (Phase::Loaded, _) | (Phase::Unknown, Phase::Unknown) => Some(Evicted {
                age: self.loaded_at.map(|at| now.saturating_sub(at)),
                label: self.label.clone(),
                load: self.took.take(),
            }),
            _ => None,
        };
        self.gone_from_memory();
        evicted
    }

    /// An unload found nothing to do (404), or succeeded.
    pub(super) fn gone_from_memory(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        self.phase = Phase::Unloaded;
        self.before = Phase::Unloaded;
        self.fresh = false;
        self.open_ended = false;
        self.loaded_at = None;
        self.told = None;
    }

    pub(super) fn told_loading(&mut self, now: Duration) {
        self.told = Some(now);
    }

    /// A request is answered well.
    pub(super) fn answered(&mut self, began: Began, name: &ModelName, now: Duration) -> Settled {
        let told = self.told.take().is_some_and(|at| now.saturating_sub(at) <= TOLD_FOR);
        let lifecycle = self.lifecycle(began, now);
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
        Settled { start, load: self.took.take() }
    }

    /// What [`State::answered`] would say of the start.
    pub(super) fn would_be(&self, began: Began, now: Duration) -> Option<Start> {
        if self.told.is_some_and(|at| now.saturating_sub(at) <= TOLD_FOR) {
            return Some(Start::Cold);
        }
        self.clone().lifecycle(began, now)
    }

    fn lifecycle(&mut self, began: Began, now: Duration) -> Option<Start> {
        let same = began.turn == self.turn;
        match (began.phase, self.phase) {
            // Of a load that began later nothing can be said.
            (Phase::Unknown, _) => None,
            (Phase::Loaded, _) => Some(if self.fresh { Start::Cold } else { Start::Hot }),
            // Something else has loaded it, or a load whose end nobody saw has succeeded.
            (Phase::Unloaded | Phase::Loading, Phase::Unloaded) if same => {
                self.loaded(now);
                Some(Start::Cold)
            }
            (Phase::Unloaded, Phase::Loading) => {
                self.answered_while_loading(now);
                Some(Start::Cold)
            }
            (Phase::Unloaded, _) => Some(Start::Cold),
            (Phase::Loading, _) if !same => (!began.reload).then_some(Start::Cold),
            (Phase::Loading, Phase::Loading) if began.reload && self.calls > 0 => {
                self.served = true;
                Some(if self.fresh { Start::Cold } else { Start::Hot })
            }
            (Phase::Loading, Phase::Loading) => {
                self.answered_while_loading(now);
                Some(Start::Cold)
            }
            (Phase::Loading, Phase::Loaded) => Some(if self.served { Start::Hot } else { Start::Cold }),
            // The load failed, and nothing was known before it.
            (Phase::Loading, _) => None,
        }
    }

    /// An answer is the proof that a load is done, also when its call has none yet.
    fn answered_while_loading(&mut self, now: Duration) {
        if self.before != Phase::Loaded {
            self.loaded(now);
        }
    }

    fn loaded(&mut self, now: Duration) {
        self.phase = Phase::Loaded;
        self.open_ended = false;
        self.loaded_at = Some(now);
    }
}
