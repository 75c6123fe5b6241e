//! replay: files of traffic, a pinned set, or what other hosts capture, in the place of live capture.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};

use mirror_agent::config::Settings;
use mirror_agent::pipeline::{self, Ending, PinnedSet};
use tokio::runtime::Builder;

use super::live::{exit_code, heed_signals};
use super::print_report;
use super::progress::ProgressLine;
use crate::terminal;

pub(super) fn replay(
    settings: Settings,
    files: &[PathBuf],
    junit: Option<&Path>,
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
    if let [file] = files
        && let Some(set) = PinnedSet::open(file, &settings.config)?
    {
        return pinned(settings, set, junit, json);
    }
    ensure!(
        junit.is_none(),
        "--junit is for a pinned set, and this is none: leave it out, and use `mirror-agent report --format junit`"
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

fn pinned(
    settings: Settings,
    set: PinnedSet,
    junit: Option<&Path>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let ending = Ending::default();
        heed_signals(ending.clone())?;
        let stop = ending.stop.subscribe();
        pipeline::replay_pinned(settings.config, set, stop).await
    })?;
    if let Some(path) = junit {
        let xml = report.junit()?;
        fs::write(path, xml).with_context(|| format!("writing {}", path.display()))?;
    }
    match json {
        true => terminal::print_json(&report)?,
        false => terminal::print(&report.text())?,
    }
    Ok(ExitCode::from(report.decision.exit_code()))
}
