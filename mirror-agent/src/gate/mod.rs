//! The gate: an exchange passes once production's snapshot for it is there, and is known to be its own.

mod claims;
mod options;
pub mod replica;
mod rules;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mirror_snapshot::{
    DEFAULT_TTL, Filed, HEADER_POSITION, RedisStore, RequestId, Waited,
    store::{Hit, Waiter},
};
use tokio::time::Instant;

use claims::{Claim, Claims};
use mirror_core::exchange::Exchange;
use mirror_core::policy::Envelope;
use mirror_core::time::Timestamp;
use replica::{Caught, Position, Replica};

pub use options::GateOptions;
pub use rules::{GateRules, OnMissing};

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
    Found(Found),
    /// The mirror's replica has replayed past production's position.
    Caught {
        waited: Duration,
        at_once: bool,
        /// The snapshot that told production's position, if one did.
        told_by: Option<Box<Found>>,
    },
    Missing {
        waited: Duration,
        /// There was one of another request.
        refused: bool,
    },
    /// The exchange was older than a snapshot lives.
    Expired,
    Collided,
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
            Self::Found(Found { at_once: true, .. }) | Self::Caught { at_once: true, .. } => "hit",
            Self::Found(_) | Self::Caught { .. } => "late",
            Self::Missing { .. } => "missing",
            Self::Expired => "expired",
            Self::Collided => "collided",
            Self::NoId => "no id",
            Self::Unavailable { .. } => "store unavailable",
        }
    }
}

/// A snapshot that is there.
#[derive(Debug)]
pub struct Found {
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
    expires: Option<Instant>,
    claims: Vec<Claim>,
}

impl Found {
    /// Whether another request turned out to have its id.
    pub fn is_collided(&self) -> bool {
        self.claims.iter().any(Claim::is_collided)
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
    /// Until when another request could turn up with the same id.
    pub settles: Duration,
}

/// Where the mirror's data comes from: snapshots, a replica that may be told its position by snapshots, or neither.
#[derive(Default)]
pub struct Gate {
    snapshots: Option<Open>,
    replica: Option<Replica>,
}

struct Open {
    waiter: Waiter,
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
        Self::default()
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
        let open = Open {
            waiter: Waiter::new(store, options.wait_options()),
            mirror,
            namespace: run.into(),
            care: options.care,
            skew_seconds,
            claims: Mutex::default(),
        };
        Self {
            snapshots: Some(open),
            replica: None,
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
            settles: Duration::ZERO,
        };
        if let (Some(open), Some(first)) = (&self.snapshots, candidates.ids.first()) {
            let mut claims = open.claims();
            if candidates.counted {
                let (n, claim) = claims.count(first, envelope.exchange());
                entered.ids = numbered(&candidates.ids, n);
                entered.claims.push(claim);
            } else {
                entered
                    .claims
                    .push(claims.claim(first, envelope.exchange().captured_at()));
            }
            let bucket = candidates.bucket_seconds + open.skew_seconds;
            entered.settles = Duration::from_secs(bucket.clamp(1, 5));
        }
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
        let Some(open) = &self.snapshots else {
            return SnapshotOutcome::Off;
        };
        if entered.ids.is_empty() {
            return SnapshotOutcome::NoId;
        }
        let Entered { ids, claims, .. } = entered;
        if claims.iter().any(Claim::is_collided) {
            return SnapshotOutcome::Collided;
        }
        let owner = envelope.identity().owner.clone();
        let skew = open.skew_seconds;
        let accept = Box::new(move |value: &[u8]| owner.accepts(value, skew));
        match open.waiter.wait(ids.clone(), accept).await {
            Waited::Hit(hit) => {
                let at = envelope.exchange().captured_at();
                open.found(hit, at, &ids, claims).await
            }
            Waited::Missing { waited, refused } if !refused && age(envelope) > DEFAULT_TTL => {
                tracing::debug!(?waited, "an exchange came later than its snapshot lives");
                SnapshotOutcome::Expired
            }
            Waited::Missing { waited, refused } => SnapshotOutcome::Missing { waited, refused },
            Waited::Unavailable(error) => SnapshotOutcome::Unavailable {
                error: error.to_string(),
            },
        }
    }

