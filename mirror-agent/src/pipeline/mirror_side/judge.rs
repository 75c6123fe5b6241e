//! Compares the answers to a request.

use std::rc::Rc;
use std::sync::Arc;

use tokio::task::{spawn_blocking, spawn_local};

use super::MirrorSide;
use super::compared::{Compared, asked, compare_all_light};
use super::destinations::Destination;
use super::effects::KnownEffects;
use super::gate_pass::{Pass, Passing};
use super::lane::{Turn, Waiting};
use super::send::{Answer, Answers};
use super::settle::Judged;
use crate::config::Config;
use crate::report::{
    End, JudgedAnswer, JudgedPair, JudgedRepeat, ProductionAnswer, SaidOfRun, WholeAnswers,
};
use mirror_core::compare::{Comparison, RuleTally, compare_full, compare_light};
use mirror_core::exchange::Response;
use mirror_core::ledger::Outcome;
use mirror_core::noise::AnswerTimes;
use mirror_core::policy::Policy;
use mirror_core::verdict::{MirrorAnswer, Side};

impl MirrorSide {
    /// From a request's arrival at the head of its lane to its outcome. Returns when the next one of the lane may be sent.
    pub(super) async fn judge(self: Rc<Self>, waiting: Waiting, passing: Passing) {
        let connection = waiting.envelope.exchange().connection;
        let Some(target) = self.destinations.of(waiting.lane, connection) else {
            return waiting.ticket.end(Outcome::Observed);
        };
        let turn = match self.turn(passing, target).await {
            Ok(turn) => turn,
            Err(end) => return waiting.ticket.end(end),
        };
        let policy = &waiting.config.policy;
        if let Err(outcome) = policy.may_write(&waiting.envelope, turn.pass.basis()) {
            return waiting.ticket.end(outcome);
        }
        match self.send_to_all(target, &waiting, &turn).await {
            Err(end) => waiting.ticket.end(end),
            Ok(answers) => self.answered(target, waiting, turn, answers).await,
        }
    }

    /// Compares here what is light, and beside the lane what is not, unless it may be sent once more: that is done before the next
    /// one of the lane changes what the mirror answers. What has effects is answered from its snapshot, and is compared beside the
    /// lane too, since they take a while to come.
    async fn answered(
        self: &Rc<Self>,
        target: &Destination,
        mut waiting: Waiting,
        turn: Turn,
        mut answers: Answers,
    ) {
        waiting.room.grow(answers.held_bytes());
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
        let request = &waiting.envelope.exchange().request;
        let light = compare_all_light(&waiting.config, request, baseline, &answers);
        let is_beside = light.is_none() && !self.may_repeat(&waiting, &turn);
        if is_beside || self.announces_effects(&turn.pass, &answers) {
            let side = Rc::clone(self);
            spawn_local(side.compare_beside(waiting, turn, answers, light));
            return;
        }
        let compared = match light {
            Some(compared) => compared,
            None => match self.compare(&waiting, &answers).await {
                Err(end) => return waiting.ticket.end(end),
                Ok(compared) => compared,
            },
        };
        let repeat = self.repeat(target, &mut waiting, &turn, &answers, &compared, None);
        let repeat = repeat.await;
        self.compared(waiting, turn, &answers, compared, repeat);
    }

    /// Compares answers that are not light, and effects.
    async fn compare_beside(
        self: Rc<Self>,
        mut waiting: Waiting,
        turn: Turn,
        answers: Answers,
        light: Option<Compared>,
    ) {
        let compared = match light {
            Some(compared) => Ok(compared),
            None => self.compare(&waiting, &answers).await,
        };
        let mut compared = match compared {
            Ok(compared) => compared,
            Err(end) => return waiting.ticket.end(end),
        };
        let known = self.add_effects(&mut waiting, &turn.pass, &answers, &mut compared);
        let known = known.await;
        let connection = waiting.envelope.exchange().connection;
        let repeat = match self.destinations.of(waiting.lane, connection) {
            None => None,
            Some(target) => {
                let repeat = self.repeat(target, &mut waiting, &turn, &answers, &compared, known);
                repeat.await
            }
        };
        self.compared(waiting, turn, &answers, compared, repeat);
    }

    /// Whether to ask the mirror once more is harmless, and says something new. With a control, that one says it.
    fn may_repeat(&self, waiting: &Waiting, turn: &Turn) -> bool {
        let basis = turn.pass.basis();
        let is_free = Policy::may_send_beside(&waiting.envelope, basis) && basis.is_evidence();
        let is_off = waiting.config.noise.no_repeats || self.destinations.control().is_some();
        is_free && !is_off
    }

    /// Asks the mirror once more, where the run wants it.
    async fn repeat(
        &self,
        target: &Destination,
        waiting: &mut Waiting,
        turn: &Turn,
        answers: &Answers,
        compared: &Compared,
        effects: Option<KnownEffects>,
    ) -> Option<JudgedRepeat> {
        if !self.may_repeat(waiting, turn) {
            return None;
        }
        let envelope = Rc::clone(&waiting.envelope);
        let exchange = envelope.exchange();
        let production = exchange.response.as_deref()?;
        let answered = AnswerTimes {
            production: exchange
                .timing
                .response_last
                .unwrap_or(exchange.captured_at()),
            mirror: answers.mirror.at,
        };
        let source = waiting.ticket.wants_repeat(answered, &compared.mirror)?;
        let repeat = self.send_again(target, waiting, turn).await?;
        waiting.room.grow(repeat.held_bytes());
        let first = &answers.mirror.response;
        let mut to_mirror = self.compare_one(waiting, first, &repeat).await?;
        let mut to_production = self.compare_one(waiting, production, &repeat).await?;
        if let Some(known) = effects {
            // Without its own it would say that it did what both others did.
            let repeated = self.repeated_effects(waiting, &turn.pass, &repeat, &known);
            let [of_mirror, of_production] = repeated.await?;
            to_mirror.add_effects(of_mirror);
            to_production.add_effects(of_production);
        }
        Some(JudgedRepeat {
            at: repeat.at,
            source,
            to_mirror,
            to_production,
        })
    }

