//! `cargo xtask bench transport`: what it costs to carry envelopes. The file's row is the benchmark `recording` of `mirror-core`: on one
//! core and in memory, without a disk.

use anyhow::Result;
use serde_json::json;

use super::streams::{benchmark, scenario};
use crate::say::say;

#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let program = benchmark("mirror-core", "recording")?;
    let file = scenario(&program, &[])?;
    if options.json {
        say!("{:#}", json!({ "file": file }));
        return Ok(());
    }
    say!("file");
    for (name, value) in file.as_object().into_iter().flatten() {
        say!("  {:<36}{value}", name.replace('_', " "));
    }
    Ok(())
}
