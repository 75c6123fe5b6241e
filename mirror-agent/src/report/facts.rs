//! What ran against what, when and how much.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use mirror_core::ledger::Outcome;
use mirror_core::verdict::words::count;

use super::status::{ReportData, Results, Status};

/// A name and what it is.
pub(super) type Fact = [String; 2];

/// Of a run that has ended.
pub(super) fn of_report(report: &ReportData) -> Vec<Fact> {
    let took = Duration::from_secs(report.ended_at.saturating_sub(report.started_at));
    let took = humantime::format_duration(took);
    let when = format!("{}, for {took}", moment(report.started_at));
    let run = Run {
        name: &report.name,
        hosts: report.hosts.join(", "),
        when: report.unfinished.as_ref().map_or_else(
            || when.clone(),
            |unfinished| format!("{when}; {unfinished}"),
        ),
        not_kept: report.kept.as_deref(),
    };
    facts(&report.results, run)
}

/// Of a run in progress.
pub(super) fn of_status(status: &Status) -> Vec<Fact> {
    let run = Run {
        name: &status.name,
        hosts: status.host.clone(),
        when: format!("since {}", moment(status.started_at)),
        not_kept: status.kept.as_deref(),
    };
    let mut facts = facts(&status.results, run);
    let attached = status.attached.iter();
    let places: Vec<_> = attached
        .map(|place| format!("{} ({})", place.interface, place.hook))
        .collect();
    if !places.is_empty() {
        facts.push(["attached to".into(), places.join(", ")]);
    }
    facts.push(["process".into(), status.pid.to_string()]);
    facts
}

/// What a run in progress and one that has ended say alike.
struct Run<'a> {
    name: &'a str,
    hosts: String,
    when: String,
    not_kept: Option<&'a str>,
}

fn facts(results: &Results, run: Run<'_>) -> Vec<Fact> {
    let Run {
        name,
        hosts,
        when,
        not_kept,
    } = run;
    let run = &results.run;
    let mut rows = Vec::new();
    let mut add = |what: &str, value: String| {
        if !value.is_empty() {
            rows.push([what.to_owned(), value]);
        }
    };
    add("builds", builds(results));
    add("target", run.target.clone().unwrap_or_default());
    let from = match &run.file {
        Some(file) => file.clone(),
        None if run.interfaces.is_empty() => String::new(),
        None => format!("{}, port {}", run.interfaces.join(", "), run.ports),
    };
    add("traffic of", from);
    add("run", name.to_owned());
    add("host", hosts);
    add("time", when);
    add("not kept", not_kept.unwrap_or_default().to_owned());
    add(
        "requests",
        requests(&results.ledger.outcomes, results.ledger.seen),
    );
    rows
}

/// As in `candidate shop 1.5, production shop 1.4`.
fn builds(results: &Results) -> String {
    let builds = &results.verdict.builds;
    let sides = [
        ("candidate", &builds.candidate),
        ("production", &builds.production),
        ("control", &builds.control),
    ];
    let named = |names: &BTreeSet<String>| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        names.join(" and ")
    };
    let known = sides.into_iter().filter(|(_, names)| !names.is_empty());
    let known: Vec<_> = known
        .map(|(side, names)| format!("{side} {}", named(names)))
        .collect();
    known.join(", ")
}

fn requests(outcomes: &BTreeMap<String, u64>, seen: u64) -> String {
    let of = |outcome: Outcome| outcomes.get(outcome.name()).copied().unwrap_or(0);
    let differ = of(Outcome::Differed);
    let compared = of(Outcome::Matched) + differ + of(Outcome::DifferedAsControl);
    format!(
        "{} seen, {} compared as evidence, {} of them differ",
        count(seen),
        count(compared),
        count(differ)
    )
}

/// Of seconds since the epoch.
pub(super) fn moment(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().map(Timestamp::from_second);
    match at {
        Some(Ok(at)) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        _ => format!("second {seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use mirror_core::filter::PortSet;

    use super::super::judgement::tests::judgement;
    use super::super::{CaptureCounters, Recorder, RunInfo};
    use super::*;

    #[test]
    fn who_ran_against_whom_stands_below_the_decision() {
        let info = RunInfo {
            interfaces: vec!["eth0".into()],
            ports: PortSet::parse(&["8080"]).unwrap(),
            target: Some("http://mirror".into()),
            ..RunInfo::default()
        };
        let mut data = Recorder::new(info).finish(CaptureCounters::default());
        (data.started_at, data.ended_at) = (1_795_756_701, 1_795_757_426);
        (data.name, data.hosts) = ("canary".into(), vec!["a".into(), "b".into()]);
        data.unfinished = Some("ended without its end at 05:30:26 UTC".into());
        data.kept = Some("the disk is full".into());
        data.results.verdict = judgement();
        let expect = [
            ["builds", "candidate shop <1.5>, production shop 1.4"],
            ["target", "http://mirror"],
            ["traffic of", "eth0, port 8080"],
            ["run", "canary"],
            ["host", "a, b"],
            [
                "time",
                "2026-11-27 05:18:21 UTC, for 12m 5s; ended without its end at 05:30:26 UTC",
            ],
            ["not kept", "the disk is full"],
            [
                "requests",
                "0 seen, 0 compared as evidence, 0 of them differ",
            ],
        ];
        assert_eq!(of_report(&data), expect);
    }
}
