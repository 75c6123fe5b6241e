//! `cargo xtask bench replay`: what full mirroring costs (both directions captured, replayed, compared, ledger on) and what
//! production's clients notice of it, beside capture alone, nothing at all and, where it is installed, GoReplay.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mirror_tests::agent::Agent;
use mirror_tests::net::Host;
use mirror_tests::nginx::Nginx;
use mirror_tests::paced::{Paced, Plan, Routes};
use mirror_tests::process::{Process, Signal};
use mirror_tests::stage::{PRODUCTION_PORT as PORT, Stage};
use mirror_tests::workspace::Profile;
use mirror_tests::wrk::Wrk;
use serde::Serialize;

use super::machine::{self, cpu_seconds, peak_memory_kib};
use crate::cargo::build_programs;
use crate::install::{self, IP, NGINX, SETPRIV, WRK};
use crate::say::{note, say};

const BODY: &str = r#"{"id":17,"name":"kettle","price":"24.90","stock":12,"tags":["kitchen","electric","1.7 l"],"supplier":{"id":4,"name":"Nordic Home","country":"SE"},"updatedAt":"2026-03-01T12:00:00Z"}"#;
/// Connections of the load that goes as fast as it can.
const CONNECTIONS: u32 = 64;
/// The last answers are on their way through the pipeline, and their cost belongs to them.
const SETTLING: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(long)]
    json: bool,
    /// Requests per second of the runs at a fixed rate (repeatable)
    #[arg(long, default_values_t = [10_000, 20_000])]
    rate: Vec<u32>,
    /// Seconds of each load
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// Processes of production, and threads of its clients at saturation; one for each CPU unless set. With one alone, what the
    /// agent takes of its CPU leaves the others idle
    #[arg(long)]
    workers: Option<u32>,
    /// How often everything is run, in turn; the table shows medians
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Further options of the agent, as in --agent='--ring-size 16MiB' (for all of its runs)
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    agent: String,
}

impl Options {
    fn workers(&self) -> u32 {
        let cpus = || std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32);
        self.workers.unwrap_or_else(cpus)
    }
}

/// What runs beside production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Tool {
    Nothing,
    Capture,
    Replay,
    GoReplay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Load {
    Rate(u32),
    Saturation,
}

#[derive(Clone, Debug, Serialize)]
struct Figures {
    tool: Tool,
    load: Load,
    /// Production's answers a second.
    per_second: f64,
    /// Service time of production, as its clients see it, in milliseconds.
    p50_ms: Option<f64>,
    p99_ms: f64,
    /// Of production's requests, percent.
    mirrored: Option<f64>,
    /// Of the tool, CPU seconds for 100,000 requests of production.
    cpu_per_100k: Option<f64>,
    /// As the kernel counts it.
    peak_mib: Option<f64>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    install::ensure(&[IP, SETPRIV, NGINX, WRK])?;
    build_programs()?;
    let goreplay = machine::goreplay();
    let tools = [Tool::Nothing, Tool::Capture, Tool::Replay, Tool::GoReplay];
    let loads: Vec<Load> = options.rate.iter().copied().map(Load::Rate).collect();
    let loads = [loads, vec![Load::Saturation]].concat();
    let mut all = Vec::new();
    for round in 1..=options.rounds {
        for load in &loads {
            for tool in tools {
                if tool == Tool::GoReplay && goreplay.is_none() {
                    continue;
                }
                note!("round {round} of {}: {tool:?}, {load:?} …", options.rounds);
                let measured = Trial::new(options, tool, *load, goreplay).run();
                all.push(measured.with_context(|| format!("{tool:?}, {load:?}"))?);
            }
        }
    }
    let medians = medians(&all, &loads, &tools);
    if options.json {
        say!(
            "{:#}",
            serde_json::json!({ "medians": medians, "all": all })
        );
    } else {
        print(&medians);
    }
    Ok(())
}

struct Trial<'o> {
    options: &'o Options,
    tool: Tool,
    load: Load,
    goreplay: Option<&'static str>,
}

/// The program beside production, while it runs.
enum Beside {
    Nothing,
    Agent(Agent),
    Process(Process),
}

impl Beside {
    fn id(&self) -> Option<u32> {
        match self {
            Self::Nothing => None,
            Self::Agent(agent) => Some(agent.id()),
            Self::Process(process) => Some(process.id()),
        }
    }

    fn end(self) -> Result<()> {
        match self {
            Self::Nothing => {}
            Self::Agent(agent) => {
                let report = agent.stop()?.report;
                let sum = report.outcomes.values().sum::<u64>();
                ensure!(sum == report.seen, "the ledger does not add up: {report:?}");
            }
            Self::Process(mut process) => {
                process.signal(Signal::INT)?;
                process.wait(Duration::from_secs(20))?;
            }
        }
        Ok(())
    }
}

impl<'o> Trial<'o> {
    fn new(options: &'o Options, tool: Tool, load: Load, goreplay: Option<&'static str>) -> Self {
        Self {
            options,
            tool,
            load,
            goreplay,
        }
    }

