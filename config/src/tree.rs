//! YAML as a tree of nodes that know their place in the text; duplicate keys are found here.
//! It does not know what the keys mean, and does not decide what a scalar is: `007` stays that text until a field asks.

use std::collections::hash_map::Entry as Seen;
use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span};
use serde_saphyr::{
    DuplicateKeyPolicy, Location, MessageFormatter, NonFiniteFloatPolicy, Options, Spanned,
    UserMessageFormatter,
};

use crate::report::Problem;

/// Nodes of one file, aliases expanded: far above any real file, far below what a bomb needs.
const NODES_MAX: usize = 200_000;
/// Lists and mappings inside each other; a real file needs eight.
const DEPTH_MAX: usize = 32;

/// One value of the file.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its number, unique in the tree.
    pub(crate) id: u32,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar's text, before anyone asks what it means.
#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Neither quoted nor a block: it may be a number, a boolean, nothing, or hold `${VAR}`.
    pub(crate) plain: bool,
    /// What stands in the file, if `${VAR}` changed it; messages show this, never the value.
    pub(crate) source: Option<String>,
}

/// One line of a mapping.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

/// Where something stands: line and column from 1, and bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl Scalar {
    /// What may be shown of it.
    pub(crate) fn shown(&self) -> &str {
        self.source.as_deref().unwrap_or(&self.text)
    }

    /// Whether it stands for nothing at all.
    pub(crate) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Node {
    /// The place that shows it to a reader: of a list or mapping, where its first part stands.
    pub(crate) fn mark(&self) -> Place {
        match &self.kind {
            Kind::Scalar(_) => self.place,
            Kind::List(items) => items.first().map_or(self.place, Self::mark),
            Kind::Map(entries) => entries.first().map_or(self.place, |entry| entry.key_place),
        }
    }
}

/// Reads YAML. An error of the language ends it at once; duplicate keys are all added to `problems`.
pub(crate) fn read(text: &str, problems: &mut Vec<Problem>) -> Result<Node, Problem> {
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let error = error.without_snippet();
        let message = UserMessageFormatter.format_message(error).into_owned();
        let place = error.location().and_then(|location| place(&location)).map(|place| found(text, place));
        let line = place.and_then(|place| text.lines().nth(place.line.saturating_sub(1) as usize)).unwrap_or("");
        // `{` and `}` belong to YAML there.
        let braces = "inside `[…]` and `{…}` a value cannot hold `${…}`: write a list or a mapping with a line for each value";
        Problem::new(message).at(place).help(Some(braces.to_owned()).filter(|_| line.contains("${")))
    })?;
    Ok(Builder { text, styled: styled(text), next: 0, problems }.node(raw))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, max_nodes: NODES_MAX, max_events: 2 * NODES_MAX },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES_MAX, max_replay_stack_depth: DEPTH_MAX },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn place(location: &Location) -> Option<Place> {
    if *location == Location::UNKNOWN {
        return None;
    }
    let [line, column] = [location.line(), location.column()].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let [start, len] = [location.span().byte_offset(), location.span().byte_len()]
        .map(|n| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0));
    Some(Place { line, column, start, len })
}

/// An error of the language knows line and column only.
fn found(text: &str, place: Place) -> Place {
    let line = text.split_inclusive('\n').nth(place.line.saturating_sub(1) as usize).unwrap_or("");
    let before: usize =
        text.split_inclusive('\n').take(place.line.saturating_sub(1) as usize).map(str::len).sum();
    let within =
        line.char_indices().nth(place.column.saturating_sub(1) as usize).map_or(line.len(), |(at, _)| at);
    Place { start: before + within, ..place }
}

/// First bytes of all scalars that are quoted or a block: serde-saphyr's values do not tell, its parser does.
fn styled(text: &str) -> HashSet<usize> {
    let events = Parser::new_from_str(text).map_while(Result::ok);
    let styled = |(event, span): (Event<'_>, Span)| match event {
        Event::Scalar(_, style, ..) if style != ScalarStyle::Plain => span.start.byte_offset(),
        _ => None,
    };
    events.filter_map(styled).collect()
}

/// What serde-saphyr shows of a node. Of numbers and booleans only that they are plain: their text is taken from the file.
#[derive(Debug)]
enum Raw {
    Plain,
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

struct Builder<'t, 'p> {
    text: &'t str,
    styled: HashSet<usize>,
    next: u32,
    problems: &'p mut Vec<Problem>,
}

impl Builder<'_, '_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let defined = self.slice(&raw.defined);
        let kind = match raw.value {
            Raw::Plain => Kind::Scalar(Scalar { text: defined.to_owned(), plain: true, source: None }),
            Raw::Text(text) => {
                let start = place(&raw.defined).map(|place| place.start);
                let plain = start.is_some_and(|start| !self.styled.contains(&start));
                Kind::Scalar(Scalar { text, plain, source: None })
            }
            Raw::List(items) => Kind::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => Kind::Map(self.entries(entries)),
        };
        self.next += 1;
        Node { id: self.next, place: self.place(&raw.referenced), kind }
    }

    fn entries(&mut self, raw: Vec<(Spanned<String>, Spanned<Raw>)>) -> Vec<Entry> {
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut entries = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let key_place = self.place(&key.referenced);
            match seen.entry(key.value.clone()) {
                Seen::Vacant(vacant) => {
                    vacant.insert(key_place.line);
                    entries.push(Entry { key: key.value, key_place, value: self.node(value) });
                }
                Seen::Occupied(first) => {
                    let message = format!("the key `{}` is already given on line {}", key.value, first.get());
                    self.problems.push(Problem::new(message).at(Some(key_place)));
                }
            }
        }
        entries
    }

    fn place(&self, location: &Location) -> Place {
        place(location).unwrap_or(Place { line: 1, column: 1, start: 0, len: 0 })
    }

    fn slice(&self, location: &Location) -> &str {
        place(location).and_then(|p| self.text.get(p.start..p.start + p.len)).unwrap_or("")
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
