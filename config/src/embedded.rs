//! The dialects that come with weir, as files that can be printed, and how one dialect extends another.

use std::sync::LazyLock;

use crate::dialect::Dialect;
use crate::read;

/// `conventions` is no server: it holds the cold-start headers that all others extend.
const FILES: [(&str, &str); 1] = [("conventions", include_str!("../dialects/conventions.yaml"))];

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let parsed = FILES.iter().filter_map(|(name, yaml)| read::dialect(yaml, name).ok());
    parsed.collect()
});

/// Name and YAML of every embedded dialect.
pub fn embedded_dialects() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.into_iter()
}

/// The embedded dialect of this name or alias, with the rules of those it extends.
pub(crate) fn find(name: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().find(|d| d.name == name || d.aliases.iter().any(|a| a == name))
}
