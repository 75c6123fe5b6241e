//! The way through the gate: what a request is replayed with, or how it ends here.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mirror_core::detect::CREDENTIALS;
use mirror_snapshot::{EffectsDocument, HEADER_SNAPSHOT, RedisStore, RequestId, SnapshotState};
use tokio::{
    sync::oneshot,
    task::spawn_local,
    time::{Instant, sleep_until},
};

use super::MirrorSide;
use crate::capture::tc::Hook;
use crate::config::Config;
use crate::gate::replica::Replica;
use crate::gate::{Entered, FoundSnapshot, Gate, GateRules, OnMissing, SnapshotOutcome};
use crate::pipeline::preflight::own_addresses;
use crate::replay::Marks;
use crate::report::End;
use crate::secret::SecretUrl;
use crate::transport::memory::Room;
use mirror_core::exchange::Response;
use mirror_core::ledger::Outcome;
use mirror_core::policy::Envelope;
use mirror_core::time::Timestamp;
use mirror_core::verdict::Basis;

/// What a request is replayed with.
pub(super) enum Pass {
    /// Production's data is there for it. What is kept of it takes room.
    Snapshot(Box<FoundSnapshot>, Room),
    /// No data is needed, or none is asked for.
    Plain { id: Option<RequestId>, basis: Basis },
}

impl Pass {
    pub(super) fn basis(&self) -> Basis {
        match self {
            Self::Snapshot(..) => Basis::Snapshot,
            Self::Plain { basis, .. } => *basis,
        }
    }

    /// The snapshot that says what production did, and what it says.
    pub(super) fn effects(&self) -> Option<(&FoundSnapshot, &EffectsDocument)> {
        match self {
            Self::Snapshot(found, _) => Some((found, found.effects.as_ref()?)),
            Self::Plain { .. } => None,
        }
    }

    pub(super) fn marks(&self, captured_at: Timestamp) -> Marks<'_> {
        let captured_at = captured_at.as_millis();
        match self {
            Self::Snapshot(found, _) => Marks {
                id: Some(found.id.as_str()),
                namespace: found.namespace.as_deref(),
                at: found.at.unwrap_or(captured_at),
                send: None,
            },
            Self::Plain { id, .. } => Marks {
                id: id.as_ref().map(RequestId::as_str),
                namespace: None,
                at: captured_at,
                send: None,
            },
        }
    }
}

/// How far a request is on its way through the gate.
pub(super) enum Passing {
    Passed(Pass),
    Waits(Wait),
}

/// A wait that goes on beside the lane. Once the data is there, it is kept alive until it is taken.
pub(super) struct Wait {
    over: oneshot::Receiver<Result<(), End>>,
    take: oneshot::Sender<()>,
    taken: oneshot::Receiver<Result<Pass, End>>,
}

impl Wait {
    /// Waits until the data is there, or until it is known how the request ends without it.
    pub(super) async fn over(&mut self) -> Result<(), End> {
        let over = (&mut self.over).await;
        over.unwrap_or_else(|_| Err(Outcome::Interrupted.into()))
    }

    /// What to replay with, now.
    pub(super) async fn pass(self) -> Result<Pass, End> {
        let _ = self.take.send(());
        let taken = self.taken.await;
        taken.unwrap_or_else(|_| Err(Outcome::Interrupted.into()))
    }
}

impl MirrorSide {
    /// Begins to wait, if there is something to wait for.
    pub(super) fn begin_passing(
        self: &Rc<Self>,
        envelope: &Rc<Envelope>,
        entered: Entered,
        config: &Arc<Config>,
        room: &Room,
    ) -> Passing {
        let is_required = config.gate.rules.requires(&envelope.exchange().request);
        let (outcome, basis) = match is_required {
            true if !self.gate.is_off() => {
                return self.begin_wait(envelope, entered, config, room.beside(0));
            }
            true => (SnapshotOutcome::Off, Basis::NotGated),
            false => (SnapshotOutcome::NotRequired, Basis::NotRequired),
        };
        self.recorder.snapshot(&outcome);
        Passing::Passed(plain(envelope, basis))
    }

    fn begin_wait(
        self: &Rc<Self>,
        envelope: &Rc<Envelope>,
        entered: Entered,
        config: &Arc<Config>,
        room: Room,
    ) -> Passing {
        let (over, is_over) = oneshot::channel();
        let (take, is_taken) = oneshot::channel();
        let (give, taken) = oneshot::channel();
        let (side, envelope) = (Rc::clone(self), Rc::clone(envelope));
        let config = Arc::clone(config);
        spawn_local(async move {
            let outcome = side.gate.wait(&envelope, entered).await;
            side.recorder.snapshot(&outcome);
            match side.pass_of(&config.gate.rules, &envelope, outcome, room) {
                Err(end) => {
                    let _ = over.send(Err(end));
                }
                Ok(pass) => {
                    let _ = over.send(Ok(()));
                    let pass = side.keep(pass, is_taken, config.replay.timeout).await;
                    let _ = give.send(pass);
                }
            }
        });
        Passing::Waits(Wait {
            over: is_over,
            take,
            taken,
        })
    }

