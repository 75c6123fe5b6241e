//! `cargo xtask bench main`: a constant rate of keep-alive requests on nginx as production, mirrored to
//! a second nginx. Is production's own count the ledger's, does the ledger add up, and what does the
//! agent cost?

use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirror_tests::net::{Host, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::process::Process;
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::Stage;
use mirror_tests::workspace::Profile;
use serde_json::{Value, json};

use super::machine::{cpu_seconds, memory_kib, peak_memory_kib};
use crate::cargo::build_programs;
use crate::install::{self, H2LOAD, IP, NGINX, SETPRIV};
use crate::say::say;

const CONNECTIONS: u32 = 10;
const BODY: &str = r#"{"id":17,"name":"kettle","price":"24.90","stock":12}"#;

#[derive(clap::Args)]
pub(super) struct Load {
    #[arg(long)]
    json: bool,
    /// Requests per second
    #[arg(long, default_value_t = 5000)]
    rate: u32,
    /// Seconds of load
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

pub(super) fn run(load: &Load) -> Result<()> {
    install::ensure(&[IP, SETPRIV, NGINX, H2LOAD])?;
    build_programs()?;
    let figures = measure(load.rate, load.seconds)?;
    if load.json {
        say!("{figures:#}");
    } else {
        for (name, value) in figures.as_object().into_iter().flatten() {
            say!("{:<28}{value}", name.replace('_', " "));
        }
    }
    let all_counted = figures["production_count"] == figures["seen"]
        && figures["sum_of_outcomes"] == figures["seen"];
    if !all_counted {
        bail!("not every request is accounted for");
    }
    Ok(())
}

fn measure(rate: u32, seconds: u32) -> Result<Value> {
    let stage = Stage::with(Profile::Release)?
        .production(Nginx::answering(BODY))?
        .mirror(Nginx::answering(BODY))?;
    let agent = stage.agent(&[])?;

    let url = stage.production.url();
    let load = send(&stage.network, &url, rate, seconds, &stage.scratch)?;
    // The last answers are on their way through the pipeline, and their cost belongs to them.
    std::thread::sleep(Duration::from_secs(2));
    let (cpu, peak) = (cpu_seconds(agent.id())?, peak_memory_kib(agent.id())?);
    let memory = memory_kib(agent.id())?;
    let finished = agent.stop()?;
    let report = finished.report;
    Ok(json!({
        "rate": rate,
        "seconds": seconds,
        "load_tool": load,
        "production_count": stage.production.finish()?.len(),
        "seen": report.seen,
        "sum_of_outcomes": report.outcomes.values().sum::<u64>(),
        "outcomes": report.outcomes,
        "mirror_count": stage.mirror.finish()?.len(),
        "agent_cpu_seconds": cpu,
        "cpu_seconds_per_100k": round(cpu * 100_000.0 / report.seen.max(1) as f64),
        "peak_rss_mib": peak / 1024,
        "pss_mib": memory / 1024,
        "capture": report.json["capture"],
    }))
}

/// h2load, because it holds a rate; the line in which it sums up.
fn send(
    network: &Network,
    url: &str,
    rate: u32,
    seconds: u32,
    scratch: &Scratch,
) -> Result<String> {
    let mut command = network.command(Host::Client, "h2load");
    command
        .args([
            "--h1",
            "--clients",
            &CONNECTIONS.to_string(),
            "--rps",
            &(rate / CONNECTIONS).to_string(),
        ])
        .args(["--requests", &(rate * seconds).to_string()])
        .arg(format!("{url}/products/17"));
    let mut load = Process::spawn("load", command, scratch.path())?;
    load.wait(Duration::from_secs(u64::from(seconds) * 2 + 30))?;
    let log = load.log();
    let summary = log.lines().find(|line| line.starts_with("requests:"));
    summary
        .map(str::to_owned)
        .with_context(|| format!("h2load gave no summary:\n{log}"))
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
