//! `cargo xtask bench snapshot`: what snapshots cost production's requests, ids, and thousands of waits. The measured program
//! is the benchmark of the same name in `mirror-snapshot`, with a Redis of its own.

use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo::cargo;
use crate::say::say;

#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    // Free again at once, and nobody else's for the moment that Redis needs to take it.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let output = cargo()
        .args([
            "bench",
            "--quiet",
            "--package",
            "mirror-snapshot",
            "--bench",
            "snapshot",
        ])
        .env("MIRROR_BENCH_REDIS_PORT", port.to_string())
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("running the benchmark")?;
    ensure!(output.status.success(), "the benchmark failed");
    let text = String::from_utf8(output.stdout)?;
    let figures: Value = serde_json::from_str(text.trim()).context("what the benchmark said")?;
    if options.json {
        say!("{figures:#}");
        return Ok(());
    }
    say!("{:<60}{:>14}", "ids on one core", "a second");
    for ids in list(&figures["ids"]) {
        let rule = ids["rule"].as_str().unwrap_or_default();
        say!("  {rule:<58}{:>14.0}", number(&ids["per_second"]));
    }
    say!(
        "\n{:<28}{:>10}{:>10}{:>10}   became of 20,000",
        "request path, µs; the store",
        "p50",
        "p99",
        "max"
    );
    for path in list(&figures["request_path"]) {
        let counts = path["counts"].as_object().into_iter().flatten();
        let counts = counts.filter(|(_, count)| count.as_u64() != Some(0));
        let counts: Vec<_> = counts
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        say!(
            "  {:<26}{:>10.1}{:>10.1}{:>10.1}   {}",
            path["store"].as_str().unwrap_or_default(),
            number(&path["p50_us"]),
            number(&path["p99_us"]),
            number(&path["max_us"]),
            counts.join(", ")
        );
    }
    let waits = &figures["waits"];
    say!(
        "\n{} ids waiting: {:.1}% of a core, {:.0} commands a second for {:.0} looks a second",
        waits["waiting"],
        100.0 * number(&waits["share_of_a_core"]),
        number(&waits["commands_per_second"]),
        number(&waits["looks_per_second"])
    );
    Ok(())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}
