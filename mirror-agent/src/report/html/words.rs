//! Numbers, times and texts as the page shows them.

use std::time::{Duration, UNIX_EPOCH};

use mirror_core::compare::excerpt;

/// Longest name of a route or a place.
const MAX_NAME: usize = 300;
/// Longest sentence.
const MAX_TEXT: usize = 1_000;

/// A name of the traffic's, short and without anything that moves a cursor or turns the direction of writing.
pub(super) fn name(text: &str) -> String {
    excerpt(text, MAX_NAME)
}

/// A sentence, in the same way.
pub(super) fn text(text: &str) -> String {
    excerpt(text, MAX_TEXT)
}

/// As in `2026-11-27 05:18:21 UTC`.
pub(super) fn utc(seconds: u64) -> String {
    let stamp = rfc3339(seconds);
    let plain = stamp.trim_end_matches('Z').replacen('T', " ", 1);
    format!("{plain} UTC")
}

/// As an element `time` has it.
pub(super) fn rfc3339(seconds: u64) -> String {
    // Beyond the year 9999 there is no such text, and no such run.
    let seconds = seconds.min(253_402_300_799);
    let at = UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(at).to_string()
}

/// How long, with the two largest units, as in `1 h 12 min`.
pub(super) fn long(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(length, _)| seconds >= *length);
    let Some(first) = first else {
        return "0 s".into();
    };
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, unit) in units.iter().skip(first).take(2) {
        let amount = rest / length;
        rest %= length;
        if amount > 0 {
            parts.push(format!("{amount} {unit}"));
        }
    }
    parts.join(" ")
}

/// Milliseconds with three digits that say something, as in `12.3 ms` and `1.2 s`.
pub(super) fn millis(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => "–".into(),
        ms if ms >= 10_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms if ms >= 1_000.0 => format!("{:.2} s", ms / 1_000.0),
        ms if ms >= 100.0 => format!("{ms:.0} ms"),
        ms if ms >= 10.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_and_lengths_have_two_units() {
        assert_eq!(utc(1_795_756_701), "2026-11-27 05:18:21 UTC");
        assert_eq!(rfc3339(1_795_756_701), "2026-11-27T05:18:21Z");
        assert_eq!(utc(u64::MAX), "9999-12-31 23:59:59 UTC");
        assert_eq!(long(0), "0 s");
        assert_eq!(long(59), "59 s");
        assert_eq!(long(4_320), "1 h 12 min");
        assert_eq!(long(86_400), "1 d");
        assert_eq!(millis(0.123), "0.12 ms");
        assert_eq!(millis(12.34), "12.3 ms");
        assert_eq!(millis(1_234.0), "1.23 s");
    }

    #[test]
    fn nothing_in_a_name_turns_the_direction_or_is_endless() {
        assert_eq!(name("a\u{202e}b\u{1b}c"), "a\\u{202e}b\\u{1b}c");
        assert_eq!(name(&"x".repeat(1 << 20)).chars().count(), MAX_NAME + 1);
    }
}
