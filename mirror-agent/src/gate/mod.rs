//! The gate: an exchange passes once production's snapshot for it is there, and is known to be its own.

mod claims;
mod lists;
mod numbered;
mod options;
pub mod replica;
mod rules;

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mirror_snapshot::{
    DEFAULT_TTL, Filed, HEADER_POSITION, RedisStore, RequestId, WaitOptions, Waited,
    store::{Accept, WaitHit, Waiter},
};
use tokio::time::Instant;

use claims::Claims;
use lists::Lists;
use mirror_core::attribution::{Attribution, Claim, Doubt, RequestNumber};
use mirror_core::exchange::Exchange;
use mirror_core::policy::Envelope;
use replica::{Caught, Position, Replica};

pub use options::{GateOptions, Poll};
pub use rules::{GateRules, OnMissing};

const OF_ANOTHER: &str = "the snapshot that was there is another request's";
/// A request that overlaps with another one is captured at most this long after the other's snapshot is there.
const SETTLES_FOR: Duration = Duration::from_secs(1);

/// What is done for a snapshot that would not live until its replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TtlCare {
    /// Copy it into a namespace of this run, for five minutes
    Copy,
    /// Let production's own key live five minutes longer
    Extend,
    /// Nothing: it ends as `snapshot: expired`
    Off,
}

#[derive(Debug)]
pub enum SnapshotOutcome {
    /// No store was given.
    Off,
    /// The route's answers do not depend on data.
    NotRequired,
    Found(FoundSnapshot),
    /// The mirror's replica has replayed past production's position.
    Caught {
        waited: Duration,
        at_once: bool,
        /// The snapshot that told production's position, if one did.
        told_by: Option<Box<FoundSnapshot>>,
    },
    Missing {
        waited: Duration,
        /// There was one of another request.
        refused: bool,
        /// What else is known of it, with what to do.
        why: Option<String>,
    },
    /// The exchange was older than a snapshot lives.
    Expired,
    Collided,
    /// Identical requests have the id, and no snapshot is proven to be this one's.
    Unproven {
        why: Doubt,
    },
    /// No rule yielded an id.
    NoId,
    Unavailable {
        error: String,
    },
}

impl SnapshotOutcome {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NotRequired => "not required",
            Self::Found(FoundSnapshot { at_once: true, .. })
            | Self::Caught { at_once: true, .. } => "hit",
            Self::Found(_) | Self::Caught { .. } => "late",
            Self::Missing { .. } => "missing",
            Self::Expired => "expired",
            Self::Collided => "collided",
            Self::Unproven { .. } => "unproven",
            Self::NoId => "no id",
            Self::Unavailable { .. } => "store unavailable",
        }
    }

    /// How a wait ended that found nothing.
    fn of_wait(waited: Waited) -> Self {
        match waited {
            Waited::Unavailable(error) => Self::Unavailable {
                error: error.to_string(),
            },
            Waited::Missing { waited, refused } => Self::Missing {
                waited,
                refused,
                why: refused.then(|| OF_ANOTHER.into()),
            },
            Waited::Hit(hit) => Self::Missing {
                waited: hit.waited,
                refused: true,
                why: Some(OF_ANOTHER.into()),
            },
        }
    }

    /// The same, with the whole time since `began` as the time that was waited.
    fn waited_since(mut self, began: Instant) -> Self {
        match &mut self {
            Self::Found(FoundSnapshot { waited, .. }) | Self::Missing { waited, .. } => {
                *waited = began.elapsed();
            }
            _ => {}
        }
        self
    }
}

/// A snapshot that is there.
#[derive(Debug)]
pub struct FoundSnapshot {
    pub id: RequestId,
    pub waited: Duration,
    /// By the first look.
    pub at_once: bool,
    /// When production says that it received the request, milliseconds since the epoch. Only a stamp says so, and
    /// that the snapshot is this request's.
    pub at: Option<u64>,
    pub ttl: Option<Duration>,
    /// How far production's database was.
    pub position: Option<Position>,
    /// Where it was copied to.
    pub namespace: Option<String>,
    /// Until when another request could turn up that makes it doubtful.
    pub settles_at: Instant,
    expires: Option<Instant>,
    claims: Vec<Claim>,
    /// What another request makes of it: doubtful for this reason, or a collision.
    doubt: Option<Doubt>,
}

impl FoundSnapshot {
    /// Whether another request turned out to have its id.
    pub fn is_collided(&self) -> bool {
        self.claims.iter().any(Claim::is_doubtful)
    }

    /// Why it is not proven after all, if it is a numbered one and another request turned up.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt.filter(|_| self.is_collided())
    }

    /// Whether it has lived its time.
    pub fn is_expired(&self) -> bool {
        self.expires.is_some_and(|at| at <= Instant::now())
    }
}

/// An exchange on its way through the gate: the ids to look for, and its claims on them.
pub struct Entered {
    ids: Vec<RequestId>,
    claims: Vec<Claim>,
    /// Where several requests may have one of the ids.
    number: Option<RequestNumber>,
    /// Until when another request could turn up with the same id.
    pub settles: Duration,
}

