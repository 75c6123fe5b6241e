//! What is counted of a run, behind the recorder's lock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use mirror_core::compare::Comparison;
use mirror_core::ledger::Outcome;
use mirror_core::noise::NoiseOrigin;
use mirror_core::route::{RouteId, RouteLearner};
use mirror_core::schedule::ScheduleData;
use mirror_core::verdict::{Evidence, Judge, Judgement, VerdictPolicy, matters};

use crate::report::answers::WholeAnswers;
use crate::report::end::End;
use crate::report::outcomes::OutcomeTallies;
use crate::report::pair::JudgedPair;
use crate::report::request::RequestLabel;
use crate::report::routes::RouteTallies;
use crate::report::status::{CaptureCounters, LedgerData, Results, RunInfo};

use super::kept::{KeptRoute, KeptRun, RouteRecord};
use super::totals::Totals;

#[derive(Default)]
pub(super) struct Tallies {
    pub(super) routes: RouteLearner,
    /// The names of routes, because making one takes time.
    names: HashMap<RouteId, Arc<str>, RandomState>,
    /// The learner's folds that the tallies below have followed.
    folds: u64,
    pub(super) outcomes: OutcomeTallies,
    pub(super) compared: RouteTallies,
    pub(super) judge: Judge,
    /// The runs that what was known at the start came from.
    pub(super) origins: Vec<NoiseOrigin>,
    pub(super) policy: VerdictPolicy,
    pub(super) totals: Totals,
    /// The answers of examples that are not stored yet, with their numbers.
    pub(super) answers: Vec<(u64, Arc<WholeAnswers>)>,
    /// How many have been stored, or are to be.
    answers_stored: u64,
    /// Routes of which something was counted since they were kept last.
    changed: HashSet<RouteId, RandomState>,
    /// The folds that what was kept last has followed.
    kept_folds: u64,
    /// Marks of those that ended since they were asked for last.
    pub(super) marks: Vec<u64>,
}

impl Tallies {
    /// How the request ended, after all that is known of its route.
    pub(super) fn ended(
        &mut self,
        label: &RequestLabel,
        route: Option<RouteId>,
        end: &End,
    ) -> Outcome {
        let route = self.route(label, route);
        let name = self.name(route);
        let outcome = match &end.pair {
            None => end.outcome,
            Some(pair) => self.judged(label, route, &name, pair),
        };
        self.changed.insert(route);
        self.outcomes
            .count(outcome, route, label, end.reason.as_deref());
        // Whoever takes it over is told what it was.
        if outcome != Outcome::HandedOver {
            let request = label.admitted(&name);
            self.judge.ended(&request, label.status(), outcome);
        }
        outcome
    }

    fn judged(
        &mut self,
        label: &RequestLabel,
        route: RouteId,
        name: &str,
        pair: &JudgedPair,
    ) -> Outcome {
        let evidence = self.judge.evidence_mut();
        for (side, build) in &pair.said.builds {
            evidence.runs(*side, build);
        }
        let explained = match pair.is_judged() {
            true => {
                evidence.used_rules(&pair.said.rules);
                let folds = self.judge.map_folds();
                let explained = self.judge.judge(&pair.compared(name));
                if self.judge.map_folds() > folds
                    && let Some(maps) = self.judge.maps(name)
                {
                    self.compared.fold_places(route, maps);
                }
                explained
            }
            false => pair.unexplained(),
        };
        let outcome = pair.outcome(matters(&explained));
        let is_evidence = pair.is_judged() && outcome != Outcome::DifferedAsControl;
        let number = pair.answers.as_ref().map(|_| self.answers_stored);
        let explained_so = (&explained, is_evidence);
        let is_example = self
            .compared
            .count(route, label, pair, explained_so, number);
        if let (true, Some(answers)) = (is_example, &pair.answers) {
            self.answers
                .push((self.answers_stored, Arc::clone(answers)));
            self.answers_stored += 1;
        }
        self.totals
            .logins
            .count(Some(pair.production.status), pair.mirror_answer);
        if let (Some(finding), Some(control)) = (pair.control_finding(), &pair.control) {
            self.totals.control.count(finding, control.latency);
        }
        outcome
    }

    /// Whether the answers of a pair may be wanted in full.
    pub(super) fn wants_answers(
        &mut self,
        label: &RequestLabel,
        route: RouteId,
        comparison: &Comparison,
    ) -> bool {
        let name = self.name(route);
        let maps = self.judge.maps(&name);
        self.compared.wants_example(route, label, comparison, maps)
    }

    /// Each request is learnt once: `known` is what came of it.
    pub(super) fn route(&mut self, label: &RequestLabel, known: Option<RouteId>) -> RouteId {
        if let Some(known) = known {
            return self.routes.resolve(known);
        }
        let route = self
            .routes
            .learn(label.method(), &label.target().path_text());
        if self.routes.folds() != self.folds {
            self.folds = self.routes.folds();
            self.fold();
        }
        route
    }

    /// Follows the learner, which has found that several routes are one.
    fn fold(&mut self) {
        self.outcomes.fold(&self.routes);
        self.compared.fold(&self.routes);
        let mut names: Vec<_> = self.names.drain().collect();
        names.sort();
        for (route, name) in names {
            self.judge.fold(&name, &self.routes.name(route));
        }
    }

    /// As in `GET /users/{id}`.
    pub(super) fn name(&mut self, route: RouteId) -> Arc<str> {
        let name = self.names.entry(route);
        Arc::clone(name.or_insert_with(|| self.routes.name(route).into()))
    }

