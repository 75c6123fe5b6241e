//! Sends a request, and compares the answers.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join;
use tokio::task::{spawn_blocking, spawn_local};

use super::MirrorSide;
use super::destinations::Destination;
use super::gate_pass::{Pass, Passing};
use super::lane::{Turn, Waiting};
use super::settle::Judged;
use super::slots::Slot;
use crate::config::Config;
use crate::replay::{Prepared, ReplayOutcome};
use crate::report::{ControlAnswer, End, JudgedPair};
use mirror_core::compare::{Comparison, compare, compare_light};
use mirror_core::exchange::{Body, Headers, Request, Response};
use mirror_core::ledger::Outcome;
use mirror_core::rewrite::Conditions;
use mirror_core::schedule::{Ended, Failure};
use mirror_core::verdict::ControlFinding;

/// What one destination answered, and how long it took.
struct Answer {
    response: Box<Response>,
    latency: Duration,
    /// Of the request.
    conditions: Conditions,
}

/// The answers to one request.
struct Answers {
    mirror: Answer,
    /// Where there is a control, and it answered.
    control: Option<Answer>,
}

/// Production's answer compared with the others.
struct Compared {
    mirror: Comparison,
    control: Option<Comparison>,
}

impl MirrorSide {
    /// From a request's arrival at the head of its lane to its outcome. Returns when the next one of the lane may be sent.
    pub(super) async fn judge(self: Rc<Self>, waiting: Waiting, passing: Passing) {
        let connection = waiting.envelope.exchange().connection;
        let Some(target) = self.destinations.of(waiting.lane, connection) else {
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
        match self.send_to_all(target, &waiting, &turn).await {
            Err(end) => waiting.ticket.end(end),
            Ok(answers) => self.answered(waiting, turn, answers),
        }
    }

    /// To the target, and to the control at the same time.
    async fn send_to_all(
        &self,
        target: &Destination,
        waiting: &Waiting,
        turn: &Turn,
    ) -> Result<Answers, End> {
        let mirror = self.send_to_target(target, waiting, turn);
        let (mirror, control) = match self.destinations.control() {
            None => (mirror.await, None),
            Some(control) => {
                let control = self.send_to_control(control, waiting, turn);
                // The first one is written first.
                if self.destinations.is_control_first() {
                    let (control, mirror) = join(control, mirror).await;
                    (mirror, control)
                } else {
                    join(mirror, control).await
                }
            }
        };
        Ok(Answers {
            mirror: mirror?,
            control,
        })
    }

    async fn send_to_target(
        &self,
        target: &Destination,
        waiting: &Waiting,
        turn: &Turn,
    ) -> Result<Answer, End> {
        let prepared = prepare(target, waiting);
        self.recorder.replaced(&prepared.carried.replaced);
        let begun_at = Instant::now();
        let outcome = send(target, &prepared, waiting, turn).await;
        self.recorder.sent_twice(target.replayer.take_sent_twice());
        self.account(waiting, begun_at, &prepared.request, &outcome);
        match outcome {
            ReplayOutcome::Answered {
                response, latency, ..
            } => {
                if learn(target, waiting, &response) {
                    self.recorder.carried(self.destinations.carried());
                }
                Ok(redacted(waiting, response, latency, prepared.conditions))
            }
            ReplayOutcome::Timeout { reason } => Err(End::because(Outcome::ReplayTimeout, reason)),
            ReplayOutcome::ConnectFailed { reason } => {
                Err(End::because(Outcome::ReplayConnectFailed, reason))
            }
            ReplayOutcome::Failed { reason } => Err(End::because(Outcome::ReplayFailed, reason)),
        }
    }

    /// A control that does not answer says nothing, and is counted.
    async fn send_to_control(
        &self,
        control: &Destination,
        waiting: &Waiting,
        turn: &Turn,
    ) -> Option<Answer> {
        let prepared = prepare(control, waiting);
        match send(control, &prepared, waiting, turn).await {
            ReplayOutcome::Answered {
                response, latency, ..
            } => {
                learn(control, waiting, &response);
                Some(redacted(waiting, response, latency, prepared.conditions))
            }
            ReplayOutcome::Timeout { reason }
            | ReplayOutcome::ConnectFailed { reason }
            | ReplayOutcome::Failed { reason } => {
                self.recorder.control_failed(&reason);
                None
            }
        }
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
    fn answered(self: &Rc<Self>, waiting: Waiting, turn: Turn, mut answers: Answers) {
        if let Err(end) = self.mirror_had_its_data(&answers.mirror.response) {
            return waiting.ticket.end(end);
        }
        let Some(baseline) = &waiting.envelope.exchange().response else {
            let reason = "production's answer was not seen";
            return waiting
                .ticket
                .end(End::because(Outcome::ReplayedWithoutBaseline, reason));
        };
        if let Err(reason) = answers.mirror.is_comparable_with(baseline) {
            let end = End::because(Outcome::NotComparedNotModified, reason);
            return waiting.ticket.end(end);
        }
        let control = answers.control.take();
        answers.control = control.filter(|answer| answer.is_comparable_with(baseline).is_ok());
        match compare_all_light(&waiting.config, baseline, &answers) {
            Some(compared) => self.compared(waiting, turn.pass, &answers, compared),
            None => {
                let (side, baseline) = (Rc::clone(self), baseline.clone());
                let Turn { pass, slot } = turn;
                spawn_local(async move {
                    let config = &waiting.config;
                    match side.compare(config, baseline, &answers, slot).await {
                        Err(end) => waiting.ticket.end(end),
                        Ok(compared) => side.compared(waiting, pass, &answers, compared),
                    }
                });
            }
        }
    }

    async fn compare(
        &self,
        config: &Arc<Config>,
        production: Box<Response>,
        answers: &Answers,
        _slot: Slot,
    ) -> Result<Compared, End> {
        // Never closed; without a permit it would merely not be alone.
        let _alone = self.heavy.acquire().await;
        // Bodies are counted references.
        let (config, mirror) = (Arc::clone(config), answers.mirror.response.clone());
        let control = answers.control.as_ref();
        let control = control.map(|answer| answer.response.clone());
        let heavy = spawn_blocking(move || {
            let compared = |answer: &Response| compare(&config.compare, &production, answer);
            Compared {
                mirror: compared(&mirror),
                control: control.as_deref().map(compared),
            }
        });
        heavy
            .await
            .map_err(|error| End::because(Outcome::Interrupted, format!("comparing: {error}")))
    }

    /// Ends the request, at once or when no other one can turn up any more that has its id.
    fn compared(&self, waiting: Waiting, pass: Pass, answers: &Answers, compared: Compared) {
        let exchange = waiting.envelope.exchange();
        let marks = pass.marks(exchange.captured_at());
        let control = answers.control.as_ref().zip(compared.control.as_ref());
        let control = control.map(|(answer, comparison)| ControlAnswer {
            finding: ControlFinding::new(&compared.mirror, comparison),
            latency: answer.latency,
        });
        let pair = JudgedPair::new(
            exchange,
            &answers.mirror.response,
            compared.mirror,
            marks.id,
            answers.mirror.latency,
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
            pair: pair.beside(control),
            found,
            ticket: waiting.ticket,
            pending: waiting.pending,
        };
        match settles_at {
            None => self.settle(judged),
            Some(at) => self.settling.add(at.max(waiting.settles_at), judged),
        }
    }
}

impl Answer {
    /// Whether the conditions of the request, if it had any, left two answers that can be compared; else why not.
    fn is_comparable_with(&self, production: &Response) -> Result<(), String> {
        let (ours, theirs) = (production.status, self.response.status);
        if self.conditions.parted(ours, theirs) {
            return Err(format!("production answered {ours}, the mirror {theirs}"));
        }
        Ok(())
    }
}

/// The request as it is sent, but for its marks.
fn prepare(destination: &Destination, waiting: &Waiting) -> Prepared {
    let Destination {
        preparer, target, ..
    } = destination;
    preparer.prepare(&waiting.envelope, &waiting.config.rewrite, target)
}

async fn send(
    destination: &Destination,
    prepared: &Prepared,
    waiting: &Waiting,
    turn: &Turn,
) -> ReplayOutcome {
    let exchange = waiting.envelope.exchange();
    let marks = turn.pass.marks(exchange.captured_at());
    let allowance = exchange.timing.allowance(waiting.config.replay.timeout);
    let replayer = &destination.replayer;
    replayer.send(&prepared.request, &marks, allowance).await
}

/// Whether anything is carried at all.
fn learn(destination: &Destination, waiting: &Waiting, response: &Response) -> bool {
    let preparer = &destination.preparer;
    preparer.learn(&waiting.envelope, response)
}

/// What may be compared and kept of an answer.
fn redacted(
    waiting: &Waiting,
    mut response: Box<Response>,
    latency: Duration,
    conditions: Conditions,
) -> Answer {
    let redactor = waiting.config.policy.redactor();
    redactor.redact_response(&mut response);
    Answer {
        response,
        latency,
        conditions,
    }
}

/// `None` when one of the comparisons needs more memory.
fn compare_all_light(
    config: &Config,
    production: &Response,
    answers: &Answers,
) -> Option<Compared> {
    let light = |answer: &Answer| compare_light(&config.compare, production, &answer.response);
    Some(Compared {
        mirror: light(&answers.mirror)?,
        control: match &answers.control {
            None => None,
            Some(control) => Some(light(control)?),
        },
    })
}

/// Bytes of a message on the wire, about.
fn size(headers: &Headers, body: &Body) -> usize {
    // `: ` and the line's end; the first line.
    let fields = headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4);
    fields.sum::<usize>() + body.len() + 40
}
