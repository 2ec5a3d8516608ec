//! Which endpoints of a backend have tables: those that are asked, and several that load calls tell apart.

use std::sync::Arc;

use weir_config::{Backend, Config, Endpoint, PollMode, StateSource};

use super::polled::{Polled, Watched};

impl Watched {
    /// The tables that a backend's configuration asks for. One of before is kept, if it is of the same endpoint under the same settings.
    pub(super) fn new(config: &Config, backend: &Backend, before: &Self) -> Self {
        let are_several = backend.endpoints.len() > 1;
        let table = |endpoint: &Endpoint| {
            let (name, poll) = (endpoint.label(), &backend.state);
            let kept = before.tables.iter().find(|table| table.is_of(&name, poll));
            kept.map_or_else(|| Arc::new(Polled::new(name, poll)), Arc::clone)
        };
        let has_tables = are_several || asked(config, backend).is_some();
        let tables = if has_tables { backend.endpoints.iter().map(table).collect() } else { Vec::new() };
        Self { tables, are_several, reload_within: backend.state.reload_within }
    }
}

/// The pages that a backend's endpoints are asked; none: they are not asked.
#[must_use]
pub fn asked<'c>(config: &'c Config, backend: &Backend) -> Option<&'c [StateSource]> {
    let sources = config.dialect(&backend.dialect)?.state.as_slice();
    let is_on = backend.state.poll == PollMode::Auto && !sources.is_empty();
    (is_on && !backend.shares_management(sources)).then_some(sources)
}
