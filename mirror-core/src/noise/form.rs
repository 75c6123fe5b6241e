//! The form of a value: what of it stays when the value itself varies by nature. A UUID stays one of its version, a time
//! keeps its notation, a number its decimals.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::instant::{self, EpochUnit, Zone};
use super::token::{is_hex, is_random, is_ulid, is_uuid};
use crate::detect::{EMAILS, MASK, WEB_TOKENS};
use crate::time::Timestamp;

/// The type of a value in the document model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

/// Upper or lower case of the letters among hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HexCase {
    Lower,
    Upper,
    Mixed,
}

/// What values are like that one program wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    Null,
    Bool,
    Array,
    Object,
    /// A whole number.
    Integer,
    /// A number with a fraction or an exponent.
    Decimal,
    /// Time since the Unix epoch, near the answer's own.
    Epoch(EpochUnit),
    /// A text without characters.
    Empty,
    /// A text of digits.
    Digits,
    Hex(HexCase),
    /// Its version, and its case.
    Uuid(u8, HexCase),
    Ulid,
    /// RFC 3339, or nearly so: a date and a time.
    DateTime(Zone),
    /// RFC 9110 §5.6.7.
    HttpDate,
    Date,
    Jwt,
    /// A credential, which comparisons do not show.
    Secret,
    /// A random token of letters and digits.
    Alphanumeric,
    Base64,
    Base64Url,
    Email,
    Url,
    Ipv4,
    Ipv6,
    /// `1.2.3`, `v1.2`
    Version,
    /// Any other text.
    Text,
}

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Form {
    pub of: ValueType,
    pub family: Family,
    /// Decimals of a number and of a second; characters of any other text; 0 for the rest.
    pub measure: u32,
}

impl Form {
    /// The form of a value of the type `of`. `text` is what stands between the quotes of a text, and the value as it was sent
    /// for any other type; `now` is the time of the answer that it is from.
    pub fn of(text: &str, of: ValueType, now: Timestamp) -> Self {
        read(text, of, now).0
    }
}

/// The form of a value, and its time in milliseconds since the Unix epoch where it is one.
pub(super) fn read(text: &str, of: ValueType, now: Timestamp) -> (Form, Option<i64>) {
    let form = |family, measure| Form {
        of,
        family,
        measure,
    };
    match of {
        ValueType::Null => (form(Family::Null, 0), None),
        ValueType::Bool => (form(Family::Bool, 0), None),
        ValueType::Array => (form(Family::Array, 0), None),
        ValueType::Object => (form(Family::Object, 0), None),
        ValueType::Number => {
            let (family, measure, instant) =
                number(text, now).unwrap_or((Family::Decimal, 0, None));
            (form(family, measure), instant)
        }
        ValueType::Text => {
            let (family, measure, instant) = text_form(text, now);
            (form(family, measure), instant)
        }
    }
}

type Read = (Family, u32, Option<i64>);

/// A number as JSON writes it, also where it stands in a text.
fn number(text: &str, now: Timestamp) -> Option<Read> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, has_exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            (mantissa, is_digits(exponent).then_some(true)?)
        }
        None => (digits, false),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, is_digits(fraction).then_some(fraction)?),
        None => (mantissa, ""),
    };
    if !is_digits(whole) {
        return None;
    }
    let is_plain = digits.len() == text.len() && !has_exponent;
    if is_plain && let Some((unit, millis)) = instant::epoch(whole, now) {
        return Some((Family::Epoch(unit), length(fraction), Some(millis)));
    }
    let is_whole = fraction.is_empty() && !has_exponent;
    let family = if is_whole {
        Family::Integer
    } else {
        Family::Decimal
    };
    Some((family, length(fraction), None))
}

fn text_form(text: &str, now: Timestamp) -> Read {
    // `12345e67` is rather hexadecimal than a number.
    if let Some(read) = number(text, now).filter(|_| !text.contains(['e', 'E'])) {
        return match read.0 {
            Family::Integer => (Family::Digits, length(text), None),
            _ => read,
        };
    }
    if let Some(read) = time(text) {
        return read;
    }
    let family = id(text).or_else(|| address(text)).unwrap_or(Family::Text);
    (family, length(text), None)
}

