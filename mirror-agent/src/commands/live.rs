//! run, start, status, stop: the life of an agent.

use std::{
    fs::File,
    io::Read,
    os::unix::process::CommandExt,
    path::Path,
    pin::pin,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use mirror_agent::capture::tc::clsact;
use mirror_agent::config::{Config, Settings};
use mirror_agent::control::{Order, ask, create_log};
use mirror_agent::pipeline::{self, Ending};
use mirror_agent::report::ReportData;
use mirror_core::filter::FilterChange;
use mirror_core::filter::FilterSettings;
use mirror_core::options::Given;
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use super::print_report;
use super::progress::ProgressLine;
use crate::terminal;

const DIFFERENCES: u8 = 1;
const FAILED: u8 = 3;
/// What takes longer says how far it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long `start` waits for its child to attach.
const START_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(settings: Settings, json: bool) -> anyhow::Result<ExitCode> {
    let report = Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let ending = Ending::default();
            heed_signals(ending.clone())?;
            let mut line = ProgressLine::new();
            pipeline::run(settings, ending, move |progress| line.show(progress)).await
        })?;
    print_report(&report, json)?;
    Ok(verdict(&report))
}

/// The first signal ends the capture, the second one the draining.
fn heed_signals(ending: Ending) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for end in [&ending.stop, &ending.abort] {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            end.send_replace(true);
        }
    });
    Ok(())
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
pub(crate) fn start(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    config.require_capture()?;
    let runtime = single()?;
    let socket = &config.control.socket;
    if let Ok(status) = runtime.block_on(ask(socket, &Order::Status)) {
        bail!(
            "an agent is already running (pid {}): end it with `mirror-agent stop`, or give this one another --socket",
            status["pid"]
        );
    }
    let (log, output) = create_log(socket)?;
    let mut command = Command::new(std::env::current_exe().context("finding this program")?);
    let args = std::env::args_os().skip_while(|arg| arg != "start").skip(1);
    command
        .arg("run")
        .args(args.filter(|arg| arg != "--json"))
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
    let mut child = command.spawn().context("starting the agent")?;
    if let Some(code) = wait_until_attached(&mut child, &runtime, socket, &log)? {
        return Ok(code);
    }
    let (pid, log) = (child.id(), log.display());
    if json {
        let started = json!({ "pid": pid, "log": log.to_string(), "socket": socket });
        terminal::print_json(&started)?;
    } else {
        terminal::print(&format!(
            "mirror-agent is capturing (pid {pid}), log {log}\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns nothing when the child captures, and the exit code of one that ended.
fn wait_until_attached(
    child: &mut Child,
    runtime: &Runtime,
    socket: &Path,
    log: &Path,
) -> anyhow::Result<Option<ExitCode>> {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            let mut text = String::new();
            File::open(log)?.read_to_string(&mut text)?;
            terminal::note(text.trim_end());
            let code = status.code().and_then(|c| u8::try_from(c).ok());
            let code = ExitCode::from(code.filter(|c| *c != 0).unwrap_or(2));
            return Ok(Some(code));
        }
        if runtime.block_on(ask(socket, &Order::Status)).is_ok() {
            return Ok(None);
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
    let status = single()?.block_on(ask(socket, &Order::Status))?;
    if json {
        terminal::print_json(&status)?;
    } else {
        terminal::print(&status_text(&status))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn status_text(status: &Value) -> String {
    let mut lines = vec![format!("pid {}", status["pid"])];
    for place in status["attached"].as_array().into_iter().flatten() {
        let text = |name: &str| place[name].as_str().unwrap_or("?");
        lines.push(format!(
            "attached to {} ({})",
            text("interface"),
            text("hook")
        ));
    }
    lines.push(format!(
        "{:>12}  seen",
        status["ledger"]["seen"].to_string()
    ));
    for part in [
        &status["ledger"]["outcomes"],
        &status["snapshots"],
        &status["mirror_snapshots"],
        &status["capture"],
    ] {
        lines.push(String::new());
        for (name, value) in part.as_object().into_iter().flatten() {
            if value.as_u64().is_some_and(|count| count > 0) {
                lines.push(format!("{:>12}  {name}", value.to_string()));
            }
        }
    }
    for advice in status["advice"].as_array().into_iter().flatten() {
        lines.push(format!("\n{}", advice.as_str().unwrap_or_default()));
    }
    lines.join("\n") + "\n"
}

/// Shows the filter, after the change if there is one.
pub(crate) fn filter(socket: &Path, given: &Given, json: bool) -> anyhow::Result<ExitCode> {
    let change = FilterChange::from_given(given);
    let answer = single()?.block_on(ask(socket, &Order::Filter(change)))?;
    if json {
        terminal::print_json(&answer["filter"])?;
    } else {
        terminal::print(&filter_text(&answer["filter"])?)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn reload(socket: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let answer = single()?.block_on(ask(socket, &Order::Reload))?;
    if json {
        terminal::print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let names = |list: &Value| {
        let names = list.as_array().into_iter().flatten();
        names
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let changed = match names(&answer["changed"]) {
        nothing if nothing.is_empty() => "nothing".into(),
        keys => keys,
    };
    let interfaces = names(&answer["interfaces"]);
    let filter = filter_text(&answer["filter"])?;
    terminal::print(&format!(
        "changed     {changed}\ninterfaces  {interfaces}\n{filter}"
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn filter_text(filter: &Value) -> anyhow::Result<String> {
    let filter: FilterSettings = serde_json::from_value(filter.clone())?;
    let list = |networks: &[ipnet::IpNet], none: &str| match networks {
        [] => none.to_owned(),
        some => some
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    };
    Ok(format!(
        "ports       {}\nallowed     {}\ndenied      {}\nsample      {} (seed {})\n",
        filter.ports,
        list(&filter.allow, "all networks"),
        list(&filter.deny, "none"),
        filter.sample,
        filter.seed
    ))
}

pub(crate) fn stop(socket: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let answer = single()?.block_on(stop_and_wait(socket));
    // An agent that was killed cannot take its clsact filters away; without rights there are none to see.
    for removed in clsact::remove_all().unwrap_or_default() {
        terminal::note(&format!("removed what a killed agent left: {removed}"));
    }
    let report = answer?;
    let report: ReportData =
        serde_json::from_value(report).context("the agent ended without a report: see its log")?;
    print_report(&report, json)?;
    Ok(verdict(&report))
}

/// Says how far the draining is, where that takes a while.
async fn stop_and_wait(socket: &Path) -> anyhow::Result<Value> {
    let mut stopping = pin!(ask(socket, &Order::Stop));
    loop {
        tokio::select! {
            answer = &mut stopping => return answer,
            () = sleep(PATIENCE) => {
                // Its last answers may come after it has closed its socket.
                if let Ok(status) = ask(socket, &Order::Status).await {
                    let in_flight = in_flight(&status["ledger"]);
                    terminal::note(&format!("draining: {in_flight} in flight"));
                }
            }
        }
    }
}

fn in_flight(ledger: &Value) -> u64 {
    let outcomes = ledger["outcomes"].as_object().into_iter().flatten();
    let ended: u64 = outcomes.filter_map(|(_, count)| count.as_u64()).sum();
    ledger["seen"].as_u64().unwrap_or(0).saturating_sub(ended)
}

fn single() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
