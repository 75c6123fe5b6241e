//! A pinned set in the place of a run: each request is sent once, and its answer held against what is expected of it.
//!
//! Nothing is learnt and nothing is counted: a difference that no rule allows fails its request.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Error, bail, ensure};
use futures_util::stream::{self, StreamExt};
use tokio::sync::watch;

use super::attended::stopped;
use super::beginning::limits;
use super::preflight;
use crate::config::Config;
use crate::replay::{Marks, Preparer, ReplayOutcome, Replayer, Target};
use crate::report::{PinnedCase, PinnedDifference, PinnedOutcome, PinnedReport};
use crate::traffic::{Expectation, InOrder, Traffic, TrafficFile, TrafficKind};
use mirror_core::compare::{
    Asked, CompareOptions, CompareRule, Comparison, Severity, compare_full,
};
use mirror_core::exchange::{Request, Response};
use mirror_core::options::FromText;
use mirror_core::policy::RedactRule;
use mirror_core::recording::RecordedExchange;
use mirror_core::verdict::Basis;

/// A set is read into memory.
const MAX_REQUESTS: usize = 50_000;
const MAX_BYTES: usize = 512 << 20;

/// A request and what is expected of its answer.
struct Pinned {
    recorded: RecordedExchange,
    expectation: Expectation,
}

/// A pinned set, read whole.
pub struct PinnedSet {
    requests: Vec<Pinned>,
    /// The rules of redaction that production's answers were recorded by.
    redaction: Vec<String>,
}

impl PinnedSet {
    /// `None` for a file that is no recording, or one in which nothing is pinned.
    pub fn open(path: &Path, config: &Config) -> anyhow::Result<Option<Self>> {
        // Standard input and pipes can be read once only, and a directory may hold several recordings.
        if !path.is_file() || !is_pinned(open(path, config)?)? {
            return Ok(None);
        }
        let mut file = open(path, config)?;
        let redaction = file.metadata().map(|known| known.redaction.clone());
        let mut set = Self {
            requests: Vec::new(),
            redaction: redaction.unwrap_or_default(),
        };
        let mut exchanges = InOrder::new(file);
        set.read(&mut exchanges)
            .with_context(|| path.display().to_string())?;
        if let Some(error) = exchanges.damage() {
            return Err(error.context(format!("{} is damaged", path.display())));
        }
        Ok(Some(set))
    }

    fn read(&mut self, exchanges: &mut InOrder) -> anyhow::Result<()> {
        let mut bytes = 0;
        for traffic in exchanges {
            let Traffic::Recorded(recorded) = traffic else {
                continue;
            };
            let expectation = Expectation::of(&recorded)?;
            let expectation = expectation.context(
                "some of its requests are pinned and some are not: pin all of them with `mirror-agent cut --pin`",
            )?;
            bytes += recorded.envelope.held_bytes();
            ensure!(
                self.requests.len() < MAX_REQUESTS && bytes <= MAX_BYTES,
                "a pinned set has at most {MAX_REQUESTS} requests and {} MiB: make it smaller, as with `mirror-agent cut --distinct`",
                MAX_BYTES >> 20
            );
            self.requests.push(Pinned {
                recorded: *recorded,
                expectation,
            });
        }
        Ok(())
    }
}

fn open(path: &Path, config: &Config) -> anyhow::Result<TrafficFile> {
    let keys = config.recording.keys()?;
    TrafficFile::open_with(path, limits(config), keys.unseal())
}

/// By its first exchange.
fn is_pinned(mut file: TrafficFile) -> anyhow::Result<bool> {
    if file.kind() != TrafficKind::Recording {
        return Ok(false);
    }
    match file.next() {
        Some(Traffic::Recorded(recorded)) => Ok(Expectation::of(&recorded)?.is_some()),
        _ => Ok(false),
    }
}

