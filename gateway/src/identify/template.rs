//! All path templates of one backend in a tree of segments: finds the first rule whose template is the whole path.
//!
//! The raw path is matched, not a decoded one, since what is matched is what is forwarded. Letters are compared case-sensitively. One
//! slash at the end of a path is looked over (Java's servers drop it). What a template captures is a byte range of the path.
//!
//! Optional parts are written out when the tree is built, so that a path meets every node of the tree at most once: a look-up costs a
//! binary search among the literal texts of each segment's node, a comparison for each capture there, and nothing for the rules below
//! other texts. It allocates nothing and goes no deeper than the longest template.

use memchr::memchr;
use weir_config::{Segment, Template};

/// Captures of one template; `weir_config` refuses more.
const CAPTURES_MAX: usize = 8;

/// Number of a rule: its place in the order in which rules are tried.
pub(super) type RuleIndex = u16;

/// Templates of one backend, compiled.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

/// What a path may go on with after the segments that lead here.
#[derive(Debug)]
struct Node {
    /// The first rule at or below this node: nothing here can win against an earlier one.
    first: RuleIndex,
    /// Literal segments, sorted by length and text.
    literals: Vec<(Box<str>, usize)>,
    captures: Vec<Capture>,
    /// Templates that end here.
    ends: Vec<End>,
    /// Templates that end here with `{rest*}`.
    rests: Vec<End>,
}

#[derive(Debug)]
struct Capture {
    before: Box<str>,
    after: Box<str>,
    node: usize,
}

/// The end of one template.
#[derive(Debug)]
struct End {
    rule: RuleIndex,
    /// Which of the template's captures each captured segment is, in the path's order.
    slots: Vec<u8>,
}

/// What a template captured: byte ranges of the path, in the order of the template's captures.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Captures([Option<(u16, u16)>; CAPTURES_MAX]);

impl Captures {
    /// A capture's text.
    pub(super) fn text<'p>(&self, path: &'p str, capture: u8) -> Option<&'p str> {
        let (start, end) = (*self.0.get(usize::from(capture))?)?;
        path.get(usize::from(start)..usize::from(end))
    }
}

impl Tree {
    /// Adds a rule's template. Rules are added in their order. `weir_config` allows six optional parts, which makes 64 variants.
    pub(super) fn add(&mut self, template: &Template, rule: RuleIndex) {
        let optional = template.parts.iter().filter(|part| part.optional).count();
        // Downwards from "all are there": of two ways to read a path the one wins in which the earlier parts are there.
        for present in (0..1_u32 << optional).rev() {
            self.add_variant(template, present, optional, rule);
        }
    }

    /// Finds the first rule that fits: its template is the path, and `fits` says yes.
    pub(super) fn find(&self, path: &str, fits: impl Fn(RuleIndex) -> bool) -> Option<(RuleIndex, Captures)> {
        let mut search = Search {
            tree: self,
            path,
            fits,
            best: None,
            best_rule: RuleIndex::MAX,
            stack: Captures::default(),
        };
        if path.starts_with('/') {
            search.walk(0, path, 0);
        }
        search.best
    }

    fn add_variant(&mut self, template: &Template, present: u32, optional: usize, rule: RuleIndex) {
        let mut bit = optional;
        let mut slot = 0_u8;
        let mut slots = Vec::new();
        let mut at = self.root(rule);
        let mut rest = false;
        for part in &template.parts {
            bit -= usize::from(part.optional);
            let here = !part.optional || present >> bit & 1 == 1;
            for segment in &part.segments {
                let captured = !matches!(segment, Segment::Literal(_));
                if here {
                    slots.extend(captured.then_some(slot));
                    rest |= matches!(segment, Segment::Rest { .. });
                    at = self.child(at, segment, rule);
                }
                slot += u8::from(captured);
            }
        }
        let Some(node) = self.nodes.get_mut(at) else { return };
        let ends = if rest { &mut node.rests } else { &mut node.ends };
        if ends.last().is_none_or(|end| end.rule != rule) {
            ends.push(End { rule, slots });
        }
    }

