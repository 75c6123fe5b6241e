//! The mirror side of the pipeline: gate, replay, compare, record.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use mirror_snapshot::{HEADER_SNAPSHOT, RedisStore, RequestId};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::config::Config;
use crate::gate::Entered;
use crate::gate::Found;
use crate::gate::Gate;
use crate::gate::GateRules;
use crate::gate::OnMissing;
use crate::gate::SnapshotOutcome;
use crate::gate::replica::Replica;
use crate::replay::Marks;
use crate::replay::OwnSockets;
use crate::replay::ReplayOutcome;
use crate::replay::Replayer;
use crate::report::Comparison;
use crate::report::Recorder;
use crate::secret::SecretUrl;
use crate::transport::{Delivery, Receiver};
use mirror_core::compare::compare;
use mirror_core::exchange::Response;
use mirror_core::ledger::Outcome;
use mirror_core::policy::Envelope;

/// Judges what comes out of the queue.
pub(super) struct Judging {
    gate: Gate,
    replayer: Option<Replayer>,
    /// The rules of gate and comparison may change while the run goes on.
    config: watch::Receiver<Arc<Config>>,
    recorder: Arc<Recorder>,
    replays: Semaphore,
    /// Ends the run.
    stop: watch::Sender<bool>,
}

/// What a request is replayed with.
enum Pass {
    /// Production's data is there for it.
    Snapshot(Found),
    /// No data is needed, or none is asked for.
    Plain {
        id: Option<RequestId>,
        is_evidence: bool,
    },
}

impl Pass {
    fn marks(&self) -> Marks<'_> {
        match self {
            Self::Snapshot(found) => Marks {
                id: Some(found.id.as_str()),
                namespace: found.namespace.as_deref(),
                at: found.at,
            },
            Self::Plain { id, .. } => Marks {
                id: id.as_ref().map(RequestId::as_str),
                ..Marks::default()
            },
        }
    }
}

impl Judging {
    /// With at most so many `replays` at once.
    pub(super) fn new(
        live: watch::Receiver<Arc<Config>>,
        recorder: Arc<Recorder>,
        own_sockets: Arc<dyn OwnSockets>,
        stop: watch::Sender<bool>,
        replays: usize,
    ) -> anyhow::Result<Self> {
        let config = Arc::clone(&live.borrow());
        let replayer = |target| {
            let max_body = config.dissect.max_body;
            Replayer::new(target, &config.replay, max_body, Some(own_sockets))
        };
        Ok(Self {
            gate: gate(&config)?,
            replayer: config.replay.target.clone().map(replayer),
            replays: Semaphore::new(replays),
            config: live,
            recorder,
            stop,
        })
    }

    /// Judges until the queue has ended and all its exchanges have an outcome, or until `cut` turns true: what is still
    /// in flight ends as `interrupted` then.
    pub(super) async fn run(self, receiver: Receiver, mut cut: watch::Receiver<bool>) {
        let mut judged = JoinSet::new();
        tokio::select! {
            () = self.judge_all(receiver, &mut judged) => {}
            _ = cut.wait_for(|cut| *cut) => {}
        }
        // Also waits for what it ends: the report comes after the last outcome.
        judged.shutdown().await;
    }

    async fn judge_all(self, mut receiver: Receiver, judged: &mut JoinSet<()>) {
        let this = Arc::new(self);
        let (ended, settled) = watch::channel(false);
        while let Some((Delivery { envelope, ticket }, room)) = receiver.next().await {
            while judged.try_join_next().is_some() {}
            let this = Arc::clone(&this);
            let mut settled = settled.clone();
            // Here, in the order of capture.
            let entered = this.gate.enter(&envelope);
            let deadline = Instant::now() + entered.settles;
            judged.spawn(async move {
                let judged = this.judge(&envelope, entered).await;
                drop((envelope, room));
                let outcome = match judged {
                    Err(outcome) => outcome,
                    Ok(judgement) => {
                        // Another request with the same id may still turn up.
                        if judgement.found.is_some() {
                            let left = deadline.saturating_duration_since(Instant::now());
                            let _ = timeout(left, settled.wait_for(|ended| *ended)).await;
                        }
                        this.settle(judgement)
                    }
                };
                ticket.end(outcome);
            });
        }
        // All that was captured has entered: who is alone with its id stays so.
        ended.send_replace(true);
        while judged.join_next().await.is_some() {}
    }