    /// Lets a snapshot live on until its replay; false when that was not possible.
    pub async fn keep(&self, found: &mut Found) -> bool {
        let Some(open) = &self.snapshots else {
            return true;
        };
        let kept = match open.care {
            TtlCare::Off => Ok(false),
            TtlCare::Extend => open.extend(found).await,
            TtlCare::Copy => open.copy(found).await,
        };
        let kept = kept.unwrap_or_else(|error| {
            tracing::debug!(%error, "a snapshot could not be kept");
            false
        });
        if kept {
            found.expires = Some(Instant::now() + DEFAULT_TTL);
        }
        kept
    }

    /// When a snapshot must be kept, for it to live until the end of a replay that takes `replay`.
    pub fn care_at(&self, found: &Found, replay: Duration) -> Option<Instant> {
        let open = self
            .snapshots
            .as_ref()
            .filter(|open| open.care != TtlCare::Off);
        open.and(found.expires)
            .map(|expires| expires - (replay + Duration::from_secs(1)))
    }
}

impl Open {
    async fn found(
        &self,
        hit: Hit,
        at: Timestamp,
        ids: &[RequestId],
        mut claims: Vec<Claim>,
    ) -> SnapshotOutcome {
        let filed = Filed::read(&hit.value);
        if ids.first() != Some(&hit.id) {
            claims.push(self.claims().claim(&hit.id, at));
        }
        if filed == Filed::Collided {
            claims.iter().for_each(Claim::collide);
        }
        if claims.iter().any(Claim::is_collided) {
            return SnapshotOutcome::Collided;
        }
        if let Some(mirror) = &self.mirror {
            let ttl = hit.ttl.unwrap_or(DEFAULT_TTL).min(DEFAULT_TTL);
            if let Err(error) = mirror.set(&hit.id, &hit.value, ttl).await {
                return SnapshotOutcome::Unavailable {
                    error: format!("the mirror's store: {error}"),
                };
            }
        }
        let (at, position) = match filed {
            Filed::Stamped(stamp) => (Some(stamp.at), stamp.position),
            Filed::Collided | Filed::Bare => (None, None),
        };
        SnapshotOutcome::Found(Found {
            id: hit.id,
            waited: hit.waited,
            at_once: hit.at_once,
            at,
            position: position.and_then(|text| text.parse().ok()),
            ttl: hit.ttl,
            namespace: None,
            expires: hit.ttl.map(|ttl| Instant::now() + ttl),
            claims,
        })
    }

    /// Lets the key that the mirror reads live on.
    async fn extend(&self, found: &Found) -> anyhow::Result<bool> {
        let store = self.mirror.as_ref().unwrap_or(self.waiter.store());
        Ok(store.extend(&found.id, DEFAULT_TTL).await?)
    }

    /// Copies the snapshot into the namespace of this run, in the store that the mirror reads.
    async fn copy(&self, found: &mut Found) -> anyhow::Result<bool> {
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
    told_by: Option<Found>,
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
        },
        Caught::Unavailable { error } => SnapshotOutcome::Unavailable { error },
    }
}

/// The ids of the `n`th identical request, and those next to it: production may have counted one that was
/// lost here, or one less.
fn numbered(bases: &[RequestId], n: u32) -> Vec<RequestId> {
    let numbers = [Some(n), n.checked_add(1), n.checked_sub(1)];
    let of = |base: &RequestId| {
        let ids = numbers.iter().flatten().filter_map(|n| base.occurrence(*n));
        ids.collect::<Vec<_>>()
    };
    bases.iter().flat_map(of).collect()
}

fn age(envelope: &Envelope) -> Duration {
    let captured = Duration::from_millis(envelope.exchange().captured_at().as_millis());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().saturating_sub(captured)
}
