//! Reads an answer of a server's state, as its dialect says. Pure.

use std::collections::HashMap;

use serde_json::Value;
use weir_config::{Place, StateSource, StateWord};

use crate::residency::Told;

/// A name of a model that is longer is left out.
const NAME_BYTES_MAX: usize = 1024;

/// A source whose places are read; one that cannot be read is a bug of the checks, and finds nothing.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) source: StateSource,
    each: Place,
    name: Option<Place>,
    state: Option<Place>,
    memory: Option<Place>,
    gpu_memory: Option<Place>,
    next_page: Option<(Place, String)>,
}

/// What a round has found so far.
pub(super) type Found = HashMap<String, Told>;

impl Reader {
    pub(super) fn new(source: &StateSource) -> Option<Self> {
        let place = |text: &Option<String>| text.as_deref().map(Place::parse).transpose().ok();
        let next_page = match source.next_page.as_deref().and_then(|next| next.split_once('=')) {
            Some((place, query)) => Some((Place::parse(place).ok()?, query.to_owned())),
            None => None,
        };
        Some(Self {
            each: Place::parse(&source.each).ok()?,
            name: place(&source.name)?,
            state: place(&source.state)?,
            memory: place(&source.memory_bytes)?,
            gpu_memory: place(&source.gpu_memory_bytes)?,
            next_page,
            source: source.clone(),
        })
    }

    /// Whether each model has a page of its own.
    pub(super) fn is_for_one(&self) -> bool {
        self.source.path.contains("{model}")
    }

    /// Adds what an answer tells: of `asked`, if it is the page of one model, else of those that it names, else of all found so far.
    pub(super) fn read(&self, answer: &Value, asked: Option<&str>, found: &mut Found, models_max: usize) {
        let mut here = Found::new();
        for item in find(answer, &self.each) {
            let told = self.told(item);
            match (&self.name, asked) {
                (Some(place), _) => {
                    for name in find(item, place).into_iter().filter_map(text) {
                        self.names(&name, told, &mut here, models_max);
                    }
                }
                (None, Some(asked)) => add(&mut here, asked, told),
                (None, None) => found.keys().for_each(|name| add(&mut here, name, told)),
            }
        }
        for (name, told) in here {
            if found.len() >= models_max && !found.contains_key(&name) {
                continue;
            }
            let known = found.entry(name).or_default();
            if told.word != StateWord::Unknown {
                known.word = told.word;
            }
            known.memory_bytes = told.memory_bytes.or(known.memory_bytes);
            known.gpu_memory_bytes = told.gpu_memory_bytes.or(known.gpu_memory_bytes);
        }
    }

    /// Path and query of the page behind this one.
    pub(super) fn next(&self, answer: &Value) -> Option<String> {
        let (place, query) = self.next_page.as_ref()?;
        let token = find(answer, place).into_iter().find_map(text).filter(|token| !token.is_empty())?;
        let token = percent_encoding::utf8_percent_encode(&token, percent_encoding::NON_ALPHANUMERIC);
        let path = &self.source.path;
        let mark = if path.contains('?') { '&' } else { '?' };
        Some(format!("{path}{mark}{query}={token}"))
    }

    fn names(&self, name: &str, told: Told, here: &mut Found, models_max: usize) {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || here.len() >= models_max {
            return;
        }
        add(here, name, told);
        let short = self.source.optional_suffix.as_deref().and_then(|suffix| name.strip_suffix(suffix));
        if let Some(short) = short.filter(|short| !short.is_empty()) {
            add(here, short, told);
        }
    }

    fn told(&self, item: &Value) -> Told {
        let values = self.state.as_ref().map(|place| find(item, place)).unwrap_or_default();
        let values: Vec<String> = values.into_iter().filter_map(text).collect();
        let any = |words: &[String]| values.iter().any(|value| words.contains(value));
        let source = &self.source;
        let word = if any(&source.loaded) {
            StateWord::Loaded
        } else if any(&source.loading) {
            StateWord::Loading
        } else if any(&source.unloaded) {
            StateWord::Unloaded
        } else if values.is_empty() {
            source.otherwise
        } else {
            StateWord::Unknown
        };
        Told {
            word,
            memory_bytes: sum(item, self.memory.as_ref()),
            gpu_memory_bytes: sum(item, self.gpu_memory.as_ref()),
        }
    }
}

/// A model that is there more than once (versions) is as loaded as the one of them that is most.
fn add(here: &mut Found, name: &str, told: Told) {
    let rank = |word| match word {
        StateWord::Unknown => 0,
        StateWord::Unloaded => 1,
        StateWord::Loading => 2,
        StateWord::Loaded => 3,
    };
    let both = |a: Option<u64>, b: Option<u64>| a.map(|a| a.saturating_add(b.unwrap_or(0))).or(b);
    let known = here.entry(name.to_owned()).or_default();
    if rank(told.word) > rank(known.word) {
        known.word = told.word;
    }
    known.memory_bytes = both(known.memory_bytes, told.memory_bytes);
    known.gpu_memory_bytes = both(known.gpu_memory_bytes, told.gpu_memory_bytes);
}

/// The sum of what stands there; none if nothing does, and none for 0: no model takes no memory, its server has not looked yet.
fn sum(item: &Value, place: Option<&Place>) -> Option<u64> {
    let sizes = find(item, place?).into_iter().filter_map(Value::as_u64);
    Some(sizes.fold(0, u64::saturating_add)).filter(|sum| *sum > 0)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Everything that stands at a place.
fn find<'v>(value: &'v Value, place: &Place) -> Vec<&'v Value> {
    let mut at = through(vec![value]);
    for step in place.steps() {
        let next = at.into_iter().filter_map(|value| value.get(&step.key)).collect();
        at = through(next);
        if let Some((key, wanted)) = &step.only {
            at.retain(|value| value.get(key).and_then(text).as_ref() == Some(wanted));
        }
    }
    at
}

/// What is in arrays in their stead.
fn through(values: Vec<&Value>) -> Vec<&Value> {
    values
        .into_iter()
        .flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            other => vec![other],
        })
        .collect()
}

#[cfg(test)]
mod tests;
