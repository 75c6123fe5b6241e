//! How far two values may be apart: `0.01`, `0.1%` or `2s`.

use std::time::Duration;

use jiff::Timestamp;

use super::super::number::Decimal;

const FORM: &str = "a tolerance is a number as in 0.01, a share of the larger value as in 0.1%, or a time as in 2s or 500ms";

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tolerance {
    /// The text is a number.
    Absolute(String),
    /// Of the larger value, in percent. The text is a number.
    Relative(String),
    Time(Duration),
}

impl Tolerance {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}`: {FORM}");
        let number = text.strip_suffix('%').unwrap_or(text);
        if let Some(decimal) = Decimal::of(number) {
            if decimal == Decimal::of("0").ok_or_else(wrong)? || number.starts_with('-') {
                return Err(format!(
                    "`{text}` lets no two values be equal that are not: use a number above 0"
                ));
            }
            return Ok(match text.ends_with('%') {
                true => Self::Relative(number.into()),
                false => Self::Absolute(number.into()),
            });
        }
        match humantime::parse_duration(text) {
            Ok(time) if !time.is_zero() => Ok(Self::Time(time)),
            _ => Err(wrong()),
        }
    }

    /// Whether two numbers, or two texts that are numbers or times, are close enough.
    pub(super) fn allows(&self, ours: &str, theirs: &str) -> bool {
        match self {
            Self::Absolute(most) => is_within(ours, theirs, most, None),
            Self::Relative(percent) => is_within(ours, theirs, "1", Some(percent)),
            Self::Time(most) => match (nanoseconds(ours), nanoseconds(theirs)) {
                (Some(ours), Some(theirs)) => ours.abs_diff(theirs) <= most.as_nanos(),
                _ => false,
            },
        }
    }
}

/// Exact wherever the numbers fit into 38 digits.
fn is_within(ours: &str, theirs: &str, most: &str, percent: Option<&str>) -> bool {
    let exact = || {
        let [a, b, most] = [Decimal::of(ours)?, Decimal::of(theirs)?, Decimal::of(most)?];
        let place = [a, b, most].iter().map(Decimal::last_place).min()?;
        let [a, b, most] = [
            a.in_units_of(place)?,
            b.in_units_of(place)?,
            most.in_units_of(place)?,
        ];
        let apart = a.checked_sub(b)?.checked_abs()?;
        let Some(percent) = percent else {
            return Some(apart <= most);
        };
        let percent = Decimal::of(percent)?;
        let place = percent.last_place().min(0);
        let hundred = 10_i128.checked_pow(u32::try_from(2 - place).ok()?)?;
        let largest = a.checked_abs()?.max(b.checked_abs()?);
        Some(apart.checked_mul(hundred)? <= largest.checked_mul(percent.in_units_of(place)?)?)
    };
    let rounded = || {
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let (a, b) = (number(ours)?, number(theirs)?);
        let most = match percent {
            None => number(most)?,
            Some(percent) => a.abs().max(b.abs()) * number(percent)? / 100.0,
        };
        Some((a - b).abs() <= most)
    };
    exact().or_else(rounded).unwrap_or(false)
}

/// A time since 1970: RFC 3339, the date of HTTP, or a number of seconds, milliseconds, microseconds or nanoseconds, told
/// apart by its size: each reaches from 1973 to beyond 5000.
pub(in crate::compare) fn nanoseconds(text: &str) -> Option<i128> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_nanosecond());
    }
    if let Some(number) = Decimal::of(text) {
        let rounded = text.parse::<f64>().ok()?;
        let scales = [(1e11, 9), (1e14, 6), (1e17, 3)];
        let scale = scales.into_iter().find(|(below, _)| rounded.abs() < *below);
        let scale = scale.map_or(0, |(_, scale)| scale);
        let exact = number.in_units_of(-i64::from(scale));
        return exact.or(Some((rounded * 10_f64.powi(scale)) as i128));
    }
    http_date(text)
}

/// A date as HTTP writes it (RFC 9110 §5.6.7).
pub(in crate::compare) fn http_date(text: &str) -> Option<i128> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
    zoned.ok().map(Timestamp::as_nanosecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tolerance: &str, ours: &str, theirs: &str, expect: bool) {
        let tolerance = Tolerance::parse(tolerance).unwrap();
        assert_eq!(tolerance.allows(ours, theirs), expect, "{ours} {theirs}");
        assert_eq!(tolerance.allows(theirs, ours), expect, "{theirs} {ours}");
        assert!(tolerance.allows(ours, ours) || Decimal::of(ours).is_none());
    }

    #[test]
    fn a_tolerance_is_exact_at_its_bound() {
        check("0.01", "1.10", "1.11", true);
        check("0.01", "1.10", "1.1100000001", false);
        check("0.01", "-0.005", "0.005", true);
        check("1", "9007199254740993", "9007199254740992", true);
        check("1", "9007199254740994", "9007199254740992", false);
        check("0.1%", "1000", "999", true);
        check("0.1%", "1000", "998.9", false);
        check("10%", "0", "0.1", false);
        check("1e-3", "0.001", "0", true);
        check("50%", "1e300", "0.6e300", true);
        check("0.01", "a", "b", false);
        check("0.01", "NaN", "1", false);
    }

    #[test]
    fn times_are_read_in_the_usual_forms() {
        check("2s", "2026-11-26T10:00:00Z", "2026-11-26T10:00:02Z", true);
        check(
            "2s",
            "2026-11-26T10:00:00Z",
            "2026-11-26T10:00:02.1Z",
            false,
        );
        check(
            "2s",
            "2026-11-26T10:00:00Z",
            "2026-11-26T11:00:01+01:00",
            true,
        );
        check("1s", "1795687200", "1795687201", true);
        check("1s", "1795687200", "1795687201.5", false);
        check("1s", "1795687200000", "1795687200999", true);
        check("1s", "1795687200000", "1795687201001", false);
        check("1s", "1795687200000000", "1795687201000000", true);
        check("1s", "1795687200000000000", "1795687201000000001", false);
        check(
            "2s",
            "Thu, 26 Nov 2026 10:00:00 GMT",
            "Thu, 26 Nov 2026 10:00:02 GMT",
            true,
        );
        check("2s", "2026-11-26", "2026-11-26T00:00:00Z", false);
        check("2s", "soon", "later", false);
    }

    #[test]
    fn a_tolerance_of_nothing_is_refused() {
        for bad in ["0", "0.0%", "-1", "0s", "", "a", "1 %"] {
            let error = Tolerance::parse(bad).unwrap_err();
            assert!(error.contains("number"), "{bad}: {error}");
        }
    }
}
