//! Times of day in which requests are sent, as in `Mon-Fri 22:00-06:00 Europe/Berlin`.
//!
//! The rules of the time zones are part of this program, so that a window means the same on every host, also where no zone
//! database is installed. They are as new as the program is.

use std::fmt;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::options::FromText;
use crate::time::Timestamp;

const REMEDY: &str = "use hours and a time zone, with days if it is not every day, as in '01:00-05:00 Asia/Seoul' or 'Mon-Fri 22:00-06:00 Europe/Berlin'";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// One window. On the clocks' change it goes by the clock on the wall: an hour that is skipped is not in it, an hour that comes twice
/// is in it twice.
#[derive(Clone)]
pub struct Window {
    text: String,
    /// From Monday on, the days on which it begins.
    days: [bool; 7],
    /// Minutes of the day. The end may be the next day's.
    from: u16,
    to: u16,
    zone: TimeZone,
}

impl Window {
    /// Whether it is open at this time.
    pub fn contains(&self, now: Timestamp) -> bool {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let Ok(now) = jiff::Timestamp::from_second(seconds) else {
            return false;
        };
        let local = self.zone.to_datetime(now);
        let minute = minutes(local.time());
        let today = usize::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let yesterday = (today + 6) % 7;
        if self.from < self.to {
            return self.days[today] && (self.from..self.to).contains(&minute);
        }
        self.days[today] && minute >= self.from || self.days[yesterday] && minute < self.to
    }
}

fn minutes(time: Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

impl FromText for Window {
    fn from_text(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, zone) = match words.as_slice() {
            [hours, zone] => ([true; 7], *hours, *zone),
            [days, hours, zone] => (parse_days(days).ok_or(REMEDY)?, *hours, *zone),
            _ => return Err(REMEDY.into()),
        };
        let (from, to) = hours.split_once('-').ok_or(REMEDY)?;
        let (from, to) = (minute(from).ok_or(REMEDY)?, minute(to).ok_or(REMEDY)?);
        if from == to || from == 24 * 60 {
            return Err("the window is empty: 00:00-24:00 is the whole day".into());
        }
        let zone = TimeZone::get(zone).map_err(|_| {
            format!("`{zone}` is not a time zone: use a name as in Asia/Seoul, or UTC")
        })?;
        Ok(Self {
            text: words.join(" "),
            days,
            from,
            to,
            zone,
        })
    }
}

/// `Mon`, `Mon-Fri`, `Sat,Sun`, and lists of both.
fn parse_days(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| {
        let name = name.to_ascii_lowercase();
        DAYS.iter().position(|known| *known == name)
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Some(days)
}

/// Minutes since midnight, from `00:00` to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) || hour.len() > 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= 24 * 60).then_some(minutes)
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time of UTC, as in `2026-11-26T16:00:00Z`.
    fn utc(text: &str) -> Timestamp {
        let time: jiff::Timestamp = text.parse().unwrap();
        Timestamp(u64::try_from(time.as_second()).unwrap() * 1_000_000_000)
    }

    fn check(window: &str, now: &str, is_open: bool) {
        let window = Window::from_text(window).unwrap();
        assert_eq!(window.contains(utc(now)), is_open, "{window} at {now}");
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        // Seoul is nine hours ahead, all year.
        let window = "01:00-05:00 Asia/Seoul";
        check(window, "2026-11-26T15:59:59Z", false);
        check(window, "2026-11-26T16:00:00Z", true);
        check(window, "2026-11-26T19:59:59Z", true);
        check(window, "2026-11-26T20:00:00Z", false);
    }

    #[test]
    fn days_are_those_of_the_zone_on_which_the_window_begins() {
        // 2026-11-27 is a Friday; Berlin is one hour ahead in winter.
        let window = "Mon-Fri 22:00-06:00 Europe/Berlin";
        check(window, "2026-11-27T20:59:59Z", false);
        check(window, "2026-11-27T21:00:00Z", true);
        check(window, "2026-11-28T04:59:59Z", true);
        check(window, "2026-11-28T05:00:00Z", false);
        check(window, "2026-11-28T22:00:00Z", false);
        // Monday's early morning is still Sunday's window, which there is none of.
        check(window, "2026-11-30T03:00:00Z", false);
        check("Sat,Sun 00:00-24:00 UTC", "2026-11-29T23:59:59Z", true);
        check("Sat,Sun 00:00-24:00 UTC", "2026-11-30T00:00:00Z", false);
        check("Fri-Mon 10:00-11:00 UTC", "2026-11-29T10:30:00Z", true);
        check("Fri-Mon 10:00-11:00 UTC", "2026-12-01T10:30:00Z", false);
    }

    #[test]
    fn summer_time_moves_the_window_with_the_clock_on_the_wall() {
        let window = "01:00-05:00 Europe/Berlin";
        check(window, "2026-07-01T23:00:00Z", true);
        check(window, "2026-07-02T02:59:59Z", true);
        check(window, "2026-07-02T03:00:00Z", false);
        check(window, "2026-12-02T03:00:00Z", true);
    }

    #[test]
    fn an_hour_that_is_skipped_is_not_in_it_and_one_that_comes_twice_is_in_it_twice() {
        // On 2026-03-29 the clocks go from 02:00 to 03:00 at 01:00 UTC.
        check("02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z", false);
        check("02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", false);
        check("01:30-03:30 Europe/Berlin", "2026-03-29T01:15:00Z", true);
        // On 2026-10-25 they go from 03:00 back to 02:00 at 01:00 UTC.
        check("02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z", true);
        check("02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z", true);
        check("02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00Z", false);
    }

    #[test]
    fn what_is_not_a_window_is_refused_with_the_remedy() {
        for (text, remedy) in [
            ("", "as in"),
            ("01:00-05:00", "as in"),
            ("01:00 Asia/Seoul", "as in"),
            ("25:00-26:00 UTC", "as in"),
            ("1:60-2:00 UTC", "as in"),
            ("+1:00-2:00 UTC", "as in"),
            ("Mon-Someday 01:00-02:00 UTC", "as in"),
            ("01:00-01:00 UTC", "empty"),
            ("24:00-01:00 UTC", "empty"),
            ("01:00-05:00 Asia/Atlantis", "Asia/Atlantis"),
        ] {
            let error = Window::from_text(text).unwrap_err();
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }
}
