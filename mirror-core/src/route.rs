//! Groups requests by route: `/users/123` is `/users/{id}`. What stands for a value is known by its form (numbers,
//! UUIDs, hexadecimal words, dates), or learnt: a segment that takes too many values is a value itself.
//!
//! Everything is bounded. A [`RouteId`] stays valid when its route is folded into a wider one:
//! [`RouteLearner::resolve`] tells the new one.

use std::collections::{BTreeMap, HashMap};

/// Literals at one place of a path before the rare ones among them are taken for values.
const MAX_LITERALS: usize = 64;
/// A literal stays one if it was seen so often, and in this share of the requests that came by.
const COMMON_COUNT: u64 = 8;
const COMMON_SHARE: u64 = 64;
/// Segments that are told apart; the rest of a path is one.
const MAX_DEPTH: usize = 16;
/// Longest segment that is taken for a literal.
const MAX_SEGMENT: usize = 64;
/// Places of all paths together.
const MAX_NODES: usize = 4096;
/// The route of everything beyond these limits.
const OTHER: &str = "(other)";

/// What a segment stands for, when its form says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    Id,
    Date,
}

/// Reads a segment of a path, or the name of a member, as an id or a date: a number, a UUID, a ULID, a hexadecimal word
/// of 8 characters and more, a mixed token of 20 and more, or a date as RFC 3339 writes it.
pub fn variable(segment: &str) -> Option<Variable> {
    let bytes = segment.as_bytes();
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    if is_date(bytes) {
        return Some(Variable::Date);
    }
    let is_number = digits == bytes.len();
    let is_hex = bytes.len() >= 8 && bytes.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-');
    let is_ulid = bytes.len() == 26 && bytes.iter().all(u8::is_ascii_alphanumeric);
    (is_number || is_hex || is_ulid || is_token(bytes)).then_some(Variable::Id)
}

/// `2026-11-26`, perhaps with a time.
fn is_date(bytes: &[u8]) -> bool {
    let is_digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    match bytes {
        [y @ .., b'-', m1, m2, b'-', d1, d2] if y.len() == 4 => {
            is_digits(y) && is_digits(&[*m1, *m2, *d1, *d2])
        }
        _ => bytes.len() > 11 && bytes[10] == b'T' && is_date(&bytes[..10]),
    }
}

/// Letters of both cases and digits, as in base64.
fn is_token(bytes: &[u8]) -> bool {
    let has = |test: fn(&u8) -> bool| bytes.iter().any(test);
    bytes.len() >= 20
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='))
}

/// A route of a [`RouteLearner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(u32);

#[derive(Debug)]
struct Node {
    parent: u32,
    /// As names show it: a literal, or what stands for values.
    segment: Box<str>,
    /// Requests that came by.
    count: u64,
    children: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
    /// Rare literals at this place are values: new ones are too.
    is_folded: bool,
    /// The node that took this one in.
    moved_to: Option<u32>,
}

/// Learns the routes of a run.
#[derive(Debug)]
pub struct RouteLearner {
    /// The first is the root of all methods, the second stands for what is beyond the limits.
    nodes: Vec<Node>,
    folds: u64,
}

const ROOT: u32 = 0;
const OTHER_NODE: u32 = 1;
const SLUG: &str = "{slug}";

fn is_literal(segment: &str) -> bool {
    !segment.starts_with('{')
}

impl Default for RouteLearner {
    fn default() -> Self {
        let mut learner = Self {
            nodes: Vec::new(),
            folds: 0,
        };
        learner.push(ROOT, OTHER);
        learner.push(ROOT, OTHER);
        learner
    }
}

impl RouteLearner {
    /// The route of what is beyond the limits.
    pub const OTHER: RouteId = RouteId(OTHER_NODE);

    /// The route of a request, which it learns from.
    pub fn learn(&mut self, method: &str, path: &str) -> RouteId {
        let mut at = self.step(ROOT, method, false);
        let path = path.strip_prefix('/').unwrap_or(path);
        for (depth, segment) in path.split('/').enumerate() {
            if depth == MAX_DEPTH {
                at = self.child(at, "{rest}");
                break;
            }
            at = self.step(at, segment, true);
        }
        RouteId(at)
    }

