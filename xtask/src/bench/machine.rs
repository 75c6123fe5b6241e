//! What processes and the machine have used so far, as the kernel counts it.

use anyhow::{Context, Result};

use crate::say::note;

/// CPU time is counted in ticks of this many per second on every Linux (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of a process so far.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    // The name in brackets may hold anything; utime and stime are the 12th and 13th field after it.
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<u64>().ok())
    };
    let (user, system) = ticks(11)
        .zip(ticks(12))
        .with_context(|| format!("the times in {path}"))?;
    Ok((user + system) as f64 / TICKS_PER_SECOND)
}

/// The peak of the resident set, in which a ring buffer counts twice: its pages are mapped twice in a row, so
/// that a record that wraps around reads as one piece.
pub(super) fn peak_memory_kib(pid: u32) -> Result<u64> {
    kib(&format!("/proc/{pid}/status"), "VmHWM:")
}

/// What is resident now, each page once.
pub(super) fn memory_kib(pid: u32) -> Result<u64> {
    kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

fn kib(path: &str, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
        .with_context(|| format!("{name} in {path}"))
}

/// Busy time of all CPUs: user, nice, system, and both kinds of interrupts.
pub(super) fn machine_cpu_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let line = text.lines().next().context("a line for all CPUs")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    let busy = [0, 1, 2, 5, 6].map(|place| ticks.get(place).copied().unwrap_or(0));
    Ok(busy.iter().sum::<u64>() as f64 / TICKS_PER_SECOND)
}

/// GoReplay's program, a peer to run beside ours; says so if it is not there.
pub(super) fn goreplay() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = |name: &&str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    let program = ["goreplay", "gor"].into_iter().find(on_path);
    if program.is_none() {
        note!("goreplay is not on the PATH: it is left out");
    }
    program
}
