//! Collects what a run finds, from many tasks and threads at once, in bounded space.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mirror_core::compare::{CompareOptions, Comparison, excerpt};
use mirror_core::ledger::{Ledger, Outcome};
use mirror_core::noise::{self, AnswerTimes, NoiseOrigin, Source};
use mirror_core::route::{RouteId, RouteLearner};
use mirror_core::schedule::ScheduleData;
use mirror_core::session::{CarryStats, Replaced};
use mirror_core::verdict::{
    self, BuildOptions, Builds, Judge, Judgement, LoginCounts, Side, VerdictPolicy, matters,
};

use foldhash::fast::RandomState;

use super::OTHER;
use super::control::ControlTally;
use super::known_noise::KnownNoise;
use super::latency::Latencies;
use super::outcomes::OutcomeTallies;
use super::pair::JudgedPair;
use super::request::RequestLabel;
use super::routes::RouteTallies;
use super::status::{
    CaptureCounters, CarriedData, FORMAT, LedgerData, ReportData, Results, RunInfo, TimingData,
};
use crate::clock::wall_clock;
use crate::gate::SnapshotOutcome;

/// Different words of mirrors about their snapshots that are told apart.
const MAX_STATES: usize = 50;
/// In the place of a build's name where nobody said it.
const UNKNOWN_BUILD: &str = "unknown";

/// How a request ended.
#[derive(Debug)]
pub struct End {
    /// Where there is no pair.
    pub outcome: Outcome,
    /// Why, where more is known than the outcome says.
    pub reason: Option<String>,
    /// The two answers, where there are two.
    pub pair: Option<Box<JudgedPair>>,
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            reason: None,
            pair: None,
        }
    }
}

impl End {
    pub fn because(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..outcome.into()
        }
    }

    /// What is known to vary decides its outcome too, so it is made when the request is recorded.
    pub fn judged(pair: JudgedPair) -> Self {
        Self {
            pair: Some(Box::new(pair)),
            ..Outcome::Matched.into()
        }
    }
}

pub struct Recorder {
    ledger: Ledger,
    run: RunInfo,
    started_at: u64,
    tallies: Mutex<Tallies>,
}

#[derive(Default)]
struct Tallies {
    routes: RouteLearner,
    /// The names of routes, because making one takes time.
    names: HashMap<RouteId, Arc<str>, RandomState>,
    /// The learner's folds that the tallies below have followed.
    folds: u64,
    outcomes: OutcomeTallies,
    compared: RouteTallies,
    judge: Judge,
    /// The runs that what was known at the start came from.
    origins: Vec<NoiseOrigin>,
    policy: VerdictPolicy,
    snapshots: BTreeMap<String, u64>,
    waits: Latencies,
    ttls: Latencies,
    timing: Timing,
    mirror_snapshots: BTreeMap<String, u64>,
    carried: CarriedData,
    control: ControlTally,
    logins: LoginCounts,
    failure: Option<String>,
}

/// When replays were sent, and how long they took.
#[derive(Default)]
struct Timing {
    send_lag: Latencies,
    from_sending: Latencies,
    from_due: Latencies,
    sent_twice: u64,
}

impl Recorder {
    pub fn new(run: RunInfo) -> Self {
        Self {
            ledger: Ledger::default(),
            run,
            started_at: now(),
            tallies: Mutex::default(),
        }
    }

    pub fn saw(&self) {
        self.ledger.saw();
    }

    /// A request that another process handed over.
    pub fn took_over(&self) {
        self.ledger.took_over();
    }

    /// `total` requests were lost in the kernel since the start.
    pub fn lost(&self, total: u64) {
        self.ledger.lost(total);
    }

    /// From now on the run is decided by this policy, and its answers are compared by these rules.
    pub fn decide_by(&self, policy: &VerdictPolicy, compare: &CompareOptions) {
        let mut tallies = self.tallies();
        tallies.policy.clone_from(policy);
        tallies.judge.evidence_mut().set_rules(compare);
    }

    /// Starts from what earlier runs have learnt of what varies by nature. Call it before the first request.
    pub fn start_from(&self, known: KnownNoise) {
        let mut tallies = self.tallies();
        tallies.judge = Judge::new(known.noise);
        tallies.origins = known.origins;
    }