    /// Takes a route that another learner has learnt, by its name and how many requests came by. Give those without values
    /// that were learnt first: what is common among their literals stays.
    pub fn learn_name(&mut self, name: &str, count: u64) -> RouteId {
        if name == OTHER {
            return Self::OTHER;
        }
        let (method, path) = name.split_once(' ').unwrap_or((name, ""));
        let mut at = self.step(ROOT, method, false);
        self.came_by(at, count);
        let path = path.strip_prefix('/').unwrap_or(path);
        for segment in path.split('/') {
            let is_value = segment == SLUG && at != OTHER_NODE;
            if is_value && !self.nodes[at as usize].is_folded {
                self.fold(at);
            }
            at = self.step(at, segment, true);
            self.came_by(at, count);
        }
        RouteId(at)
    }

    /// A step has counted one of them.
    fn came_by(&mut self, at: u32, count: u64) {
        self.nodes[at as usize].count += count.saturating_sub(1);
    }

    /// Whether values in the place of a name were learnt, and do not follow from their form.
    pub fn is_learnt(name: &str) -> bool {
        name.split('/').any(|segment| segment == SLUG)
    }

    /// Changes when routes were folded, so that what is kept by route is to be put together anew.
    pub fn folds(&self) -> u64 {
        self.folds
    }

    /// The route that `id` has become.
    pub fn resolve(&self, id: RouteId) -> RouteId {
        let mut at = id.0;
        while let Some(next) = self.nodes[at as usize].moved_to {
            at = next;
        }
        RouteId(at)
    }

    /// As in `GET /users/{id}`.
    pub fn name(&self, id: RouteId) -> String {
        let mut at = self.resolve(id).0;
        if at == OTHER_NODE || at == ROOT {
            return OTHER.into();
        }
        let mut segments = Vec::new();
        while at != ROOT {
            let node = &self.nodes[at as usize];
            segments.push(&*node.segment);
            at = self.resolve(RouteId(node.parent)).0;
        }
        let method = segments.pop().unwrap_or_default();
        segments.reverse();
        match segments.as_slice() {
            ["*"] => format!("{method} *"),
            path => format!("{method} /{}", path.join("/")),
        }
    }

    fn step(&mut self, at: u32, text: &str, is_path: bool) -> u32 {
        if at == OTHER_NODE {
            return at;
        }
        let segment = match variable(text) {
            Some(Variable::Id) if is_path => "{id}",
            Some(Variable::Date) if is_path => "{date}",
            _ if text.len() > MAX_SEGMENT => SLUG,
            _ => text,
        };
        if let Some(known) = self.nodes[at as usize].children.get(segment).copied() {
            self.nodes[known as usize].count += 1;
            return known;
        }
        if is_literal(segment) && self.is_full(at) {
            self.fold(at);
        }
        if is_literal(segment) && self.nodes[at as usize].is_folded {
            return self.child(at, SLUG);
        }
        self.child(at, segment)
    }

    fn is_full(&self, at: u32) -> bool {
        let node = &self.nodes[at as usize];
        !node.is_folded && node.children.len() >= MAX_LITERALS
    }

    fn child(&mut self, at: u32, segment: &str) -> u32 {
        let known = self.nodes[at as usize].children.get(segment).copied();
        let child = match known {
            Some(child) => child,
            None if self.nodes.len() >= MAX_NODES => return OTHER_NODE,
            None => {
                let child = self.push(at, segment);
                self.nodes[at as usize]
                    .children
                    .insert(segment.into(), child);
                child
            }
        };
        self.nodes[child as usize].count += 1;
        child
    }

    fn push(&mut self, parent: u32, segment: &str) -> u32 {
        // At most MAX_NODES.
        let index = self.nodes.len() as u32;
        self.nodes.push(Node {
            parent,
            segment: segment.into(),
            count: 0,
            children: HashMap::default(),
            is_folded: false,
            moved_to: None,
        });
        index
    }

