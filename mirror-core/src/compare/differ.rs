//! Walks through two documents side by side, and tells where they differ.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Comparison;
use super::found::{Found, MAX_SHOWN, absent};
use super::kind::Kind;
use super::place::{At, Step, Tree};
use super::rules::{Active, Judged};
use super::scalar;
use crate::json::Value;

/// Values that may be looked at to find which elements of lists belong together, beyond those that are compared. It bounds
/// the time for one pair to about a second.
const MAX_STEPS: usize = 4_000_000;

/// Members of both sides together from which on an object may be a map by what it looks like.
const MIN_MAP_MEMBERS: usize = 6;

pub(super) type Members<'v> = [(Cow<'v, str>, Value<'v>)];

/// Compares one pair.
#[derive(Debug)]
pub(super) struct Differ<'r> {
    pub(super) rules: Active<'r>,
    /// What is compared.
    pub(super) tree: Tree,
    pub(super) found: Found,
    /// What rules expect.
    pub(super) expected: Found,
    /// Differences that rules take for none, or expect.
    pub(super) covered: u64,
    pub(super) steps_left: usize,
    /// Members of an object are in another order.
    pub(super) has_other_member_order: bool,
    /// How whole effects cannot be said to differ.
    pub(super) unknown: Vec<Kind>,
    /// The documents are lists of lines, which are told apart by their labels.
    pub(super) has_labels: bool,
    /// They are lists of records.
    pub(super) has_records: bool,
}

impl<'r> Differ<'r> {
    pub(super) fn new(rules: Active<'r>, tree: Tree) -> Self {
        Self {
            rules,
            tree,
            found: Found::default(),
            expected: Found::default(),
            covered: 0,
            steps_left: MAX_STEPS,
            has_other_member_order: false,
            unknown: Vec::new(),
            has_labels: false,
            has_records: false,
        }
    }

    /// What was found.
    pub(super) fn finish(self) -> Comparison {
        let (same, different) = (self.found.same, self.found.different);
        let (observations, untold) = self.found.finish();
        Comparison {
            observations,
            same,
            different,
            untold,
            expected: self.expected.finish().0,
            rules: self.rules.into_uses(),
            ..Comparison::default()
        }
    }

    /// Counts a difference, if no rule covers it. `values` are there where both sides have a text or a number.
    pub(super) fn differ(
        &mut self,
        at: At<'_>,
        kind: Kind,
        values: Option<[&str; 2]>,
        shown: impl FnOnce() -> [String; 2],
    ) {
        if at.is_effect() && self.unknown.contains(&kind) {
            return;
        }
        let judged = self.rules.judge(at, kind, values);
        self.covered += u64::from(judged != Judged::Differs);
        match judged {
            Judged::Differs => self.found.add(at, kind, shown),
            Judged::Expected => self.expected.add(at, kind, shown),
            Judged::Covered => {}
        }
    }