    /// What the user says of the sides.
    pub fn name_builds(&self, builds: &BuildOptions) {
        let mut tallies = self.tallies();
        for (side, build) in builds.named() {
            tallies.judge.evidence_mut().is_said_to_run(side, build);
        }
    }

    /// What sides said that they run, when they were asked.
    pub fn run_builds(&self, builds: impl IntoIterator<Item = (Side, String)>) {
        let mut tallies = self.tallies();
        for (side, build) in builds {
            tallies.judge.evidence_mut().says_to_run(side, &build);
        }
    }

    /// What is known now of what varies by nature, for the next run.
    pub fn noise_text(&self) -> serde_json::Result<String> {
        let tallies = self.tallies();
        let this_run = NoiseOrigin {
            build: production_build(&tallies.judge.evidence().builds()),
            at: wall_clock(),
        };
        let origins = [tallies.origins.as_slice(), &[this_run]].concat();
        noise::save(tallies.judge.noise(), &origins)
    }

    /// A request has ended; each one ends once. Its `route`, if it is known already.
    pub fn ended(&self, label: &RequestLabel, route: Option<RouteId>, end: &End) {
        let outcome = self.tallies().ended(label, route, end);
        // After the tallies: who sees the ledger settled finds all of it in them.
        self.ledger.ended(outcome);
    }

    /// The route of a request, and whether it is to be sent once more.
    pub fn wants_repeat(
        &self,
        label: &RequestLabel,
        route: Option<RouteId>,
        answered: AnswerTimes,
        pair: &Comparison,
    ) -> (RouteId, Option<Source>) {
        let mut tallies = self.tallies();
        let route = tallies.route(label, route);
        let name = tallies.name(route);
        (route, tallies.judge.wants_repeat(&name, answered, pair))
    }

    /// Takes two answers of production to the same request, and returns its route.
    pub fn learn_from_production(
        &self,
        label: &RequestLabel,
        route: Option<RouteId>,
        times: AnswerTimes,
        pair: &Comparison,
    ) -> RouteId {
        let mut tallies = self.tallies();
        let route = tallies.route(label, route);
        let name = tallies.name(route);
        tallies.judge.learn_from_production(&name, times, pair);
        route
    }