fn time(text: &str) -> Option<Read> {
    let bytes = text.as_bytes();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return instant::http_date(text).map(|millis| (Family::HttpDate, 0, Some(millis)));
    }
    if bytes.len() == 10 {
        return instant::date(bytes).map(|millis| (Family::Date, 0, Some(millis)));
    }
    let read = instant::date_time(bytes).filter(|read| read.len == bytes.len())?;
    Some((
        Family::DateTime(read.zone),
        read.fraction,
        Some(read.millis),
    ))
}

fn id(text: &str) -> Option<Family> {
    let bytes = text.as_bytes();
    match bytes {
        [] => return Some(Family::Empty),
        _ if text == MASK => return Some(Family::Secret),
        _ if bytes.len() == 36 && is_uuid(bytes) => {
            let version = (bytes[14] as char).to_digit(16).unwrap_or_default();
            // A hexadecimal digit.
            return Some(Family::Uuid(version as u8, hex_case(bytes)));
        }
        _ if is_ulid(bytes) => return Some(Family::Ulid),
        _ if is_hex(bytes) => return Some(Family::Hex(hex_case(bytes))),
        _ => {}
    }
    if text.starts_with("eyJ") {
        let hits = WEB_TOKENS.find(bytes);
        if hits.iter().any(|hit| hit.range == (0..bytes.len())) {
            return Some(Family::Jwt);
        }
    }
    if !is_random(bytes) {
        return None;
    }
    let has = |of: &[u8]| bytes.iter().any(|byte| of.contains(byte));
    match (has(b"+/"), has(b"-_")) {
        (true, true) => None,
        (false, true) => Some(Family::Base64Url),
        (false, false) if !has(b"=") => Some(Family::Alphanumeric),
        _ => Some(Family::Base64),
    }
}

fn hex_case(text: &[u8]) -> HexCase {
    let has_lower = text.iter().any(u8::is_ascii_lowercase);
    let has_upper = text.iter().any(u8::is_ascii_uppercase);
    match (has_lower, has_upper) {
        (true, true) => HexCase::Mixed,
        (false, true) => HexCase::Upper,
        _ => HexCase::Lower,
    }
}

fn address(text: &str) -> Option<Family> {
    if text.parse::<Ipv4Addr>().is_ok() {
        return Some(Family::Ipv4);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(Family::Ipv6);
    }
    let is_scheme = |scheme: &str| {
        let is_inside = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_inside)
    };
    if text
        .split_once("://")
        .is_some_and(|(scheme, _)| is_scheme(scheme))
    {
        return Some(Family::Url);
    }
    if text.contains('@') {
        let hits = EMAILS.find(text.as_bytes());
        let is_whole = hits.iter().any(|hit| hit.range == (0..text.len()));
        return is_whole.then_some(Family::Email);
    }
    is_version(text).then_some(Family::Version)
}

