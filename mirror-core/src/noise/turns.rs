//! Which of two equal answers has the greater value: a fair coin, unless the order of the two or their instance decides.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::sample::Sample;

/// Turns before anything is told by them.
const MIN_TURNS: u64 = 6;
/// 2.4 standard deviations, squared, as a fraction: a fair coin is taken for an unfair one in 16 of 1,000 cases.
const SKEW: (u64, u64) = (144, 25);
/// From so many turns on 3.5 standard deviations are asked for, because they are looked at all the time.
const MANY_TURNS: u64 = 30;
const CLEAR_SKEW: (u64, u64) = (49, 4);

/// How often the second answer of a pair had the greater value, and how often the lesser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Turns {
    up: u64,
    down: u64,
}

impl Turns {
    /// Counts a pair. What are no numbers are in an order too: that of their digests.
    pub(super) fn count(&mut self, first: &Sample<'_>, second: &Sample<'_>) {
        let order = match (first.number, second.number) {
            (Some(first), Some(second)) => first.partial_cmp(&second),
            _ => Some(first.class.key().cmp(&second.class.key())),
        };
        match order {
            Some(std::cmp::Ordering::Less) => self.up += 1,
            Some(std::cmp::Ordering::Greater) => self.down += 1,
            _ => {}
        }
    }

    const fn total(self) -> u64 {
        self.up + self.down
    }

    pub(super) const fn are_enough(self) -> bool {
        self.total() >= MIN_TURNS
    }

    pub(super) const fn are_many(self) -> bool {
        self.total() >= MANY_TURNS
    }

    /// One side has the greater value more often than chance: a counter, a clock, a cache that the first answer fills, or
    /// something that each instance has of its own.
    pub(super) const fn is_skewed(self) -> bool {
        let apart = self.up.abs_diff(self.down);
        let skew = match self.total() < MANY_TURNS {
            true => SKEW,
            false => CLEAR_SKEW,
        };
        self.are_enough() && apart * apart * skew.1 > skew.0 * self.total()
    }
}

impl AddAssign for Turns {
    fn add_assign(&mut self, other: Self) {
        self.up += other.up;
        self.down += other.down;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_side_that_is_always_ahead_is_no_coin() {
        let check = |up, down, expect| {
            assert_eq!(Turns { up, down }.is_skewed(), expect, "{up} {down}");
        };
        check(5, 0, false);
        check(6, 0, true);
        check(0, 6, true);
        check(5, 1, false);
        check(9, 1, true);
        check(19, 10, false);
        check(22, 7, true);
        check(67, 33, false);
        check(68, 32, true);
    }

    #[test]
    fn numbers_are_in_the_order_of_their_values() {
        let mut turns = Turns::default();
        let of = |shown| Sample::of(shown, Timestamp(1));
        turns.count(&of("9"), &of("10"));
        turns.count(&of("10"), &of("9.5"));
        turns.count(&of("9"), &of("9.0"));
        assert_eq!((turns.up, turns.down), (1, 1));
        turns.count(&of("\"a\""), &of("\"b\""));
        turns.count(&of("\"b\""), &of("\"a\""));
        assert_eq!((turns.up, turns.down), (2, 2));
        turns.count(&of("\"a 1\""), &of("\"a 2\""));
        assert_eq!(turns.total(), 4);
    }
}
