//! Times as texts and numbers have them, read into milliseconds since the Unix epoch. Calendar dates are those of the
//! proleptic Gregorian calendar, and a time without a zone is taken for UTC.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A number counts as a time when it lies so near to the answer's: two years.
const NEAR_MILLIS: u64 = 2 * 366 * 86_400_000;
const DAY_MILLIS: i64 = 86_400_000;

/// How a text says which zone its time is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// `Z`
    Utc,
    /// `+02:00`
    Offset,
    /// It does not.
    Unsaid,
}

/// What a number since the Unix epoch counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochUnit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

/// A date and time at the begin of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime {
    pub(super) millis: i64,
    /// Digits of the fraction of a second.
    pub(super) fraction: u32,
    pub(super) zone: Zone,
    /// Bytes of the text.
    pub(super) len: usize,
}

/// The whole number `text`, where it is a time near `now`.
pub(super) fn epoch(text: &str, now: Timestamp) -> Option<(EpochUnit, i64)> {
    let unit = match text.len() {
        10 => EpochUnit::Seconds,
        13 => EpochUnit::Millis,
        16 => EpochUnit::Micros,
        19 => EpochUnit::Nanos,
        _ => return None,
    };
    let value: i64 = text.parse().ok().filter(|value| *value > 0)?;
    let millis = match unit {
        EpochUnit::Seconds => value * 1_000,
        EpochUnit::Millis => value,
        EpochUnit::Micros => value / 1_000,
        EpochUnit::Nanos => value / 1_000_000,
    };
    let distance = millis.unsigned_abs().abs_diff(now.as_millis());
    (distance <= NEAR_MILLIS).then_some((unit, millis))
}

/// `2026-11-26` at the begin of `bytes`: milliseconds of its begin.
pub(super) fn date(bytes: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, ..] = bytes else {
        return None;
    };
    let year = number(&[*y1, *y2, *y3, *y4])?;
    let (month, day) = (number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    days(year, month, day).map(|days| days * DAY_MILLIS)
}

/// A time as RFC 3339 writes it, at the begin of `bytes`; also with a space in the place of the `T`, without seconds, or
/// without a zone, as many programs write it.
pub(super) fn date_time(bytes: &[u8]) -> Option<DateTime> {
    let date = date(bytes)?;
    if !matches!(bytes.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let clock = clock(&bytes[11..])?;
    let rest = &bytes[11 + clock.len..];
    let (zone, offset, zone_len) = zone(rest);
    Some(DateTime {
        millis: date + clock.millis - offset,
        zone,
        len: 11 + clock.len + zone_len,
        ..clock
    })
}

/// `12:03`, `12:03:04` or `12:03:04.567` at the begin of `bytes`, as time since midnight.
pub(super) fn clock(bytes: &[u8]) -> Option<DateTime> {
    let [h1, h2, b':', m1, m2, rest @ ..] = bytes else {
        return None;
    };
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let (second, fraction) = match rest {
        [b':', s1, s2, rest @ ..] => (number(&[*s1, *s2])?, fraction(rest)),
        _ => (0, None),
    };
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let has_seconds = matches!(rest, [b':', ..]);
    let digits = fraction.map_or(0, |(digits, _)| digits);
    Some(DateTime {
        millis: ((hour * 60 + minute) * 60 + second) * 1_000 + fraction.map_or(0, |f| f.1),
        // A text holds no more digits than a length.
        fraction: digits as u32,
        zone: Zone::Unsaid,
        len: 5 + 3 * usize::from(has_seconds) + fraction.map_or(0, |_| digits + 1),
    })
}

/// Digits after a point or a comma, and the milliseconds that they are.
fn fraction(bytes: &[u8]) -> Option<(usize, i64)> {
    let [b'.' | b',', rest @ ..] = bytes else {
        return None;
    };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let digit = |at: usize| match at < digits {
        true => i64::from(rest[at] - b'0'),
        false => 0,
    };
    (digits > 0).then(|| (digits, digit(0) * 100 + digit(1) * 10 + digit(2)))
}

/// The zone, its distance from UTC, and its bytes.
fn zone(bytes: &[u8]) -> (Zone, i64, usize) {
    let unsaid = (Zone::Unsaid, 0, 0);
    let (sign, digits, len) = match bytes {
        [b'Z' | b'z', ..] => return (Zone::Utc, 0, 1),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..]
        | [sign @ (b'+' | b'-'), h1, h2, m1, m2, ..] => {
            let len = if bytes[3] == b':' { 6 } else { 5 };
            (*sign, [*h1, *h2, *m1, *m2], len)
        }
        _ => return unsaid,
    };
    match (number(&digits[..2]), number(&digits[2..])) {
        (Some(hours), Some(minutes)) if hours < 24 && minutes < 60 => {
            let offset = (hours * 60 + minutes) * 60_000;
            let signed = if sign == b'-' { -offset } else { offset };
            (Zone::Offset, signed, len)
        }
        _ => unsaid,
    }
}

