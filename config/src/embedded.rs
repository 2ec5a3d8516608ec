//! The dialects that come with weir, as files that can be printed, and how one dialect extends another.

use std::sync::LazyLock;

use crate::dialect::Dialect;
use crate::read;

/// The one that is no server: a backend may have it, nobody is told to.
pub(crate) const CONVENTIONS: &str = "conventions";

/// `conventions` is no server: it holds the cold-start headers that all others extend.
const FILES: [(&str, &str); 17] = [
    (CONVENTIONS, include_str!("../dialects/conventions.yaml")),
    ("mms", include_str!("../dialects/mms.yaml")),
    ("sagemaker", include_str!("../dialects/sagemaker.yaml")),
    ("torchserve", include_str!("../dialects/torchserve.yaml")),
    ("triton", include_str!("../dialects/triton.yaml")),
    ("kserve-v1", include_str!("../dialects/kserve-v1.yaml")),
    ("openai", include_str!("../dialects/openai.yaml")),
    ("ollama", include_str!("../dialects/ollama.yaml")),
    ("tgi", include_str!("../dialects/tgi.yaml")),
    ("tei", include_str!("../dialects/tei.yaml")),
    ("anthropic", include_str!("../dialects/anthropic.yaml")),
    ("bedrock", include_str!("../dialects/bedrock.yaml")),
    ("vertex", include_str!("../dialects/vertex.yaml")),
    ("ray", include_str!("../dialects/ray.yaml")),
    ("bentoml", include_str!("../dialects/bentoml.yaml")),
    ("seldon", include_str!("../dialects/seldon.yaml")),
    ("generic", include_str!("../dialects/generic.yaml")),
];

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    // A file with a problem is left out; a test reads each of them, so that none is.
    let mut all: Vec<Dialect> =
        FILES.iter().filter_map(|(name, yaml)| read::dialect(yaml, name).ok()).collect();
    extend(&mut all, |_| None);
    all
});

/// Name and YAML of every embedded dialect.
pub fn embedded_dialects() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.into_iter()
}

/// YAML of the embedded dialect of this name or alias.
#[must_use]
pub fn embedded_dialect(name: &str) -> Option<&'static str> {
    let name = find(name)?.name.as_str();
    FILES.into_iter().find(|(file, _)| *file == name).map(|(_, yaml)| yaml)
}

/// The embedded dialect of this name or alias, with the rules of those it extends.
pub(crate) fn find(name: &str) -> Option<&'static Dialect> {
    named(&DIALECTS, name)
}

/// Every name and alias that a backend may say: of these dialects, and of the embedded ones.
pub(crate) fn known(own: &[Dialect]) -> Vec<&str> {
    let all = own.iter().chain(DIALECTS.iter());
    all.flat_map(|d| std::iter::once(&d.name).chain(&d.aliases)).map(String::as_str).collect()
}

/// The dialect of this name, else of this alias.
pub(crate) fn named<'d>(all: &'d [Dialect], name: &str) -> Option<&'d Dialect> {
    all.iter()
        .find(|d| d.name == name)
        .or_else(|| all.iter().find(|d| d.aliases.iter().any(|alias| alias == name)))
}

/// The dialect among `all` that this one extends; none if it extends nothing, an embedded one, or the embedded one of
/// its own name.
pub(crate) fn parent<'d>(all: &'d [Dialect], dialect: &Dialect) -> Option<&'d Dialect> {
    let name = dialect.extends.as_deref().filter(|name| *name != dialect.name)?;
    named(all, name)
}

/// Gives every dialect the rules of those it extends, behind its own, and forgets `extends`. `outside` answers for names that are
/// not among `all`. There must be no ring; if there is one, each dialect of it takes the rules around it once.
pub(crate) fn extend(all: &mut [Dialect], outside: impl Fn(&str) -> Option<&'static Dialect>) {
    let written = all.to_vec();
    for dialect in all.iter_mut() {
        let mut at = dialect.clone();
        for _ in 0..=written.len() {
            let Some(name) = at.extends.as_deref() else { break };
            let Some(base) = parent(&written, &at).or_else(|| outside(name)) else { break };
            dialect.requests.extend(base.requests.iter().cloned());
            dialect.starts = dialect.starts.before(&base.starts);
            dialect.usage = dialect.usage.before(&base.usage);
            if dialect.names.is_none() {
                dialect.names.clone_from(&base.names);
            }
            if dialect.gpu.is_none() {
                dialect.gpu.clone_from(&base.gpu);
            }
            if dialect.state.is_empty() {
                dialect.state.clone_from(&base.state);
            }
            at = base.clone();
        }
        dialect.extends = None;
    }
}

#[cfg(test)]
mod tests;
