//! What a run has observed, as counts: bounded, mergeable, and the same for the same observations in any order.
//!
//! [`Evidence::ended`] is told how each request of production ended, [`Evidence::observe`] what the answers to a judged one came to. Neither
//! keeps an answer. Evidence of several agents adds up by `+=`. Beyond the bounds (2,000 routes; the groups of a route), what gave
//! way is counted, and which it was may depend on the order.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use crate::ledger::Outcome;
use crate::noise::Maps;
use crate::time::Timestamp;

use super::cache::CacheHits;
use super::group::Groups;
use super::latency::Latency;
use super::rate::{Paired, Proportion};
use super::recent::Recent;
use super::representative::{Request, Strata};
use super::trial::Trial;
use crate::compare::{CompareOptions, RuleTally, Severity};

const MAX_ROUTES: usize = 2_000;
const OTHER: &str = "(other)";
/// Builds of one side that are named.
const MAX_BUILDS: usize = 8;
const MAX_BUILD_NAME: usize = 200;

/// What a run has observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    pub(super) routes: BTreeMap<String, RouteEvidence>,
    pub(super) strata: Strata,
    /// From the first to the last request.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// 5xx among production's own answers.
    pub(super) production_errors: Proportion,
    /// What answers said.
    pub(super) seen_builds: Builds,
    /// What sides said when they were asked for it; it counts for a side of which no answer said it.
    pub(super) asked_builds: Builds,
    /// What the user says; it counts for a side of which no answer said it.
    pub(super) named_builds: Builds,
    pub(super) rules: RuleTally,
    /// Why the run is not to be relied on.
    pub(super) failure: Option<String>,
}

/// What each side says that it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Builds {
    pub production: BTreeSet<String>,
    pub candidate: BTreeSet<String>,
    pub control: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Production,
    Candidate,
    Control,
}

/// The counts of one route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteEvidence {
    /// Requests of production by the name of their outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Those that policy let out.
    pub admitted: u64,
    /// Those with two answers that were compared, and are evidence.
    pub judged: u64,
    /// Those that the candidate took and did not answer, or not in time.
    pub unanswered: u64,
    /// Judged ones with a control.
    pub controlled: u64,
    /// Judged ones that production answered below 400.
    pub good: u64,
    /// Judged ones that production or the candidate refused with 401 or 403.
    pub refused: u64,
    /// Judged ones that differ, by the severity of what differs.
    pub differing: BTreeMap<Severity, u64>,
    pub groups: Groups,
    /// Answers of the same version that differ beyond what is known to vary.
    pub noise: Proportion,
    /// 5xx of the candidate, beside the control's or production's.
    pub errors_to_control: Paired,
    pub errors_to_production: Paired,
    /// Answers from a cache: the candidate's beside the control's.
    pub cache: Paired,
    /// For advice: the candidate's beside production's.
    pub cache_to_production: Paired,
    pub latency: Latency,
}

impl RouteEvidence {
    /// Requests of production that came here.
    pub fn seen(&self) -> u64 {
        self.outcomes.values().sum()
    }

    fn count_cache(&mut self, hits: &CacheHits) {
        if let (Some(candidate), Some(control)) = (hits.candidate, hits.control) {
            self.cache.add(candidate, control);
        }
        if let (Some(candidate), Some(production)) = (hits.candidate, hits.production) {
            self.cache_to_production.add(candidate, production);
        }
    }
}

/// What an outcome says of how a request was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Judged,
    /// Policy let it out, and then there was no verdict.
    Lost,
    /// It was not to be replayed: by policy, or by what it is.
    LeftOut,
    /// The run ended before it did, or another process has it.
    Cut,
}

impl Standing {
    fn of(outcome: Outcome) -> Self {
        use Outcome::*;
        match outcome {
            Matched | Differed | DifferedAsControl => Self::Judged,
            ReplayedWithoutBaseline
            | NotComparedMirrorTooLarge
            | NotComparedProductionTooLarge
            | NotComparedDecodedTooLarge
            | ShedBreaker
            | ShedRate
            | ShedBusyHost
            | ShedQueueFull
            | ShedTransport
            | SnapshotMissing
            | SnapshotExpired
            | SnapshotCollided
            | SnapshotUnproven
            | SnapshotUnavailable
            | MirrorNoSnapshot
            | ReplayTimeout
            | ReplayConnectFailed
            | ReplayFailed => Self::Lost,
            // By the user's word, or by the conditions of the request.
            MatchedWithoutSnapshot | DifferedWithoutSnapshot | NotComparedNotModified => {
                Self::LeftOut
            }
            NotReplayedUpgrade | Observed | Recorded | LostNotWritten | LostRingFull
            | LostTrimmed | LostDamaged | LostVersion | DroppedGap | DroppedTruncated
            | DroppedTooLarge | DroppedAmbiguous | DroppedOneSide | FilteredMethod
            | FilteredRule | FilteredSample | FilteredWrite | FilteredUnreadable
            | FilteredReplayed | FilteredPaused | FilteredSchedule | FilteredEnough
            | FilteredSent | SnapshotNoId => Self::LeftOut,
            HandedOver | Interrupted => Self::Cut,
        }
    }
}

