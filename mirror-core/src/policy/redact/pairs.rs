//! `name=value` pairs: queries, forms and cookies. Pairs that are not changed stay byte for byte.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::token::form_decoded;

/// What is written as it is in a query, a form and a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'*')
    .remove(b'@');

/// What becomes of a pair.
pub(super) enum Pair {
    Stays,
    /// It is taken out, with its name.
    Removed,
    /// It gets another value.
    Becomes(String),
}

/// Asks `judge` for each pair between `&`, by name and value as they are meant. `None` when nothing changes.
pub(super) fn query(raw: &[u8], mut judge: impl FnMut(&str, &str) -> Pair) -> Option<Vec<u8>> {
    edited(raw, b'&', |pair| {
        let (name, value) = split(pair);
        match judge(
            &form_decoded(name),
            &form_decoded(value.unwrap_or_default()),
        ) {
            Pair::Stays => New::Same,
            Pair::Removed => New::Nothing,
            Pair::Becomes(new) => {
                let new = encoded(&new);
                New::Other(
                    [
                        name,
                        if value.is_some() { b"=" } else { b"" },
                        new.as_bytes(),
                    ]
                    .concat(),
                )
            }
        }
    })
}

/// Asks `judge` for each pair of a `Cookie` field, or for the first of a `Set-Cookie` field, whose attributes go with it.
pub(super) fn cookies(
    raw: &[u8],
    is_set_cookie: bool,
    mut judge: impl FnMut(&str, &str) -> Pair,
) -> Option<Vec<u8>> {
    let mut is_first = true;
    let mut is_gone = false;
    edited(raw, b';', |pair| {
        if is_set_cookie && !std::mem::take(&mut is_first) {
            return if is_gone { New::Nothing } else { New::Same };
        }
        let trimmed = pair.trim_ascii();
        let (name, value) = split(trimmed);
        let text = |part| String::from_utf8_lossy(part).into_owned();
        match judge(&text(name), &text(value.unwrap_or_default())) {
            Pair::Stays => New::Same,
            Pair::Removed => {
                is_gone = true;
                New::Nothing
            }
            Pair::Becomes(new) => {
                let space: &[u8] = if pair.starts_with(b" ") { b" " } else { b"" };
                New::Other([space, name, b"=", new.as_bytes()].concat())
            }
        }
    })
}

/// As it stands in a query or a path.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

enum New {
    Same,
    Nothing,
    Other(Vec<u8>),
}

fn split(pair: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'=', pair) {
        Some(at) => (&pair[..at], Some(&pair[at + 1..])),
        None => (pair, None),
    }
}

fn edited(raw: &[u8], between: u8, mut edit: impl FnMut(&[u8]) -> New) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0_usize;
    for part in raw.split(|byte| *byte == between) {
        let before = at.saturating_sub(1);
        let new = edit(part);
        if !matches!(new, New::Same) && out.is_none() {
            out = Some(raw[..before].to_vec());
        }
        if let Some(out) = &mut out {
            let part = match &new {
                New::Same => Some(part),
                New::Nothing => None,
                New::Other(other) => Some(other.as_slice()),
            };
            if let Some(part) = part {
                if !out.is_empty() {
                    out.push(between);
                }
                out.extend_from_slice(part);
            }
        }
        at += part.len() + 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(name: &str, value: &str) -> Pair {
        match name {
            "gone" => Pair::Removed,
            "a b" | "sid" => Pair::Becomes(format!("<{value}>")),
            _ => Pair::Stays,
        }
    }

    #[test]
    fn pairs_of_a_query_are_changed_in_place() {
        let check = |raw: &str, expect: Option<&str>| {
            let new = query(raw.as_bytes(), judge);
            assert_eq!(new.as_deref(), expect.map(str::as_bytes), "{raw}");
        };
        check("x=%41&y", None);
        check("x=%41&a+b=c+d&y=+", Some("x=%41&a+b=%3Cc%20d%3E&y=+"));
        check("a%20b=1", Some("a%20b=%3C1%3E"));
        check("gone=1", Some(""));
        check("gone=1&x=2", Some("x=2"));
        check("x=2&gone=1", Some("x=2"));
        check("x=2&gone=1&&y", Some("x=2&&y"));
        check("gone", Some(""));
        check("", None);
    }

    #[test]
    fn cookies_are_changed_in_place() {
        let check = |raw: &str, is_set: bool, expect: Option<&str>| {
            let new = cookies(raw.as_bytes(), is_set, judge);
            assert_eq!(new.as_deref(), expect.map(str::as_bytes), "{raw}");
        };
        check("a=1; sid=2; gone=3; b=4", false, Some("a=1; sid=<2>; b=4"));
        check("sid=2; Path=/; gone", true, Some("sid=<2>; Path=/; gone"));
        check("gone=2; Path=/", true, Some(""));
        check("a=1; sid=2", true, None);
    }
}
