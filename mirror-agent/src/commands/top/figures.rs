//! What of a run is worth a glance.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mirror_agent::printable::printable;
use mirror_agent::report::Status;
use mirror_core::schedule::BreakerState;
use mirror_core::verdict::{Decision, Finding, Judgement, RouteFigures};
use serde::Serialize;

/// Rates that are remembered, one a second.
const MAX_RATES: usize = 240;

/// One look at a run. All texts are fit for a terminal.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) name: String,
    pub(super) host: String,
    /// Since the run began, in seconds.
    pub(super) elapsed: u64,
    /// What is captured, and where it goes.
    pub(super) place: String,
    pub(super) decision: Decision,
    pub(super) reason: String,
    /// What is wrong with the run, or unusual in it, as `paused`.
    pub(super) troubles: Vec<String>,
    pub(super) seen: u64,
    pub(super) judged: u64,
    pub(super) in_flight: u64,
    /// Requests that wait for those before them.
    pub(super) waiting: usize,
    /// Requests a second, since the look before.
    pub(super) rate: f64,
    /// The same of earlier looks, the oldest first.
    #[serde(skip)]
    pub(super) rates: Vec<u64>,
    pub(super) send_lag_p95_ms: f64,
    /// The most frequent first.
    pub(super) outcomes: Vec<(String, u64)>,
    pub(super) routes: Vec<RouteLine>,
    pub(super) differences: Vec<DifferenceLine>,
}

/// A route, or the small routes together.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RouteLine {
    pub(super) route: String,
    pub(super) traffic: f64,
    pub(super) judged: u64,
    pub(super) differing: u64,
    /// The rate of real differences is at most this; and the limit for it.
    pub(super) at_most: f64,
    pub(super) limit: f64,
    pub(super) production_p95_ms: Option<f64>,
    pub(super) mirror_p95_ms: Option<f64>,
}

/// A way in which the candidate differs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DifferenceLine {
    pub(super) is_decided: bool,
    pub(super) severity: &'static str,
    pub(super) differed: u64,
    pub(super) judged: u64,
    pub(super) place: String,
}

/// Looks at a run again and again.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Option<(Instant, u64)>,
    rates: VecDeque<u64>,
}

impl Watch {
    pub(super) fn look(&mut self, status: &Status, now: Instant) -> Figures {
        let results = &status.results;
        let seen = results.ledger.seen;
        let rate = self.last.map_or(0.0, |(at, before)| {
            let passed = now.duration_since(at).as_secs_f64();
            seen.saturating_sub(before) as f64 / passed.max(0.001)
        });
        if self.last.replace((now, seen)).is_some() {
            self.rates.truncate(MAX_RATES - 1);
            self.rates.push_front(rate.round() as u64);
        }
        let outcomes = &results.ledger.outcomes;
        let mut outcomes: Vec<(String, u64)> = outcomes
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .collect();
        outcomes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let verdict = &results.verdict;
        Figures {
            name: shown(&status.name),
            host: shown(&status.host),
            elapsed: elapsed(status.started_at),
            place: place(status),
            decision: verdict.decision,
            reason: shown(&verdict.reason),
            troubles: troubles(status),
            seen,
            judged: verdict.routes.iter().map(|route| route.judged).sum(),
            in_flight: results.ledger.in_flight(),
            waiting: results.schedule.lanes.waiting,
            rate,
            rates: self.rates.iter().rev().copied().collect(),
            send_lag_p95_ms: results.timing.send_lag_ms.p95,
            outcomes,
            routes: verdict
                .routes
                .iter()
                .map(|one| route(one, status))
                .collect(),
            differences: differences(verdict),
        }
    }
}

/// From traffic and from servers, for one line.
fn shown(text: &str) -> String {
    printable(text).into_owned()
}

fn elapsed(started_at: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or(Duration::ZERO).as_secs();
    now.saturating_sub(started_at)
}

fn place(status: &Status) -> String {
    let run = &status.results.run;
    let ports = &status.filter.ports;
    let at = match (&run.file, run.interfaces.as_slice()) {
        (Some(file), _) => file.clone(),
        (None, []) => format!("the root cgroup port {ports}"),
        (None, names) => format!("{} port {ports}", names.join(", ")),
    };
    let to = run.target.as_deref().map_or_else(
        || "nothing is replayed".to_owned(),
        |target| format!("to {target}"),
    );
    shown(&format!("{at}, {to}"))
}

fn troubles(status: &Status) -> Vec<String> {
    let results = &status.results;
    let schedule = &results.schedule;
    let mut troubles: Vec<String> = Vec::new();
    troubles.extend(results.headline.as_deref().map(shown));
    troubles.extend(status.kept.as_deref().map(shown));
    if schedule.paused {
        troubles.push("paused: `mirror-agent resume` goes on".into());
    }
    if status.attached.is_empty() && results.run.file.is_none() {
        troubles.push("not attached to any interface".into());
    }
    let open = schedule.breakers.iter();
    let open = open.filter(|breaker| breaker.state != BreakerState::Closed);
    troubles.extend(open.map(|breaker| shown(&format!("{} does not answer", breaker.target))));
    troubles
}

fn route(figures: &RouteFigures, status: &Status) -> RouteLine {
    let mut routes = status.results.routes.iter();
    let compared = routes.find(|route| route.route == figures.scope);
    RouteLine {
        route: shown(&figures.scope),
        traffic: figures.traffic,
        judged: figures.judged,
        differing: figures.differing,
        at_most: figures.at_most,
        limit: figures.limit,
        production_p95_ms: compared.map(|route| route.production_ms.p95),
        mirror_p95_ms: compared.map(|route| route.mirror_ms.p95),
    }
}

fn differences(verdict: &Judgement) -> Vec<DifferenceLine> {
    let line = |finding: &Finding, is_decided| DifferenceLine {
        is_decided,
        severity: finding.severity.name(),
        differed: finding.differed,
        judged: finding.judged,
        place: shown(&format!("{} {}", finding.route, finding.place)),
    };
    let found = verdict.findings.iter().map(|one| line(one, true));
    let open = verdict.undecided.iter().map(|one| line(one, false));
    found.chain(open).collect()
}
