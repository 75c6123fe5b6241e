//! Where a secret that has a sign begins and ends.

use std::ops::Range;

use memchr::memmem;

use super::Detector;

/// Longest part of an address before its `@` (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;
/// Bytes of the longest sign that may go on behind the end of another secret of its kind.
const LONGEST_SIGN: usize = 5;
/// Shortest token that is one for its length alone; `bearer of good news` is none.
const MIN_PLAIN_BEARER: usize = 20;

/// The secret whose sign stands at `at`, if it is one.
pub(super) fn range(detector: Detector, text: &[u8], at: usize) -> Option<Range<usize>> {
    match detector {
        Detector::Card => None,
        Detector::Email => email(text, at),
        Detector::Bearer => bearer(text, at),
        Detector::Jwt => jwt(text, at),
        Detector::Aws => {
            let is_key = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            prefixed(text, at, 4, is_key, 16, is_word)
        }
        Detector::Google if text[at..].starts_with(b"AIza") => {
            prefixed(text, at, 4, is_url_safe, 35, |_| false)
        }
        Detector::Google => prefixed(text, at, 5, is_url_safe, 20, |_| false),
        Detector::Github if text[at..].starts_with(b"github") => {
            prefixed(text, at, 11, is_word, 22, |_| false)
        }
        Detector::Github => prefixed(text, at, 4, is_word, 36, |_| false),
        Detector::Slack => slack(text, at),
        Detector::Pem => pem(text, at),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_url_safe(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

/// Where the bytes that `is` holds for end, from `at` on.
fn run(text: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| is(**byte)).count()
}

/// Up to where another sign of the kind adds nothing to what was found at `at`. So a text of nothing but signs takes no longer
/// than another.
pub(super) fn read_to(
    detector: Detector,
    text: &[u8],
    at: usize,
    found: Option<&Range<usize>>,
) -> usize {
    match (detector, found) {
        // All that begin in one part have the same parts behind it.
        (Detector::Jwt, _) => run(text, at, is_url_safe),
        // The last bytes may be those of another sign.
        (_, Some(range)) => range.end.saturating_sub(LONGEST_SIGN),
        (_, None) => at,
    }
}

/// Whether no byte that `is` holds for stands before `at`.
fn begins_word(text: &[u8], at: usize, is: impl Fn(u8) -> bool) -> bool {
    at == 0 || !is(text[at - 1])
}

/// A sign of `sign` bytes and at least `least` of the bytes that `is` holds for. More of them belong to it, but for a key of
/// one length, which nothing that `ends` holds for may follow.
fn prefixed(
    text: &[u8],
    at: usize,
    sign: usize,
    is: impl Fn(u8) -> bool,
    least: usize,
    ends: impl Fn(u8) -> bool,
) -> Option<Range<usize>> {
    if !begins_word(text, at, |b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let end = run(text, at + sign, is);
    let follows = text.get(end).is_some_and(|byte| ends(*byte));
    let is_whole = end >= at + sign + least && !follows;
    is_whole.then_some(at..end)
}

fn email(text: &[u8], at: usize) -> Option<Range<usize>> {
    // Other characters may stand there too, but in a text they are delimiters.
    let is_local = |b: u8| b.is_ascii_alphanumeric() || b"._%+-~".contains(&b);
    let before = &text[at.saturating_sub(MAX_LOCAL_PART)..at];
    let local = before.iter().rev().take_while(|b| is_local(**b)).count();
    let end = run(text, at + 1, |b| {
        b.is_ascii_alphanumeric() || b"-.".contains(&b)
    });
    let mut domain = &text[at + 1..end];
    while let [rest @ .., b'.' | b'-'] = domain {
        domain = rest;
    }
    let top = domain.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let is_domain = top.len() < domain.len()
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
        && domain[0].is_ascii_alphanumeric();
    (local > 0 && is_domain).then(|| at - local..at + 1 + domain.len())
}

fn bearer(text: &[u8], at: usize) -> Option<Range<usize>> {
    let word = at + "bearer".len();
    let begin = run(text, word, |b| b == b' ' || b == b'\t');
    if begin == word || !begins_word(text, at, is_word) {
        return None;
    }
    let end = run(text, begin, |b| is_url_safe(b) || b".~+/".contains(&b));
    let end = run(text, end, |b| b == b'=');
    let token = &text[begin..end];
    let is_token = token.len() >= MIN_PLAIN_BEARER
        || (token.len() >= 6 && token.iter().any(u8::is_ascii_digit));
    is_token.then_some(begin..end)
}

/// `header.payload.signature`, or the five parts of an encrypted one. The signature may be empty.
fn jwt(text: &[u8], at: usize) -> Option<Range<usize>> {
    let header = run(text, at, is_url_safe);
    if header - at < 10 || text.get(header) != Some(&b'.') {
        return None;
    }
    let mut end = run(text, header + 1, is_url_safe);
    // Cut or not, what begins so holds claims.
    for _ in 0..3 {
        if text.get(end) != Some(&b'.') {
            break;
        }
        end = run(text, end + 1, is_url_safe);
    }
    (end > header + 1).then_some(at..end)
}

fn slack(text: &[u8], at: usize) -> Option<Range<usize>> {
    let sign = match &text[at..] {
        [b'x', b'o', b'x', kind, b'-', ..] if kind.is_ascii_lowercase() => 5,
        [b'x', b'a', b'p', b'p', b'-', ..] => 5,
        [b'x', b'o', b'x', b'e', b'.', ..] => 5,
        _ => return None,
    };
    prefixed(
        text,
        at,
        sign,
        |b| is_url_safe(b) || b == b'.',
        10,
        |_| false,
    )
}

/// From its first line to its last, or to the end of the text.
fn pem(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let line = rest.get(..rest.len().min(80)).unwrap_or_default();
    memmem::find(line, b"PRIVATE KEY")?;
    let end = memmem::find(rest, b"-----END").map_or(rest.len(), |last| {
        let tail = &rest[last + 8..];
        let close = memmem::find(tail.get(..tail.len().min(80)).unwrap_or_default(), b"-----");
        close.map_or(rest.len(), |close| last + 8 + close + 5)
    });
    Some(at..at + end)
}
