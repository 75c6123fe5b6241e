//! Do the tosses at a place hang together? Each of them counts as independent; a cache in each process answers the same request
//! alike for a while, and then twenty tosses are one.
//!
//! **What is looked at.** For each request (by its digest) and each place, how many exchanges of that request lie between two in which
//! the candidate differs there. If exchanges are independent, a gap is 1 as often as the place differs at all ([`Gaps`]). A cache makes
//! runs: many gaps of 1, and a long one between two runs. A change that hits a request always has only gaps of 1, which is as often as
//! it differs.
//!
//! **What follows.** Of a group that hangs together, at most one toss for each request in [`APART`] counts, and its values are not
//! compared. Of the others each toss counts: where chance alone makes the runs, they are taken for hanging in some 1 of 1,000 groups, which
//! costs tosses and no error.
//!
//! **When it may be wrong.** A run that began before the first request was seen has no gap before it. A value that all requests share
//! (a rate of exchange that each process keeps for a minute) hangs over requests, which is not seen. A cache that lives longer than
//! [`APART`] still tosses once in each such time.
//!
//! **Limits.** So many requests and places are told apart; those beyond them are taken for different ones.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::time::Duration;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use std::hash::BuildHasher;
use xxhash_rust::xxh3::xxh3_64;

use crate::compare::{Kind, Place};
use crate::noise::is_derived;
use crate::time::Timestamp;

/// Between two tosses of one request that count where tosses hang together.
const APART: Duration = Duration::from_secs(60);
/// Requests that are told apart, of some 16 bytes each.
const MAX_REQUESTS: usize = 65_536;
/// Places of these, of some 48 bytes each.
const MAX_PLACES: usize = 262_144;
/// Gaps before anything is told by them.
const MIN_GAPS: u64 = 5;
/// Steps to another value before the time is believed to make them.
const MIN_STEPS: u64 = 2;
/// Exchanges for which a value stays, on average, where the time makes it another one.
const LASTING: u64 = 3;
/// Standard deviations, squared: 3.
const HANGING: f64 = 9.0;

type Table<V> = HashMap<u64, V, FixedState>;

/// What was seen of each request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Recent {
    /// Exchanges of each request.
    requests: Table<u64>,
    places: Table<Shown>,
}

/// A place of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Shown {
    /// The number of the exchange of this request in which the candidate differed last.
    number: u64,
    /// When a toss counted last.
    counted_at: Option<Timestamp>,
    /// Digests of the value that production had then, and of another one before it.
    value: u64,
    before: u64,
    /// The number that production had last, and when, if it is one.
    counted: Option<(f64, Timestamp)>,
}

impl Shown {
    fn step(&self, value: u64) -> Step {
        if value == self.value {
            Step::Stays
        } else if value == self.before {
            Step::Returns
        } else {
            Step::GoesOn
        }
    }

    /// Whether the number has gone on by the seconds that passed, as what counts them does.
    fn counts_seconds(&self, number: Option<f64>, at: Timestamp) -> bool {
        let (Some((before, then)), Some(number)) = (self.counted, number) else {
            return false;
        };
        let passed = at.0.abs_diff(then.0) as f64 / 1e9;
        (number - before - passed).abs() <= 1.0
    }
}

/// What is known of a place of one request when the candidate differs there again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Again {
    /// Exchanges of the request between this one and the last that did, or the first of all.
    pub(super) gap: Option<u64>,
    /// What became of production's value meanwhile; none where there is nothing before.
    pub(super) step: Option<Step>,
    /// Production's number has gone on by the seconds that passed.
    pub(super) counts_seconds: bool,
}

/// What became of production's value at a place of one request, from one exchange in which the candidate differs to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Stays,
    /// It is the one again that was there before the last.
    Returns,
    GoesOn,
}

/// One exchange of a request that is told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered {
    request: u64,
    /// From 1.
    number: u64,
    at: Timestamp,
}

impl Recent {
    /// The next exchange of this request.
    pub(super) fn number(&mut self, request: u64, at: Timestamp) -> Option<Numbered> {
        if self.requests.len() >= MAX_REQUESTS && !self.requests.contains_key(&request) {
            return None;
        }
        let number = self.requests.entry(request).or_default();
        *number += 1;
        Some(Numbered {
            request,
            number: *number,
            at,
        })
    }

