//! Which of many tests count: the share of false findings is bounded over everything that can fail a run, at any look.
//!
//! **Null hypothesis** of the family: each group's own (see [`Coin`](super::Coin)). **Procedure** (e-BH): of the e-values, sorted
//! from the largest, reject as many as satisfy `e₍ᵣ₎ ≥ m / (α·r)`. The expected share of false ones among the rejected is at most α,
//! however the e-values depend on each other. In a run without any real difference, this share is the probability of a FAIL.
//!
//! **The size of the family, `m`.** Groups come up one by one, so their number is not known beforehand, and dividing by the number
//! so far would let the first ones in too cheaply: looked at all the time, the error would grow by 1/1 + 1/2 + 1/3 + … . Counted
//! are groups that can fail the run and that had at least one informative exchange. For `j` of them
//!
//! ```text
//! m(j) = 800                         for j ≤ 640
//! m(j) = 5·j·(1 + ln(j / 640))²      for more
//! ```
//!
//! When the j-th group comes up, and ever after, m is at least m(j), and its e-value has an expectation of at most 1 at any stopping time.
//! So the error is at most α · Σ 1/m(j) over all j ≥ 1, and that sum is at most 640/800 + ⅕·∫ du/(1+u)² = 1. It holds at every look, for any number
//! of groups, and the formula knows nothing but the number, so that evidence can be added up in any order. The price of not
//! knowing the number is small: 20 informative exchanges without a contrary one are enough up to 640 groups (α = 1 %), 24 for 1,000;
//! the more groups are real, the fewer each needs.
//!
//! **When it may be wrong.** It bounds the share of false findings where the null hypotheses are right; it does not bound what is not found.
//!
//! Source: R. Wang and A. Ramdas, "False discovery rate control with e-values", JRSS B 84(3), 2022; the family that grows is
//! weighted as in their section on weighted e-BH, with weights by the order of coming up.

/// Groups up to which the size of the family is the same, and that size: four fifths of the error are theirs.
const FIRST: u64 = 640;
const SIZE: f64 = 800.0;

/// The size of the family when so many groups have come up: at least m(j) for the j-th.
pub fn family(groups: u64) -> f64 {
    if groups <= FIRST {
        return SIZE;
    }
    let growth = 1.0 + (groups as f64 / FIRST as f64).ln();
    5.0 * groups as f64 * growth * growth
}

/// The logarithm of the e-value from which on tests are rejected, for a family of `size`. Where none is rejected, it is what the first one needs.
pub fn ln_threshold(ln_e: impl IntoIterator<Item = f64>, size: f64, alpha: f64) -> f64 {
    let mut sorted: Vec<f64> = ln_e.into_iter().collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let ln_first = (size / alpha).ln();
    let needed = |rank: usize| ln_first - (rank as f64).ln();
    let rejected = (1..=sorted.len())
        .rev()
        .find(|rank| sorted[rank - 1] >= needed(*rank));
    // A group that comes next to those that are rejected needs a little less.
    needed(rejected.unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::super::coin::Coin;
    use super::*;

    #[test]
    fn the_weights_of_all_groups_add_up_to_at_most_one() {
        let sum: f64 = (1..=3_000_000).map(|j| 1.0 / family(j)).sum();
        assert!((0.9..=1.0).contains(&sum), "{sum}");
    }

    #[test]
    fn the_more_are_real_the_less_each_needs() {
        let check = |e: &[f64], expect: f64| {
            let got = ln_threshold(e.iter().map(|e: &f64| e.ln()), 100.0, 0.01).exp();
            assert!((got / expect - 1.0).abs() < 1e-9, "{e:?}: {got}");
        };
        check(&[], 10_000.0);
        check(&[9_999.0, 1.0], 10_000.0);
        check(&[10_001.0, 4_999.0], 10_000.0);
        check(&[5_001.0, 5_001.0, 1.0], 5_000.0);
        check(&[2_501.0, 2_501.0, 2_501.0, 2_501.0], 2_500.0);
    }

    #[test]
    fn twenty_hits_among_six_hundred_groups_are_found() {
        let real = Coin { n: 20, k: 20 };
        let noise = (0..600).map(|i| Coin { n: i, k: i / 2 });
        let all: Vec<f64> = noise.chain([real]).map(Coin::ln_e).collect();
        let threshold = ln_threshold(all.iter().copied(), family(601), 0.01);
        let found: Vec<_> = all.iter().filter(|e| **e >= threshold).collect();
        assert_eq!(found.len(), 1, "{threshold}");
        // One answer of the noise's making does not hide it, with four hits more.
        assert!(Coin { n: 25, k: 24 }.ln_e() >= threshold);
    }
}
