//! Which ids have been claimed by a request: two that claim one id have both collided.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use mirror_snapshot::RequestId;

use mirror_core::exchange::Exchange;
use mirror_core::time::Timestamp;

/// Ids that are remembered at the most, by their hashes: some 20 MB. Of more the oldest are forgotten.
const MOST: usize = 200_000;
/// A snapshot does not live longer.
const CLAIMED_FOR: Duration = Duration::from_secs(300);
/// As production counts them.
const COUNTED_FOR: Duration = Duration::from_secs(60);

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
    hasher: foldhash::quality::RandomState,
    claimed: HashMap<u64, Claim>,
    claimed_order: VecDeque<(Timestamp, u64)>,
    counted: HashMap<u64, Counted>,
    counted_order: VecDeque<(Timestamp, u64)>,
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
    /// The claim of a request that came at `at` and is named by `id` alone.
    pub(super) fn claim(&mut self, id: &RequestId, at: Timestamp) -> Claim {
        forget(&mut self.claimed, &mut self.claimed_order, at, CLAIMED_FOR);
        let id = self.hasher.hash_one(id);
        if let Some(claim) = self.claimed.get(&id) {
            claim.collide();
            return claim.clone();
        }
        let claim = Claim(Arc::default());
        self.claimed.insert(id, claim.clone());
        self.claimed_order.push_back((at, id));
        claim
    }

    /// The occurrence number of a request among identical ones, and its claim on it. Of two that were under way at
    /// once on two connections nobody knows which production counted first: both have collided.
    pub(super) fn count(&mut self, id: &RequestId, exchange: &Exchange) -> (u32, Claim) {
        let began = exchange.captured_at();
        forget(
            &mut self.counted,
            &mut self.counted_order,
            began,
            COUNTED_FOR,
        );
        let id = self.hasher.hash_one(id);
        let ended = exchange
            .timing
            .response_last
            .unwrap_or(exchange.timing.request_last);
        let claim = Claim(Arc::default());
        let Some(before) = self.counted.get_mut(&id) else {
            let first = Counted {
                count: 0,
                connection: exchange.connection,
                ended,
                last: claim.clone(),
            };
            self.counted.insert(id, first);
            self.counted_order.push_back((began, id));
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
}

/// What is too old, or too much.
fn forget<T>(
    known: &mut HashMap<u64, T>,
    order: &mut VecDeque<(Timestamp, u64)>,
    now: Timestamp,
    after: Duration,
) {
    while let Some((since, oldest)) = order.front() {
        let age = Duration::from_nanos(now.nanos_since(*since));
        if order.len() < MOST && age <= after {
            return;
        }
        known.remove(oldest);
        order.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mirror_core::exchange::Request;
    use mirror_core::exchange::Timing;

    fn exchange(connection: u64, began: u64, ended: u64) -> Exchange {
        let address = "127.0.0.1:80".parse().unwrap();
        Exchange {
            connection,
            timing: Timing {
                request_first: Timestamp(began),
                request_last: Timestamp(began),
                response_first: Some(Timestamp(ended)),
                response_last: Some(Timestamp(ended)),
            },
            ..Exchange::new(address, address, Request::new("GET", "/"))
        }
    }

    #[test]
    fn two_claims_on_one_id_collide() {
        let mut claims = Claims::default();
        let (a, b) = (RequestId::new("a").unwrap(), RequestId::new("b").unwrap());
        let second = |n: u64| Timestamp(n * 1_000_000_000);
        let first = claims.claim(&a, second(0));
        let other = claims.claim(&b, second(1));
        assert!(!first.is_collided());
        let again = claims.claim(&a, second(300));
        assert!(first.is_collided() && again.is_collided() && !other.is_collided());
        // Its snapshot is gone by now.
        assert!(!claims.claim(&a, second(301)).is_collided());
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