impl Evidence {
    /// A request of production ended.
    pub fn ended(&mut self, request: &Request<'_>, outcome: Outcome) {
        self.at(request.at);
        let standing = Standing::of(outcome);
        let route = self.route(request.route);
        match route.outcomes.get_mut(outcome.name()) {
            Some(count) => *count += 1,
            None => {
                route.outcomes.insert(outcome.name().into(), 1);
            }
        }
        if let Outcome::ReplayFailed | Outcome::ReplayTimeout = outcome {
            route.unanswered += 1;
        }
        if let Standing::Judged | Standing::Lost = standing {
            route.admitted += 1;
            self.strata.add(request, standing == Standing::Judged);
        }
    }

    /// A request was judged. Call it once for each, with all that was asked for it.
    pub fn observe(&mut self, trial: &Trial<'_>) {
        self.observe_after(trial, &mut Recent::default());
    }

    /// The same after other requests, of which tosses may hang together with this one's.
    pub(super) fn observe_after(&mut self, trial: &Trial<'_>, recent: &mut Recent) {
        self.at(trial.at);
        let route = self.route(trial.route);
        route.judged += 1;
        route.controlled += u64::from(trial.control.is_some());
        route.good += u64::from(trial.production_status < 400);
        let is_refused = |status| matches!(status, 401 | 403);
        let refused = is_refused(trial.production_status) || is_refused(trial.candidate_status);
        route.refused += u64::from(refused);
        let severities: BTreeSet<_> = trial.candidate.severities().collect();
        for severity in severities {
            *route.differing.entry(severity).or_default() += 1;
        }
        let is_error = |status: u16| status >= 500;
        let candidate = is_error(trial.candidate_status);
        match &trial.control {
            Some(control) => route
                .errors_to_control
                .add(candidate, is_error(control.status)),
            None => route
                .errors_to_production
                .add(candidate, is_error(trial.production_status)),
        }
        // Repeats are sent where something differs. So without a control the share is of all judged requests, and at least so much.
        let differs = trial.same_version_differs() == Some(true);
        route.noise += Proportion::new(u64::from(differs), 1);
        route.latency.add(&trial.durations);
        route.count_cache(&trial.cache);
        trial.toss(&mut route.groups, recent);
    }

    /// Production answered a request itself, whatever became of it then.
    pub fn production_answered(&mut self, status: u16) {
        self.production_errors += Proportion::new(u64::from(status >= 500), 1);
    }

    /// An answer of a side said which build it is from.
    pub fn runs(&mut self, side: Side, build: &str) {
        self.seen_builds.add(side, build);
    }

    /// A side was asked which build it runs, and said so.
    pub fn says_to_run(&mut self, side: Side, build: &str) {
        self.asked_builds.add(side, build);
    }

    /// The user says which build a side runs.
    pub fn is_said_to_run(&mut self, side: Side, build: &str) {
        self.named_builds.add(side, build);
    }

    /// From now on answers are compared by these rules.
    pub fn set_rules(&mut self, options: &CompareOptions) {
        self.rules.set_rules(options);
    }

    /// Takes how a judged pair used the rules.
    pub fn used_rules(&mut self, used: &RuleTally) {
        self.rules.count_known(used);
    }

    pub fn rules(&self) -> &RuleTally {
        &self.rules
    }

    /// The run is not to be relied on. Of several reasons one is kept, the same in any order.
    pub fn fail(&mut self, why: &str) {
        let is_first = self.failure.as_deref().is_none_or(|known| why < known);
        if is_first {
            self.failure = Some(why.into());
        }
    }

    /// Puts what is known of the route `from` to that of `into`, as when routes were folded.
    pub fn fold(&mut self, from: &str, into: &str) {
        if from != into
            && let Some(route) = self.routes.remove(from)
        {
            *self.route(into) += &route;
        }
        self.strata.fold(from, into);
    }

    /// Puts together what is known of the members of a route's maps.
    pub(super) fn fold_places(&mut self, route: &str, maps: &Maps) {
        if let Some(route) = self.routes.get_mut(route) {
            route.groups.fold_places(maps);
        }
    }

    /// What each side runs, as far as anybody said it.
    pub fn builds(&self) -> Builds {
        let [production, candidate, control] = Side::ALL.map(|side| {
            let sources = [&self.seen_builds, &self.asked_builds, &self.named_builds];
            let mut known = sources.into_iter().map(|builds| builds.of(side));
            known.find(|builds| !builds.is_empty()).cloned()
        });
        Builds {
            production: production.unwrap_or_default(),
            candidate: candidate.unwrap_or_default(),
            control: control.unwrap_or_default(),
        }
    }