    /// The candidate differs there.
    pub(super) fn shows(
        &mut self,
        exchange: Numbered,
        key: &(Place, Kind),
        production: &str,
    ) -> Again {
        let Some(shown) = self.place(exchange, key) else {
            return Again::default();
        };
        // What goes beyond the way in which a place varies does not show before that is known.
        let before = match shown.number {
            0 if is_derived(key.1) => exchange.number,
            number => number.max(1),
        };
        let gap = exchange.number - before;
        let value = xxh3_64(production.as_bytes());
        let step = (shown.number > 0).then(|| shown.step(value));
        let number = production.parse().ok();
        let counts_seconds = shown.counts_seconds(number, exchange.at);
        shown.counted = number.map(|number| (number, exchange.at));
        shown.number = exchange.number;
        if step != Some(Step::Stays) {
            (shown.before, shown.value) = (shown.value, value);
        }
        Again {
            gap: (gap > 0).then_some(gap),
            step,
            counts_seconds,
        }
    }

    /// Whether a toss there counts where tosses hang together.
    pub(super) fn is_apart(&mut self, exchange: Numbered, key: &(Place, Kind)) -> bool {
        let Some(shown) = self.place(exchange, key) else {
            return true;
        };
        let is_near =
            |last: Timestamp| u128::from(exchange.at.0.abs_diff(last.0)) < APART.as_nanos();
        if shown.counted_at.is_some_and(is_near) {
            return false;
        }
        shown.counted_at = Some(exchange.at);
        true
    }

    fn place(&mut self, exchange: Numbered, key: &(Place, Kind)) -> Option<&mut Shown> {
        let digest = FixedState::default().hash_one((exchange.request, key));
        if self.places.len() >= MAX_PLACES && !self.places.contains_key(&digest) {
            return None;
        }
        Some(self.places.entry(digest).or_default())
    }
}

/// The steps of a group, over all requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Steps {
    stays: u64,
    returns: u64,
    goes_on: u64,
    /// Of all, those in which production's number had gone on by the seconds that passed, and the candidate, which answers later, was ahead by
    /// one or less.
    ahead: u64,
    /// Of all, those in which the candidate's number is known to be the higher one, and no more.
    higher: u64,
}

impl Steps {
    pub(super) fn add(&mut self, step: Step, is_ahead: bool, is_higher: bool) {
        *match step {
            Step::Stays => &mut self.stays,
            Step::Returns => &mut self.returns,
            Step::GoesOn => &mut self.goes_on,
        } += 1;
        self.ahead += u64::from(is_ahead);
        self.higher += u64::from(is_higher);
    }

    /// Whether the higher number changes sides more rarely than chance has it, as that of two caches does which are renewed at other times.
    pub(super) fn are_in_runs(self) -> bool {
        let all = (self.stays + self.returns + self.goes_on) as f64;
        let share = self.higher as f64 / all;
        let changes = (self.returns + self.goes_on) as f64;
        let lack = 2.0 * share * (1.0 - share) * all - changes;
        lack > 0.0 && lack * lack > HANGING * (lack + changes)
    }

    /// Whether production's value goes on to another one, which is not one of two that come in turn, and the time decides: it stays for a while, as what
    /// a cache keeps, or the candidate is always one second ahead.
    pub(super) const fn are_those_of_time(self) -> bool {
        let all = self.stays + self.returns + self.goes_on;
        self.goes_on >= MIN_STEPS
            && self.goes_on > 2 * self.returns
            && (self.stays >= LASTING * self.goes_on || 10 * self.ahead >= 9 * all)
    }
}

impl AddAssign for Steps {
    fn add_assign(&mut self, other: Self) {
        self.stays += other.stays;
        self.returns += other.returns;
        self.goes_on += other.goes_on;
        self.ahead += other.ahead;
        self.higher += other.higher;
    }
}

/// The gaps of a group, over all requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gaps {
    count: u64,
    /// Those of 1.
    ones: u64,
    /// Exchanges in all of them.
    exchanges: u64,
}

impl Gaps {
    pub(super) fn add(&mut self, gap: u64) {
        self.count += 1;
        self.ones += u64::from(gap == 1);
        self.exchanges += gap;
    }

    /// Whether more of them are 1 than chance has it.
    pub(super) fn hang_together(self) -> bool {
        let (count, exchanges) = (self.count as f64, self.exchanges as f64);
        let share = count / exchanges;
        let excess = self.ones as f64 - count * share;
        let is_more = excess > 0.0 && excess * excess > HANGING * count * share * (1.0 - share);
        self.count >= MIN_GAPS && is_more
    }
}

impl AddAssign for Gaps {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.ones += other.ones;
        self.exchanges += other.exchanges;
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Random;
    use super::*;

    fn key() -> (Place, Kind) {
        (Place::Json("/a".into()), Kind::Value)
    }

