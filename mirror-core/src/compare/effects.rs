//! What a request read and wrote, on both sides, as documents that are compared as bodies are.
//!
//! ```text
//! { "reads":  { "price": ["17", "18"] },                           each name: the keys in their order
//!   "writes": { "book": [{ "@key": "7", "amount": 1250 }] },       each name: key and value; `@value` where it is no object
//!   "order":  ["read price", "write book"],                        what both sides did, by name
//!   "dropped": 3 }                                                 where a mirror did more than fits
//! ```
//!
//! Both sides are read together, because what production says of its writes is not always all: of values that are too long only a
//! digest is known, of others nothing. The writes of a name are compared by what production says of all of them. A mirror that says
//! less than that differs.
//!
//! A side that did more than fits is compared as far as it is known. What the other side may have done after that is not a
//! difference; that a mirror did more than fits, where production did not, is one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mirror_contract::{Effect, EffectsDocument, Written};
use serde_json::json;

use super::differ::Differ;
use super::place::Tree;
use super::rules::Active;
use super::{BodyLimits, CompareOptions, Comparison, Kind};
use crate::exchange::Request;
use crate::json::Value;

/// Compares what `request` did in production with what it did in the mirror. `None` where one of them has more values than are
/// compared.
pub fn compare_effects(
    options: &CompareOptions,
    request: Option<&Request>,
    production: &EffectsDocument,
    mirror: &EffectsDocument,
) -> Option<Comparison> {
    let sides = [production, mirror].map(EffectsDocument::effects);
    let rules = Active::new(options.all_rules(), request, Tree::Effects);
    let mut differ = Differ::new(rules, Tree::Effects);
    differ.unknown = unknown(production, mirror);
    if production == mirror {
        differ.found.same.effects += sides[0].len() as u64;
        return Some(differ.finish());
    }
    let texts = Names::of(sides).texts([production, mirror]);
    let nodes = BodyLimits::FULL.nodes;
    let [ours, theirs] = &texts;
    let ours = Value::parse(ours.as_bytes(), nodes).ok()?;
    let theirs = Value::parse(theirs.as_bytes(), nodes).ok()?;
    differ.values(&mut Vec::new(), &ours, &theirs);
    Some(differ.finish())
}

/// How whole effects cannot be said to differ: what one side lacks may be among those of it that are not known.
fn unknown(production: &EffectsDocument, mirror: &EffectsDocument) -> Vec<Kind> {
    let kinds = [(production, Kind::Added), (mirror, Kind::Missing)];
    let cut = kinds.into_iter().filter(|(side, _)| side.dropped() > 0);
    cut.map(|(_, kind)| kind).collect()
}