/// `Thu, 26 Nov 2026 10:00:00 GMT` (RFC 9110 §5.6.7).
pub(super) fn http_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let [_, _, _, b',', b' ', d1, d2, b' ', rest @ ..] = bytes else {
        return None;
    };
    let month = MONTHS.iter().position(|m| rest.starts_with(m.as_bytes()))?;
    let [b' ', y1, y2, y3, y4, b' ', time @ ..] = &rest[3..] else {
        return None;
    };
    let clock = clock(time)?;
    if &time[clock.len..] != b" GMT" || clock.len != 8 {
        return None;
    }
    let year = number(&[*y1, *y2, *y3, *y4])?;
    let days = days(year, month as i64 + 1, number(&[*d1, *d2])?)?;
    Some(days * DAY_MILLIS + clock.millis)
}

pub(super) const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn number(digits: &[u8]) -> Option<i64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        let add = |sum: i64, digit: &u8| sum * 10 + i64::from(digit - b'0');
        digits.iter().fold(0, add)
    })
}

/// Days from 1970-01-01 to a date, by the algorithm `days_from_civil` of Howard Hinnant.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let check = |text: &str, expect: Option<(i64, u32, Zone)>| {
            let read = date_time(text.as_bytes()).filter(|read| read.len == text.len());
            let read = read.map(|read| (read.millis, read.fraction, read.zone));
            assert_eq!(read, expect, "{text}");
        };
        let noon = 1_795_694_400_000;
        check("2026-11-26T12:00:00Z", Some((noon, 0, Zone::Utc)));
        check(
            "2026-11-26T12:00:00.123456Z",
            Some((noon + 123, 6, Zone::Utc)),
        );
        check("2026-11-26T12:00:00,5Z", Some((noon + 500, 1, Zone::Utc)));
        check("2026-11-26T21:00:00+09:00", Some((noon, 0, Zone::Offset)));
        check("2026-11-26T07:30:00-0430", Some((noon, 0, Zone::Offset)));
        check("2026-11-26 12:00:00", Some((noon, 0, Zone::Unsaid)));
        check("2026-11-26T12:00", Some((noon, 0, Zone::Unsaid)));
        check("1970-01-01T00:00:00Z", Some((0, 0, Zone::Utc)));
        check(
            "2024-02-29T00:00:00Z",
            Some((1_709_164_800_000, 0, Zone::Utc)),
        );
        check("2026-13-26T12:00:00Z", None);
        check("2026-11-26T25:00:00Z", None);
        check("2026-11-26T12:61:00Z", None);
        check("2026-11-26", None);
        check("2026-11-26T12:00:00Zulu", None);
        check("", None);
        assert_eq!(date(b"2026-11-26"), Some(noon - DAY_MILLIS / 2));
        assert_eq!(date(b"2026-00-26"), None);
    }

    #[test]
    fn dates_of_http_are_read() {
        let check = |text: &str, expect| assert_eq!(http_date(text), expect, "{text}");
        check("Thu, 26 Nov 2026 12:00:00 GMT", Some(1_795_694_400_000));
        check("Thu, 26 Nov 2026 12:00:00 UTC", None);
        check("Thu, 26 Nov 2026 12:00 GMT", None);
        check("Thu, 26 Foo 2026 12:00:00 GMT", None);
        check("", None);
    }

    #[test]
    fn a_number_is_a_time_by_its_length_and_its_distance_from_now() {
        let now = Timestamp(1_795_694_400_000_000_000);
        let check = |text: &str, expect: Option<(EpochUnit, i64)>| {
            assert_eq!(epoch(text, now), expect, "{text}");
        };
        check("1795694401", Some((EpochUnit::Seconds, 1_795_694_401_000)));
        check(
            "1795694400001",
            Some((EpochUnit::Millis, 1_795_694_400_001)),
        );
        check(
            "1795694400001999",
            Some((EpochUnit::Micros, 1_795_694_400_001)),
        );
        let nanos = "1795694400001999999";
        check(nanos, Some((EpochUnit::Nanos, 1_795_694_400_001)));
        check("1600000000", None);
        check("9999999999999999999", None);
        check("17956944", None);
        check("-795694401", None);
    }
}
