//! Two runs beside each other: which differences are new, which are gone, and which are the same.

use std::collections::BTreeMap;

use mirror_core::compare::{Kind, Severity};
use mirror_core::route::RouteLearner;
use mirror_core::verdict::words::count;
use mirror_core::verdict::{Decision, Finding, Judgement};
use serde::{Deserialize, Serialize};

use super::super::status::ReportData;
use super::super::table::{Align, table};

/// Rows of each part that are shown to people.
const MAX_ROWS: usize = 25;

/// What two runs have in common, and what not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunComparison {
    pub a: ComparedRun,
    pub b: ComparedRun,
    /// In B only; what fails a run first, then by severity.
    pub new: Vec<ComparedGroup>,
    /// In A only.
    pub gone: Vec<ComparedGroup>,
    pub same: Vec<ComparedGroup>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedRun {
    pub name: String,
    pub hosts: Vec<String>,
    /// Seconds since the epoch.
    pub started_at: u64,
    pub seen: u64,
    pub decision: Decision,
    pub reason: String,
}

/// Answers that differ alike, in one run or in both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedGroup {
    pub route: String,
    pub place: String,
    pub kind: Kind,
    pub severity: Severity,
    pub a: GroupStanding,
    pub b: GroupStanding,
}

/// What became of a group in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStanding {
    /// Pairs of answers that differ so.
    pub count: u64,
    /// Pairs of answers on the route that were compared.
    pub compared: u64,
    pub standing: Standing,
}

/// What a run says of a group, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It fails the run.
    Fails,
    /// There is not enough to decide.
    Undecided,
    /// It is real, and does not fail the run.
    Noted,
    /// It was seen, and decides nothing by itself.
    Seen,
    /// The place varies by nature, or there is no evidence.
    NoEvidence,
    /// It was not seen.
    Absent,
}

impl Standing {
    const fn words(self) -> &'static str {
        match self {
            Self::Fails => "fails the run",
            Self::Undecided => "not decided",
            Self::Noted => "real, does not fail the run",
            Self::Seen => "seen",
            Self::NoEvidence => "no evidence",
            Self::Absent => "not seen",
        }
    }
}

type Key = (String, String, Kind);

/// Compares what two runs found. Routes that one of them has learnt and the other has not are one.
pub fn compare_runs(a: &ReportData, b: &ReportData) -> RunComparison {
    let routes = OneName::learn([a, b]);
    let (ours, theirs) = (Groups::of(a, &routes), Groups::of(b, &routes));
    let mut keys: Vec<&Key> = ours.groups.keys().chain(theirs.groups.keys()).collect();
    keys.sort();
    keys.dedup();
    let mut all: Vec<ComparedGroup> = keys
        .into_iter()
        .map(|key| ComparedGroup {
            route: key.0.clone(),
            place: key.1.clone(),
            kind: key.2,
            severity: ours.severity(key).min(theirs.severity(key)),
            a: ours.standing(key),
            b: theirs.standing(key),
        })
        .collect();
    all.sort_by_key(|group| {
        let worst = group.a.standing.min(group.b.standing);
        let count = group.a.count.max(group.b.count);
        (worst, group.severity, std::cmp::Reverse(count))
    });
    let is_in = |standing: &GroupStanding| standing.count > 0;
    let (same, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|group| is_in(&group.a) && is_in(&group.b));
    let (gone, new) = others.into_iter().partition(|group| is_in(&group.a));
    RunComparison {
        a: ComparedRun::of(a),
        b: ComparedRun::of(b),
        new,
        gone,
        same,
    }
}

impl ComparedRun {
    fn of(report: &ReportData) -> Self {
        Self {
            name: report.name.clone(),
            hosts: report.hosts.clone(),
            started_at: report.started_at,
            seen: report.results.ledger.seen,
            decision: report.results.verdict.decision,
            reason: report.results.verdict.reason.clone(),
        }
    }
}

/// The names of routes over several runs.
struct OneName(BTreeMap<String, String>);

impl OneName {
    fn learn<'r>(reports: impl IntoIterator<Item = &'r ReportData>) -> Self {
        let mut names: BTreeMap<(bool, String), u64> = BTreeMap::new();
        for report in reports {
            let compared = report.results.routes.iter();
            let compared = compared.map(|route| (&route.route, route.compared));
            let differing = report.results.differences.iter();
            let differing = differing.map(|group| (&group.route, 0));
            for (name, requests) in compared.chain(differing) {
                let key = (RouteLearner::is_learnt(name), name.clone());
                *names.entry(key).or_default() += requests;
            }
        }
        let mut learner = RouteLearner::default();
        let learnt: Vec<_> = names
            .into_iter()
            .map(|((_, name), requests)| {
                let route = learner.learn_name(&name, requests);
                (name, route)
            })
            .collect();
        let names = learnt.into_iter();
        Self(
            names
                .map(|(name, route)| (name, learner.name(route)))
                .collect(),
        )
    }

    fn of<'n>(&'n self, name: &'n str) -> &'n str {
        self.0.get(name).map_or(name, |known| known)
    }
}

