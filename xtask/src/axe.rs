//! Fetches axe-core for the tests of the report's page: with npm, into `target/axe`.

use std::process::Command;

use anyhow::{Context, Result};
use mirror_tests::axe;

use crate::cargo::check_quietly;
use crate::say::note;

/// Without it, the tests that need it count as skipped.
pub(crate) fn fetch() {
    if axe::script().is_some() {
        return;
    }
    if let Err(error) = try_fetch() {
        note!("axe-core was not fetched, so tests with it are skipped: {error:#}");
    }
}

fn try_fetch() -> Result<()> {
    let folder = axe::folder().context("finding target")?;
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let package = format!("axe-core@{}", axe::VERSION);
    let mut npm = Command::new("npm");
    npm.current_dir(&folder)
        .args([
            "install",
            "--prefix",
            ".",
            "--no-save",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ])
        .arg(package);
    check_quietly("fetching axe-core with npm (not there yet)", &mut npm).map(drop)
}
