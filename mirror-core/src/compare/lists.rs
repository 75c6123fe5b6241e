//! Two lists: which elements belong together, and what of them differs.
//!
//! Equal elements at both ends are taken first. What is left is told apart by a key, if there is one, else by what the
//! elements are; between those that are equal, similar ones belong together. So an element more is one difference, and not a
//! shift of all; another order is one difference, and not one for each element.

use super::align::{
    Features, Gap, Matched, Pairs, gaps, matched, matched_by_key, similar, similar_in_any_order,
};
use super::differ::Differ;
use super::found::MAX_SHOWN;
use super::keys::{self, Key};
use super::kind::Kind;
use super::label;
use super::place::Step;
use super::rules::Lists;
use super::token::Tokens;
use crate::json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// Pairs of elements that are looked at for being similar, in one gap.
const MAX_CELLS: usize = 1 << 20;

/// Members of an object that are looked at for what two have in common.
const MAX_MEMBERS: usize = 64;

/// Elements of a list of which equal ones are looked at too, for a key of the others.
const MAX_KEYED: usize = 1_000;

/// What belongs together in the parts of two lists that are not equal.
#[derive(Debug, Default)]
struct Aligned {
    pairs: Pairs,
    missing: Vec<usize>,
    added: Vec<usize>,
}

