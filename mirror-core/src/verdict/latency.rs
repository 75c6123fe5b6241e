//! Is the candidate slower than the control, in the middle or in the tail?
//!
//! **Null hypotheses**, for a rule such as `p50 > +5%` or `p99 > +10%`: the median of candidate/control, request by request, is at most 1.05; the
//! candidate's p99 is at most 1.1 times the control's. **Tests.** The median has a sign-test confidence sequence: the quantile ½ of the
//! paired log-ratios. Of p95 and p99 both sides have a bound by `quantile`, and the lower one of the candidate is compared with
//! 1.1 times the upper one of the control. Only counts are kept, in steps of 0.8 % for times and 0.5 % for ratios, so evidence adds up.
//!
//! **When it may be wrong.** Both have to run on like machines, get each request at the same time, and take turns in who gets it
//! first; repeats never count, and the first seconds of a run are set apart as cold. Against production there is only advice.
//! Tails take many requests: see the table in `docs/verdict.md`.
//!
//! Source: as `quantile`; HDR histograms by G. Tene.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::quantile::{Steps, steps};

/// Steps between two powers of two, as a power of two: each is at most 0.8 % wide.
const STEP_BITS: u32 = 7;
const STEPS: u64 = 1 << STEP_BITS;
/// Steps of ln(candidate / control) in 1.
const RATIO_STEPS: f64 = 200.0;
/// Ratios beyond e⁵ are as e⁵.
const MAX_RATIO: i32 = 1_000;
/// Times beyond some hour are as an hour.
const MAX_MICROS: u64 = 1 << 32;

/// Times of one side, in microseconds, counted in steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Times(BTreeMap<i32, u64>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(MAX_MICROS);
        *self.0.entry(step(micros.min(MAX_MICROS))).or_default() += 1;
    }

    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The quantile as it was seen; none without a time.
    pub fn at(&self, q: f64) -> Option<Duration> {
        let rank = (q * self.count() as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let found = self.0.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        found.map(|(step, _)| Duration::from_micros(lowest(*step)))
    }

    /// The quantile is at least and at most this; each end with probability 1 − `alpha` at all looks.
    pub fn bounds(&self, q: f64, alpha: f64) -> (Duration, Option<Duration>) {
        let Steps { above, within } =
            steps(self.0.iter().map(|(at, count)| (*at, *count)), q, alpha);
        let low = above.map_or(0, |step| lowest(step + 1));
        let high = within.map(|step| Duration::from_micros(lowest(step + 1)));
        (Duration::from_micros(low), high)
    }
}

impl AddAssign<&Self> for Times {
    fn add_assign(&mut self, other: &Self) {
        for (step, count) in &other.0 {
            *self.0.entry(*step).or_default() += count;
        }
    }
}

fn step(micros: u64) -> i32 {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(STEP_BITS + 1);
    // At most 33 · 128.
    (u64::from(shift) * STEPS + (micros >> shift)) as i32
}

/// The shortest time of a step, in microseconds.
fn lowest(step: i32) -> u64 {
    let step = u64::from(step.unsigned_abs());
    let shift = (step / STEPS).saturating_sub(1);
    (step - shift * STEPS) << shift
}

/// Candidate over control, counted in steps of the logarithm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratios(BTreeMap<i32, u64>);

impl Ratios {
    fn add(&mut self, candidate: Duration, control: Duration) {
        let micros = |time: Duration| time.as_secs_f64().max(1e-6);
        let ratio = (micros(candidate) / micros(control)).ln();
        let step = (ratio * RATIO_STEPS).floor() as i32;
        *self.0.entry(step.clamp(-MAX_RATIO, MAX_RATIO)).or_default() += 1;
    }

    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The median ratio as it was seen; none without a pair.
    pub fn middle(&self) -> Option<f64> {
        let half = self.count().div_ceil(2);
        let mut below = 0;
        let found = self.0.iter().find(|(_, count)| {
            below += **count;
            below >= half
        });
        found.map(|(step, _)| ((f64::from(*step) + 0.5) / RATIO_STEPS).exp())
    }

    /// The median ratio is at least and at most this; each end with probability 1 − `alpha` at all looks.
    pub fn median(&self, alpha: f64) -> (f64, f64) {
        let Steps { above, within } =
            steps(self.0.iter().map(|(at, count)| (*at, *count)), 0.5, alpha);
        let ratio = |step: i32| (f64::from(step) / RATIO_STEPS).exp();
        let low = above.map_or(0.0, |step| ratio(step + 1));
        (low, within.map_or(f64::INFINITY, |step| ratio(step + 1)))
    }
}

impl AddAssign<&Self> for Ratios {
    fn add_assign(&mut self, other: &Self) {
        for (step, count) in &other.0 {
            *self.0.entry(*step).or_default() += count;
        }
    }
}

/// The times of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    pub candidate: Times,
    pub control: Times,
    pub ratios: Ratios,
    /// Pairs that came while the run was cold.
    pub cold: u64,
    /// For advice: production's own, and the candidate's beside it without a control.
    pub production: Times,
    pub alone: Times,
}

/// The times of one request: from its last byte to the answer's first.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerDurations {
    pub production: Option<Duration>,
    pub candidate: Option<Duration>,
    pub control: Option<Duration>,
    /// It was sent while connections, caches and compilers were cold.
    pub is_cold: bool,
}

impl Latency {
    pub(super) fn add(&mut self, times: &AnswerDurations) {
        if times.is_cold {
            self.cold += 1;
            return;
        }
        if let Some(production) = times.production {
            self.production.add(production);
        }
        match (times.candidate, times.control) {
            (Some(candidate), Some(control)) => {
                self.candidate.add(candidate);
                self.control.add(control);
                self.ratios.add(candidate, control);
            }
            (Some(candidate), None) => self.alone.add(candidate),
            _ => {}
        }
    }

