//! What is kept of two answers until they are reported: no bodies.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use mirror_core::compare::{Comparison, Extent, Kind, RuleTally};
use mirror_core::detect::CREDENTIALS;
use mirror_core::exchange::{Exchange, Request, RequestTarget, Response};
use mirror_core::ledger::Outcome;
use mirror_core::noise::{AnswerTimes, Explained, Source};
use mirror_core::time::Timestamp;
use mirror_core::verdict::{
    self, AnswerDurations, Basis, CacheHits, CacheOptions, ComparedAnswers, ComparedControl,
    ComparedRepeat, ControlFinding, MirrorAnswer, Side,
};

use super::answers::WholeAnswers;

/// A replayed request and how the answers to it compare.
#[derive(Debug)]
pub struct JudgedPair {
    /// As it was let out by policy.
    target: RequestTarget,
    /// A digest of the request, by which it is known again.
    request: u64,
    pub(super) id: Option<String>,
    /// Of the trace that production's request belongs to.
    pub(super) trace_id: Option<String>,
    pub(super) production: ProductionAnswer,
    pub(super) mirror: JudgedAnswer,
    pub(super) mirror_answer: MirrorAnswer,
    pub(super) control: Option<JudgedAnswer>,
    repeat: Option<JudgedRepeat>,
    pub(super) basis: Basis,
    pub(super) said: SaidOfRun,
    /// The messages in full, where they are wanted as an example.
    pub(super) answers: Option<Arc<WholeAnswers>>,
}

/// What the answers to a request say of the run as a whole.
#[derive(Debug, Default)]
pub struct SaidOfRun {
    /// How they used the rules that they were compared by.
    pub rules: RuleTally,
    /// The builds that they name.
    pub builds: Vec<(Side, String)>,
}

/// What is kept of production's own answer.
#[derive(Clone, Copy, Debug)]
pub struct ProductionAnswer {
    /// When the request came.
    pub asked_at: Timestamp,
    pub at: Timestamp,
    pub status: u16,
    pub latency: Option<Duration>,
    pub is_cached: Option<bool>,
}

/// What is kept of an answer that was compared with production's.
#[derive(Debug)]
pub struct JudgedAnswer {
    pub at: Timestamp,
    pub status: u16,
    pub latency: Duration,
    pub is_cached: Option<bool>,
    pub comparison: Comparison,
}

/// What is kept of the mirror's answer to the same request, sent once more.
#[derive(Debug)]
pub struct JudgedRepeat {
    pub at: Timestamp,
    pub source: Source,
    /// The mirror's first answer against this one.
    pub to_mirror: Comparison,
    /// Production's against this one.
    pub to_production: Comparison,
}

impl ProductionAnswer {
    pub fn new(exchange: &Exchange, response: &Response, cache: &CacheOptions) -> Self {
        let asked_at = exchange.captured_at();
        Self {
            asked_at,
            at: exchange.timing.response_last.unwrap_or(asked_at),
            status: response.status,
            latency: exchange.latency_nanos().map(Duration::from_nanos),
            is_cached: cache.hit(response),
        }
    }
}

impl JudgedPair {
    pub fn new(
        exchange: &Exchange,
        id: Option<&str>,
        production: ProductionAnswer,
        (mirror, mirror_answer): (JudgedAnswer, MirrorAnswer),
        basis: Basis,
    ) -> Self {
        Self {
            target: exchange.request.target.clone(),
            request: digest(&exchange.request),
            id: id.map(Into::into),
            trace_id: trace_id(&exchange.request),
            production,
            mirror,
            mirror_answer,
            control: None,
            repeat: None,
            basis,
            said: SaidOfRun::default(),
            answers: None,
        }
    }

    /// With what the control answered, or the mirror when it was asked once more.
    #[must_use]
    pub fn beside(self, control: Option<JudgedAnswer>, repeat: Option<JudgedRepeat>) -> Self {
        Self {
            control,
            repeat,
            ..self
        }
    }

    #[must_use]
    pub fn saying(self, said: SaidOfRun) -> Self {
        Self { said, ..self }
    }

    /// With the messages in full.
    #[must_use]
    pub fn with_answers(self, answers: Option<WholeAnswers>) -> Self {
        Self {
            answers: answers.map(Arc::new),
            ..self
        }
    }

    /// Bytes that are held until it is reported, about.
    pub fn held_bytes(&self) -> usize {
        let beside = |answer: &JudgedAnswer| answer.comparison.held_bytes();
        let repeats = |repeat: &JudgedRepeat| {
            repeat.to_mirror.held_bytes() + repeat.to_production.held_bytes()
        };
        size_of::<Self>()
            + self.target.as_bytes().len()
            + beside(&self.mirror)
            + self.control.as_ref().map_or(0, beside)
            + self.repeat.as_ref().map_or(0, repeats)
            + self
                .answers
                .as_ref()
                .map_or(0, |answers| answers.held_bytes())
    }

