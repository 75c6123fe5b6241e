//! What a request did on each side, compared beside its answers.
//!
//! The mirror files what a request read and would have written; production's snapshot says what it did there. Candidate and control are compared with production only if both are known: with one of them
//! alone, what varies by nature would always seem to be the candidate's.

use futures_util::future::{OptionFuture, join};
use mirror_snapshot::EffectsDocument;
use tokio::task::spawn_blocking;

use super::MirrorSide;
use super::compared::Compared;
use super::gate_pass::Pass;
use super::lane::Waiting;
use super::send::{Answer, Answers, hidden_in};
use crate::gate::{EffectsLook, FoundSnapshot};
use crate::report::EffectsFinding;
use mirror_core::compare::{Comparison, compare_effects};
use mirror_core::verdict::Side;

/// Documents of more bytes together are compared beside the other work, one pair at a time.
const MAX_LIGHT_BYTES: usize = 64 << 10;

/// What production and the candidate did for a request, without secrets.
pub(super) struct KnownEffects {
    production: EffectsDocument,
    candidate: EffectsDocument,
}

impl MirrorSide {
    /// Whether something is to be looked for, which takes a while. A candidate that does not announce what it could have filed is
    /// counted.
    pub(super) fn announces_effects(&self, pass: &Pass, answers: &Answers) -> bool {
        if pass.effects().is_none() {
            return false;
        }
        let is_announced = answers.mirror.effects.is_some();
        if !is_announced {
            self.recorder.effects(EffectsFinding::NotAnnounced);
        }
        is_announced
    }

    /// Adds what differs in effects to what differs in the answers.
    pub(super) async fn add_effects(
        &self,
        waiting: &mut Waiting,
        pass: &Pass,
        answers: &Answers,
        compared: &mut Compared,
    ) -> Option<KnownEffects> {
        let (found, production) = pass.effects()?;
        answers.mirror.effects.as_ref()?;
        let control = answers.control.as_ref();
        if control.is_some_and(|control| control.effects.is_none()) {
            self.recorder.effects(EffectsFinding::NoControl);
            return None;
        }
        let look = |side, answer| self.effects_of(waiting, found, side, answer);
        let control = OptionFuture::from(control.map(|answer| look(Side::Control, answer)));
        let candidate = look(Side::Candidate, &answers.mirror);
        let (candidate, control) = join(candidate, control).await;
        let (candidate, control) = match (candidate, control) {
            (Some(candidate), None) => (candidate, None),
            (Some(candidate), Some(Some(control))) => (candidate, Some(control)),
            _ => return None,
        };
        let size = control.as_ref().map_or(0, EffectsDocument::size);
        waiting.room.grow(candidate.size() + size);
        let waiting = &*waiting;
        let mut production = production.clone();
        let redactor = waiting.config.policy.redactor();
        redactor.redact_effects(&mut production, &hidden_in(&waiting.envelope));
        let known = KnownEffects {
            production,
            candidate,
        };
        let mirror = self.compared_effects(waiting, &known.production, &known.candidate);
        let mirror = mirror.await;
        let of_control = match (&control, &mirror) {
            (Some(control), Some(_)) => Some(
                self.compared_effects(waiting, &known.production, control)
                    .await,
            ),
            _ => None,
        };
        match (mirror, of_control, &mut compared.control) {
            (Some(mirror), None, _) => compared.mirror.add_effects(mirror),
            (Some(mirror), Some(Some(of_control)), Some(control)) => {
                compared.mirror.add_effects(mirror);
                control.add_effects(of_control);
            }
            _ => {
                let reason = "they have more values than are compared";
                self.recorder.effects(EffectsFinding::Failed(reason));
                return None;
            }
        }
        let sides = [
            Some(&known.production),
            Some(&known.candidate),
            control.as_ref(),
        ];
        let is_cut = sides.into_iter().flatten().any(|side| side.dropped() > 0);
        self.recorder.effects(match is_cut {
            true => EffectsFinding::ComparedInPart,
            false => EffectsFinding::Compared,
        });
        Some(known)
    }

    /// What the candidate did when it was asked once more, against what it did at first, and what production did.
    pub(super) async fn repeated_effects(
        &self,
        waiting: &Waiting,
        pass: &Pass,
        repeat: &Answer,
        known: &KnownEffects,
    ) -> Option<[Comparison; 2]> {
        let (found, _) = pass.effects()?;
        let repeated = self.effects_of(waiting, found, Side::Candidate, repeat);
        let repeated = repeated.await?;
        let to_candidate = self.compared_effects(waiting, &known.candidate, &repeated);
        let to_candidate = to_candidate.await?;
        let to_production = self.compared_effects(waiting, &known.production, &repeated);
        Some([to_candidate, to_production.await?])
    }

    /// What was filed for one sending, without secrets.
    async fn effects_of(
        &self,
        waiting: &Waiting,
        found: &FoundSnapshot,
        side: Side,
        answer: &Answer,
    ) -> Option<EffectsDocument> {
        let announced = answer.effects.as_ref()?;
        match self.gate.effects(side, &announced.send, &found.id).await {
            EffectsLook::Found(mut document) => {
                let redactor = waiting.config.policy.redactor();
                redactor.redact_effects(&mut document, &announced.hidden);
                Some(document)
            }
            EffectsLook::Missing => {
                self.recorder.effects(EffectsFinding::Missing);
                None
            }
            EffectsLook::Failed(reason) => {
                self.recorder.effects(EffectsFinding::Failed(&reason));
                None
            }
        }
    }

    /// `None` where they have more values than are compared.
    async fn compared_effects(
        &self,
        waiting: &Waiting,
        ours: &EffectsDocument,
        theirs: &EffectsDocument,
    ) -> Option<Comparison> {
        let request = &waiting.envelope.exchange().request;
        if ours.size() + theirs.size() <= MAX_LIGHT_BYTES {
            return compare_effects(&waiting.config.compare, Some(request), ours, theirs);
        }
        // Never closed; without a permit it would merely not be alone.
        let _alone = self.heavy.acquire().await;
        let (config, request) = (waiting.config.clone(), request.clone());
        let (ours, theirs) = (ours.clone(), theirs.clone());
        let heavy = spawn_blocking(move || {
            compare_effects(&config.compare, Some(&request), &ours, &theirs)
        });
        heavy.await.ok().flatten()
    }
}
