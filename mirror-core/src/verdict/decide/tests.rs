//! Judgements of evidence that is made by hand.

use super::super::cache::CacheHits;
use super::super::differences::Differences;
use super::super::evidence::Side;
use super::super::latency::AnswerDurations;
use super::super::representative::Request;
use super::super::sample::Random;
use super::super::trial::{Control, Repeat, Trial};
use std::time::Duration;

use super::*;
use crate::compare::{CompareOptions, CompareRule, Kind, Observation, Place, RuleTally, compare};
use crate::exchange::Response;
use crate::options::{FromText, Given, Options, Origin};

mod caches;
mod expected;
mod invalid;
mod nothing;
mod order;
mod passing;
mod rates;
mod real;
mod values;

const SECOND: u64 = 1_000_000_000;

fn policy(options: &[(&str, &str)]) -> VerdictPolicy {
    let mut given = Given::default();
    for (key, text) in options {
        given.set(key, vec![(*text).into()], Origin::Flag);
    }
    VerdictPolicy::read(&given).unwrap()
}

fn observation(place: &str, kind: Kind, mirror: &str) -> Observation {
    Observation {
        place: Place::Json(place.into()),
        kind,
        count: 1,
        production: "old".into(),
        mirror: mirror.into(),
    }
}

/// What the answers to a request came to.
#[derive(Clone, Default)]
struct Answers {
    candidate: Vec<Observation>,
    control: Option<Vec<Observation>>,
    /// The candidate's first answer to its second, and production's to it.
    repeat: Option<(Vec<Observation>, Vec<Observation>)>,
    status: Option<(u16, u16)>,
    /// The candidate's and the control's, in milliseconds; with a control that does not differ.
    times: Option<(f64, f64)>,
    cache: CacheHits,
}

impl Answers {
    fn differ(place: &str, kind: Kind) -> Self {
        Self {
            candidate: vec![observation(place, kind, "new")],
            ..Self::default()
        }
    }

    /// The repeat is like the candidate's first answer.
    fn and_again(self) -> Self {
        let again = self.candidate.clone();
        Self {
            repeat: Some((Vec::new(), again)),
            ..self
        }
    }

    /// The repeat is like production's.
    fn and_not_again(self) -> Self {
        let back = self.candidate.clone();
        Self {
            repeat: Some((back, Vec::new())),
            ..self
        }
    }
}

fn differences(left: &[Observation]) -> Differences<'_> {
    Differences {
        left,
        ..Differences::default()
    }
}

/// One judged request a second.
#[derive(Default)]
struct Run {
    evidence: Evidence,
    at: u64,
}

impl Run {
    fn request<'a>(&mut self, route: &'a str) -> Request<'a> {
        self.at += SECOND;
        let method = route.split(' ').next().unwrap_or_default();
        Request {
            route,
            method,
            size: 100,
            at: Timestamp(self.at),
        }
    }

    fn ends(&mut self, route: &str, outcome: Outcome, times: u64) -> &mut Self {
        for _ in 0..times {
            let request = self.request(route);
            self.evidence.ended(&request, outcome);
        }
        self
    }

    fn judge(&mut self, route: &str, answers: &Answers) {
        let request = self.request(route);
        self.evidence.ended(&request, Outcome::Matched);
        let (production_status, candidate_status) = answers.status.unwrap_or((200, 200));
        let control = answers.times.is_some().then(Vec::new);
        let control = answers.control.as_ref().or(control.as_ref());
        self.evidence.observe(&Trial {
            route,
            at: request.at,
            request: None,
            production_status,
            candidate_status,
            candidate: differences(&answers.candidate),
            control: control.map(|control| Control {
                status: production_status,
                differences: differences(control),
            }),
            repeat: answers
                .repeat
                .as_ref()
                .map(|(to_candidate, to_production)| Repeat {
                    to_candidate: differences(to_candidate),
                    to_production: differences(to_production),
                }),
            durations: answers.times.map_or_else(
                AnswerDurations::default,
                |(candidate, control)| AnswerDurations {
                    candidate: Some(Duration::from_secs_f64(candidate / 1_000.0)),
                    control: Some(Duration::from_secs_f64(control / 1_000.0)),
                    ..AnswerDurations::default()
                },
            ),
            cache: answers.cache,
        });
    }

    fn judges(&mut self, route: &str, times: u64, answers: &Answers) -> &mut Self {
        for _ in 0..times {
            self.judge(route, answers);
        }
        self
    }

    fn equal(&mut self, route: &str, times: u64) -> &mut Self {
        self.judges(route, times, &Answers::default())
    }

    fn decide(&self, options: &[(&str, &str)]) -> Judgement {
        decide(&self.evidence, &policy(options), Timestamp(self.at))
    }

    fn check(&self, decision: Decision, reason: &str) {
        let judgement = self.decide(&[]);
        assert_eq!(judgement.decision, decision, "{judgement:#?}");
        assert_eq!(judgement.reason, reason, "{judgement:#?}");
    }
}

const USERS: &str = "GET /users/{id}";
const ORDERS: &str = "POST /orders";