    pub fn snapshot(&self, outcome: &SnapshotOutcome) {
        let mut tallies = self.tallies();
        let mut count = |name: &str| match tallies.snapshots.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                tallies.snapshots.insert(name.into(), 1);
            }
        };
        count(outcome.name());
        match outcome {
            SnapshotOutcome::Found(snapshot) => {
                if snapshot.at.is_none() {
                    count("unverified");
                }
                tallies.waits.add(snapshot.waited);
                if let Some(ttl) = snapshot.ttl {
                    tallies.ttls.add(ttl);
                }
            }
            SnapshotOutcome::Caught { waited, .. } => tallies.waits.add(*waited),
            SnapshotOutcome::Missing { refused: true, .. } => count("of another request"),
            _ => {}
        }
    }

    /// What the mirror said of its own look for the snapshot.
    pub fn mirror_snapshot(&self, state: &str) {
        let mut tallies = self.tallies();
        let state = excerpt(state, 40);
        if tallies.mirror_snapshots.len() < MAX_STATES {
            *tallies.mirror_snapshots.entry(state).or_default() += 1;
        } else if let Some(count) = tallies.mirror_snapshots.get_mut(&state) {
            *count += 1;
        }
    }

    /// A request was sent so much after it should have been, and answered after `latency`, if it was.
    pub fn replayed(&self, lag: Duration, latency: Option<Duration>) {
        let timing = &mut self.tallies().timing;
        timing.send_lag.add(lag);
        if let Some(latency) = latency {
            timing.from_sending.add(latency);
            timing.from_due.add(lag + latency);
        }
    }

    /// Values were put in the place of production's in one request.
    pub fn replaced(&self, replaced: &[Replaced]) {
        if replaced.is_empty() {
            return;
        }
        let mut tallies = self.tallies();
        let places = &mut tallies.carried.places;
        for one in replaced {
            let place = format!("{} from {}", one.place, one.learnt_from);
            let place = excerpt(&place, 200);
            if places.len() < MAX_STATES || places.contains_key(&place) {
                *places.entry(place).or_default() += 1;
            } else {
                *places.entry(OTHER.into()).or_default() += 1;
            }
        }
    }

    /// The control did not answer a request.
    pub fn control_failed(&self, reason: &str) {
        self.tallies().control.failed(reason);
    }

    /// How much is carried now, and was replaced so far.
    pub fn carried(&self, stats: CarryStats) {
        let carried = &mut self.tallies().carried;
        (carried.sessions, carried.values) = (stats.sessions, stats.entries);
        (carried.requests, carried.replaced) = (stats.requests, stats.replaced);
        carried.evicted = stats.evicted;
    }

    /// So many requests were sent a second time, because a used connection turned out to be closed.
    pub fn sent_twice(&self, requests: u64) {
        if requests > 0 {
            self.tallies().timing.sent_twice += requests;
        }
    }

    /// The run is not to be relied on; the first reason is kept.
    pub fn fail(&self, why: String) {
        let mut tallies = self.tallies();
        tallies.judge.evidence_mut().fail(&why);
        tallies.failure.get_or_insert(why);
    }

    /// Decided outside of the lock: it takes long where there are many routes, and no request waits for it.
    fn judgement(&self) -> Judgement {
        let (evidence, policy) = {
            let tallies = self.tallies();
            (tallies.judge.evidence().clone(), tallies.policy.clone())
        };
        verdict::decide(&evidence, &policy, wall_clock())
    }

    /// What was found so far; `counters` are those of capture and dissection.
    pub fn results(&self, counters: CaptureCounters) -> Results {
        let verdict = self.judgement();
        let tallies = self.tallies();
        let ledger = self.ledger_data();
        Results {
            run: self.run.clone(),
            verdict,
            failed: tallies.failure.clone(),
            outcomes: tallies.outcomes.data(&tallies.routes, &ledger.outcomes),
            ledger,
            snapshots: tallies.snapshots.clone(),
            snapshot_wait_ms: tallies.waits.data(),
            snapshot_ttl_ms: tallies.ttls.shortest(),
            mirror_snapshots: tallies.mirror_snapshots.clone(),
            timing: TimingData {
                send_lag_ms: tallies.timing.send_lag.data(),
                from_sending_ms: tallies.timing.from_sending.data(),
                from_due_ms: tallies.timing.from_due.data(),
                sent_twice: tallies.timing.sent_twice,
            },
            schedule: ScheduleData::default(),
            carried: tallies.carried.clone(),
            control: tallies.control.data(),
            headline: tallies.logins.headline(),
            routes: tallies.compared.data(&tallies.routes),
            differences: tallies.compared.differences(&tallies.routes),
            differences_dropped: tallies.compared.dropped_differences(),
            rules: tallies.judge.evidence().rules().clone(),
            counters,
        }
    }

    pub(crate) fn ledger_data(&self) -> LedgerData {
        LedgerData {
            seen: self.ledger.seen(),
            outcomes: self.ledger.outcomes(),
        }
    }

    /// The report of a run that ends now.
    pub fn finish(&self, counters: CaptureCounters) -> ReportData {
        ReportData {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: self.started_at,
            ended_at: now(),
            results: self.results(counters),
        }
    }

    pub fn started_at(&self) -> u64 {
        self.started_at
    }

    fn tallies(&self) -> MutexGuard<'_, Tallies> {
        // Counts stay usable after a panic elsewhere.
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tallies {
    /// How the request ended, after all that is known of its route.
    fn ended(&mut self, label: &RequestLabel, route: Option<RouteId>, end: &End) -> Outcome {
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
                self.judge.judge(&pair.compared(name))
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
    fn route(&mut self, label: &RequestLabel, known: Option<RouteId>) -> RouteId {
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
    fn name(&mut self, route: RouteId) -> Arc<str> {
        let name = self.names.entry(route);
        Arc::clone(name.or_insert_with(|| self.routes.name(route).into()))
    }
}

/// What production ran, as a noise file names it.
fn production_build(builds: &Builds) -> String {
    let names: Vec<_> = builds.production.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => UNKNOWN_BUILD.into(),
        names => names.join(", "),
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use mirror_core::compare::{CompareRule, RuleTally, compare};
    use mirror_core::exchange::Response;
    use mirror_core::options::FromText;
    use mirror_core::verdict::{Basis, Decision, MirrorAnswer};

    use mirror_core::session::CarryPlace;

    use super::super::pair::SaidOfRun;
    use super::super::pair::tests::pair;
    use super::super::request::tests::label;
    use super::super::{html, report_text};
    use super::*;

    /// One that decides by what it sees, however little.
    fn recorder() -> Recorder {
        let recorder = Recorder::new(RunInfo::default());
        let policy = VerdictPolicy {
            quick: true,
            ..VerdictPolicy::default()
        };
        recorder.decide_by(&policy, &CompareOptions::default());
        recorder
    }

    fn json(status: u16, body: String) -> Response {
        Response {
            body: bytes::Bytes::from(body).into(),
            ..Response::new(status)
        }
    }

    fn ended(recorder: &Recorder, path: &str, end: End) {
        recorder.saw();
        recorder.ended(&label("GET", path), None, &end);
    }

    fn judged(recorder: &Recorder, path: &str, production: &Response, mirror: &Response) {
        let comparison = compare(&CompareOptions::default(), production, mirror);
        let pair = pair(Basis::Snapshot, comparison);
        ended(recorder, path, End::judged(pair));
    }

    #[test]
    fn every_outcome_has_its_count_route_and_example() {
        let recorder = recorder();
        for outcome in Outcome::ALL {
            ended(&recorder, "/users/7", (*outcome).into());
        }
        let results = recorder.results(CaptureCounters::default());
        assert_eq!(results.outcomes.len(), Outcome::ALL.len());
        for outcome in &results.outcomes {
            assert_eq!(outcome.count, 1, "{outcome:?}");
            assert!(!outcome.meaning.is_empty(), "{outcome:?}");
            let group = &outcome.groups[0];
            assert_eq!((group.route.as_str(), group.count), ("GET /users/{id}", 1));
            assert_eq!(group.examples[0].request.request, "GET /users/7");
        }
    }

    #[test]
    fn one_noisy_field_in_lists_is_one_group_and_a_status_comes_first() {
        let recorder = recorder();
        let list = |side: &str| {
            let item = |n| format!(r#"{{"id":{n},"trace":"{side}{n}"}}"#);
            let items: Vec<String> = (0..100).map(item).collect();
            json(200, format!(r#"{{"items":[{}]}}"#, items.join(",")))
        };
        for n in 0..50 {
            judged(&recorder, &format!("/list/l{n}x"), &list("p"), &list("m"));
        }
        let (ok, error) = (json(200, "{}".into()), json(500, "{}".into()));
        judged(&recorder, "/regression", &ok, &error);
        let results = recorder.results(CaptureCounters::default());
        let first = &results.differences[0];
        assert_eq!(
            (first.route.as_str(), first.place.as_str()),
            ("GET /regression", "status")
        );
        assert_eq!(first.count, 1);
        let noisy: Vec<_> = results.differences[1..].iter().collect();
        assert!(
            noisy
                .iter()
                .all(|group| group.place == "body /items/*/trace")
        );
        assert_eq!(noisy.iter().map(|group| group.count).sum::<u64>(), 50);
        assert_eq!(results.verdict.decision, Decision::Fail);
        assert_eq!(results.differences_dropped, 0);
    }

    #[test]
    fn routes_with_names_in_their_paths_become_one() {
        let recorder = recorder();
        for n in 0..620 {
            let mirror = json(200, if n > 600 { "b" } else { "a" }.into());
            let path = format!("/products/shoe-{n}-x");
            judged(&recorder, &path, &json(200, "a".into()), &mirror);
        }
        let results = recorder.results(CaptureCounters::default());
        assert_eq!(results.routes.len(), 1, "{:#?}", results.routes);
        let route = &results.routes[0];
        assert_eq!(route.route, "GET /products/{slug}");
        assert_eq!((route.compared, route.differed), (620, 19));
        assert_eq!((route.same.bodies, route.different.bodies), (601, 19));
        assert_eq!(route.mirror_ms.count, 620);
        assert_eq!(route.mirror_cache.hits, 620);
        assert_eq!(results.differences.len(), 1);
        assert_eq!(results.differences[0].count, 19);
        let matched = &results.outcomes[0];
        assert_eq!((matched.groups.len(), matched.groups[0].count), (1, 601));
    }

    #[test]
    fn what_is_no_evidence_decides_nothing() {
        let recorder = recorder();
        let (ok, error) = (json(200, "{}".into()), json(500, "{}".into()));
        let comparison = compare(&CompareOptions::default(), &ok, &error);
        let end = End::judged(pair(Basis::Missing, comparison));
        ended(&recorder, "/a", end);
        let results = recorder.results(CaptureCounters::default());
        assert_eq!(results.verdict.decision, Decision::Hold);
        assert!(!results.differences[0].is_evidence);
    }

    #[test]
    fn clients_that_are_not_logged_in_are_the_headline() {
        let recorder = recorder();
        let (ok, refused) = (json(200, "{}".into()), json(401, "{}".into()));
        for n in 0..5 {
            let comparison = compare(&CompareOptions::default(), &ok, &refused);
            let mut pair = pair(Basis::NotGated, comparison);
            pair.mirror_answer = MirrorAnswer::of(&refused);
            ended(&recorder, "/me", End::judged(pair));
            let headline = recorder.results(CaptureCounters::default()).headline;
            assert_eq!(headline.is_some(), n == 4, "{headline:?}");
        }
        let report = recorder.finish(CaptureCounters::default());
        let first = report_text(&report, None);
        assert!(
            first.starts_with("production's clients are not logged in"),
            "{first}"
        );
        let page = html::page(&report);
        assert!(page.contains("<strong>production's clients"), "{page}");
    }

    #[test]
    fn replacements_are_counted_by_their_place() {
        let recorder = recorder();
        let replaced = |n: usize| Replaced {
            place: CarryPlace::Cookie(format!("c{n}")),
            from: "‹9 characters›".into(),
            to: "‹7 characters›".into(),
            learnt_from: "POST /login cookie:c".into(),
        };
        for n in 0..MAX_STATES + 3 {
            recorder.replaced(&[replaced(n), replaced(0)]);
        }
        let places = recorder.results(CaptureCounters::default()).carried.places;
        assert_eq!(
            places["cookie:c0 from POST /login cookie:c"],
            MAX_STATES as u64 + 4
        );
        assert_eq!(places[OTHER], 3);
    }

    #[test]
    fn a_failed_run_is_invalid_for_its_first_reason() {
        let recorder = recorder();
        recorder.fail("first".into());
        recorder.fail("second".into());
        let report = recorder.finish(CaptureCounters::default());
        assert_eq!(report.results.failed.as_deref(), Some("first"));
        assert_eq!(report.results.verdict.decision, Decision::Invalid);
    }

    #[test]
    fn a_build_that_changes_and_an_intended_change_that_is_absent_decide_the_run() {
        let options = CompareOptions {
            rules: vec![CompareRule::from_text("expect added /currency").unwrap()],
            ..CompareOptions::default()
        };
        let recorder = recorder();
        let policy = VerdictPolicy {
            quick: true,
            ..VerdictPolicy::default()
        };
        recorder.decide_by(&policy, &options);
        let judged = |build: &str| {
            let answer = json(200, "{}".into());
            let comparison = compare(&options, &answer, &answer);
            let mut rules = RuleTally::default();
            rules.count(&options, &comparison);
            let said = SaidOfRun {
                rules,
                builds: vec![(Side::Candidate, build.into())],
            };
            let pair = pair(Basis::Snapshot, comparison).saying(said);
            ended(&recorder, "/a", End::judged(pair));
            recorder.results(CaptureCounters::default())
        };
        let results = judged("v2");
        assert_eq!(results.verdict.decision, Decision::Fail);
        assert!(results.verdict.reason.contains("`expect added /currency`"));
        let unused: Vec<_> = results.rules.unmatched().collect();
        assert_eq!(unused, ["expect added /currency"]);
        let results = judged("v3");
        assert_eq!(results.verdict.decision, Decision::Invalid);
        assert!(results.verdict.reason.contains("`v2`, `v3`"));
        // The rule is taken back.
        recorder.decide_by(&policy, &CompareOptions::default());
        let results = recorder.results(CaptureCounters::default());
        assert_eq!(results.verdict.rules_met, []);
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let recorder = recorder();
        let (ok, error) = (json(200, "{}".into()), json(500, "{}".into()));
        judged(&recorder, "/a", &ok, &error);
        ended(
            &recorder,
            "/b",
            End::because(Outcome::ReplayFailed, "reset"),
        );
        let mut counters = CaptureCounters::default();
        counters.dissect.http.tls_ports.add(443);
        counters.capture.insert("copied".into(), 7);
        let report = recorder.finish(counters);
        let text = serde_json::to_string(&report).unwrap();
        let read: ReportData = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
