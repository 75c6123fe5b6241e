//! Elements with attributes, texts and other elements, and how a pair of such trees becomes JSON.
//!
//! An element that has only a text is that text. Otherwise it is an object of `@attribute`, `#text`, and the elements in it
//! by their name; elements of one name are a list. What an element looks like at one path (`/order/item`) is decided for all
//! elements at that path in both trees: one item beside two is a list of one, so that the second item is an addition
//! and not a change of type.
//!
//! Objects have no order, so the order of elements with different names is lost. Where both trees have the same elements at a
//! path, and only their order differs, the names in their order are added as `#order`.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::writer::{Writer, most_bytes};
use crate::compare::BodyLimits;

/// Elements one in the other. Those that are deeper stand beside one another. Each is an object and perhaps a list, so
/// that the text stays within the depth of the writer, also within nested parts.
const MAX_DEPTH: usize = 50;
const NONE: u32 = u32::MAX;

/// Elements that mostly come several times, so that one alone is a list too.
const LISTS: [(&str, &str); 10] = [
    ("ul", "li"),
    ("ol", "li"),
    ("table", "tr"),
    ("thead", "tr"),
    ("tbody", "tr"),
    ("tr", "td"),
    ("tr", "th"),
    ("select", "option"),
    ("dl", "dt"),
    ("dl", "dd"),
];

/// The paths of elements in the trees that are compared.
pub(super) struct Paths {
    /// The first is that of the document.
    paths: Vec<Path>,
    found: HashMap<(u32, u32), u32, RandomState>,
    ids: HashMap<Box<str>, u32, RandomState>,
    names: Vec<Box<str>>,
}

#[derive(Clone, Copy, Default)]
struct Path {
    name: u32,
    /// Some element has several elements of this path.
    is_list: bool,
    /// Some element of this path has more than a text.
    is_object: bool,
    /// The most texts that an element of this path has.
    texts: usize,
    has_order: bool,
    /// What the elements of this path have in them, in each tree.
    members: [Members; 2],
    /// The last element that was seen to have one of this path in it, and in which tree.
    seen_in: Option<(usize, u32)>,
}

/// Hashes of names: without regard to their order within an element, and with it.
#[derive(Clone, Copy, Default, PartialEq)]
struct Members {
    bags: u64,
    sequences: u64,
}

impl Paths {
    pub(super) fn new() -> Self {
        let mut paths = Self {
            paths: Vec::new(),
            found: HashMap::default(),
            ids: HashMap::default(),
            names: Vec::new(),
        };
        let name = paths.name("");
        paths.paths.push(Path {
            name,
            is_object: true,
            ..Path::default()
        });
        paths
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = self.names.len() as u32;
        self.names.push(name.into());
        self.ids.insert(name.into(), id);
        id
    }

    fn child(&mut self, parent: u32, name: &str) -> u32 {
        let name = self.name(name);
        if let Some(path) = self.found.get(&(parent, name)) {
            return *path;
        }
        let outer = &self.names[self.paths[parent as usize].name as usize];
        let path = self.paths.len() as u32;
        self.paths.push(Path {
            name,
            is_list: is_list(outer, &self.names[name as usize]),
            ..Path::default()
        });
        self.found.insert((parent, name), path);
        path
    }

    fn name_of(&self, path: u32) -> &str {
        &self.names[self.paths[path as usize].name as usize]
    }

    /// Learns what the elements of `tree` look like. `side` is 0 for the first tree and 1 for the second.
    pub(super) fn measure(&mut self, tree: &Tree, side: usize) {
        for (at, node) in tree.nodes.iter().enumerate() {
            if node.kind != NodeKind::Element {
                continue;
            }
            let (mut texts, mut is_object) = (0, false);
            let (mut bag, mut sequence) = (0_u64, 0_u64);
            for child in tree.children(node) {
                let child = &tree.nodes[child as usize];
                is_object |= child.kind != NodeKind::Text;
                let name = match child.kind {
                    NodeKind::Attribute => continue,
                    NodeKind::Text => {
                        texts += 1;
                        0
                    }
                    NodeKind::Element => {
                        let path = &mut self.paths[child.path as usize];
                        let seen_in = Some((side, at as u32));
                        path.is_list |= path.seen_in == seen_in;
                        path.seen_in = seen_in;
                        u64::from(path.name) + 1
                    }
                };
                bag = bag.wrapping_add(mixed(name));
                sequence = mixed(sequence ^ name);
            }
            let path = &mut self.paths[node.path as usize];
            path.is_object |= is_object;
            path.texts = path.texts.max(texts);
            let members = &mut path.members[side];
            members.bags = mixed(members.bags ^ bag);
            members.sequences = mixed(members.sequences ^ sequence);
        }
    }

