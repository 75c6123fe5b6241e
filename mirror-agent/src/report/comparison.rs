//! What is kept of a judged pair until it is reported: no bodies.

use std::time::Duration;

use mirror_core::compare::Difference;
use mirror_core::compare::Verdict;
use mirror_core::exchange::Exchange;
use mirror_core::exchange::Headers;
use mirror_core::exchange::Response;

/// A replayed request and how the two answers compare.
#[derive(Debug)]
pub struct Comparison {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) path: String,
    pub(super) id: Option<String>,
    pub(super) connection: u64,
    pub(super) index: u32,
    pub(super) production: Option<Duration>,
    pub(super) mirror: Duration,
    /// Whether the answers say that they come from a cache.
    pub(super) production_cache: Option<bool>,
    pub(super) mirror_cache: Option<bool>,
    /// Whether both sides had the same data: what differs is the code.
    pub(super) is_evidence: bool,
    pub(super) differences: Vec<Difference>,
}

impl Comparison {
    pub fn new(
        exchange: &Exchange,
        mirror: &Response,
        verdict: Verdict,
        id: Option<&str>,
        latency: Duration,
        is_evidence: bool,
    ) -> Self {
        let production = exchange.response.as_ref();
        Self {
            method: exchange.request.method.as_str().into(),
            target: exchange.request.target.to_string(),
            path: exchange.path().into_owned(),
            id: id.map(Into::into),
            connection: exchange.connection,
            index: exchange.index,
            production: exchange.latency_nanos().map(Duration::from_nanos),
            mirror: latency,
            production_cache: production.and_then(|r| from_cache(&r.headers)),
            mirror_cache: from_cache(&mirror.headers),
            is_evidence,
            differences: verdict.differences,
        }
    }

    pub fn differs(&self) -> bool {
        !self.differences.is_empty()
    }
}

fn from_cache(headers: &Headers) -> Option<bool> {
    match (headers.first("x-cache"), headers.first("age")) {
        (Some(told), _) => Some(told.to_ascii_lowercase().windows(3).any(|w| w == b"hit")),
        (None, Some(age)) => Some(age != b"0"),
        (None, None) => None,
    }
}
