//! Is the candidate the odd one out more often than chance?
//!
//! **Null hypothesis.** Among the exchanges in which exactly one of two equal programs stands out at a place, which one it is
//! is the toss of a fair coin. *With a control*: candidate and control got the same request at the same time, and exactly one of
//! them differs from production. *Without*: an exchange that differs was sent once more, and the repeat equals exactly one of
//! production's answer and the candidate's first one; if all three are exchangeable, each is as likely.
//!
//! **Test.** For `n` tosses of which `k` name the candidate
//!
//! ```text
//! e(n, k) = ∫ from ½ to 1 of 2 · 2ⁿ · pᵏ · (1−p)ⁿ⁻ᵏ dp
//! ```
//!
//! Under the null, and for any coin that favours the other side, e is a supermartingale that begins at 1: it exceeds 1/α at any
//! time with a probability of at most α (Ville 1939), so looking often costs nothing. It depends on the counts only: evidence
//! of several agents adds up, and the order of the requests does not matter.
//!
//! **When it may be wrong.** It cannot tell the code from the instance: without a control, another machine, other data, a later
//! time or a colder cache make the candidate the odd one as well.
//!
//! Source: J. Ville, "Étude critique de la notion de collectif", 1939; H. Robbins, "Statistical methods related to the law of the
//! iterated logarithm", 1970 (mixtures); A. Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", 2023.

use std::f64::consts::LN_2;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::math::{fewest, ln_below, ln_density};

/// Tosses beyond which nobody waits for a decision.
const MAX_NEEDED: u64 = 1 << 40;

/// Tosses at one place: informative exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Coin {
    /// Informative exchanges.
    pub n: u64,
    /// Those of them in which the candidate is the odd one.
    pub k: u64,
}

impl Coin {
    pub const CANDIDATE_ODD: Self = Self { n: 1, k: 1 };
    pub const OTHER_ODD: Self = Self { n: 1, k: 0 };

    /// The logarithm of the e-value.
    pub fn ln_e(self) -> f64 {
        if self.n == 0 {
            return 0.0;
        }
        let (heads, tails) = (self.k as f64, (self.n - self.k) as f64);
        // By Bayes: prior over posterior density at ½, and of the posterior only what lies above ½.
        let ratio = ln_density(1.0, 1.0, 0.5) - ln_density(heads + 1.0, tails + 1.0, 0.5);
        LN_2 + ratio + ln_below(tails + 1.0, heads + 1.0, 0.5)
    }

    /// How many more informative exchanges it takes until the e-value reaches e^`ln_threshold`, if the candidate is the odd
    /// one in all of them; none for a number that nobody waits for.
    pub fn needed(self, ln_threshold: f64) -> Option<u64> {
        let reaches = |more: u64| {
            let later = Self {
                n: self.n + more,
                k: self.k + more,
            };
            later.ln_e() >= ln_threshold
        };
        fewest(reaches, MAX_NEEDED)
    }
}

impl Coin {
    /// The logarithm of the probability that a fair coin has as many heads, at one look.
    pub(super) fn ln_chance(self) -> f64 {
        match self.k {
            0 => 0.0,
            k => ln_below(k as f64, (self.n - k) as f64 + 1.0, 0.5),
        }
    }

    /// Heads for tails.
    pub(super) const fn turned(self) -> Self {
        Self {
            n: self.n,
            k: self.n - self.k,
        }
    }
}

impl AddAssign for Coin {
    fn add_assign(&mut self, other: Self) {
        self.n += other.n;
        self.k += other.k;
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Random;
    use super::*;

    fn e(n: u64, k: u64) -> f64 {
        Coin { n, k }.ln_e()
    }

    fn close(got: f64, expect: f64) {
        assert!((got - expect).abs() < 1e-8, "{got} is not {expect}");
    }

    #[test]
    fn the_integral_has_its_value_for_small_and_large_counts() {
        close(e(0, 0), 0.0);
        // (2ⁿ⁺¹ − 1) / (n + 1) for heads only.
        close(e(10, 10), (2047.0_f64 / 11.0).ln());
        close(e(10, 0), -(11.0_f64.ln()));
        // By mpmath, with fifty digits.
        close(e(20, 20), 11.511_567_877_198_157);
        close(e(100, 60), 0.578_891_123_220_601_2);
        close(e(100, 50), -2.084_244_112_864_154_5);
        close(e(1000, 600), 17.579_427_835_531_417);
        close(e(10_000_000, 5_010_000), 12.859_901_965_949_338);
        close(e(10_000_000, 5_000_000), -7.833_256_547_834_427);
    }

    #[test]
    fn one_more_toss_of_a_fair_coin_leaves_the_expectation_as_it_is() {
        for (n, k) in [(0, 0), (1, 1), (7, 2), (40, 33), (200, 100)] {
            let mean = (e(n + 1, k).exp() + e(n + 1, k + 1).exp()) / 2.0;
            close(mean / e(n, k).exp(), 1.0);
        }
    }

    #[test]
    fn so_many_more_reach_the_threshold_and_one_less_does_not() {
        let threshold = 80_000.0_f64.ln();
        for (n, k) in [(0, 0), (5, 5), (10, 7), (400, 200)] {
            let more = Coin { n, k }.needed(threshold).unwrap();
            assert!(e(n + more, k + more) >= threshold, "{n} {k}");
            assert!(e(n + more - 1, k + more - 1) < threshold, "{n} {k}");
        }
        assert_eq!(Coin { n: 0, k: 0 }.needed(threshold), Some(20));
        assert_eq!(Coin { n: 30, k: 30 }.needed(threshold), Some(0));
        assert_eq!(Coin::default().needed(f64::INFINITY), None);
    }

    #[test]
    fn a_fair_coin_that_is_looked_at_after_each_toss_exceeds_twenty_in_at_most_five_of_a_hundred_runs()
     {
        let mut random = Random::new(7);
        let runs = 2_000;
        let exceeds = |random: &mut Random| {
            let mut coin = Coin::default();
            (0..300).any(|_| {
                coin += if random.chance(0.5) {
                    Coin::CANDIDATE_ODD
                } else {
                    Coin::OTHER_ODD
                };
                coin.ln_e() >= 20.0_f64.ln()
            })
        };
        let false_alarms = (0..runs).filter(|_| exceeds(&mut random)).count();
        assert!(false_alarms <= runs / 20, "{false_alarms} of {runs}");
    }
}
