//! Numbers by their exact value, whatever their size.

/// Whether two JSON numbers have the same value: `1`, `1.0` and `10e-1` do, `9007199254740993` and `9007199254740992.0`
/// do not.
pub(super) fn same_number(ours: &str, theirs: &str) -> bool {
    if ours == theirs {
        return true;
    }
    match (Decimal::of(ours), Decimal::of(theirs)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        // An exponent beyond 18 digits: nothing but the text can be compared.
        _ => false,
    }
}

/// `0.digits × 10^exponent`, without zeros at either end of the digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        let leading = all().take_while(|digit| *digit == b'0').count();
        let mut digits: Vec<u8> = all().skip(leading).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            // Zero has no sign and no size.
            return Some(Self {
                is_negative: false,
                digits,
                exponent: 0,
            });
        }
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self {
            is_negative,
            digits,
            exponent: exponent.checked_add(point)?,
        })
    }
}

fn exponent_of(text: &str) -> Option<i64> {
    text.strip_prefix('+').unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::same_number;

    fn check(ours: &str, theirs: &str, expect: bool) {
        assert_eq!(same_number(ours, theirs), expect, "{ours} {theirs}");
        assert_eq!(same_number(theirs, ours), expect, "{theirs} {ours}");
    }

    #[test]
    fn numbers_are_equal_by_value() {
        check("1", "1.0", true);
        check("1", "1.000e0", true);
        check("100", "1e2", true);
        check("0.001", "1E-3", true);
        check("0.10", "0.1", true);
        check("1.5e+3", "1500", true);
        check("0", "-0.0", true);
        check("0e5", "0", true);
        check("1", "-1", false);
        check("10", "1", false);
        check("0.1", "0.01", false);
        check("12", "21", false);
    }

    #[test]
    fn no_digit_is_lost() {
        check("9007199254740993", "9007199254740992", false);
        check("9007199254740993", "9007199254740992.0", false);
        check("18446744073709551615", "18446744073709551614", false);
        check("1236546565217899832645", "1236546565217899832640", false);
        check("0.1234567890123456789", "0.1234567890123456700", false);
        let wei = "1000000000000000000001";
        check(wei, "1000000000000000000000", false);
        check(wei, "1000000000000000000001.00", true);
    }

    #[test]
    fn exponents_of_any_size_are_harmless() {
        check("1e999999999999999999999", "1e999999999999999999999", true);
        check("1e999999999999999999999", "1e999999999999999999998", false);
        check("10e9223372036854775807", "1e9223372036854775807", false);
    }
}