/// What a run found, by group.
struct Groups {
    groups: BTreeMap<Key, (u64, Severity, Standing)>,
    /// Pairs that were compared, by route.
    compared: BTreeMap<String, u64>,
}

impl Groups {
    fn of(report: &ReportData, routes: &OneName) -> Self {
        let mut known = Self {
            groups: BTreeMap::new(),
            compared: BTreeMap::new(),
        };
        for route in &report.results.routes {
            let name = routes.of(&route.route).to_owned();
            *known.compared.entry(name).or_default() += route.compared;
        }
        for group in &report.results.differences {
            let route = routes.of(&group.route).to_owned();
            let key = (route, group.place.clone(), group.kind);
            let standing = match group.is_evidence {
                true => Standing::Seen,
                false => Standing::NoEvidence,
            };
            let entry = known.groups.entry(key);
            let (count, _, worst) = entry.or_insert((0, group.severity, standing));
            *count += group.count;
            *worst = standing.min(*worst);
        }
        known.decided(&report.results.verdict, routes);
        known
    }

    fn decided(&mut self, judgement: &Judgement, routes: &OneName) {
        let all = [
            (&judgement.findings, Standing::Fails),
            (&judgement.undecided, Standing::Undecided),
            (&judgement.noted, Standing::Noted),
        ];
        for (findings, standing) in all {
            for finding in findings {
                self.found(finding, standing, routes);
            }
        }
    }

    /// A finding whose group gave way to others is a group too.
    fn found(&mut self, finding: &Finding, standing: Standing, routes: &OneName) {
        let route = routes.of(&finding.route).to_owned();
        let key = (route, finding.place.to_string(), finding.kind);
        let entry = self.groups.entry(key);
        let (_, severity, worst) = entry.or_insert((finding.differed, finding.severity, standing));
        *severity = finding.severity.min(*severity);
        *worst = standing.min(*worst);
    }

    fn severity(&self, key: &Key) -> Severity {
        let known = self.groups.get(key);
        known.map_or(Severity::Cosmetic, |(_, severity, _)| *severity)
    }

    fn standing(&self, key: &Key) -> GroupStanding {
        let compared = self.compared.get(&key.0).copied().unwrap_or(0);
        let known = self.groups.get(key);
        let (count, standing) = known.map_or((0, Standing::Absent), |(count, _, standing)| {
            (*count, *standing)
        });
        GroupStanding {
            count,
            compared,
            standing,
        }
    }
}

/// The comparison for people.
pub fn comparison_text(comparison: &RunComparison, width: Option<u16>) -> String {
    let mut out = String::new();
    for (letter, run) in [("A", &comparison.a), ("B", &comparison.b)] {
        let line = format!(
            "{letter}  {} on {}, {} requests, {}: {}",
            run.name,
            run.hosts.join(", "),
            count(run.seen),
            run.decision.name(),
            run.reason
        );
        out.push_str(&mirror_core::compare::excerpt(&line, 2_000));
        out.push('\n');
    }
    for (title, groups) in [
        ("new in B", &comparison.new),
        ("gone in B", &comparison.gone),
        ("in both", &comparison.same),
    ] {
        part(&mut out, title, groups, width);
    }
    out
}

fn part(out: &mut String, title: &str, groups: &[ComparedGroup], width: Option<u16>) {
    out.push_str(&format!("\n{title}: {}\n", count(groups.len() as u64)));
    if groups.is_empty() {
        return;
    }
    let columns = [
        ("route", Align::Left),
        ("place", Align::Left),
        ("kind", Align::Left),
        ("in A", Align::Right),
        ("A says", Align::Left),
        ("in B", Align::Right),
        ("B says", Align::Left),
    ];
    let shown = groups.iter().take(MAX_ROWS).map(|group| {
        [
            group.route.clone(),
            group.place.clone(),
            group.kind.with_severity(group.severity),
            group.a.share(),
            group.a.words().to_owned(),
            group.b.share(),
            group.b.words().to_owned(),
        ]
    });
    out.push_str(&table(width, columns, shown));
    if let Some(more @ 1..) = groups.len().checked_sub(MAX_ROWS) {
        out.push_str(&format!(
            "and {} more: --json has all\n",
            count(more as u64)
        ));
    }
}

