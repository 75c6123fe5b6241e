//! The mirror side of the pipeline: gate, replay, compare, record.

use std::sync::Arc;

use anyhow::Context;
use mirror_snapshot::{RedisStore, RequestId, WaitOptions};
use tokio::{sync::Semaphore, task::JoinSet};

use super::ticket::Job;
use crate::{
    cli::OnMissing,
    compare::{CompareOptions, compare},
    config::Config,
    policy::Admitted,
    replay::{OwnSockets, ReplayOptions, ReplayOutcome, Replayer},
    report::{Outcome, Recorder},
    snapshot::{Gate, SnapshotOutcome},
    transport::memory::Source,
};

/// Judges what comes out of the queue.
pub(super) struct Judging {
    gate: Gate,
    replayer: Option<Replayer>,
    on_missing: OnMissing,
    compare: CompareOptions,
    recorder: Arc<Recorder>,
    replays: Semaphore,
}

impl Judging {
    pub(super) fn new(
        config: &Config,
        recorder: Arc<Recorder>,
        own_sockets: Arc<dyn OwnSockets>,
    ) -> anyhow::Result<Self> {
        let gate = match &config.redis {
            None => Gate::off(),
            Some(url) => Gate::new(
                RedisStore::connect(url).context("--redis")?,
                WaitOptions {
                    timeout: config.snapshot_wait,
                    poll: config.snapshot_poll,
                    ..WaitOptions::default()
                },
            ),
        };
        Ok(Self {
            gate,
            replayer: config.target.clone().map(|target| {
                Replayer::new(ReplayOptions {
                    timeout: config.replay_timeout,
                    connections: config.concurrency,
                    own_sockets: Some(Arc::clone(&own_sockets)),
                    ..ReplayOptions::new(target)
                })
            }),
            on_missing: config.on_missing,
            compare: config.compare.clone(),
            recorder,
            replays: Semaphore::new(config.concurrency),
        })
    }

    /// Judges until the queue has ended and all its exchanges have an outcome.
    pub(super) async fn run(self, mut source: Source<Job>) {
        let this = Arc::new(self);
        let mut judged = JoinSet::new();
        while let Some((Job { admitted, ticket }, room)) = source.next().await {
            while judged.try_join_next().is_some() {}
            let this = Arc::clone(&this);
            judged.spawn(async move {
                let outcome = this.judge(&admitted).await;
                ticket.end(outcome);
                drop(room);
            });
        }
        while judged.join_next().await.is_some() {}
    }

    async fn judge(&self, admitted: &Admitted) -> Outcome {
        let Some(replayer) = &self.replayer else {
            return Outcome::Observed;
        };
        let id = match self.pass_gate(admitted.candidates()).await {
            Ok(id) => id,
            Err(outcome) => return outcome,
        };
        let Ok(_permit) = self.replays.acquire().await else {
            return Outcome::Interrupted;
        };
        let exchange = admitted.exchange();
        match replayer
            .send(exchange, id.as_ref().map(RequestId::as_str))
            .await
        {
            ReplayOutcome::Answered { response, latency } => {
                let whole = exchange.response.as_ref().filter(|r| r.fault.is_none());
                let Some(baseline) = whole else {
                    return Outcome::ReplayedWithoutBaseline;
                };
                let verdict = compare(&self.compare, baseline, &response);
                self.recorder.compared(
                    exchange,
                    &response,
                    &verdict,
                    id.as_ref().map(RequestId::as_str),
                    latency,
                );
                if verdict.differences.is_empty() {
                    Outcome::Matched
                } else {
                    Outcome::Differed
                }
            }
            ReplayOutcome::Timeout => Outcome::ReplayTimeout,
            ReplayOutcome::ConnectFailed { .. } => Outcome::ReplayConnectFailed,
            ReplayOutcome::Failed { error } => {
                tracing::debug!(%error, "replay failed");
                Outcome::ReplayFailed
            }
        }
    }

    /// Waits for the snapshot: the id to replay with, or how the exchange ends here.
    async fn pass_gate(&self, candidates: &[RequestId]) -> Result<Option<RequestId>, Outcome> {
        let outcome = self.gate.wait(candidates).await;
        self.recorder.snapshot(&outcome);
        let without = |end| match self.on_missing {
            OnMissing::Skip => Err(end),
            OnMissing::Replay => Ok(candidates.first().cloned()),
        };
        match outcome {
            SnapshotOutcome::Off => Ok(candidates.first().cloned()),
            SnapshotOutcome::Hit { id, .. } => Ok(Some(id)),
            SnapshotOutcome::Missing { .. } => without(Outcome::SnapshotMissing),
            SnapshotOutcome::NoId => without(Outcome::SnapshotNoId),
            SnapshotOutcome::Unavailable { error } => {
                tracing::debug!(%error, "snapshot store");
                Err(Outcome::SnapshotUnavailable)
            }
        }
    }
}
