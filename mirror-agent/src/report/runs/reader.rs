//! Reads a run, whatever has become of it.

use std::path::Path;

use anyhow::Context;
use mirror_core::journal::Journal;
use mirror_core::time::Timestamp;

use super::super::directory::read_regular;
use super::super::files::{self, REPORT_JSON};
use super::super::recorder::{KeptRun, results_of};
use super::super::status::ReportData;
use super::folder::RunPath;
use super::head::{RunHead, is_running};
use super::names::{JOURNAL, RUN_JSON};
use super::time::time_of_day;

/// Largest journal that is read: some ten times what a full run takes.
const MAX_JOURNAL: u64 = 1 << 30;

/// A run as it was kept while it went on.
pub(super) struct ReadRun {
    pub(super) head: RunHead,
    pub(super) kept: KeptRun,
    /// When it was kept last.
    pub(super) last: Timestamp,
    pub(super) unfinished: Option<String>,
}

/// The report of a run: as it was written at its end, or else as its journal has it.
pub fn read(run: &RunPath) -> anyhow::Result<ReportData> {
    let path = run.path();
    let is_unfinished = path.join(RUN_JSON).is_file() && !path.join(REPORT_JSON).exists();
    match is_unfinished {
        false => files::read(path),
        true => Ok(ReadRun::open(path)?.report()),
    }
}

impl ReadRun {
    pub(super) fn open(run: &Path) -> anyhow::Result<Self> {
        let head = RunHead::read(run)?;
        // Before the journal: one that ends meanwhile has said so in it.
        let goes_on = is_running(run);
        let path = run.join(JOURNAL);
        let shown = path.display();
        let bytes = read_regular(&path, MAX_JOURNAL).with_context(|| format!("reading {shown}"))?;
        let journal = Journal::read(&bytes);
        let kept = KeptRun::of(&journal).with_context(|| format!("reading {shown}"))?;
        let started = Timestamp(head.started_at.saturating_mul(1_000_000_000));
        let last = journal.last.unwrap_or(started);
        let shown_at = time_of_day(last.as_secs(), head.started_at);
        let unfinished = match (journal.is_ended, goes_on) {
            (true, _) => None,
            (false, true) => Some(format!("goes on; this is how it stood at {shown_at}")),
            (false, false) => Some(format!("ended without its end at {shown_at}")),
        };
        Ok(Self {
            head,
            kept,
            last,
            unfinished,
        })
    }

    fn report(self) -> ReportData {
        let Self { head, kept, .. } = self;
        ReportData {
            format: head.format,
            name: head.name,
            hosts: vec![head.host],
            unfinished: self.unfinished,
            kept: kept.record.beside.kept.clone(),
            version: head.version,
            fleet: None,
            started_at: head.started_at,
            ended_at: self.last.as_secs(),
            results: results_of(vec![kept], head.run, self.last),
        }
    }
}
