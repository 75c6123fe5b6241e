//! Runs of which the truth is known: how often a decision is wrong, and what is found.
//!
//! An answer has places that vary by nature, whoever answers, and places where the candidate was changed. Noise is not explained here,
//! so that the tests alone have to tell the two apart.

use super::super::representative::Request;
use super::super::sample::Random;
use super::super::trial::{Control, Differences, Repeat, Trial};
use super::*;
use crate::compare::{Kind, Observation, Place};
use crate::noise::RepeatPlan;

/// What a run is given beside production and the candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Help {
    Repeats,
    Control,
}

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
        help: Help,
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
        let other = answer(help == Help::Repeats);
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
        match help {
            Help::Control => {
                trial.control = Some(Control {
                    status: 200,
                    differences: differences(&to_production),
                })
            }
            // As the agent does it: a budget for each group, and few of all requests.
            Help::Repeats if plan.is_due(route) || plan.is_rechecked(route, &found) => {
                trial.repeat = Some(Repeat {
                    to_candidate: differences(&to_candidate),
                    to_production: differences(&to_production),
                })
            }
            Help::Repeats => {}
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

fn run(random: &mut Random, service: &Service, each: u64, help: Help) -> Judgement {
    let (mut evidence, mut plan) = (Evidence::default(), RepeatPlan::default());
    for at in 0..each * ROUTES.len() as u64 {
        let route = ROUTES[at as usize % ROUTES.len()];
        service.request(random, (&mut evidence, &mut plan), route, at, help);
    }
    decide(&evidence, &policy(), Timestamp(each * 3_000_000))
}

#[test]
fn the_same_version_never_fails_and_passes_at_eight_thousand_a_route() {
    let service = Service::new(&noise());
    for help in [Help::Repeats, Help::Control] {
        let mut random = Random::new(31);
        let runs = 8;
        let all: Vec<_> = (0..runs)
            .map(|_| run(&mut random, &service, 8_000, help))
            .collect();
        let count = |decision| all.iter().filter(|one| one.decision == decision).count();
        assert_eq!(count(Decision::Fail), 0, "{help:?}");
        let held: Vec<_> = all
            .iter()
            .filter(|one| one.decision != Decision::Pass)
            .map(|one| &one.reason)
            .collect();
        assert!(held.len() <= 1, "{help:?}: {held:#?}");
    }
}

#[test]
fn changes_of_three_percent_are_found_amid_noise_and_nothing_else_is() {
    let mut natures = noise();
    let first_changed = natures.len();
    natures.extend([0.05, 0.1, 0.5, 1.0].map(Nature::Changed));
    let service = Service::new(&natures);
    let is_changed = |finding: &Finding| match &finding.place {
        Place::Json(pointer) => pointer[1..].parse::<usize>().unwrap() >= first_changed,
        _ => false,
    };
    for help in [Help::Repeats, Help::Control] {
        let mut random = Random::new(32);
        let (mut found, mut wrong) = (0, 0);
        let runs = 10;
        for _ in 0..runs {
            let judgement = run(&mut random, &service, 667, help);
            let real = judgement
                .findings
                .iter()
                .filter(|one| is_changed(one))
                .count();
            found += real;
            wrong += judgement.findings.len() - real;
        }
        let planted = runs * ROUTES.len() * 4;
        assert!(
            found * 100 >= planted * 99,
            "{help:?}: {found} of {planted}"
        );
        assert!(wrong * 100 <= planted, "{help:?}: {wrong} are none");
    }
}

#[test]
fn a_change_that_hits_less_than_it_takes_is_undecided_and_holds() {
    let mut natures = noise();
    natures.push(Nature::Changed(0.002));
    let service = Service::new(&natures);
    let place = Place::Json(format!("/{}", natures.len() - 1));
    for help in [Help::Repeats, Help::Control] {
        let mut random = Random::new(33);
        for _ in 0..5 {
            let judgement = run(&mut random, &service, 4_200, help);
            assert_eq!(judgement.decision, Decision::Hold, "{help:?}");
            let row = judgement.undecided.iter().find(|one| one.place == place);
            assert!(
                row.is_some_and(|one| one.needed > Some(0)),
                "{help:?} {row:?}"
            );
        }
    }
}
