//! Are the values that differ drawn from the same distribution? For places that vary by nature, with a control.
//!
//! **Null hypothesis.** Candidate and control run the same code, so where their values differ, the two are as likely the other way round.
//! **Tests.** *Few values*: of the exchanges in which exactly one of both has the value v, which one it is is a fair coin, for each v.
//! *Numbers*: which of both is larger is a fair coin. Each has the e-value of a `Coin`; the mean over them is an e-value again.
//!
//! **The guard.** The null hypothesis needs that instances of one version are alike there. A host's name, what a process counts for itself
//! or how long it took are not. So production and the control are held against each other in the same way ([`Spread::is_skewed`]):
//! where these differ more often in one direction than chance has it, in at most 1 of 100 places without a reason, the values say nothing.
//!
//! **Without a control** there are production and the candidate, and no two instances of one version. The shares of few values are compared;
//! numbers are only noted, because a slower machine is enough to make them larger.
//!
//! **When it may be wrong.** A clock or a counter is larger in the answer that came later: the order of the two has to alternate from
//! request to request. Two instances may be alike by chance where a third one is not. Changes that leave the middle and the shares
//! alone (only a wider spread) are not found.
//!
//! Source: Q. McNemar 1947 and the sign test (J. Arbuthnot 1710), each as a test martingale.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::coin::Coin;
use super::rate::excess;
use crate::noise::{HIGHER, LOWER};

/// Values that are told apart; a place that takes more has no shares that are worth counting.
const MAX_VALUES: usize = 16;
/// How often places of equal instances may be taken for skewed.
const SKEWED: f64 = 0.01;

/// How the values of candidate and control differ at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// By the digest of the value: the candidate has it, and the control has another.
    values: BTreeMap<u64, Coin>,
    /// There were more than are told apart.
    is_many: bool,
    /// The candidate's number is the larger one.
    larger: Coin,
}

impl Spread {
    /// The two values of one exchange, as texts; nothing if they are equal.
    pub fn add(&mut self, candidate: &str, control: &str) {
        if candidate == control {
            return;
        }
        let numbers = (candidate.parse::<f64>(), control.parse::<f64>());
        if let (Ok(ours), Ok(theirs)) = numbers
            && ours != theirs
        {
            self.larger += toss(ours > theirs);
        }
        self.count(xxh3_64(candidate.as_bytes()), toss(true));
        self.count(xxh3_64(control.as_bytes()), toss(false));
    }

    /// The same of two instances that may be unlike: numbers, or words for the lower and the higher one, are only ranked.
    pub fn add_ranked(&mut self, candidate: &str, other: &str) {
        let rank = |shown: &str| match shown {
            LOWER => Some(f64::NEG_INFINITY),
            HIGHER => Some(f64::INFINITY),
            number => number.parse::<f64>().ok(),
        };
        match (rank(candidate), rank(other)) {
            (Some(ours), Some(theirs)) if ours != theirs => self.larger += toss(ours > theirs),
            (Some(_), Some(_)) => {}
            _ => self.add(candidate, other),
        }
    }