    /// Takes the rare literals at a place for values.
    fn fold(&mut self, at: u32) {
        self.folds += 1;
        let node = &mut self.nodes[at as usize];
        node.is_folded = true;
        let children: Vec<(Box<str>, u32)> =
            node.children.iter().map(|(s, c)| (s.clone(), *c)).collect();
        let count = |child: u32| self.nodes[child as usize].count;
        let total: u64 = children.iter().map(|(_, child)| count(*child)).sum();
        let common = COMMON_COUNT.max(total / COMMON_SHARE);
        let mut rare: Vec<(Box<str>, u32)> = children
            .into_iter()
            .filter(|(segment, child)| is_literal(segment) && count(*child) < common)
            .collect();
        // The table is in no order, and the result must not depend on one.
        rare.sort_by_key(|(_, child)| *child);
        for (segment, child) in rare {
            self.nodes[at as usize].children.remove(&segment);
            self.adopt(at, SLUG, child);
        }
    }

    /// Makes `node` the child of `parent` for `segment`, or one with the child that is there.
    fn adopt(&mut self, parent: u32, segment: &str, node: u32) {
        match self.nodes[parent as usize].children.get(segment).copied() {
            None => {
                self.nodes[node as usize].parent = parent;
                self.nodes[node as usize].segment = segment.into();
                self.nodes[parent as usize]
                    .children
                    .insert(segment.into(), node);
            }
            Some(known) => self.merge(node, known),
        }
    }

