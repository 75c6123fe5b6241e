//! `mirror-agent inspect` over captures that others made.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use mirror_tests::captures;
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing};
use serde_json::Value;

#[needs(captures)]
fn captures_of_others_are_shown_in_every_format() -> Result<()> {
    let folder = captures::folder().context(captures::PLACE)?;
    let mut files = Vec::new();
    collect(&folder.join("captures"), &mut files)?;
    assert!(files.len() > 50, "{} captures", files.len());
    for file in files {
        check(&file).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Lines, archive and table show the same exchanges.
fn check(file: &Path) -> Result<()> {
    let Some(lines) = inspect(file, &["--format", "json"])? else {
        return Ok(());
    };
    let archive = inspect(file, &["--format", "har"])?.context("the archive")?;
    let table = inspect(file, &[])?.context("the table")?;
    let count = lines.lines().count();
    let archive: Value = serde_json::from_str(&archive)?;
    let entries = archive["log"]["entries"].as_array().context("entries")?;
    assert_eq!(entries.len(), count);
    let told = match count {
        1 => "1 exchange".to_owned(),
        count => format!("{count} exchanges"),
    };
    let is_told = [", ", "\n"]
        .iter()
        .any(|before| table.contains(&format!("{before}{told}")));
    ensure!(is_told, "{table}");
    Ok(())
}

/// What is shown; None of a file that is not a capture.
fn inspect(file: &Path, args: &[&str]) -> Result<Option<String>> {
    let output = Command::new(binary("mirror-agent", Profile::Debug)?)
        .arg("inspect")
        .arg(file)
        .arg("--tunnels")
        .args(args)
        .output()
        .context("running mirror-agent inspect")?;
    let text = String::from_utf8(output.stdout)?;
    match output.status.code() {
        Some(0 | 3) => Ok(Some(text)),
        Some(2) => Ok(None),
        code => anyhow::bail!(
            "exit code {code:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    testing::main()
}