impl Differ<'_> {
    pub(super) fn lists<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: &'v [Value<'v>],
        theirs: &'v [Value<'v>],
    ) {
        if ours.is_empty() && theirs.is_empty() {
            *self.found.same.values(self.tree) += 1;
            return;
        }
        let whole = [ours, theirs];
        let first = self.take_equal(ours.iter().zip(theirs));
        let (ours, theirs) = (&ours[first..], &theirs[first..]);
        let last = self.take_equal(ours.iter().rev().zip(theirs.iter().rev()));
        let (ours, theirs) = (&ours[..ours.len() - last], &theirs[..theirs.len() - last]);
        if ours.is_empty() && theirs.is_empty() {
            return;
        }
        let aligned = self.align(at, ours, theirs, first, whole);
        for (a, b) in aligned.pairs {
            at.push(self.element(first + a, &ours[a]));
            self.values(at, &ours[a], &theirs[b]);
            at.pop();
        }
        for a in aligned.missing {
            at.push(self.whole(first + a, &ours[a]));
            self.one_sided(at, Some(&ours[a]), None);
            at.pop();
        }
        for b in aligned.added {
            at.push(self.whole(first + b, &theirs[b]));
            self.one_sided(at, None, Some(&theirs[b]));
            at.pop();
        }
    }

    fn element<'v>(&self, index: usize, value: &Value<'v>) -> Step<'v> {
        match value {
            Value::Text(line) if self.has_labels => Step::Line(index, line),
            _ => Step::Index(index),
        }
    }

    /// The same of an element that is there on one side only. Records are told apart by what they are: one that comes and goes does not hide that another
    /// one is gone.
    fn whole<'v>(&self, index: usize, value: &Value<'v>) -> Step<'v> {
        match label::kind_of_record(value).filter(|_| self.has_records) {
            Some(kind) => Step::Line(index, kind),
            None => self.element(index, value),
        }
    }

    /// How many pairs are equal before the first that is not.
    fn take_equal<'v>(
        &mut self,
        pairs: impl Iterator<Item = (&'v Value<'v>, &'v Value<'v>)>,
    ) -> usize {
        let mut taken = 0;
        for (ours, theirs) in pairs {
            let Some(count) = self.equal(ours, theirs) else {
                break;
            };
            *self.found.same.values(self.tree) += count;
            taken += 1;
        }
        taken
    }

    /// Says what belongs together, and counts another order.
    fn align<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: &'v [Value<'v>],
        theirs: &'v [Value<'v>],
        first: usize,
        whole: [&'v [Value<'v>]; 2],
    ) -> Aligned {
        let rule = self.rules.lists(self.tree.at(at));
        let is_single = match (ours, theirs) {
            ([ours], [theirs]) => rule.key.is_none() && !are_unlike(ours, theirs),
            _ => false,
        };
        if is_single || ours.is_empty() || theirs.is_empty() {
            return in_place(ours.len(), theirs.len());
        }
        let wanted = rule
            .key
            .and_then(|name| keys::find(ours, theirs, Some(name)));
        if wanted.is_some() {
            self.rules.used_key(self.tree.at(at));
        }
        let key = wanted.or_else(|| keys::find(ours, theirs, None));
        let key = key.or_else(|| {
            let [all_ours, all_theirs] = whole;
            let is_cut = all_ours.len() > ours.len() && all_ours.len() <= MAX_KEYED;
            let middle = [first..first + ours.len(), first..first + theirs.len()];
            is_cut.then(|| keys::find_within(all_ours, all_theirs, middle))?
        });
        let matched = match &key {
            Some(key) => matched_by_key(&key.ours, &key.theirs),
            None => match self.tokens(at, ours, theirs, first) {
                Some((ours, theirs)) => matched(&ours, &theirs),
                None => return in_place(ours.len(), theirs.len()),
            },
        };
        if !matched.moved.is_empty() {
            let shown = || [ours, theirs].map(|items| order_of(items, key.as_ref()));
            self.differ(self.tree.at(at), Kind::Order, None, shown);
        }
        self.with_similar(at, ours, theirs, &matched, rule, key.is_some())
    }

    fn tokens<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: &'v [Value<'v>],
        theirs: &'v [Value<'v>],
        first: usize,
    ) -> Option<(Vec<u64>, Vec<u64>)> {
        let mut tokens = Tokens {
            rules: &self.rules,
            tree: self.tree,
            steps_left: &mut self.steps_left,
        };
        Some((tokens.all(at, ours, first)?, tokens.all(at, theirs, first)?))
    }

    /// Adds pairs of similar elements to those that are matched.
    fn with_similar<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: &'v [Value<'v>],
        theirs: &'v [Value<'v>],
        matched: &Matched,
        rule: Lists<'_>,
        is_keyed: bool,
    ) -> Aligned {
        let mut aligned = Aligned {
            pairs: matched
                .anchors
                .iter()
                .chain(&matched.moved)
                .copied()
                .collect(),
            ..Aligned::default()
        };
        let mut gaps = gaps(matched, ours.len(), theirs.len());
        if rule.is_unordered {
            gaps = vec![Gap {
                ours: gaps.iter().flat_map(|gap| gap.ours.clone()).collect(),
                theirs: gaps.into_iter().flat_map(|gap| gap.theirs).collect(),
            }];
        }
        for gap in gaps {
            let similar = self.similar_in(at, ours, theirs, &gap, rule.is_unordered);
            // Two of other keys are two elements. Lines that begin otherwise are pairs only where they stand for each other.
            let pairs = |a: &[usize], b: &[usize]| match (self.has_labels, is_keyed) {
                (true, _) if a.len() != b.len() => 0,
                (false, true) => 0,
                _ => a.len().min(b.len()),
            };
            let are_unlike = |a: usize, b: usize| are_unlike(&ours[a], &theirs[b]);
            close(&mut aligned, &gap, similar, pairs, are_unlike);
        }
        aligned.pairs.sort_unstable();
        aligned
    }

    /// Places within the gap.
    fn similar_in<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: &'v [Value<'v>],
        theirs: &'v [Value<'v>],
        gap: &Gap,
        in_any_order: bool,
    ) -> Pairs {
        if self.has_labels {
            return with_same_labels(ours, theirs, gap);
        }
        let cells = gap.ours.len() * gap.theirs.len();
        let is_container = |item: &Value<'_>| matches!(item, Value::Object(_) | Value::Array(_));
        if cells == 0 || !gap.ours.iter().any(|a| is_container(&ours[*a])) {
            return Vec::new();
        }
        let mut features = |items: &'v [Value<'v>], wanted: &[usize]| {
            let mut tokens = Tokens {
                rules: &self.rules,
                tree: self.tree,
                steps_left: &mut self.steps_left,
            };
            wanted
                .iter()
                .map(|index| {
                    at.push(Step::Index(*index));
                    let features = tokens.features(at, &items[*index]);
                    at.pop();
                    features
                })
                .collect::<Option<Vec<Features>>>()
        };
        let both = features(ours, &gap.ours).zip(features(theirs, &gap.theirs));
        let Some((ours, theirs)) = both else {
            return Vec::new();
        };
        if !in_any_order && ours.len() == theirs.len() {
            let in_place: Pairs = (0..ours.len()).map(|at| (at, at)).collect();
            let is_similar = |at: usize| !similar(&ours[at..=at], &theirs[at..=at]).is_empty();
            if (0..ours.len()).all(is_similar) {
                return in_place;
            }
        }
        let width = ours
            .iter()
            .chain(&theirs)
            .map(Vec::len)
            .max()
            .unwrap_or(1)
            .max(1);
        match self.steps_left.checked_sub(cells.saturating_mul(width)) {
            Some(left) if cells <= MAX_CELLS => self.steps_left = left,
            _ => return Vec::new(),
        }
        match in_any_order {
            true => similar_in_any_order(&ours, &theirs),
            false => similar(&ours, &theirs),
        }
    }
}

