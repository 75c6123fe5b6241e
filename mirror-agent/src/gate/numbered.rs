//! The wait for a numbered snapshot: reads what production listed until a document is proven to be the request's.

use mirror_core::attribution::{Attributed, Claim, Doubt, RequestNumber};
use mirror_core::policy::Envelope;
use mirror_snapshot::{Filed, RequestId, Stamp, StoreError, Waited};
use tokio::time::Instant;

use super::SnapshotOutcome;
use super::lists::ListName;
use super::snapshot::{SnapshotGate, is_outlived};

/// A request that takes longer is not looked for in all of the minutes that it took.
const MAX_MINUTES: u64 = 10;
const MINUTE: u64 = 60_000;

/// How the look for a request's own document ended.
enum Listed {
    Own { id: RequestId, stamp: Stamp },
    None { why: Option<Doubt> },
    Unavailable(StoreError),
}

impl SnapshotGate {
    pub(super) async fn numbered(
        &self,
        envelope: &Envelope,
        derived: &[RequestId],
        number: RequestNumber,
        claim: Claim,
    ) -> SnapshotOutcome {
        let began = Instant::now();
        let names = lists(envelope, derived, self.skew_seconds);
        match self.listed(&names, number, began).await {
            Listed::Own { id, stamp } => {
                let outcome = self.document(id, stamp, claim).await;
                outcome.waited_since(began)
            }
            Listed::None { why: Some(why) } => SnapshotOutcome::Unproven { why },
            Listed::None { why: None } if is_outlived(envelope) => SnapshotOutcome::Expired,
            Listed::None { why: None } => SnapshotOutcome::Missing {
                waited: began.elapsed(),
                refused: false,
                why: None,
            },
            Listed::Unavailable(error) => SnapshotOutcome::Unavailable {
                error: error.to_string(),
            },
        }
    }

    /// Reads the lists at once and then every tick.
    async fn listed(&self, names: &[ListName], number: RequestNumber, began: Instant) -> Listed {
        let wait = self.wait;
        let mut failures = 0;
        let mut not_before = began;
        loop {
            let look = Instant::now();
            match self.lists.fresh(names, not_before).await {
                Ok(fresh) => {
                    failures = 0;
                    let mut attribution = self.attribution();
                    for (id, entry) in fresh {
                        attribution.list(&id, &entry.stamp);
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures >= wait.tries {
                        return Listed::Unavailable(error);
                    }
                }
            }
            let attributed = self.attribution().decide(number);
            let why = match attributed {
                Attributed::Own { id, stamp } => return Listed::Own { id, stamp },
                Attributed::Never(why) => return Listed::None { why: Some(why) },
                Attributed::Open { why } => why,
            };
            if began.elapsed() >= wait.timeout {
                return Listed::None { why };
            }
            // Whoever looks from now on looks for all.
            not_before = Instant::now();
            tokio::time::sleep_until(look + wait.poll).await;
        }
    }

    /// Waits for the document itself, which was filed before it was listed.
    async fn document(&self, id: RequestId, stamp: Stamp, claim: Claim) -> SnapshotOutcome {
        let is_it = move |_: &RequestId, value: &[u8]| match Filed::read(value) {
            Filed::Stamped(theirs) => {
                (theirs.moment(), &theirs.request, &theirs.peer)
                    == (stamp.moment(), &stamp.request, &stamp.peer)
            }
            Filed::Collided | Filed::Bare => false,
        };
        match self.waiter.wait(vec![id], Box::new(is_it)).await {
            Waited::Hit(hit) => self.passed(hit, vec![claim], Some(Doubt::Overlap)).await,
            other => SnapshotOutcome::of_wait(other),
        }
    }
}

/// The lists that production may have put the request's number on.
fn lists(envelope: &Envelope, derived: &[RequestId], skew_seconds: u64) -> Vec<ListName> {
    let owner = &envelope.identity().owner;
    let skew = skew_seconds.saturating_mul(1000);
    let first = owner.began.as_millis().saturating_sub(skew) / MINUTE;
    let last = owner.ended.as_millis().saturating_add(skew) / MINUTE;
    let minutes = first..=last.min(first + MAX_MINUTES);
    let of = |minute| {
        let named = move |derived: &RequestId| ListName {
            derived: derived.clone(),
            minute,
        };
        derived.iter().map(named)
    };
    minutes.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use mirror_core::exchange::{Exchange, Request};
    use mirror_core::identity::{Identity, Owner};
    use mirror_core::policy::Policy;
    use mirror_core::time::Timestamp;

    use super::*;

    /// The minutes of the lists that a request may stand on, by the seconds in which it began and ended.
    fn minutes(began: u64, ended: u64, skew_seconds: u64) -> Vec<u64> {
        let address = ([10, 0, 0, 1], 80).into();
        let exchange = Exchange::new(address, address, Request::new("GET", "/a"));
        let owner = Owner {
            began: Timestamp(began * 1_000_000_000),
            ended: Timestamp(ended * 1_000_000_000),
            ..Owner::default()
        };
        let identify = |_: &Exchange| Identity {
            owner,
            ..Identity::default()
        };
        let admitted = Policy::default().admit(&"host".into(), exchange, identify);
        let Ok(envelope) = admitted else {
            panic!("policy lets a GET out")
        };
        let derived = [RequestId::new("a").unwrap()];
        let names = lists(&envelope, &derived, skew_seconds);
        names.iter().map(|name| name.minute).collect()
    }

    #[test]
    fn a_request_may_be_listed_in_each_minute_that_it_touches() {
        assert_eq!(minutes(130, 140, 1), [2]);
        assert_eq!(minutes(119, 181, 0), [1, 2, 3]);
        // Production's clock may be ahead or behind.
        assert_eq!(minutes(121, 121, 2), [1, 2]);
        assert_eq!(minutes(178, 178, 2), [2, 3]);
        assert_eq!(minutes(0, 0, 2), [0]);
    }

    #[test]
    fn a_request_that_takes_hours_is_looked_for_in_its_first_minutes() {
        let first: Vec<u64> = (2..=12).collect();
        assert_eq!(minutes(130, 100_000, 1), first);
    }
}
