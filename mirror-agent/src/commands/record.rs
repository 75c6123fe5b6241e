//! record: live capture into a recording, or what a run has kept into one.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use mirror_agent::config::Settings;
use mirror_agent::pipeline::{self, Ending, RecordReport};
use mirror_agent::report::table::{Align, number, table, terminal_width};
use mirror_core::ledger::Outcome;
use mirror_core::policy::Rule;
use tokio::runtime::Builder;

use super::live::heed_signals;
use super::progress::ProgressLine;
use crate::terminal;

/// Something of what the rules let through is not in the recording.
const INCOMPLETE: u8 = 3;

pub(super) fn record(settings: Settings, path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let report = Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let ending = Ending::default();
            heed_signals(ending.clone())?;
            let mut line = ProgressLine::new();
            pipeline::record(settings, path, ending, move |event| line.show(event)).await
        })?;
    if json {
        terminal::print_json(&report)?;
    } else {
        terminal::print_report(&text(&report))?;
    }
    Ok(match is_complete(&report) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(INCOMPLETE),
    })
}

/// Whether all is recorded that the rules let through.
fn is_complete(report: &RecordReport) -> bool {
    const LOST: [Outcome; 6] = [
        Outcome::LostNotWritten,
        Outcome::LostRingFull,
        Outcome::ShedQueueFull,
        Outcome::ShedBusyHost,
        Outcome::ShedRate,
        Outcome::Interrupted,
    ];
    let outcomes = &report.ledger.outcomes;
    report.failed.is_none()
        && !LOST
            .iter()
            .any(|outcome| outcomes.contains_key(outcome.name()))
}

fn text(report: &RecordReport) -> String {
    let files = &report.files;
    let mut text = format!(
        "recorded {} exchanges into {} ({} files, {} bytes)\n",
        files.exchanges,
        report.path.display(),
        files.files,
        files.bytes
    );
    if files.given_way_files > 0 {
        text += &format!(
            "{} files with {} exchanges gave way to newer ones\n",
            files.given_way_files, files.given_way_exchanges
        );
    }
    if let Some(trouble) = report.failed.as_ref().or(files.trouble.as_ref()) {
        text += &format!("trouble: {trouble}\n");
    }
    let seen = [
        number(report.ledger.seen),
        "requests seen".into(),
        String::new(),
    ];
    let rows = report.outcomes.iter().map(|data| {
        let reason = data.groups.first().and_then(|group| group.reason.clone());
        [
            number(data.count),
            data.outcome.clone(),
            reason.unwrap_or_default(),
        ]
    });
    let columns = [("", Align::Right), ("", Align::Left), ("", Align::Left)];
    let rows = std::iter::once(seen).chain(rows);
    text + "\nledger\n" + &table(terminal_width(), columns, rows)
}

/// Takes a recording from what a run has kept.
pub(super) fn look_back(
    settings: &Settings,
    path: &Path,
    since: Duration,
    routes: &[Rule],
    json: bool,
) -> anyhow::Result<ExitCode> {
    let taken = pipeline::look_back(settings, path, since, routes)?;
    if json {
        terminal::print_json(&taken)?;
    } else {
        terminal::print(&format!(
            "{} of {} exchanges that were kept are in {} ({} bytes)\n",
            taken.exchanges,
            taken.looked_at,
            path.display(),
            taken.bytes
        ))?;
    }
    Ok(match taken.damaged {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(INCOMPLETE),
    })
}
