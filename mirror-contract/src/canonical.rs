//! The canonical text of a JSON value: equal for values that are equal, in every implementation. CONTRACT.md, "Values".

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

/// A number's literal and its canonical form are no longer than this.
const LONGEST_NUMBER: usize = 64;
/// Arrays and objects are read as values down to here.
const DEEPEST: u32 = 64;

/// The canonical text of one JSON value, without space around it; `None` where it has none.
pub(crate) fn canonical_json(json: &str) -> Option<String> {
    canonical(json, 0)
}

/// Compact JSON with sorted members and canonical numbers.
fn canonical(raw: &str, depth: u32) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    match raw.as_bytes().first()? {
        b'"' => serde_json::to_string(&serde_json::from_str::<Cow<'_, str>>(raw).ok()?).ok(),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            let items: Option<Vec<_>> = items
                .iter()
                .map(|i| canonical(i.get(), depth + 1))
                .collect();
            Some(format!("[{}]", items?.join(",")))
        }
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
            let member = |(name, value): (&String, &&RawValue)| {
                let name = serde_json::to_string(name).ok()?;
                Some(format!("{name}:{}", canonical(value.get(), depth + 1)?))
            };
            let members: Option<Vec<_>> = members.iter().map(member).collect();
            Some(format!("{{{}}}", members?.join(",")))
        }
        b't' | b'f' | b'n' => Some(raw.into()),
        _ => number(raw),
    }
}

/// The exact value in plain decimal notation: no exponent, no needless zero, no negative zero.
fn number(literal: &str) -> Option<String> {
    if literal.len() > LONGEST_NUMBER {
        return None;
    }
    let (sign, digits) = match literal.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", literal),
    };
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".into());
    }
    let exponent: i64 = exponent.parse().ok()?;
    // Where the decimal point stands, counted from the first significant digit.
    let leading_zeros = (all.len() - significant.len()) as i64;
    let point = (whole.len() as i64 - leading_zeros).checked_add(exponent)?;
    let significant = significant.trim_end_matches('0');
    let len = significant.len() as i64;
    if !(-(LONGEST_NUMBER as i64)..=LONGEST_NUMBER as i64).contains(&point) {
        return None;
    }
    let text = if point <= 0 {
        format!("{sign}0.{}{significant}", "0".repeat(-point as usize))
    } else if point >= len {
        format!("{sign}{significant}{}", "0".repeat((point - len) as usize))
    } else {
        let (before, after) = significant.split_at(point as usize);
        format!("{sign}{before}.{after}")
    };
    (text.len() <= LONGEST_NUMBER).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_their_exact_value_in_plain_notation() {
        let check = |literal: &str, expect: &str| {
            assert_eq!(number(literal).as_deref(), Some(expect), "{literal}")
        };
        check("0", "0");
        check("-0.0e5", "0");
        check("1.0", "1");
        check("1e3", "1000");
        check("1.5E-3", "0.0015");
        check("-12.340", "-12.34");
        check("0.1e1", "1");
        check(
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        );
        assert_eq!(number("1e64"), None);
        assert_eq!(number("1e99999999999999999999"), None);
    }
}
