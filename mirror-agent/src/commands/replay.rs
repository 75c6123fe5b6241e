//! replay: a capture file in the place of live capture.

use std::{path::PathBuf, process::ExitCode};

use mirror_agent::config::Settings;
use mirror_agent::pipeline::{self, Ending};
use tokio::runtime::Builder;

use super::live::{exit_code, heed_signals};
use super::print_report;
use super::progress::ProgressLine;

pub(super) fn replay(
    settings: Settings,
    files: &[PathBuf],
    json: bool,
) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let ending = Ending::default();
        heed_signals(ending.clone())?;
        let mut line = ProgressLine::new();
        pipeline::replay_file(settings, files, ending, move |event| line.show(event)).await
    })?;
    print_report(&report, json)?;
    Ok(exit_code(&report))
}
