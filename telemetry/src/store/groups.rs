//! Groups of models, by configuration (`telemetry.tiers`): a team's or a pool's. A model's series tell its group in one
//! more label, and models in the tail are summed up by it: `__other__` of one group is a series of its own, so a sum
//! by the label is exact however few models are exported.
//!
//! A group that was ever named keeps its number for the life of the process, as its sums do. [`GROUPS_MAX`] bounds them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::BackendId;
use super::exemplar::{EXEMPLARS, Exemplars, take_later};
use super::ledger::Book;
use crate::slo::rule::glob;
use crate::totals::Totals;

/// Groups over the life of the process; a model of one more is in none. Four times what a configuration may name.
pub(crate) const GROUPS_MAX: usize = 256;

/// A group's number; 0 = none.
pub(crate) type GroupId = u16;

/// Groups, and which models are in them.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    label: Arc<str>,
    /// Group `n` stands at `n - 1`.
    names: Vec<Arc<str>>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    group: GroupId,
    models: Vec<String>,
    backend: Option<BackendId>,
}

impl Groups {
    /// Takes over the configured groups; `backend` gives a backend's number.
    pub(crate) fn set(
        &mut self,
        label: &str,
        tiers: &[weir_config::Tier],
        backend: impl Fn(&str) -> BackendId,
    ) {
        self.label = label.into();
        self.rules.clear();
        for tier in tiers {
            let known = self.names.iter().position(|name| **name == *tier.name);
            let at = known.unwrap_or(self.names.len());
            if at >= GROUPS_MAX {
                continue;
            }
            if known.is_none() {
                self.names.push(tier.name.as_str().into());
            }
            let group = GroupId::try_from(at + 1).unwrap_or(0);
            let backend = tier.backend.as_deref().map(&backend);
            self.rules.push(Rule { group, models: tier.models.clone(), backend });
        }
    }

    /// The first group that the model fits.
    pub(crate) fn of(&self, backend: BackendId, name: &str) -> GroupId {
        let fits = |rule: &&Rule| {
            rule.backend.is_none_or(|only| only == backend)
                && rule.models.iter().any(|pattern| glob(pattern, name))
        };
        self.rules.iter().find(fits).map_or(0, |rule| rule.group)
    }

    /// A group's label and its value.
    pub(crate) fn label(&self, group: GroupId) -> Option<(Arc<str>, Arc<str>)> {
        let name = self.names.get(usize::from(group).checked_sub(1)?)?;
        Some((Arc::clone(&self.label), Arc::clone(name)))
    }
}

/// What models in the tail did, by backend and group: exported as `__other__`.
#[derive(Debug, Default)]
pub(crate) struct Others {
    totals: BTreeMap<(u16, GroupId), Totals>,
    /// The latest of their traced requests.
    pub(crate) traced: HashMap<(BackendId, GroupId), Exemplars>,
    /// Requests that ended under the name of a model that was exported then and is not now, or is no more.
    pub(crate) withdrawn: u64,
}

impl Others {
    /// Those of the book's backend and group.
    pub(crate) fn of(&mut self, book: &Book) -> &mut Totals {
        self.totals.entry((book.model.backend.0, book.group)).or_default()
    }

    /// A model's exemplars are those of its `__other__` too.
    pub(crate) fn trace(&mut self, book: &Book, exemplars: &Exemplars) {
        let of = self.traced.entry((book.model.backend, book.group)).or_insert([None; EXEMPLARS]);
        take_later(of, exemplars);
    }

    /// Those of a backend that are in no group.
    pub(crate) fn of_none(&self, backend: BackendId) -> Option<&Totals> {
        self.totals.get(&(backend.0, 0))
    }

    /// Those that are in a group, by backend and group.
    pub(crate) fn grouped(&self) -> impl Iterator<Item = (BackendId, GroupId, &Totals)> {
        let grouped = self.totals.iter().filter(|((_, group), _)| *group > 0);
        grouped.map(|((backend, group), totals)| (BackendId(*backend), *group, totals))
    }
}