    /// How the request ends; `differs` is what is left when noise was taken out.
    pub(super) fn outcome(&self, differs: bool) -> Outcome {
        let extent = self.comparison().extent;
        verdict::outcome(self.basis, extent, differs, self.control_finding())
    }

    pub(super) fn control_finding(&self) -> Option<ControlFinding> {
        let control = self.control.as_ref()?;
        Some(ControlFinding::new(self.comparison(), &control.comparison))
    }

    /// Whether it says something of the new version. Of answers that are not whole, only another class of status does.
    pub(super) fn is_judged(&self) -> bool {
        let is_whole = !matches!(self.comparison().extent, Extent::Head(_));
        let mut observations = self.comparison().observations.iter();
        let mut is_broken = || observations.any(|one| one.kind == Kind::StatusClass);
        self.basis.is_evidence() && (is_whole || is_broken())
    }

    pub(super) fn compared<'a>(&'a self, route: &'a str) -> ComparedAnswers<'a> {
        let Self {
            production, mirror, ..
        } = self;
        let control = self.control.as_ref();
        let repeat = self.repeat.as_ref();
        ComparedAnswers {
            route,
            at: production.asked_at,
            request: Some(self.request),
            production_status: production.status,
            candidate_status: mirror.status,
            answered: AnswerTimes {
                production: production.at,
                mirror: mirror.at,
            },
            candidate: &mirror.comparison,
            control: control.map(|control| ComparedControl {
                status: control.status,
                at: control.at,
                comparison: &control.comparison,
            }),
            repeat: repeat.map(|repeat| ComparedRepeat {
                at: repeat.at,
                source: repeat.source,
                to_candidate: &repeat.to_mirror,
                to_production: &repeat.to_production,
            }),
            durations: AnswerDurations {
                production: production.latency,
                candidate: Some(mirror.latency),
                control: control.map(|control| control.latency),
                is_cold: false,
            },
            cache: CacheHits {
                production: production.is_cached,
                candidate: mirror.is_cached,
                control: control.and_then(|control| control.is_cached),
            },
        }
    }

    /// What counts where nothing is known to vary.
    pub(super) fn unexplained(&self) -> Explained {
        Explained {
            left: self.comparison().observations.clone(),
            ..Explained::default()
        }
    }

    /// The target as examples show it, without credentials.
    pub(super) fn shown_target(&self) -> String {
        CREDENTIALS.masked(&self.target.text()).into_owned()
    }

    pub fn basis(&self) -> Basis {
        self.basis
    }

    pub fn comparison(&self) -> &Comparison {
        &self.mirror.comparison
    }
}

fn trace_id(request: &Request) -> Option<String> {
    let header = std::str::from_utf8(request.headers.first("traceparent")?).ok()?;
    mirror_contract::trace_parts(header).map(|(trace, _)| trace.to_owned())
}

/// Of what a cache may know a request by.
fn digest(request: &Request) -> u64 {
    let body: &[u8] = &request.body;
    let parts = (&*request.method, request.target.as_bytes(), body);
    FixedState::default().hash_one(parts)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn pair(basis: Basis, comparison: Comparison) -> JudgedPair {
        let at = Timestamp(1_000_000_000);
        JudgedPair {
            target: RequestTarget::parse("GET", "/a?b=c"),
            request: 0,
            id: None,
            trace_id: None,
            production: ProductionAnswer {
                asked_at: at,
                at,
                status: 200,
                latency: Some(Duration::from_millis(2)),
                is_cached: None,
            },
            mirror: JudgedAnswer {
                at,
                status: 200,
                latency: Duration::from_millis(3),
                is_cached: Some(true),
                comparison,
            },
            mirror_answer: MirrorAnswer::Other,
            control: None,
            repeat: None,
            basis,
            said: SaidOfRun::default(),
            answers: None,
        }
    }

    #[test]
    fn the_trace_of_a_request_is_known_by_a_valid_traceparent_only() {
        let trace_of = |value: &str| {
            let mut request = Request::new("GET", "/".to_owned());
            request.headers.append("Traceparent", value.as_bytes());
            trace_id(&request)
        };
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let known = trace_of(&format!("00-{trace}-b7ad6b7169203331-01"));
        assert_eq!(known.as_deref(), Some(trace));
        assert_eq!(trace_of(&format!("00-{trace}-0000000000000000-01")), None);
        assert_eq!(trace_of("<script>"), None);
    }
}
