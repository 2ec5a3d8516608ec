//! Where a dialect's answers tell tokens, as a tree of keys that a scanner walks as it reads.

use weir_config::Usage;

/// What a place tells; several may fall together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Roles(u8);

impl Roles {
    pub(super) const INPUT: Self = Self(1);
    pub(super) const OUTPUT: Self = Self(2);
    pub(super) const LOAD: Self = Self(4);
    pub(super) const PIECE: Self = Self(8);
    pub(super) const FINISHED: Self = Self(16);
    pub(super) const ERROR: Self = Self(32);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A place in the tree; [`NodeId::NOWHERE`] is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(u16);

impl NodeId {
    pub(super) const ROOT: Self = Self(0);
    pub(super) const NOWHERE: Self = Self(u16::MAX);
}

/// All places of a dialect.
#[derive(Debug)]
pub(super) struct Places(Vec<Node>);

#[derive(Debug, Default)]
struct Node {
    children: Vec<(Box<[u8]>, NodeId)>,
    roles: Roles,
    /// Roles of a text that must be this one.
    texts: Vec<(Box<[u8]>, Roles)>,
}

impl Places {
    pub(super) fn new(usage: &Usage) -> Self {
        let mut places = Self(vec![Node::default()]);
        let roles = [Roles::INPUT, Roles::OUTPUT, Roles::PIECE, Roles::FINISHED, Roles::ERROR, Roles::LOAD];
        for ((_, paths), roles) in usage.lists().into_iter().zip(roles) {
            paths.iter().for_each(|path| places.add(path, roles));
        }
        places
    }

    pub(super) fn roles(&self, at: NodeId) -> Roles {
        self.0.get(usize::from(at.0)).map_or(Roles::default(), |node| node.roles)
    }

    /// Roles of that text there, beside those of any text.
    pub(super) fn roles_of_text(&self, at: NodeId, text: &[u8]) -> Roles {
        let texts = self.0.get(usize::from(at.0)).map_or(&[][..], |node| &node.texts);
        texts.iter().find(|(wanted, _)| **wanted == *text).map_or(Roles::default(), |(_, roles)| *roles)
    }

    pub(super) fn has_texts(&self, at: NodeId) -> bool {
        self.0.get(usize::from(at.0)).is_some_and(|node| !node.texts.is_empty())
    }

    pub(super) fn is_leaf(&self, at: NodeId) -> bool {
        self.0.get(usize::from(at.0)).is_none_or(|node| node.children.is_empty())
    }

    pub(super) fn child(&self, at: NodeId, key: &[u8]) -> NodeId {
        let children = self.0.get(usize::from(at.0)).map_or(&[][..], |node| &node.children);
        children.iter().find(|(name, _)| **name == *key).map_or(NodeId::NOWHERE, |(_, child)| *child)
    }

    fn add(&mut self, path: &str, roles: Roles) {
        let (keys, text) = path.split_once('=').map_or((path, None), |(keys, text)| (keys, Some(text)));
        let mut at = NodeId::ROOT;
        for key in keys.split('.') {
            at = self.child_or_new(at, key.as_bytes());
        }
        let Some(node) = self.0.get_mut(usize::from(at.0)) else { return };
        let Some(text) = text else {
            node.roles = node.roles.and(roles);
            return;
        };
        match node.texts.iter_mut().find(|(known, _)| **known == *text.as_bytes()) {
            Some((_, known)) => *known = known.and(roles),
            None => node.texts.push((text.as_bytes().into(), roles)),
        }
    }

    fn child_or_new(&mut self, at: NodeId, key: &[u8]) -> NodeId {
        let known = self.child(at, key);
        // Six lists of sixteen paths of six keys are far fewer than the numbers there are.
        let next = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        if known != NodeId::NOWHERE || next == u16::MAX {
            return known;
        }
        self.0.push(Node::default());
        if let Some(node) = self.0.get_mut(usize::from(at.0)) {
            node.children.push((key.into(), NodeId(next)));
        }
        NodeId(next)
    }
}
