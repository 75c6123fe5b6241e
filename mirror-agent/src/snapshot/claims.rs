//! Which ids have been claimed by a request: two that claim one id have both collided.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use mirror_snapshot::RequestId;

use crate::exchange::{Exchange, Timestamp};

/// Ids that are remembered, and for how long: as long as a snapshot lives. Of more the oldest is forgotten.
const MOST: usize = 500_000;
const REMEMBERED_NANOS: u64 = 300 * 1_000_000_000;

/// One request's claim on an id.
#[derive(Clone, Debug)]
pub(super) struct Claim(Arc<AtomicBool>);

impl Claim {
    pub(super) fn is_collided(&self) -> bool {
        self.0.load(Relaxed)
    }

    pub(super) fn collide(&self) {
        self.0.store(true, Relaxed);
    }
}

#[derive(Debug, Default)]
pub(super) struct Claims {
    claimed: HashMap<RequestId, Claim>,
    counted: HashMap<RequestId, Counted>,
    order: VecDeque<RequestId>,
    counted_order: VecDeque<(u64, RequestId)>,
}

/// Identical requests so far.
#[derive(Debug)]
struct Counted {
    count: u32,
    connection: u64,
    ended: Timestamp,
    last: Claim,
}

impl Claims {
    /// The claim of a request that is named by `id` alone.
    pub(super) fn claim(&mut self, id: &RequestId) -> Claim {
        if let Some(claim) = self.claimed.get(id) {
            claim.collide();
            return claim.clone();
        }
        while self.order.len() >= MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.claimed.remove(&oldest);
            }
        }
        let claim = Claim(Arc::default());
        self.claimed.insert(id.clone(), claim.clone());
        self.order.push_back(id.clone());
        claim
    }

    /// The occurrence number of a request among identical ones, and its claim on it. Of two that were under way at
    /// once on two connections nobody knows which production counted first: both have collided.
    pub(super) fn count(&mut self, id: &RequestId, exchange: &Exchange) -> (u32, Claim) {
        let began = exchange.captured_at();
        self.forget(began);
        let ended = exchange
            .timing
            .response_last
            .unwrap_or(exchange.timing.request_last);
        let claim = Claim(Arc::default());
        let Some(before) = self.counted.get_mut(id) else {
            let first = Counted {
                count: 0,
                connection: exchange.connection,
                ended,
                last: claim.clone(),
            };
            self.counted.insert(id.clone(), first);
            self.counted_order.push_back((began.0, id.clone()));
            return (0, claim);
        };
        if before.connection != exchange.connection && began < before.ended {
            before.last.collide();
            claim.collide();
        }
        before.count += 1;
        before.connection = exchange.connection;
        before.ended = before.ended.max(ended);
        before.last = claim.clone();
        (before.count, claim)
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((since, _)) = self.counted_order.front() {
            if self.counted_order.len() < MOST && now.0.saturating_sub(*since) < REMEMBERED_NANOS {
                return;
            }
            if let Some((_, oldest)) = self.counted_order.pop_front() {
                self.counted.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Body, Headers, Request, Timing};

    fn exchange(connection: u64, began: u64, ended: u64) -> Exchange {
        let address = "127.0.0.1:80".parse().unwrap();
        Exchange {
            connection,
            index: 0,
            client: address,
            server: address,
            origin: 0,
            timing: Timing {
                request_first: Timestamp(began),
                request_last: Timestamp(began),
                response_first: Some(Timestamp(ended)),
                response_last: Some(Timestamp(ended)),
            },
            request: Request {
                method: "GET".into(),
                target: "/".into(),
                minor: 1,
                headers: Headers::default(),
                body: Body::default(),
                fault: None,
            },
            response: None,
        }
    }

    #[test]
    fn two_claims_on_one_id_collide() {
        let mut claims = Claims::default();
        let (a, b) = (RequestId::new("a").unwrap(), RequestId::new("b").unwrap());
        let first = claims.claim(&a);
        let other = claims.claim(&b);
        assert!(!first.is_collided());
        let second = claims.claim(&a);
        assert!(first.is_collided() && second.is_collided() && !other.is_collided());
    }

    #[test]
    fn identical_requests_are_counted_where_their_order_is_known() {
        let mut claims = Claims::default();
        let id = RequestId::new("a").unwrap();
        let mut check = |connection, began, ended, expect: u32, collides: bool| {
            let (n, claim) = claims.count(&id, &exchange(connection, began, ended));
            assert_eq!(
                (n, claim.is_collided()),
                (expect, collides),
                "{connection} {began}"
            );
            claim
        };
        let first = check(1, 10, 20, 0, false);
        // Pipelined behind it, and after it on another connection.
        check(1, 12, 30, 1, false);
        let third = check(2, 31, 50, 2, false);
        // While the third was under way.
        check(1, 40, 45, 3, true);
        assert!(third.is_collided() && !first.is_collided());
    }
}
