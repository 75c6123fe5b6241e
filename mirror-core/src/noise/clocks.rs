//! Clocks that were read twice: two answers that each say how late it is.

use super::AnswerTimes;
use super::sample::Sample;
use crate::compare::{Kind, Observation};
use crate::time::Timestamp;

/// How much later than its answer a service may have read its clock for the mirror than for production.
const CLOCK_SLACK_MILLIS: i64 = 2_000;
const SECOND_MILLIS: i64 = 1_000;

/// Whether both values are the time of their own answer, in one form: the same clock was read twice. At a place that is `known`
/// to vary they may also lie before or after it, as long as they are as far apart as the answers are.
///
/// What stands still, or is cut or rounded, is another value: a stored time is not near its answer's.
pub(super) fn is_same_clock(times: AnswerTimes, found: &Observation, known: bool) -> bool {
    if found.kind != Kind::Value || times == AnswerTimes::default() {
        return false;
    }
    let ours = Sample::of(&found.production, times.production);
    let theirs = Sample::of(&found.mirror, times.mirror);
    let (Some(first), Some(second)) = (ours.offset, theirs.offset) else {
        return false;
    };
    let millis = |at: Timestamp| i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let (at, later) = (millis(times.production), millis(times.mirror));
    let apart = second.saturating_add(later) - first.saturating_add(at);
    // Of times in seconds, a new second may begin between the two looks.
    let is_whole = |offset: i64, at: i64| (offset + at) % SECOND_MILLIS == 0;
    let unit = match is_whole(first, at) && is_whole(second, later) {
        true => SECOND_MILLIS,
        false => 1,
    };
    let slack = CLOCK_SLACK_MILLIS + unit;
    let is_now = first.abs() <= slack && second.abs() <= slack;
    let is_apart_as_answers = (apart - later.saturating_sub(at)).abs() <= slack;
    apart != 0
        && ours.form == theirs.form
        && notation(&found.production) == notation(&found.mirror)
        && (is_now || (known && is_apart_as_answers))
}

/// A text without the digits in it.
fn notation(text: &str) -> String {
    let masked = text.chars();
    masked
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_read_twice_is_no_difference() {
        let base = 1_795_739_200_000;
        let is_same = |lag: u64, production: &str, mirror: &str, known: bool| {
            let found = Observation {
                place: crate::compare::Place::Json("/at".into()),
                kind: Kind::Value,
                count: 1,
                production: production.into(),
                mirror: mirror.into(),
            };
            let at = |millis: u64| Timestamp(millis * 1_000_000);
            let times = AnswerTimes {
                production: at(base),
                mirror: at(base + lag),
            };
            is_same_clock(times, &found, known)
        };
        let check = |lag, production, mirror, expect| {
            let got = is_same(lag, production, mirror, false);
            assert_eq!(got, expect, "{production} {mirror}");
        };
        // In milliseconds and in seconds, milliseconds and hours later.
        check(12, "1795739199999", "1795739200011", true);
        check(12, "1795739200", "1795739201", true);
        check(7_200_000, "1795739200000", "1795746400010", true);
        let (ours, theirs) = ("\"2026-11-27T00:26:40Z\"", "\"2026-11-27T00:26:41Z\"");
        check(700, ours, theirs, true);
        // Another form or notation, a stored time, and one that stands still.
        check(700, ours, "\"2026-11-27 00:26:41Z\"", false);
        check(700, ours, "\"2026-11-27T00:26:40.412Z\"", false);
        check(12, "1795739200", "1795739200012", false);
        check(12, "1795694400", "1795694401", false);
        check(86_400_000, "1795694400", "1795726800", false);
        check(9_000, "1795739200", "1795739200", false);
        check(12, "\"a\"", "\"b\"", false);
        check(12, "5", "7", false);
        // In an hour, where that is known to vary.
        assert!(is_same(9_000, "1795742800", "1795742809", true));
        assert!(!is_same(9_000, "1795742800", "1795742809", false));
        assert!(!is_same(9_000, "1795742800", "1795746409", true));
    }
}
