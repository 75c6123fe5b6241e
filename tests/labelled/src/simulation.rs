//! Runs of which the truth is known: how often a decision is wrong, and what is found.
//!
//! An answer has places that vary by nature, whoever answers, and places where the candidate was changed. Noise is not explained here,
//! so that the tests alone have to tell the two apart.

use std::time::Duration;

use mirror_core::compare::{Kind, Observation, Place};
use mirror_core::ledger::Outcome;
use mirror_core::noise::RepeatPlan;
use mirror_core::time::Timestamp;
use mirror_core::verdict::{
    Coin, Control, Decision, Differences, Evidence, Finding, Judgement, Mixture, Proportion,
    Repeat, Request, Times, Trial, VerdictPolicy, decide, family, ln_threshold,
};

use crate::random::Random;
use crate::run::Way;

/// A place of all answers of a route.
#[derive(Clone, Copy)]
enum Nature {
    /// Two values, of which the second comes with this probability.
    Flips(f64),
    /// A new value each time.
    Random,
    /// The candidate has another value in this share of the requests.
    Changed(f64),
}

/// The second version of the service, or the same one.
struct Service {
    places: Vec<(Nature, Observation)>,
}

impl Service {
    fn new(natures: &[Nature]) -> Self {
        let places = natures.iter().enumerate().map(|(index, nature)| {
            let observation = Observation {
                place: Place::Json(format!("/{index}")),
                kind: Kind::Value,
                count: 1,
                production: "a".into(),
                mirror: "b".into(),
            };
            (*nature, observation)
        });
        Self {
            places: places.collect(),
        }
    }

    /// The values of one answer, as numbers.
    fn answer(&self, random: &mut Random, changes: &[bool], is_candidate: bool) -> Vec<u64> {
        let places = self.places.iter().zip(changes);
        places
            .map(|((nature, _), is_hit)| match nature {
                Nature::Flips(p) => u64::from(random.chance(*p)),
                Nature::Random => random.next(),
                Nature::Changed(_) => u64::from(is_candidate && *is_hit),
            })
            .collect()
    }

    fn differences(&self, a: &[u64], b: &[u64]) -> Vec<Observation> {
        let values = a.iter().zip(b).zip(&self.places);
        let differing = values.filter(|((a, b), _)| a != b);
        differing
            .map(|(_, (_, observation))| observation.clone())
            .collect()
    }

    fn request(
        &self,
        random: &mut Random,
        (evidence, plan): (&mut Evidence, &mut RepeatPlan),
        route: &str,
        at: u64,
        way: Way,
    ) {
        let changes: Vec<bool> = self
            .places
            .iter()
            .map(|(nature, _)| match nature {
                Nature::Changed(p) => random.chance(*p),
                _ => false,
            })
            .collect();
        let mut answer = |is_candidate| self.answer(random, &changes, is_candidate);
        let (production, candidate) = (answer(false), answer(true));
        let other = answer(way == Way::Repeats);
        let found = self.differences(&production, &candidate);
        let to_production = self.differences(&production, &other);
        let to_candidate = self.differences(&candidate, &other);
        let differences = |left| Differences {
            left,
            ..Differences::default()
        };
        let mut trial = Trial {
            route,
            at: Timestamp(at),
            request: None,
            production_status: 200,
            candidate_status: 200,
            candidate: differences(&found),
            control: None,
            repeat: None,
            durations: Default::default(),
            cache: Default::default(),
        };
        match way {
            Way::Control => {
                trial.control = Some(Control {
                    status: 200,
                    differences: differences(&to_production),
                })
            }
            // As the agent does it: a budget for each group, and few of all requests.
            Way::Repeats if plan.is_due(route) || plan.is_rechecked(route, &found) => {
                trial.repeat = Some(Repeat {
                    to_candidate: differences(&to_candidate),
                    to_production: differences(&to_production),
                })
            }
            Way::Neither | Way::Repeats => {}
        }
        let request = Request {
            route,
            method: "GET",
            size: 100,
            at: Timestamp(at * 1_000_000),
        };
        evidence.ended(&request, Outcome::Matched);
        evidence.observe(&trial);
    }
}

/// Noise at rates from half a percent to always.
fn noise() -> Vec<Nature> {
    let rates = [0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5];
    let mut places = vec![Nature::Random, Nature::Random];
    places.extend(rates.map(Nature::Flips));
    places
}