impl GroupStanding {
    fn share(&self) -> String {
        format!("{} of {}", count(self.count), count(self.compared))
    }

    fn words(&self) -> &'static str {
        match (self.standing, self.compared) {
            (Standing::Absent, 0) => "route not compared",
            (standing, _) => standing.words(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mirror_core::compare::{CompareOptions, compare};
    use mirror_core::exchange::Response;
    use mirror_core::verdict::{Basis, VerdictPolicy};

    use super::super::super::pair::tests::pair;
    use super::super::super::request::tests::label;
    use super::super::super::{CaptureCounters, End, Recorder, RunInfo};
    use super::*;

    fn run(name: &str, requests: &[(&str, u64, &str)]) -> ReportData {
        let recorder = Arc::new(Recorder::new(RunInfo::default()).named(name, "h"));
        let policy = VerdictPolicy {
            quick: true,
            ..VerdictPolicy::default()
        };
        recorder.decide_by(&policy, &CompareOptions::default());
        let answer = |text: &str| Response {
            body: bytes::Bytes::from(text.to_owned()).into(),
            ..Response::new(200)
        };
        for (path, times, theirs) in requests {
            let ours = answer(r#"{"a":1,"b":2}"#);
            for _ in 0..*times {
                recorder.saw();
                let mut theirs = answer(theirs);
                theirs.status = if theirs.body.is_empty() { 500 } else { 200 };
                let compared = compare(&CompareOptions::default(), &ours, &theirs);
                let end = End::judged(pair(Basis::Snapshot, compared));
                recorder.ended(&label("GET", path), None, &end);
            }
        }
        recorder.finish(CaptureCounters::default())
    }

    fn shown(groups: &[ComparedGroup]) -> Vec<(&str, &str, u64, u64)> {
        let groups = groups.iter();
        groups
            .map(|group| (&*group.route, &*group.place, group.a.count, group.b.count))
            .collect()
    }

    const EQUAL: &str = r#"{"a":1,"b":2}"#;

    #[test]
    fn differences_are_new_gone_or_the_same() {
        let before = [("/x", 5, r#"{"a":9,"b":2}"#), ("/y", 400, "")];
        let after = [
            ("/x", 7, r#"{"a":9,"b":8}"#),
            ("/y", 4, EQUAL),
            ("/z", 1, EQUAL),
        ];
        let mut before = run("before", &before);
        let judgement = &mut before.results.verdict;
        judgement.findings = std::mem::take(&mut judgement.undecided);
        let comparison = compare_runs(&before, &run("after", &after));
        assert_eq!(shown(&comparison.new), [("GET /x", "body /b", 0, 7)]);
        let gone = shown(&comparison.gone);
        assert!(gone.contains(&("GET /y", "status", 400, 0)), "{gone:?}");
        assert_eq!(shown(&comparison.same), [("GET /x", "body /a", 5, 7)]);
        assert_eq!(comparison.same[0].a.standing, Standing::Fails);
        assert_eq!(comparison.same[0].b.standing, Standing::Undecided);
        assert_eq!(comparison.gone[0].b.standing, Standing::Absent);
        let text = comparison_text(&comparison, None);
        for part in [
            "A  before on h, 405 requests, FAIL: ",
            "new in B: 1\n",
            "400 of 400",
            "0 of 4",
            "not seen",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_route_that_one_run_has_learnt_is_the_others_too() {
        let many: Vec<String> = (0..80).map(|n| format!("/p/shoe-{n}-x")).collect();
        let many: Vec<_> = many
            .iter()
            .map(|path| (path.as_str(), 1, r#"{"a":9,"b":2}"#))
            .collect();
        let few = [("/p/boot-1-x", 2, r#"{"a":9,"b":2}"#)];
        let comparison = compare_runs(&run("many", &many), &run("few", &few));
        assert_eq!(
            shown(&comparison.same),
            [("GET /p/{slug}", "body /a", 80, 2)]
        );
        assert_eq!((comparison.new.len(), comparison.gone.len()), (0, 0));
    }

    #[test]
    fn a_difference_is_not_gone_where_nothing_was_compared() {
        let comparison = compare_runs(&run("a", &[("/y", 3, "{}")]), &run("b", &[]));
        assert_eq!(comparison.gone[0].b.words(), "route not compared");
    }
}
