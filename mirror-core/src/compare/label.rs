//! What tells the lines of a text apart: the words that a line begins with, without what is data in them. `threads: 17` is `threads`,
//! `sku-3,417,20` is `sku-#`, and `2026-11-27T10:00:00Z INFO started` is `{*}_INFO`.
//!
//! So a line that varies by nature does not hide what differs in the others. A label is short, has none of the characters that mean
//! something in a place, and no long word, which may be a secret. It stays the same as long as the words do.
//!
//! **When it may be wrong.** Lines of data whose first word is a name have a label each. They are one place where an answer has
//! too many of them ([`MAX_LABELS`]), and where answer after answer shows others (`noise/maps.rs`).

use std::collections::BTreeSet;

use crate::json::{Value, unescaped};
use crate::route::variable;

/// Different labels of a text whose lines are told apart.
const MAX_LABELS: usize = 32;
/// Words that may stand before a `:` or `=`.
const MAX_WORDS: usize = 4;
/// Bytes of a line that are looked at.
const MAX_LOOK: usize = 80;
/// A longer word is data.
const MAX_WORD: usize = 24;
const ANY: &str = "{*}";
/// Members by which a record says what it is.
const KINDS: [&str; 4] = ["type", "kind", "event", "@type"];

/// The label of a line; empty where it has none.
pub(super) fn label(line: &str) -> String {
    let mut end = line.len().min(MAX_LOOK);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let line = line[..end].trim();
    let mut out = String::new();
    let mut rest = line;
    while let Some((word, after)) = next_word(rest) {
        push(&mut out, word);
        let is_joined = after
            .strip_prefix(' ')
            .is_some_and(|next| !next.starts_with(' '));
        if !is_joined || (is_plain(word) && !leads_to_sign(after)) {
            break;
        }
        rest = after;
    }
    out
}

/// Whether the lines of both texts are few enough to be told apart by their labels.
pub(super) fn are_few(sides: [&Value<'_>; 2]) -> bool {
    sides.into_iter().all(|side| {
        let Value::Array(lines) = side else {
            return false;
        };
        let mut labels = BTreeSet::new();
        lines.iter().all(|line| {
            labels.insert(of(line));
            labels.len() <= MAX_LABELS
        })
    })
}

/// The label of an element, where it is a line.
pub(super) fn of(line: &Value<'_>) -> String {
    match line {
        Value::Text(raw) => label(&unescaped(raw)),
        _ => String::new(),
    }
}

/// What a record says that it is, as it is in a JSON text.
pub(super) fn kind_of_record<'v>(record: &Value<'v>) -> Option<&'v str> {
    let Value::Object(members) = record else {
        return None;
    };
    let named = |wanted: &&str| members.iter().find(|(name, _)| name == wanted);
    let text = |(_, value): &(std::borrow::Cow<'v, str>, Value<'v>)| match value {
        Value::Text(text) => Some(*text),
        _ => None,
    };
    KINDS.iter().find_map(named).and_then(text)
}

/// The next word, and what comes after it. A word ends before what separates columns, or a name from its value; a number, a date or a time
/// ends before a space only.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let is_inside = |c: char| c.is_alphanumeric() || "-_.#@$%&+!".contains(c);
    let text = text.trim_start_matches(|c: char| !is_inside(c));
    let token = text.split([' ', '\t']).next().unwrap_or_default();
    if token.is_empty() {
        return None;
    }
    let is_number = !token.contains(char::is_alphabetic) && !token.contains([';', ',', '|']);
    let end = match is_number || variable(token).is_some() {
        true => token.len(),
        false => token.find(|c| !is_inside(c)).unwrap_or(token.len()),
    };
    Some(text.split_at(end))
}