    /// Compares the order of elements in the two trees.
    pub(super) fn compare_order(&mut self) {
        for path in &mut self.paths {
            let [ours, theirs] = path.members;
            path.has_order = ours.bags == theirs.bags && ours.sequences != theirs.sequences;
        }
    }
}

/// As in `<items><item/></items>`, `<countries><country/></countries>` and `<itemList><item/></itemList>`.
fn is_list(outer: &str, name: &str) -> bool {
    let is_plural = |singular: &str, ending: &str| {
        outer.len() == singular.len() + ending.len()
            && outer
                .get(..singular.len())
                .is_some_and(|stem| stem.eq_ignore_ascii_case(singular))
            && outer
                .get(singular.len()..)
                .is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    let endings = ["s", "es", "List", "_list", "-list"];
    endings.iter().any(|ending| is_plural(name, ending))
        || name
            .strip_suffix('y')
            .is_some_and(|stem| is_plural(stem, "ies"))
        || LISTS.contains(&(outer, name))
}

/// A hash of 64 bits (the finisher of splitmix64).
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[derive(Clone, Copy, PartialEq)]
enum NodeKind {
    Element,
    Attribute,
    Text,
}

struct Node {
    kind: NodeKind,
    /// None for a text.
    path: u32,
    next: u32,
    first: u32,
    last: u32,
    /// Of an attribute or a text, in the texts of the tree.
    begin: usize,
    end: usize,
}

pub(super) struct Tree {
    /// In the order of the document, which is the first.
    nodes: Vec<Node>,
    texts: String,
}

impl Tree {
    fn children(&self, node: &Node) -> impl Iterator<Item = u32> {
        let is_some = |at: u32| (at != NONE).then_some(at);
        std::iter::successors(is_some(node.first), move |at| {
            is_some(self.nodes[*at as usize].next)
        })
    }

    pub(super) fn write(&self, paths: &Paths, writer: &mut Writer) {
        self.write_element(0, paths, writer);
    }

    fn write_element(&self, at: u32, paths: &Paths, writer: &mut Writer) {
        let node = &self.nodes[at as usize];
        let path = &paths.paths[node.path as usize];
        if !path.is_object {
            return self.write_text(self.children(node).next(), writer);
        }
        let mut members: Vec<u32> = self.children(node).collect();
        let order = path.has_order.then(|| members.clone());
        // Of one path they stay in their order.
        members.sort_by_key(|at| {
            let member = &self.nodes[*at as usize];
            (member.kind == NodeKind::Element, member.path)
        });
        writer.open('{');
        for same in members.chunk_by(|a, b| {
            let (a, b) = (&self.nodes[*a as usize], &self.nodes[*b as usize]);
            a.kind == b.kind && a.path == b.path
        }) {
            self.write_members(same, paths, writer);
        }
        let texts = members.iter().copied();
        let texts = texts.filter(|at| self.nodes[*at as usize].kind == NodeKind::Text);
        self.write_texts(texts, path.texts, writer);
        if let Some(order) = order {
            self.write_order(&order, paths, writer);
        }
        writer.close('}');
    }

    /// Attributes or elements of one name.
    fn write_members(&self, same: &[u32], paths: &Paths, writer: &mut Writer) {
        let first = &self.nodes[same[0] as usize];
        match first.kind {
            NodeKind::Text => {}
            NodeKind::Attribute => {
                writer.name(&["@", paths.name_of(first.path)]);
                // Of attributes with one name the first counts.
                self.write_text(Some(same[0]), writer);
            }
            NodeKind::Element => {
                writer.name(&[paths.name_of(first.path)]);
                let is_list = paths.paths[first.path as usize].is_list;
                if is_list {
                    writer.open('[');
                }
                for at in same {
                    if writer.is_over() {
                        return;
                    }
                    self.write_element(*at, paths, writer);
                }
                if is_list {
                    writer.close(']');
                }
            }
        }
    }

    fn write_texts(&self, mut texts: impl Iterator<Item = u32>, most: usize, writer: &mut Writer) {
        if most == 0 {
            return;
        }
        writer.name(&["#text"]);
        if most == 1 {
            return self.write_text(texts.next(), writer);
        }
        writer.open('[');
        texts.for_each(|at| self.write_text(Some(at), writer));
        writer.close(']');
    }

    fn write_text(&self, at: Option<u32>, writer: &mut Writer) {
        let node = at.map(|at| &self.nodes[at as usize]);
        writer.text(node.map_or("", |node| &self.texts[node.begin..node.end]));
    }

    fn write_order(&self, members: &[u32], paths: &Paths, writer: &mut Writer) {
        writer.name(&["#order"]);
        writer.open('[');
        for at in members {
            let node = &self.nodes[*at as usize];
            match node.kind {
                NodeKind::Attribute => {}
                NodeKind::Text => writer.text("#text"),
                NodeKind::Element => writer.text(paths.name_of(node.path)),
            }
        }
        writer.close(']');
    }
}

/// Makes a tree, in the order of the document.
pub(super) struct Builder<'p> {
    paths: &'p mut Paths,
    tree: Tree,
    /// The document, and the elements that are open.
    open: Vec<u32>,
    nodes_left: usize,
    /// Bytes that names and texts may still take.
    room: usize,
    is_over: bool,
}

