//! The rules that are on the route of one pair, and how often each matched in it.

use std::borrow::Cow;

use super::super::kind::Kind;
use super::super::place::{At, Tree};
use super::{Action, CompareRule};
use crate::exchange::Request;
use crate::json::Value;

/// How often a rule matched in one pair that is on its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleUse {
    /// Its place among the rules of [`CompareOptions::all_rules`](crate::compare::CompareOptions::all_rules).
    pub rule: usize,
    pub hits: u64,
}

/// What rules say of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compare) enum Judged {
    /// It counts.
    Differs,
    /// A rule takes it for none.
    Covered,
    /// It is intended.
    Expected,
}

/// What rules say of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::compare) struct Lists<'r> {
    pub(in crate::compare) key: Option<&'r str>,
    pub(in crate::compare) is_unordered: bool,
}

/// The rules of a pair.
#[derive(Debug, Default)]
pub(in crate::compare) struct Active<'r> {
    rules: Vec<(&'r CompareRule, RuleUse)>,
    /// Some rule changes which values are equal, so that hashes of values must know the rules.
    changes_values: bool,
}

impl<'r> Active<'r> {
    /// Rules about what is in `tree`. Without a request only rules for all routes are active.
    pub(in crate::compare) fn new(
        all: impl Iterator<Item = &'r CompareRule>,
        request: Option<&Request>,
        tree: Tree,
    ) -> Self {
        let is_on_route = |rule: &CompareRule| match (&rule.route, request) {
            (None, _) => true,
            (Some(route), Some(request)) => route.matches(&request.method, &request.target),
            (Some(_), None) => false,
        };
        let rules: Vec<_> = all
            .enumerate()
            .filter(|(_, rule)| rule.is_of(tree) && is_on_route(rule))
            .map(|(at, rule)| (rule, RuleUse { rule: at, hits: 0 }))
            .collect();
        let changes_values = rules.iter().any(|(rule, _)| {
            matches!(
                rule.action,
                Action::Ignore(_) | Action::Pattern(..) | Action::Normalise(..)
            )
        });
        Self {
            rules,
            changes_values,
        }
    }

    pub(in crate::compare) fn into_uses(self) -> Vec<RuleUse> {
        self.rules.into_iter().map(|(_, used)| used).collect()
    }

    pub(in crate::compare) fn changes_values(&self) -> bool {
        self.changes_values
    }

    /// What becomes of a difference. `values` are there where both sides have a text or a number.
    pub(in crate::compare) fn judge(
        &mut self,
        at: At<'_>,
        kind: Kind,
        values: Option<[&str; 2]>,
    ) -> Judged {
        if self.rules.is_empty() {
            return Judged::Differs;
        }
        if self.covers(at, kind) || values.is_some_and(|values| self.makes_equal(at, values)) {
            return Judged::Covered;
        }
        // What is merely written in another way is no change that anybody intends.
        let is_change = kind != Kind::Cosmetic;
        let expected = |rule: &CompareRule| match &rule.action {
            Action::Expect(wanted, place) => {
                is_change && place.fits(at) && wanted.is_none_or(|wanted| wanted == kind)
            }
            _ => false,
        };
        match self.hit(expected) {
            true => Judged::Expected,
            false => Judged::Differs,
        }
    }

    /// Counts for the first rule that is so.
    fn hit(&mut self, is_so: impl Fn(&CompareRule) -> bool) -> bool {
        let found = self.rules.iter_mut().find(|(rule, _)| is_so(rule));
        if let Some((_, used)) = found {
            used.hits += 1;
            return true;
        }
        false
    }

    fn covers(&mut self, at: At<'_>, kind: Kind) -> bool {
        self.hit(|rule| match &rule.action {
            Action::Ignore(place) => place.holds(at),
            Action::Unordered(_, place) => kind == Kind::Order && place.fits(at),
            _ => false,
        })
    }

