//! Bounds of a quantile that hold at every look, from counts in fixed steps.
//!
//! **Null hypothesis** for a value x: at most (at least) a share q of all values is at most x. **Bound.** If the true quantile lies above x,
//! then so few values are at most x that a count far above q·n is improbable, and the other way round; "far" is by the martingale of
//! `rate`. Counts only grow with x, so a wrong bound at any step means a wrong count at the one step where the true quantile
//! lies: one test, however many steps there are. No shape of the distribution is assumed.
//!
//! **When it may be wrong.** Values that hang together (a slow minute hits all of them) are fewer than they are counted. Steps make the bounds
//! wider by one step.
//!
//! Source: S. Howard and A. Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification", Bernoulli
//! 28(3), 2022 (the beta-binomial variant).

use super::rate::{Mixture, Proportion};

/// Values beyond the quantile that the mixture is worth: tight from some times as many on.
const WEIGHT: f64 = 10.0;

/// Between which steps a quantile lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    /// The quantile is above this step; none if nothing is known.
    pub(super) above: Option<i32>,
    /// The quantile is at most in this step.
    pub(super) within: Option<i32>,
}

/// The steps that the `q` quantile lies between; each end is wrong with a probability of at most `alpha`, over all looks. `counts` has the
/// steps in ascending order.
pub(super) fn steps(counts: impl Iterator<Item = (i32, u64)>, q: f64, alpha: f64) -> Steps {
    let weight = WEIGHT / q.min(1.0 - q);
    let mixture = Mixture {
        a: weight * q,
        b: weight * (1.0 - q),
    };
    let mut n = 0;
    let cumulated: Vec<(i32, u64)> = counts
        .map(|(step, count)| {
            n += count;
            (step, n)
        })
        .collect();
    let is_far = |below: u64| Proportion::new(below, n).ln_e(q, mixture) >= -alpha.ln();
    let expected = q * n as f64;
    // The farther a count is from what is expected, the more certain it is: both ends are found by halving.
    let low = cumulated.partition_point(|(_, below)| (*below as f64) < expected && is_far(*below));
    let high = cumulated.partition_point(|(_, below)| *below as f64 <= expected || !is_far(*below));
    Steps {
        above: low.checked_sub(1).map(|last| cumulated[last].0),
        within: cumulated.get(high).map(|(step, _)| *step),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(counts: &BTreeMap<i32, u64>, q: f64, alpha: f64) -> Steps {
        steps(counts.iter().map(|(step, count)| (*step, *count)), q, alpha)
    }

    #[test]
    fn few_values_say_nothing_and_many_close_in() {
        let uniform = |each: u64| {
            (0..1_000)
                .map(|step| (step, each))
                .collect::<BTreeMap<_, _>>()
        };
        let few = (0..4).map(|step| (step * 250, 1)).collect();
        assert_eq!(of(&few, 0.99, 0.05).within, None);
        assert_eq!(
            of(&few, 0.5, 0.05),
            Steps {
                above: None,
                within: None
            }
        );
        let mut width = 1_000;
        for each in [1, 10, 100, 1_000] {
            let got = of(&uniform(each), 0.95, 0.025);
            let (above, within) = (got.above.unwrap(), got.within.unwrap_or(999));
            assert!(above < 949 && 949 <= within, "{each}: {got:?}");
            assert!(within - above < width, "{each}: {got:?}");
            width = within - above;
        }
        assert!(width < 20, "{width}");
    }
}
