//! replay: a file, or what other hosts capture, in the place of live capture.

use std::{path::PathBuf, process::ExitCode};

use anyhow::ensure;
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
    let from = settings.config.fleet.from.is_some();
    ensure!(
        from || !files.is_empty(),
        "name the files to replay, or say with --from URL where other hosts capture"
    );
    ensure!(
        !from || files.is_empty(),
        "a file and --from URL are two sources: leave one of them out"
    );
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let ending = Ending::default();
        heed_signals(ending.clone())?;
        let mut line = ProgressLine::new();
        let show = move |event| line.show(event);
        match files {
            [] => pipeline::replay_fleet(settings, ending, show).await,
            files => pipeline::replay_file(settings, files, ending, show).await,
        }
    })?;
    print_report(&report, json)?;
    Ok(exit_code(&report))
}