/// Sends all of a set to the first target, each connection's requests in their order.
pub async fn replay_pinned(
    mut config: Config,
    set: PinnedSet,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<PinnedReport> {
    config.require_target()?;
    redact_as_recorded(&mut config, &set.redaction)?;
    let config = Arc::new(config);
    preflight::reach_targets(&config).await?;
    let target = config.replay.targets.first().context("a target")?;
    let judge = Judge::new(&config, target.target.clone())?;
    let begun_at = Instant::now();
    let sending = judge.all(set.requests);
    let cases = tokio::select! {
        cases = sending => cases?,
        () = stopped(stop) => bail!("stopped before each request had its verdict"),
    };
    let seconds = begun_at.elapsed().as_secs_f64();
    Ok(PinnedReport::new(target.target.to_string(), seconds, cases))
}

/// The mirror's answers are redacted as production's were.
fn redact_as_recorded(config: &mut Config, rules: &[String]) -> anyhow::Result<()> {
    for text in rules {
        let rule = RedactRule::from_text(text).map_err(|why| {
            Error::msg(format!(
                "the set was recorded with --redact `{text}`: {why}"
            ))
        })?;
        if !config.policy.redact.contains(&rule) {
            config.policy.redact.push(rule);
        }
    }
    let check = config.policy.check().map_err(Error::msg);
    check.context("the set was recorded with rules of redaction that hold here too")
}

struct Judge<'c> {
    config: &'c Config,
    target: Target,
    replayer: Replayer,
    preparer: Preparer,
}

/// In the set, and its verdict.
type Numbered = (usize, PinnedCase);

impl<'c> Judge<'c> {
    fn new(config: &'c Config, target: Target) -> anyhow::Result<Self> {
        Ok(Self {
            replayer: Replayer::new(target.clone(), &config.replay, &config.dissect, None)?,
            preparer: Preparer::new(&config.carry, &config.credentials)?,
            config,
            target,
        })
    }

    async fn all(&self, requests: Vec<Pinned>) -> anyhow::Result<Vec<PinnedCase>> {
        let mut rules = RuleSets::new(&self.config.compare);
        let mut lanes: HashMap<u64, Vec<_>> = HashMap::new();
        for (number, pinned) in requests.into_iter().enumerate() {
            let compare = rules.of(&pinned.expectation)?;
            let envelope = &pinned.recorded.envelope;
            // One without a lane is in one of its own.
            let lane = envelope.lane().map_or(number as u64, |lane| lane.0);
            lanes
                .entry(lane)
                .or_default()
                .push((number, pinned, compare));
        }
        let limit = self.config.replay.concurrency.get();
        let lanes = stream::iter(lanes.into_values().map(|lane| async {
            let mut cases: Vec<Numbered> = Vec::with_capacity(lane.len());
            for (number, pinned, compare) in lane {
                cases.push((number, self.judge(pinned, &compare).await));
            }
            cases
        }));
        let all: Vec<Vec<Numbered>> = lanes.buffer_unordered(limit).collect().await;
        let mut all: Vec<Numbered> = all.into_iter().flatten().collect();
        all.sort_by_key(|(number, _)| *number);
        Ok(all.into_iter().map(|(_, case)| case).collect())
    }

    async fn judge(&self, pinned: Pinned, compare: &CompareOptions) -> PinnedCase {
        let mut case = self.case(&pinned);
        match self.answer(pinned, compare, &mut case).await {
            Ok(comparison) => {
                case.differences = differences(&comparison);
                if case.differences.is_empty() && comparison.untold == 0 {
                    case.outcome = PinnedOutcome::Passed;
                }
            }
            Err((outcome, reason)) => {
                case.outcome = outcome;
                case.reason = Some(reason);
            }
        }
        case
    }

    fn case(&self, pinned: &Pinned) -> PinnedCase {
        let envelope = &pinned.recorded.envelope;
        let exchange = envelope.exchange();
        let target = self
            .config
            .policy
            .redactor()
            .shown_target(&exchange.request);
        let request = format!("{} {}", exchange.request.method, target.text());
        let ids = &envelope.identity().candidates.ids;
        PinnedCase {
            name: pinned
                .expectation
                .name
                .clone()
                .unwrap_or_else(|| request.clone()),
            request,
            id: ids.first().map(ToString::to_string),
            outcome: PinnedOutcome::Failed,
            reason: None,
            expected_status: exchange.response.as_ref().map(|answer| answer.status),
            status: None,
            milliseconds: None,
            differences: Vec::new(),
        }
    }