    fn merge(&mut self, from: u32, into: u32) {
        let taken = &mut self.nodes[from as usize];
        taken.moved_to = Some(into);
        let (count, is_folded) = (taken.count, taken.is_folded);
        let children: BTreeMap<u32, Box<str>> = std::mem::take(&mut taken.children)
            .into_iter()
            .map(|(segment, child)| (child, segment))
            .collect();
        self.nodes[into as usize].count += count;
        self.nodes[into as usize].is_folded |= is_folded;
        for (child, segment) in children {
            let into_node = &self.nodes[into as usize];
            let is_value = into_node.is_folded
                && is_literal(&segment)
                && !into_node.children.contains_key(&segment);
            self.adopt(into, if is_value { SLUG } else { &segment }, child);
        }
        let literals = self.nodes[into as usize].children.len();
        if literals > MAX_LITERALS && !self.nodes[into as usize].is_folded {
            self.fold(into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(learner: &mut RouteLearner, path: &str) -> String {
        let id = learner.learn("GET", path);
        learner.name(id)
    }

    fn check(path: &str, expect: &str) {
        assert_eq!(name(&mut RouteLearner::default(), path), expect, "{path}");
    }

    #[test]
    fn ids_and_dates_are_taken_out_of_paths() {
        check("/users/42/cart", "GET /users/{id}/cart");
        check("/o/550e8400-e29b-41d4-a716-446655440000", "GET /o/{id}");
        check("/o/550E8400-E29B-41D4-A716-446655440000", "GET /o/{id}");
        check("/o/01ARZ3NDEKTSV4RRFFQ69G5FAV", "GET /o/{id}");
        check("/o/dGhpcyBpcyBhIHRva2Vu42x", "GET /o/{id}");
        check("/c/deadbeef01", "GET /c/{id}");
        check("/days/2026-11-26", "GET /days/{date}");
        check("/days/2026-11-26T10:00:00Z", "GET /days/{date}");
        check("/feed/added", "GET /feed/added");
        check("/api/v1/items", "GET /api/v1/items");
        check("/facade", "GET /facade");
        check("/", "GET /");
        check("/a/", "GET /a/");
        check("*", "GET *");
        check(&format!("/{}", "x".repeat(65)), "GET /{slug}");
        check(
            &"/a".repeat(20),
            &format!("GET {}/{{rest}}", "/a".repeat(MAX_DEPTH)),
        );
    }

    #[test]
    fn a_segment_with_too_many_values_is_a_value() {
        let mut learner = RouteLearner::default();
        let ids: Vec<RouteId> = (0..620)
            .map(|n| learner.learn("GET", &format!("/products/shoe-{n}-y/price")))
            .collect();
        assert!(learner.folds() > 0);
        for id in ids {
            assert_eq!(learner.name(id), "GET /products/{slug}/price");
            assert_eq!(
                learner.resolve(id),
                learner.resolve(RouteId(learner.resolve(id).0))
            );
        }
        assert_eq!(
            name(&mut learner, "/products/new/price"),
            "GET /products/{slug}/price"
        );
    }

    #[test]
    fn what_is_asked_for_often_stays_a_route_of_its_own() {
        let mut learner = RouteLearner::default();
        for _ in 0..100 {
            learner.learn("GET", "/orders");
            learner.learn("GET", "/users/7");
        }
        for n in 0..500 {
            learner.learn("GET", &format!("/wp-{n}-admin.php"));
        }
        assert_eq!(name(&mut learner, "/orders"), "GET /orders");
        assert_eq!(name(&mut learner, "/users/8"), "GET /users/{id}");
        assert_eq!(name(&mut learner, "/wp-3-admin.php"), "GET /{slug}");
        assert_eq!(name(&mut learner, "/another"), "GET /{slug}");
    }

    #[test]
    fn routes_below_folded_ones_become_one() {
        let mut learner = RouteLearner::default();
        let ids: Vec<RouteId> = (0..200)
            .flat_map(|n| ["a", "b"].map(|end| (n, end)))
            .map(|(n, end)| learner.learn("GET", &format!("/s/x{n}y/{end}")))
            .collect();
        let mut names: Vec<String> = ids.iter().map(|id| learner.name(*id)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names, ["GET /s/{slug}/a", "GET /s/{slug}/b"]);
        let mut left: Vec<RouteId> = ids.iter().map(|id| learner.resolve(*id)).collect();
        left.sort();
        left.dedup();
        assert_eq!(left.len(), 2, "one id for each name");
    }

    fn learn_names(routes: &[(&str, u64)]) -> Vec<String> {
        let mut learner = RouteLearner::default();
        let mut routes = routes.to_vec();
        routes.sort_by_key(|(name, _)| RouteLearner::is_learnt(name));
        let ids: Vec<RouteId> = routes
            .iter()
            .map(|(name, count)| learner.learn_name(name, *count))
            .collect();
        let mut names: Vec<String> = ids.iter().map(|id| learner.name(*id)).collect();
        names.dedup();
        names
    }

    #[test]
    fn names_are_learnt_as_they_were_told() {
        for name in [
            "GET /users/{id}/cart",
            "GET /days/{date}",
            "GET /",
            "GET /a/",
            "GET *",
            "OPTIONS *",
            "GET /s/{slug}/a",
            "(other)",
            "(other) /a",
        ] {
            assert_eq!(learn_names(&[(name, 3)]), [name]);
        }
        let deep = format!("GET {}/{{rest}}", "/a".repeat(MAX_DEPTH));
        assert_eq!(learn_names(&[(&deep, 1)]), [deep]);
    }

    #[test]
    fn what_one_host_has_learnt_to_be_a_value_is_one_for_all() {
        let names = learn_names(&[
            ("GET /shops/{slug}/cart", 900),
            ("GET /shops/ada/cart", 2),
            ("GET /shops/grace/cart", 3),
            ("GET /shops/all/cart", 800),
            ("GET /users/ada", 1),
        ]);
        let expect = [
            "GET /shops/{slug}/cart",
            "GET /shops/all/cart",
            "GET /users/ada",
            "GET /shops/{slug}/cart",
        ];
        assert_eq!(names, expect);
    }

    #[test]
    fn values_that_are_few_on_each_host_are_many_on_all() {
        let all: Vec<String> = (0..80).map(|n| format!("GET /p/shoe-{n}-x")).collect();
        let few: Vec<_> = all.iter().map(|name| (name.as_str(), 1)).collect();
        assert_eq!(learn_names(&few[..40]).len(), 40);
        assert_eq!(learn_names(&few), ["GET /p/{slug}"]);
    }

    #[test]
    fn no_traffic_makes_it_grow_without_end() {
        let mut learner = RouteLearner::default();
        for n in 0..20_000_u32 {
            let word = |k: u32| format!("w{}x", n.wrapping_mul(k + 7) % 5003);
            let path = format!("/{}/{}/{}", word(1), word(2), word(3));
            let id = learner.learn(&format!("M{}x", n % 300), &path);
            assert!(!learner.name(id).is_empty());
        }
        assert!(learner.nodes.len() <= MAX_NODES);
    }
}