    pub(super) fn values<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: &'v Value<'v>,
        theirs: &'v Value<'v>,
    ) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => self.objects(at, ours, theirs),
            (Value::Array(ours), Value::Array(theirs)) => self.lists(at, ours, theirs),
            _ => match scalar::difference(ours, theirs) {
                None => *self.found.same.values(self.tree) += 1,
                Some(kind) => self.scalars(at, kind, ours, theirs),
            },
        }
    }

    fn scalars(&mut self, at: &[Step<'_>], kind: Kind, ours: &Value<'_>, theirs: &Value<'_>) {
        let place = self.tree.at(at);
        let shown = || scalar::shown(ours, theirs, MAX_SHOWN);
        if kind == Kind::Type || self.rules.is_empty() {
            return self.differ(place, kind, None, shown);
        }
        match (scalar::text(ours), scalar::text(theirs)) {
            (Some(a), Some(b)) => self.differ(place, kind, Some([&*a, &*b]), shown),
            _ => self.differ(place, kind, None, shown),
        }
    }

    fn objects<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        ours: &'v Members<'v>,
        theirs: &'v Members<'v>,
    ) {
        if ours.is_empty() && theirs.is_empty() {
            *self.found.same.values(self.tree) += 1;
            return;
        }
        let is_map = self.rules.is_map(self.tree.at(at));
        let in_order =
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.0 == b.0);
        if in_order {
            for ((name, ours), (_, theirs)) in ours.iter().zip(theirs) {
                at.push(member_step(name, is_map));
                self.values(at, ours, theirs);
                at.pop();
            }
            return;
        }
        let both = both(ours, theirs);
        let is_whole = both.values().all(|sides| sides.iter().all(Option::is_some));
        self.has_other_member_order |= is_whole && ours.len() == theirs.len();
        let is_map = is_map || (!is_whole && looks_like_a_map(&both));
        for (name, [ours, theirs]) in both {
            at.push(member_step(name, is_map));
            match (ours, theirs) {
                (Some(ours), Some(theirs)) => self.values(at, ours, theirs),
                (ours, theirs) => self.one_sided(at, ours, theirs),
            }
            at.pop();
        }
    }

    /// A value that one side does not have.
    pub(super) fn one_sided(
        &mut self,
        at: &[Step<'_>],
        ours: Option<&Value<'_>>,
        theirs: Option<&Value<'_>>,
    ) {
        let kind = kind_of(ours.is_some(), theirs.is_some());
        let shown = |value: Option<&Value<'_>>| value.map_or_else(absent, |v| v.shown(MAX_SHOWN));
        self.differ(self.tree.at(at), kind, None, || {
            [shown(ours), shown(theirs)]
        });
    }

    /// How many values two equal documents have; `None` if they are not equal.
    pub(super) fn equal(&mut self, ours: &Value<'_>, theirs: &Value<'_>) -> Option<u64> {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => self.equal_objects(ours, theirs),
            (Value::Array(ours), Value::Array(theirs)) => {
                if ours.len() != theirs.len() {
                    return None;
                }
                let mut count = u64::from(ours.is_empty());
                for (ours, theirs) in ours.iter().zip(theirs) {
                    count += self.equal(ours, theirs)?;
                }
                Some(count)
            }
            _ => scalar::difference(ours, theirs).is_none().then_some(1),
        }
    }

    fn equal_objects(&mut self, ours: &Members<'_>, theirs: &Members<'_>) -> Option<u64> {
        let mut count = u64::from(ours.is_empty() && theirs.is_empty());
        if ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.0 == b.0) {
            for ((_, ours), (_, theirs)) in ours.iter().zip(theirs) {
                count += self.equal(ours, theirs)?;
            }
            return Some(count);
        }
        for [ours, theirs] in both(ours, theirs).into_values() {
            count += self.equal(ours?, theirs?)?;
        }
        self.has_other_member_order |= ours.len() == theirs.len();
        Some(count)
    }
}

/// Of members with one name the last counts, as most parsers have it.
fn both<'v, 'a>(
    ours: &'v Members<'a>,
    theirs: &'v Members<'a>,
) -> BTreeMap<&'v str, [Option<&'v Value<'a>>; 2]> {
    let mut both: BTreeMap<&str, [Option<&Value<'_>>; 2]> = BTreeMap::new();
    for (side, members) in [ours, theirs].into_iter().enumerate() {
        for (name, value) in members {
            both.entry(name).or_default()[side] = Some(value);
        }
    }
    both
}

fn member_step(name: &str, is_map: bool) -> Step<'_> {
    match is_map {
        true => Step::Key(name),
        false => Step::Member(name),
    }
}

/// Whether names are data: each side has names that the other one has not, at least half of all are such, and all values
/// look alike.
fn looks_like_a_map(both: &BTreeMap<&str, [Option<&Value<'_>>; 2]>) -> bool {
    let lacks = |side: usize| both.values().filter(|sides| sides[side].is_none()).count();
    let (missing, added) = (lacks(1), lacks(0));
    if both.len() < MIN_MAP_MEMBERS
        || missing == 0
        || added == 0
        || 2 * (missing + added) < both.len()
    {
        return false;
    }
    let mut values = both.values().flatten().flatten();
    values
        .next()
        .is_some_and(|first| values.all(|value| are_alike(first, value)))
}

/// Of one type, and objects with the same first member.
fn are_alike(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.first().map(|(name, _)| name) == other.first().map(|(name, _)| name)
        }
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

pub(super) fn kind_of(in_production: bool, in_mirror: bool) -> Kind {
    match (in_production, in_mirror) {
        (true, false) => Kind::Missing,
        (false, true) => Kind::Added,
        _ => Kind::Value,
    }
}
