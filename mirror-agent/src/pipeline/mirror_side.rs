//! The mirror side of the pipeline: gate, replay, compare, record.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use mirror_snapshot::{HEADER_SNAPSHOT, RedisStore, RequestId, SnapshotState};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep_until, timeout},
};

use super::preflight::own_addresses;
use crate::capture::tc::Hook;
use crate::config::Config;
use crate::gate::replica::Replica;
use crate::gate::{Entered, FoundSnapshot, Gate, GateRules, OnMissing, SnapshotOutcome};
use crate::replay::{Marks, OwnSockets, ReplayOutcome, Replayer};
use crate::report::{End, JudgedPair, Recorder};
use crate::secret::SecretUrl;
use crate::transport::{Delivery, Receiver};
use mirror_core::compare::{Comparison, compare, compare_light};
use mirror_core::exchange::Response;
use mirror_core::ledger::Outcome;
use mirror_core::policy::Envelope;
use mirror_core::time::Timestamp;
use mirror_core::verdict::{self, Basis};

/// Judges what comes out of the queue.
pub(super) struct Judging {
    gate: Gate,
    replayer: Option<Replayer>,
    /// The rules of gate and comparison may change while the run goes on.
    config: watch::Receiver<Arc<Config>>,
    recorder: Arc<Recorder>,
    replays: Semaphore,
    /// For the pairs of answers that need more memory than the light limits: one at a time, so that all comparisons
    /// together hold a bounded number of bytes.
    heavy: Semaphore,
    /// Ends the run.
    stop: watch::Sender<bool>,
}

/// What a request is replayed with.
enum Pass {
    /// Production's data is there for it.
    Snapshot(FoundSnapshot),
    /// No data is needed, or none is asked for.
    Plain { id: Option<RequestId>, basis: Basis },
}

impl Pass {
    fn basis(&self) -> Basis {
        match self {
            Self::Snapshot(_) => Basis::Snapshot,
            Self::Plain { basis, .. } => *basis,
        }
    }

