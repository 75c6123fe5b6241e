//! `cargo xtask fuzz`: every fuzz target for a while, with a seed that is printed and can be given again.

use anyhow::{Context, Result};

use crate::cargo::{cargo, check};
use crate::say::say;
use crate::tally::Tally;

const TARGETS: [&str; 7] = ["packet", "tcp", "head", "body", "coding", "pcap", "dissect"];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// For each target
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// One that was printed before; the time by default
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = options
        .seed
        .unwrap_or(now.context("the clock is before 1970")?.as_secs());
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
        check(command.args([target, &options.seconds.to_string(), &seed.to_string()]))?;
    }
    let tally = Tally {
        passed: TARGETS.len() as u64,
        ..Tally::default()
    };
    say!("{tally}");
    Ok(())
}
