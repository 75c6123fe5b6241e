//! Sends a request to its target, and to the control at the same time.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join;
use mirror_snapshot::{HEADER_EFFECTS, SendId};

use super::MirrorSide;
use super::destinations::Destination;
use super::lane::{Turn, Waiting};
use super::sends::Sending;
use crate::clock::wall_clock;
use crate::replay::{Marks, Prepared, ReplayOutcome};
use crate::report::End;
use mirror_core::exchange::{Body, Headers, Request, Response};
use mirror_core::ledger::Outcome;
use mirror_core::policy::{Envelope, HiddenValues, Policy};
use mirror_core::rewrite::Conditions;
use mirror_core::schedule::{self, Ended, Failure};
use mirror_core::time::Timestamp;

/// What one destination answered, and how long it took.
pub(super) struct Answer {
    pub(super) response: Box<Response>,
    pub(super) latency: Duration,
    /// When it was there, by the time of day.
    pub(super) at: Timestamp,
    /// The host that it came from, as its locations may name it.
    pub(super) authority: Arc<str>,
    /// Where the mirror says that it files what the request did.
    pub(super) effects: Option<AnnouncedEffects>,
    /// Of the request.
    conditions: Conditions,
}

/// What is needed to look for effects, and to hide secrets in them.
pub(super) struct AnnouncedEffects {
    /// The name of the sending.
    pub(super) send: SendId,
    /// What was hidden in the exchange, in what was sent for it and in its answer.
    pub(super) hidden: HiddenValues,
}

/// The answers to one request.
pub(super) struct Answers {
    pub(super) mirror: Answer,
    /// Where there is a control, and it answered.
    pub(super) control: Option<Answer>,
}

impl Answers {
    pub(super) fn held_bytes(&self) -> usize {
        let control = self.control.as_ref();
        self.mirror.held_bytes() + control.map_or(0, Answer::held_bytes)
    }
}

/// A request that was sent, and what became of it.
struct Sent {
    prepared: Prepared,
    /// When its first byte was written, or when that was tried.
    at: Instant,
    outcome: ReplayOutcome,
    sending: Sending,
    send: Option<SendId>,
}

impl MirrorSide {
    pub(super) async fn send_to_all(
        &self,
        target: &Destination,
        waiting: &Waiting,
        turn: &Turn,
    ) -> Result<Answers, End> {
        let mirror = self.send_to_target(target, waiting, turn);
        let is_free = Policy::may_send_beside(&waiting.envelope, turn.pass.basis());
        let control = self.destinations.control().filter(|_| is_free);
        let (mirror, control) = match control {
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
        let sent = self.send(target, waiting, turn, Sending::ToCandidate).await;
        self.recorder.replaced(&sent.prepared.carried.replaced);
        self.recorder.sent_twice(target.replayer.take_sent_twice());
        let ended = sent.ended();
        let lag = sent.at.saturating_duration_since(waiting.due);
        self.recorder.replayed(lag, ended.latency());
        self.schedule.ended(target.number, ended, self.bytes(&sent));
        match sent.answer(target, waiting) {
            Ok(answer) => {
                if target.preparer.carries() {
                    self.recorder.carried(self.destinations.carried());
                }
                Ok(answer)
            }
            Err((outcome, reason)) => Err(End::because(outcome, reason)),
        }
    }

    /// A control that does not answer says nothing; it is counted, and left alone for a while as a target is.
    async fn send_to_control(
        &self,
        control: &Destination,
        waiting: &Waiting,
        turn: &Turn,
    ) -> Option<Answer> {
        if let Err(reason) = self.schedule.admits(control.number) {
            self.recorder.control_failed(&reason);
            return None;
        }
        let sent = self.send_beside(control, waiting, turn, Sending::ToControl);
        match sent.await {
            Ok(answer) => Some(answer),
            Err((_, reason)) => {
                self.recorder.control_failed(&reason);
                None
            }
        }
    }

    /// Sends a request to its target once more, to see what varies by nature, where no budget makes it wait. How it ends counts for
    /// nothing else.
    pub(super) async fn send_again(
        &self,
        target: &Destination,
        waiting: &Waiting,
        turn: &Turn,
    ) -> Option<Answer> {
        match self.schedule.turn(target.number) {
            schedule::Turn::Go => {
                let sent = self.send_beside(target, waiting, turn, Sending::Again);
                sent.await.ok()
            }
            schedule::Turn::Wait(_) | schedule::Turn::Shed(_) => None,
        }
    }

    async fn send_beside(
        &self,
        destination: &Destination,
        waiting: &Waiting,
        turn: &Turn,
        sending: Sending,
    ) -> Result<Answer, (Outcome, String)> {
        let sent = self.send(destination, waiting, turn, sending).await;
        let bytes = self.bytes(&sent);
        self.schedule
            .ended_beside(destination.number, sent.ended(), bytes);
        sent.answer(destination, waiting)
    }

    /// Makes the request and sends it, with its marks.
    async fn send(
        &self,
        destination: &Destination,
        waiting: &Waiting,
        turn: &Turn,
        sending: Sending,
    ) -> Sent {
        let Destination {
            preparer, target, ..
        } = destination;
        let rewrite = &waiting.config.rewrite;
        let prepared = preparer.prepare(&waiting.envelope, rewrite, target);
        let exchange = waiting.envelope.exchange();
        let send = self.sends.next(sending, &turn.pass);
        let marks = Marks {
            send: send.as_ref().map(SendId::as_str),
            ..turn.pass.marks(exchange.captured_at())
        };
        let allowance = exchange.timing.allowance(waiting.config.replay.timeout);
        let begun_at = Instant::now();
        let replayer = &destination.replayer;
        let outcome = replayer.send(&prepared.request, &marks, allowance).await;
        let at = match &outcome {
            ReplayOutcome::Answered { sent_at, .. } => *sent_at,
            _ => begun_at,
        };
        Sent {
            prepared,
            at,
            outcome,
            sending,
            send,
        }
    }

    /// There and back, where the schedule asks for it.
    fn bytes(&self, sent: &Sent) -> usize {
        if !self.schedule.counts_bytes() {
            return 0;
        }
        let request: &Request = &sent.prepared.request;
        let answer = match &sent.outcome {
            ReplayOutcome::Answered { response, .. } => size(&response.headers, &response.body),
            _ => 0,
        };
        size(&request.headers, &request.body) + answer
    }
}

impl Sent {
    fn ended(&self) -> Ended<'_> {
        match &self.outcome {
            ReplayOutcome::Answered { latency, .. } => Ended::Answered(*latency),
            ReplayOutcome::Timeout { reason } | ReplayOutcome::ConnectFailed { reason } => {
                Ended::Failed(Failure::Silent(reason))
            }
            ReplayOutcome::Failed { reason } => Ended::Failed(Failure::Broken(reason)),
        }
    }