    fn marks(&self, captured_at: Timestamp) -> Marks<'_> {
        let captured_at = captured_at.as_millis();
        match self {
            Self::Snapshot(found) => Marks {
                id: Some(found.id.as_str()),
                namespace: found.namespace.as_deref(),
                at: found.at.unwrap_or(captured_at),
            },
            Self::Plain { id, .. } => Marks {
                id: id.as_ref().map(RequestId::as_str),
                namespace: None,
                at: captured_at,
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
            heavy: Semaphore::new(1),
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
                let end = match judged {
                    Err(end) => end,
                    Ok(judgement) => {
                        // Another request with the same id may still turn up.
                        if let Some(found) = &judgement.found {
                            let deadline = deadline.max(found.settles_at);
                            let left = deadline.saturating_duration_since(Instant::now());
                            let _ = timeout(left, settled.wait_for(|ended| *ended)).await;
                        }
                        this.settle(judgement)
                    }
                };
                ticket.end(end);
            });
        }
        // All that was captured has entered: who is alone with its id stays so.
        ended.send_replace(true);
        while judged.join_next().await.is_some() {}
    }

    async fn judge(&self, envelope: &Envelope, entered: Entered) -> Result<Judgement, End> {
        let Some(replayer) = &self.replayer else {
            return Err(Outcome::Observed.into());
        };
        // One exchange sees one configuration, whatever is changed meanwhile.
        let config = Arc::clone(&self.config.borrow());
        let mut pass = self
            .pass_gate(&config.gate.rules, envelope, entered)
            .await?;
        // Held until the answers are compared: it bounds the answers that are in memory.
        let _permit = self.replay_slot(&mut pass, config.replay.timeout).await?;
        let exchange = envelope.exchange();
        let marks = pass.marks(exchange.captured_at());
        let allowance = config.replay.timeout;
        let sent = replayer.send(&exchange.request, &marks, allowance).await;
        let (response, latency) = match sent {
            ReplayOutcome::Answered {
                response, latency, ..
            } => (response, latency),
            ReplayOutcome::Timeout { reason } => {
                return Err(End::because(Outcome::ReplayTimeout, reason));
            }
            ReplayOutcome::ConnectFailed { reason } => {
                return Err(End::because(Outcome::ReplayConnectFailed, reason));
            }
            ReplayOutcome::Failed { reason } => {
                return Err(End::because(Outcome::ReplayFailed, reason));
            }
        };
        self.mirror_had_its_data(&response)?;
        let Some(baseline) = &exchange.response else {
            let reason = "production's answer was not seen";
            return Err(End::because(Outcome::ReplayedWithoutBaseline, reason));
        };
        let comparison = self.compare(&config, baseline, &response).await?;
        let basis = pass.basis();
        let pair = JudgedPair::new(exchange, &response, comparison, marks.id, latency, basis);
        let found = match pass {
            Pass::Snapshot(found) => Some(found),
            Pass::Plain { .. } => None,
        };
        Ok(Judgement { pair, found })
    }

    async fn compare(
        &self,
        config: &Arc<Config>,
        production: &Response,
        mirror: &Response,
    ) -> Result<Comparison, End> {
        if let Some(comparison) = compare_light(&config.compare, production, mirror) {
            return Ok(comparison);
        }
        // Never closed; without a permit it would merely not be alone.
        let _alone = self.heavy.acquire().await;
        let config = Arc::clone(config);
        // Bodies are counted references.
        let (production, mirror) = (production.clone(), mirror.clone());
        let heavy = spawn_blocking(move || compare(&config.compare, &production, &mirror));
        heavy
            .await
            .map_err(|error| End::because(Outcome::Interrupted, format!("comparing: {error}")))
    }

    fn settle(&self, judgement: Judgement) -> End {
        if let Some(found) = judgement.found.filter(FoundSnapshot::is_collided) {
            return match found.doubt() {
                Some(why) => End::because(Outcome::SnapshotUnproven, why.text()),
                None => Outcome::SnapshotCollided.into(),
            };
        }
        let pair = judgement.pair;
        End::judged(verdict::outcome(pair.basis(), pair.comparison()), pair)
    }

    /// Waits for the snapshot: what to replay with, or how the exchange ends here.
    async fn pass_gate(
        &self,
        rules: &GateRules,
        envelope: &Envelope,
        entered: Entered,
    ) -> Result<Pass, End> {
        let request = &envelope.exchange().request;
        let outcome = if rules.requires(request) {
            self.gate.wait(envelope, entered).await
        } else {
            SnapshotOutcome::NotRequired
        };
        self.recorder.snapshot(&outcome);
        let plain = |basis| Pass::Plain {
            id: envelope.identity().candidates.ids.first().cloned(),
            basis,
        };
        let without = |end: End| match rules.on_missing(request) {
            OnMissing::Skip => Err(end),
            OnMissing::Replay => Ok(plain(Basis::Missing)),
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
        match outcome {
            SnapshotOutcome::Off => Ok(plain(Basis::NotGated)),
            SnapshotOutcome::NotRequired => Ok(plain(Basis::NotRequired)),
            SnapshotOutcome::Caught { told_by, .. } => {
                Ok(told_by.map_or_else(|| plain(Basis::Replica), |found| Pass::Snapshot(*found)))
            }
            SnapshotOutcome::Found(found) => Ok(Pass::Snapshot(found)),
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

    /// Waits for its turn, and sees to it that the snapshot lives until then.
    async fn replay_slot(
        &self,
        pass: &mut Pass,
        replay_timeout: Duration,
    ) -> Result<SemaphorePermit<'_>, End> {
        let Pass::Snapshot(found) = pass else {
            return self
                .replays
                .acquire()
                .await
                .map_err(|_| Outcome::Interrupted.into());
        };
        loop {
            let care_at = self.gate.care_at(found, replay_timeout);
            if care_at.is_some_and(|at| at <= Instant::now()) {
                let kept = self.gate.keep(found).await;
                kept.map_err(|why| End::because(Outcome::SnapshotExpired, why))?;
            }
            let far = || Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                permit = self.replays.acquire() => {
                    if found.is_expired() {
                        let reason = "it expired before a replay was free";
                        return Err(End::because(Outcome::SnapshotExpired, reason));
                    }
                    return permit.map_err(|_| Outcome::Interrupted.into());
                }
                () = sleep_until(care_at.unwrap_or_else(far)) => {}
            }
        }
    }

    /// Ends the request if the mirror says that it could not read the snapshot.
    fn mirror_had_its_data(&self, response: &Response) -> Result<(), End> {
        let Some(value) = response.headers.first(HEADER_SNAPSHOT) else {
            return Ok(());
        };
        self.recorder
            .mirror_snapshot(&String::from_utf8_lossy(value));
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

struct Judgement {
    pair: JudgedPair,
    /// The snapshot that it was replayed with.
    found: Option<FoundSnapshot>,
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
