//! `cargo xtask bench verdict`: how often the verdict is right. Runs of a labelled service with planted changes amid noise, beside the
//! rules of others, and simulations, over all cores. The program that runs them is the benchmark of the same name in `mirror-labelled`.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::streams::benchmark;
use crate::say::say;

#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(long)]
    json: bool,
    /// The labelled service
    #[arg(long, default_value = "shop", value_parser = ["shop", "bank"])]
    service: String,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Runs of each row with changes
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Runs of equal versions, of 8,000 requests a route
    #[arg(long, default_value_t = 20)]
    equal: u64,
    /// Runs that are simulated
    #[arg(long, default_value_t = 10_000)]
    simulated: u64,
    /// Routes of each run of equal versions, all unless set: the next run has the next ones
    #[arg(long, default_value_t = u64::MAX)]
    equal_routes: u64,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let program = benchmark("mirror-labelled", "verdict")?;
    let numbers = [
        options.first,
        options.seeds,
        options.equal,
        options.simulated,
        options.equal_routes,
    ];
    let output = Command::new(program)
        .arg(&options.service)
        .args(numbers.map(|number| number.to_string()))
        .stderr(Stdio::inherit())
        .output()
        .context("starting the benchmark")?;
    ensure!(
        output.status.success(),
        "the benchmark ended with {}",
        output.status
    );
    let figures: Value = serde_json::from_slice(&output.stdout).context("its figures")?;
    if options.json {
        say!("{figures:#}");
        return Ok(());
    }
    rows(&figures);
    simulations(&figures["simulations"]);
    say!("{} seconds", figures["seconds"]);
    Ok(())
}

fn rows(figures: &Value) {
    let (routes, requests) = (&figures["routes"], &figures["requests_a_route"]);
    say!(
        "{}, {routes} routes; {} requests of each with changes, {} of equal versions on {} routes",
        figures["service"].as_str().unwrap_or(""),
        requests["changed"],
        requests["equal"],
        figures["routes_of_equal"]
    );
    say!(
        "{:<40} {:>9} {:>8} {:>10} {:>11} {:>12} {:>14} {:>8}",
        "",
        "precision",
        "recall",
        "false FAIL",
        "equal: PASS",
        "rare: HOLD",
        "undecided",
        "notes"
    );
    for row in figures["rows"].as_array().into_iter().flatten() {
        let share = |name: &str| match row["findings"].as_u64() {
            Some(0) if name == "precision" => "-".into(),
            _ => format!("{:.4}", row[name].as_f64().unwrap_or(0.0)),
        };
        let of = |part: &Value, all: &Value| match all.as_u64() {
            None | Some(0) => "-".into(),
            Some(all) => format!("{}/{all}", part.as_u64().unwrap_or(0)),
        };
        let (equal, rare) = (&row["equal"], &row["rare"]);
        let rares = |name: &str| rare[name].as_u64().unwrap_or(0);
        let all = rares("undecided") + rares("found") + rares("not_told");
        say!(
            "{:<40} {:>9} {:>8} {:>10} {:>11} {:>12} {:>14} {:>8}",
            row["name"].as_str().unwrap_or(""),
            share("precision"),
            share("recall"),
            of(&equal["failed"], &equal["runs"]),
            of(&equal["passed"], &equal["runs"]),
            of(&rare["on_hold"], &rare["runs"]),
            of(&rare["undecided"], &all.into()),
            row["notes"].as_array().map_or(0, Vec::len)
        );
    }
}

fn simulations(figures: &Value) {
    say!("\nsimulations");
    for (name, value) in figures.as_object().into_iter().flatten() {
        say!("  {:<22}{value}", name.replace('_', " "));
    }
}
