//! `/price -> /pricing/amount`: a value that stands elsewhere in another version of an API.
//!
//! Both documents are brought to the new form, whichever has the old one. So an answer of the old version compares with one of
//! the new version by meaning, and with another one of the old version too, as a control's is.

use std::borrow::Cow;

use super::pattern::{PatternStep, PlacePattern};
use crate::json::Value;

/// Where a value stood, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// What both places have in common. Wildcards stand only here.
    shared: Vec<PatternStep>,
    from: Vec<String>,
    to: Vec<String>,
}

impl Moved {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let form = "write /OLD -> /NEW, as in `/price -> /pricing/amount` or `/items/*/sum -> /items/*/total`";
        let (from, to) = text.split_once(" -> ").ok_or(form)?;
        let steps = |text: &str| match PlacePattern::pointer(text.trim()) {
            Ok(PlacePattern::Json(steps)) => Ok(steps),
            Ok(_) => Err(form.into()),
            Err(why) => Err(format!("{why}; {form}")),
        };
        let (from, to): (Vec<_>, Vec<_>) = (steps(from)?, steps(to)?);
        if from == to {
            return Err(format!(
                "both places are the same, so nothing moves; {form}"
            ));
        }
        let most = from.len().min(to.len()) - 1;
        let shared = from.iter().zip(&to).take(most);
        let shared = shared.take_while(|(from, to)| from == to).count();
        let names = |steps: &[PatternStep]| {
            let name = |step: &PatternStep| match step {
                PatternStep::Name(name) => Ok(name.clone()),
                _ => Err(format!(
                    "`*` and `**` stand only where both places are still the same; {form}"
                )),
            };
            steps[shared..]
                .iter()
                .map(name)
                .collect::<Result<Vec<_>, String>>()
        };
        Ok(Self {
            from: names(&from)?,
            to: names(&to)?,
            shared: from[..shared].to_vec(),
        })
    }

    /// Brings a document to the new form. Returns how often something moved.
    pub(super) fn apply(&self, document: &mut Value<'_>) -> u64 {
        self.descend(&self.shared, document)
    }

    fn descend(&self, shared: &[PatternStep], value: &mut Value<'_>) -> u64 {
        let Some((step, rest)) = shared.split_first() else {
            return u64::from(self.moves_in(value));
        };
        let mut moves = match step {
            PatternStep::Rest => self.descend(rest, value),
            _ => 0,
        };
        // Below `**` the same step is looked for again.
        let below = if *step == PatternStep::Rest {
            shared
        } else {
            rest
        };
        let is_wanted = |name: &str| match step {
            PatternStep::Name(wanted) => wanted == name,
            PatternStep::Any | PatternStep::Rest => true,
        };
        match value {
            Value::Object(members) => {
                let wanted = members.iter_mut().filter(|(name, _)| is_wanted(name));
                moves += wanted
                    .map(|(_, value)| self.descend(below, value))
                    .sum::<u64>();
            }
            Value::Array(items) => {
                let wanted = items.iter_mut().enumerate();
                let wanted = wanted.filter(|(index, _)| match step {
                    PatternStep::Name(wanted) => wanted.parse() == Ok(*index),
                    _ => true,
                });
                moves += wanted
                    .map(|(_, value)| self.descend(below, value))
                    .sum::<u64>();
            }
            _ => {}
        }
        moves
    }

    fn moves_in(&self, value: &mut Value<'_>) -> bool {
        let is_unwrapped = self.from.starts_with(&self.to);
        let is_old =
            find(value, &self.from).is_some() && (is_unwrapped || find(value, &self.to).is_none());
        if !is_old {
            return false;
        }
        match take(value, &self.from) {
            Some(taken) => put(value, &self.to, taken),
            None => false,
        }
    }
}

fn find<'v, 'a>(value: &'v Value<'a>, steps: &[String]) -> Option<&'v Value<'a>> {
    let Some((name, rest)) = steps.split_first() else {
        return Some(value);
    };
    let Value::Object(members) = value else {
        return None;
    };
    let (_, inner) = members.iter().rev().find(|(member, _)| member == name)?;
    find(inner, rest)
}

