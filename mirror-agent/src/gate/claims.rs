//! Which ids have been claimed by a request: two that claim one id have both collided.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasher,
    time::Duration,
};

use mirror_core::attribution::Claim;
use mirror_core::time::Timestamp;
use mirror_snapshot::RequestId;

/// Ids that are remembered, by their hashes: some 20 MB. The oldest are forgotten first.
const MAX_IDS: usize = 200_000;
/// A snapshot does not live longer.
const CLAIMED_FOR: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct Claims {
    hasher: foldhash::quality::RandomState,
    claimed: HashMap<u64, Claim>,
    order: VecDeque<(Timestamp, u64)>,
}

impl Claims {
    /// The claim of a request that came at `at` on the id that production used for it.
    pub(super) fn claim(&mut self, id: &RequestId, at: Timestamp) -> Claim {
        self.forget(at);
        let id = self.hasher.hash_one(id);
        if let Some(claim) = self.claimed.get(&id) {
            claim.doubt();
            return claim.clone();
        }
        let claim = Claim::default();
        self.claimed.insert(id, claim.clone());
        self.order.push_back((at, id));
        claim
    }

    /// Drops what is too old, or too much.
    fn forget(&mut self, now: Timestamp) {
        while let Some((since, oldest)) = self.order.front() {
            let age = Duration::from_nanos(now.nanos_since(*since));
            if self.order.len() < MAX_IDS && age <= CLAIMED_FOR {
                return;
            }
            self.claimed.remove(oldest);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RequestId {
        RequestId::new(text).unwrap()
    }

    fn second(n: u64) -> Timestamp {
        Timestamp(n * 1_000_000_000)
    }

    #[test]
    fn two_claims_on_one_id_collide() {
        let mut claims = Claims::default();
        let first = claims.claim(&id("a"), second(0));
        let other = claims.claim(&id("b"), second(1));
        assert!(!first.is_doubtful());
        let again = claims.claim(&id("a"), second(300));
        assert!(first.is_doubtful() && again.is_doubtful() && !other.is_doubtful());
        // Its snapshot is gone by now.
        assert!(!claims.claim(&id("a"), second(301)).is_doubtful());
    }

    #[test]
    fn no_more_ids_are_remembered_than_is_stated() {
        let mut claims = Claims::default();
        let first = claims.claim(&id("first"), second(0));
        for n in 1..MAX_IDS {
            claims.claim(&id(&n.to_string()), second(0));
        }
        assert_eq!(claims.claimed.len(), MAX_IDS);
        claims.claim(&id("one-more"), second(0));
        assert_eq!(claims.claimed.len(), MAX_IDS);
        assert!(!claims.claim(&id("first"), second(0)).is_doubtful());
        assert!(!first.is_doubtful());
    }
}