/// A member that says how much each side did, where not all of it is known: `dropped` of a mirror where production's own fits, and
/// else `total` of both.
fn amounts([production, mirror]: [&EffectsDocument; 2]) -> [Option<String>; 2] {
    let total = |side: &EffectsDocument| {
        let total = (side.effects().len() as u64).saturating_add(side.dropped());
        Some(format!(r#","total":{total}"#))
    };
    match (production.dropped(), mirror.dropped()) {
        (0, 0) => [None, None],
        (0, dropped) => [None, Some(format!(r#","dropped":{dropped}"#))],
        _ => [total(production), total(mirror)],
    }
}

/// How much is known of a write. Less comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Key,
    Digest,
    Value,
}

impl Detail {
    fn of(written: Option<&Written>) -> Self {
        match written {
            None => Self::Key,
            Some(Written { value: None, .. }) => Self::Digest,
            Some(_) => Self::Value,
        }
    }
}

/// What is read and written on either side, by name.
struct Names<'e> {
    reads: BTreeSet<&'e str>,
    /// With what production says of all its own.
    writes: BTreeMap<&'e str, Detail>,
    /// Production's values by their digests: a mirror that gives only the digest of one of them has written it.
    values: HashMap<&'e str, &'e str>,
}

impl<'e> Names<'e> {
    fn of([production, mirror]: [&'e [Effect]; 2]) -> Self {
        let mut names = Self {
            reads: BTreeSet::new(),
            writes: BTreeMap::new(),
            values: HashMap::new(),
        };
        for effect in production {
            names.add(effect, Detail::of);
            if let Effect::Write { written, .. } = effect
                && let Some((digest, value)) = written.as_ref().and_then(known)
            {
                names.values.insert(digest, value);
            }
        }
        for effect in mirror {
            names.add(effect, |_| Detail::Value);
        }
        names
    }

    fn add(&mut self, effect: &'e Effect, detail: impl Fn(Option<&Written>) -> Detail) {
        match effect {
            Effect::Read { name, .. } => {
                self.reads.insert(name);
            }
            Effect::Write { name, written, .. } => {
                let detail = detail(written.as_ref());
                let known = self.writes.entry(name).or_insert(detail);
                *known = detail.min(*known);
            }
        }
    }

    /// The document of each side. Both have the same names, so that what only one side does is an element of a list too.
    fn texts(&self, sides: [&'e EffectsDocument; 2]) -> [String; 2] {
        let amounts = amounts(sides);
        let sides = sides.map(EffectsDocument::effects);
        let orders = orders(sides);
        [0, 1].map(|side| {
            let amount = amounts[side].as_deref().unwrap_or_default();
            self.text(sides[side], &orders[side], amount)
        })
    }

    fn text(&self, effects: &'e [Effect], order: &[String], amount: &str) -> String {
        let none = |name: &&'e str| (*name, Vec::new());
        let mut reads: BTreeMap<&str, Vec<String>> = self.reads.iter().map(none).collect();
        let mut writes: BTreeMap<&str, Vec<String>> = self.writes.keys().map(none).collect();
        for effect in effects {
            match effect {
                Effect::Read { name, key } => reads.entry(name).or_default().push(quoted(key)),
                Effect::Write { name, key, written } => {
                    let detail = self.writes.get(&**name).copied().unwrap_or(Detail::Key);
                    let text = self.write(key, written.as_ref(), detail);
                    writes.entry(name).or_default().push(text);
                }
            }
        }
        format!(
            r#"{{"reads":{},"writes":{},"order":{}{amount}}}"#,
            lists(reads),
            lists(writes),
            json!(order)
        )
    }

    /// An object with a write's key, and with what is compared of its value.
    fn write(&self, key: &str, written: Option<&Written>, detail: Detail) -> String {
        let key = quoted(key);
        let (Some(written), Detail::Value | Detail::Digest) = (written, detail) else {
            return format!(r#"{{"@key":{key}}}"#);
        };
        let value = written.value.as_deref();
        let value = value.or_else(|| self.values.get(&*written.digest).copied());
        match value.filter(|_| detail == Detail::Value) {
            Some(value) => with_value(&key, value),
            None => {
                let digest = quoted(&written.digest);
                format!(r#"{{"@key":{key},"@digest":{digest}}}"#)
            }
        }
    }
}

fn known(written: &Written) -> Option<(&str, &str)> {
    Some((&written.digest, written.value.as_deref()?))
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}

fn lists(all: BTreeMap<&str, Vec<String>>) -> String {
    let member =
        |(name, items): (&str, Vec<String>)| format!("{}:[{}]", quoted(name), items.join(","));
    let members: Vec<_> = all.into_iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

/// An object with a write's key, and with the members of its value, or the value itself.
fn with_value(key: &str, value: &str) -> String {
    let members = value.trim_ascii().strip_prefix('{').map(str::trim_start);
    match members {
        Some("}") => format!(r#"{{"@key":{key}}}"#),
        Some(members) => format!(r#"{{"@key":{key},{members}"#),
        None => format!(r#"{{"@key":{key},"@value":{value}}}"#),
    }
}

/// What both sides did, in the order of each, by kind and name: nothing in it is missing or added.
fn orders(sides: [&[Effect]; 2]) -> [Vec<String>; 2] {
    let labels = sides.map(|effects| effects.iter().map(label).collect::<Vec<_>>());
    let counts = |labels: &[String]| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for label in labels {
            *counts.entry(label.clone()).or_default() += 1;
        }
        counts
    };
    let others = [counts(&labels[1]), counts(&labels[0])];
    let mut left = others.into_iter();
    labels.map(|labels| {
        let mut left = left.next().unwrap_or_default();
        let is_on_both_sides = |label: &String| match left.get_mut(label) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        };
        labels.into_iter().filter(is_on_both_sides).collect()
    })
}

fn label(effect: &Effect) -> String {
    match effect {
        Effect::Read { name, .. } => format!("read {name}"),
        Effect::Write { name, .. } => format!("write {name}"),
    }
}

#[cfg(test)]
mod tests;