    /// What to replay with, or how the exchange ends here.
    fn pass_of(
        &self,
        rules: &GateRules,
        envelope: &Envelope,
        outcome: SnapshotOutcome,
        mut room: Room,
    ) -> Result<Pass, End> {
        let request = &envelope.exchange().request;
        let without = |end: End| match rules.on_missing(request) {
            OnMissing::Skip => Err(end),
            OnMissing::Replay => Ok(plain(envelope, Basis::Missing)),
            OnMissing::Fail => {
                self.recorder.fail(format!(
                    "{} {}: {}; --on-missing says that the run fails then",
                    request.method,
                    envelope.exchange().path(),
                    end.outcome.name()
                ));
                self.stop.send_replace(true);
                Err(end)
            }
        };
        let with = |found: Box<FoundSnapshot>| {
            room.grow(found.held_bytes());
            Ok(Pass::Snapshot(found, room))
        };
        match outcome {
            SnapshotOutcome::Off => Ok(plain(envelope, Basis::NotGated)),
            SnapshotOutcome::NotRequired => Ok(plain(envelope, Basis::NotRequired)),
            SnapshotOutcome::Caught { told_by: None, .. } => Ok(plain(envelope, Basis::Replica)),
            SnapshotOutcome::Caught {
                told_by: Some(found),
                ..
            } => with(found),
            SnapshotOutcome::Found(found) => with(Box::new(found)),
            SnapshotOutcome::Missing { why: Some(why), .. } => {
                without(End::because(Outcome::SnapshotMissing, why))
            }
            SnapshotOutcome::Missing { .. } => without(Outcome::SnapshotMissing.into()),
            SnapshotOutcome::Expired => {
                let reason = "the request came later than its snapshot lives";
                without(End::because(Outcome::SnapshotExpired, reason))
            }
            SnapshotOutcome::NoId => without(Outcome::SnapshotNoId.into()),
            SnapshotOutcome::Collided => Err(Outcome::SnapshotCollided.into()),
            SnapshotOutcome::Unproven { why } => {
                Err(End::because(Outcome::SnapshotUnproven, why.text()))
            }
            SnapshotOutcome::Unavailable { error } => {
                without(End::because(Outcome::SnapshotUnavailable, error))
            }
        }
    }

    /// Sees to it that the snapshot lives until the request's turn.
    async fn keep(
        &self,
        mut pass: Pass,
        mut is_taken: oneshot::Receiver<()>,
        replay_timeout: Duration,
    ) -> Result<Pass, End> {
        let Pass::Snapshot(found, _) = &mut pass else {
            return Ok(pass);
        };
        loop {
            let care_at = self.gate.care_at(found, replay_timeout);
            if care_at.is_some_and(|at| at <= Instant::now()) {
                let kept = self.gate.keep(found).await;
                kept.map_err(|why| End::because(Outcome::SnapshotExpired, why))?;
            }
            let far = || Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                _ = &mut is_taken => break,
                () = sleep_until(care_at.unwrap_or_else(far)) => {}
            }
        }
        if found.is_expired() {
            let reason = "it expired before a replay was free";
            return Err(End::because(Outcome::SnapshotExpired, reason));
        }
        Ok(pass)
    }

    /// Ends the request if the mirror says that it could not read the snapshot.
    pub(super) fn mirror_had_its_data(&self, response: &Response) -> Result<(), End> {
        let Some(value) = response.headers.first(HEADER_SNAPSHOT) else {
            return Ok(());
        };
        let said = String::from_utf8_lossy(value);
        self.recorder.mirror_snapshot(&CREDENTIALS.masked(&said));
        match SnapshotState::from_header(value) {
            Some(SnapshotState::Collided) => {
                let reason = "the mirror found the mark of a collision";
                Err(End::because(Outcome::SnapshotCollided, reason))
            }
            Some(state) if state.is_without_data() => {
                let reason = format!("the mirror says of its snapshot: {state}");
                Err(End::because(Outcome::MirrorNoSnapshot, reason))
            }
            _ => Ok(()),
        }
    }
}

fn plain(envelope: &Envelope, basis: Basis) -> Pass {
    let id = envelope.identity().candidates.ids.first().cloned();
    Pass::Plain { id, basis }
}

pub(in crate::pipeline) fn gate(config: &Config) -> anyhow::Result<Gate> {
    let options = &config.gate;
    let gate = match &options.store {
        None => Gate::off(),
        Some(url) => snapshot_gate(config, url)?,
    };
    Ok(match &options.replica {
        None => gate,
        Some(url) => gate.behind(Replica::follow(url, options.wait).context("--replica")?),
    })
}

fn snapshot_gate(config: &Config, url: &SecretUrl) -> anyhow::Result<Gate> {
    let connect = |url: &SecretUrl| RedisStore::connect(url.expose());
    let mirror = config.gate.mirror_store.as_ref().map(connect);
    let gate = Gate::new(
        connect(url).context("--redis")?,
        mirror.transpose().context("--mirror-redis")?,
        &format!("run-{}", std::process::id()),
        &config.gate,
        config.identity.skew_seconds(),
    );
    // All sockets that the root cgroup knows are this host's, and any address of theirs is.
    let has_all = config.capture.hook == Hook::Cgroup;
    let own = own_addresses(config)?;
    Ok(gate.on_host(move |address| has_all || own.contains(&address.to_canonical())))
}
