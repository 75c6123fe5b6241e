//! How often does something happen: bounds of a rate that hold at every look.
//!
//! **Null hypothesis** for a rate `p`: each of `n` requests is hit with probability p, independently of the others. **Bound.** With a
//! Beta(a, b) distribution over the rates, the mixture's likelihood over p's own is a martingale:
//!
//! ```text
//! M(p) = B(a+k, b+n−k) / B(a, b) / ( pᵏ · (1−p)ⁿ⁻ᵏ )
//! ```
//!
//! All p with M(p) < 1/α form a confidence sequence: the true rate is among them at all looks together with a probability of at least
//! 1 − α. Which a and b only decides where it is tight: Beta(½, ½/limit) is for rates about `limit`, so that 0.1 % is shown by 4,104
//! requests without a hit (a bound for one look only needs 2,995, and errs far more often when it is looked at again and again).
//!
//! **When it may be wrong.** Requests that hang together (one customer's, one bad minute's) are fewer than they are counted; and
//! it speaks of the traffic that came, not of the traffic of another day.
//!
//! Source: H. Robbins 1970; S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
//! sequences", Annals of Statistics 49(2), 2021 (beta-binomial mixture).

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::coin::Coin;
use super::math::{fewest, ln_density};

/// Requests beyond which nobody waits for a decision.
const MAX_NEEDED: u64 = 1 << 40;
/// Halvings of an interval: as many as a number has digits.
const HALVINGS: u32 = 60;

/// For the rates at which changes are found: some percent.
pub(super) const RATES: Mixture = Mixture { a: 0.5, b: 50.0 };

/// How a mixture weighs the rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture {
    pub a: f64,
    pub b: f64,
}

impl Mixture {
    /// For rates of which nothing is known.
    pub const FLAT: Self = Self { a: 0.5, b: 0.5 };

    /// Tight about a limit, as for "at most 0.1 %".
    pub fn about(limit: f64) -> Self {
        let limit = limit.clamp(1e-9, 0.5);
        Self {
            a: 0.5,
            b: 0.5 / limit,
        }
    }
}

/// Of so many requests, heads come up in at least this share more than tails: the share of requests with a toss, times how much more often than tails heads
/// come up in them. Half of the error is for each of the two, and that of the share for two mixtures, of which one is tight about some percent.
pub(super) fn excess(coin: Coin, requests: u64, alpha: f64) -> f64 {
    let tossed = Proportion::new(coin.n, requests);
    let tossed = [RATES, Mixture::FLAT].map(|mixture| tossed.lower(mixture, alpha / 4.0));
    let heads = Proportion::new(coin.k, coin.n).lower(Mixture::FLAT, alpha / 2.0);
    match coin.n {
        0 => 0.0,
        _ => tossed[0].max(tossed[1]) * (2.0 * heads - 1.0),
    }
}

/// Hits among requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proportion {
    pub n: u64,
    pub hits: u64,
}

impl Proportion {
    pub fn new(hits: u64, n: u64) -> Self {
        Self {
            n,
            hits: hits.min(n),
        }
    }

    /// The share that was seen; none without requests.
    pub fn share(self) -> Option<f64> {
        (self.n > 0).then(|| self.hits as f64 / self.n as f64)
    }

    /// ln M(p).
    pub fn ln_e(self, p: f64, mixture: Mixture) -> f64 {
        let (hits, misses) = (self.hits as f64, (self.n - self.hits) as f64);
        // By Bayes: prior over posterior density.
        ln_density(mixture.a, mixture.b, p) - ln_density(mixture.a + hits, mixture.b + misses, p)
    }

    /// The rate is at most this, with probability 1 − `alpha` at all looks.
    pub fn upper(self, mixture: Mixture, alpha: f64) -> f64 {
        self.root(self.share().unwrap_or(0.0), 1.0, mixture, alpha)
    }

    /// The rate is at least this, with probability 1 − `alpha` at all looks.
    pub fn lower(self, mixture: Mixture, alpha: f64) -> f64 {
        self.root(self.share().unwrap_or(1.0), 0.0, mixture, alpha)
    }

    /// Where M becomes 1/α on the way from the share that was seen to `end`; rounded towards the end.
    fn root(self, share: f64, end: f64, mixture: Mixture, alpha: f64) -> f64 {
        if share == end {
            return end;
        }
        let (mut inside, mut outside) = (share, end);
        for _ in 0..HALVINGS {
            let middle = (inside + outside) / 2.0;
            if middle <= 0.0 || middle >= 1.0 || self.ln_e(middle, mixture) >= -alpha.ln() {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    }

    /// How many more requests without a hit it takes to show that the rate is below `limit`; none for a number that nobody waits for.
    pub fn needed(self, limit: f64, mixture: Mixture, alpha: f64) -> Option<u64> {
        let is_shown = |more: u64| {
            let later = Self {
                n: self.n + more,
                ..self
            };
            later.share().is_some_and(|share| share < limit)
                && later.ln_e(limit, mixture) >= -alpha.ln()
        };
        if !(0.0..1.0).contains(&limit) || limit == 0.0 {
            return None;
        }
        fewest(is_shown, MAX_NEEDED)
    }
}

impl AddAssign for Proportion {
    fn add_assign(&mut self, other: Self) {
        self.n += other.n;
        self.hits += other.hits;
    }
}

/// The same event on two sides of each request: an error, a cache hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    pub n: u64,
    pub both: u64,
    pub candidate_only: u64,
    pub other_only: u64,
}

impl Paired {
    pub fn add(&mut self, candidate: bool, other: bool) {
        self.n += 1;
        match (candidate, other) {
            (true, true) => self.both += 1,
            (true, false) => self.candidate_only += 1,
            (false, true) => self.other_only += 1,
            (false, false) => {}
        }
    }

