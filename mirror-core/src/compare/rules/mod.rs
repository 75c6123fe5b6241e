//! Rules of `--compare-rule` and `--ignore`: which differences count, by route and place.
//!
//! A rule is checked when it is read; one that can never match is an error. Each rule counts how often it matched, so that a
//! report can name those that matched nothing.

mod active;
mod moved;
mod pattern;
mod read;
mod tally;
mod tolerance;

use std::borrow::Cow;
use std::fmt;

use mirror_contract::Route;
use regex::bytes::Regex;

use super::kind::Kind;
use super::place::Tree;
use crate::options::FromText;
use moved::Moved;
use pattern::PlacePattern;
use tolerance::Tolerance;

pub use active::RuleUse;
pub(super) use active::{Active, Judged, Lists};
pub use tally::{RuleCount, RuleTally};
pub(super) use tolerance::http_date;

/// What is done about differences at a place.
#[derive(Clone, Debug)]
pub struct CompareRule {
    text: String,
    /// `None` for all.
    route: Option<Route>,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    /// Neither the place nor what stands in it counts.
    Ignore(PlacePattern),
    /// Values that are close enough are equal.
    Tolerance(Tolerance, PlacePattern),
    /// Values that both have this form, as a whole, are equal.
    Pattern(Regex, PlacePattern),
    /// Values are equal that are so after the substitution.
    Normalise(Substitution, PlacePattern),
    /// The order of a list means nothing. Its elements belong together by a member, where one is named.
    Unordered(Option<String>, PlacePattern),
    /// The elements of a list belong together by this member.
    Key(String, PlacePattern),
    /// An object's members are data.
    Map(PlacePattern),
    /// A change that is intended; of any kind where none is named.
    Expect(Option<Kind>, PlacePattern),
    Rename(Moved),
}

/// `s/REGEX/NEW/`.
#[derive(Clone, Debug)]
struct Substitution {
    pattern: Regex,
    new: String,
    is_for_all: bool,
}

impl Substitution {
    fn apply<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let most = if self.is_for_all { 0 } else { 1 };
        self.pattern.replacen(text, most, self.new.as_bytes())
    }
}

impl FromText for CompareRule {
    fn from_text(text: &str) -> Result<Self, String> {
        let (route, action) = read::read(text)?;
        Ok(Self {
            text: text.trim().into(),
            route,
            action,
        })
    }
}

impl fmt::Display for CompareRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for CompareRule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CompareRule {}

impl CompareRule {
    /// Whether it is an intended change, whose absence is a finding.
    pub fn is_expectation(&self) -> bool {
        matches!(self.action, Action::Expect(..))
    }

    /// The header that it is about.
    pub(super) fn header(&self) -> Option<&str> {
        match self.place() {
            Some(PlacePattern::Header(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether it is about what is in this document; those about status and headers go with the body.
    fn is_of(&self, tree: Tree) -> bool {
        match self.place() {
            Some(place) => place.is_of(tree),
            None => tree == Tree::Body,
        }
    }

    fn place(&self) -> Option<&PlacePattern> {
        match &self.action {
            Action::Ignore(place)
            | Action::Tolerance(_, place)
            | Action::Pattern(_, place)
            | Action::Normalise(_, place)
            | Action::Unordered(_, place)
            | Action::Key(_, place)
            | Action::Map(place)
            | Action::Expect(_, place) => Some(place),
            Action::Rename(_) => None,
        }
    }

    /// Whether this one leaves nothing for `other`, as far as that is easily seen.
    fn leaves_nothing_for(&self, other: &Self) -> bool {
        let is_on_route = self.route.is_none() || self.route == other.route;
        let is_covered = match (&self.action, other.place()) {
            (Action::Ignore(ours), Some(theirs)) => ours.covers(theirs),
            _ => false,
        };
        is_on_route && (is_covered || self.text == other.text)
    }
}

/// Refuses rules that can never match because of others, or of pointers that are left out.
pub(super) fn check(rules: &[CompareRule], ignored: &[IgnoredPointer]) -> Result<(), String> {
    let ignored = || ignored.iter().map(IgnoredPointer::rule);
    for (index, rule) in rules.iter().enumerate() {
        // Of two that say the same the first stays.
        let hides = |at: usize, other: &CompareRule| {
            let is_later = at >= index;
            at != index
                && other.leaves_nothing_for(rule)
                && !(is_later && rule.leaves_nothing_for(other))
        };
        let mut others = rules
            .iter()
            .enumerate()
            .filter(|(at, other)| hides(*at, other));
        let other = others.next().map(|(_, other)| other);
        if let Some(other) =
            other.or_else(|| ignored().find(|other| other.leaves_nothing_for(rule)))
        {
            return Err(format!(
                "the rule `{rule}` can never match, because `{other}` leaves out its place: leave one of them out"
            ));
        }
    }
    Ok(())
}

/// A JSON pointer that is left out, as `--ignore` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredPointer(CompareRule);

impl IgnoredPointer {
    pub(super) fn rule(&self) -> &CompareRule {
        &self.0
    }
}

impl FromText for IgnoredPointer {
    fn from_text(text: &str) -> Result<Self, String> {
        let place = PlacePattern::pointer(text).map_err(|why| {
            format!(
                "{why}: write a JSON pointer as in '/id', '/items/*/price' or '/**/trace', each step with its `/`; `*` is one step, `**` any number"
            )
        })?;
        Ok(Self(CompareRule {
            text: format!("ignore {text}"),
            route: None,
            action: Action::Ignore(place),
        }))
    }
}

#[cfg(test)]
mod tests;