/// Where the mirror's data comes from: snapshots, a replica that may be told its position by snapshots, or neither.
pub struct Gate {
    snapshots: Option<SnapshotGate>,
    replica: Option<Replica>,
}

struct SnapshotGate {
    waiter: Waiter,
    /// How long a list is looked at, and how often.
    wait: WaitOptions,
    lists: Lists,
    attribution: Arc<Mutex<Attribution>>,
    /// Whether this host, whose clock the capture uses, has this address.
    is_own_address: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// Where the mirror reads, if not in production's store.
    mirror: Option<RedisStore>,
    /// For copies.
    namespace: String,
    care: TtlCare,
    /// Seconds by which production's clock may differ from the capture's.
    skew_seconds: u64,
    claims: Mutex<Claims>,
}

impl Gate {
    /// A gate that lets everything through at once.
    pub fn off() -> Self {
        Self {
            snapshots: None,
            replica: None,
        }
    }

    /// Whether it lets everything through at once.
    pub fn is_off(&self) -> bool {
        self.snapshots.is_none() && self.replica.is_none()
    }

    /// A gate for snapshots in `store`, copied to `mirror` if that is another one. `run` names the namespace of copies
    /// that outlive production's keys. `skew_seconds` is
    /// the most by which production's clock may differ from the capture's.
    pub fn new(
        store: RedisStore,
        mirror: Option<RedisStore>,
        run: &str,
        options: &GateOptions,
        skew_seconds: u64,
    ) -> Self {
        let wait = options.wait_options();
        let skew = Duration::from_secs(skew_seconds).as_nanos();
        let attribution = Attribution::new(u64::try_from(skew).unwrap_or(u64::MAX));
        let gate = SnapshotGate {
            lists: Lists::new(store.clone()),
            waiter: Waiter::new(store, wait),
            wait,
            attribution: Arc::new(Mutex::new(attribution)),
            is_own_address: Box::new(|_| false),
            mirror,
            namespace: run.into(),
            care: options.care,
            skew_seconds,
            claims: Mutex::default(),
        };
        Self {
            snapshots: Some(gate),
            replica: None,
        }
    }

    /// Tells which addresses are the capturing host's own. Services there stamp their snapshots by the clock that captured
    /// packets are stamped by.
    pub fn on_host(self, is_own_address: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        let with_addresses = |gate| SnapshotGate {
            is_own_address: Box::new(is_own_address),
            ..gate
        };
        Self {
            snapshots: self.snapshots.map(with_addresses),
            ..self
        }
    }

    /// For mirrors that read a replica: the gate opens when that has caught up with production's position, which comes
    /// in the response's header `x-mirror-position` or in the snapshot.
    pub fn behind(self, replica: Replica) -> Self {
        Self {
            replica: Some(replica),
            ..self
        }
    }

    /// Claims the exchange's id. Exchanges must enter in the order in which they were captured.
    pub fn enter(&self, envelope: &Envelope) -> Entered {
        let candidates = &envelope.identity().candidates;
        let mut entered = Entered {
            ids: candidates.ids.clone(),
            claims: Vec::new(),
            number: None,
            settles: Duration::ZERO,
        };
        let Some(gate) = &self.snapshots else {
            return entered;
        };
        if let [id] = candidates.ids.as_slice()
            && !candidates.counted
        {
            let at = envelope.exchange().captured_at();
            entered.claims.push(gate.claims().claim(id, at));
        } else if !candidates.ids.is_empty() {
            // Which of them production used is not known before its snapshot is there.
            let number = gate.enter(envelope);
            entered.number = number.as_ref().map(|(number, _)| *number);
            entered.claims.extend(number.map(|(_, claim)| claim));
        }
        let bucket = candidates.bucket_seconds + gate.skew_seconds;
        entered.settles = Duration::from_secs(bucket.clamp(1, 5));
        entered
    }

    /// Waits for the data. Any number may wait at once: they share a connection.
    pub async fn wait(&self, envelope: &Envelope, entered: Entered) -> SnapshotOutcome {
        let Some(replica) = &self.replica else {
            return self.snapshot(envelope, entered).await;
        };
        if let Some(position) = told_position(envelope.exchange()) {
            return caught_up(replica, position, None).await;
        }
        match self.snapshot(envelope, entered).await {
            SnapshotOutcome::Off => SnapshotOutcome::NoId,
            SnapshotOutcome::Found(found) => match found.position {
                Some(position) => caught_up(replica, position, Some(found)).await,
                None => SnapshotOutcome::NoId,
            },
            other => other,
        }
    }

    async fn snapshot(&self, envelope: &Envelope, entered: Entered) -> SnapshotOutcome {
        let Some(gate) = &self.snapshots else {
            return SnapshotOutcome::Off;
        };
        let Entered {
            ids,
            mut claims,
            number,
            ..
        } = entered;
        match (envelope.identity().candidates.counted, number, claims.pop()) {
            _ if ids.is_empty() => SnapshotOutcome::NoId,
            (true, Some(number), Some(claim)) => gate.numbered(envelope, &ids, number, claim).await,
            (true, ..) => SnapshotOutcome::NoId,
            (false, Some(number), _) => gate.named(envelope, ids, Some(number), None).await,
            (false, None, claim) => gate.named(envelope, ids, None, claim).await,
        }
    }