fn policy() -> VerdictPolicy {
    VerdictPolicy {
        max_noise: "100%".parse().unwrap(),
        ..VerdictPolicy::default()
    }
}

const ROUTES: [&str; 3] = ["GET /a", "GET /b", "GET /c"];

fn run(random: &mut Random, service: &Service, each: u64, way: Way) -> Judgement {
    let (mut evidence, mut plan) = (Evidence::default(), RepeatPlan::default());
    for at in 0..each * ROUTES.len() as u64 {
        let route = ROUTES[at as usize % ROUTES.len()];
        service.request(random, (&mut evidence, &mut plan), route, at, way);
    }
    decide(&evidence, &policy(), Timestamp(each * 3_000_000))
}

/// How runs of equal versions ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    pub passed: u64,
    pub failed: u64,
    pub other: u64,
}

/// Runs of one version, with `each` requests of each of three routes.
pub fn equal_versions(seed: u64, runs: u64, each: u64, way: Way) -> Ends {
    let (service, mut random) = (Service::new(&noise()), Random::new(seed));
    let mut ends = Ends::default();
    for _ in 0..runs {
        match run(&mut random, &service, each, way).decision {
            Decision::Pass => ends.passed += 1,
            Decision::Fail => ends.failed += 1,
            Decision::Hold | Decision::Invalid => ends.other += 1,
        }
    }
    ends
}

/// What was found of changes that are planted amid the noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Power {
    pub planted: u64,
    pub found: u64,
    pub wrong: u64,
}

/// Runs with changes of 5 % to all of 667 requests a route, on each of three routes.
pub fn changes(seed: u64, runs: u64, way: Way) -> Power {
    let rates = [0.05, 0.1, 0.5, 1.0];
    let (service, is_changed) = changed(&rates);
    let mut random = Random::new(seed);
    let mut power = Power::default();
    for _ in 0..runs {
        let findings = run(&mut random, &service, 667, way).findings;
        let real = findings.iter().filter(|one| is_changed(one)).count() as u64;
        power.planted += (ROUTES.len() * rates.len()) as u64;
        power.found += real;
        power.wrong += findings.len() as u64 - real;
    }
    power
}

/// The service with changes at these rates beside the noise, and whether a finding is one of them.
fn changed(rates: &[f64]) -> (Service, impl Fn(&Finding) -> bool + use<>) {
    let mut natures = noise();
    let first = natures.len();
    natures.extend(rates.iter().copied().map(Nature::Changed));
    let is_changed = move |finding: &Finding| match &finding.place {
        Place::Json(pointer) => pointer[1..].parse::<usize>().is_ok_and(|at| at >= first),
        _ => false,
    };
    (Service::new(&natures), is_changed)
}

/// Of `runs` runs of equal versions, those that fail at any look: groups come up over the run, all coins are fair, and each
/// look, one after each toss, is at all of them.
pub fn false_alarms(seed: u64, runs: u64) -> u64 {
    let ln_e = |n: u64| (0..=n).map(|k| Coin { n, k }.ln_e()).collect();
    let table: Vec<Vec<f64>> = (0..400).map(ln_e).collect();
    let mut random = Random::new(seed);
    let all = (0..runs).filter(|_| has_false_alarm(&mut random, &table));
    all.count() as u64
}

fn has_false_alarm(random: &mut Random, table: &[Vec<f64>]) -> bool {
    let mut coins: Vec<Coin> = Vec::new();
    let groups = 10 + random.below(1_500);
    for _ in 0..1_500 {
        let index = (random.below(groups) as usize).min(coins.len());
        if index == coins.len() {
            coins.push(Coin::default());
        }
        let coin = &mut coins[index];
        *coin += toss(random);
        if coin.n as usize >= table.len() {
            continue;
        }
        // Only the coin that was tossed can newly exceed the threshold of the first.
        let ln_e = table[coin.n as usize][coin.k as usize];
        if ln_e >= (family(coins.len() as u64) / 0.01).ln() {
            return true;
        }
        // Several together need less each, but below this there would have to be more than seventy.
        if ln_e > 7.0 {
            let all: Vec<f64> = coins.iter().map(|coin| coin.ln_e()).collect();
            let size = family(coins.len() as u64);
            let threshold = ln_threshold(all.iter().copied(), size, 0.01);
            if all.iter().any(|e| *e >= threshold) {
                return true;
            }
        }
    }
    false
}

