//! Whether a snapshot is of a given request, by the stamp on it.

use mirror_snapshot::{Filed, Stamp, hash, peer_text, request_hash};

use mirror_core::exchange::Exchange;
use mirror_core::http::coding::decoded;

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
            request: request_hash(&request.method, Some(&request.target)),
            body: body.filter(|body| !body.is_empty()).map(|body| hash(&body)),
            peer: peer_text(exchange.client),
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

#[cfg(test)]
mod tests {
    use super::*;
    use mirror_core::exchange::RequestTarget;

    fn hash_of(method: &str, target: &'static str) -> String {
        request_hash(method, Some(&RequestTarget::parse(method, target)))
    }

    const CAPTURED: u64 = 1_700_000_000_000;

    fn owner() -> Owner {
        Owner {
            request: hash_of("POST", "/orders?a=1"),
            body: Some(hash(b"{}")),
            peer: "10.0.0.1:4711".into(),
            earliest: CAPTURED - 1000,
            latest: CAPTURED + 1050,
        }
    }

    fn check(change: impl Fn(&mut Stamp), expect: bool) {
        let mut stamp = Stamp {
            at: CAPTURED + 20,
            request: hash_of("POST", "/orders?a=1"),
            body: Some(hash(b"{}")),
            peer: Some("10.0.0.1:4711".into()),
            position: None,
        };
        change(&mut stamp);
        assert_eq!(owner().owns(&stamp), expect, "{stamp:?}");
    }

    #[test]
    fn a_snapshot_of_another_request_is_refused() {
        check(|_| {}, true);
        check(|s| s.request = hash_of("POST", "/orders?a=2"), false);
        check(|s| s.request = hash_of("PUT", "/orders?a=1"), false);
        check(|s| s.body = Some(hash(b"{ }")), false);
        check(|s| s.peer = Some("10.0.0.1:4712".into()), false);
        check(|s| s.at = CAPTURED - 1001, false);
        check(|s| s.at = CAPTURED + 1051, false);
        // What production did not say cannot speak against it.
        check(|s| s.body = None, true);
        check(|s| s.peer = None, true);
    }
}