    /// The answer as it may be compared and kept; what it gives for later requests is learnt before anything is taken out of it. A
    /// repeat gives them nothing: by then they go on with what the first answer gave.
    fn answer(
        self,
        destination: &Destination,
        waiting: &Waiting,
    ) -> Result<Answer, (Outcome, String)> {
        let (mut response, latency) = match self.outcome {
            ReplayOutcome::Answered {
                response, latency, ..
            } => (response, latency),
            ReplayOutcome::Timeout { reason } => return Err((Outcome::ReplayTimeout, reason)),
            ReplayOutcome::ConnectFailed { reason } => {
                return Err((Outcome::ReplayConnectFailed, reason));
            }
            ReplayOutcome::Failed { reason } => return Err((Outcome::ReplayFailed, reason)),
        };
        if self.sending != Sending::Again {
            destination.preparer.learn(&waiting.envelope, &response);
        }
        let announced = response.headers.first(HEADER_EFFECTS);
        let redactor = waiting.config.policy.redactor();
        let effects = match self.send.filter(|_| announced == Some(b"1")) {
            None => {
                redactor.redact_response(&mut response);
                None
            }
            Some(send) => {
                let mut hidden = hidden_in(&waiting.envelope).into_owned();
                hidden.extend_sent(redactor.hidden_in(&self.prepared.request));
                hidden.extend(redactor.redact_response_remembering(&mut response));
                Some(AnnouncedEffects { send, hidden })
            }
        };
        Ok(Answer {
            response,
            latency,
            at: wall_clock(),
            authority: Arc::clone(&destination.authority),
            effects,
            conditions: self.prepared.conditions,
        })
    }
}

impl Answer {
    pub(super) fn held_bytes(&self) -> usize {
        let effects = self.effects.as_ref();
        let hidden = effects.map_or(0, |effects| effects.hidden.held_bytes());
        size(&self.response.headers, &self.response.body) + hidden
    }

    /// Whether the conditions of the request, if it had any, left two answers that can be compared; else why not.
    pub(super) fn is_comparable_with(&self, production: &Response) -> Result<(), String> {
        let (ours, theirs) = (production.status, self.response.status);
        if self.conditions.parted(ours, theirs) {
            return Err(format!("production answered {ours}, the mirror {theirs}"));
        }
        Ok(())
    }
}

/// What production's policy hid in the exchange.
pub(super) fn hidden_in(envelope: &Envelope) -> Cow<'_, HiddenValues> {
    let unknown = || Cow::Owned(HiddenValues::unknown());
    envelope.hidden().map_or_else(unknown, Cow::Borrowed)
}

/// Bytes of a message on the wire, about.
fn size(headers: &Headers, body: &Body) -> usize {
    // `: ` and the line's end; the first line.
    let fields = headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4);
    fields.sum::<usize>() + body.len() + 40
}
