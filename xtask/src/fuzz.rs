//! `cargo xtask fuzz`: every fuzz target for a while, guided by the code that an input reaches.
//!
//! libFuzzer learns that from counters which the compiler puts into the program. The flags for them are stable, so no other
//! compiler is needed; what `cargo fuzz` adds, the sanitizers, finds nothing in code without `unsafe`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mirror_tests::workspace;

use crate::cargo::{cargo, check};
use crate::install::{self, CXX};
use crate::say::{note, say};
use crate::tally::Tally;

const TARGETS: [&str; 14] = [
    "packet",
    "tcp",
    "head",
    "body",
    "coding",
    "dissect",
    "compare",
    "content",
    "pcap",
    "rules",
    "document",
    "policy",
    "recording",
    "journal",
];

/// Counters on every edge, and what the values in comparisons were.
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "--cfg=fuzzing",
];

/// Longest input, longest time for one, and how much memory.
const LIMITS: [&str; 3] = ["-max_len=16384", "-timeout=10", "-rss_limit_mb=1024"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// For each target
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Only these targets (repeatable)
    #[arg(long, value_parser = TARGETS)]
    target: Vec<String>,
    /// Run one input again instead, as one that was found
    #[arg(long)]
    input: Option<PathBuf>,
}

pub(crate) fn install_needs() -> Result<()> {
    if CXX.is_there() {
        return Ok(());
    }
    install::ensure(&[CXX])
}

pub(crate) fn run(options: &Options) -> Result<()> {
    install_needs()?;
    let programs = build()?;
    let folder = workspace::target_dir()?.join("fuzz");
    let chosen =
        |name: &&str| options.target.is_empty() || options.target.iter().any(|t| t == name);
    let mut tally = Tally::default();
    for name in TARGETS.into_iter().filter(chosen) {
        let mut command = Command::new(programs.join(name));
        match &options.input {
            Some(input) => command.arg(input),
            None => guided(&mut command, name, &folder, options.seconds)?,
        };
        match check(&mut command) {
            Ok(()) => tally.passed += 1,
            Err(error) => {
                say!("{name}: FAILED: {error:#}");
                note!(
                    "the input is in {}: cargo xtask fuzz --target {name} --input FILE",
                    artifacts(&folder, name).display()
                );
                tally.failed += 1;
            }
        }
    }
    say!("{tally}");
    ensure!(tally.failed == 0, "not all targets held");
    Ok(())
}

/// From the seeds and from what was found before, which is kept.
fn guided<'a>(
    command: &'a mut Command,
    name: &str,
    folder: &Path,
    seconds: u32,
) -> Result<&'a mut Command> {
    let corpus = folder.join("corpus").join(name);
    let artifacts = artifacts(folder, name);
    let seeds = folder.join("seeds").join(name);
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
    }
    Ok(command
        .arg(format!("-max_total_time={seconds}"))
        .args(LIMITS)
        .args(["-print_final_stats=1", "-verbosity=0"])
        // The slash at the end makes it a folder.
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(corpus)
        .arg(&seeds)
        // The program writes them before it reads them.
        .env("MIRROR_FUZZ_SEEDS", &seeds))
}

fn artifacts(folder: &Path, name: &str) -> PathBuf {
    folder.join("artifacts").join(name)
}

/// Builds all targets and gives the folder with their programs.
fn build() -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cargo();
    build
        .args(["build", "--package", "mirror-fuzz", "--bins"])
        .args(["--features", "libfuzzer", "--profile", "fuzz"])
        // With --target, the flags reach the programs and not the build scripts.
        .args(["--target", &target])
        .env("RUSTFLAGS", FLAGS.join(" "));
    check(&mut build)?;
    Ok(workspace::target_dir()?.join(target).join("fuzz"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_of_the_fuzz_crate_is_run() {
        let manifest = workspace::root().join("fuzz/Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let programs = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"))
            .filter_map(|rest| rest.strip_suffix(".rs\""));
        assert_eq!(programs.collect::<Vec<_>>(), TARGETS);
    }
}