    /// The builds of a side that changed during the run. Answers may name builds in another way than a URL does, so that each
    /// source is looked at by itself.
    pub(super) fn changed_builds(&self, side: Side) -> Option<&BTreeSet<String>> {
        let sources = [&self.seen_builds, &self.asked_builds];
        let mut said = sources.into_iter().map(|builds| builds.of(side));
        said.find(|builds| builds.len() > 1)
    }

    /// Without what is known of single routes.
    #[must_use]
    pub fn without_routes(&self) -> Self {
        Self {
            routes: BTreeMap::new(),
            strata: self.strata.clone(),
            span: self.span,
            production_errors: self.production_errors,
            seen_builds: self.seen_builds.clone(),
            asked_builds: self.asked_builds.clone(),
            named_builds: self.named_builds.clone(),
            rules: self.rules.clone(),
            failure: self.failure.clone(),
        }
    }

    /// Puts counts of a route to those that are known of it.
    pub fn add_route(&mut self, name: &str, route: &RouteEvidence) {
        *self.route(name) += route;
    }

    pub fn routes(&self) -> &BTreeMap<String, RouteEvidence> {
        &self.routes
    }

    pub(super) fn first_at(&self) -> Option<Timestamp> {
        self.span.map(|(first, _)| first)
    }

    fn at(&mut self, at: Timestamp) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    fn route(&mut self, name: &str) -> &mut RouteEvidence {
        let is_known = self.routes.contains_key(name);
        if !is_known {
            let name = if self.routes.len() < MAX_ROUTES {
                name
            } else {
                OTHER
            };
            return self.routes.entry(name.into()).or_default();
        }
        self.routes.get_mut(name).expect("it is known")
    }
}

impl Side {
    pub const ALL: [Self; 3] = [Self::Production, Self::Candidate, Self::Control];

    /// As a sentence names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Candidate => "the candidate",
            Self::Control => "the control",
        }
    }
}

impl Builds {
    fn of(&self, side: Side) -> &BTreeSet<String> {
        match side {
            Side::Production => &self.production,
            Side::Candidate => &self.candidate,
            Side::Control => &self.control,
        }
    }

    fn add(&mut self, side: Side, build: &str) {
        let builds = match side {
            Side::Production => &mut self.production,
            Side::Candidate => &mut self.candidate,
            Side::Control => &mut self.control,
        };
        // Each answer says it again.
        if !builds.contains(build) {
            builds.insert(build.chars().take(MAX_BUILD_NAME).collect());
            keep_first(builds);
        }
    }
}

fn keep_first(builds: &mut BTreeSet<String>) {
    while builds.len() > MAX_BUILDS {
        builds.pop_last();
    }
}

impl AddAssign<&Self> for RouteEvidence {
    fn add_assign(&mut self, other: &Self) {
        self.add_all_but_groups(other);
        self.groups += &other.groups;
    }
}

impl RouteEvidence {
    /// For a scope of many routes, which keeps the groups of each.
    pub(super) fn add_all_but_groups(&mut self, other: &Self) {
        for (name, count) in &other.outcomes {
            *self.outcomes.entry(name.clone()).or_default() += count;
        }
        for (severity, count) in &other.differing {
            *self.differing.entry(*severity).or_default() += count;
        }
        self.admitted += other.admitted;
        self.judged += other.judged;
        self.unanswered += other.unanswered;
        self.controlled += other.controlled;
        self.good += other.good;
        self.refused += other.refused;
        self.noise += other.noise;
        self.errors_to_control += other.errors_to_control;
        self.errors_to_production += other.errors_to_production;
        self.cache += other.cache;
        self.cache_to_production += other.cache_to_production;
        self.latency += &other.latency;
    }
}

impl AddAssign<&Self> for Builds {
    fn add_assign(&mut self, other: &Self) {
        let all = [
            (&mut self.production, &other.production),
            (&mut self.candidate, &other.candidate),
            (&mut self.control, &other.control),
        ];
        for (ours, theirs) in all {
            ours.extend(theirs.iter().cloned());
            keep_first(ours);
        }
    }
}

impl AddAssign<&Self> for Evidence {
    fn add_assign(&mut self, other: &Self) {
        for (name, evidence) in &other.routes {
            *self.route(name) += evidence;
        }
        self.strata += &other.strata;
        if let Some((first, last)) = other.span {
            self.at(first);
            self.at(last);
        }
        self.production_errors += other.production_errors;
        self.seen_builds += &other.seen_builds;
        self.asked_builds += &other.asked_builds;
        self.named_builds += &other.named_builds;
        self.rules += other.rules.clone();
        if let Some(why) = &other.failure {
            self.fail(why);
        }
    }
}