    /// Whether two values are equal after all substitutions, or close enough then, or both of a form.
    fn makes_equal(&mut self, at: At<'_>, values: [&str; 2]) -> bool {
        let mut both = values.map(|value| Cow::Borrowed(value.as_bytes()));
        for (rule, used) in &mut self.rules {
            if let Action::Normalise(substitution, place) = &rule.action
                && place.fits(at)
            {
                let new = [0, 1].map(|side| substitution.apply(&both[side]).into_owned());
                if new.iter().zip(&both).any(|(new, old)| new[..] != old[..]) {
                    used.hits += 1;
                }
                both = new.map(Cow::Owned);
            }
        }
        if both[0] == both[1] {
            return true;
        }
        let texts = || {
            Some((
                std::str::from_utf8(&both[0]).ok()?,
                std::str::from_utf8(&both[1]).ok()?,
            ))
        };
        self.hit(|rule| match &rule.action {
            Action::Tolerance(tolerance, place) => {
                place.fits(at) && texts().is_some_and(|(a, b)| tolerance.allows(a, b))
            }
            Action::Pattern(pattern, place) => {
                place.fits(at) && both.iter().all(|value| pattern.is_match(value))
            }
            _ => false,
        })
    }

    /// Whether nothing at or in this place counts.
    pub(in crate::compare) fn ignores(&self, at: At<'_>) -> bool {
        self.rules
            .iter()
            .any(|(rule, _)| matches!(&rule.action, Action::Ignore(place) if place.holds(at)))
    }

    /// What stands for a value where values are told apart: equal for values that a rule makes equal. `None` where it
    /// does not matter which value it is.
    pub(in crate::compare) fn stand_in<'t>(
        &self,
        at: At<'_>,
        text: &'t str,
    ) -> Option<Cow<'t, [u8]>> {
        let mut value = Cow::Borrowed(text.as_bytes());
        for (rule, _) in &self.rules {
            match &rule.action {
                Action::Normalise(substitution, place) if place.fits(at) => {
                    value = Cow::Owned(substitution.apply(&value).into_owned());
                }
                Action::Pattern(pattern, place) if place.fits(at) && pattern.is_match(&value) => {
                    return None;
                }
                _ => {}
            }
        }
        Some(value)
    }

    /// How the elements of a list belong together.
    pub(in crate::compare) fn lists(&self, at: At<'_>) -> Lists<'r> {
        let mut lists = Lists::default();
        for (rule, _) in &self.rules {
            match &rule.action {
                Action::Unordered(key, place) if place.fits(at) => {
                    lists.is_unordered = true;
                    lists.key = lists.key.or(key.as_deref());
                }
                Action::Key(key, place) if place.fits(at) => {
                    lists.key = lists.key.or(Some(key));
                }
                _ => {}
            }
        }
        lists
    }

    /// A list's elements were told apart by the key that a rule names.
    pub(in crate::compare) fn used_key(&mut self, at: At<'_>) {
        self.hit(|rule| match &rule.action {
            Action::Unordered(Some(_), place) | Action::Key(_, place) => place.fits(at),
            _ => false,
        });
    }

    /// Whether an object is a map by a rule.
    pub(in crate::compare) fn is_map(&mut self, at: At<'_>) -> bool {
        !self.rules.is_empty()
            && self.hit(|rule| matches!(&rule.action, Action::Map(place) if place.fits(at)))
    }

    pub(in crate::compare) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Brings both documents to the form of the newer version.
    pub(in crate::compare) fn rename(&mut self, ours: &mut Value<'_>, theirs: &mut Value<'_>) {
        for (rule, used) in &mut self.rules {
            if let Action::Rename(moved) = &rule.action {
                let (ours, theirs) = (moved.apply(ours), moved.apply(theirs));
                // Where both had the old form nothing was renamed.
                used.hits += ours.abs_diff(theirs);
            }
        }
    }
}
