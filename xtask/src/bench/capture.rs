//! `cargo xtask bench capture`: what capture costs, and what production notices of an agent that is
//! stopped, killed, or whose interfaces come and go. All trials run on hosts of their own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aya::programs::loaded_programs;
use aya::sys::{Stats, enable_stats};
use clap::ValueEnum;
use mirror_tests::agent::Agent;
use mirror_tests::net::{Host, INTERFACE};
use mirror_tests::nginx::Nginx;
use mirror_tests::process::{Process, Signal};
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::{PRODUCTION_PORT as PORT, Stage};
use mirror_tests::workspace::Profile;
use mirror_tests::wrk::{Rate, Wrk};
use serde_json::{Value, json};

use super::machine::{self, cpu_seconds, machine_cpu_seconds, memory_kib, peak_memory_kib};
use super::program;
use crate::cargo::build_programs;
use crate::install::{self, IP, NGINX, SETPRIV, TCPDUMP, WRK};
use crate::say::{note, say};

/// Nobody listens there: every packet is filtered out by its port.
const OTHER_PORT: u16 = 9;
const CONNECTIONS: u32 = 64;
const SMALL: &str = r#"{"id":17,"name":"kettle","price":"24.90","stock":12}"#;

#[derive(clap::Args)]
pub(super) struct Trials {
    #[arg(long)]
    json: bool,
    /// Only these trials (repeatable)
    #[arg(long, value_enum)]
    only: Vec<Trial>,
    /// Seconds of each load
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// How often the agent is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Seconds of interfaces that come and go
    #[arg(long, default_value_t = 60)]
    churn: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Trial {
    /// Nanoseconds a packet in the kernel program
    Price,
    /// Production's rate at saturation: alone, with capture, with tcpdump and, where it is installed, GoReplay
    Saturation,
    /// The agent is stopped for two seconds under load
    Stop,
    /// The agent is killed again and again under load
    Kill,
    /// Interfaces come and go under load
    Churn,
}

pub(super) fn run(trials: &Trials) -> Result<()> {
    install::ensure(&[IP, SETPRIV, NGINX, WRK, TCPDUMP])?;
    build_programs()?;
    let all = Trial::value_variants().iter().copied();
    let mut figures = serde_json::Map::new();
    for trial in all.filter(|trial| trials.only.is_empty() || trials.only.contains(trial)) {
        let name = format!("{trial:?}").to_lowercase();
        note!("{name} …");
        let found = match trial {
            Trial::Price => price(trials.seconds),
            Trial::Saturation => saturation(trials.seconds),
            Trial::Stop => stop(trials.seconds),
            Trial::Kill => kill(trials.kills),
            Trial::Churn => churn(trials.churn),
        };
        let found = found.with_context(|| name.clone())?;
        if !trials.json {
            say!("{name}\n{found:#}");
        }
        figures.insert(name, found);
    }
    if trials.json {
        say!("{:#}", Value::Object(figures));
    }
    Ok(())
}

fn stage(body: &str) -> Result<Stage<Nginx>> {
    Stage::with(Profile::Release)?.production(Nginx::answering(body))
}

/// `scratch` is its own and lives as long as it does: a log tells when its own agent is attached.
fn agent(stage: &Stage<Nginx>, port: u16, args: &[&str], scratch: &Scratch) -> Result<Agent> {
    Agent::observe(&stage.network, port, args, Profile::Release, scratch)
}

fn load(stage: &Stage<Nginx>, seconds: u32) -> Result<Wrk> {
    let url = stage.production.url();
    Wrk::start(
        &stage.network,
        &url,
        (1, CONNECTIONS),
        seconds,
        &stage.scratch,
    )
}

/// Mean time of a run, for packets in and out, while wrk drives nginx as fast as it can.
fn price(seconds: u32) -> Result<Value> {
    let cases = [
        ("filtered_out", SMALL.to_owned(), OTHER_PORT),
        ("200_bytes", SMALL.to_owned(), PORT),
        ("16_kib", "x".repeat(16 << 10), PORT),
    ];
    let mut figures = serde_json::Map::new();
    for (name, body, port) in cases {
        let stage = stage(&body)?;
        let scratch = Scratch::new()?;
        let agent = agent(&stage, port, &[], &scratch)?;
        let counting = enable_stats(Stats::RunTime).context("having the kernel count run times")?;
        let rate = load(&stage, seconds)?.finish()?;
        let mut runs = serde_json::Map::new();
        for program in ["mirror_ingress", "mirror_egress"] {
            runs.insert(program.into(), mean_run(program)?);
        }
        drop(counting);
        let report = agent.stop()?.report;
        runs.insert("requests_per_second".into(), json!(rate.per_second));
        runs.insert(
            "ring_full".into(),
            report.json["capture"]["ring_full"].clone(),
        );
        figures.insert(name.into(), runs.into());
    }
    Ok(json!({
        "test_run_nanoseconds": program::test_runs()?,
        "under_load": figures,
    }))
}

fn mean_run(name: &str) -> Result<Value> {
    let ours = loaded_programs()
        .flatten()
        .filter(|info| info.name_as_str() == Some(name))
        .max_by_key(|info| info.run_count())
        .with_context(|| format!("no program {name} is loaded"))?;
    let nanos = ours.run_time().as_nanos() as f64 / ours.run_count().max(1) as f64;
    Ok(json!({ "nanoseconds_a_packet": nanos.round(), "packets": ours.run_count() }))
}

/// The same load on production alone, with capture, and with other tools that capture.
fn saturation(seconds: u32) -> Result<Value> {
    let alone = {
        let stage = stage(SMALL)?;
        measured(&stage, seconds)?.0
    };
    let (captured, seen) = {
        let stage = stage(SMALL)?;
        let scratch = Scratch::new()?;
        let agent = agent(&stage, PORT, &[], &scratch)?;
        let (mut captured, _) = measured(&stage, seconds)?;
        std::thread::sleep(Duration::from_secs(1));
        captured["agent_cpu_seconds_per_100k"] =
            json!(per_100k(cpu_seconds(agent.id())?, &captured));
        captured["agent_peak_mib"] = json!(peak_memory_kib(agent.id())? / 1024);
        captured["agent_pss_mib"] = json!(memory_kib(agent.id())? / 1024);
        let report = agent.stop()?.report;
        captured["seen"] = json!(report.seen);
        captured["outcomes"] = json!(report.outcomes);
        captured["ring_full"] = report.json["capture"]["ring_full"].clone();
        captured["production_count"] = json!(stage.production.finish()?.len());
        (captured, report.seen)
    };
    let filter = format!("tcp port {PORT}");
    let dumped = beside(
        "tcpdump",
        &["-i", INTERFACE, "-w", "/dev/null", &filter],
        seconds,
    )?;
    let goreplay = goreplay(seconds)?;
    ensure!(seen > 0, "nothing was captured");
    let share = |of: &Value| {
        let rate = |v: &Value| v["requests_per_second"].as_f64().unwrap_or(0.0);
        ((rate(of) / rate(&alone)) * 1000.0).round() / 10.0
    };
    Ok(json!({
        "percent_of_alone": { "capture": share(&captured), "tcpdump": share(&dumped),
            "goreplay": goreplay.as_ref().map(&share) },
        "alone": alone, "capture": captured, "tcpdump": dumped, "goreplay": goreplay,
    }))
}

/// GoReplay, which reads a packet socket; None where it is not installed.
fn goreplay(seconds: u32) -> Result<Option<Value>> {
    let Some(program) = machine::goreplay() else {
        return Ok(None);
    };
    let scratch = Scratch::new()?;
    let file = scratch.join("requests.gor");
    let (input, output) = (format!(":{PORT}"), file.display().to_string());
    let args = [
        "--input-raw",
        &input,
        "--output-file",
        &output,
        "--output-file-append",
    ];
    let mut figures = beside(program, &args, seconds)?;
    // Each request in its file ends with a line of three monkeys.
    let written = std::fs::read(&file).context("reading what goreplay wrote")?;
    let separator = "\n🐵🙈🙉\n".as_bytes();
    let ends = written.windows(separator.len());
    figures["requests_captured"] = json!(ends.filter(|bytes| *bytes == separator).count());
    Ok(Some(figures))
}

/// The load on production while another tool captures there.
fn beside(program: &str, args: &[&str], seconds: u32) -> Result<Value> {
    let stage = stage(SMALL)?;
    let mut command = stage.network.command(Host::Production, program);
    command.args(args);
    let mut tool = Process::spawn(program, command, stage.scratch.path())?;
    // Each tool tells in words of its own when it listens.
    std::thread::sleep(Duration::from_secs(2));
    let (mut figures, _) = measured(&stage, seconds)?;
    std::thread::sleep(Duration::from_secs(1));
    figures["tool_cpu_seconds_per_100k"] = json!(per_100k(cpu_seconds(tool.id())?, &figures));
    figures["tool_peak_mib"] = json!(peak_memory_kib(tool.id())? / 1024);
    tool.signal(Signal::INT)?;
    tool.wait(Duration::from_secs(20))?;
    let log = tool.log();
    figures["told"] = json!(
        log.lines()
            .filter(|line| line.contains(" packets "))
            .collect::<Vec<_>>()
    );
    figures["production_count"] = json!(stage.production.finish()?.len());
    Ok(figures)
}

fn measured(stage: &Stage<Nginx>, seconds: u32) -> Result<(Value, Rate)> {
    let before = machine_cpu_seconds()?;
    let rate = load(stage, seconds)?.finish()?;
    let machine = machine_cpu_seconds()? - before;
    let mut figures = json!({
        "requests": rate.requests,
        "requests_per_second": rate.per_second,
        "p99_ms": rate.p99_ms,
        "errors": rate.errors,
    });
    figures["machine_cpu_seconds_per_100k"] = json!(per_100k(machine, &figures));
    Ok((figures, rate))
}

fn per_100k(seconds: f64, figures: &Value) -> f64 {
    let requests = figures["requests"].as_f64().unwrap_or(1.0).max(1.0);
    (seconds * 100_000.0 / requests * 1000.0).round() / 1000.0
}

/// A ring that two seconds of saturation overrun: what is lost must be counted, exactly.
fn stop(seconds: u32) -> Result<Value> {
    let alone = measured(&stage(SMALL)?, seconds)?.0;
    let reading = {
        let stage = stage(SMALL)?;
        let scratch = Scratch::new()?;
        let _agent = agent(&stage, PORT, &["--ring-size", "4MiB"], &scratch)?;
        measured(&stage, seconds)?.0
    };
    let stage = stage(SMALL)?;
    let scratch = Scratch::new()?;
    let agent = agent(&stage, PORT, &["--ring-size", "4MiB"], &scratch)?;
    let before = machine_cpu_seconds()?;
    let load = load(&stage, seconds)?;
    std::thread::sleep(Duration::from_secs(1));
    agent.signal(Signal::STOP)?;
    std::thread::sleep(Duration::from_secs(2));
    agent.signal(Signal::CONT)?;
    let rate = load.finish()?;
    let machine = machine_cpu_seconds()? - before;
    std::thread::sleep(Duration::from_secs(1));
    let report = agent.stop()?.report;
    let served = stage.production.finish()?.len() as u64;
    let figures = json!({
        "alone": alone,
        "captured": reading,
        "stopped": { "requests_per_second": rate.per_second, "p99_ms": rate.p99_ms, "errors": rate.errors,
            "machine_cpu_seconds": machine },
        "production_count": served,
        "seen": report.seen,
        "lost": report.outcome("lost: ring full"),
        "outcomes": report.outcomes,
    });
    if report.seen != served {
        bail!(
            "production served {served}, the ledger has {}: {figures:#}",
            report.seen
        );
    }
    Ok(figures)
}

/// Kills capturing agents under load, each after another fraction of a second.
fn kill(kills: u32) -> Result<Value> {
    let stage = stage(SMALL)?;
    let began = Instant::now();
    // Longer than the kills can take; ended when they are done.
    let mut errors = 0;
    let mut done = 0;
    let mut loads = 0;
    while done < kills {
        let load = load(&stage, 20)?;
        let until = Instant::now() + Duration::from_secs(19);
        while done < kills && Instant::now() < until {
            let scratch = Scratch::new()?;
            let mut agent = agent(&stage, PORT, &["--ring-size", "1MiB"], &scratch)?;
            std::thread::sleep(Duration::from_millis(u64::from(done * 37 % 101)));
            agent.kill();
            done += 1;
        }
        errors += load.finish()?.errors;
        loads += 1;
    }
    let attached = stage.network.on(Host::Production, || {
        let mut count = 0;
        for direction in [
            aya::programs::TcAttachType::Ingress,
            aya::programs::TcAttachType::Egress,
        ] {
            let (_, programs) = aya::programs::SchedClassifier::query_tcx(INTERFACE, direction)?;
            count += programs.len();
        }
        Ok(count)
    })?;
    ensure!(errors == 0, "production had {errors} errors");
    ensure!(attached == 0, "{attached} programs are still attached");
    Ok(json!({
        "kills": done, "loads": loads, "errors_of_production": errors,
        "programs_left": attached, "seconds": began.elapsed().as_secs(),
    }))
}

/// Interfaces come and go ten times a second; descriptors and programs must not grow.
fn churn(seconds: u32) -> Result<Value> {
    const INTERFACES: usize = 24;
    const HALF: Duration = Duration::from_millis(50);
    let stage = stage(SMALL)?;
    let network = &stage.network;
    // A glob that matches nothing is refused, so the first are there.
    network.add_loose_wires("wire", INTERFACES)?;
    let scratch = Scratch::new()?;
    let mut agent = agent(&stage, PORT, &["--interface", "wire*"], &scratch)?;
    network.remove_loose_wires("wire", INTERFACES)?;
    std::thread::sleep(Duration::from_secs(2));
    let load = load(&stage, seconds)?;
    let began = Instant::now();
    let (at_start, mut rounds) = (descriptors(&agent)?, 0);
    while began.elapsed() < Duration::from_secs(u64::from(seconds)) {
        network.add_loose_wires("wire", INTERFACES)?;
        std::thread::sleep(HALF);
        network.remove_loose_wires("wire", INTERFACES)?;
        std::thread::sleep(HALF);
        rounds += 1;
    }
    let rate = load.finish()?;
    std::thread::sleep(Duration::from_secs(2));
    let at_end = descriptors(&agent)?;
    let programs = loaded_programs()
        .flatten()
        .filter(|info| {
            info.name_as_str()
                .is_some_and(|name| name.starts_with("mirror_"))
        })
        .count();
    ensure!(agent.is_running(), "the agent ended");
    ensure!(
        at_end <= at_start,
        "descriptors grew from {at_start} to {at_end}"
    );
    let report = agent.stop()?.report;
    let served = stage.production.finish()?.len() as u64;
    Ok(json!({
        "rounds": rounds, "interfaces_come_and_gone": rounds * INTERFACES,
        "descriptors_at_start": at_start, "descriptors_at_end": at_end,
        "programs": programs, "errors_of_production": rate.errors,
        "production_count": served, "seen": report.seen,
    }))
}

fn descriptors(agent: &Agent) -> Result<usize> {
    let path = format!("/proc/{}/fd", agent.id());
    Ok(std::fs::read_dir(&path)
        .with_context(|| format!("reading {path}"))?
        .count())
}
