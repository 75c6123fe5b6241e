//! `/verdict`: the decision so far, for whoever holds a rollout.
//!
//! `GET` answers 200 with JSON, as the web metric of Argo Rollouts reads it. `POST` answers with a status, as a webhook of Flagger
//! is asked: 200 lets the rollout go on, 412 does not, and the body says why. A rollback is asked for at a path of its own,
//! because there 200 means "roll back".

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use mirror_core::verdict::{Decision, Judgement};

/// Bytes of what a webhook sends with its question, which is not read.
pub(super) const MAX_HOOK_BODY: usize = 64 << 10;

/// Whether the new version may be promoted.
pub(super) fn promotion(verdict: &Judgement) -> Response {
    hook(verdict, Decision::Pass)
}

/// Whether it is to be rolled back.
pub(super) fn rollback(verdict: &Judgement) -> Response {
    hook(verdict, Decision::Fail)
}

fn hook(verdict: &Judgement, wanted: Decision) -> Response {
    let status = match verdict.decision == wanted {
        true => StatusCode::OK,
        false => StatusCode::PRECONDITION_FAILED,
    };
    let text = format!("{}: {}\n", verdict.decision.name(), verdict.reason);
    (status, text).into_response()
}
