//! `[ROUTE =>] VERB …`: the text of a rule, checked while it is read.

use mirror_contract::Route;
use regex::bytes::{Regex, RegexBuilder};

use super::super::kind::Kind;
use super::moved::Moved;
use super::pattern::PlacePattern;
use super::tolerance::Tolerance;
use super::{Action, Substitution};

const GRAMMAR: &str = "'[ROUTE =>] RULE', where a rule is one of: ignore PLACE, tolerance 0.01|0.1%|2s PLACE, pattern REGEX PLACE, \
     normalise s/REGEX/NEW/ PLACE, unordered [by MEMBER] PLACE, key MEMBER PLACE, map PLACE, expect [KIND] PLACE, \
     rename /OLD -> /NEW; for example 'GET /orders/{id} => ignore /items/*/updated_at'";

const VERBS: [&str; 9] = [
    "ignore",
    "tolerance",
    "pattern",
    "normalise",
    "unordered",
    "key",
    "map",
    "expect",
    "rename",
];

/// Bytes that a compiled expression may take.
const MAX_REGEX: usize = 1 << 20;

/// The route, if there is one, and what is done there.
pub(super) fn read(text: &str) -> Result<(Option<Route>, Action), String> {
    let grammar = || format!("write {GRAMMAR}");
    let text = text.trim();
    let (route, rule) = match split_word(text) {
        Some((verb, _)) if VERBS.contains(&verb) => (None, text),
        _ => {
            let (route, rule) = text.split_once("=>").ok_or_else(grammar)?;
            let route: Route = route
                .parse()
                .map_err(|error| format!("{error}; {}", grammar()))?;
            (Some(route), rule.trim())
        }
    };
    let (verb, rest) = split_word(rule).ok_or_else(grammar)?;
    let action = match verb {
        "ignore" => PlacePattern::parse(rest).map(Action::Ignore),
        "tolerance" => tolerance(rest),
        "pattern" => pattern(rest),
        "normalise" => normalise(rest),
        "unordered" => unordered(rest),
        "key" => key(rest),
        "map" => list_place(rest).map(Action::Map),
        "expect" => expect(rest),
        "rename" => Moved::parse(rest).map(Action::Rename),
        _ => return Err(grammar()),
    };
    let action = action.map_err(|wrong| format!("`{rule}`: {wrong}"))?;
    Ok((route, action))
}

fn split_word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.trim().split_once(char::is_whitespace)?;
    Some((word, rest.trim()))
}

/// The place is the last word.
fn argument_and_place<'t>(text: &'t str, what: &str) -> Result<(&'t str, &'t str), String> {
    match text.rsplit_once(char::is_whitespace) {
        Some((argument, place)) => Ok((argument.trim(), place)),
        None => Err(format!(
            "write {what} and after it a place, as in /items/*/price"
        )),
    }
}

/// A place that has a text or a number.
fn value_place(text: &str) -> Result<PlacePattern, String> {
    match PlacePattern::parse(text)? {
        PlacePattern::Status | PlacePattern::Body => Err(format!(
            "`{text}` has no value that this can be about: name a place in the body, as in /price, or a header, as in header:x-price"
        )),
        place => Ok(place),
    }
}

/// A place that can have elements or members.
fn list_place(text: &str) -> Result<PlacePattern, String> {
    match PlacePattern::parse(text)? {
        place @ (PlacePattern::Json(_) | PlacePattern::Effects(_)) => Ok(place),
        _ => Err(format!(
            "`{text}` has no members: name a place in the body, as in /items"
        )),
    }
}

fn tolerance(text: &str) -> Result<Action, String> {
    let (amount, place) = argument_and_place(text, "0.01, 0.1% or 2s")?;
    Ok(Action::Tolerance(
        Tolerance::parse(amount)?,
        value_place(place)?,
    ))
}

fn pattern(text: &str) -> Result<Action, String> {
    let (pattern, place) = argument_and_place(text, "a regular expression")?;
    Ok(Action::Pattern(
        regex(&format!("^(?:{pattern})$"))?,
        value_place(place)?,
    ))
}

