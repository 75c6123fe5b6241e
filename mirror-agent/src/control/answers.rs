//! What `filter`, `pause`, `resume`, `reload` and `verdict` answer. `status` answers with a [`Status`](crate::report::Status),
//! `stop` with a [`ReportData`](crate::report::ReportData).

use mirror_core::filter::FilterSettings;
use mirror_core::verdict::{Decision, Finding, Missing};
use serde::{Deserialize, Serialize};

use crate::report::Results;

/// Findings that a [`VerdictAnswer`] names.
const MAX_FINDINGS: usize = 20;

/// The filter, after the change if there is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FilterAnswer {
    pub filter: FilterSettings,
}

/// Whether what comes from now on is left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PauseAnswer {
    pub paused: bool,
}

/// What the configuration file says now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReloadAnswer {
    /// Keys of the options that have another value now.
    pub changed: Vec<String>,
    pub filter: FilterSettings,
    pub interfaces: Vec<String>,
}

/// The decision so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictAnswer {
    pub decision: Decision,
    pub result: GateResult,
    /// What `mirror-agent run` would end with now.
    pub exit_code: u8,
    /// In one or two sentences.
    pub reason: String,
    /// It was asked for a quick look, which promises nothing.
    pub is_quick: bool,
    /// Requests that production received, and those whose answers are evidence.
    pub seen: u64,
    pub judged: u64,
    /// How many ways to differ fail the run, and the most severe of them.
    pub finding_count: usize,
    pub findings: Vec<Finding>,
    /// What a PASS still needs.
    pub missing: Vec<Missing>,
    /// How long that takes at the rate so far, where it is known.
    pub needs_seconds: Option<u64>,
}

/// What a rollout does about a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateResult {
    Success,
    Failure,
    /// Neither: a person looks, or the rollout waits.
    Inconclusive,
}

impl From<Decision> for GateResult {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Pass => Self::Success,
            Decision::Fail => Self::Failure,
            Decision::Invalid | Decision::Hold => Self::Inconclusive,
        }
    }
}

impl VerdictAnswer {
    pub fn of(results: &Results) -> Self {
        let verdict = &results.verdict;
        let seconds = verdict.missing.iter().map(|one| one.seconds);
        Self {
            decision: verdict.decision,
            result: verdict.decision.into(),
            exit_code: verdict.decision.exit_code(),
            reason: verdict.reason.clone(),
            is_quick: verdict.is_quick,
            seen: results.ledger.seen,
            judged: verdict.routes.iter().map(|route| route.judged).sum(),
            finding_count: verdict.findings.len(),
            findings: verdict
                .findings
                .iter()
                .take(MAX_FINDINGS)
                .cloned()
                .collect(),
            missing: verdict.missing.clone(),
            // Known for all, or not known.
            needs_seconds: seconds
                .collect::<Option<Vec<_>>>()
                .and_then(|all| all.into_iter().max()),
        }
    }
}
