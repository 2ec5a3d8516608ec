//! A new configuration in place of the running one: all or nothing.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use metrics::gauge;
use serde::Serialize;
use weir_config::{Change, ListenAddress, Takes, diff, effective, hold};
use weir_telemetry::names;

use super::fleet::Fleet;
use super::inherited::Inherited;
use super::source::{Loaded, SourceError};
use crate::app::State;
use crate::live::{CompileError, Live};

/// Hashes that get a series of their own; a process that loads more configurations than this shows the first ones only.
const HASHES_MAX: usize = 100;

/// Why the running configuration stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// There is nothing to load again.
    #[error("weir was started from flags: there is no file to load again")]
    NoFile,
    /// It cannot be read or has problems.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A listener cannot be opened.
    #[error("a listener cannot be opened: {0}")]
    Listen(#[from] io::Error),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The gateway ends.
    #[error("weir is draining")]
    Draining,
}

/// What a reload did.
#[derive(Debug, Clone, Serialize)]
pub struct Reloaded {
    /// The running configuration's hash.
    pub hash: String,
    /// What was taken over.
    pub changes: Vec<Change>,
    /// What differs and holds from the start of the process: it needs a restart.
    pub needs_restart: Vec<Change>,
}

/// The running configuration, as it is told to operators.
#[derive(Debug, Default, Clone)]
pub struct Present {
    /// Its hash.
    pub hash: String,
    /// When it was loaded, seconds of Unix time.
    pub since: f64,
    /// Whether the last attempt to load one succeeded.
    pub last_succeeded: bool,
    /// What the file says otherwise and needs a restart.
    pub needs_restart: Vec<Change>,
    /// Every listener's name and the address it is bound to.
    pub listeners: Vec<(String, ListenAddress)>,
    hashes: Vec<String>,
}

impl Present {
    /// What was loaded runs now.
    pub fn succeeded(&mut self, hash: &str, needs_restart: Vec<Change>) {
        self.since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        gauge!(names::CONFIG_LAST_RELOAD_SUCCESSFUL).set(1.0);
        gauge!(names::CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP).set(self.since);
        self.last_succeeded = true;
        self.needs_restart = needs_restart;
        if self.hash == hash {
            return;
        }
        if self.hashes.contains(&self.hash) {
            gauge!(names::CONFIG_INFO, "hash" => self.hash.clone()).set(0.0);
        }
        hash.clone_into(&mut self.hash);
        if !self.hashes.contains(&self.hash) && self.hashes.len() < HASHES_MAX {
            self.hashes.push(self.hash.clone());
        }
        if self.hashes.contains(&self.hash) {
            gauge!(names::CONFIG_INFO, "hash" => self.hash.clone()).set(1.0);
        }
    }

    /// What was loaded does not run.
    pub fn failed(&mut self) {
        gauge!(names::CONFIG_LAST_RELOAD_SUCCESSFUL).set(0.0);
        self.last_succeeded = false;
    }
}

/// Takes over what was loaded.
///
/// # Errors
/// Why not; nothing has changed then.
pub(super) fn take_over(state: &State, fleet: &mut Fleet, loaded: Loaded) -> Result<Reloaded, ReloadError> {
    let Loaded { mut config, hash } = loaded;
    let live = state.shared.load();
    let running = effective(&live.config);
    let asked = diff(&running, &effective(&config));
    let (needs_restart, mut changes): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|change| change.takes == Takes::Restart);
    hold(&mut config, &live.config);
    if config != live.config {
        let plan = fleet.sockets.plan(&config.listeners, &mut Inherited::default())?;
        let next = Live::compile(config, live.generation + 1, &state.store, &state.residency)?;
        fleet.take_over(plan)?;
        state.shared.swap(next);
    } else {
        changes.clear();
    }
    Ok(Reloaded { hash, changes, needs_restart })
}
