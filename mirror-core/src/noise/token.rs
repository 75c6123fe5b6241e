//! Tells what a machine made up from what somebody named.

/// Shortest text that can be a random token for its letters alone.
const MIN_TOKEN: usize = 16;
/// Such a token may have a part that looks like a word.
const LONG_TOKEN: usize = 32;
/// Shortest hexadecimal number that is one.
const MIN_HEX: usize = 8;
/// Letters of the shortest part of a token that is taken for a word.
const MIN_WORD: usize = 4;

/// Characters of base64 and base64url, without the padding.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Letters and digits change places as they do by chance. `payment_method_v2`, `Some-Long-Title-2026` and
/// `someLongCamelCaseName` are not random.
pub(super) fn is_random(text: &[u8]) -> bool {
    let body = text.strip_suffix(b"==").unwrap_or(text);
    let body = body.strip_suffix(b"=").unwrap_or(body);
    body.len() >= MIN_TOKEN
        && body.iter().all(|byte| is_token_byte(*byte))
        && !is_camel(body)
        && !has_words(body)
        && changes(body) * 4 >= body.len()
}

/// In a long token, four letters of one kind may stand between two hyphens by chance.
fn has_words(text: &[u8]) -> bool {
    let parts = text.split(|b| !b.is_ascii_alphanumeric());
    let words: usize = parts.filter(|part| is_word(part)).map(<[u8]>::len).sum();
    match text.len() < LONG_TOKEN {
        true => words > 0,
        false => words * 4 > text.len(),
    }
}

/// `word`, `Word` or `WORD`.
fn is_word(part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else {
        return false;
    };
    let is_lower = rest.iter().all(u8::is_ascii_lowercase);
    let is_upper = part.iter().all(u8::is_ascii_uppercase);
    part.len() >= MIN_WORD && first.is_ascii_alphabetic() && (is_lower || is_upper)
}

/// Each capital begins a word of three letters at least, and there are no digits.
fn is_camel(text: &[u8]) -> bool {
    let is_hump = |at: usize| {
        let next = text.get(at + 1..at + 3).unwrap_or_default();
        next.len() == 2 && next.iter().all(u8::is_ascii_lowercase)
    };
    let mut letters = text.iter().enumerate();
    letters.all(|(at, b)| b.is_ascii_lowercase() || (b.is_ascii_uppercase() && is_hump(at)))
}

/// How often one kind of character follows another, but for a capital that begins a part.
fn changes(text: &[u8]) -> usize {
    let begins = |at: usize| at == 0 || !text[at - 1].is_ascii_alphanumeric();
    let changes = |(at, pair): &(usize, &[u8])| match pair {
        [a, b] if a.is_ascii_uppercase() && b.is_ascii_lowercase() => !begins(*at),
        [a, b] => class(*a) != class(*b) && class(*a) != 0 && class(*b) != 0,
        _ => false,
    };
    text.windows(2).enumerate().filter(changes).count()
}

fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 1,
        b'a'..=b'z' => 2,
        b'A'..=b'Z' => 3,
        _ => 0,
    }
}

/// A hexadecimal number that has a digit, or is too long to be a word.
pub(super) fn is_hex(text: &[u8]) -> bool {
    text.len() >= MIN_HEX
        && text.iter().all(u8::is_ascii_hexdigit)
        && (text.len() >= MIN_TOKEN || text.iter().any(u8::is_ascii_digit))
}

/// `8-4-4-4-12` hexadecimal digits at the begin of a text (RFC 9562).
pub(super) fn is_uuid(text: &[u8]) -> bool {
    let is_place = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let begin = text.get(..36);
    begin.is_some_and(|begin| begin.iter().enumerate().all(is_place))
}

/// A ULID: 26 characters of Crockford's base32, of which the first three bits are zero.
pub(super) fn is_ulid(text: &[u8]) -> bool {
    let is_digit = |b: &u8| b.is_ascii_digit() || b.is_ascii_uppercase() && !b"ILOU".contains(b);
    text.len() == 26 && (b'0'..=b'7').contains(&text[0]) && text.iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_random_is_told_from_what_has_a_name() {
        let check = |text: &str, expect| assert_eq!(is_random(text.as_bytes()), expect, "{text}");
        check("dGhpcyBpcyBhIHRva2Vu", true);
        check("R4nd0mN0nc3V4lu3", true);
        check("pQ7+xK2/mZ9vB4cR1w==", true);
        check("k3j9x0q2m8v7c6b5", true);
        check("web-6d4cf56db6-x7k2p", true);
        check("k3j9x0q2m8v7c6b5-abcd_Zk3j9x0q2m8v7c6", true);
        check("payment_method_v2", false);
        check("Some-Long-Title-2026", false);
        check("someLongCamelCaseName", false);
        check("frontend-6d4cf56db6-x7k2p", false);
        check("INTERNAL_SERVER_ERROR", false);
        check("aaaaaaaaaaaaaaaaaaaa", false);
        check("R4nd0mN0nc3V4lu", false);
        check("R4nd0mN0nc3 V4lu3x", false);
        check("", false);
    }

    #[test]
    fn ids_are_known_by_their_digits() {
        let hex = |text: &str, expect| assert_eq!(is_hex(text.as_bytes()), expect, "{text}");
        hex("deadbee1", true);
        hex("deadbeef", false);
        hex("deadbeefdeadbeef", true);
        hex("dead1", false);
        hex("deadbeeg1", false);
        assert!(is_uuid(b"550e8400-e29b-41d4-a716-446655440000, and more"));
        assert!(!is_uuid(b"550e8400-e29b-41d4-a716-44665544000"));
        assert!(!is_uuid(b"550e8400-e29b-41d4+a716-446655440000"));
        assert!(is_ulid(b"01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        assert!(!is_ulid(b"81ARZ3NDEKTSV4RRFFQ69G5FAV"));
        assert!(!is_ulid(b"01ARZ3NDEKTSV4RRFFQ69G5FAU"));
        assert!(!is_ulid(b"01ARZ3NDEKTSV4RRFFQ69G5FA"));
    }
}