    pub fn candidate(self) -> Proportion {
        Proportion::new(self.both + self.candidate_only, self.n)
    }

    pub fn other(self) -> Proportion {
        Proportion::new(self.both + self.other_only, self.n)
    }

    /// By how much the candidate's rate is above the other's, from at least to at most. Events of both sides cancel out, so only
    /// the requests in which the two differ make it uncertain.
    pub fn excess(self, mixture: Mixture, alpha: f64) -> (f64, f64) {
        let candidate = Proportion::new(self.candidate_only, self.n);
        let other = Proportion::new(self.other_only, self.n);
        let bounds = |rate: Proportion| {
            (
                rate.lower(mixture, alpha / 2.0),
                rate.upper(mixture, alpha / 2.0),
            )
        };
        let (candidate, other) = (bounds(candidate), bounds(other));
        (candidate.0 - other.1, candidate.1 - other.0)
    }
}

impl AddAssign for Paired {
    fn add_assign(&mut self, other: Self) {
        self.n += other.n;
        self.both += other.both;
        self.candidate_only += other.candidate_only;
        self.other_only += other.other_only;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: f64 = 0.001;

    fn needed(hits: u64, n: u64) -> Option<u64> {
        Proportion { n, hits }.needed(LIMIT, Mixture::about(LIMIT), 0.05)
    }

    #[test]
    fn a_tenth_of_a_percent_takes_four_thousand_requests_without_a_hit() {
        assert_eq!(needed(0, 0), Some(4_104));
        assert_eq!(needed(0, 2_192), Some(1_912));
        assert_eq!(needed(0, 4_104), Some(0));
        // Each hit costs some two to three thousand more.
        let more: Vec<u64> = (1..4).map(|hits| needed(hits, 0).unwrap()).collect();
        assert_eq!(more, [7_070, 9_345, 11_370]);
        assert_eq!(
            Proportion::default().needed(0.0, Mixture::about(0.0), 0.05),
            None
        );
    }

    #[test]
    fn bounds_enclose_the_share_and_close_in_on_it() {
        let mixture = Mixture::FLAT;
        let mut width = 1.0;
        for n in [10, 100, 1_000, 100_000, 10_000_000] {
            let rate = Proportion { n, hits: n / 10 };
            let (low, high) = (rate.lower(mixture, 0.05), rate.upper(mixture, 0.05));
            assert!(low < 0.1 && 0.1 < high, "{n}: {low} {high}");
            assert!(high - low < width, "{n}: {low} {high}");
            width = high - low;
        }
        assert_eq!(Proportion::default().upper(mixture, 0.05), 1.0);
        assert_eq!(Proportion::default().lower(mixture, 0.05), 0.0);
        assert_eq!(Proportion { n: 9, hits: 0 }.lower(mixture, 0.05), 0.0);
        assert_eq!(Proportion { n: 9, hits: 9 }.upper(mixture, 0.05), 1.0);
    }

    #[test]
    fn heads_that_are_many_more_than_tails_are_a_share_of_their_own() {
        let check = |n, k, requests, range: std::ops::Range<f64>| {
            let found = excess(Coin { n, k }, requests, 0.001);
            assert!(range.contains(&found), "{k} of {n} in {requests}: {found}");
        };
        // A value of 20 % became one of 40 %, or one of 1 % one of 4 %.
        check(306, 215, 667, 0.01..0.19);
        check(250, 200, 5_000, 0.01..0.03);
        check(306, 170, 667, -1.0..0.0);
        check(0, 0, 667, 0.0..0.1);
        // Some twenty heads without tails are more than a tenth of a percent.
        check(20, 20, 667, 0.001..0.01);
    }

    #[test]
    fn events_of_both_sides_cancel_out() {
        let noisy = Paired {
            n: 5_000,
            both: 2_500,
            ..Paired::default()
        };
        let (low, high) = noisy.excess(Mixture::about(0.005), 0.05);
        assert!(low <= 0.0 && (0.0..0.002).contains(&high), "{low} {high}");
        let worse = Paired {
            candidate_only: 100,
            ..noisy
        };
        let (low, high) = worse.excess(Mixture::about(0.005), 0.05);
        assert!(low > 0.01 && high < 0.03, "{low} {high}");
        assert_eq!(worse.candidate().share(), Some(0.52));
        assert_eq!(worse.other().share(), Some(0.5));
    }
}