/// Whether a `:` or `=` comes after a few more plain words.
fn leads_to_sign(text: &str) -> bool {
    let end = text.find([':', '=']);
    let words = end.map(|end| &text[..end]);
    words.is_some_and(|words| {
        let is_word = |c: char| c.is_alphabetic() || "-_.".contains(c);
        let mut words = words.strip_prefix(' ').unwrap_or(words).split(' ');
        words.clone().count() < MAX_WORDS
            && words.all(|word| !word.is_empty() && word.chars().all(is_word))
    })
}

/// Whether a word says what the line is about.
fn is_plain(word: &str) -> bool {
    word.contains(char::is_alphabetic) && variable(word).is_none() && word.len() <= MAX_WORD
}

fn push(out: &mut String, word: &str) {
    if !out.is_empty() {
        out.push('_');
    }
    let has_letter = word.contains(char::is_alphabetic);
    if variable(word).is_some() || word.len() > MAX_WORD {
        return out.push_str(ANY);
    }
    let mut was_digit = false;
    for c in word.chars() {
        let is_digit = c.is_ascii_digit() || (!has_letter && was_digit && ":./,".contains(c));
        if !is_digit {
            out.push(c);
        } else if !was_digit {
            out.push('#');
        }
        was_digit = is_digit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        assert_eq!(label(line), expect, "{line}");
    }

    #[test]
    fn a_line_is_known_by_the_words_that_it_begins_with() {
        check("threads: 17", "threads");
        check("mode=active", "mode");
        check("Total amount due: 5 EUR", "Total_amount_due");
        check("User-agent: *", "User-agent");
        check("DTSTART;TZID=Europe/Berlin:20261127", "DTSTART");
        check(
            "http_requests_total{code=\"200\"} 17",
            "http_requests_total",
        );
        check("# HELP up Whether it is up.", "#_HELP");
        check("# made by shop-6d4cf56db6-x7k2p at 10:00", "#_made");
        check("  indented here", "indented");
        check("[section]", "section");
        check("Moved.", "Moved.");
        check("The shop opens at nine", "The");
        check("Größe;3", "Größe");
    }

    #[test]
    fn what_is_data_is_left_out() {
        check("sku-3,417,20", "sku-#");
        check("K00017;2026-11-27;1,50", "K#");
        check("2026-11-27T10:00:00Z INFO order 17", "{*}_INFO");
        check("2026-11-27  CARD      -12,50", "{*}");
        check("27.11.2026 10:03:12 WARN late", "#_#_WARN");
        check("17 4711 300", "{*}_{*}_{*}");
        check("17;Oslo;3", "{*}");
        check("550e8400-e29b-41d4-a716-446655440000 done", "{*}_done");
        check("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "{*}");
        check("averyveryverylongwordthatnobodywrites is here", "{*}_is");
    }

    #[test]
    fn any_line_has_a_label_that_is_short_and_plain() {
        for line in [
            "", " ", "}", "=", "::", "é", "\u{0}", "a\tb", "*/ ]~", "日本 3", "…",
        ] {
            let label = label(line);
            assert!(
                label.chars().all(|c| !"[]/~* ".contains(c)),
                "{line} {label}"
            );
        }
        for word in ["ä", "1 ", "a ", ". "] {
            assert!(label(&word.repeat(500)).len() <= 2 * MAX_LOOK, "{word}");
        }
    }

    #[test]
    fn texts_with_many_labels_are_told() {
        let text = |lines: usize| -> String {
            let lines = (0..lines)
                .map(|n| format!("\"{}: 1\"", "a".repeat(n % 20 + 1) + &"b".repeat(n / 20)));
            format!("[{}]", lines.collect::<Vec<_>>().join(","))
        };
        let are_few = |lines: usize| {
            let (few, text) = (text(3), text(lines));
            let parse = |text: &'static str| Value::parse(text.as_bytes(), 9_999).unwrap();
            are_few([&parse(few.leak()), &parse(text.leak())])
        };
        assert!(are_few(MAX_LABELS) && !are_few(MAX_LABELS + 1));
    }
}
