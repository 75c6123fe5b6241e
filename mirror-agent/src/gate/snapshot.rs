//! Waits for a request's own snapshot, and lets it live until the replay.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mirror_snapshot::{
    DEFAULT_TTL, EffectsDocument, Filed, RedisStore, RequestId, WaitOptions, Waited,
    store::{Accept, WaitHit, Waiter},
};
use tokio::time::Instant;

use super::claims::Claims;
use super::effects::EffectsWaiter;
use super::lists::Lists;
use super::{FoundSnapshot, SnapshotOutcome, TtlCare};
use mirror_core::attribution::{Attribution, Claim, Doubt, RequestNumber};
use mirror_core::policy::Envelope;

/// A request that overlaps with another one is captured at most this long after the other's snapshot is there.
const SETTLES_FOR: Duration = Duration::from_secs(1);

/// The gate for snapshots in a store.
pub(super) struct SnapshotGate {
    pub(super) waiter: Waiter,
    pub(super) effects: EffectsWaiter,
    /// How long a list is looked at, and how often.
    pub(super) wait: WaitOptions,
    pub(super) lists: Lists,
    pub(super) attribution: Arc<Mutex<Attribution>>,
    /// Whether this host, whose clock the capture uses, has this address.
    pub(super) is_own_address: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// Where the mirror reads, if not in production's store.
    pub(super) mirror: Option<RedisStore>,
    /// For copies.
    pub(super) namespace: String,
    pub(super) care: TtlCare,
    /// Seconds by which production's clock may differ from the capture's.
    pub(super) skew_seconds: u64,
    pub(super) claims: Mutex<Claims>,
}

impl SnapshotGate {
    pub(super) fn enter(&self, envelope: &Envelope) -> Option<(RequestNumber, Claim)> {
        let exchange = envelope.exchange();
        let host = exchange.server.ip();
        let has_end = exchange.timing.response_last.is_some();
        let owner = &envelope.identity().owner;
        let is_one_clock = (self.is_own_address)(host);
        self.attribution().enter(owner, host, is_one_clock, has_end)
    }

    /// Waits for a snapshot of a rule that names single requests. With a `number` production used one of several ids.
    pub(super) async fn named(
        &self,
        envelope: &Envelope,
        ids: Vec<RequestId>,
        number: Option<RequestNumber>,
        claim: Option<Claim>,
    ) -> SnapshotOutcome {
        if claim.as_ref().is_some_and(Claim::is_doubtful) {
            return SnapshotOutcome::Collided;
        }
        let marked = Arc::new(AtomicBool::new(false));
        let accept = self.accept_named(envelope, number, Arc::clone(&marked));
        match self.waiter.wait(ids.clone(), accept).await {
            Waited::Hit(hit) => {
                let at = envelope.exchange().captured_at();
                let claim = claim.unwrap_or_else(|| self.claims().claim(&hit.id, at));
                if Filed::read(&hit.value) == Filed::Collided {
                    claim.doubt();
                }
                self.passed(hit, vec![claim], None).await
            }
            Waited::Missing { waited, refused } if !refused && is_outlived(envelope) => {
                tracing::debug!(?waited, "an exchange came later than its snapshot lives");
                SnapshotOutcome::Expired
            }
            Waited::Missing { .. } if marked.load(Relaxed) => SnapshotOutcome::Collided,
            Waited::Missing {
                waited,
                refused: false,
            } => SnapshotOutcome::Missing {
                waited,
                refused: false,
                why: self
                    .waiter
                    .store()
                    .misfit(&ids)
                    .await
                    .map(|e| e.to_string()),
            },
            other => SnapshotOutcome::of_wait(other),
        }
    }

