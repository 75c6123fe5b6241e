//! What the times say about whose a document is. CONTRACT.md, "Whose snapshot".
//!
//! Production stamps a document after the request's first byte and before the response's last one. So a request and its own
//! document leave only some offsets between the two clocks possible, and a document of another request of that connection
//! leaves others. All times are in nanoseconds since the epoch.

use crate::Stamp;

/// The offsets that are possible: how far production's clock is ahead of the capture's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    pub low: i64,
    pub high: i64,
}

/// The offsets of one production host's clock, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostOffset {
    pub range: OffsetRange,
    /// Whether many pairs agree on it.
    pub is_learnt: bool,
}

/// When a request was captured: from its first byte to the last byte of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturedTime {
    pub first: u64,
    pub last: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The document is another request's.
    No,
    /// The document may be the request's.
    Possible,
    /// Every offset that is left makes it the request's.
    Proven,
}

impl OffsetRange {
    /// From `-most` to `+most`.
    pub fn around_zero(most: u64) -> Self {
        let high = i64::try_from(most).unwrap_or(i64::MAX);
        Self { low: -high, high }
    }

    /// The offsets with which a document of this stamp is the request's.
    pub fn of_pair(time: CapturedTime, stamp: &Stamp) -> Self {
        let (at, unit) = stamp.moment();
        Self {
            low: difference(at, time.last),
            high: difference(at.saturating_add(unit), time.first),
        }
    }

    pub fn touches(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }

    pub fn holds(&self, other: &Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }
}

impl HostOffset {
    /// What the times of a request say about a document.
    pub fn fit(&self, time: CapturedTime, stamp: &Stamp) -> Fit {
        let pair = OffsetRange::of_pair(time, stamp);
        if !pair.touches(&self.range) {
            return Fit::No;
        }
        let unit = i64::try_from(stamp.moment().1).unwrap_or(i64::MAX);
        let inner = OffsetRange {
            low: pair.low.saturating_add(unit),
            high: pair.high.saturating_sub(unit),
        };
        if inner.holds(&self.core()) {
            Fit::Proven
        } else {
            Fit::Possible
        }
    }

    /// The middle half of a learnt range: its ends come from single requests, the quickest to reach the code and the
    /// quickest to leave it. A range that was not learnt counts whole.
    fn core(&self) -> OffsetRange {
        let OffsetRange { low, high } = self.range;
        let quarter = match self.is_learnt {
            true => high.saturating_sub(low) / 4,
            false => 0,
        };
        OffsetRange {
            low: low + quarter,
            high: high - quarter,
        }
    }
}

fn difference(a: u64, b: u64) -> i64 {
    let nanos = i128::from(a) - i128::from(b);
    let limit = i128::from(i64::MAX);
    i64::try_from(nanos.clamp(-limit, limit)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn check(range: (i64, i64), is_learnt: bool, at_us: u64, expect: Fit) {
        let host = HostOffset {
            range: OffsetRange {
                low: range.0,
                high: range.1,
            },
            is_learnt,
        };
        let time = CapturedTime {
            first: 100 * MS,
            last: 102 * MS,
        };
        let stamp = Stamp {
            at: at_us / 1000,
            us: u16::try_from(at_us % 1000).ok(),
            ..Stamp::default()
        };
        assert_eq!(host.fit(time, &stamp), expect, "{range:?} at {at_us} us");
    }

    #[test]
    fn a_document_is_proven_by_every_offset_that_is_left() {
        let narrow = (-20_000, 20_000);
        check(narrow, false, 99_970, Fit::No);
        check(narrow, false, 99_990, Fit::Possible);
        check(narrow, false, 100_020, Fit::Proven);
        check(narrow, false, 101_979, Fit::Proven);
        check(narrow, false, 101_980, Fit::Possible);
        check(narrow, false, 102_021, Fit::No);
    }

    #[test]
    fn the_outer_quarters_of_a_learnt_range_do_not_count() {
        let range = (-400_000, 400_000);
        check(range, false, 100_200, Fit::Possible);
        check(range, true, 100_200, Fit::Proven);
        check(range, true, 100_199, Fit::Possible);
        check(range, true, 101_799, Fit::Proven);
        check(range, true, 101_800, Fit::Possible);
    }

    #[test]
    fn without_microseconds_a_short_request_proves_nothing() {
        let host = HostOffset {
            range: OffsetRange::around_zero(0),
            is_learnt: false,
        };
        let stamp = Stamp {
            at: 100,
            ..Stamp::default()
        };
        let lasting = |nanos| CapturedTime {
            first: 100 * MS,
            last: 100 * MS + nanos,
        };
        assert_eq!(host.fit(lasting(MS - 1), &stamp), Fit::Possible);
        assert_eq!(host.fit(lasting(MS), &stamp), Fit::Proven);
    }
}
