//! All numbers at one moment, to be encoded or shown. Owns everything, so nothing waits for whoever reads it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::encode::gpu::Gpu;
use crate::encode::resident::Resident;
use crate::observation::Start;
use crate::slo::record::Promise;
use crate::slo::{Rule, Target};
use crate::store::exemplar::{self, EXEMPLARS, Exemplars};
use crate::store::{Book, Exemplar, Reason};
use crate::totals::Totals;
use crate::windows::Recent;

/// The models and what is counted of the store itself.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Every model that is exported under its own name, and each reserved name that had a request. `__other__` holds
    /// all models that are not.
    pub models: Vec<ModelSnapshot>,
    /// Names of others under which the models are exported once more.
    pub profiles: Vec<weir_config::Profile>,
    /// What servers tell of their GPUs.
    pub gpus: Arc<Vec<Gpu>>,
    /// Models that have a slot.
    pub models_known: u64,
    /// Models exported under their own name.
    pub models_exported: u64,
    /// Requests that went to `__overflow__` because there was no room for their model's name.
    pub names_overflowed: u64,
    /// Requests settled by each worker.
    pub workers: Vec<u64>,
    /// Requests that ended under the name of a model that was exported then and is not now. Those of `models` and
    /// these are all.
    pub withdrawn: u64,
}

/// One model; dereferences to its [`Totals`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelSnapshot {
    /// The backend's name.
    pub backend: Arc<str>,
    /// The model's name, as the client sent it.
    pub model: Arc<str>,
    /// Its version, where versions are counted apart (`version_label`).
    pub version: Option<Arc<str>>,
    /// Why it is exported under its own name, if it is; reserved names have no reason.
    pub reason: Option<Reason>,
    /// The label that tells its tier, and the tier.
    pub tier: Option<(Arc<str>, Arc<str>)>,
    /// Whether the name is one of [`crate::Reserved`].
    pub reserved: bool,
    /// Its numbers since the start of the process.
    pub totals: Totals,
    /// Its last minutes, where they were asked for.
    pub recent: Option<Recent>,
    pub(crate) exemplars: Exemplars,
    /// What servers tell of it when they are asked.
    pub resident: Option<Resident>,
    /// How its promises stand.
    pub promised: Vec<Promised>,
    /// `backend="…",model="…"`, escaped.
    pub(crate) labels: Arc<str>,
}

/// How one promise of a model stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Promised {
    /// What is promised.
    pub rule: Arc<Rule>,
    /// Requests that count for it, since it was made.
    pub total: u64,
    /// Those that break it.
    pub bad: u64,
    /// Those of them that were cold; of promises of latency for any start.
    pub bad_cold: Option<u64>,
    /// What is left of its budget, if there were any.
    pub left: Option<f64>,
}

impl Promised {
    pub(crate) fn new(promise: &Promise, now: Duration) -> Self {
        let left = promise.burn(now).left;
        let is_any = matches!(promise.rule.target, Target::Latency { start: None, .. });
        let bad_cold = is_any.then_some(promise.bad_cold);
        Self { rule: Arc::clone(&promise.rule), total: promise.total, bad: promise.bad, bad_cold, left }
    }
}

impl ModelSnapshot {
    pub(crate) fn new(book: &Book) -> Self {
        Self {
            backend: Arc::clone(&book.backend),
            model: Arc::clone(&book.name),
            version: book.version.clone(),
            reason: None,
            tier: None,
            reserved: book.model.is_reserved(),
            totals: book.totals.clone(),
            recent: None,
            exemplars: [None; EXEMPLARS],
            resident: None,
            promised: Vec::new(),
            labels: Arc::clone(&book.labels),
        }
    }
}

impl ModelSnapshot {
    /// The last traced requests that started so.
    pub fn exemplars(&self, start: Start) -> impl Iterator<Item = Exemplar> {
        exemplar::of(start, &self.exemplars).iter().flatten().copied()
    }
}

impl Deref for ModelSnapshot {
    type Target = Totals;

    fn deref(&self) -> &Totals {
        &self.totals
    }
}

impl Snapshot {
    /// The model of that name on that backend; reserved names too, and of `__other__` what is in no tier.
    #[must_use]
    pub fn model(&self, backend: &str, model: &str) -> Option<&ModelSnapshot> {
        self.models.iter().find(|entry| *entry.backend == *backend && *entry.model == *model)
    }

    /// Requests that ended, of all models in here.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.models.iter().map(|model| model.settled()).sum()
    }
}