    /// The gaps of one request whose exchanges differ as told.
    fn gaps(differs: impl IntoIterator<Item = bool>) -> Gaps {
        let (mut recent, mut gaps) = (Recent::default(), Gaps::default());
        for differs in differs {
            let exchange = recent.number(7, Timestamp(1)).unwrap();
            if differs && let Some(gap) = recent.shows(exchange, &key(), "1").gap {
                gaps.add(gap);
            }
        }
        gaps
    }

    #[test]
    fn runs_hang_together_and_what_always_or_now_and_then_differs_does_not() {
        assert!(!gaps([true; 500]).hang_together());
        let mut random = Random::new(5);
        for share in [0.01, 0.1, 0.5, 0.9] {
            let differs: Vec<_> = (0..3_000).map(|_| random.chance(share)).collect();
            assert!(!gaps(differs).hang_together(), "{share}");
        }
        let runs = (0..3_000).map(|n| n / 40 % 5 == 3);
        assert!(gaps(runs).hang_together());
        // The first run is known by what was before it.
        let first = (0..70).map(|n| n >= 50);
        assert!(gaps(first).hang_together());
    }

    /// Whether the time makes production's values, of one request and by the candidate's.
    fn are_of_time(values: impl IntoIterator<Item = u64>, is_ahead: bool) -> bool {
        let (mut recent, mut steps) = (Recent::default(), Steps::default());
        for (second, value) in (1..).zip(values) {
            let at = Timestamp(second * 1_000_000_000);
            let exchange = recent.number(7, at).unwrap();
            let again = recent.shows(exchange, &key(), &value.to_string());
            let is_ahead = is_ahead && again.counts_seconds;
            let step = again.step.into_iter();
            step.for_each(|step| steps.add(step, is_ahead, false));
        }
        steps.are_those_of_time()
    }

    #[test]
    fn a_number_that_is_higher_for_a_while_is_in_runs_and_one_that_is_so_by_chance_is_not() {
        let are_in_runs = |sides: &mut dyn Iterator<Item = bool>| {
            let (mut recent, mut steps) = (Recent::default(), Steps::default());
            for is_higher in sides {
                let exchange = recent.number(7, Timestamp(1)).unwrap();
                let again = recent.shows(exchange, &key(), &is_higher.to_string());
                let step = again.step.into_iter();
                step.for_each(|step| steps.add(step, false, is_higher));
            }
            steps.are_in_runs()
        };
        assert!(are_in_runs(&mut (0..400).map(|n| n % 20 < 6)));
        assert!(!are_in_runs(&mut (0..400).map(|_| true)));
        let mut random = Random::new(9);
        for share in [0.1, 0.5, 0.9] {
            assert!(!are_in_runs(&mut (0..400).map(|_| random.chance(share))));
        }
    }

    #[test]
    fn a_value_that_lasts_and_goes_on_is_of_the_time_and_one_that_stays_or_comes_in_turn_is_not() {
        assert!(are_of_time((0..60).map(|n| n / 20), false), "a cache");
        assert!(are_of_time(0..20, true), "a second more");
        let prices = (0..20).map(|n| n * 37 % 100);
        assert!(!are_of_time(prices, true), "a cent more than any price");
        assert!(!are_of_time(0..20, false), "each answer has its own");
        assert!(!are_of_time([5; 60], true), "always the same");
        assert!(
            !are_of_time((0..60).map(|n| u64::from(n % 20 == 7)), false),
            "errors"
        );
        assert!(
            !are_of_time((0..30).map(|n| n / 20), false),
            "it changed once"
        );
    }

    #[test]
    fn one_toss_a_minute_of_each_request_counts() {
        let mut recent = Recent::default();
        let mut is_apart = |request: u64, second: u64| {
            let at = Timestamp(second * 1_000_000_000);
            let exchange = recent.number(request, at).unwrap();
            recent.is_apart(exchange, &key())
        };
        assert!(is_apart(1, 100));
        assert!(!is_apart(1, 159));
        assert!(is_apart(2, 159));
        assert!(!is_apart(1, 99), "they may come in another order");
        assert!(is_apart(1, 160));
    }

    #[test]
    fn tables_are_bounded() {
        let mut recent = Recent::default();
        for request in 0..MAX_REQUESTS as u64 + 10 {
            if let Some(exchange) = recent.number(request, Timestamp(1)) {
                for kind in [
                    Kind::Value,
                    Kind::Missing,
                    Kind::Added,
                    Kind::Order,
                    Kind::Type,
                ] {
                    recent.is_apart(exchange, &(Place::Body, kind));
                }
            }
        }
        assert_eq!(recent.requests.len(), MAX_REQUESTS);
        assert_eq!(recent.places.len(), MAX_PLACES);
    }
}
