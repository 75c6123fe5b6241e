//! Judges a run request by request: [`Noise`] says what of a difference is nature, [`Evidence`] keeps what is left, and
//! [`decide`](super::decide::decide) concludes from it.
//!
//! For each request of production: [`Judge::wants_repeat`] while it may still be sent again, [`Judge::judge`] once all its answers are compared, and [`Judge::ended`] whatever became of it.

use std::time::Duration;

use crate::compare::{Comparison, Kind, Severity};
use crate::ledger::Outcome;
use crate::noise::{AnswerTimes, Explained, MapLearner, Maps, Noise, RepeatPlan, Source};
use crate::time::Timestamp;

use super::cache::CacheHits;
use super::differences::Differences;
use super::evidence::Evidence;
use super::latency::AnswerDurations;
use super::recent::Recent;
use super::representative::Request;
use super::trial::{Control, Repeat, Trial};

/// From a run's first request. Times of answers to what comes earlier are set apart.
const COLD: Duration = Duration::from_secs(10);

/// What a run knows so far.
#[derive(Debug, Default)]
pub struct Judge {
    noise: Noise,
    maps: MapLearner,
    plan: RepeatPlan,
    recent: Recent,
    evidence: Evidence,
    map_folds: u64,
}

/// The answers to one request, compared.
#[derive(Clone, Copy, Debug)]
pub struct ComparedAnswers<'a> {
    /// As in `GET /users/{id}`.
    pub route: &'a str,
    /// When production received the request.
    pub at: Timestamp,
    /// A digest of the request ([`Trial::request`]).
    pub request: Option<u64>,
    pub production_status: u16,
    pub candidate_status: u16,
    /// When production and the candidate answered.
    pub answered: AnswerTimes,
    /// Production against the candidate.
    pub candidate: &'a Comparison,
    pub control: Option<ComparedControl<'a>>,
    pub repeat: Option<ComparedRepeat<'a>>,
    pub durations: AnswerDurations,
    pub cache: CacheHits,
}

/// The old version's answer to the same request.
#[derive(Clone, Copy, Debug)]
pub struct ComparedControl<'a> {
    pub status: u16,
    pub at: Timestamp,
    /// Production against the control.
    pub comparison: &'a Comparison,
}

/// The candidate's answer to the same request, sent once more.
#[derive(Clone, Copy, Debug)]
pub struct ComparedRepeat<'a> {
    pub at: Timestamp,
    /// [`Source::Repeat`] or [`Source::Recheck`].
    pub source: Source,
    /// The first answer against this one.
    pub to_candidate: &'a Comparison,
    /// Production against this one.
    pub to_production: &'a Comparison,
}

impl Judge {
    /// With what was learnt before this run.
    pub fn new(noise: Noise) -> Self {
        Self {
            maps: MapLearner::of(&noise),
            noise,
            ..Self::default()
        }
    }

    /// Whether a request is to be sent to the candidate once more, and why: by plan, to see what varies, or because its
    /// answers differ in what is not decided yet. Ask once for each request that may be.
    pub fn wants_repeat(
        &mut self,
        route: &str,
        answered: AnswerTimes,
        candidate: &Comparison,
    ) -> Option<Source> {
        if self.plan.is_due(route) {
            return Some(Source::Repeat);
        }
        if !candidate.differs() {
            return None;
        }
        let candidate = self.maps.folded(route, candidate);
        let left = self.noise.judge(route, answered, &candidate).left;
        self.plan
            .is_rechecked(route, &left)
            .then_some(Source::Recheck)
    }

    /// Takes a judged request, and returns what of its differences noise explains and what is left. All pairs are explained
    /// by what was known before the request.
    pub fn judge(&mut self, answers: &ComparedAnswers<'_>) -> Explained {
        self.learn_maps(answers);
        let folded = |comparison| self.maps.folded(answers.route, comparison);
        let candidate = folded(answers.candidate);
        let control = answers.control.map(|control| folded(control.comparison));
        let repeat = answers.repeat.map(|repeat| {
            let to_candidate = folded(repeat.to_candidate);
            (to_candidate, folded(repeat.to_production))
        });
        let repeat = repeat.as_ref().zip(answers.repeat);
        let answers = ComparedAnswers {
            candidate: &candidate,
            control: control
                .as_ref()
                .zip(answers.control)
                .map(|(comparison, control)| ComparedControl {
                    comparison,
                    ..control
                }),
            repeat: repeat.map(|((to_candidate, to_production), repeat)| ComparedRepeat {
                to_candidate,
                to_production,
                ..repeat
            }),
            ..*answers
        };
        self.judge_folded(&answers)
    }

