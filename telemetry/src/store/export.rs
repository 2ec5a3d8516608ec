//! Who is exported under its own name whatever its traffic, and what else of a configuration holds from now on.
//!
//! Reasons for a pin are kept apart, so that whoever gives one ([`Pin`]) replaces only its own: the configuration's pins
//! and the models that a service level objective names do not undo each other. A model that burns (it breaks an objective,
//! or one in twenty of its requests in the last minutes failed) is not pinned; its rank counts
//! [`rank::BURNING`](super::rank::BURNING) times.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::ledger::{Book, Ledger, Tier};
use super::rank::Reason;
use super::{BackendId, Store};
use crate::encode::escape::{label_pair, label_value};
use crate::settings::Settings;

/// Why a model is to be exported whatever its traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pin {
    /// The configuration names it (`telemetry.pins`).
    Configured,
    /// It holds a service level objective of its own.
    Objective,
}

impl Pin {
    const fn bit(self) -> u8 {
        match self {
            Self::Configured => 1,
            Self::Objective => 2,
        }
    }
}

impl Store {
    /// Takes over what a configuration says of export and can change while weir runs: budget, top, pins, tiers, and the
    /// times and rates. `models_max` and `sharded_models_max` hold from the start. Call it after the configuration's
    /// backends were registered: a pin without a backend is one on each of them.
    pub fn apply(&self, config: &weir_config::Telemetry) {
        self.versions_max.store(config.versions_per_model_max.into(), Ordering::Relaxed);
        self.ledger().retune(Settings::from(config));
        let backends: Vec<_> = self.ledger().backends.clone();
        for name in &backends {
            let of = |pin: &&weir_config::Pin| pin.backend.as_deref().is_none_or(|only| *only == **name);
            let models: Vec<_> = config.pins.iter().filter(of).map(|pin| pin.model.clone()).collect();
            self.pin(self.backend(name), Pin::Configured, &models);
        }
        let tiers: Vec<_> = config.tiers.iter().filter_map(|tier| tier.backend.as_deref()).collect();
        let ids: Vec<_> = tiers.iter().map(|name| (*name, self.backend(name))).collect();
        let id = |name: &str| {
            ids.iter().find(|(known, _)| *known == name).map_or(BackendId(u16::MAX), |(_, id)| *id)
        };
        let mut ledger = self.ledger();
        ledger.groups.set(&config.tier_label, &config.tiers, id);
        ledger.regroup();
    }

    /// Models to be exported under their own name for this reason whatever their traffic, within the series budget; they
    /// also get slots. Takes the place of what was pinned on that backend for the same reason, from the next round on.
    pub fn pin(&self, backend: BackendId, why: Pin, names: &[String]) {
        // No longer than they are pinned: unlike those of `configure` they may leave when they are not.
        names.iter().for_each(|name| _ = self.admit(backend, name));
        self.ledger().pin(backend, why, names.iter().map(|name| name.as_str().into()));
    }
}

impl Ledger {
    /// See [`Store::pin`]; the names' slots are the caller's concern.
    pub(crate) fn pin(&mut self, backend: BackendId, why: Pin, names: impl Iterator<Item = Arc<str>>) {
        for ((pinned, _), bits) in &mut self.pins {
            *bits &= if *pinned == backend { !why.bit() } else { u8::MAX };
        }
        for name in names {
            *self.pins.entry((backend, name)).or_default() |= why.bit();
        }
        self.pins.retain(|_, bits| *bits > 0);
        let Self { books, pins, .. } = self;
        for book in books.values_mut().filter(|book| book.model.backend == backend) {
            book.pinned = pins.get(&(backend, Arc::clone(&book.name))).and_then(|bits| reason(*bits));
        }
    }

    /// Why a model that has just come is pinned, if it is.
    pub(super) fn pinned(&self, backend: BackendId, name: &Arc<str>) -> Option<Reason> {
        self.pins.get(&(backend, Arc::clone(name))).and_then(|bits| reason(*bits))
    }

    pub(super) fn retune(&mut self, settings: Settings) {
        self.books.profile(&settings.profiles);
        self.settings = settings;
    }

    /// Puts every model into the group that it has now. In the tail, what it did stays where it was summed up, so that
    /// no sum falls; only what is in flight goes along.
    fn regroup(&mut self) {
        let Self { books, groups, others, .. } = self;
        for book in books.values_mut().filter(|book| !book.model.is_reserved()) {
            let in_flight = book.totals.started.wrapping_sub(book.totals.settled());
            let is_summed_up = matches!(book.tier, Tier::Tail { .. });
            if is_summed_up {
                let before = others.of(book);
                before.started = before.started.wrapping_sub(in_flight);
            }
            book.group = groups.of(book.model.backend, &book.name);
            book.labels = labels(book, groups.label(book.group));
            if is_summed_up {
                let after = others.of(book);
                after.started = after.started.wrapping_add(in_flight);
            }
        }
    }
}

/// `backend="…",model="…"`, the version if it is counted apart, and the group's label, escaped once for all scrapes to come.
pub(super) fn labels(book: &Book, group: Option<(Arc<str>, Arc<str>)>) -> Arc<str> {
    let mut labels = label_pair(&book.backend, &book.name);
    if let Some(version) = &book.version {
        labels.push_str(",version=\"");
        label_value(version, &mut labels);
        labels.push('"');
    }
    if let Some((label, name)) = group {
        // Both are words of the configuration that need no escape.
        labels.extend([",", &label, "=\"", &name, "\""]);
    }
    labels.into()
}

const fn reason(bits: u8) -> Option<Reason> {
    match bits {
        0 => None,
        bits if bits & Pin::Configured.bit() > 0 => Some(Reason::Pinned),
        _ => Some(Reason::Objective),
    }
}