    /// What has changed since it was asked for last, or all of it. Routes that have become one change everything.
    pub(super) fn changes(&mut self, all: bool) -> TallyChanges {
        let is_whole = all || self.kept_folds != self.folds;
        self.kept_folds = self.folds;
        let mut changed = std::mem::take(&mut self.changed);
        changed.insert(RouteLearner::OTHER);
        let changed: HashSet<RouteId, RandomState> = changed
            .into_iter()
            .map(|route| self.routes.resolve(route))
            .collect();
        let wanted = |route: RouteId| is_whole || changed.contains(&route);
        let mut routes: BTreeMap<Arc<str>, KeptRoute> = BTreeMap::new();
        for (route, change) in self.compared.changes(is_whole, wanted) {
            let kept = routes.entry(self.name(route)).or_default();
            kept.record.compared = Some(change.record);
            (kept.examples, kept.intervals) = (change.examples, change.intervals);
        }
        let outcomes: Vec<_> = self.outcomes.records(wanted).collect();
        for (route, outcome) in outcomes {
            let kept = routes.entry(self.name(route)).or_default();
            kept.record.outcomes.push(outcome);
        }
        let mut names: BTreeSet<Arc<str>> = changed.iter().map(|id| self.name(*id)).collect();
        let evidence = self.judge.evidence();
        if is_whole {
            names = evidence
                .routes()
                .keys()
                .map(|name| Arc::from(&**name))
                .collect();
        }
        for name in names {
            if let Some(known) = evidence.routes().get(&*name) {
                routes.entry(name).or_default().record.evidence = Some(known.clone());
            }
        }
        TallyChanges {
            is_whole,
            routes,
            outcomes: self.outcomes.counts(),
            evidence: evidence.without_routes(),
            totals: self.totals.clone(),
            policy: self.policy.clone(),
            marks: std::mem::take(&mut self.marks),
        }
    }

    /// Adds what was kept of several runs, of which each may have learnt its routes differently: they are learnt anew from all names.
    pub(super) fn add(&mut self, runs: Vec<KeptRun>) {
        let mut names: BTreeMap<(bool, String), u64> = BTreeMap::new();
        for run in &runs {
            for (name, route) in &run.routes {
                let key = (RouteLearner::is_learnt(name), name.clone());
                *names.entry(key).or_default() += route.record.requests();
            }
        }
        for ((_, name), requests) in &names {
            self.routes.learn_name(name, *requests);
        }
        let learnt: HashMap<String, RouteId> = names
            .into_keys()
            .map(|(_, name)| {
                let route = self.routes.learn_name(&name, 0);
                (name, route)
            })
            .collect();
        self.folds = self.routes.folds();
        let is_alone = runs.len() == 1;
        for run in runs {
            self.add_run(run, &learnt, is_alone);
        }
    }

    fn add_run(&mut self, run: KeptRun, learnt: &HashMap<String, RouteId>, is_alone: bool) {
        let mut evidence = run.record.evidence;
        for (name, kept) in run.routes {
            let Some(route) = learnt.get(&name).map(|route| self.routes.resolve(*route)) else {
                continue;
            };
            let RouteRecord {
                evidence: known,
                compared,
                outcomes,
            } = kept.record;
            if let Some(known) = known {
                evidence.add_route(&name, &known);
            }
            if let Some(compared) = compared {
                let mut examples = kept.examples.unwrap_or_default();
                if !is_alone {
                    examples.forget_answers();
                }
                self.compared.add(route, compared, examples, kept.intervals);
            }
            for outcome in outcomes {
                self.outcomes.add(route, outcome);
            }
            evidence.fold(&name, &self.name(route));
        }
        *self.judge.evidence_mut() += &evidence;
        self.totals.merge(run.record.totals);
    }

    /// What was found, as it is shown.
    pub(super) fn results(&self, beside: Beside) -> Results {
        let totals = &self.totals;
        let Beside {
            run,
            verdict,
            ledger,
            counters,
            schedule,
        } = beside;
        Results {
            run,
            verdict,
            failed: totals.failure.clone(),
            outcomes: self.outcomes.data(&self.routes, &ledger.outcomes),
            ledger,
            snapshots: totals.snapshots.clone(),
            snapshot_wait_ms: totals.waits.data(),
            snapshot_ttl_ms: totals.ttls.shortest(),
            mirror_snapshots: totals.mirror_snapshots.clone(),
            timing: totals.timing.data(),
            schedule,
            carried: totals.carried.clone(),
            control: totals.control.data(),
            effects: totals.effects.data(),
            headline: totals.logins.headline(),
            routes: self.compared.data(&self.routes),
            differences: self.compared.differences(&self.routes),
            differences_dropped: self.compared.dropped_differences(),
            rules: self.judge.evidence().rules().clone(),
            counters,
        }
    }
}

/// What results consist of beside the tallies.
pub(super) struct Beside {
    pub(super) run: RunInfo,
    pub(super) verdict: Judgement,
    pub(super) ledger: LedgerData,
    pub(super) counters: CaptureCounters,
    pub(super) schedule: ScheduleData,
}

/// What has changed of a run.
pub(super) struct TallyChanges {
    /// All of it is here.
    pub(super) is_whole: bool,
    pub(super) routes: BTreeMap<Arc<str>, KeptRoute>,
    /// How many requests ended with each outcome.
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) evidence: Evidence,
    pub(super) totals: Totals,
    pub(super) policy: VerdictPolicy,
    pub(super) marks: Vec<u64>,
}