    /// Lets a snapshot live on until its replay, or says why that is not possible.
    pub async fn keep(&self, found: &mut FoundSnapshot) -> Result<(), String> {
        let Some(gate) = &self.snapshots else {
            return Ok(());
        };
        let kept = match gate.care {
            TtlCare::Off => Ok(false),
            TtlCare::Extend => gate.extend(found).await,
            TtlCare::Copy => gate.copy(found).await,
        };
        match kept {
            Ok(true) => {
                found.expires = Some(Instant::now() + DEFAULT_TTL);
                Ok(())
            }
            Ok(false) => Err("it expired before a replay was free".into()),
            Err(error) => Err(format!(
                "it could not be kept until a replay was free: {error:#}"
            )),
        }
    }

    /// When a snapshot must be kept, for it to live until the end of a replay that takes `replay`.
    pub fn care_at(&self, found: &FoundSnapshot, replay: Duration) -> Option<Instant> {
        let gate = self
            .snapshots
            .as_ref()
            .filter(|gate| gate.care != TtlCare::Off);
        gate.and(found.expires)
            .map(|expires| expires - (replay + Duration::from_secs(1)))
    }
}

impl SnapshotGate {
    fn enter(&self, envelope: &Envelope) -> Option<(RequestNumber, Claim)> {
        let exchange = envelope.exchange();
        let host = exchange.server.ip();
        let has_end = exchange.timing.response_last.is_some();
        let owner = &envelope.identity().owner;
        let is_one_clock = (self.is_own_address)(host);
        self.attribution().enter(owner, host, is_one_clock, has_end)
    }

    /// Waits for a snapshot of a rule that names single requests. With a `number` production used one of several ids.
    async fn named(
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
    async fn passed(
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
        let (at, position) = match Filed::read(&hit.value) {
            Filed::Stamped(stamp) => (Some(stamp.at), stamp.position),
            Filed::Collided | Filed::Bare => (None, None),
        };
        SnapshotOutcome::Found(FoundSnapshot {
            id: hit.id,
            waited: hit.waited,
            at_once: hit.at_once,
            at,
            position: position.and_then(|text| text.parse().ok()),
            ttl: hit.ttl,
            namespace: None,
            settles_at: Instant::now() + SETTLES_FOR,
            expires: hit.ttl.map(|ttl| Instant::now() + ttl),
            claims,
            doubt,
        })
    }

    /// Lets the key that the mirror reads live on.
    async fn extend(&self, found: &FoundSnapshot) -> anyhow::Result<bool> {
        let store = self.mirror.as_ref().unwrap_or(self.waiter.store());
        Ok(store.extend(&found.id, DEFAULT_TTL).await?)
    }

    /// Copies the snapshot into the namespace of this run, in the store that the mirror reads.
    async fn copy(&self, found: &mut FoundSnapshot) -> anyhow::Result<bool> {
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

    fn attribution(&self) -> MutexGuard<'_, Attribution> {
        self.attribution
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told_position(exchange: &Exchange) -> Option<Position> {
    let response = exchange.response.as_ref()?;
    let value = std::str::from_utf8(response.headers.first(HEADER_POSITION)?).ok()?;
    value.parse().ok()
}

async fn caught_up(
    replica: &Replica,
    position: Position,
    told_by: Option<FoundSnapshot>,
) -> SnapshotOutcome {
    match replica.wait(position).await {
        Caught::Up { waited, at_once } => SnapshotOutcome::Caught {
            waited,
            at_once,
            told_by: told_by.map(Box::new),
        },
        Caught::Behind { waited } => SnapshotOutcome::Missing {
            waited,
            refused: false,
            why: Some("the mirror's replica did not reach production's position".into()),
        },
        Caught::Unavailable { error } => SnapshotOutcome::Unavailable { error },
    }
}

/// Whether a snapshot that was filed for the exchange has lived its time.
fn is_outlived(envelope: &Envelope) -> bool {
    let captured = Duration::from_millis(envelope.exchange().captured_at().as_millis());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let age = now.unwrap_or_default().saturating_sub(captured);
    DEFAULT_TTL.saturating_sub(age).is_zero()
}

#[cfg(test)]
mod tests {
    use mirror_core::exchange::{Request, Response};

    use super::*;

    #[test]
    fn production_tells_its_position_in_a_header() {
        let told = |value: Option<&str>| {
            let address = ([10, 0, 0, 1], 80).into();
            let mut exchange = Exchange::new(address, address, Request::new("GET", "/a"));
            assert_eq!(told_position(&exchange), None);
            let headers =
                value.map(|value| (HEADER_POSITION.to_owned(), value.as_bytes().to_vec()));
            exchange.response = Some(Box::new(Response {
                headers: headers.into_iter().collect(),
                ..Response::new(200)
            }));
            told_position(&exchange)
        };
        assert_eq!(told(Some("16/B374D848")), "16/B374D848".parse().ok());
        assert_eq!(told(Some("far")), None);
        assert_eq!(told(None), None);
    }
}
