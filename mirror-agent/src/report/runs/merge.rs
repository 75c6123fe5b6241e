//! Runs that captured beside each other, on several hosts, as one: their counts are added, and the decision is made from these.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use mirror_core::filter::PortSet;

use super::super::recorder::results_of;
use super::super::status::{FORMAT, ReportData, RunInfo};
use super::folder::RunPath;
use super::reader::ReadRun;

/// The report that one agent would have written that saw what all of these saw.
pub fn merge(runs: &[RunPath]) -> anyhow::Result<ReportData> {
    let mut read = Vec::new();
    for run in runs {
        let context = || format!("merging {}", run.path().display());
        read.push((run.name(), ReadRun::open(run.path()).with_context(context)?));
    }
    check(&read)?;
    let hosts: BTreeSet<String> = read.iter().map(|(_, run)| run.head.host.clone()).collect();
    let last = read.iter().map(|(_, run)| run.last).max();
    let last = last.context("name the runs to be merged")?;
    let started = read.iter().map(|(_, run)| run.head.started_at).min();
    let said = |of: fn(&ReadRun) -> Option<&String>| {
        let all = read.iter().filter_map(|(name, run)| Some((name, of(run)?)));
        let all: Vec<_> = all.map(|(name, said)| format!("{name} {said}")).collect();
        (!all.is_empty()).then(|| all.join("; "))
    };
    let unfinished = said(|run| run.unfinished.as_ref());
    let kept = said(|run| run.kept.record.beside.kept.as_ref());
    let names = joined(read.iter().map(|(_, run)| run.head.name.as_str()));
    let version = joined(read.iter().map(|(_, run)| run.head.version.as_str()));
    let info = info(read.iter().map(|(_, run)| &run.head.run));
    let runs = read.into_iter().map(|(_, run)| run.kept).collect();
    Ok(ReportData {
        format: FORMAT,
        name: names,
        hosts: hosts.into_iter().collect(),
        unfinished,
        kept,
        version,
        fleet: None,
        started_at: started.unwrap_or_default(),
        ended_at: last.as_secs(),
        results: results_of(runs, info, last),
    })
}

/// Refuses what one report cannot say.
fn check(runs: &[(String, ReadRun)]) -> anyhow::Result<()> {
    for (index, (name, run)) in runs.iter().enumerate() {
        let (first, before) = (&runs[0].0, &runs[..index]);
        for (other_name, other) in before {
            ensure!(
                !is_same(run, other),
                "{name} is there twice: its requests would be counted twice"
            );
            ensure!(
                !saw_the_same(run, other),
                "{other_name} and {name} replayed the same file: its requests would be counted twice"
            );
        }
        let (record, of_first) = (&run.kept.record, &runs[0].1.kept.record);
        ensure!(
            record.policy == of_first.policy,
            "{first} and {name} were judged by different rules (--fail-on, --max-mismatch, --alpha, --quick or the limits of an invalid run): there is no one decision for both"
        );
        ensure!(
            record.compares_as(of_first),
            "{first} and {name} were compared by different rules (--compare-rule or --ignore): what is a difference in one may be none in the other"
        );
    }
    Ok(())
}

fn is_same(run: &ReadRun, other: &ReadRun) -> bool {
    let id = |run: &ReadRun| {
        let head = &run.head;
        (
            head.host.clone(),
            head.pid,
            head.started_at,
            head.name.clone(),
        )
    };
    id(run) == id(other)
}

/// Of live capture nobody can tell: two agents may have an interface of one name each, in two network namespaces.
fn saw_the_same(run: &ReadRun, other: &ReadRun) -> bool {
    let file = run.head.run.file.as_deref();
    let is_named = file.is_some_and(|file| file != "-");
    is_named && file == other.head.run.file.as_deref() && run.head.host == other.head.host
}

/// Each text once, in the order in which they come.
pub(in crate::report) fn joined<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let mut known: Vec<&str> = Vec::new();
    for text in texts {
        if !known.contains(&text) {
            known.push(text);
        }
    }
    known.join(" + ")
}

fn ports<'r>(runs: impl Iterator<Item = &'r RunInfo>) -> PortSet {
    let texts = runs.flat_map(|run| Vec::<String>::from(run.ports.clone()));
    let texts: BTreeSet<String> = texts.collect();
    // They were ports before.
    PortSet::parse(&texts.into_iter().collect::<Vec<_>>()).unwrap_or_default()
}

/// What they ran as.
pub(in crate::report) fn info<'r>(runs: impl Iterator<Item = &'r RunInfo> + Clone) -> RunInfo {
    let interfaces: BTreeSet<&String> = runs.clone().flat_map(|run| &run.interfaces).collect();
    let of = |what: fn(&RunInfo) -> Option<&String>| {
        let text = joined(runs.clone().filter_map(what).map(String::as_str));
        (!text.is_empty()).then_some(text)
    };
    RunInfo {
        interfaces: interfaces.into_iter().cloned().collect(),
        ports: ports(runs.clone()),
        file: of(|run| run.file.as_ref()),
        target: of(|run| run.target.as_ref()),
        snapshots: runs.clone().any(|run| run.snapshots),
        replica: runs.clone().any(|run| run.replica),
    }
}
