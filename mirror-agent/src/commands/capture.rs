//! capture: what is captured here is replayed elsewhere.

use std::fmt::Write;
use std::process::ExitCode;

use mirror_agent::config::Settings;
use mirror_agent::pipeline::{self, Ending};
use mirror_agent::report::ReportData;
use mirror_core::ledger::Outcome;
use mirror_core::verdict::Decision;
use tokio::runtime::Builder;

use super::live::heed_signals;
use super::progress::ProgressLine;
use crate::terminal;

pub(super) fn capture(settings: Settings, json: bool) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let ending = Ending::default();
        heed_signals(ending.clone())?;
        let mut line = ProgressLine::new();
        pipeline::capture(settings, ending, move |event| line.show(event)).await
    })?;
    match json {
        true => terminal::print_json(&report)?,
        false => terminal::print(&text(&report))?,
    }
    Ok(exit_code(&report))
}

/// What came of each request here; there is nothing to decide.
fn text(report: &ReportData) -> String {
    let results = &report.results;
    let mut text = String::new();
    // A string takes everything.
    let _ = writeln!(text, "captured {} requests", results.ledger.seen);
    for outcome in &results.outcomes {
        let _ = writeln!(text, "{:>9}  {}", outcome.count, outcome.outcome);
        for group in outcome
            .groups
            .iter()
            .filter_map(|group| group.reason.as_ref())
            .take(3)
        {
            let _ = writeln!(text, "           {group}");
        }
    }
    if let Some(why) = &results.failed {
        let _ = writeln!(text, "this run is not to be relied on: {why}");
    }
    text
}

/// Zero if everything that was let through was handed over.
fn exit_code(report: &ReportData) -> ExitCode {
    let stays_here = [
        Outcome::ShedTransport,
        Outcome::ShedQueueFull,
        Outcome::ShedBusyHost,
        Outcome::LostRingFull,
        Outcome::Interrupted,
    ];
    let outcomes = &report.results.ledger.outcomes;
    let is_short = stays_here
        .iter()
        .any(|outcome| outcomes.contains_key(outcome.name()));
    match is_short || report.results.failed.is_some() {
        true => ExitCode::from(Decision::Invalid.exit_code()),
        false => ExitCode::SUCCESS,
    }
}
