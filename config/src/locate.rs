//! From a path or a node's number to the place in the text, and back to the path as the file has it.

use crate::decode::{Misfit, What, words};
use crate::report::Problem;
use crate::schema;
use crate::suggest::closest;
use crate::tree::{Kind, Node, Place};

/// Longest text of the file that a message repeats, in characters.
const SHOWN_MAX: usize = 80;

/// Where something was found in the tree.
pub(crate) struct Found<'t> {
    /// The path as the file has it.
    pub(crate) path: String,
    /// The node, or the innermost one that is there.
    pub(crate) node: &'t Node,
    /// The place to show.
    pub(crate) place: Place,
    /// The whole path is there.
    pub(crate) exact: bool,
}

/// The node with this number.
pub(crate) fn by_id(root: &Node, id: u32) -> Option<(Found<'_>, Option<(&str, Place)>)> {
    search(root, id, String::new(), None)
}

fn search<'t>(
    node: &'t Node,
    id: u32,
    path: String,
    key: Option<(&'t str, Place)>,
) -> Option<(Found<'t>, Option<(&'t str, Place)>)> {
    if node.id == id {
        return Some((
            Found { path, node, place: mark(node, key.map(|(_, place)| place)), exact: true },
            key,
        ));
    }
    match &node.kind {
        Kind::Scalar(_) => None,
        Kind::List(items) => {
            items.iter().enumerate().find_map(|(i, item)| search(item, id, format!("{path}[{i}]"), None))
        }
        Kind::Map(entries) => entries.iter().find_map(|entry| {
            let path = joined(&path, &entry.key);
            search(&entry.value, id, path, Some((&entry.key, entry.key_place)))
        }),
    }
}

/// What stands at a path that a check has made: its indices count only what is not skipped.
pub(crate) fn by_path<'t>(root: &'t Node, path: &str, skipped: &dyn Fn(u32) -> bool) -> Found<'t> {
    let mut found = Found { path: String::new(), node: root, place: root.mark(), exact: true };
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        let next = match (&found.node.kind, part.strip_suffix(']')) {
            (Kind::List(items), Some(index)) => {
                let mut kept = items.iter().enumerate().filter(|(_, item)| !skipped(item.id));
                let nth = index.parse().ok().and_then(|n| kept.nth(n));
                nth.map(|(i, item)| (format!("{}[{i}]", found.path), item, None))
            }
            (Kind::Map(entries), None) => {
                let entry = entries.iter().find(|entry| entry.key == part);
                entry.map(|entry| (joined(&found.path, part), &entry.value, Some(entry.key_place)))
            }
            _ => None,
        };
        match next.filter(|_| found.exact) {
            Some((path, node, key)) => found = Found { path, node, place: mark(node, key), exact: true },
            // The rest of the path is not in the file: a default, or missing. Its name is shown, beside what is there.
            None if part.ends_with(']') => {
                found = Found { path: format!("{}[{part}", found.path), exact: false, ..found }
            }
            None => found = Found { path: joined(&found.path, part), exact: false, ..found },
        }
    }
    found
}

/// The problem that a misfit is.
pub(crate) fn misfit(root: &Node, misfit: &Misfit) -> Problem {
    let Some((found, key)) = misfit.node.and_then(|id| by_id(root, id)) else {
        return Problem::new(format!("the file cannot be read: {misfit}"));
    };
    let place = Some(found.place);
    match (&misfit.what, key) {
        (What::Key { found: word, known }, key) => {
            let all = format!("the keys here are {}", words(known));
            let help = match closest(word, known.iter().copied()) {
                Some(likely) => format!("did you mean `{likely}`? {all}"),
                None => all,
            };
            let place = key.map_or(place, |(_, place)| Some(place));
            Problem::new(format!("unknown key `{}`", cut(word))).at(place).key(found.path).help(Some(help))
        }
        (What::Word { known }, _) => {
            let help = closest(&text(found.node), known.iter().copied())
                .map(|likely| format!("did you mean `{likely}`?"));
            let message = format!("expected one of {}, found {}", words(known), shown(found.node));
            Problem::new(message).at(place).key(found.path).help(help)
        }
        (What::Expected(expected), _) => {
            let help = schema::describe(&found.path);
            let message = format!("expected {expected}, found {}", shown(found.node));
            Problem::new(message).at(place).key(found.path).help(help)
        }
        (What::Said(said), _) => {
            let message = format!("cannot read {}", shown(found.node));
            Problem::new(message).at(place).key(found.path).help(Some(said.clone()))
        }
    }
}

/// What a message may show of a value: never what came from a variable.
fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "keys and values".to_owned(),
        Kind::Scalar(scalar) if !scalar.plain => format!("`\"{}\"`", cut(&scalar.text)),
        Kind::Scalar(scalar) if scalar.shown().is_empty() => "nothing".to_owned(),
        Kind::Scalar(scalar) => format!("`{}`", cut(scalar.shown())),
    }
}

fn text(node: &Node) -> String {
    if let Kind::Scalar(scalar) = &node.kind { scalar.shown().to_owned() } else { String::new() }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Of a scalar, itself; of nothing, a list or a mapping, the key it stands under, if it has one.
fn mark(node: &Node, key: Option<Place>) -> Place {
    match (&node.kind, key) {
        (Kind::Scalar(_), Some(key)) if node.place.len == 0 => key,
        (Kind::Scalar(_), _) | (_, None) => node.mark(),
        (_, Some(key)) => key,
    }
}
