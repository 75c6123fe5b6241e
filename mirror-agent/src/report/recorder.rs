//! Collects what a run finds, from many tasks and threads at once, in bounded space.

mod counts;
mod kept;
mod several;
mod tallies;
mod totals;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use mirror_core::compare::{CompareOptions, Comparison};
use mirror_core::ledger::{Ledger, Outcome};
use mirror_core::noise::{self, AnswerTimes, NoiseOrigin, Source};
use mirror_core::route::RouteId;
use mirror_core::schedule::ScheduleData;
use mirror_core::verdict::{self, BuildOptions, Builds, Judge, Judgement, Side, VerdictPolicy};

use super::answers::{AnswersPlace, AnswersRoom, WholeAnswers};
use super::end::End;
use super::known_noise::KnownNoise;
use super::request::RequestLabel;
use super::status::{CaptureCounters, FORMAT, LedgerData, ReportData, Results, RunInfo};
use crate::clock::wall_clock;
use tallies::{Beside, Tallies};

pub(super) use kept::{KeptBeside, KeptRun, LedgerRecord, RunChanges, RunRecord};
pub(super) use several::results_of;

/// In the place of a build's name where nobody said it.
const UNKNOWN_BUILD: &str = "unknown";

pub struct Recorder {
    ledger: Ledger,
    run: RunInfo,
    name: String,
    host: String,
    started_at: u64,
    tallies: Mutex<Tallies>,
    /// Why something of the run is not kept.
    kept: Mutex<Option<String>>,
    /// The directory of the run.
    run_path: OnceLock<PathBuf>,
    answers_room: AnswersRoom,
}

impl Recorder {
    pub fn new(run: RunInfo) -> Self {
        Self {
            ledger: Ledger::default(),
            run,
            name: String::new(),
            host: String::new(),
            started_at: now(),
            tallies: Mutex::default(),
            kept: Mutex::default(),
            run_path: OnceLock::new(),
            answers_room: AnswersRoom::default(),
        }
    }

    /// What the run is called, and where it runs.
    #[must_use]
    pub fn named(self, name: &str, host: &str) -> Self {
        Self {
            name: name.into(),
            host: host.into(),
            ..self
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
        self.ended_as(label, route, end, None);
    }

    /// The same of one that has a mark, which is told with what counts it.
    pub(super) fn ended_as(
        &self,
        label: &RequestLabel,
        route: Option<RouteId>,
        end: &End,
        mark: Option<u64>,
    ) {
        let mut tallies = self.tallies();
        let outcome = tallies.ended(label, route, end);
        tallies.marks.extend(mark);
        drop(tallies);
        // After the tallies: who sees the ledger settled finds all of it in them.
        self.ledger.ended(outcome);
    }

    /// So many requests were handed over to this process, and cannot be read here. They end so, under one mark.
    pub fn unread(&self, outcome: Outcome, count: u64, reason: &str, mark: u64) {
        for _ in 0..count {
            self.ledger.took_over();
        }
        let mut tallies = self.tallies();
        tallies.outcomes.count_unread(outcome, count, reason);
        tallies.marks.push(mark);
        drop(tallies);
        for _ in 0..count {
            self.ledger.ended(outcome);
        }
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

    /// The route of a request, and a place for its answers in full if they may be wanted and there is room for them.
    pub fn place_for_answers(
        &self,
        label: &RequestLabel,
        route: Option<RouteId>,
        pair: &Comparison,
    ) -> (Option<RouteId>, Option<AnswersPlace>) {
        if pair.observations.is_empty() || self.answers_room.is_full() {
            return (route, None);
        }
        let mut tallies = self.tallies();
        let route = tallies.route(label, route);
        let is_wanted = tallies.wants_answers(label, route, pair);
        let place = is_wanted.then(|| self.answers_room.take()).flatten();
        (Some(route), place)
    }

    /// From now on answers are stored.
    pub(super) fn store_answers(&self) {
        self.answers_room.open();
    }

    /// The run is kept there from now on.
    pub(super) fn is_kept_in(&self, run: &Path) {
        // There is one directory for a run.
        let _ = self.run_path.set(run.to_owned());
    }

    /// The directory of the run, where it is kept.
    pub fn run_path(&self) -> Option<&Path> {
        self.run_path.get().map(PathBuf::as_path)
    }

    /// Answers that are to be stored, with their numbers.
    pub(super) fn take_answers(&self) -> Vec<(u64, Arc<WholeAnswers>)> {
        std::mem::take(&mut self.tallies().answers)
    }

    /// The numbers of the answers that examples name.
    pub(super) fn named_answers(&self) -> BTreeSet<u64> {
        self.tallies().compared.answers().collect()
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

    /// The run is not to be relied on; the first reason is kept.
    pub fn fail(&self, why: String) {
        let mut tallies = self.tallies();
        tallies.judge.evidence_mut().fail(&why);
        tallies.totals.failure.get_or_insert(why);
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
        tallies.results(Beside {
            run: self.run.clone(),
            verdict,
            ledger: self.ledger_data(),
            counters,
            schedule: ScheduleData::default(),
        })
    }

    /// What has changed since it was asked for last, or all of it, for what keeps runs.
    pub(super) fn changes(&self, beside: KeptBeside, all: bool) -> RunChanges {
        // What is lost in the kernel is in no tally.
        let lost = self.ledger.outcomes().remove(Outcome::LostRingFull.name());
        let changes = self.tallies().changes(all);
        let mut outcomes = changes.outcomes;
        outcomes.extend(lost.map(|lost| (Outcome::LostRingFull.name().to_owned(), lost)));
        RunChanges {
            is_whole: changes.is_whole,
            run: RunRecord {
                // Read last: a request is seen before it ends.
                ledger: LedgerRecord {
                    outcomes,
                    seen: self.ledger.seen(),
                    taken_over: self.ledger.taken_over(),
                },
                policy: changes.policy,
                evidence: changes.evidence,
                totals: changes.totals,
                beside,
            },
            routes: changes.routes,
            marks: changes.marks,
        }
    }

    /// A request counts as seen before it ends, so what is seen is read last.
    pub(crate) fn ledger_data(&self) -> LedgerData {
        let outcomes = self.ledger.outcomes();
        LedgerData {
            seen: self.ledger.seen(),
            outcomes,
        }
    }

    /// The report of a run that ends now.
    pub fn finish(&self, counters: CaptureCounters) -> ReportData {
        ReportData {
            format: FORMAT,
            name: self.name.clone(),
            hosts: vec![self.host.clone()],
            unfinished: None,
            kept: self.kept(),
            version: env!("CARGO_PKG_VERSION").into(),
            fleet: None,
            started_at: self.started_at,
            ended_at: now(),
            results: self.results(counters),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn run(&self) -> &RunInfo {
        &self.run
    }

    /// Why something of the run is not kept, or that all is.
    pub(super) fn note_kept(&self, why: Option<String>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// The same beside what was noted before.
    pub fn note_kept_too(&self, why: String) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(match kept.take() {
            None => why,
            Some(before) => format!("{before}; {why}"),
        });
    }

    pub fn kept(&self) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    pub fn started_at(&self) -> u64 {
        self.started_at
    }

    fn tallies(&self) -> MutexGuard<'_, Tallies> {
        // Counts stay usable after a panic elsewhere.
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
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
mod tests;