fn normalise(text: &str) -> Result<Action, String> {
    let form = "write s/REGEX/NEW/ or s/REGEX/NEW/g and after it a place, as in `s/-[0-9]+$// /id`; NEW may hold $1";
    let rest = text.strip_prefix('s').ok_or(form)?;
    let delimiter = rest.chars().next().ok_or(form)?;
    if delimiter.is_alphanumeric() || delimiter.is_whitespace() || delimiter == '\\' {
        return Err(form.into());
    }
    let mut parts = rest[delimiter.len_utf8()..].char_indices();
    let after = |parts: &mut std::str::CharIndices<'_>| {
        let mut part = String::new();
        while let Some((_, c)) = parts.next() {
            match c {
                '\\' => match parts.next() {
                    Some((_, next)) if next == delimiter => part.push(next),
                    Some((_, next)) => part.extend(['\\', next]),
                    None => return None,
                },
                c if c == delimiter => return Some(part),
                c => part.push(c),
            }
        }
        None
    };
    let old = after(&mut parts).ok_or(form)?;
    let new = after(&mut parts).ok_or(form)?;
    let (flags, place) = parts.as_str().split_once(char::is_whitespace).ok_or(form)?;
    if !matches!(flags, "" | "g") || old.is_empty() {
        return Err(form.into());
    }
    let substitution = Substitution {
        pattern: regex(&old)?,
        new,
        is_for_all: flags == "g",
    };
    Ok(Action::Normalise(substitution, value_place(place.trim())?))
}

fn unordered(text: &str) -> Result<Action, String> {
    let (key, place) = match text.strip_prefix("by ") {
        Some(rest) => {
            let (key, place) = argument_and_place(rest, "the name of a member")?;
            (Some(member(key)?), place)
        }
        None => (None, text),
    };
    Ok(Action::Unordered(key, list_place(place)?))
}

fn key(text: &str) -> Result<Action, String> {
    let (key, place) = argument_and_place(text, "the name of a member")?;
    Ok(Action::Key(member(key)?, list_place(place)?))
}

fn member(text: &str) -> Result<String, String> {
    match text.is_empty() || text.starts_with('/') {
        true => Err("a key is the name of a member of the elements, as in id".into()),
        false => Ok(text.into()),
    }
}

/// Kinds that are found in a pair of answers, by what a place can be.
fn expect(text: &str) -> Result<Action, String> {
    let (kind, place) = match text.rsplit_once(char::is_whitespace) {
        None => (None, text),
        Some((kind, place)) => {
            let kind = kind.trim();
            let known = Kind::ALL.into_iter().find(|known| known.name() == kind);
            (Some(known.ok_or_else(|| unknown_kind(kind))?), place)
        }
    };
    let place = PlacePattern::parse(place)?;
    let is_possible = match (&place, kind) {
        (_, None) => true,
        (PlacePattern::Status, Some(kind)) => matches!(kind, Kind::StatusClass | Kind::Status),
        (PlacePattern::Header(_), Some(kind)) => {
            matches!(kind, Kind::Value | Kind::Type | Kind::Missing | Kind::Added)
        }
        (PlacePattern::Body, Some(kind)) => kind == Kind::Bytes,
        (PlacePattern::Json(_) | PlacePattern::Effects(_), Some(kind)) => matches!(
            kind,
            Kind::Value | Kind::Type | Kind::Missing | Kind::Added | Kind::Order
        ),
    };
    match kind.filter(|_| !is_possible) {
        Some(kind) => Err(format!(
            "a difference of kind `{}` is never found there: status has status-class and status; a header value, type, missing and added; \
             a place in the body or in effects these and order; body has bytes",
            kind.name()
        )),
        None => Ok(Action::Expect(kind, place)),
    }
}

fn unknown_kind(text: &str) -> String {
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    format!(
        "`{text}` is not a kind of difference: use one of {}",
        names.join(", ")
    )
}

fn regex(pattern: &str) -> Result<Regex, String> {
    // Texts of strangers are bytes.
    let built = RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(MAX_REGEX)
        .build();
    built.map_err(|error| error.to_string())
}
