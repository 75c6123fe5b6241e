//! Rules of `--allow`, `--deny`, `--reads` and `--replay-share`: `ROUTE [where CONDITION [and CONDITION]…]`, or
//! `where CONDITION…` for every route.
//!
//! A rule that keeps something out fits if any reading of the request does: one of two fields of a name, the decoded path. A
//! rule that lets something in fits only if all of them do. So nobody gets past one by writing a request oddly.

mod condition;
mod graphql;
mod path;
mod spelling;
mod view;

use std::fmt;

use crate::exchange::Exchange;
use crate::options::FromText;

use condition::Condition;
use path::RoutePattern;

pub(super) use condition::Subject;
pub(super) use view::View;
pub use view::asks_for_another_method;

/// What a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    /// It fits if any reading of the request does.
    KeepOut,
    /// It fits if every reading of the request does.
    LetIn,
}

/// A route with conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    text: String,
    /// None for all.
    route: Option<RoutePattern>,
    conditions: Vec<Condition>,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromText for Rule {
    fn from_text(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (route, conditions) = match split_word(text, "where") {
            Some((route, conditions)) => (route.trim(), Some(conditions)),
            None => (text, None),
        };
        let route = match (route, &conditions) {
            ("", Some(_)) => None,
            (route, _) => Some(RoutePattern::parse(route)?),
        };
        let conditions = conditions.map_or(Ok(Vec::new()), condition::list)?;
        condition::check(&conditions)?;
        Ok(Self {
            text: text.into(),
            route,
            conditions,
        })
    }
}

impl Rule {
    /// Whether all readings of the request fit, as for `--allow`.
    pub fn lets_in(&self, exchange: &Exchange) -> bool {
        self.fits(&View::new(exchange), Sense::LetIn)
    }

    pub(super) fn fits(&self, view: &View<'_>, sense: Sense) -> bool {
        self.fits_as(&view.exchange().request.method, view, sense)
    }

    /// The same for a request that asks for another method than its own.
    pub(super) fn fits_as(&self, method: &str, view: &View<'_>, sense: Sense) -> bool {
        self.is_on_route(method, view, sense)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(view, sense))
    }

    fn is_on_route(&self, method: &str, view: &View<'_>, sense: Sense) -> bool {
        self.route
            .as_ref()
            .is_none_or(|route| route.has_method(method, sense) && route.has_path(view, sense))
    }

    /// The method that it names; `None` when it is for all.
    pub(super) fn method(&self) -> Option<&str> {
        let method = self.route.as_ref().map(RoutePattern::method);
        method.filter(|method| *method != "*")
    }

    /// Whether it fits wherever `other` does, as far as that is easily seen.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.conditions.is_empty()
            && match (&self.route, &other.route) {
                (None, _) => true,
                (Some(ours), Some(theirs)) => ours.covers(theirs),
                (Some(_), None) => false,
            }
    }
}

/// The parts before and after a word that stands between spaces and outside of quotes.
fn split_word<'t>(text: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, _) => {
                let begins = at == 0 || text[..at].ends_with(char::is_whitespace);
                let rest = text[at..].strip_prefix(word).filter(|_| begins);
                if let Some(rest) = rest.filter(|rest| rest.starts_with(char::is_whitespace)) {
                    return Some((&text[..at], rest));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