    fn run(self) -> Result<Figures> {
        let stage = Stage::with(Profile::Release)?
            .production(Nginx::answering(BODY).with_workers(self.options.workers()))?
            .mirror(Nginx::answering(BODY))?;
        let beside = self.start(&stage)?;
        let (per_second, p50_ms, p99_ms) = self.drive(&stage)?;
        std::thread::sleep(SETTLING);
        let cpu = beside.id().map(cpu_seconds).transpose()?;
        let peak = beside.id().map(peak_memory_kib).transpose()?;
        beside.end()?;
        let served = stage.production.finish()?.len() as f64;
        let mirrored = stage.mirror.finish()?.len() as f64;
        ensure!(served > 0.0, "production served nothing");
        let replays = matches!(self.tool, Tool::Replay | Tool::GoReplay);
        Ok(Figures {
            tool: self.tool,
            load: self.load,
            per_second,
            p50_ms,
            p99_ms,
            mirrored: replays.then_some(mirrored / served * 100.0),
            cpu_per_100k: cpu.map(|seconds| seconds * 100_000.0 / served),
            peak_mib: peak.map(|kib| kib as f64 / 1024.0),
        })
    }

    fn start(&self, stage: &Stage<Nginx, Nginx>) -> Result<Beside> {
        let options: Vec<&str> = self.options.agent.split_whitespace().collect();
        Ok(match self.tool {
            Tool::Nothing => Beside::Nothing,
            Tool::Capture => Beside::Agent(stage.observer(&options)?),
            Tool::Replay => Beside::Agent(stage.agent(&options)?),
            Tool::GoReplay => {
                let program = self.goreplay.context("goreplay is not there")?;
                let mut command = stage.network.command(Host::Production, program);
                command.args(["--input-raw", &format!(":{PORT}"), "--output-http"]);
                command.arg(stage.mirror.url());
                let process = Process::spawn(program, command, stage.scratch.path())?;
                // It does not say when it listens.
                std::thread::sleep(Duration::from_secs(2));
                Beside::Process(process)
            }
        })
    }

    /// Requests a second, and the service time's median, where the load tool tells it, and 99th percentile.
    fn drive(&self, stage: &Stage<Nginx, Nginx>) -> Result<(f64, Option<f64>, f64)> {
        let seconds = self.options.seconds;
        let url = stage.production.url();
        match self.load {
            Load::Saturation => {
                let threads = (self.options.workers(), CONNECTIONS);
                let load = Wrk::start(&stage.network, &url, threads, seconds, &stage.scratch)?;
                let rate = load.finish()?;
                Ok((rate.per_second, None, rate.p99_ms))
            }
            Load::Rate(per_second) => {
                let plan = Plan {
                    requests: per_second * seconds,
                    per_second,
                    routes: Routes::One,
                    label: "",
                };
                let load = Paced::start(&stage.network, &url, plan, &stage.scratch)?;
                let sent = load.finish()?;
                if sent.failed > 0 {
                    bail!("production failed: {}", sent.told());
                }
                let took = sent.json["took_ms"].as_f64().unwrap_or(0.0).max(1.0);
                let ms = |share| sent.latency.percentile(share);
                Ok((sent.ok as f64 * 1000.0 / took, Some(ms(0.5)), ms(0.99)))
            }
        }
    }
}

fn medians(all: &[Figures], loads: &[Load], tools: &[Tool]) -> Vec<Figures> {
    let mut medians = Vec::new();
    for load in loads {
        for tool in tools {
            let runs: Vec<&Figures> = all
                .iter()
                .filter(|run| run.tool == *tool && run.load == *load)
                .collect();
            let median = |of: fn(&Figures) -> Option<f64>| {
                let mut values: Vec<f64> = runs.iter().filter_map(|run| of(run)).collect();
                values.sort_by(f64::total_cmp);
                values.get(values.len() / 2).copied()
            };
            if runs.is_empty() {
                continue;
            }
            medians.push(Figures {
                tool: *tool,
                load: *load,
                per_second: median(|run| Some(run.per_second)).unwrap_or(0.0),
                p50_ms: median(|run| run.p50_ms),
                p99_ms: median(|run| Some(run.p99_ms)).unwrap_or(0.0),
                mirrored: median(|run| run.mirrored),
                cpu_per_100k: median(|run| run.cpu_per_100k),
                peak_mib: median(|run| run.peak_mib),
            });
        }
    }
    medians
}

fn print(medians: &[Figures]) {
    say!(
        "{:<12} {:<9} {:>10} {:>8} {:>8} {:>10} {:>9} {:>9}",
        "load",
        "beside",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "mirrored %",
        "CPU/100k",
        "peak MiB"
    );
    for run in medians {
        let load = match run.load {
            Load::Rate(rate) => format!("{rate}/s"),
            Load::Saturation => "saturation".into(),
        };
        let shown = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "–".into(), |value| format!("{value:.digits$}"))
        };
        say!(
            "{load:<12} {:<9} {:>10.0} {:>8} {:>8.2} {:>10} {:>9} {:>9}",
            format!("{:?}", run.tool).to_lowercase(),
            run.per_second,
            shown(run.p50_ms, 2),
            run.p99_ms,
            shown(run.mirrored, 2),
            shown(run.cpu_per_100k, 2),
            shown(run.peak_mib, 0),
        );
    }
}
