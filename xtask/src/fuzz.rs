//! `cargo xtask fuzz`: every fuzz target for a while, with a seed that is printed and can be given again.

use anyhow::{Context, Result};

use crate::cargo::{cargo, check};

const TARGETS: [&str; 7] = ["packet", "tcp", "head", "body", "coding", "pcap", "dissect"];

pub(crate) fn run(seconds: u32, seed: Option<u64>) -> Result<()> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = seed.unwrap_or(now.context("the clock is before 1970")?.as_secs());
    for target in TARGETS {
        let mut command = cargo();
        command.args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "mirror-fuzz",
            "--",
        ]);
        check(command.args([target, &seconds.to_string(), &seed.to_string()]))?;
    }
    Ok(())
}
