//! What is evidence, what counts, and which decision and exit code follow: the one place that says so.
//!
//! The order of the rules is the order of [`decide`]: a run that cannot be relied on is invalid whatever it found, a
//! proven difference fails it, nothing compared holds it, as does a run that was cut off in the middle, and only then it passes.

mod cache;
mod coin;
mod control;
pub mod decide;
mod evidence;
mod fdr;
mod group;
mod judgement;
mod latency;
mod login;
mod math;
mod policy;
mod quantile;
mod rate;
mod representative;
#[cfg(test)]
mod sample;
mod spread;
mod trial;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compare::{Comparison, Extent, NotWhole};
use crate::ledger::Outcome;

pub use cache::{CacheHeader, CacheHits, CacheOptions};
pub use coin::Coin;
pub use control::ControlFinding;
pub use evidence::{Builds, Evidence, RouteEvidence, Side};
pub use fdr::{family, ln_threshold};
pub use group::{Dropped, Group, GroupKey, Groups};
pub use judgement::{Finding, Judgement, Missing, RouteFigures, RuleMet, Uncovered};
pub use latency::{AnswerTimes, Latency, Ratios, Times};
pub use login::{LoginCounts, MirrorAnswer};
pub use policy::{FailOn, FailRules, Measure, VerdictPolicy};
pub use rate::{Mixture, Paired, Proportion};
pub use representative::{Request, Strata, Uneven};
pub use spread::Spread;
pub use trial::{Control, Differences, Repeat, Trial};

/// Exit code of a command that started nothing: bad input, no rights, no agent.
pub const NOT_STARTED: u8 = 2;

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Answers were compared, and none differed.
    Pass,
    /// An answer differed, and it is evidence.
    Fail,
    /// The run failed, or what it saw cannot be relied on.
    Invalid,
    /// There is not enough to decide on.
    Hold,
}

impl Decision {
    pub const ALL: [Self; 4] = [Self::Pass, Self::Fail, Self::Invalid, Self::Hold];

    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Invalid => 3,
            Self::Hold => 4,
        }
    }

    /// The name that reports show.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Invalid => "INVALID",
            Self::Hold => "HOLD",
        }
    }
}

/// A decision with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub decision: Decision,
    pub reason: String,
}

/// The data that the mirror answered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// No gate was asked for: each side has its own data, and the user takes that for equal.
    NotGated,
    /// What production read for this request.
    Snapshot,
    /// A replica that has caught up with production.
    Replica,
    /// The route is said to need no data of production's.
    NotRequired,
    /// Production's data was wanted, and was not there.
    Missing,
}

impl Basis {
    /// Whether a difference is the code's.
    pub const fn is_evidence(self) -> bool {
        match self {
            Self::NotGated | Self::Snapshot | Self::Replica => true,
            Self::NotRequired | Self::Missing => false,
        }
    }
}

/// How a request ends whose two answers were compared, and what a control says of it.
pub fn outcome(basis: Basis, comparison: &Comparison, control: Option<ControlFinding>) -> Outcome {
    if let Extent::Head(not_whole) = comparison.extent {
        return match not_whole {
            NotWhole::MirrorTooLarge => Outcome::NotComparedMirrorTooLarge,
            NotWhole::ProductionTooLarge => Outcome::NotComparedProductionTooLarge,
            NotWhole::DecodedTooLarge => Outcome::NotComparedDecodedTooLarge,
            NotWhole::ProductionDamaged => Outcome::ReplayedWithoutBaseline,
        };
    }
    if comparison.differs() && control == Some(ControlFinding::Alike) {
        return Outcome::DifferedAsControl;
    }
    match (basis.is_evidence(), comparison.differs()) {
        (true, false) => Outcome::Matched,
        (true, true) => Outcome::Differed,
        (false, false) => Outcome::MatchedWithoutSnapshot,
        (false, true) => Outcome::DifferedWithoutSnapshot,
    }
}

/// What a run found, as far as the decision depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Requests by the name of their outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Places that differed in answers that are evidence; an answer that is not whole may differ in its head.
    pub differences: u64,
    /// Why the run is not to be relied on.
    pub failure: Option<String>,
}

impl Findings {
    fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome.name()).copied().unwrap_or(0)
    }

    /// Requests whose whole answers were compared, with evidence.
    pub fn compared(&self) -> u64 {
        self.count(Outcome::Matched) + self.count(Outcome::Differed)
    }
}

/// Decides a run. The same findings give the same verdict.
pub fn decide(findings: &Findings) -> Verdict {
    let compared = findings.compared();
    let verdict = |decision, reason| Verdict { decision, reason };
    if let Some(why) = &findings.failure {
        return verdict(Decision::Invalid, why.clone());
    }
    if findings.differences > 0 {
        let differed = findings.count(Outcome::Differed);
        let reason = match differed {
            0 => "status or headers of answers that are not whole differed".into(),
            _ => format!("{differed} of {compared} compared requests differed"),
        };
        return verdict(Decision::Fail, reason);
    }
    if compared == 0 {
        return verdict(Decision::Hold, nothing_compared(findings));
    }
    let interrupted = findings.count(Outcome::Interrupted);
    if interrupted > compared {
        let reason = format!(
            "{compared} requests were compared, and none differed, but {interrupted} were interrupted: too few for a pass"
        );
        return verdict(Decision::Hold, reason);
    }
    verdict(
        Decision::Pass,
        format!("{compared} requests were compared, and none differed"),
    )
}

/// Names the outcome that most requests ended with; of equal ones the first by name.
fn nothing_compared(findings: &Findings) -> String {
    let most = findings
        .outcomes
        .iter()
        .rev()
        .max_by_key(|(_, count)| **count);
    match most {
        None => "nothing was compared: no request was seen".into(),
        Some((name, count)) => {
            let all: u64 = findings.outcomes.values().sum();
            let outcome = Outcome::ALL.iter().find(|outcome| outcome.name() == name);
            let meaning = outcome.map_or("", |outcome| outcome.meaning());
            format!(
                "nothing was compared that is evidence: {count} of {all} requests ended as `{name}`: {meaning}"
            )
        }
    }
}

#[cfg(test)]
mod tests;
