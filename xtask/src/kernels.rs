//! `cargo xtask kernels`: the programs on kernels that this machine does not run, each in a virtual
//! machine without acceleration: loaded in every shape, attached by every hook, one capture each.

mod guest;
mod package;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use mirror_tests::workspace;
use serde_json::{Value, json};

use crate::cargo::build_static;
use crate::install::{self, BUSYBOX, CPIO, IP, QEMU, XZ};
use crate::progress::Progress;
use crate::say::{self, note, say};
use crate::tally::Tally;

const LIMIT: Duration = Duration::from_secs(240);
const MARK: &str = "PROBE ";
const HOOKS: [&str; 4] = ["auto", "tcx", "tc", "cgroup"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these kernels (repeatable)
    #[arg(long, value_enum)]
    only: Vec<Kernel>,
    #[arg(long)]
    json: bool,
}

/// A kernel by the release of Debian that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kernel {
    /// The one that this machine runs
    Running,
    #[value(name = "5.10")]
    Bullseye,
    #[value(name = "6.1")]
    Bookworm,
    #[value(name = "6.12")]
    Trixie,
    /// The newest that is packaged
    #[value(name = "newest")]
    Sid,
}

impl Kernel {
    fn suite(self) -> Option<&'static str> {
        match self {
            Self::Running => None,
            Self::Bullseye => Some("bullseye"),
            Self::Bookworm => Some("bookworm"),
            Self::Trixie => Some("trixie"),
            Self::Sid => Some("sid"),
        }
    }
}

pub(crate) fn install_needs() -> Result<()> {
    install::for_kafka()?;
    install::ensure(&[IP, QEMU, BUSYBOX, CPIO, XZ])
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        std::env::consts::ARCH == "x86_64",
        "the kernels are booted on x86-64 only"
    );
    install_needs()?;
    let probe = build_probe()?;
    let mut rows = Vec::new();
    for kernel in Kernel::value_variants() {
        if options.only.is_empty() || options.only.contains(kernel) {
            let began = Instant::now();
            let mut found = match kernel.suite() {
                None => here(&probe),
                Some(suite) => elsewhere(suite, &probe),
            }
            .with_context(|| format!("kernel {kernel:?}"))?;
            found["seconds"] = json!(began.elapsed().as_secs());
            note!("{}: done", found["release"].as_str().unwrap_or("?"));
            rows.push(found);
        }
    }
    if options.json {
        say!("{:#}", Value::from(rows.clone()));
    } else {
        say::text(&table(&rows));
    }
    let failed: Vec<String> = rows.iter().filter_map(failure).collect();
    if !options.json {
        let tally = Tally {
            passed: (rows.len() - failed.len()) as u64,
            failed: failed.len() as u64,
            skipped: 0,
        };
        say!("{tally}");
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

/// One static binary that runs on any of them.
fn build_probe() -> Result<PathBuf> {
    Ok(build_static()?.join("kernel-probe"))
}

/// On the running kernel, in a network namespace of its own.
fn here(probe: &Path) -> Result<Value> {
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\""])
        .arg(probe)
        .output()
        .context("running the probe in a namespace")?;
    parse(&String::from_utf8_lossy(&output.stdout))
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn elsewhere(suite: &str, probe: &Path) -> Result<Value> {
    let directory = workspace::target_dir()?.join("kernels").join(suite);
    let kernel = package::fetch(suite, &directory)?;
    let _progress = Progress::begin(format!("booting {}, which takes a minute", kernel.release));
    let console = guest::boot(&kernel, probe, &directory, LIMIT)?;
    parse(&console).with_context(|| {
        let lines: Vec<&str> = console.lines().rev().take(30).collect();
        let last: Vec<&str> = lines.into_iter().rev().collect();
        format!(
            "the guest did not answer; its console ends with\n{}",
            last.join("\n")
        )
    })
}

fn parse(console: &str) -> Result<Value> {
    let line = console.lines().find_map(|line| line.split_once(MARK));
    let (_, json) = line.context("no result of the probe")?;
    serde_json::from_str(json.trim()).context("reading the probe's result")
}

/// What must work and did not. A kernel may have no TCX; `auto` and clsact and the cgroup it has.
fn failure(found: &Value) -> Option<String> {
    let release = found["release"].as_str().unwrap_or("?");
    let mut errors: Vec<&str> = ["auto", "tc", "cgroup"]
        .iter()
        .filter_map(|hook| found["hooks"][hook]["error"].as_str())
        .collect();
    errors.extend(found["error"].as_str());
    (!errors.is_empty()).then(|| format!("{release}: {}", errors.join("; ")))
}

fn table(rows: &[Value]) -> String {
    let mut text = format!("{:<28}", "kernel");
    for hook in HOOKS {
        let _ = write!(text, "{hook:<9}");
    }
    text.push_str("seconds  instructions verified\n");
    for row in rows {
        let _ = write!(text, "{:<28}", row["release"].as_str().unwrap_or("?"));
        for hook in HOOKS {
            let how = row["hooks"][hook]["attached"].as_str();
            let _ = write!(text, "{:<9}", how.unwrap_or("-"));
        }
        let programs = row["programs"].as_object();
        let counts: Vec<String> = programs
            .into_iter()
            .flatten()
            .map(|(name, count)| {
                let count = count.as_u64().map_or("not told".into(), |n| n.to_string());
                format!("{} {count}", name.trim_start_matches("mirror_"))
            })
            .collect();
        let _ = writeln!(
            text,
            "{:<9}{}",
            row["seconds"].to_string(),
            counts.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_found_among_a_console_s_lines() {
        let console = "[    1.2] booting\r\nPROBE {\"release\":\"6.1\"}\r\n[ 2.0] off";
        assert_eq!(parse(console).unwrap()["release"], "6.1");
        assert!(parse("Kernel panic").is_err());
    }

    #[test]
    fn a_kernel_without_tcx_is_well_and_one_without_capture_is_not() {
        let hooks =
            |tcx: Value, tc: Value| json!({ "release": "6.1", "hooks": { "tcx": tcx, "tc": tc } });
        let (error, well) = (json!({ "error": "no" }), json!({ "attached": "x" }));
        assert_eq!(failure(&hooks(error.clone(), well.clone())), None);
        assert_eq!(failure(&hooks(well, error)), Some("6.1: no".into()));
    }
}
