//! Masks a text token by token: numbers, ids and times within it become classes, words stay. `order 4711 at 12:03` and
//! `order 4712 at 12:04` have one mask, and another word has another.

use super::instant::{self, MONTHS};
use super::token::{is_hex, is_random, is_token_byte, is_uuid};

const NUMBER: &str = "#";
const ID: &str = "{id}";
const HASHED: &str = "{id}-";
const POD_END: usize = 5;
const TIME: &str = "{time}";
const DATE: &str = "{date}";
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Where a text that is shown begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShownPart {
    Whole,
    /// It goes on.
    Begin,
    /// It goes on at both ends, or may do so.
    Middle,
}

/// The mask of `text`. Tokens that may be cut are left out, because nobody knows what they are.
pub(super) fn mask(text: &str, part: ShownPart) -> String {
    let text = match part {
        ShownPart::Whole => text,
        ShownPart::Begin => text.trim_end_matches(is_inside),
        ShownPart::Middle => text.trim_matches(is_inside),
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if first.is_alphanumeric() {
            token(rest, &mut out)
        } else if let Some(len) = token_with_sign(rest, &out) {
            out.push_str(ID);
            len
        } else {
            out.push(first);
            first.len_utf8()
        };
        rest = &rest[len..];
    }
    out
}

/// A random token of base64url that begins with one of its signs, after what is none of its characters.
fn token_with_sign(text: &str, before: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_sign = matches!(bytes[0], b'-' | b'_');
    let is_first = !before.bytes().last().is_some_and(is_token_byte) && !before.ends_with('}');
    let len = run(bytes, is_token_byte);
    (is_sign && is_first && is_random(&bytes[..len])).then_some(len)
}

fn is_inside(c: char) -> bool {
    c.is_alphanumeric() || ".,:+/=_-".contains(c)
}

/// Masks the token that `text` begins with, and returns its bytes.
fn token(text: &str, out: &mut String) -> usize {
    let bytes = text.as_bytes();
    if out.ends_with(HASHED) && is_end_of_pod(bytes) {
        // Most such names are one id as a whole.
        out.pop();
        return POD_END;
    }
    let (class, len) = if let Some(found) = made_up(bytes) {
        found
    } else if bytes[0].is_ascii_digit() {
        (NUMBER, number(bytes))
    } else {
        return word(text, out);
    };
    out.push_str(class);
    len
}

/// A time or an id at the begin of a text, and its bytes.
fn made_up(bytes: &[u8]) -> Option<(&'static str, usize)> {
    if is_uuid(bytes) && ends(bytes, 36) {
        return Some((ID, 36));
    }
    if let Some(time) = instant::date_time(bytes).filter(|time| ends(bytes, time.len)) {
        return Some((TIME, time.len));
    }
    if instant::date(bytes).is_some() && ends(bytes, 10) {
        return Some((DATE, 10));
    }
    if let Some(time) = instant::clock(bytes).filter(|time| ends(bytes, time.len)) {
        return Some((TIME, time.len));
    }
    let long = run(bytes, is_token_byte);
    let padded = long + run(&bytes[long..], |byte| byte == b'=').min(2);
    if is_random(&bytes[..padded]) {
        return Some((ID, padded));
    }
    let short = run(bytes, |byte| byte.is_ascii_alphanumeric());
    let is_id = ends(bytes, short) && is_id(&bytes[..short]);
    is_id.then_some((ID, short))
}

/// The end of a pod's name in Kubernetes, after the hash of its set: five letters and digits, by chance only the ones or the others.
fn is_end_of_pod(bytes: &[u8]) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    run(bytes, is_inside) == POD_END && ends(bytes, POD_END)
}

/// A hexadecimal number, or letters and digits in turn, as in `x7k2p`. Digits alone are a number.
fn is_id(text: &[u8]) -> bool {
    let has_letter = text.iter().any(u8::is_ascii_alphabetic);
    let begins = |of: fn(&u8) -> bool| {
        let starts = |at: &usize| of(&text[*at]) && (*at == 0 || !of(&text[*at - 1]));
        (0..text.len()).filter(starts).count()
    };
    let in_turn = || begins(u8::is_ascii_digit) >= 2 && begins(u8::is_ascii_alphabetic) >= 2;
    has_letter && (is_hex(text) || in_turn())
}

fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is(**byte)).count()
}

