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
use mirror_agent::control::answers::{FilterAnswer, PauseAnswer, ReloadAnswer};
use mirror_agent::control::{self, Order, create_log};
use mirror_agent::pipeline::{self, Ending};
use mirror_agent::report::table::terminal_width;
use mirror_agent::report::{ReportData, Status, status_text};
use mirror_core::filter::{FilterChange, FilterSettings};
use mirror_core::options::Given;
use mirror_core::verdict::NOT_STARTED;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use super::print_report;
use super::progress::ProgressLine;
use crate::terminal;

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
            pipeline::run(settings, ending, move |event| line.show(event)).await
        })?;
    print_report(&report, json)?;
    Ok(exit_code(&report))
}

/// The first signal ends the capture, the second one the draining.
pub(super) fn heed_signals(ending: Ending) -> anyhow::Result<()> {
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

pub(super) fn exit_code(report: &ReportData) -> ExitCode {
    ExitCode::from(report.results.verdict.decision.exit_code())
}

/// Runs `run` with the same flags in a session of its own and waits until it captures.
pub(crate) fn start(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    config.require_capture()?;
    let runtime = single()?;
    let socket = &config.control.socket;
    if let Ok(status) = runtime.block_on(ask::<Status>(socket, &Order::Status)) {
        bail!(
            "an agent is already running (pid {}): end it with `mirror-agent stop`, or give this one another --socket",
            status.pid
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
            let code = ExitCode::from(code.filter(|c| *c != 0).unwrap_or(NOT_STARTED));
            return Ok(Some(code));
        }
        if runtime
            .block_on(control::ask(socket, &Order::Status))
            .is_ok()
        {
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
    let status: Status = single()?.block_on(ask(socket, &Order::Status))?;
    if json {
        terminal::print_json(&status)?;
    } else {
        terminal::print_report(&status_text(&status, terminal_width()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the running agent for what it answers to `order`.
pub(super) async fn ask<T: DeserializeOwned>(socket: &Path, order: &Order) -> anyhow::Result<T> {
    let answer = control::ask(socket, order).await?;
    serde_json::from_value(answer)
        .context("the agent's answer cannot be read: is it of another version?")
}

/// Shows the filter, after the change if there is one.
pub(crate) fn filter(socket: &Path, given: &Given, json: bool) -> anyhow::Result<ExitCode> {
    let change = FilterChange::from_given(given);
    let answer: FilterAnswer = single()?.block_on(ask(socket, &Order::Filter(change)))?;
    if json {
        terminal::print_json(&answer.filter)?;
    } else {
        terminal::print(&filter_text(&answer.filter))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Pauses or resumes.
pub(crate) fn pause(socket: &Path, order: &Order, json: bool) -> anyhow::Result<ExitCode> {
    let answer: PauseAnswer = single()?.block_on(ask(socket, order))?;
    if json {
        terminal::print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    terminal::print(if answer.paused {
        "paused: what comes from now on is not replayed; `mirror-agent resume` goes on\n"
    } else {
        "what comes from now on is replayed\n"
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn reload(socket: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let answer: ReloadAnswer = single()?.block_on(ask(socket, &Order::Reload))?;
    if json {
        terminal::print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let changed = match answer.changed.as_slice() {
        [] => "nothing".into(),
        keys => keys.join(", "),
    };
    let interfaces = answer.interfaces.join(", ");
    let filter = filter_text(&answer.filter);
    terminal::print(&format!(
        "changed     {changed}\ninterfaces  {interfaces}\n{filter}"
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn filter_text(filter: &FilterSettings) -> String {
    let list = |networks: &[ipnet::IpNet], none: &str| match networks {
        [] => none.to_owned(),
        some => some
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!(
        "ports       {}\nallowed     {}\ndenied      {}\nsample      {} (seed {})\n",
        filter.ports,
        list(&filter.allow, "all networks"),
        list(&filter.deny, "none"),
        filter.sample,
        filter.seed
    )
}

pub(crate) fn stop(socket: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let answer = single()?.block_on(stop_and_wait(socket));
    // An agent that was killed cannot take its clsact filters away; without rights there are none to see.
    for removed in clsact::remove_all().unwrap_or_default() {
        terminal::note(&format!("removed what a killed agent left: {removed}"));
    }
    let report = answer?;
    print_report(&report, json)?;
    Ok(exit_code(&report))
}

/// Says how far the draining is, where that takes a while.
async fn stop_and_wait(socket: &Path) -> anyhow::Result<ReportData> {
    let mut stopping = pin!(control::ask(socket, &Order::Stop));
    loop {
        tokio::select! {
            answer = &mut stopping => {
                return serde_json::from_value(answer?)
                    .context("the agent ended without a report: see its log");
            }
            () = sleep(PATIENCE) => {
                // Its last answers may come after it has closed its socket.
                if let Ok(status) = ask::<Status>(socket, &Order::Status).await {
                    let in_flight = status.results.ledger.in_flight();
                    terminal::note(&format!("draining: {in_flight} in flight"));
                }
            }
        }
    }
}

pub(super) fn single() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