/// `1.2.3`, `v1.2`, `2.0.0-rc.1`
fn is_version(text: &str) -> bool {
    let numbers = text.strip_prefix('v').unwrap_or(text);
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (core, suffix) = numbers.split_at(end.unwrap_or(numbers.len()));
    let dots = core.matches('.').count();
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "-+.".contains(c);
    core.split('.').all(is_digits)
        && (dots >= 2 || (dots == 1 && numbers.len() < text.len()))
        && (suffix.is_empty() || (suffix.starts_with(['-', '+']) && suffix.chars().all(is_inside)))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// In characters.
fn length(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

impl Family {
    /// A value of another form is taken for one of these by chance hardly ever: one such value says what those to come are.
    pub(super) const fn is_strong(self) -> bool {
        !matches!(
            self,
            Self::Integer
                | Self::Epoch(_)
                | Self::Digits
                | Self::Hex(_)
                | Self::Alphanumeric
                | Self::Base64
                | Self::Base64Url
                | Self::Version
                | Self::Empty
                | Self::Text
        )
    }

    /// Whether what writes values of this family also writes those of `other`: some base64 has nothing but letters and digits,
    /// and one in fifty hexadecimal numbers of eight digits has no letter.
    pub(super) fn covers(self, other: Self) -> bool {
        let is_digits = matches!(other, Self::Digits | Self::Epoch(_));
        let is_token = is_digits || matches!(other, Self::Hex(_) | Self::Ulid);
        self == other
            || match self {
                Self::Integer | Self::Digits => matches!(other, Self::Epoch(_)),
                Self::Decimal => is_digits || other == Self::Integer,
                Self::Hex(HexCase::Mixed) => is_digits || matches!(other, Self::Hex(_)),
                Self::Hex(_) => is_digits,
                Self::Alphanumeric => is_token,
                Self::Base64 | Self::Base64Url => is_token || other == Self::Alphanumeric,
                _ => false,
            }
    }

    /// As people read it.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Null => "null".into(),
            Self::Bool => "bool".into(),
            Self::Array => "array".into(),
            Self::Object => "object".into(),
            Self::Integer => "integer".into(),
            Self::Decimal => "decimal".into(),
            Self::Epoch(EpochUnit::Seconds) => "epoch in s".into(),
            Self::Epoch(EpochUnit::Millis) => "epoch in ms".into(),
            Self::Epoch(EpochUnit::Micros) => "epoch in µs".into(),
            Self::Epoch(EpochUnit::Nanos) => "epoch in ns".into(),
            Self::Empty => "empty".into(),
            Self::Digits => "digits".into(),
            Self::Hex(HexCase::Lower) => "hexadecimal in lower case".into(),
            Self::Hex(HexCase::Upper) => "hexadecimal in upper case".into(),
            Self::Hex(HexCase::Mixed) => "hexadecimal in mixed case".into(),
            Self::Uuid(version, case) => {
                let case = match case {
                    HexCase::Lower => "lower",
                    HexCase::Upper => "upper",
                    HexCase::Mixed => "mixed",
                };
                format!("UUID version {version} in {case} case").into()
            }
            Self::Ulid => "ULID".into(),
            Self::DateTime(Zone::Utc) => "RFC 3339 in UTC".into(),
            Self::DateTime(Zone::Offset) => "RFC 3339 with an offset".into(),
            Self::DateTime(Zone::Unsaid) => "date and time without a zone".into(),
            Self::HttpDate => "HTTP date".into(),
            Self::Date => "date".into(),
            Self::Jwt => "JWT".into(),
            Self::Secret => "credential".into(),
            Self::Alphanumeric => "letters and digits".into(),
            Self::Base64 => "base64".into(),
            Self::Base64Url => "base64url".into(),
            Self::Email => "e-mail".into(),
            Self::Url => "URL".into(),
            Self::Ipv4 => "IPv4".into(),
            Self::Ipv6 => "IPv6".into(),
            Self::Version => "version".into(),
            Self::Text => "text".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_694_400_000_000_000);

    #[test]
    fn texts_have_the_form_that_they_are_written_in() {
        let check = |text: &str, family, measure| {
            let form = Form::of(text, ValueType::Text, NOW);
            assert_eq!((form.family, form.measure), (family, measure), "{text}");
        };
        use HexCase::{Lower, Mixed, Upper};
        check("", Family::Empty, 0);
        check(
            "550e8400-e29b-41d4-a716-446655440000",
            Family::Uuid(4, Lower),
            36,
        );
        check(
            "018C2E65-4A5B-7C3D-8E9F-0A1B2C3D4E5F",
            Family::Uuid(7, Upper),
            36,
        );
        check("d41d8cd98f00b204e9800998ecf8427e", Family::Hex(Lower), 32);
        check("D41D8CD98F00B204", Family::Hex(Upper), 16);
        check("d41D8CD98F00B204", Family::Hex(Mixed), 16);
        check("004711", Family::Digits, 6);
        check("-12", Family::Digits, 3);
        check("10.50", Family::Decimal, 2);
        check("1795694401", Family::Epoch(EpochUnit::Seconds), 0);
        check("1795694401.25", Family::Epoch(EpochUnit::Seconds), 2);
        check("2026-11-26T12:00:00Z", Family::DateTime(Zone::Utc), 0);
        check(
            "2026-11-26T12:00:00.123+01:00",
            Family::DateTime(Zone::Offset),
            3,
        );
        check(
            "2026-11-26 12:00:00.123456",
            Family::DateTime(Zone::Unsaid),
            6,
        );
        check("2026-11-26", Family::Date, 0);
        check("Thu, 26 Nov 2026 12:00:00 GMT", Family::HttpDate, 0);
        check(
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            Family::Jwt,
            49,
        );
        check("***", Family::Secret, 3);
        check("R4nd0mN0nc3V4lu3", Family::Alphanumeric, 16);
        check("pQ7+xK2/mZ9vB4cR1w==", Family::Base64, 20);
        check("pQ7-xK2_mZ9vB4cR1w", Family::Base64Url, 18);
        check("01ARZ3NDEKTSV4RRFFQ69G5FAV", Family::Ulid, 26);
        check("jo.doe+x@example.org", Family::Email, 20);
        check("https://example.org/a?b=1", Family::Url, 25);
        check("10.1.2.3", Family::Ipv4, 8);
        check("2001:db8::1", Family::Ipv6, 11);
        check("1.2.3", Family::Version, 5);
        check("v1.2", Family::Version, 4);
        check("2.0.0-rc.1", Family::Version, 10);
        check("shipped", Family::Text, 7);
        check("jo@localhost is me", Family::Text, 18);
        check("Größe", Family::Text, 5);
        check("deadbeef", Family::Text, 8);
        check("payment_method_v2", Family::Text, 17);
        check("1e", Family::Text, 2);
        check("12345e67", Family::Hex(Lower), 8);
        check("1.2.", Family::Text, 4);
    }

    #[test]
    fn numbers_have_decimals_and_may_be_times() {
        let check = |text: &str, family, measure| {
            let form = Form::of(text, ValueType::Number, NOW);
            assert_eq!((form.family, form.measure), (family, measure), "{text}");
        };
        check("0", Family::Integer, 0);
        check("-17", Family::Integer, 0);
        check("12.50", Family::Decimal, 2);
        check("1.25e-7", Family::Decimal, 2);
        check("1E5", Family::Decimal, 0);
        check("NaN", Family::Decimal, 0);
        check("1795694401", Family::Epoch(EpochUnit::Seconds), 0);
        check("1795694401.5", Family::Epoch(EpochUnit::Seconds), 1);
        check("1795694400123", Family::Epoch(EpochUnit::Millis), 0);
        check("1795694400123456", Family::Epoch(EpochUnit::Micros), 0);
        check("1795694400123456789", Family::Epoch(EpochUnit::Nanos), 0);
        check("-1795694401", Family::Integer, 0);
        check("1234567890", Family::Integer, 0);
        check("123456789012345678901234567890", Family::Integer, 0);
    }

    #[test]
    fn other_values_have_the_form_of_their_type() {
        let check = |of, family| {
            let form = Form::of("x", of, NOW);
            assert_eq!((form.of, form.family, form.measure), (of, family, 0));
        };
        check(ValueType::Null, Family::Null);
        check(ValueType::Bool, Family::Bool);
        check(ValueType::Array, Family::Array);
        check(ValueType::Object, Family::Object);
    }

    #[test]
    fn a_general_form_covers_those_that_its_values_may_look_like() {
        let check = |general: Family, special: Family, expect| {
            assert_eq!(general.covers(special), expect, "{general:?} {special:?}");
        };
        use HexCase::{Lower, Mixed, Upper};
        check(Family::Hex(Lower), Family::Digits, true);
        check(Family::Digits, Family::Hex(Lower), false);
        check(Family::Hex(Lower), Family::Hex(Upper), false);
        check(Family::Hex(Mixed), Family::Hex(Upper), true);
        check(Family::Base64, Family::Alphanumeric, true);
        check(Family::Base64, Family::Hex(Lower), true);
        check(Family::Base64, Family::Base64Url, false);
        check(Family::Decimal, Family::Integer, true);
        check(Family::Integer, Family::Decimal, false);
        check(Family::Integer, Family::Epoch(EpochUnit::Seconds), true);
        check(
            Family::Epoch(EpochUnit::Millis),
            Family::Epoch(EpochUnit::Seconds),
            false,
        );
        check(Family::Decimal, Family::Hex(Lower), false);
        check(Family::Base64, Family::Uuid(4, Lower), false);
        check(Family::Text, Family::Digits, false);
        check(Family::Uuid(4, Lower), Family::Uuid(4, Lower), true);
    }
}
