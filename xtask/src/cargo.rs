//! Running the cargo that runs us, in the workspace.

use std::process::Command;

use anyhow::{Context, Result, bail};
use mirror_tests::workspace::{self, Profile};

pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    command
}

/// Runs a command with its output on ours; a failure names the command.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let line = spell(command);
    eprintln!("+ {line}");
    let status = command
        .status()
        .with_context(|| format!("running {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

fn spell(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Builds the programs that the harness starts: always both, so that their dependencies have the
/// same features for every task and are built once.
pub(crate) fn build_programs(profile: Profile) -> Result<()> {
    let mut build = cargo();
    build.args([
        "build",
        "-p",
        "mirror-agent",
        "-p",
        "orders",
        "-p",
        "patterns",
    ]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    check(&mut build)
}