    /// Production's answer with the others, however large they are.
    async fn compare(&self, waiting: &Waiting, answers: &Answers) -> Result<Compared, End> {
        let failed = || End::because(Outcome::Interrupted, "comparing failed");
        let production = waiting.envelope.exchange().response.as_deref();
        let production = production.ok_or_else(failed)?;
        let mirror = self.compare_one(waiting, production, &answers.mirror);
        let mirror = mirror.await.ok_or_else(failed)?;
        let control = match &answers.control {
            None => None,
            Some(control) => {
                let compared = self.compare_one(waiting, production, control);
                Some(compared.await.ok_or_else(failed)?)
            }
        };
        Ok(Compared { mirror, control })
    }

    /// None if the comparison panicked.
    async fn compare_one(
        &self,
        waiting: &Waiting,
        ours: &Response,
        theirs: &Answer,
    ) -> Option<Comparison> {
        let request = &waiting.envelope.exchange().request;
        let light = asked(request, &theirs.authority);
        let options = &waiting.config.compare;
        if let Some(comparison) = compare_light(options, light, ours, &theirs.response) {
            return Some(comparison);
        }
        // Never closed; without a permit it would merely not be alone.
        let _alone = self.heavy.acquire().await;
        // Bodies are counted references.
        let (request, ours) = (request.clone(), ours.clone());
        let (authority, answer) = (theirs.authority.clone(), theirs.response.clone());
        let config = Arc::clone(&waiting.config);
        let heavy = spawn_blocking(move || {
            let asked = asked(&request, &authority);
            compare_full(&config.compare, asked, &ours, &answer)
        });
        heavy.await.ok()
    }

    /// Ends the request, at once or when no other one can turn up any more that has its id.
    fn compared(
        &self,
        mut waiting: Waiting,
        turn: Turn,
        answers: &Answers,
        compared: Compared,
        repeat: Option<JudgedRepeat>,
    ) {
        let Turn { pass, slot } = turn;
        drop(slot);
        let exchange = waiting.envelope.exchange();
        let Some(production) = exchange.response.as_deref() else {
            return;
        };
        let marks = pass.marks(exchange.captured_at());
        let said = said_of_run(&waiting.config, production, answers, &compared);
        let cache = &waiting.config.cache;
        let judged = |answer: &Answer, comparison| JudgedAnswer {
            at: answer.at,
            status: answer.response.status,
            latency: answer.latency,
            is_cached: cache.hit(&answer.response),
            comparison,
        };
        let place = waiting.ticket.place_for_answers(&compared.mirror);
        let whole = place.and_then(|place| {
            let redactor = waiting.config.policy.redactor();
            WholeAnswers::new(place, redactor, exchange, &answers.mirror.response)
        });
        let control = answers.control.as_ref().zip(compared.control);
        let control = control.map(|(answer, comparison)| judged(answer, comparison));
        let mirror = judged(&answers.mirror, compared.mirror);
        let mirror_answer = MirrorAnswer::of(&answers.mirror.response);
        let production = ProductionAnswer::new(exchange, production, cache);
        let pair = JudgedPair::new(
            exchange,
            marks.id,
            production,
            (mirror, mirror_answer),
            pass.basis(),
        );
        let found = match pass {
            // Its effects are compared by now.
            Pass::Snapshot(mut found, room) => {
                found.effects = None;
                drop(room);
                Some(*found)
            }
            Pass::Plain { .. } => None,
        };
        let pair = pair
            .beside(control, repeat)
            .saying(said)
            .with_answers(whole);
        // From here on only the verdict waits.
        drop(waiting.envelope);
        waiting.room.shrink_to_verdict(pair.held_bytes());
        let settles_at = found.as_ref().map(|found| found.settles_at);
        let judged = Judged {
            pair,
            found,
            ticket: waiting.ticket,
            room: waiting.room,
            pending: waiting.pending,
        };
        match settles_at {
            None => self.settle(judged),
            Some(at) => self.settling.add(at.max(waiting.settles_at), judged),
        }
    }
}

/// The rules may have changed when the pair is counted, so they are counted here by those that it was compared by.
fn said_of_run(
    config: &Config,
    production: &Response,
    answers: &Answers,
    compared: &Compared,
) -> SaidOfRun {
    let mut rules = RuleTally::default();
    rules.count(&config.compare, &compared.mirror);
    let control = answers.control.as_ref();
    let all = [
        (Side::Production, Some(production)),
        (Side::Candidate, Some(&*answers.mirror.response)),
        (Side::Control, control.map(|answer| &*answer.response)),
    ];
    let named = |(side, answer): (Side, Option<&Response>)| {
        let build = config.builds.of(answer?)?;
        Some((side, build.into_owned()))
    };
    SaidOfRun {
        rules,
        builds: all.into_iter().filter_map(named).collect(),
    }
}
