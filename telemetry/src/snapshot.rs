//! All numbers at one moment, to be encoded or shown. Owns everything, so nothing waits for whoever reads it.

use std::ops::Deref;
use std::sync::Arc;

use crate::store::Book;
use crate::totals::Totals;
use crate::windows::Recent;

/// The models and what is counted of the store itself.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Every model, and each reserved name that had a request.
    pub models: Vec<ModelSnapshot>,
    /// Models that have a slot.
    pub models_known: u64,
    /// Models in `models`, without the reserved names.
    pub models_exported: u64,
    /// Requests that went to `__overflow__` because there was no room for their model's name.
    pub names_overflowed: u64,
    /// Requests settled by each worker.
    pub workers: Vec<u64>,
}

/// One model; dereferences to its [`Totals`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelSnapshot {
    /// The backend's name.
    pub backend: Arc<str>,
    /// The model's name, as the client sent it.
    pub model: Arc<str>,
    /// Whether the name is one of [`crate::Reserved`].
    pub reserved: bool,
    /// Its numbers since the start of the process.
    pub totals: Totals,
    /// Its last minutes, where they were asked for.
    pub recent: Option<Recent>,
    /// `backend="…",model="…"`, escaped.
    pub(crate) labels: Arc<str>,
}

impl ModelSnapshot {
    pub(crate) fn new(book: &Book) -> Self {
        Self {
            backend: Arc::clone(&book.backend),
            model: Arc::clone(&book.name),
            reserved: book.model.is_reserved(),
            totals: book.totals.clone(),
            recent: None,
            labels: Arc::clone(&book.labels),
        }
    }
}

impl Deref for ModelSnapshot {
    type Target = Totals;

    fn deref(&self) -> &Totals {
        &self.totals
    }
}

impl Snapshot {
    /// The model of that name on that backend; reserved names too.
    #[must_use]
    pub fn model(&self, backend: &str, model: &str) -> Option<&ModelSnapshot> {
        self.models.iter().find(|entry| *entry.backend == *backend && *entry.model == *model)
    }

    /// Requests that ended, of all models.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.models.iter().map(|model| model.settled()).sum()
    }
}
