//! run, start, status, stop: the life of an agent.

use std::{
    fs::File,
    io::Read,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use mirror_agent::capture::clsact;
use mirror_agent::cli::FilterOptions;
use mirror_agent::config::Config;
use mirror_agent::control;
use mirror_agent::pipeline;
use mirror_agent::report::ReportData;
use mirror_core::filter::FilterChange;
use mirror_core::filter::FilterSettings;
use serde_json::Value;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::print_report;

const DIFFERENCES: u8 = 1;
const FAILED: u8 = 3;
/// How long `start` waits for its child to attach.
const START_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(config: Config) -> anyhow::Result<ExitCode> {
    let report = Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let (stop, _) = watch::channel(false);
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let stopper = stop.clone();
            tokio::spawn(async move {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                stopper.send_replace(true);
            });
            pipeline::run(config, stop).await
        })?;
    print_report(&report, false)?;
    Ok(verdict(&report))
}

fn verdict(report: &ReportData) -> ExitCode {
    // What was replayed without production's data proves nothing.
    let differs = report.differences.iter().any(|d| d.is_evidence);
    match &report.failed {
        Some(_) => ExitCode::from(FAILED),
        None if differs => ExitCode::from(DIFFERENCES),
        None => ExitCode::SUCCESS,
    }
}

/// Runs `run` with the same flags in a session of its own and waits until it captures.
pub(crate) fn start(config: Config) -> anyhow::Result<ExitCode> {
    config.require_capture()?;
    let runtime = single()?;
    if let Ok(status) = runtime.block_on(control::ask(&config.socket, "status")) {
        bail!(
            "an agent is already running (pid {}): end it with `mirror-agent stop`, or give this one another --socket",
            status["pid"]
        );
    }
    let log = config.socket.with_extension("log");
    let output =
        File::create(&log).with_context(|| format!("creating the log {}", log.display()))?;
    let mut command = Command::new(std::env::current_exe().context("finding this program")?);
    command
        .arg("run")
        .args(std::env::args_os().skip_while(|a| a != "start").skip(1))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    // SAFETY: setsid is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| match libc::setsid() {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    let child = command.spawn().context("starting the agent")?;
    wait_until_attached(child, &runtime, &config.socket, &log)
}

fn wait_until_attached(
    mut child: Child,
    runtime: &Runtime,
    socket: &Path,
    log: &Path,
) -> anyhow::Result<ExitCode> {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            let mut text = String::new();
            File::open(log)?.read_to_string(&mut text)?;
            eprint!("{text}");
            let code = status.code().and_then(|c| u8::try_from(c).ok());
            return Ok(ExitCode::from(code.filter(|c| *c != 0).unwrap_or(2)));
        }
        if runtime.block_on(control::ask(socket, "status")).is_ok() {
            println!(
                "mirror-agent is capturing (pid {}), log {}",
                child.id(),
                log.display()
            );
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
    bail!(
        "the agent did not attach within {START_TIMEOUT:?}; its log is {}",
        log.display()
    )
}

pub(crate) fn status(socket: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let status = single()?.block_on(control::ask(socket, "status"))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("pid {}", status["pid"]);
    for place in status["attached"].as_array().into_iter().flatten() {
        let text = |name: &str| place[name].as_str().unwrap_or("?");
        println!("attached to {} ({})", text("interface"), text("hook"));
    }
    println!("{:>12}  seen", status["ledger"]["seen"].to_string());
    for part in [
        &status["ledger"]["outcomes"],
        &status["snapshots"],
        &status["mirror_snapshots"],
        &status["capture"],
    ] {
        println!();
        for (name, value) in part.as_object().into_iter().flatten() {
            if value.as_u64().is_some_and(|count| count > 0) {
                println!("{:>12}  {name}", value.to_string());
            }
        }
    }
    for advice in status["advice"].as_array().into_iter().flatten() {
        println!("\n{}", advice.as_str().unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the filter, after the change if there is one.
pub(crate) fn filter(socket: &Path, filter: FilterOptions, json: bool) -> anyhow::Result<ExitCode> {
    let change = FilterChange {
        port: filter.port,
        allow_net: filter.allow_net,
        deny_net: filter.deny_net,
        sample: filter.sample,
        sample_seed: filter.sample_seed,
    };
    let order = format!("filter {}", serde_json::to_string(&change)?);
    let answer = single()?.block_on(control::ask(socket, &order))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&answer["filter"])?);
    } else {
        print_filter(&answer["filter"])?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn reload(socket: &Path) -> anyhow::Result<ExitCode> {
    let answer = single()?.block_on(control::ask(socket, "reload"))?;
    println!("interfaces  {}", answer["interfaces"]);
    print_filter(&answer["filter"])?;
    Ok(ExitCode::SUCCESS)
}

fn print_filter(filter: &Value) -> anyhow::Result<()> {
    let filter: FilterSettings = serde_json::from_value(filter.clone())?;
    let list = |networks: &[ipnet::IpNet], none: &str| match networks {
        [] => none.to_owned(),
        some => some
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    };
    println!("ports       {}", filter.ports);
    println!("allowed     {}", list(&filter.allow, "all networks"));
    println!("denied      {}", list(&filter.deny, "none"));
    println!("sample      {} (seed {})", filter.sample, filter.seed);
    Ok(())
}

pub(crate) fn stop(socket: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let answer = single()?.block_on(control::ask(socket, "stop"));
    // An agent that was killed cannot take its clsact filters away; without rights there are none to see.
    for removed in clsact::remove_all().unwrap_or_default() {
        eprintln!("removed what a killed agent left: {removed}");
    }
    let report = answer?;
    let report: ReportData =
        serde_json::from_value(report).context("the agent ended without a report: see its log")?;
    print_report(&report, json)?;
    Ok(verdict(&report))
}

fn single() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
