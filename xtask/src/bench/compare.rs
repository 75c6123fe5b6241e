//! `cargo xtask bench compare`: what a comparison and its judgement cost on one core, from memory, and what a run of many routes holds. The
//! measured program is the benchmark of the same name in `mirror-core`.

use anyhow::Result;
use serde_json::{Map, Value};

use super::streams::{benchmark, scenario};
use crate::say::say;

const SCENARIOS: [&str; 9] = [
    "byte-equal",
    "equal",
    "differing",
    "large-equal",
    "large-one-differs",
    "large-differing",
    "large-shuffled",
    "many-routes",
    "decide",
];

#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let program = benchmark("mirror-core", "compare")?;
    let mut figures = Map::new();
    for name in SCENARIOS {
        figures.insert(name.into(), scenario(&program, &[name])?);
    }
    if options.json {
        say!("{:#}", Value::Object(figures));
        return Ok(());
    }
    for (name, value) in &figures {
        say!("{name}");
        for (name, value) in value.as_object().into_iter().flatten() {
            say!("  {:<36}{value}", name.replace('_', " "));
        }
    }
    Ok(())
}
