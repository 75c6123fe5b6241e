//! What is kept of two answers until they are reported: no bodies.

use std::time::Duration;

use mirror_core::compare::Comparison;
use mirror_core::detect::CREDENTIALS;
use mirror_core::exchange::{Exchange, Headers, RequestTarget, Response};
use mirror_core::ledger::Outcome;
use mirror_core::verdict::{self, Basis, ControlFinding, MirrorAnswer};

/// A replayed request and how the two answers compare.
#[derive(Debug)]
pub struct JudgedPair {
    /// As it was let out by policy.
    target: RequestTarget,
    pub(super) id: Option<String>,
    pub(super) production: Option<Duration>,
    pub(super) mirror: Duration,
    /// Whether the answers say that they come from a cache.
    pub(super) production_cache: Option<bool>,
    pub(super) mirror_cache: Option<bool>,
    pub(super) production_status: Option<u16>,
    pub(super) mirror_answer: MirrorAnswer,
    pub(super) basis: Basis,
    pub(super) comparison: Comparison,
    pub(super) control: Option<ControlAnswer>,
}

/// What is kept of the control's answer.
#[derive(Clone, Copy, Debug)]
pub struct ControlAnswer {
    pub finding: ControlFinding,
    pub latency: Duration,
}

impl JudgedPair {
    pub fn new(
        exchange: &Exchange,
        mirror: &Response,
        comparison: Comparison,
        id: Option<&str>,
        latency: Duration,
        basis: Basis,
    ) -> Self {
        let production = exchange.response.as_ref();
        Self {
            target: exchange.request.target.clone(),
            id: id.map(Into::into),
            production: exchange.latency_nanos().map(Duration::from_nanos),
            mirror: latency,
            production_cache: production.and_then(|r| from_cache(&r.headers)),
            mirror_cache: from_cache(&mirror.headers),
            production_status: production.map(|answer| answer.status),
            mirror_answer: MirrorAnswer::of(mirror),
            basis,
            comparison,
            control: None,
        }
    }

    /// With what the control answered, where there is one.
    #[must_use]
    pub fn beside(self, control: Option<ControlAnswer>) -> Self {
        Self { control, ..self }
    }

    pub fn outcome(&self) -> Outcome {
        let finding = self.control.map(|control| control.finding);
        verdict::outcome(self.basis, &self.comparison, finding)
    }

    /// Whether what differs is evidence against the new version.
    pub(super) fn is_evidence(&self) -> bool {
        self.basis.is_evidence() && self.outcome() != Outcome::DifferedAsControl
    }

    /// The target as examples show it, without credentials.
    pub(super) fn shown_target(&self) -> String {
        CREDENTIALS.masked(&self.target.text()).into_owned()
    }

    pub fn basis(&self) -> Basis {
        self.basis
    }

    pub fn comparison(&self) -> &Comparison {
        &self.comparison
    }
}

fn from_cache(headers: &Headers) -> Option<bool> {
    match (headers.first("x-cache"), headers.first("age")) {
        (Some(told), _) => Some(told.to_ascii_lowercase().windows(3).any(|w| w == b"hit")),
        (None, Some(age)) => Some(age != b"0"),
        (None, None) => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn pair(basis: Basis, comparison: Comparison) -> JudgedPair {
        JudgedPair {
            target: RequestTarget::parse("GET", "/a?b=c"),
            id: None,
            production: Some(Duration::from_millis(2)),
            mirror: Duration::from_millis(3),
            production_cache: None,
            mirror_cache: Some(true),
            production_status: Some(200),
            mirror_answer: MirrorAnswer::Other,
            basis,
            comparison,
            control: None,
        }
    }

    #[test]
    fn answers_say_whether_they_come_from_a_cache() {
        let check = |fields: &[(&str, &str)], expect| {
            let headers = fields.iter().copied().collect();
            assert_eq!(from_cache(&headers), expect, "{fields:?}");
        };
        check(&[("X-Cache", "HIT from edge")], Some(true));
        check(&[("X-Cache", "MISS"), ("Age", "7")], Some(false));
        check(&[("Age", "7")], Some(true));
        check(&[("Age", "0")], Some(false));
        check(&[], None);
    }
}