impl<'p> Builder<'p> {
    /// For a body of `input` bytes.
    pub(super) fn new(paths: &'p mut Paths, limits: BodyLimits, input: usize) -> Self {
        let mut builder = Self {
            paths,
            tree: Tree {
                nodes: Vec::new(),
                texts: String::new(),
            },
            open: vec![0],
            nodes_left: limits.nodes.min(NONE as usize),
            room: most_bytes(limits, input),
            is_over: false,
        };
        builder.push(NodeKind::Element, 0, "");
        builder
    }

    /// `None` when the document is over the limits.
    pub(super) fn finish(self) -> Option<Tree> {
        (!self.is_over).then_some(self.tree)
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn open(&mut self, name: &str) {
        let parent = self.open[self.open.len().min(MAX_DEPTH) - 1];
        let at = self.add(parent, NodeKind::Element, name, "");
        self.open.push(at);
    }

    /// Ends the element that was opened last.
    pub(super) fn close(&mut self) {
        if self.open.len() > 1 {
            self.open.pop();
        }
    }

    pub(super) fn attribute(&mut self, name: &str, value: &str) {
        self.add(self.current(), NodeKind::Attribute, name, value);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.add(self.current(), NodeKind::Text, "", text);
    }

    /// Whether the element that is open has an element in it.
    pub(super) fn has_element(&self) -> bool {
        let last = self.tree.nodes[self.current() as usize].last;
        let last = self.tree.nodes.get(last as usize);
        last.is_some_and(|last| last.kind == NodeKind::Element)
    }

    fn current(&self) -> u32 {
        self.open.last().copied().unwrap_or_default()
    }

    fn add(&mut self, parent: u32, kind: NodeKind, name: &str, text: &str) -> u32 {
        let room = self.room.checked_sub(name.len() + text.len());
        let nodes_left = self.nodes_left.checked_sub(1);
        let (Some(room), Some(nodes_left)) = (room, nodes_left) else {
            self.is_over = true;
            return parent;
        };
        (self.room, self.nodes_left) = (room, nodes_left);
        let outer = self.tree.nodes[parent as usize].path;
        let path = match kind {
            NodeKind::Text => NONE,
            _ => self.paths.child(outer, name),
        };
        let at = self.push(kind, path, text);
        let last = std::mem::replace(&mut self.tree.nodes[parent as usize].last, at);
        if last == NONE {
            self.tree.nodes[parent as usize].first = at;
        } else {
            self.tree.nodes[last as usize].next = at;
        }
        at
    }

    fn push(&mut self, kind: NodeKind, path: u32, text: &str) -> u32 {
        let at = self.tree.nodes.len() as u32;
        let begin = self.tree.texts.len();
        self.tree.texts.push_str(text);
        self.tree.nodes.push(Node {
            kind,
            path,
            next: NONE,
            first: NONE,
            last: NONE,
            begin,
            end: self.tree.texts.len(),
        });
        at
    }
}