    /// Whether a value is the request's own. A bare snapshot ends the wait too, and so does the mark of a collision, if the
    /// request has only one id: of several ids the mark may be another request's, and is only `marked`.
    fn accept_named(
        &self,
        envelope: &Envelope,
        number: Option<RequestNumber>,
        marked: Arc<AtomicBool>,
    ) -> Accept {
        let owner = envelope.identity().owner.clone();
        let host = envelope.exchange().server.ip();
        let attribution = Arc::clone(&self.attribution);
        Box::new(move |id, value| {
            let stamp = match Filed::read(value) {
                Filed::Bare => return true,
                Filed::Collided => {
                    marked.store(true, Relaxed);
                    return number.is_none();
                }
                Filed::Stamped(stamp) => stamp,
            };
            let mut attribution = attribution.lock().unwrap_or_else(PoisonError::into_inner);
            match number {
                Some(number) => attribution.take_named(number, id, &stamp),
                None => owner.agrees(&stamp) && attribution.pair(&owner, host, id, &stamp),
            }
        })
    }

    /// A snapshot that is the request's, as long as its claims are not doubted.
    pub(super) async fn passed(
        &self,
        hit: WaitHit,
        claims: Vec<Claim>,
        doubt: Option<Doubt>,
    ) -> SnapshotOutcome {
        if claims.iter().any(Claim::is_doubtful) {
            let unproven = |why| SnapshotOutcome::Unproven { why };
            return doubt.map_or(SnapshotOutcome::Collided, unproven);
        }
        if let Some(mirror) = &self.mirror {
            let ttl = hit.ttl.unwrap_or(DEFAULT_TTL).min(DEFAULT_TTL);
            if let Err(error) = mirror.set(&hit.id, &hit.value, ttl).await {
                return SnapshotOutcome::Unavailable {
                    error: format!("the mirror's store: {error}"),
                };
            }
        }
        let (at, position, effects) = match Filed::read(&hit.value) {
            Filed::Stamped(stamp) => {
                let effects = EffectsDocument::of_snapshot(&hit.value);
                (Some(stamp.at), stamp.position, effects)
            }
            Filed::Collided | Filed::Bare => (None, None, None),
        };
        SnapshotOutcome::Found(FoundSnapshot {
            id: hit.id,
            waited: hit.waited,
            at_once: hit.at_once,
            at,
            position: position.and_then(|text| text.parse().ok()),
            ttl: hit.ttl,
            effects,
            namespace: None,
            settles_at: Instant::now() + SETTLES_FOR,
            expires: hit.ttl.map(|ttl| Instant::now() + ttl),
            claims,
            doubt,
        })
    }

    /// Lets the key that the mirror reads live on.
    pub(super) async fn extend(&self, found: &FoundSnapshot) -> anyhow::Result<bool> {
        let store = self.mirror.as_ref().unwrap_or(self.waiter.store());
        Ok(store.extend(&found.id, DEFAULT_TTL).await?)
    }

    /// Copies the snapshot into the namespace of this run, in the store that the mirror reads.
    pub(super) async fn copy(&self, found: &mut FoundSnapshot) -> anyhow::Result<bool> {
        let store = self.mirror.as_ref().unwrap_or(self.waiter.store());
        let copies = store.with_keys(store.keys().within(&self.namespace)?);
        let from = if found.namespace.is_some() {
            &copies
        } else {
            store
        };
        let ids = std::slice::from_ref(&found.id);
        let Some(value) = from.look(ids).await?.pop().flatten() else {
            return Ok(false);
        };
        copies.set(&found.id, &value, DEFAULT_TTL).await?;
        found.namespace = Some(self.namespace.clone());
        Ok(true)
    }

    pub(super) fn attribution(&self) -> MutexGuard<'_, Attribution> {
        self.attribution
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a snapshot that was filed for the exchange has lived its time.
pub(super) fn is_outlived(envelope: &Envelope) -> bool {
    let captured = Duration::from_millis(envelope.exchange().captured_at().as_millis());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let age = now.unwrap_or_default().saturating_sub(captured);
    DEFAULT_TTL.saturating_sub(age).is_zero()
}
