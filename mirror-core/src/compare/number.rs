//! Numbers by their exact value, whatever their size.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// Whether two JSON numbers have the same value: `1`, `1.0` and `10e-1` do, `9007199254740993` and `9007199254740992.0`
/// do not.
pub(super) fn same_number(ours: &str, theirs: &str) -> bool {
    if ours == theirs {
        return true;
    }
    match (Decimal::of(ours), Decimal::of(theirs)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        // An exponent beyond 18 digits, or no number: nothing but the text can be compared.
        _ => false,
    }
}

/// Gives numbers of the same value the same hash.
pub(super) fn hash_number(text: &str, hasher: &mut impl Hasher) {
    if let Some(digits) = count_of(text) {
        hash_head(text.len() as i64, false, hasher);
        return hasher.write_u64(digits);
    }
    match Decimal::of(text) {
        Some(decimal) => decimal.hash(hasher),
        None => text.hash(hasher),
    }
}

/// The digits of a positive whole number of at most 17, without zeros at the end: most keys of elements are such.
fn count_of(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if !matches!(bytes.first(), Some(b'1'..=b'9')) || bytes.len() >= DIGITS_OF_WORD {
        return None;
    }
    let add = |number: u64, digit: &u8| match digit {
        b'0'..=b'9' => Some(number * 10 + u64::from(digit - b'0')),
        _ => None,
    };
    let mut digits = bytes.iter().try_fold(0, add)?;
    while digits.is_multiple_of(10) {
        digits /= 10;
    }
    Some(digits)
}

/// Decimal digits that are hashed as one word.
const DIGITS_OF_WORD: usize = 18;

fn hash_head(exponent: i64, is_negative: bool, hasher: &mut impl Hasher) {
    hasher.write_i64(exponent);
    hasher.write_u8(is_negative.into());
}

/// `0.digits × 10^exponent`, without zeros at either end of the digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'a> {
    is_negative: bool,
    /// The digits before the point and after it.
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (mut whole, mut fraction) = (whole.as_bytes(), fraction.as_bytes());
        let is_digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let mut point = i64::try_from(whole.len()).ok()?;
        let leading = zeros(whole.iter());
        whole = &whole[leading..];
        point -= i64::try_from(leading).ok()?;
        if whole.is_empty() {
            let leading = zeros(fraction.iter());
            fraction = &fraction[leading..];
            point -= i64::try_from(leading).ok()?;
        }
        fraction = &fraction[..fraction.len() - zeros(fraction.iter().rev())];
        if fraction.is_empty() {
            whole = &whole[..whole.len() - zeros(whole.iter().rev())];
        }
        if whole.is_empty() && fraction.is_empty() {
            // Zero has no sign and no size.
            return Some(Self {
                is_negative: false,
                whole,
                fraction,
                exponent: 0,
            });
        }
        Some(Self {
            is_negative,
            whole,
            fraction,
            exponent: exponent.checked_add(point)?,
        })
    }

    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.whole.iter().chain(self.fraction).copied()
    }

    fn digit_count(&self) -> i64 {
        // Both are parts of one text.
        (self.whole.len() + self.fraction.len()) as i64
    }

    /// The power of ten of its last digit.
    pub(super) fn last_place(&self) -> i64 {
        self.exponent.saturating_sub(self.digit_count())
    }

    /// How many times 10^`place` it is, where that is a whole number that fits.
    pub(super) fn in_units_of(&self, place: i64) -> Option<i128> {
        let mut units: i128 = 0;
        for digit in self.digits() {
            units = units.checked_mul(10)?.checked_add((digit - b'0').into())?;
        }
        let more = u32::try_from(self.last_place().checked_sub(place)?).ok()?;
        if units != 0 {
            units = units.checked_mul(10_i128.checked_pow(more)?)?;
        }
        Some(if self.is_negative { -units } else { units })
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_negative == other.is_negative
            && self.exponent == other.exponent
            && self.digit_count() == other.digit_count()
            && self.digits().cmp(other.digits()) == Ordering::Equal
    }
}

impl Hash for Decimal<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_head(self.exponent, self.is_negative, state);
        let mut packed = 0_u64;
        for (index, digit) in self.digits().enumerate() {
            packed = packed.wrapping_mul(10).wrapping_add((digit - b'0').into());
            if index % DIGITS_OF_WORD == DIGITS_OF_WORD - 1 {
                state.write_u64(std::mem::take(&mut packed));
            }
        }
        state.write_u64(packed);
    }
}

fn zeros<'b>(bytes: impl Iterator<Item = &'b u8>) -> usize {
    bytes.take_while(|byte| **byte == b'0').count()
}

fn exponent_of(text: &str) -> Option<i64> {
    text.strip_prefix('+').unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    fn check(ours: &str, theirs: &str, expect: bool) {
        assert_eq!(same_number(ours, theirs), expect, "{ours} {theirs}");
        assert_eq!(same_number(theirs, ours), expect, "{theirs} {ours}");
        let hash = |text| {
            let mut hasher = foldhash::quality::FixedState::default().build_hasher();
            hash_number(text, &mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(ours) == hash(theirs), expect, "{ours} {theirs}");
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
        check("-0", "0", true);
        check("0e5", "0", true);
        check("1", "-1", false);
        check("10", "1", false);
        check("0.1", "0.01", false);
        check("12", "21", false);
        check("1e400", "10e399", true);
        check("1e400", "1e401", false);
    }

    #[test]
    fn no_digit_is_lost() {
        check("9007199254740993", "9007199254740992", false);
        check("9007199254740993", "9007199254740992.0", false);
        check("18446744073709551615", "18446744073709551614", false);
        for digits in 15..20 {
            let whole = &"12345678901234567890"[..digits];
            check(whole, &format!("{whole}.0"), true);
            check(&format!("{whole}0"), &format!("{whole}e1"), true);
            check(&format!("{whole}0"), whole, false);
        }
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

    #[test]
    fn what_is_no_number_is_equal_to_itself_alone() {
        check("NaN", "NaN", true);
        check("NaN", "0", false);
        check("Infinity", "-Infinity", false);
    }

    #[test]
    fn a_number_is_counted_in_units_of_a_place() {
        let check = |text: &str, place, expect| {
            let decimal = Decimal::of(text).unwrap();
            assert_eq!(decimal.in_units_of(place), expect, "{text}");
        };
        check("1.25", -2, Some(125));
        check("-1.25", -4, Some(-12_500));
        check("1.25", -1, None);
        check("0", -5, Some(0));
        check("12e3", 0, Some(12_000));
        check("1e400", 0, None);
    }
}
