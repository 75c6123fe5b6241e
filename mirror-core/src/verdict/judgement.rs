//! What a decision says of a run, for reports.

use serde::{Deserialize, Serialize};

use crate::compare::{Kind, Place};

use super::Decision;
use super::evidence::Builds;
use super::representative::Uneven;
use crate::compare::Severity;

/// A decision with all that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Judgement {
    pub decision: Decision,
    /// In one or two sentences.
    pub reason: String,
    /// It was asked for a quick look, which promises nothing.
    #[serde(default)]
    pub is_quick: bool,
    /// Why the run is invalid.
    #[serde(default)]
    pub invalid: Vec<String>,
    /// Strata that are judged more or less often than the rest.
    #[serde(default)]
    pub uneven: Vec<Uneven>,
    /// What fails the run, the most severe first.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Rules about rates and times that are met.
    #[serde(default)]
    pub rules_met: Vec<RuleMet>,
    /// What differs, could fail the run, and is not decided.
    #[serde(default)]
    pub undecided: Vec<Finding>,
    /// What really differs, and does not fail the run.
    #[serde(default)]
    pub noted: Vec<Finding>,
    /// What a PASS still needs.
    #[serde(default)]
    pub missing: Vec<Missing>,
    #[serde(default)]
    pub routes: Vec<RouteFigures>,
    /// Each route by itself, the busiest first.
    #[serde(default)]
    pub each: Vec<RouteSummary>,
    /// Routes of production of which nothing was judged.
    #[serde(default)]
    pub coverage: Vec<Uncovered>,
    #[serde(default)]
    pub advice: Vec<String>,
    #[serde(default)]
    pub builds: Builds,
}

/// One way in which the candidate differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    pub route: String,
    pub place: Place,
    pub kind: Kind,
    pub severity: Severity,
    /// Judged requests of the route that differ so, of how many.
    pub differed: u64,
    pub judged: u64,
    /// Exchanges that say which version is the odd one, and those in which it is the candidate.
    pub informative: u64,
    pub candidate_odd: u64,
    /// How many times more likely this is than under "nothing but chance".
    pub e_value: f64,
    /// The rate of real differences is at least this.
    pub at_least: f64,
    /// Informative exchanges that are still needed, if all are the candidate's; none for a number that nobody waits for.
    pub needed: Option<u64>,
    /// Answers of one version differ so as well.
    pub varies: bool,
    /// The candidate's repeat does not differ: a fault that comes and goes, or a cold cache.
    pub is_unsteady: bool,
    /// Chance explains it so far, at a place that varies: it is shown, and holds no run.
    #[serde(default)]
    pub is_by_chance: bool,
}

/// A rule about a rate or a time that is met with confidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RuleMet {
    pub rule: String,
    pub scope: String,
    /// In words, with figures.
    pub what: String,
}

/// What a PASS still needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Missing {
    /// In words, with figures.
    pub what: String,
    /// Requests that are there, and that are needed in all.
    pub have: u64,
    pub needed: Option<u64>,
    /// How long that takes at the rate so far.
    pub seconds: Option<u64>,
}

/// What is shown for a route, or for the small routes together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RouteFigures {
    pub scope: String,
    /// Its share of what policy admitted.
    pub traffic: f64,
    pub judged: u64,
    /// Judged requests that differ, where no noise explains it.
    pub differing: u64,
    /// The rate of real differences is at most this, with 95 % at any look.
    pub at_most: f64,
    pub limit: f64,
    /// Places that vary by nature; there, only the coin decides.
    pub varying: u64,
    /// Groups that there was no room for.
    pub dropped: u64,
}

impl RouteFigures {
    pub fn is_shown(&self) -> bool {
        self.at_most <= self.limit
    }
}

/// A route of production that was never judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Uncovered {
    pub route: String,
    pub requests: u64,
    /// Of all requests of production.
    pub traffic: f64,
    /// How most of them ended.
    pub outcome: String,
}

/// What is known of one route; no decision rests on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RouteSummary {
    pub route: String,
    /// Requests of production.
    pub seen: u64,
    /// Those that policy let out.
    pub admitted: u64,
    pub judged: u64,
    /// Judged ones that came while the run was cold; the times leave them out.
    pub cold: u64,
    /// None where a side has no times.
    pub times: Option<TimeChange>,
}

/// How the candidate's times stand to another side's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TimeChange {
    /// To the control's, and the median request by request; else to production's, which came over another way.
    pub is_to_control: bool,
    pub requests: u64,
    pub p50: Change,
    pub p95: Change,
}

/// A change as a fraction, 0.1 for +10 %, with an interval that holds with 95 % at all looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Change {
    pub seen: Option<f64>,
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
}

impl Change {
    /// Of ratios. A bound that says nothing (0, infinity) is none.
    pub(super) fn new(seen: Option<f64>, (low, high): (f64, f64)) -> Self {
        let known = |ratio: f64| (ratio > 0.0 && ratio.is_finite()).then_some(ratio - 1.0);
        Self {
            seen: seen.and_then(known),
            at_least: known(low),
            at_most: known(high),
        }
    }
}
