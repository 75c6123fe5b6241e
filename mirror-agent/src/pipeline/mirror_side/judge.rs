//! Sends a request, and compares the two answers.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{spawn_blocking, spawn_local};

use super::MirrorSide;
use super::gate_pass::{Pass, Passing};
use super::lane::{Turn, Waiting};
use super::settle::Judged;
use super::slots::Slot;
use crate::config::Config;
use crate::gate::FoundSnapshot;
use crate::replay::{Prepared, ReplayOutcome, Replayer};
use crate::report::{End, JudgedPair};
use mirror_core::compare::{Comparison, compare, compare_light};
use mirror_core::exchange::{Body, Headers, Request, Response};
use mirror_core::ledger::Outcome;
use mirror_core::rewrite::Conditions;
use mirror_core::schedule::{Ended, Failure};

/// What the mirror answered, and how long it took.
struct Answer {
    response: Box<Response>,
    latency: Duration,
    /// Of the request.
    conditions: Conditions,
}

/// What two answers came to.
pub(super) struct Judgement {
    pub(super) pair: JudgedPair,
    /// The snapshot that it was replayed with.
    pub(super) found: Option<FoundSnapshot>,
}

impl MirrorSide {
    /// From a request's arrival at the head of its lane to its outcome. Returns when the next one of the lane may be sent.
    pub(super) async fn judge(self: Rc<Self>, waiting: Waiting, passing: Passing) {
        let Some(replayer) = &self.replayer else {
            return waiting.ticket.end(Outcome::Observed);
        };
        let turn = match self.turn(passing).await {
            Ok(turn) => turn,
            Err(end) => return waiting.ticket.end(end),
        };
        let policy = &waiting.config.policy;
        if let Err(outcome) = policy.may_write(&waiting.envelope, turn.pass.basis()) {
            return waiting.ticket.end(outcome);
        }
        match self.send(replayer, &waiting, &turn).await {
            Err(end) => waiting.ticket.end(end),
            Ok(mut answer) => {
                if let Some(stats) = self.preparer.learn(&waiting.envelope, &answer.response) {
                    self.recorder.carried(stats);
                }
                policy.redactor().redact_response(&mut answer.response);
                self.answered(waiting, turn, answer);
            }
        }
    }

    async fn send(
        &self,
        replayer: &Replayer,
        waiting: &Waiting,
        turn: &Turn,
    ) -> Result<Answer, End> {
        let prepared = self.prepare(waiting);
        let exchange = waiting.envelope.exchange();
        let marks = turn.pass.marks(exchange.captured_at());
        let allowance = exchange.timing.allowance(waiting.config.replay.timeout);
        let begun_at = Instant::now();
        let outcome = replayer.send(&prepared.request, &marks, allowance).await;
        self.account(waiting, begun_at, &prepared.request, &outcome);
        match outcome {
            ReplayOutcome::Answered {
                response, latency, ..
            } => Ok(Answer {
                response,
                latency,
                conditions: prepared.conditions,
            }),
            ReplayOutcome::Timeout { reason } => Err(End::because(Outcome::ReplayTimeout, reason)),
            ReplayOutcome::ConnectFailed { reason } => {
                Err(End::because(Outcome::ReplayConnectFailed, reason))
            }
            ReplayOutcome::Failed { reason } => Err(End::because(Outcome::ReplayFailed, reason)),
        }
    }

    /// The request as it is sent, but for its marks.
    fn prepare(&self, waiting: &Waiting) -> Prepared {
        let config = &waiting.config;
        let prepared = self.preparer.prepare(
            &waiting.envelope,
            &config.rewrite,
            config.replay.target.as_ref(),
        );
        self.recorder.replaced(&prepared.carried.replaced);
        prepared
    }