/// Takes a value out, and the objects on the way that are empty then.
fn take<'a>(value: &mut Value<'a>, steps: &[String]) -> Option<Value<'a>> {
    let (name, rest) = steps.split_first()?;
    let Value::Object(members) = value else {
        return None;
    };
    let at = members.iter().rposition(|(member, _)| member == name)?;
    if rest.is_empty() {
        return Some(members.remove(at).1);
    }
    let taken = take(&mut members[at].1, rest)?;
    if matches!(&members[at].1, Value::Object(left) if left.is_empty()) {
        members.remove(at);
    }
    Some(taken)
}

/// Puts a value where the steps lead, with objects on the way. What stands there is replaced.
fn put<'a>(value: &mut Value<'a>, steps: &[String], new: Value<'a>) -> bool {
    let Some((name, rest)) = steps.split_first() else {
        *value = new;
        return true;
    };
    if !matches!(value, Value::Object(_)) {
        *value = Value::Object(Vec::new());
    }
    let Value::Object(members) = value else {
        return false;
    };
    let at = members.iter().rposition(|(member, _)| member == name);
    let at = at.unwrap_or_else(|| {
        members.push((Cow::Owned(name.clone()), Value::Null));
        members.len() - 1
    });
    put(&mut members[at].1, rest, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, old: &str, new: &str) {
        let moved = Moved::parse(rule).unwrap();
        let mut document = Value::parse(old.as_bytes(), 1000).unwrap();
        let moves = moved.apply(&mut document);
        assert_eq!(document.shown(10_000), new, "{rule}");
        assert_eq!(moves > 0, old != new);
        // What has the new form already stays.
        let mut document = Value::parse(new.as_bytes(), 1000).unwrap();
        assert_eq!(moved.apply(&mut document), 0, "{rule} twice");
        assert_eq!(document.shown(10_000), new, "{rule} twice");
    }

    #[test]
    fn a_value_moves_to_its_new_place() {
        check(
            "/price -> /pricing/amount",
            r#"{"price":5}"#,
            r#"{"pricing":{"amount":5}}"#,
        );
        check(
            "/price -> /price/amount",
            r#"{"price":5}"#,
            r#"{"price":{"amount":5}}"#,
        );
        check(
            "/price/amount -> /price",
            r#"{"price":{"amount":5}}"#,
            r#"{"price":5}"#,
        );
        check("/a/b/c -> /d", r#"{"a":{"b":{"c":1}}}"#, r#"{"d":1}"#);
        check(
            "/a/b -> /d",
            r#"{"a":{"b":1,"x":2}}"#,
            r#"{"a":{"x":2},"d":1}"#,
        );
        check(
            "/items/*/sum -> /items/*/total",
            r#"{"items":[{"sum":1},{"sum":2},{}]}"#,
            r#"{"items":[{"total":1},{"total":2},{}]}"#,
        );
        check(
            "/**/sum -> /**/total",
            r#"{"sum":1,"a":{"sum":2,"b":[{"sum":3}]}}"#,
            r#"{"a":{"b":[{"total":3}],"total":2},"total":1}"#,
        );
        check("/price -> /cost", r#"{"a":1}"#, r#"{"a":1}"#);
        check(
            "/price -> /cost",
            r#"{"price":1,"cost":2}"#,
            r#"{"price":1,"cost":2}"#,
        );
    }

    #[test]
    fn a_deep_document_is_looked_through_once() {
        let deep = format!("{}1{}", "{\"a\":".repeat(120), "}".repeat(120));
        let rule = format!("/{}b -> /{}c", "**/".repeat(30), "**/".repeat(30));
        check(&rule, &deep, &deep);
    }

    #[test]
    fn what_moves_nothing_says_how_to_write_it() {
        for bad in [
            "/a",
            "/a -> /a",
            "a -> /b",
            "/a -> b",
            "/*/a -> /b",
            "/a -> /**",
        ] {
            let error = Moved::parse(bad).unwrap_err();
            assert!(error.contains("/pricing/amount"), "{bad}: {error}");
        }
    }
}
