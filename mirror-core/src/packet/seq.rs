//! Sequence arithmetic modulo 2³² (RFC 9293 §3.4).

use std::ops::Add;

/// A place in a side's stream. Two of them compare only by [`Seq::since`]: there is no total order on a circle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seq(pub u32);

impl Seq {
    /// Bytes from `earlier` to `self`, negative when `self` is before it; right while they are less than 2³¹ apart.
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    pub const fn is_before(self, other: Self) -> bool {
        self.since(other) < 0
    }
}

impl Add<u32> for Seq {
    type Output = Self;

    fn add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(later: u32, earlier: u32, expect: i32) {
        assert_eq!(Seq(later).since(Seq(earlier)), expect);
        assert_eq!(Seq(later).is_before(Seq(earlier)), expect < 0);
    }

    #[test]
    fn distances_go_over_the_wrap() {
        check(5, 3, 2);
        check(3, 5, -2);
        check(1, u32::MAX, 2);
        check(u32::MAX, 1, -2);
        check(7, 7, 0);
        assert_eq!(Seq(u32::MAX) + 2, Seq(1));
    }
}