fn toss(random: &mut Random) -> Coin {
    match random.chance(0.5) {
        true => Coin::CANDIDATE_ODD,
        false => Coin::OTHER_ODD,
    }
}

/// Of `runs` runs of 3,000 requests, those in which the true rate `p` was ever outside of the 95 % bounds.
pub fn missed_rates(seed: u64, runs: u64, p: f64) -> u64 {
    let mut random = Random::new(seed);
    let all = (0..runs).filter(|_| misses(&mut random, p, Mixture::about(0.001)));
    all.count() as u64
}

/// The martingale falls between hits while the share is above p, and rises while it is below, so that looks right before and
/// after each hit find every crossing.
fn misses(random: &mut Random, p: f64, mixture: Mixture) -> bool {
    let mut rate = Proportion::default();
    let is_missed = |rate: Proportion| rate.ln_e(p, mixture) >= 20.0_f64.ln();
    let mut missed = false;
    for _ in 0..3_000 {
        let is_hit = random.chance(p);
        missed |= is_hit && is_missed(rate);
        rate += Proportion::new(u64::from(is_hit), 1);
        missed |= is_hit && is_missed(rate);
    }
    missed || is_missed(rate)
}

/// Of `runs` runs of 2,000 answers, those in which the true quantile of their times was ever outside of the 95 % bounds.
pub fn missed_quantiles(seed: u64, runs: u64, q: f64) -> u64 {
    let mut random = Random::new(seed);
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    let all = (0..runs).filter(|_| {
        let mut times = Times::default();
        (0..2_000).any(|at| {
            // From 10 to 110 ms, each as often.
            let time = 10.0 + 100.0 * random.unit();
            times.add(Duration::from_secs_f64(time / 1_000.0));
            at % 20 == 19 && {
                let truth = 10.0 + 100.0 * q;
                let (low, high) = times.bounds(q, 0.025);
                millis(low) > truth || high.is_some_and(|high| millis(high) < truth)
            }
        })
    });
    all.count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_version_never_fails_and_passes_at_eight_thousand_a_route() {
        for way in [Way::Repeats, Way::Control] {
            let ends = equal_versions(31, 8, 8_000, way);
            assert!(ends.failed == 0 && ends.passed >= 7, "{way:?}: {ends:?}");
        }
    }

    #[test]
    fn changes_of_three_percent_are_found_amid_noise_and_nothing_else_is() {
        for way in [Way::Repeats, Way::Control] {
            let power = changes(32, 10, way);
            assert!(
                power.found * 100 >= power.planted * 99,
                "{way:?}: {power:?}"
            );
            assert!(power.wrong * 100 <= power.planted, "{way:?}: {power:?}");
        }
    }

    #[test]
    fn a_change_that_hits_less_than_it_takes_is_undecided_and_holds() {
        let (service, is_changed) = changed(&[0.002]);
        for way in [Way::Repeats, Way::Control] {
            let mut random = Random::new(33);
            for _ in 0..5 {
                let judgement = run(&mut random, &service, 4_200, way);
                assert_eq!(judgement.decision, Decision::Hold, "{way:?}");
                let row = judgement.undecided.iter().find(|one| is_changed(one));
                assert!(
                    row.is_some_and(|one| one.needed > Some(0)),
                    "{way:?} {row:?}"
                );
            }
        }
    }

    #[test]
    fn at_most_one_of_a_hundred_equal_versions_fails_though_it_is_looked_at_all_the_time() {
        let failed = false_alarms(11, 1_000);
        assert!(failed <= 10, "{failed}");
    }

    #[test]
    fn bounds_that_are_looked_at_all_the_time_hold_in_95_of_100_runs() {
        for p in [0.0005, 0.001, 0.02, 0.1] {
            let missed = missed_rates(3, 1_000, p);
            // The bound is nearly exact where the mixture lies far from the rate: three standard errors are left to chance.
            assert!(missed <= 50 + 21, "{p}: {missed}");
        }
        for q in [0.5, 0.95, 0.99] {
            let missed = missed_quantiles(17, 100, q);
            assert!(missed <= 5, "{q}: {missed}");
        }
    }
}
