//! Writes CloudWatch's lines to a file, or to stdout, on a thread that may block.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use weir_config::Emf as Config;
use weir_telemetry::{Emf, EmfSettings};

use crate::app::State;

/// What was told last, kept over configurations.
#[derive(Debug, Clone, Default)]
pub struct Lines(Arc<Mutex<Emf>>);

impl Lines {
    pub(super) fn of(state: &State) -> Self {
        state.emf.clone()
    }

    /// Writes what happened since the last time; of what could not be written the next time tells no more.
    pub(super) async fn write(&self, state: &Arc<State>, config: &Config) -> io::Result<()> {
        let (lines, state, config) = (self.clone(), Arc::clone(state), config.clone());
        let written = tokio::task::spawn_blocking(move || {
            let settings = EmfSettings {
                namespace: config.namespace.clone(),
                dimensions: config
                    .dimensions
                    .iter()
                    .map(|one| (one.name.clone(), one.value.clone()))
                    .collect(),
                top_models: config.top_models.into(),
            };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            let snapshot = state.store.snapshot();
            let text =
                lines.0.lock().unwrap_or_else(PoisonError::into_inner).lines(&snapshot, now, &settings);
            put(config.path.as_deref(), text.as_bytes())
        });
        written.await.map_err(io::Error::other)?
    }
}

fn put(path: Option<&str>, text: &[u8]) -> io::Result<()> {
    match path {
        Some(path) => {
            // Also with nothing to write: a folder that is not there is found at once.
            OpenOptions::new().append(true).create(true).open(path)?.write_all(text)
        }
        None => {
            let mut out = io::stdout().lock();
            out.write_all(text)?;
            out.flush()
        }
    }
}
