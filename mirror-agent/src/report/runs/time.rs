//! Times of runs as they are written: in directories' names, and in sentences.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Of so many seconds since the epoch, as in `2026-11-27T05:18:21Z`; what is beyond the year 9999 is its end.
fn rfc3339(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    let at: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds.min(LAST));
    humantime::format_rfc3339_seconds(at).to_string()
}

/// As in `20261127T051821Z`.
pub(super) fn compact(seconds: u64) -> String {
    rfc3339(seconds).replace(['-', ':'], "")
}

/// As in `14:03:22 UTC`, with the date where it is not that of `beside`.
pub(super) fn time_of_day(seconds: u64, beside: u64) -> String {
    let (at, beside) = (rfc3339(seconds), rfc3339(beside));
    let (day, time) = at.split_at(10);
    let time = time.trim_matches(['T', 'Z']);
    match beside.starts_with(day) {
        true => format!("{time} UTC"),
        false => format!("{day} {time} UTC"),
    }
}

/// As in `2026-11-27 05:18:21`.
pub(super) fn date_and_time(seconds: u64) -> String {
    rfc3339(seconds).replace('T', " ").replace('Z', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_date_only_where_it_is_another_one() {
        assert_eq!(compact(1_795_756_701), "20261127T051821Z");
        let at = 1_795_756_701;
        assert_eq!(time_of_day(at, at - 60), "05:18:21 UTC");
        assert_eq!(time_of_day(at, at - 86_400), "2026-11-27 05:18:21 UTC");
        assert_eq!(compact(u64::MAX), "99991231T235959Z");
    }
}