    /// Tells schedule and report how a replay went.
    fn account(
        &self,
        waiting: &Waiting,
        begun_at: Instant,
        request: &Request,
        outcome: &ReplayOutcome,
    ) {
        let (sent_at, ended) = match outcome {
            ReplayOutcome::Answered {
                sent_at, latency, ..
            } => (*sent_at, Ended::Answered(*latency)),
            ReplayOutcome::Timeout { .. } | ReplayOutcome::ConnectFailed { .. } => {
                (begun_at, Ended::Failed(Failure::Silent))
            }
            ReplayOutcome::Failed { .. } => (begun_at, Ended::Failed(Failure::Broken)),
        };
        let bytes = if self.schedule.counts_bytes() {
            let answer = match outcome {
                ReplayOutcome::Answered { response, .. } => size(&response.headers, &response.body),
                _ => 0,
            };
            size(&request.headers, &request.body) + answer
        } else {
            0
        };
        self.schedule.ended(ended, bytes);
        let latency = match ended {
            Ended::Answered(latency) => Some(latency),
            Ended::Failed(_) => None,
        };
        let lag = sent_at.saturating_duration_since(waiting.due);
        self.recorder.replayed(lag, latency);
    }

    /// Compares here what is light, and beside the lane what is not.
    fn answered(self: &Rc<Self>, waiting: Waiting, turn: Turn, answer: Answer) {
        if let Err(end) = self.mirror_had_its_data(&answer.response) {
            return waiting.ticket.end(end);
        }
        let Some(baseline) = &waiting.envelope.exchange().response else {
            let reason = "production's answer was not seen";
            return waiting
                .ticket
                .end(End::because(Outcome::ReplayedWithoutBaseline, reason));
        };
        let (ours, theirs) = (baseline.status, answer.response.status);
        if answer.conditions.parted(ours, theirs) {
            let reason = format!("production answered {ours}, the mirror {theirs}");
            let end = End::because(Outcome::NotComparedNotModified, reason);
            return waiting.ticket.end(end);
        }
        match compare_light(&waiting.config.compare, baseline, &answer.response) {
            Some(comparison) => self.compared(waiting, turn.pass, &answer, comparison),
            None => {
                let (side, baseline) = (Rc::clone(self), baseline.clone());
                let Turn { pass, slot } = turn;
                spawn_local(async move {
                    let config = &waiting.config;
                    match side.compare(config, baseline, &answer.response, slot).await {
                        Err(end) => waiting.ticket.end(end),
                        Ok(comparison) => side.compared(waiting, pass, &answer, comparison),
                    }
                });
            }
        }
    }

    async fn compare(
        &self,
        config: &Arc<Config>,
        production: Box<Response>,
        mirror: &Response,
        _slot: Slot,
    ) -> Result<Comparison, End> {
        // Never closed; without a permit it would merely not be alone.
        let _alone = self.heavy.acquire().await;
        // Bodies are counted references.
        let (config, mirror) = (Arc::clone(config), mirror.clone());
        let heavy = spawn_blocking(move || compare(&config.compare, &production, &mirror));
        heavy
            .await
            .map_err(|error| End::because(Outcome::Interrupted, format!("comparing: {error}")))
    }

    /// Ends the request, at once or when no other one can turn up any more that has its id.
    fn compared(&self, waiting: Waiting, pass: Pass, answer: &Answer, comparison: Comparison) {
        let exchange = waiting.envelope.exchange();
        let marks = pass.marks(exchange.captured_at());
        let pair = JudgedPair::new(
            exchange,
            &answer.response,
            comparison,
            marks.id,
            answer.latency,
            pass.basis(),
        );
        let found = match pass {
            Pass::Snapshot(found) => Some(found),
            Pass::Plain { .. } => None,
        };
        // From here on only the verdict waits.
        drop((waiting.envelope, waiting.room));
        let settles_at = found.as_ref().map(|found| found.settles_at);
        let judged = Judged {
            judgement: Judgement { pair, found },
            ticket: waiting.ticket,
            pending: waiting.pending,
        };
        match settles_at {
            None => self.settle(judged),
            Some(at) => self.settling.add(at.max(waiting.settles_at), judged),
        }
    }
}

/// Bytes of a message on the wire, about.
fn size(headers: &Headers, body: &Body) -> usize {
    // `: ` and the line's end; the first line.
    let fields = headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4);
    fields.sum::<usize>() + body.len() + 40
}