    /// By what the candidate's quantile is above the control's, at least and at most: 0.1 for +10 %. Each end with probability
    /// 1 − `alpha` at all looks.
    pub fn growth(&self, q: f64, alpha: f64) -> (f64, f64) {
        growth(&self.candidate, &self.control, q, alpha)
    }

    /// By what the quantile of the candidate without a control is above production's, at least.
    pub fn growth_alone(&self, q: f64, alpha: f64) -> f64 {
        self.change_alone(q, alpha).0
    }

    /// The same, at least and at most.
    pub(super) fn change_alone(&self, q: f64, alpha: f64) -> (f64, f64) {
        growth(&self.alone, &self.production, q, alpha)
    }
}

fn growth(ours: &Times, theirs: &Times, q: f64, alpha: f64) -> (f64, f64) {
    let (low, high) = ours.bounds(q, alpha / 2.0);
    let (other_low, other_high) = theirs.bounds(q, alpha / 2.0);
    let ratio = |a: Option<Duration>, b: Option<Duration>| match (a, b) {
        (Some(a), Some(b)) if !b.is_zero() => Some(a.as_secs_f64() / b.as_secs_f64()),
        _ => None,
    };
    let least = ratio(Some(low), other_high).unwrap_or(0.0);
    let most = ratio(high, Some(other_low)).unwrap_or(f64::INFINITY);
    (least - 1.0, most - 1.0)
}

impl AddAssign<&Self> for Latency {
    fn add_assign(&mut self, other: &Self) {
        self.candidate += &other.candidate;
        self.control += &other.control;
        self.ratios += &other.ratios;
        self.cold += other.cold;
        self.production += &other.production;
        self.alone += &other.alone;
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Random;
    use super::*;

    #[test]
    fn steps_are_narrow_and_leave_no_gap() {
        let mut last = -1;
        for micros in (0..100_000).chain([1 << 20, (1 << 32) - 1, 1 << 32]) {
            let step = step(micros);
            assert!(
                step == last || step == last + 1 || micros >= 100_000,
                "{micros}"
            );
            assert!(
                lowest(step) <= micros && micros < lowest(step + 1),
                "{micros} {step}"
            );
            let width = lowest(step + 1) - lowest(step);
            assert!(
                width == 1 || width as f64 / micros as f64 <= 0.0079,
                "{micros}"
            );
            last = step;
        }
    }

    /// A service with a long tail: 10 ms, log-normal, the machine's own moments shared by both.
    fn pairs(random: &mut Random, n: u32, median: f64, tail: f64) -> Latency {
        let mut latency = Latency::default();
        let millis = |ms: f64| Some(Duration::from_secs_f64(ms / 1_000.0));
        for _ in 0..n {
            let shared = (0.3 * random.normal()).exp();
            let mut own = || 10.0 * shared * (0.3 * random.normal()).exp();
            let (candidate, control) = (own(), own());
            let slow = if candidate > 22.0 { tail } else { 1.0 };
            latency.add(&AnswerDurations {
                candidate: millis(candidate * median * slow),
                control: millis(control),
                ..AnswerDurations::default()
            });
        }
        latency
    }

    #[test]
    fn a_median_that_is_forty_percent_up_is_found_in_three_hundred_pairs() {
        let mut random = Random::new(1);
        let level = 0.01 / 256.0;
        let slower = pairs(&mut random, 300, 1.4, 1.0);
        assert!(
            slower.ratios.median(level).0 > 1.05,
            "{:?}",
            slower.ratios.median(level)
        );
        let same = pairs(&mut random, 20_000, 1.0, 1.0);
        let (low, high) = same.ratios.median(0.05);
        assert!(low < 1.0 && 1.0 < high && high < 1.05, "{low} {high}");
    }

    #[test]
    fn a_tail_that_is_slower_is_found_where_the_middle_is_not() {
        let mut random = Random::new(2);
        let level = 0.01 / 256.0;
        let slower = pairs(&mut random, 30_000, 1.0, 1.6);
        assert!(
            slower.growth(0.99, level).0 > 0.1,
            "{:?}",
            slower.growth(0.99, level)
        );
        assert!(slower.ratios.median(level).1 < 1.05);
        let same = pairs(&mut random, 30_000, 1.0, 1.0);
        let (low, high) = same.growth(0.99, 0.05);
        assert!(low < 0.0 && 0.0 < high && high < 0.3, "{low} {high}");
    }

    #[test]
    fn cold_pairs_and_times_without_a_control_are_set_apart() {
        let mut latency = Latency::default();
        let ms = Some(Duration::from_millis(5));
        let times = AnswerDurations {
            production: ms,
            candidate: ms,
            control: ms,
            is_cold: true,
        };
        latency.add(&times);
        latency.add(&AnswerDurations {
            control: None,
            is_cold: false,
            ..times
        });
        assert_eq!(
            (
                latency.cold,
                latency.ratios.count(),
                latency.candidate.count()
            ),
            (1, 0, 0)
        );
        assert_eq!((latency.alone.count(), latency.production.count()), (1, 1));
        assert_eq!(latency.growth(0.99, 0.05), (-1.0, f64::INFINITY));
    }

    #[test]
    fn parts_add_up() {
        let mut random = Random::new(3);
        let mut sum = Latency::default();
        let parts: Vec<_> = (0..3).map(|_| pairs(&mut random, 500, 1.1, 1.2)).collect();
        for part in parts.iter().rev() {
            sum += part;
        }
        let whole = pairs(&mut Random::new(3), 1_500, 1.1, 1.2);
        assert_eq!(sum, whole);
        assert_eq!(sum.ratios.count(), 1_500);
    }
}