/// What is neither equal nor similar: the first elements of both sides are what changed, as many as `pairs` says and as are not unlike. The others are
/// there on one side only.
fn close(
    aligned: &mut Aligned,
    gap: &Gap,
    similar: Pairs,
    pairs: impl Fn(&[usize], &[usize]) -> usize,
    are_unlike: impl Fn(usize, usize) -> bool,
) {
    let mut rest = |ours: &[usize], theirs: &[usize]| {
        let both = pairs(ours, theirs);
        for (a, b) in ours.iter().copied().zip(theirs.iter().copied()).take(both) {
            if are_unlike(a, b) {
                aligned.missing.push(a);
                aligned.added.push(b);
            } else {
                aligned.pairs.push((a, b));
            }
        }
        aligned.missing.extend(&ours[both..]);
        aligned.added.extend(&theirs[both..]);
    };
    let is_in_order = similar.windows(2).all(|both| both[0].1 < both[1].1);
    if is_in_order {
        let (mut a, mut b) = (0, 0);
        let end = (gap.ours.len(), gap.theirs.len());
        for (next_a, next_b) in similar.iter().copied().chain([end]) {
            rest(&gap.ours[a..next_a], &gap.theirs[b..next_b]);
            (a, b) = (next_a + 1, next_b + 1);
        }
    } else {
        let ours = left(&gap.ours, similar.iter().map(|(a, _)| *a));
        let theirs = left(&gap.theirs, similar.iter().map(|(_, b)| *b));
        rest(&ours, &theirs);
    }
    let pairs = similar
        .into_iter()
        .map(|(a, b)| (gap.ours[a], gap.theirs[b]));
    aligned.pairs.extend(pairs);
}

/// Two objects of which most members are only in one: they are of two kinds, and none became the other.
fn are_unlike(ours: &Value<'_>, theirs: &Value<'_>) -> bool {
    let (Value::Object(ours), Value::Object(theirs)) = (ours, theirs) else {
        return false;
    };
    let is_shared = |name: &str| theirs.iter().any(|(other, _)| *other == name);
    let shared = ours
        .iter()
        .take(MAX_MEMBERS)
        .filter(|(name, _)| is_shared(name))
        .count();
    let all = ours.len().min(MAX_MEMBERS) + theirs.len() - shared;
    3 * shared < all
}

/// Lines of a gap that begin alike, in their order.
fn with_same_labels(ours: &[Value<'_>], theirs: &[Value<'_>], gap: &Gap) -> Pairs {
    if gap.ours.is_empty() || gap.theirs.is_empty() {
        return Vec::new();
    }
    let hashes = |items: &[Value<'_>], wanted: &[usize]| -> Vec<u64> {
        let labels = wanted.iter().map(|index| label::of(&items[*index]));
        labels.map(|label| xxh3_64(label.as_bytes())).collect()
    };
    matched(&hashes(ours, &gap.ours), &hashes(theirs, &gap.theirs)).anchors
}

/// The elements of a gap that are not taken.
fn left(all: &[usize], taken: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut is_left = vec![true; all.len()];
    taken.for_each(|at| is_left[at] = false);
    let left = all.iter().zip(is_left).filter(|(_, is_left)| *is_left);
    left.map(|(index, _)| *index).collect()
}

/// Each element with the one at its place.
fn in_place(ours: usize, theirs: usize) -> Aligned {
    let both = ours.min(theirs);
    Aligned {
        pairs: (0..both).map(|at| (at, at)).collect(),
        missing: (both..ours).collect(),
        added: (both..theirs).collect(),
    }
}

/// The elements of a list as far as they fit, by their keys where they have one.
fn order_of(items: &[Value<'_>], key: Option<&Key<'_>>) -> String {
    let mut out = String::new();
    for item in items {
        out.push_str(if out.is_empty() { "" } else { ", " });
        let told = key
            .and_then(|key| keys::value(key.name, item))
            .unwrap_or(item);
        out.push_str(&told.shown(MAX_SHOWN / 4));
        if out.len() > MAX_SHOWN {
            break;
        }
    }
    match key {
        Some(key) => format!("{}: {out}", key.name),
        None => out,
    }
}
