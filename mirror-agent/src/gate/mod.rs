//! The gate: an exchange passes once production's snapshot for it is there, and is known to be its own.

mod brought;
mod claims;
mod effects;
mod lists;
mod numbered;
mod options;
mod outcome;
pub mod replica;
mod rules;
mod snapshot;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use mirror_snapshot::{DEFAULT_TTL, HEADER_POSITION, RedisStore, RequestId, SendId, store::Waiter};
use tokio::time::Instant;

use effects::EffectsWaiter;
use lists::Lists;
use mirror_core::attribution::{Attribution, Claim, RequestNumber};
use mirror_core::exchange::Exchange;
use mirror_core::policy::Envelope;
use mirror_core::verdict::Side;
use replica::{Caught, Position, Replica};
use snapshot::SnapshotGate;

pub use effects::EffectsLook;
pub use options::{GateOptions, Poll};
pub use outcome::{FoundSnapshot, SnapshotOutcome};
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
            effects: EffectsWaiter::new(mirror.as_ref().unwrap_or(&store).clone()),
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
        if let Some(document) = envelope.snapshot() {
            return gate.brought(envelope, document, claims).await;
        }
        match (envelope.identity().candidates.counted, number, claims.pop()) {
            _ if ids.is_empty() => SnapshotOutcome::NoId,
            (true, Some(number), Some(claim)) => gate.numbered(envelope, &ids, number, claim).await,
            (true, ..) => SnapshotOutcome::NoId,
            (false, Some(number), _) => gate.named(envelope, ids, Some(number), None).await,
            (false, None, claim) => gate.named(envelope, ids, None, claim).await,
        }
    }

    /// The document itself, as production filed it; nothing if it is gone.
    pub async fn value(&self, found: &FoundSnapshot) -> Option<Bytes> {
        let store = self.snapshots.as_ref()?.waiter.store();
        let ids = std::slice::from_ref(&found.id);
        store.look(ids).await.ok()?.pop().flatten()
    }

    /// Looks for what the mirror filed about one sending of a request that it has answered.
    pub async fn effects(&self, side: Side, send: &SendId, id: &RequestId) -> EffectsLook {
        match &self.snapshots {
            Some(gate) => gate.effects.look(side, send, id).await,
            None => EffectsLook::Missing,
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