    /// How the answer stands to the one that is expected; else how the request ended, and why.
    async fn answer(
        &self,
        pinned: Pinned,
        compare: &CompareOptions,
        case: &mut PinnedCase,
    ) -> Result<Comparison, (PinnedOutcome, String)> {
        let skipped = |why: String| (PinnedOutcome::Skipped, why);
        let failed = |why: String| (PinnedOutcome::Failed, why);
        let policy = &self.config.policy;
        let envelope = policy
            .readmit(pinned.recorded.envelope)
            .map_err(|refusal| {
                let meaning = || refusal.outcome.meaning().to_owned();
                let why = refusal.reason.clone().unwrap_or_else(meaning);
                skipped(format!("{}: {why}", refusal.outcome.name()))
            })?;
        policy
            .may_write(&envelope, Basis::NotGated)
            .map_err(|outcome| skipped(format!("{}: {}", outcome.name(), outcome.meaning())))?;
        let exchange = envelope.exchange();
        let expected = exchange.response.as_deref();
        let expected = expected.filter(|answer| answer.fault.is_none());
        let expected =
            expected.ok_or_else(|| skipped("production's answer was not recorded whole".into()))?;
        let prepared = self
            .preparer
            .prepare(&envelope, &self.config.rewrite, &self.target);
        let marks = Marks {
            id: case.id.as_deref(),
            at: exchange.captured_at().as_millis(),
            ..Marks::default()
        };
        let allowance = exchange.timing.allowance(self.config.replay.timeout);
        let outcome = self
            .replayer
            .send(&prepared.request, &marks, allowance)
            .await;
        let (mut answer, latency) = match outcome {
            ReplayOutcome::Answered {
                response, latency, ..
            } => (response, latency),
            ReplayOutcome::Timeout { reason }
            | ReplayOutcome::ConnectFailed { reason }
            | ReplayOutcome::Failed { reason } => return Err(failed(reason)),
        };
        case.status = Some(answer.status);
        case.milliseconds = Some(latency.as_secs_f64() * 1e3);
        self.preparer.learn(&envelope, &answer);
        policy.redactor().redact_response(&mut answer);
        if prepared.conditions.parted(expected.status, answer.status) {
            return Err(skipped(format!(
                "its condition held on one side only: production answered {}, the mirror {}",
                expected.status, answer.status
            )));
        }
        Ok(self.compared(&envelope.exchange().request, expected, &answer, compare))
    }

    fn compared(
        &self,
        request: &Request,
        expected: &Response,
        answer: &Response,
        compare: &CompareOptions,
    ) -> Comparison {
        let authority = self.target.host();
        let asked = Asked {
            request: Some(request),
            mirror_authority: Some(&authority),
        };
        compare_full(compare, asked, expected, answer)
    }
}

/// The comparisons that sets of rules make, each read once.
struct RuleSets<'c> {
    common: &'c CompareOptions,
    known: HashMap<Vec<String>, Arc<CompareOptions>>,
}

impl<'c> RuleSets<'c> {
    fn new(common: &'c CompareOptions) -> Self {
        Self {
            common,
            known: HashMap::new(),
        }
    }

    fn of(&mut self, expectation: &Expectation) -> anyhow::Result<Arc<CompareOptions>> {
        if let Some(known) = self.known.get(&expectation.rules) {
            return Ok(Arc::clone(known));
        }
        let mut options = self.common.clone();
        for text in &expectation.rules {
            let rule = CompareRule::from_text(text);
            let rule =
                rule.map_err(|why| Error::msg(format!("the pinned rule `{text}`: {why}")))?;
            options.rules.push(rule);
        }
        options
            .check()
            .map_err(Error::msg)
            .context("the pinned rules")?;
        let options = Arc::new(options);
        self.known
            .insert(expectation.rules.clone(), Arc::clone(&options));
        Ok(options)
    }
}

/// What nobody who reads the data notices is none.
fn differences(comparison: &Comparison) -> Vec<PinnedDifference> {
    let all = comparison.observations.iter();
    let told = all.filter(|one| one.severity() != Severity::Cosmetic);
    let shown = told.map(|one| PinnedDifference {
        place: one.place.to_string(),
        kind: one.kind.with_severity(one.severity()),
        expected: one.production.clone(),
        answered: one.mirror.clone(),
    });
    shown.collect()
}
