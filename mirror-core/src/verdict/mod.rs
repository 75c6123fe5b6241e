//! What is evidence, what counts, and which decision and exit code follow: the one place that says so.
//!
//! [`Judge`] takes what a run's answers come to, request by request, and [`decide`] concludes from the [`Evidence`] it keeps, by a
//! [`VerdictPolicy`]. The tests are in modules of their own, and each says what it tests, when it may be wrong and where it comes
//! from: `coin` (which version is the odd one), `spread` (values at places that vary), `recent` (tosses that hang together), `fdr` (many
//! tests at once), `rate` and `quantile` (bounds), `representative` (is what was judged like what was let out). `docs/verdict.md` puts them together.
//! All of them hold at every look, and depend on counts only: evidence adds up in any order.

mod builds;
mod cache;
mod coin;
mod control;
mod decide;
mod differences;
mod evidence;
mod fdr;
mod group;
mod judge;
mod judgement;
mod latency;
mod login;
mod math;
mod policy;
mod quantile;
mod rate;
mod recent;
mod representative;
#[cfg(test)]
mod sample;
mod spread;
mod trial;
pub mod words;

use serde::{Deserialize, Serialize};

use crate::compare::{Extent, NotWhole};
use crate::ledger::Outcome;

pub use builds::{BuildHeader, BuildOptions};
pub use cache::{CacheField, CacheHeader, CacheHits, CacheOptions};
pub use coin::Coin;
pub use control::ControlFinding;
pub use decide::decide;
pub use differences::Differences;
pub use evidence::{Builds, Evidence, RouteEvidence, Side};
pub use fdr::{family, ln_threshold};
pub use group::{Dropped, Group, GroupKey, Groups};
pub use judge::{ComparedAnswers, ComparedControl, ComparedRepeat, Judge, matters};
pub use judgement::{
    Change, Finding, Judgement, Missing, RouteFigures, RouteSummary, RuleMet, TimeChange, Uncovered,
};
pub use latency::{AnswerDurations, Latency, Ratios, Times};
pub use login::{LoginCounts, MirrorAnswer};
pub use policy::{FailOn, FailRules, Measure, VerdictPolicy};
pub use rate::{Mixture, Paired, Proportion};
pub use recent::Gaps;
pub use representative::{Request, Strata, Uneven};
pub use spread::Spread;
pub use trial::{Control, Repeat, Trial};

/// Exit code of a command that started nothing: bad input, no rights, no agent.
pub const NOT_STARTED: u8 = 2;

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is shown that no more than the allowed share of requests differs.
    Pass,
    /// A real difference is shown, or a rule of the policy is met.
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

/// How a request ends whose two answers were compared. `differs` is what is left when noise was taken out, and `control`
/// what a control says of it.
pub fn outcome(
    basis: Basis,
    extent: Extent,
    differs: bool,
    control: Option<ControlFinding>,
) -> Outcome {
    if let Extent::Head(not_whole) = extent {
        return match not_whole {
            NotWhole::MirrorTooLarge => Outcome::NotComparedMirrorTooLarge,
            NotWhole::ProductionTooLarge => Outcome::NotComparedProductionTooLarge,
            NotWhole::DecodedTooLarge => Outcome::NotComparedDecodedTooLarge,
            NotWhole::ProductionDamaged => Outcome::ReplayedWithoutBaseline,
        };
    }
    if differs && control == Some(ControlFinding::Alike) {
        return Outcome::DifferedAsControl;
    }
    match (basis.is_evidence(), differs) {
        (true, false) => Outcome::Matched,
        (true, true) => Outcome::Differed,
        (false, false) => Outcome::MatchedWithoutSnapshot,
        (false, true) => Outcome::DifferedWithoutSnapshot,
    }
}

#[cfg(test)]
mod tests;
