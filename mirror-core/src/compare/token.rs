//! Hashes by which the elements of lists are told apart. What a rule makes equal has the same hash. Two values of one hash
//! may still differ: they are compared whoever they are matched with.

use std::hash::{BuildHasher, Hash, Hasher};

use super::align::Features;
use super::number::hash_number;
use super::place::{Step, Tree};
use super::rules::Active;
use crate::json::{Value, unescaped};

/// The hash of a member that does not count.
const UNCOUNTED: u64 = 0;

/// Makes hashes until its steps are used up.
pub(super) struct Tokens<'r, 'a> {
    pub(super) rules: &'r Active<'r>,
    pub(super) tree: Tree,
    /// Values that may still be looked at.
    pub(super) steps_left: &'a mut usize,
}

fn hasher() -> impl Hasher {
    // The same in every run, so that the same answers give the same observations.
    foldhash::quality::FixedState::default().build_hasher()
}

impl Tokens<'_, '_> {
    /// The hash of each element. `None` when there are more values than steps left.
    pub(super) fn all<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        items: &'v [Value<'v>],
        first: usize,
    ) -> Option<Vec<u64>> {
        let mut hashes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            at.push(Step::Index(first + index));
            let hash = self.value(at, item);
            at.pop();
            hashes.push(hash?);
        }
        Some(hashes)
    }

    /// What an element is made of.
    pub(super) fn features<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        item: &'v Value<'v>,
    ) -> Option<Features> {
        let mut features = Vec::new();
        match item {
            Value::Object(members) => {
                for (name, value) in members {
                    at.push(Step::Member(name));
                    let hash = self.member(at, name, value);
                    at.pop();
                    features.extend(Some(hash?).filter(|hash| *hash != UNCOUNTED));
                }
            }
            Value::Array(items) => features = self.all(at, items, 0)?,
            _ => features.push(self.value(at, item)?),
        }
        features.sort_unstable();
        Some(features)
    }

    fn value<'v>(&mut self, at: &mut Vec<Step<'v>>, value: &'v Value<'v>) -> Option<u64> {
        *self.steps_left = self.steps_left.checked_sub(1)?;
        let mut hasher = hasher();
        std::mem::discriminant(value).hash(&mut hasher);
        if self.rules.changes_values() && self.is_stood_in_for(at, value, &mut hasher) {
            return Some(hasher.finish());
        }
        match value {
            Value::Null => {}
            Value::Bool(value) => value.hash(&mut hasher),
            Value::Number(number) => hash_number(number, &mut hasher),
            Value::Text(text) => hasher.write(unescaped(text).as_bytes()),
            Value::Deep(text) => hasher.write(text.as_bytes()),
            Value::Array(items) => self.all(at, items, 0)?.hash(&mut hasher),
            Value::Object(members) => {
                // In any order.
                let mut sum = 0_u64;
                for (name, value) in members {
                    at.push(Step::Member(name));
                    let hash = self.member(at, name, value);
                    at.pop();
                    sum = sum.wrapping_add(hash?);
                }
                hasher.write_u64(sum);
            }
        }
        Some(hasher.finish())
    }

    /// One that does not count may be missing on the other side.
    fn member<'v>(
        &mut self,
        at: &mut Vec<Step<'v>>,
        name: &str,
        value: &'v Value<'v>,
    ) -> Option<u64> {
        if self.rules.changes_values() && self.rules.ignores(self.tree.at(at)) {
            return Some(UNCOUNTED);
        }
        let mut hasher = hasher();
        hasher.write(name.as_bytes());
        hasher.write_u64(self.value(at, value)?);
        Some(hasher.finish())
    }

    /// Whether a rule says what stands for this value.
    fn is_stood_in_for(
        &self,
        at: &[Step<'_>],
        value: &Value<'_>,
        hasher: &mut impl Hasher,
    ) -> bool {
        if self.rules.ignores(self.tree.at(at)) {
            return true;
        }
        let Some(text) = super::scalar::text(value) else {
            return false;
        };
        match self.rules.stand_in(self.tree.at(at), &text) {
            Some(other) if *other != *text.as_bytes() => hasher.write(&other),
            Some(_) => return false,
            None => {}
        }
        true
    }
}