/// Whether a token ends at `at`.
fn ends(bytes: &[u8], at: usize) -> bool {
    bytes
        .get(at)
        .is_none_or(|b| b.is_ascii() && !b.is_ascii_alphanumeric())
}

/// Digits, in groups that a point, a comma or a colon joins: `1,234.5`.
fn number(bytes: &[u8]) -> usize {
    let mut at = run(bytes, |byte| byte.is_ascii_digit());
    while let [b'.' | b',' | b':', digit, ..] = &bytes[at..]
        && digit.is_ascii_digit()
    {
        at += 1;
        at += run(&bytes[at..], |byte| byte.is_ascii_digit());
    }
    at
}

/// A word up to its first digit. Names of days and months are part of times.
fn word(text: &str, out: &mut String) -> usize {
    let is_letter = |c: char| c.is_alphanumeric() && !c.is_ascii_digit();
    let len = text.find(|c| !is_letter(c)).unwrap_or(text.len());
    let word = &text[..len];
    if DAYS.contains(&word) {
        out.push_str("{day}");
    } else if MONTHS.contains(&word) {
        out.push_str("{month}");
    } else {
        out.push_str(word);
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(mask(text, ShownPart::Whole), expect, "{text}");
    }

    #[test]
    fn numbers_ids_and_times_become_classes_and_words_stay() {
        check("order 4711 at 12:03", "order # at {time}");
        check("order 4711 at 12:03:04.5, paid", "order # at {time}, paid");
        check("at 2026-11-26T12:03:04.567Z.", "at {time}.");
        check("on 2026-11-26", "on {date}");
        check(
            "Thu, 26 Nov 2026 12:03:04 GMT",
            "{day}, # {month} # {time} GMT",
        );
        check("total 1,234.50 EUR", "total # EUR");
        check("took 12.5ms", "took #ms");
        check("v1.2.3", "v#");
        check("web-17", "web-#");
        check("pod x7k2p", "pod {id}");
        check("commit deadbee1", "commit {id}");
        check("shop-6d4cf56db6-x7k2p", "shop-{id}");
        check("shop-6d4cf56db6-bcdfg is up", "shop-{id} is up");
        check("shop-6d4cf56db6-24568", "shop-{id}");
        check("shop-6d4cf56db6-blue-1", "shop-{id}-blue-#");
        check("id:550e8400-e29b-41d4-a716-446655440000", "id:{id}");
        check("req-550e8400-e29b-41d4-a716-446655440000", "req-{id}");
        check("'nonce-dGhpcyBpcyBhIHRva2Vu'", "'nonce-{id}'");
        check("pQ7+xK2/mZ9vB4cR1w==;", "{id};");
        check("s=-pQ7_xK2-mZ9vB4cR1w&t=_1", "s={id}&t=_#");
        check("--verbose -pQ7_xK2-mZ9vB4cR1w", "--verbose {id}");
        check("Größe 3 für Ärzte", "Größe # für Ärzte");
        check("日本 3 語", "日本 # 語");
        check("", "");
        check("no digits at all", "no digits at all");
    }

    #[test]
    fn another_word_has_another_mask() {
        let masked = |text: &str| mask(text, ShownPart::Whole);
        assert_eq!(masked("order 4711 at 12:03"), masked("order 9 at 23:59"));
        assert_ne!(masked("order 4711 at 12:03"), masked("odrer 4711 at 12:03"));
        assert_ne!(masked("3 items"), masked("3 item"));
        assert_ne!(masked("3 items"), masked("three items"));
    }

    #[test]
    fn tokens_that_may_be_cut_are_left_out() {
        assert_eq!(mask("order 4711 at 12:0", ShownPart::Begin), "order # at ");
        assert_eq!(mask("one two thr", ShownPart::Begin), "one two ");
        assert_eq!(mask("abc", ShownPart::Begin), "");
        assert_eq!(mask("der 4711 at 12:0", ShownPart::Middle), " # at ");
    }

    #[test]
    fn any_text_is_masked_without_harm() {
        for text in [
            "1é",
            "é1",
            "1.",
            "1.é",
            "12:é",
            "2026-11-2é",
            "\u{0}",
            "==",
            "-",
            "😀1",
        ] {
            assert!(!mask(text, ShownPart::Whole).is_empty(), "{text}");
        }
        let long = "a1-".repeat(50_000);
        assert!(!mask(&long, ShownPart::Whole).is_empty());
    }
}
