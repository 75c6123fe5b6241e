//! `cargo xtask lint`: what a program can say about the source without running it. Each check counts as one, and one that fails
//! does not keep the others from being made.

mod circles;
mod cores;
mod tokens;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use mirror_tests::workspace;

use crate::cargo::{cargo, check};
use crate::install;
use crate::say::{note, say};
use crate::tally::{SKIPPED, Tally};

const CARGO_DENY: &str = "0.20.2";

/// Crates whose modules must not go round in circles.
const CRATES: [&str; 7] = [
    "mirror-agent",
    "mirror-contract",
    "mirror-core",
    "mirror-ebpf",
    "mirror-snapshot",
    "tests",
    "xtask",
];

/// What became of a check that did not fail.
enum Found {
    Clean,
    /// Why it could not be made here.
    Skipped(String),
}

type Check = fn() -> Result<Found>;

const CHECKS: [(&str, Check); 9] = [
    ("format", format),
    ("clippy", clippy),
    ("oldest compiler", toolchain::oldest),
    ("licences, bans, sources, duplicates", deny),
    ("advisories", advisories),
    ("module circles", module_circles),
    ("dependencies of the cores", cores::dependencies),
    ("lints of the cores", cores::lints),
    ("harness of the tests", harness),
];

pub(crate) fn run() -> Result<()> {
    install::for_kafka()?;
    let mut tally = Tally::default();
    for (name, check) in CHECKS {
        match check() {
            Ok(Found::Clean) => {
                note!("{name}: clean");
                tally.passed += 1;
            }
            Ok(Found::Skipped(why)) => {
                say!("{SKIPPED}{name}: {why}");
                tally.skipped += 1;
            }
            Err(error) => {
                say!("{name}: FAILED: {error:#}");
                tally.failed += 1;
            }
        }
    }
    say!("{tally}");
    ensure!(tally.failed == 0, "not all checks passed");
    Ok(())
}

fn clean(command: &mut Command) -> Result<Found> {
    check(command)?;
    Ok(Found::Clean)
}

fn format() -> Result<Found> {
    clean(cargo().args(["fmt", "--all", "--check"]))
}

/// Whether clippy, with the compiler that is in use, has got through the workspace.
static BUILT: AtomicBool = AtomicBool::new(false);

fn clippy() -> Result<Found> {
    let mut command = cargo();
    command.args(["clippy", "--workspace", "--all-targets"]);
    let found = clean(command.args(["--", "-D", "warnings"]))?;
    BUILT.store(true, Ordering::Relaxed);
    Ok(found)
}

fn deny() -> Result<Found> {
    let program = install::with_cargo("cargo-deny", CARGO_DENY)?;
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    clean(command.args(["--locked", "check", "licenses", "bans", "sources"]))
}

/// The database of advisories cannot be downloaded everywhere.
fn advisories() -> Result<Found> {
    let program = install::with_cargo("cargo-deny", CARGO_DENY)?;
    let deny = || {
        let mut command = Command::new(&program);
        command.current_dir(workspace::root());
        command
    };
    let fetched = deny().args(["fetch", "db"]).output();
    let fetched = fetched.context("running cargo deny")?;
    if !fetched.status.success() {
        let why = "the database of advisories cannot be downloaded here";
        return Ok(Found::Skipped(why.into()));
    }
    clean(deny().args(["check", "--disable-fetch", "advisories"]))
}

fn module_circles() -> Result<Found> {
    let mut found = Vec::new();
    for name in CRATES {
        let source = workspace::root().join(name).join("src");
        let circles = circles::in_crate(&source)?;
        found.extend(circles.iter().map(|circle| format!("{name}: {circle}")));
    }
    ensure!(
        found.is_empty(),
        "circles among sibling modules:\n{}",
        found.join("\n")
    );
    Ok(Found::Clean)
}

/// In a target with a harness of its own the compiler drops functions with `#[test]` without a word.
fn harness() -> Result<Found> {
    let mut files = Vec::new();
    rust_files(&workspace::root().join("tests/tests"), &mut files)?;
    let mut found = Vec::new();
    for file in &files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let lines = text.lines().enumerate();
        let lost = lines.filter(|(_, line)| line.trim() == "#[test]");
        found.extend(lost.map(|(index, _)| format!("{}:{}", file.display(), index + 1)));
    }
    ensure!(
        found.is_empty(),
        "these tests do not run, because they have #[test] instead of #[needs(…)]:\n{}",
        found.join("\n")
    );
    Ok(Found::Clean)
}

/// The Rust files at or below `path`, in order.
fn rust_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        let entries =
            std::fs::read_dir(path).with_context(|| format!("listing {}", path.display()))?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()
            .with_context(|| format!("listing {}", path.display()))?;
        paths.sort();
        for path in paths {
            rust_files(&path, files)?;
        }
    } else if path.is_file() && path.extension().is_some_and(|ext| ext == "rs") {
        files.push(path.to_owned());
    }
    Ok(())
}
