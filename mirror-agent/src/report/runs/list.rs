//! The runs of a folder, each in one row.

use std::path::Path;

use anyhow::Context;
use mirror_core::verdict::words::count;
use mirror_core::verdict::{Decision, Judgement};
use serde::{Deserialize, Serialize};

use super::super::directory::read_regular;
use super::super::files::{MAX_REPORT, REPORT_JSON};
use super::super::status::{FORMAT, LedgerData, ReportData, RunInfo};
use super::super::table::{Align, table};
use super::folder::{RunPath, RunsFolder};
use super::reader::read;
use super::time::date_and_time;

/// A run as a list shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Name of its directory.
    pub run: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Why nothing more is known of it.
    pub unreadable: Option<String>,
    #[serde(flatten)]
    pub known: Option<KnownSummary>,
}

/// What is known of a run that can be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownSummary {
    pub name: String,
    pub hosts: Vec<String>,
    /// Seconds since the epoch.
    pub started_at: u64,
    pub ended_at: u64,
    /// Of a run that did not say how it ended, and of one that goes on.
    pub unfinished: Option<String>,
    pub target: Option<String>,
    pub seen: u64,
    pub decision: Decision,
    pub reason: String,
}

/// What of report.json a list needs: the rest is not kept in memory.
#[derive(Deserialize)]
struct ShortReport {
    format: u32,
    name: String,
    hosts: Vec<String>,
    unfinished: Option<String>,
    started_at: u64,
    ended_at: u64,
    run: RunInfo,
    ledger: LedgerData,
    verdict: ShortJudgement,
}

#[derive(Deserialize)]
struct ShortJudgement {
    decision: Decision,
    reason: String,
}

impl RunsFolder {
    /// All runs, the newest first.
    pub fn list(&self) -> anyhow::Result<Vec<RunSummary>> {
        let names = self.runs()?.into_iter().rev();
        Ok(names.map(|name| summary(self.path(), name)).collect())
    }
}

fn summary(folder: &Path, run: String) -> RunSummary {
    let path = folder.join(&run);
    let known = known(&path);
    let (known, unreadable) = match known {
        Ok(known) => (Some(known), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    RunSummary {
        run,
        bytes: size(&path),
        unreadable,
        known,
    }
}

fn known(path: &Path) -> anyhow::Result<KnownSummary> {
    let report = path.join(REPORT_JSON);
    if !report.exists() {
        return Ok(KnownSummary::of(read(&RunPath(path.to_owned()))?));
    }
    let text = read_regular(&report, MAX_REPORT)?;
    let short: ShortReport = serde_json::from_slice(&text).context("its report cannot be read")?;
    anyhow::ensure!(short.format == FORMAT, "it is of another version");
    Ok(short.into())
}

/// Of the files that are there; one that goes away meanwhile has none.
fn size(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok());
    files.map(|file| file.len()).sum()
}

impl KnownSummary {
    fn of(report: ReportData) -> Self {
        let Judgement {
            decision, reason, ..
        } = report.results.verdict;
        ShortReport {
            format: report.format,
            name: report.name,
            hosts: report.hosts,
            unfinished: report.unfinished,
            started_at: report.started_at,
            ended_at: report.ended_at,
            run: report.results.run,
            ledger: report.results.ledger,
            verdict: ShortJudgement { decision, reason },
        }
        .into()
    }
}

impl From<ShortReport> for KnownSummary {
    fn from(report: ShortReport) -> Self {
        Self {
            name: report.name,
            hosts: report.hosts,
            started_at: report.started_at,
            ended_at: report.ended_at,
            unfinished: report.unfinished,
            target: report.run.target,
            seen: report.ledger.seen,
            decision: report.verdict.decision,
            reason: report.verdict.reason,
        }
    }
}

/// A row for each run.
pub fn list_text(runs: &[RunSummary], width: Option<u16>) -> String {
    let columns = [
        ("run", Align::Left),
        ("started (UTC)", Align::Left),
        ("took", Align::Right),
        ("host", Align::Left),
        ("requests", Align::Right),
        ("decision", Align::Left),
        ("ended", Align::Left),
        ("size", Align::Right),
    ];
    table(width, columns, runs.iter().map(row))
}

fn row(run: &RunSummary) -> [String; 8] {
    let size = mirror_core::options::ByteSize(run.bytes).to_string();
    let Some(known) = &run.known else {
        let why = run.unreadable.clone().unwrap_or_default();
        let [none, name] = [String::new(), run.run.clone()];
        return [
            name,
            none.clone(),
            none.clone(),
            none.clone(),
            none.clone(),
            none,
            why,
            size,
        ];
    };
    let took = known.ended_at.saturating_sub(known.started_at);
    let took = humantime::format_duration(std::time::Duration::from_secs(took));
    [
        run.run.clone(),
        date_and_time(known.started_at),
        took.to_string(),
        known.hosts.join(", "),
        count(known.seen),
        known.decision.name().to_owned(),
        known.unfinished.clone().unwrap_or_else(|| "yes".into()),
        size,
    ]
}
