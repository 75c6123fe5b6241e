//! Payment cards: the networks' first digits and lengths, and the check digit.

use std::ops::Range;

const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Every card's number in `text`. Its digits may stand in groups, with one space or dash between.
pub(super) fn find(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(begin) = next_digit(text, at) {
            let (end, digits, len) = digits(text, begin);
            at = end;
            let inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let before = begin.checked_sub(1).and_then(|before| text.get(before));
            let is_fraction =
                before == Some(&b'.') && begin >= 2 && text[begin - 2].is_ascii_digit();
            let is_apart = !inside(before) && !inside(text.get(end)) && !is_fraction;
            if is_apart && is_card(&digits[..len.min(LONGEST)], len) {
                return Some(begin..end);
            }
        }
        None
    })
}

fn next_digit(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.iter().position(u8::is_ascii_digit).map(|at| from + at)
}

/// Where the digits that begin at `begin` end, the first of them, and how many there are.
fn digits(text: &[u8], begin: usize) -> (usize, [u8; LONGEST], usize) {
    let (mut digits, mut len, mut at) = ([0; LONGEST], 0, begin);
    loop {
        match text.get(at) {
            Some(byte) if byte.is_ascii_digit() => {
                if len < LONGEST {
                    digits[len] = byte - b'0';
                }
                len += 1;
                at += 1;
            }
            Some(b' ' | b'-') if text.get(at + 1).is_some_and(u8::is_ascii_digit) => at += 1,
            _ => return (at, digits, len),
        }
    }
}

fn is_card(digits: &[u8], len: usize) -> bool {
    (SHORTEST..=LONGEST).contains(&len) && is_issued(digits) && has_check_digit(digits)
}

/// Whether a network issues numbers with these first digits in this length.
fn is_issued(digits: &[u8]) -> bool {
    let first = |count: usize| {
        let digits = digits.iter().take(count);
        digits.fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    match (first(1), digits.len()) {
        (4, 13 | 16 | 19) => true,
        (5, 16) => (51..=55).contains(&first(2)) || matches!(first(2), 50 | 56..=58),
        (2, 16) => (2221..=2720).contains(&first(4)),
        (3, 15) => matches!(first(2), 34 | 37),
        (3, 14..=19) => matches!(first(2), 30 | 35 | 36 | 38 | 39),
        (6, 13..=19) => true,
        _ => false,
    }
}

/// Luhn's formula.
fn has_check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(*digit) << (place % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}
