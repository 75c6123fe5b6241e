//! start, status, stop and the signals: the life of an agent as a user leads it.

use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_agent::capture::tc::clsact;
use mirror_tests::agent::Report;
use mirror_tests::load::Call;
use mirror_tests::net::{Host, INTERFACE};
use mirror_tests::nginx::Nginx;
use mirror_tests::process::Signal;
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::Stage;
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing};

const REQUESTS: usize = 50;
const SEEN: u64 = REQUESTS as u64;
const LIMIT: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn an_agent_starts_in_the_background_and_stops_with_its_ledger() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let program = binary("mirror-agent", Profile::Debug)?;
    let socket = stage.scratch.join("agent.sock");
    let report = stage.scratch.join("report");
    let run = |command: &str, more: &[&str]| -> Result<Output> {
        // Not by the network's own command: what starts this must not take it along when it ends.
        Command::new("ip")
            .args(["netns", "exec", &stage.network.namespace(Host::Production)])
            .arg(&program)
            .arg(command)
            .arg("--socket")
            .arg(&socket)
            .args(more)
            .output()
            .context("running mirror-agent")
    };
    let target = stage.mirror.url();
    let directory = report.to_str().context("a path in plain letters")?;
    let good = ["--interface", INTERFACE, "--port", "8080", "--quick"];
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
    stage.get(REQUESTS)?;
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
    assert_eq!(written.seen, SEEN, "{:#}", written.json);
    assert_eq!(written.outcome("matched"), SEEN, "{:#}", written.json);
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

#[needs(root)]
fn an_interrupt_ends_a_run_as_stop_does() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering(r#"{"price":1}"#))?
        .mirror(Nginx::answering(r#"{"price":2}"#))?;
    let agent = stage.agent(&[])?;
    stage.get(REQUESTS)?;
    let finished = agent.end(Signal::INT, Duration::from_secs(30))?;
    assert_eq!(finished.report.seen, SEEN, "{:#}", finished.report.json);
    assert!(finished.report.is_balanced(), "{:#}", finished.report.json);
    assert_eq!(finished.report.outcome("differed"), SEEN);
    assert_eq!(finished.exit, 1, "differences are an exit code");
    Ok(())
}

/// Two services on one host: what is captured goes over from one to the other, and bad input
/// changes nothing.
#[needs(root)]
fn filter_and_reload_change_a_running_agent() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let (network, scratch) = (&stage.network, &stage.scratch);
    let second = Nginx::start(network, Host::Production, 8090, "{}", scratch)?;
    let send_to_second = || {
        let call = |n| Call::get(format!("{}/{n}", second.url()));
        stage.send(&(0..REQUESTS).map(call).collect::<Vec<_>>(), 500)
    };
    let config = stage.scratch.join("agent.toml");
    std::fs::write(&config, "sample = \"100%\"\n")?;
    let path = config.to_str().context("a path in plain letters")?;
    let agent = stage.agent(&["--config", path])?;
    let good = |args: &[&str]| -> Result<String> {
        let (code, text) = agent.tell(args)?;
        assert_eq!(code, 0, "{args:?}: {text}");
        Ok(text)
    };
    let refused = |args: &[&str], word: &str| -> Result<()> {
        let (code, text) = agent.tell(args)?;
        assert_eq!(code, 2, "{args:?}: {text}");
        assert!(text.contains(word), "{args:?}: {text}");
        Ok(())
    };

    stage.get(REQUESTS)?;
    send_to_second()?;
    agent.wait_settled(SEEN, LIMIT)?;
    let shown = good(&["filter", "--port", "8090-8099"])?;
    assert!(shown.contains("8090-8099"), "{shown}");
    stage.get(REQUESTS)?;
    send_to_second()?;
    agent.wait_settled(2 * SEEN, LIMIT)?;
    refused(&["filter", "--port", "0"], "invalid --port `0`")?;
    refused(&["filter", "--sample", "110%"], "110%")?;
    refused(&["filter", "--deny-net", "10.0.0.0/40"], "10.0.0.0/40")?;

    std::fs::write(&config, "sample = \"0%\"\n")?;
    let shown = good(&["reload"])?;
    assert!(shown.contains("0%") && shown.contains("8080"), "{shown}");
    // What `filter` had changed is as the file says again, and that is said.
    let changed = shown.lines().next();
    assert_eq!(changed, Some("changed     port, sample"), "{shown}");
    stage.get(REQUESTS)?;
    std::fs::write(&config, "samples = 1\n")?;
    refused(&["reload"], "samples")?;
    let networks: String = (0..10_000)
        .map(|n| format!("\"10.{}.{}.0/24\",", n / 250, n % 250))
        .collect();
    std::fs::write(&config, format!("deny-net = [{networks}]\n"))?;
    good(&["reload"])?;

    let report = agent.stop()?.report;
    assert_eq!(report.seen, 2 * SEEN, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    assert!(report.json["capture"]["sampled_out"].as_u64() > Some(SEEN));
    Ok(())
}

/// Below Linux 6.6 the kernel keeps what a killed agent attached.
#[needs(root)]
fn what_a_killed_agent_left_is_removed_and_nothing_else() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let start = |scratch: &Scratch| stage.agent_in(&["--hook", "tc"], scratch);
    let left = || stage.network.on(Host::Production, clsact::find_all);
    let doctor = || -> Result<String> {
        let output = stage
            .network
            .command(Host::Production, binary("mirror-agent", Profile::Debug)?)
            .args(["doctor", "--fix"])
            .output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let names = ["eth0 mirror_egress", "eth0 mirror_ingress"];
    let sorted = |mut found: Vec<String>| {
        found.sort();
        found
    };

    let mut killed = start(&stage.scratch)?;
    assert!(
        left()?.is_empty(),
        "a living agent's filters are no leftovers"
    );
    killed.kill();
    assert_eq!(sorted(left()?), names);
    let shown = doctor()?;
    assert!(shown.contains(names[0]), "{shown}");
    assert!(left()?.is_empty());

    start(&Scratch::new()?)?.kill();
    assert_eq!(sorted(left()?), names);
    // The next agent takes them away, and doctor leaves its own alone.
    let scratch = Scratch::new()?;
    let agent = start(&scratch)?;
    doctor()?;
    stage.get(REQUESTS)?;
    let report = agent.stop()?.report;
    assert_eq!(report.seen, SEEN, "{:#}", report.json);
    assert!(left()?.is_empty());
    Ok(())
}
