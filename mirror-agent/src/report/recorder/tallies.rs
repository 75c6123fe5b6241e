//! What is counted of a run, behind the recorder's lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use mirror_core::ledger::Outcome;
use mirror_core::noise::NoiseOrigin;
use mirror_core::route::{RouteId, RouteLearner};
use mirror_core::verdict::{Judge, LoginCounts, VerdictPolicy, matters};

use crate::report::control::ControlTally;
use crate::report::effects::EffectsTally;
use crate::report::end::End;
use crate::report::latency::Latencies;
use crate::report::outcomes::OutcomeTallies;
use crate::report::pair::JudgedPair;
use crate::report::request::RequestLabel;
use crate::report::routes::RouteTallies;
use crate::report::status::CarriedData;

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
    pub(super) snapshots: BTreeMap<String, u64>,
    pub(super) waits: Latencies,
    pub(super) ttls: Latencies,
    pub(super) timing: Timing,
    pub(super) mirror_snapshots: BTreeMap<String, u64>,
    pub(super) carried: CarriedData,
    pub(super) control: ControlTally,
    pub(super) effects: EffectsTally,
    pub(super) logins: LoginCounts,
    pub(super) failure: Option<String>,
}

/// When replays were sent, and how long they took.
#[derive(Default)]
pub(super) struct Timing {
    pub(super) send_lag: Latencies,
    pub(super) from_sending: Latencies,
    pub(super) from_due: Latencies,
    pub(super) sent_twice: u64,
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
        self.outcomes
            .count(outcome, route, label, end.reason.as_deref());
        let request = label.admitted(&name);
        self.judge.ended(&request, label.status(), outcome);
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
        self.compared
            .count(route, label, pair, (&explained, is_evidence));
        self.logins
            .count(Some(pair.production.status), pair.mirror_answer);
        if let (Some(finding), Some(control)) = (pair.control_finding(), &pair.control) {
            self.control.count(finding, control.latency);
        }
        outcome
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
}