    fn root(&mut self, rule: RuleIndex) -> usize {
        if self.nodes.is_empty() {
            self.nodes.push(Node::new(rule));
        }
        0
    }

    /// The node behind a segment; made if it is not there. `{rest*}` ends at the node before it.
    fn child(&mut self, at: usize, segment: &Segment, rule: RuleIndex) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let found = match segment {
            Segment::Rest { .. } => at,
            Segment::Literal(text) => match node.literals.binary_search_by(|(known, _)| order(known, text)) {
                Ok(place) => node.literals.get(place).map_or(next, |(_, node)| *node),
                Err(place) => {
                    node.literals.insert(place, (text.as_str().into(), next));
                    next
                }
            },
            Segment::Capture { before, after, .. } => {
                let same = |known: &&Capture| *known.before == **before && *known.after == **after;
                node.captures.iter().find(same).map(|known| known.node).unwrap_or_else(|| {
                    let (before, after) = (before.as_str().into(), after.as_str().into());
                    node.captures.push(Capture { before, after, node: next });
                    next
                })
            }
        };
        if found == next {
            self.nodes.push(Node::new(rule));
        }
        found
    }
}

impl Node {
    /// Rules come in their order, so whoever makes a node is the first below it.
    const fn new(first: RuleIndex) -> Self {
        Self { first, literals: Vec::new(), captures: Vec::new(), ends: Vec::new(), rests: Vec::new() }
    }
}

/// By length first: most texts differ in it.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// One look-up on its way through the tree.
struct Search<'t, 'p, F> {
    tree: &'t Tree,
    path: &'p str,
    fits: F,
    best: Option<(RuleIndex, Captures)>,
    best_rule: RuleIndex,
    /// What has been captured on the way to the present node.
    stack: Captures,
}

impl<F: Fn(RuleIndex) -> bool> Search<'_, '_, F> {
    /// `rest` is what is left of the path: empty, or from a slash on.
    fn walk(&mut self, node: usize, rest: &str, captured: usize) {
        let tree = self.tree;
        let Some(node) = tree.nodes.get(node).filter(|node| node.first < self.best_rule) else { return };
        if matches!(rest, "" | "/") {
            self.end(&node.ends, captured);
        }
        let Some(tail) = rest.strip_prefix('/') else { return };
        if !node.rests.is_empty() && self.push(tail, captured) {
            self.end(&node.rests, captured + 1);
        }
        let length = memchr(b'/', tail.as_bytes()).unwrap_or(tail.len());
        let Some((segment, after)) = tail.split_at_checked(length) else { return };
        if let Ok(place) = node.literals.binary_search_by(|(text, _)| order(text, segment))
            && let Some((_, child)) = node.literals.get(place)
        {
            self.walk(*child, after, captured);
        }
        for capture in &node.captures {
            let inner = segment.strip_prefix(&*capture.before).and_then(|s| s.strip_suffix(&*capture.after));
            if let Some(inner) = inner.filter(|inner| !inner.is_empty())
                && self.push(inner, captured)
            {
                self.walk(capture.node, after, captured + 1);
            }
        }
    }

    /// Remembers a captured part of the path. False for a path longer than any URI that `http` accepts (64 KiB).
    fn push(&mut self, text: &str, captured: usize) -> bool {
        // The text is a part of the path, so its place is the difference of the addresses.
        let start = text.as_ptr().addr() - self.path.as_ptr().addr();
        let range = u16::try_from(start).ok().zip(u16::try_from(start + text.len()).ok());
        match self.stack.0.get_mut(captured) {
            Some(place) if range.is_some() => *place = range,
            _ => return false,
        }
        true
    }

    /// The path ends here: takes the first rule that fits, if it comes before the best one so far.
    fn end(&mut self, ends: &[End], captured: usize) {
        for end in ends.iter().take_while(|end| end.rule < self.best_rule) {
            if (self.fits)(end.rule) {
                let mut captures = Captures::default();
                for (slot, range) in end.slots.iter().zip(self.stack.0.iter().take(captured)) {
                    if let Some(place) = captures.0.get_mut(usize::from(*slot)) {
                        *place = *range;
                    }
                }
                self.best = Some((end.rule, captures));
                self.best_rule = end.rule;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