    fn count(&mut self, value: u64, coin: Coin) {
        if self.is_many {
            return;
        }
        *self.values.entry(value).or_default() += coin;
        if self.values.len() > MAX_VALUES {
            self.is_many = true;
            self.values.clear();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && !self.is_many && self.larger.n == 0
    }

    /// Whether one of the two has a value, or the larger number, more often than chance has it.
    pub fn is_skewed(&self) -> bool {
        let ln_limit = (SKEWED / 2.0 / self.coins().count().max(1) as f64).ln();
        let ln_chance = |coin: Coin| coin.ln_chance().min(coin.turned().ln_chance());
        self.coins().any(|coin| ln_chance(coin) <= ln_limit)
    }

    /// Of so many requests, at least this share has another value, whichever of the two it is: values that one side has more often.
    pub fn excess(&self, requests: u64, alpha: f64) -> f64 {
        let alpha = alpha / self.coins().count().max(1) as f64;
        let all = self.coins().map(|coin| either_way(coin, requests, alpha));
        all.fold(0.0, f64::max)
    }

    /// The same of the numbers' ranks alone.
    pub fn excess_of_ranks(&self, requests: u64, alpha: f64) -> f64 {
        either_way(self.larger, requests, alpha)
    }

    /// Without the numbers' ranks, which were not to be compared.
    pub fn without_ranks(&self) -> Self {
        Self {
            larger: Coin::default(),
            ..self.clone()
        }
    }

    /// Of the numbers alone, in either direction.
    pub fn ln_e_of_ranks(&self) -> f64 {
        let either_way = self.larger.ln_e().exp() + self.larger.turned().ln_e().exp();
        (either_way / 2.0).ln().min(f64::MAX)
    }

    /// For each value, and for the larger number: which of the two has it.
    pub fn coins(&self) -> impl Iterator<Item = Coin> {
        let larger = (self.larger.n > 0).then_some(self.larger);
        self.values.values().copied().chain(larger)
    }

    /// The logarithm of the e-value.
    pub fn ln_e(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let number = self.ln_e_of_ranks().exp();
        // Values that did not come yet have an e-value of 1; a place that turned out to take many has lost its stake.
        let unseen = (MAX_VALUES - self.values.len()) as f64;
        let seen: f64 = self.values.values().map(|coin| coin.ln_e().exp()).sum();
        let values = if self.is_many {
            0.0
        } else {
            (seen + unseen) / MAX_VALUES as f64
        };
        ((number + values) / 2.0).ln().min(f64::MAX)
    }
}

fn either_way(coin: Coin, requests: u64, alpha: f64) -> f64 {
    let ours = excess(coin, requests, alpha / 2.0);
    ours.max(excess(coin.turned(), requests, alpha / 2.0))
}

fn toss(is_candidate: bool) -> Coin {
    if is_candidate {
        Coin::CANDIDATE_ODD
    } else {
        Coin::OTHER_ODD
    }
}

impl AddAssign<&Self> for Spread {
    fn add_assign(&mut self, other: &Self) {
        self.larger += other.larger;
        self.is_many |= other.is_many;
        if self.is_many {
            self.values.clear();
        }
        for (value, coin) in &other.values {
            self.count(*value, *coin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Random;
    use super::*;

    fn spread(random: &mut Random, n: u64, value: impl Fn(&mut Random, bool) -> String) -> Spread {
        let mut spread = Spread::default();
        for _ in 0..n {
            let (candidate, control) = (value(random, true), value(random, false));
            spread.add(&candidate, &control);
        }
        spread
    }

    fn few(random: &mut Random, b: f64) -> String {
        if random.chance(b) { "B" } else { "A" }.into()
    }

    #[test]
    fn ten_percent_b_before_and_sixty_after_is_found_and_the_same_shares_are_not() {
        let mut random = Random::new(1);
        let threshold = 51_200.0_f64.ln();
        let other = spread(&mut random, 200, |random, is_candidate| {
            few(random, if is_candidate { 0.6 } else { 0.1 })
        });
        assert!(other.ln_e() > threshold, "{}", other.ln_e());
        let same = spread(&mut random, 20_000, |random, _| few(random, 0.3));
        assert!(same.ln_e() < 1.0, "{}", same.ln_e());
    }

    #[test]
    fn numbers_that_grew_are_found_and_random_ids_are_not() {
        let mut random = Random::new(2);
        let grown = spread(&mut random, 700, |random, is_candidate| {
            let shift = if is_candidate { 0.5 } else { 0.0 };
            format!("{}", random.normal() + shift)
        });
        assert!(
            grown.is_many && grown.ln_e() > 51_200.0_f64.ln(),
            "{}",
            grown.ln_e()
        );
        let ids = spread(&mut random, 400, |random, _| {
            format!("id-{}", random.next())
        });
        assert!(ids.ln_e() <= 0.0);
    }

    #[test]
    fn parts_add_up_also_beyond_the_values_that_are_told_apart() {
        for values in [4, 40] {
            let mut pairs: Vec<_> = (0..200_u64).map(|i| (i % values, i * 7 % values)).collect();
            let whole = |pairs: &[(u64, u64)]| {
                let mut spread = Spread::default();
                for (a, b) in pairs {
                    spread.add(&a.to_string(), &b.to_string());
                }
                spread
            };
            let expect = whole(&pairs);
            Random::new(values).shuffle(&mut pairs);
            let mut sum = whole(&pairs[..60]);
            sum += &whole(&pairs[60..]);
            assert_eq!(sum, expect);
        }
    }
}
