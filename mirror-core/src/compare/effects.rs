//! What a request read and wrote, on both sides, as documents that are compared as bodies are.
//!
//! ```text
//! { "reads":  { "price": ["17", "18"] },                           each name: the keys in their order
//!   "writes": { "book": [{ "@key": "7", "amount": 1250 }] },       each name: key and value; `@value` where it is no object
//!   "order":  ["read price", "write book"] }                       what both sides did, by name
//! ```
//!
//! Both sides are read together, because what is known of one side's writes may be less than of the other's: of values that are
//! too long only a digest is known, of others nothing. The writes of a name are compared by what both sides tell of all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mirror_contract::{Effect, EffectsDocument, Written};
use serde_json::json;

use super::differ::Differ;
use super::place::Tree;
use super::rules::Active;
use super::{BodyLimits, CompareOptions, Comparison};
use crate::exchange::Request;
use crate::json::Value;

/// Compares what `request` did in production with what it did in the mirror. `None` where one of them is not known whole.
pub fn compare_effects(
    options: &CompareOptions,
    request: Option<&Request>,
    production: &EffectsDocument,
    mirror: &EffectsDocument,
) -> Option<Comparison> {
    if production.dropped() > 0 || mirror.dropped() > 0 {
        return None;
    }
    let sides = [production, mirror].map(EffectsDocument::effects);
    let rules = Active::new(options.all_rules(), request, Tree::Effects);
    let mut differ = Differ::new(rules, Tree::Effects);
    if sides[0] == sides[1] {
        differ.found.same.effects += sides[0].len() as u64;
        return Some(differ.finish());
    }
    let texts = Names::of(sides).texts(sides);
    let nodes = BodyLimits::FULL.nodes;
    let [ours, theirs] = &texts;
    let ours = Value::parse(ours.as_bytes(), nodes).ok()?;
    let theirs = Value::parse(theirs.as_bytes(), nodes).ok()?;
    differ.values(&mut Vec::new(), &ours, &theirs);
    Some(differ.finish())
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
    writes: BTreeMap<&'e str, Detail>,
}

impl<'e> Names<'e> {
    fn of(sides: [&'e [Effect]; 2]) -> Self {
        let mut names = Self {
            reads: BTreeSet::new(),
            writes: BTreeMap::new(),
        };
        for effect in sides.into_iter().flatten() {
            match effect {
                Effect::Read { name, .. } => {
                    names.reads.insert(name);
                }
                Effect::Write { name, written, .. } => {
                    let detail = Detail::of(written.as_ref());
                    let known = names.writes.entry(name).or_insert(detail);
                    *known = detail.min(*known);
                }
            }
        }
        names
    }

    /// The document of each side. Both have the same names, so that what only one side does is an element of a list too.
    fn texts(&self, sides: [&'e [Effect]; 2]) -> [String; 2] {
        let orders = orders(sides);
        [0, 1].map(|side| self.text(sides[side], &orders[side]))
    }

    fn text(&self, effects: &'e [Effect], order: &[String]) -> String {
        let none = |name: &&'e str| (*name, Vec::new());
        let mut reads: BTreeMap<&str, Vec<String>> = self.reads.iter().map(none).collect();
        let mut writes: BTreeMap<&str, Vec<String>> = self.writes.keys().map(none).collect();
        for effect in effects {
            match effect {
                Effect::Read { name, key } => reads.entry(name).or_default().push(quoted(key)),
                Effect::Write { name, key, written } => {
                    let detail = self.writes.get(&**name).copied().unwrap_or(Detail::Key);
                    let text = write(key, written.as_ref(), detail);
                    writes.entry(name).or_default().push(text);
                }
            }
        }
        format!(
            r#"{{"reads":{},"writes":{},"order":{}}}"#,
            lists(reads),
            lists(writes),
            json!(order)
        )
    }
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

/// An object with a write's key, and with what is compared of its value.
fn write(key: &str, written: Option<&Written>, detail: Detail) -> String {
    let key = quoted(key);
    match (written, detail) {
        (
            Some(Written {
                value: Some(value), ..
            }),
            Detail::Value,
        ) => {
            let members = value.trim_ascii().strip_prefix('{').map(str::trim_start);
            match members {
                Some("}") => format!(r#"{{"@key":{key}}}"#),
                Some(members) => format!(r#"{{"@key":{key},{members}"#),
                None => format!(r#"{{"@key":{key},"@value":{value}}}"#),
            }
        }
        (Some(Written { digest, .. }), Detail::Digest) => {
            format!(r#"{{"@key":{key},"@digest":{}}}"#, quoted(digest))
        }
        _ => format!(r#"{{"@key":{key}}}"#),
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
