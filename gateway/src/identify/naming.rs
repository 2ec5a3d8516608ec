//! What a model is called where that is not what its requests say: names made alike and mapped, by configuration. What is forwarded is
//! not touched, and the id that loads and unloads name stays as it was said.
//!
//! Cost, and only for a backend that has such rules: one copy of the name (no allocation up to 24 bytes), cut in place, and one
//! comparison for each rule; a pattern whose first letter is not the name's costs that one letter.

use weir_config::NameMap;
use weir_telemetry::glob;

use super::name::ModelName;
use super::{Identity, NAME_BYTES_MAX};

/// The rules of one backend, in the order in which they are applied.
#[derive(Debug)]
pub(super) struct Naming {
    rules: weir_config::Naming,
    targets: Vec<ModelName>,
}

/// A rule that changed a name, and what it made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameStep {
    /// The rule, in words.
    pub rule: String,
    /// The name after it.
    pub name: String,
}

impl Naming {
    /// Rules made ready; none if they change nothing.
    pub(super) fn new(rules: &weir_config::Naming) -> Option<Self> {
        let target = |map: &NameMap| ModelName::new(&map.to, NAME_BYTES_MAX);
        let targets = rules.map.iter().map(target).collect::<Option<_>>()?;
        (!rules.is_empty()).then(|| Self { rules: rules.clone(), targets })
    }

    /// What the model of this name is called.
    pub(super) fn apply(&self, given: &ModelName) -> ModelName {
        let mut name = given.clone();
        if self.rules.lowercase {
            name.make_lowercase();
        }
        if let Some(prefix) = self.prefix(&name) {
            name.cut_front(prefix.len());
        }
        if let Some(suffix) = self.suffix(&name) {
            name.cut_back(suffix.len());
        }
        self.mapping(&name).and_then(|i| self.targets.get(i)).cloned().unwrap_or(name)
    }

    /// The same, told step by step; only what changed something.
    pub(super) fn steps(&self, given: &str) -> Vec<NameStep> {
        let mut name = given.to_owned();
        let mut steps = Vec::new();
        let mut take = |name: &mut String, rule: String, after: String| {
            if *name != after {
                name.clone_from(&after);
                steps.push(NameStep { rule, name: after });
            }
        };
        if self.rules.lowercase {
            let after = name.to_ascii_lowercase();
            take(&mut name, "lowercase".to_owned(), after);
        }
        if let Some(prefix) = self.prefix(&name) {
            let after = name.strip_prefix(prefix).unwrap_or(&name).to_owned();
            take(&mut name, format!("strip_prefix {prefix:?}"), after);
        }
        if let Some(suffix) = self.suffix(&name) {
            let after = name.strip_suffix(suffix).unwrap_or(&name).to_owned();
            take(&mut name, format!("strip_suffix {suffix:?}"), after);
        }
        if let Some((i, map)) = self.mapping(&name).and_then(|i| Some((i, self.rules.map.get(i)?))) {
            take(&mut name, format!("map[{i}] {:?}", map.from), map.to.clone());
        }
        steps
    }

    /// The identity under the model's name; what the request said stays the id by which the server knows it.
    pub(super) fn rename(&self, identity: Identity) -> Identity {
        let name = self.apply(&identity.name);
        let said = identity.resident.unwrap_or(identity.name);
        Identity { resident: (said != name).then_some(said), name, ..identity }
    }

    fn prefix(&self, name: &str) -> Option<&str> {
        let fits = |text: &&String| name.starts_with(text.as_str());
        self.rules.strip_prefix.iter().find(fits).filter(|text| text.len() < name.len()).map(String::as_str)
    }

    fn suffix(&self, name: &str) -> Option<&str> {
        let fits = |text: &&String| name.ends_with(text.as_str());
        self.rules.strip_suffix.iter().find(fits).filter(|text| text.len() < name.len()).map(String::as_str)
    }

    fn mapping(&self, name: &str) -> Option<usize> {
        self.rules.map.iter().position(|map| glob(&map.from, name))
    }
}

#[cfg(test)]
mod tests;
