//! Where promises meet models: each model that comes takes its own, a new configuration hands out new ones, and once a
//! second all are looked at.

use std::sync::Arc;
use std::time::Duration;

use weir_config::{Alerts, Slo};

use super::ledger::{Book, Ledger};
use super::model::{Slot, Slots};
use super::{BackendId, ModelRef, Pin, Store};
use crate::slo::marks::Marks;
use crate::slo::record::Record;
use crate::slo::rule::Rules;
use crate::slo::{Alert, Rule, Standing};
use crate::snapshot::Promised;

impl Store {
    /// What models promise from now on. A promise that is the same as before goes on where it stood.
    pub fn promise(&self, slos: &[Slo], alerts: &Alerts) {
        let rules = Arc::new(Rules::new(slos, |name| self.backend(name)));
        let mut ledger = self.ledger();
        self.publish(&mut ledger);
        // What was counted under the limits of before belongs to the promises of before.
        ledger.fold(&self.slots, &self.sets, &self.wakes);
        self.rules.store(Arc::clone(&rules));
        ledger.watch.max = alerts.alerts_max as usize;
        ledger.books.change_all(|book| book.promise(&rules, &self.slots));
        for backend in (0..ledger.backends.len()).filter_map(|at| Some(BackendId(u16::try_from(at).ok()?))) {
            ledger.pin(backend, Pin::Objective, rules.names(backend));
        }
    }

    /// Every promise there is, in the file's order.
    #[must_use]
    pub fn rules(&self) -> Vec<Arc<Rule>> {
        self.rules.load().iter().cloned().collect()
    }

    /// How every promise of every model stands, exported or not, `now` since the start of the process.
    #[must_use]
    pub fn standings(&self, now: Duration) -> Vec<Standing> {
        let ledger = self.folded();
        let now = now.max(ledger.now);
        ledger.books.of(|books| &books.promised).flat_map(|book| book.standings(now)).collect()
    }

    /// Every alert on its way, pending and lately resolved ones too.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.ledger().watch.alerts()
    }

    /// Times an alert had no room among `alerts_max` others.
    #[must_use]
    pub fn alerts_left_out(&self) -> u64 {
        self.ledger().watch.left_out
    }

    /// Sets the limits of a model that has just been given its slot, before its first request ends.
    pub(super) fn mark(&self, slot: &Slot, backend: BackendId, name: &str) {
        set(slot, &self.rules.load().of(backend, name));
    }
}

impl Ledger {
    /// Looks at all promises.
    pub(super) fn look(&mut self, now: Duration) {
        self.watch.look(now, &mut self.books);
    }
}

impl Book {
    /// Takes the model's promises.
    pub(super) fn promise(&mut self, rules: &Rules, slots: &Slots) {
        let Self { model: ModelRef { slot, backend, .. }, .. } = *self;
        let of = if self.model.is_reserved() { Vec::new() } else { rules.of(backend, &self.name) };
        if let Some(slot) = slots.get(slot) {
            set(slot, &of);
        }
        if of.is_empty() {
            (self.slo, self.burns) = (None, false);
        } else {
            self.slo.get_or_insert_default().adopt(of);
        }
    }

    fn standings(&self, now: Duration) -> impl Iterator<Item = Standing> {
        self.slo.iter().flat_map(|record| &record.promises).map(move |promise| Standing {
            backend: Arc::clone(&self.backend),
            model: Arc::clone(&self.name),
            version: self.version.clone(),
            rule: Arc::clone(&promise.rule),
            verdict: promise.verdict(now),
            burn: promise.burn(now),
            total: promise.total,
            bad: promise.bad,
        })
    }

    /// What is exported of its promises.
    pub(crate) fn promised(&self, now: Duration) -> Vec<Promised> {
        let of =
            |record: &Record| record.promises.iter().map(|promise| Promised::new(promise, now)).collect();
        self.slo.as_deref().map_or_else(Vec::new, of)
    }
}

/// Sets the limits of the promises that have one; makes room for them when there is the first.
fn set(slot: &Slot, rules: &[Arc<Rule>]) {
    let any = rules.iter().any(|rule| rule.target.limit().is_some());
    if any || slot.marks.get().is_some() {
        slot.marks.get_or_init(Box::<Marks>::default).set(rules.iter().map(Arc::as_ref));
    }
}

#[cfg(test)]
mod tests;
