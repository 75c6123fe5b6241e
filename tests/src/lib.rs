//! The end-to-end harness: three hosts in network namespaces (client, production, mirror), the
//! real programs that run on them, and the agent as a user would start it. The tests in this
//! package and `cargo xtask demo` and `bench` tell their stories with it.

pub mod agent;
pub mod cluster;
pub mod foreign;
pub mod http;
pub mod java;
pub mod load;
pub mod net;
pub mod nginx;
pub mod orders;
pub mod paced;
pub mod postgres;
pub mod process;
pub mod raw;
pub mod redis;
pub mod scratch;
pub mod tun;
pub mod wire;
pub mod workspace;
pub mod wrk;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Network namespaces and eBPF need root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// True when the test can run. Otherwise says why not, past libtest's capture, and notes it in the
/// file that `cargo xtask test` counts skipped tests from.
pub fn runs_as_root(test: &str) -> bool {
    if !is_root() {
        skip(test, "needs root for network namespaces and eBPF");
    }
    is_root()
}

/// Marks a test as skipped: it is counted as such and not as passed.
pub fn skip(test: &str, reason: &str) {
    let line = format!("skipped: {test}: {reason}\n");
    // A reader that went away must not turn a skip into a failure.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("MIRROR_SKIPPED")
        && let Err(error) = note_skipped(path.as_ref(), test, reason)
    {
        panic!("cannot note a skipped test: {error}");
    }
}

/// Adds a line to the file that skipped tests are counted from.
pub fn note_skipped(file: &Path, test: &str, reason: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?;
    writeln!(file, "skipped: {test}: {reason}")
}

/// Polls `ready` every 20 ms until it holds, or fails after `limit` saying `what` never happened.
pub fn wait_until(what: &str, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + limit;
    while !ready() {
        if Instant::now() > end {
            bail!("{what}: not within {} s", limit.as_secs_f32());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