    async fn judge(&self, envelope: &Envelope, entered: Entered) -> Result<Judgement, Outcome> {
        let Some(replayer) = &self.replayer else {
            return Err(Outcome::Observed);
        };
        // One exchange sees one configuration, whatever is changed meanwhile.
        let config = Arc::clone(&self.config.borrow());
        let mut pass = self
            .pass_gate(&config.gate.rules, envelope, entered)
            .await?;
        let _permit = self.replay_slot(&mut pass, config.replay.timeout).await?;
        let exchange = envelope.exchange();
        let marks = pass.marks();
        let (response, latency) = match replayer.send(exchange, marks).await {
            ReplayOutcome::Answered { response, latency } => (response, latency),
            ReplayOutcome::Timeout => return Err(Outcome::ReplayTimeout),
            ReplayOutcome::ConnectFailed { .. } => return Err(Outcome::ReplayConnectFailed),
            ReplayOutcome::Failed { error } => {
                tracing::debug!(%error, "replay failed");
                return Err(Outcome::ReplayFailed);
            }
        };
        if !self.mirror_had_its_data(&response) {
            return Err(Outcome::MirrorNoSnapshot);
        }
        let whole = exchange.response.as_ref().filter(|r| r.fault.is_none());
        let Some(baseline) = whole else {
            return Err(Outcome::ReplayedWithoutBaseline);
        };
        let verdict = compare(&config.compare, baseline, &response);
        let is_evidence = match &pass {
            Pass::Snapshot(_) => true,
            Pass::Plain { is_evidence, .. } => *is_evidence,
        };
        let comparison =
            Comparison::new(exchange, &response, verdict, marks.id, latency, is_evidence);
        let found = match pass {
            Pass::Snapshot(found) => Some(found),
            Pass::Plain { .. } => None,
        };
        Ok(Judgement {
            comparison,
            found,
            is_evidence,
        })
    }

    fn settle(&self, judgement: Judgement) -> Outcome {
        if judgement.found.is_some_and(|found| found.is_collided()) {
            return Outcome::SnapshotCollided;
        }
        self.recorder.compared(&judgement.comparison);
        match (judgement.is_evidence, judgement.comparison.differs()) {
            (true, false) => Outcome::Matched,
            (true, true) => Outcome::Differed,
            (false, false) => Outcome::MatchedWithoutSnapshot,
            (false, true) => Outcome::DifferedWithoutSnapshot,
        }
    }

    /// Waits for the snapshot: what to replay with, or how the exchange ends here.
    async fn pass_gate(
        &self,
        rules: &GateRules,
        envelope: &Envelope,
        entered: Entered,
    ) -> Result<Pass, Outcome> {
        let request = &envelope.exchange().request;
        let outcome = if rules.requires(request) {
            self.gate.wait(envelope, entered).await
        } else {
            SnapshotOutcome::NotRequired
        };
        self.recorder.snapshot(&outcome);
        let plain = |is_evidence| Pass::Plain {
            id: envelope.identity().candidates.ids.first().cloned(),
            is_evidence,
        };
        let without = |end: Outcome| match rules.on_missing(request) {
            OnMissing::Skip => Err(end),
            OnMissing::Replay => Ok(plain(false)),
            OnMissing::Fail => {
                self.recorder.fail(format!(
                    "{} {}: {}; --on-missing says that the run fails then",
                    request.method,
                    envelope.exchange().path(),
                    end.name()
                ));
                self.stop.send_replace(true);
                Err(end)
            }
        };
        match outcome {
            SnapshotOutcome::Off => Ok(plain(true)),
            SnapshotOutcome::NotRequired => Ok(plain(false)),
            SnapshotOutcome::Caught { told_by, .. } => {
                Ok(told_by.map_or_else(|| plain(true), |found| Pass::Snapshot(*found)))
            }
            SnapshotOutcome::Found(found) => Ok(Pass::Snapshot(found)),
            SnapshotOutcome::Missing { .. } => without(Outcome::SnapshotMissing),
            SnapshotOutcome::Expired => without(Outcome::SnapshotExpired),
            SnapshotOutcome::NoId => without(Outcome::SnapshotNoId),
            SnapshotOutcome::Collided => Err(Outcome::SnapshotCollided),
            SnapshotOutcome::Unavailable { error } => {
                tracing::debug!(%error, "snapshot store");
                without(Outcome::SnapshotUnavailable)
            }
        }
    }

    /// Waits for its turn, and sees to it that the snapshot lives until then.
    async fn replay_slot(
        &self,
        pass: &mut Pass,
        replay_timeout: Duration,
    ) -> Result<SemaphorePermit<'_>, Outcome> {
        let Pass::Snapshot(found) = pass else {
            return self
                .replays
                .acquire()
                .await
                .map_err(|_| Outcome::Interrupted);
        };
        loop {
            let care_at = self.gate.care_at(found, replay_timeout);
            if care_at.is_some_and(|at| at <= Instant::now()) && !self.gate.keep(found).await {
                return Err(Outcome::SnapshotExpired);
            }
            let far = || Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                permit = self.replays.acquire() => {
                    if found.is_expired() {
                        return Err(Outcome::SnapshotExpired);
                    }
                    return permit.map_err(|_| Outcome::Interrupted);
                }
                () = sleep_until(care_at.unwrap_or_else(far)) => {}
            }
        }
    }

    /// Whether the mirror did not say that it could not read the snapshot.
    fn mirror_had_its_data(&self, response: &Response) -> bool {
        let Some(state) = response.headers.first(HEADER_SNAPSHOT) else {
            return true;
        };
        let state = String::from_utf8_lossy(state);
        self.recorder.mirror_snapshot(&state);
        !["missing", "collided", "unavailable", "unreadable"].contains(&&*state)
    }
}

struct Judgement {
    comparison: Comparison,
    /// The snapshot that it was replayed with.
    found: Option<Found>,
    is_evidence: bool,
}

fn gate(config: &Config) -> anyhow::Result<Gate> {
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
    Ok(Gate::new(
        connect(url).context("--redis")?,
        mirror.transpose().context("--mirror-redis")?,
        &format!("run-{}", std::process::id()),
        &config.gate,
        config.identity.skew_seconds(),
    ))
}