    /// Maps become known by what differs in them, before anything else is made of it.
    fn learn_maps(&mut self, answers: &ComparedAnswers<'_>) {
        let route = answers.route;
        if let Some(maps) = self.maps.learn(route, answers.candidate) {
            self.noise.fold_places(route, maps);
            self.evidence.fold_places(route, maps);
            self.map_folds += 1;
        }
    }

    fn judge_folded(&mut self, answers: &ComparedAnswers<'_>) -> Explained {
        let (route, noise) = (answers.route, &self.noise);
        let given = |production, mirror| AnswerTimes { production, mirror };
        let AnswerTimes { production, mirror } = answers.answered;
        let candidate = noise.judge(route, answers.answered, answers.candidate);
        let control = answers.control.map(|control| {
            let times = given(production, control.at);
            (control, noise.judge(route, times, control.comparison))
        });
        let repeat = answers.repeat.map(|repeat| {
            let to_candidate = noise.judge(route, given(mirror, repeat.at), repeat.to_candidate);
            let to_production =
                noise.judge(route, given(production, repeat.at), repeat.to_production);
            (repeat, to_candidate, to_production)
        });
        let is_cold = self.is_cold(answers.at);
        let trial = Trial {
            route,
            at: answers.at,
            request: answers.request,
            production_status: answers.production_status,
            candidate_status: answers.candidate_status,
            candidate: differences(&candidate, answers.candidate),
            control: control.as_ref().map(|(control, explained)| Control {
                status: control.status,
                differences: differences(explained, control.comparison),
            }),
            repeat: repeat
                .as_ref()
                .map(|(repeat, to_candidate, to_production)| Repeat {
                    to_candidate: differences(to_candidate, repeat.to_candidate),
                    to_production: differences(to_production, repeat.to_production),
                }),
            durations: AnswerDurations {
                is_cold,
                ..answers.durations
            },
            cache: answers.cache,
        };
        self.evidence.observe_after(&trial, &mut self.recent);
        self.learn(answers);
        candidate
    }

    /// Whether connections, caches and compilers of the candidate have not warmed up yet.
    fn is_cold(&self, at: Timestamp) -> bool {
        let since = self.evidence.first_at().unwrap_or(at);
        u128::from(at.nanos_since(since)) < COLD.as_nanos()
    }

    fn learn(&mut self, answers: &ComparedAnswers<'_>) {
        let (route, noise) = (answers.route, &mut self.noise);
        let AnswerTimes { production, mirror } = answers.answered;
        if let Some(control) = &answers.control {
            let times = AnswerTimes {
                production,
                mirror: control.at,
            };
            noise.learn(route, Source::Control, times, control.comparison);
        }
        if let Some(repeat) = &answers.repeat {
            let times = AnswerTimes {
                production: mirror,
                mirror: repeat.at,
            };
            noise.learn(route, repeat.source, times, repeat.to_candidate);
        }
        noise.note(route, answers.answered, answers.candidate);
    }

    /// Learns from two answers that production gave to the same request within a short time.
    pub fn learn_from_production(&mut self, route: &str, times: AnswerTimes, pair: &Comparison) {
        let pair = self.maps.folded(route, pair);
        self.noise.learn(route, Source::Production, times, &pair);
    }

    /// How often a map turned up, so that places which were told apart are one from then on.
    pub fn map_folds(&self) -> u64 {
        self.map_folds
    }

    /// The maps in the answers of a route.
    pub fn maps(&self, route: &str) -> Option<&Maps> {
        self.maps.maps(route)
    }

    /// A request of production ended; `status` is production's own answer, where it was seen.
    pub fn ended(&mut self, request: &Request<'_>, status: Option<u16>, outcome: Outcome) {
        self.evidence.ended(request, outcome);
        if let Some(status) = status {
            self.evidence.production_answered(status);
        }
    }

    /// Puts what is known of the route `from` to that of `into`, as when routes were folded.
    pub fn fold(&mut self, from: &str, into: &str) {
        self.maps.fold(from, into);
        self.noise.fold(from, into);
        self.evidence.fold(from, into);
    }

    pub fn noise(&self) -> &Noise {
        &self.noise
    }

    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    pub fn evidence_mut(&mut self) -> &mut Evidence {
        &mut self.evidence
    }
}

/// Whether what is left matters to anyone who reads the answer. Two values of few are no difference by themselves, though their
/// shares may be one.
pub fn matters(explained: &Explained) -> bool {
    let mut left = explained.left.iter();
    left.any(|one| one.kind != Kind::Distribution && one.severity() != Severity::Cosmetic)
}

fn differences<'a>(explained: &'a Explained, comparison: &Comparison) -> Differences<'a> {
    Differences {
        left: &explained.left,
        against: &explained.against,
        varying: &explained.varying,
        restless: &explained.restless,
        novel: &explained.novel,
        is_cut: comparison.untold > 0,
    }
}

#[cfg(test)]
mod tests;
