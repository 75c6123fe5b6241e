//! Whether a snapshot is of a given request, by the stamp on it.

use mirror_snapshot::{Filed, Stamp, hash, request_hash};

use super::peer;
use crate::{exchange::Exchange, http::coding::decoded};

/// What a request's own snapshot must say.
#[derive(Debug)]
pub(super) struct Owner {
    request: String,
    body: Option<String>,
    peer: String,
    /// Milliseconds since the epoch between which production received the request.
    earliest: u64,
    latest: u64,
}

impl Owner {
    pub(super) fn of(exchange: &Exchange, skew_seconds: u64) -> Self {
        let request = &exchange.request;
        let timing = &exchange.timing;
        let body = decoded(&request.headers, &request.body).ok();
        let ended = timing.response_last.unwrap_or(timing.request_last);
        let skew = skew_seconds.saturating_mul(1000);
        Self {
            request: request_hash(&request.method, &request.target),
            body: body.filter(|body| !body.is_empty()).map(|body| hash(&body)),
            peer: peer(exchange.client),
            earliest: timing.request_first.as_millis().saturating_sub(skew),
            latest: ended.as_millis().saturating_add(skew),
        }
    }

    /// The mark of a collision is accepted: it ends the wait. So is a bare snapshot, which nobody can tell apart.
    pub(super) fn accepts(&self, value: &[u8]) -> bool {
        match Filed::read(value) {
            Filed::Bare | Filed::Collided => true,
            Filed::Stamped(stamp) => self.owns(&stamp),
        }
    }

    fn owns(&self, stamp: &Stamp) -> bool {
        let same = |theirs: &Option<String>, ours: Option<&String>| match (theirs, ours) {
            (Some(theirs), Some(ours)) => theirs == ours,
            _ => true,
        };
        stamp.request == self.request
            && same(&stamp.body, self.body.as_ref())
            && same(&stamp.peer, Some(&self.peer))
            && (self.earliest..=self.latest).contains(&stamp.at)
    }
}
