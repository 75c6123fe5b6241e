//! runs: which runs are kept, and taking some of them away.

use std::process::ExitCode;

use mirror_agent::cli::{RunsCommand, RunsIn};
use mirror_agent::report::table::terminal_width;
use mirror_agent::report::{RunsFolder, list_text};
use mirror_core::verdict::NOT_STARTED;

use crate::terminal;

pub(super) fn runs(
    command: Option<&RunsCommand>,
    json: bool,
    runs: &RunsIn,
) -> anyhow::Result<ExitCode> {
    match command {
        None => list(&RunsFolder::named(runs.runs.as_deref())?, json),
        Some(RunsCommand::Rm {
            names,
            keep,
            json,
            runs,
        }) => {
            let folder = RunsFolder::named(runs.runs.as_deref())?;
            remove(&folder, names, *keep, *json)
        }
    }
}

fn list(folder: &RunsFolder, json: bool) -> anyhow::Result<ExitCode> {
    let runs = folder.list()?;
    if json {
        terminal::print_json(&runs)?;
    } else if runs.is_empty() {
        terminal::note(&format!("there is no run in {}", folder.path().display()));
    } else {
        terminal::print(&list_text(&runs, terminal_width()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Those that are named, or all but the newest ones.
fn remove(
    folder: &RunsFolder,
    names: &[String],
    keep: Option<usize>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let chosen = match keep {
        None => folder.chosen(names)?,
        Some(keep) => folder.older_than(keep)?,
    };
    let mut code = ExitCode::SUCCESS;
    let mut removed = Vec::new();
    for name in chosen {
        match folder.remove_run(&name) {
            Ok(()) if json => removed.push(name),
            Ok(()) => terminal::print(&format!("removed {name}\n"))?,
            // What goes on is not what --keep means.
            Err(_) if keep.is_some() && folder.goes_on(&name) => {}
            Err(error) => {
                terminal::note(&format!("error: {}", terminal::told(&error)));
                code = ExitCode::from(NOT_STARTED);
            }
        }
    }
    if json {
        terminal::print_json(&removed)?;
    }
    Ok(code)
}
