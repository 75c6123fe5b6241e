//! `cargo xtask bench streams`: what the dissector costs on one core, from memory. The measured program is the benchmark of
//! the same name in `mirror-agent`; this adds what tshark needs for the same packets, and the instructions that callgrind
//! counts, by which a change can be judged on a noisy machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use mirror_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::cargo::cargo;
use crate::say::say;

/// Exchanges of the file that both programs read.
const COMPARED: u64 = 200_000;
/// Exchanges whose instructions are counted; callgrind is slow.
const COUNTED: u64 = 2_000;

#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let program = benchmark("mirror-agent", "streams")?;
    let figures = json!({
        "small": scenario(&program, &["small"])?,
        "large": scenario(&program, &["large"])?,
        "open": scenario(&program, &["open"])?,
        "growing": scenario(&program, &["growing"])?,
        "instructions": instructions(&program)?,
        "tshark": tshark(&program)?,
    });
    if options.json {
        say!("{figures:#}");
        return Ok(());
    }
    for (name, value) in figures.as_object().into_iter().flatten() {
        say!("{name}");
        for (name, value) in value.as_object().into_iter().flatten() {
            say!("  {:<28}{value}", name.replace('_', " "));
        }
    }
    Ok(())
}

/// Builds the program of a benchmark, and returns its path.
pub(super) fn benchmark(package: &str, name: &str) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["bench", "--package", package, "--bench", name]);
    command.args(["--no-run", "--message-format", "json"]);
    let text = output(&mut command)?;
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let path = messages
        .filter(|message: &Value| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    path.context("cargo names no program for the benchmark")
}

pub(super) fn scenario(program: &Path, arguments: &[&str]) -> Result<Value> {
    let text = output(Command::new(program).args(arguments))?;
    serde_json::from_str(&text).with_context(|| format!("what the benchmark said: {text}"))
}

fn instructions(program: &Path) -> Result<Value> {
    if !is_installed("valgrind") {
        return Ok(skipped("valgrind"));
    }
    let scratch = Scratch::new()?;
    let mut counts = json!({});
    for (name, count) in [
        ("small", COUNTED),
        ("large", COUNTED / 20),
        ("ended", COUNTED),
    ] {
        let file = scratch.path().join(name);
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--toggle-collect=*measured*"]);
        command.arg(format!("--callgrind-out-file={}", file.display()));
        output(command.arg(program).args([name, &count.to_string(), "1"]))?;
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total: u64 = total
            .and_then(|total| total.trim().parse().ok())
            .context("no total")?;
        counts[format!("per_{name}_exchange")] = json!(total / count);
    }
    Ok(counts)
}

/// The same file through tshark and through the agent, reading included in both.
fn tshark(program: &Path) -> Result<Value> {
    if !is_installed("tshark") {
        return Ok(skipped("tshark"));
    }
    let scratch = Scratch::new()?;
    let path = scratch.path().join("small.pcap");
    let path = path
        .to_str()
        .context("the scratch folder has no name in UTF-8")?;
    scenario(program, &["write", &COMPARED.to_string(), path])?;
    let begin = Instant::now();
    let lines = output(Command::new("tshark").args(["-r", path, "-Y", "http"]))?;
    let theirs = begin.elapsed().as_secs_f64();
    if lines.lines().count() as u64 != 2 * COMPARED {
        bail!(
            "tshark found {} messages of {}",
            lines.lines().count(),
            2 * COMPARED
        );
    }
    let ours = scenario(program, &["read", &COMPARED.to_string(), path])?;
    let seconds = ours["seconds"]
        .as_f64()
        .context("the time of the benchmark")?;
    Ok(json!({
        "exchanges": COMPARED,
        "tshark_seconds": theirs,
        "seconds": seconds,
        "times_faster": theirs / seconds,
    }))
}

fn skipped(program: &str) -> Value {
    json!({ "skipped": format!("{program} is not installed") })
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    found.is_ok_and(|output| output.status.success())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}:\n{errors}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
