//! start, status, stop and the signals: the life of an agent as a user leads it.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::agent::{Agent, Report};
use mirror_tests::load::{Answers, Call, Load};
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::process::Signal;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::{Profile, binary};

const REQUESTS: u64 = 50;

fn send(network: &Network, production: &Nginx, scratch: &Scratch) -> Result<()> {
    let calls: Vec<Call> = (0..REQUESTS)
        .map(|n| Call::get(format!("{}/{n}", production.url())))
        .collect();
    let answers = Load::start(network, &calls, 500, scratch)?.finish()?;
    let ok = calls.len();
    assert_eq!(answers, Answers { ok, failed: 0 });
    Ok(())
}

#[test]
fn an_agent_starts_in_the_background_and_stops_with_its_ledger() -> Result<()> {
    if !mirror_tests::runs_as_root("start and stop") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let program = binary("mirror-agent", Profile::Debug)?;
    let socket = scratch.join("agent.sock");
    let report = scratch.join("report");
    let run = |command: &str, more: &[&str]| -> Result<Output> {
        // Not by the network's own command: what starts this must not take it along when it ends.
        Command::new("ip")
            .args(["netns", "exec", &network.namespace(Host::Production)])
            .arg(&program)
            .arg(command)
            .arg("--socket")
            .arg(&socket)
            .args(more)
            .output()
            .context("running mirror-agent")
    };
    let target = mirror.url();
    let directory = report.to_str().context("a path in plain letters")?;
    let good = ["--interface", INTERFACE, "--port", "8080"];
    let options = [&good[..], &["--target", &target, "--report", directory]].concat();

    let refused = run(
        "start",
        &[&good[..], &["--target", "http://10.77.0.3:1"]].concat(),
    )?;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("10.77.0.3:1"));
    let nobody = run("status", &[])?;
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");

    let started = run("start", &options)?;
    assert!(started.status.success(), "{started:?}");
    // Attached when `start` returns: not one of these may be missing.
    send(&network, &production, &scratch)?;
    let again = run("start", &options)?;
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stderr).contains("already running"));
    let status = run("status", &["--json"])?;
    let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
    assert!(status["pid"].is_u64(), "{status:#}");

    let stopped = run("stop", &["--json"])?;
    assert!(stopped.status.success(), "{stopped:?}");
    let printed = Report::parse(&String::from_utf8_lossy(&stopped.stdout))?;
    let written = Report::read(&report.join("report.json"))?;
    assert_eq!(printed.json, written.json);
    assert_eq!(written.seen, REQUESTS, "{:#}", written.json);
    assert_eq!(written.outcome("matched"), REQUESTS, "{:#}", written.json);
    assert_eq!(run("stop", &[])?.status.code(), Some(2), "stopped twice");

    let shown = run_report(&program, directory)?;
    assert!(shown.contains("matched"), "{shown}");
    Ok(())
}

fn run_report(program: &std::path::Path, directory: &str) -> Result<String> {
    let output = Command::new(program).args(["report", directory]).output()?;
    assert!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn an_interrupt_ends_a_run_as_stop_does() -> Result<()> {
    if !mirror_tests::runs_as_root("interrupt") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, r#"{"new":1}"#, &scratch)?;
    let agent = Agent::start(&network, 8080, &mirror.url(), &[], Profile::Debug, &scratch)?;
    send(&network, &production, &scratch)?;
    let finished = agent.end(Signal::INT, Duration::from_secs(30))?;
    assert_eq!(finished.report.seen, REQUESTS, "{:#}", finished.report.json);
    assert!(finished.report.is_balanced(), "{:#}", finished.report.json);
    assert_eq!(finished.report.outcome("differed"), REQUESTS);
    assert_eq!(finished.exit, 1, "differences are an exit code");
    Ok(())
}
