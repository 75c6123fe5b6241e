//! Options reach every stage that they concern, can be changed where that is said, and never show what is secret.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{ExitCode, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_tests::agent::Agent;
use mirror_tests::http;
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::process::Signal;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing};

fn main() -> ExitCode {
    testing::main()
}

const LIMIT: Duration = Duration::from_secs(15);

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path in plain letters")
}

/// The same large answer on both sides: whole on all stages, or known by its digest on all.
#[needs(root)]
fn one_limit_for_bodies_holds_in_every_stage() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let body = format!(r#"{{"pad":"{}"}}"#, "z".repeat(3 << 20));
    let production = Nginx::start(&network, Host::Production, 8080, &body, &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, &body, &scratch)?;
    let config = scratch.join("agent.toml");
    for (max_body, outcome, exit, told) in [
        ("8388608", "matched", 0, "matched"),
        ("\"8MiB\"", "matched", 0, "matched"),
        // Neither is kept, and both are known.
        ("\"1MiB\"", "matched", 0, "by length and digest"),
    ] {
        std::fs::write(&config, format!("max-body = {max_body}\n"))?;
        let args = ["--config", text(&config)?];
        let target = mirror.url();
        let agent = Agent::start(&network, 8080, &target, &args, Profile::Debug, &scratch)?;
        let (status, answer) = http::get(&network, Host::Client, &production.url())?;
        assert_eq!((status, answer.len()), (200, body.len()));
        agent.wait_settled(1, LIMIT)?;
        let finished = agent.stop()?;
        let report = &finished.report;
        assert_eq!(report.outcome(outcome), 1, "{max_body}: {:#}", report.json);
        assert!(report.differences.is_empty(), "{:#}", report.json);
        assert_eq!(finished.exit, exit, "{}", finished.output);
        assert!(finished.output.contains(told), "{}", finished.output);
    }
    Ok(())
}

fn post(network: &Network, url: &str) -> Result<()> {
    let output = network
        .command(Host::Client, "curl")
        .args(["--silent", "--show-error", "--fail", "--request", "POST"])
        .args(["--data", "a", url])
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// What can change does; what cannot is refused by name, and then nothing changes.
#[needs(root)]
fn reload_applies_what_has_changed_or_nothing() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, r#"{"new":1}"#, &scratch)?;
    let config = scratch.join("agent.toml");
    let write = |target: &str, more: &str| {
        std::fs::write(
            &config,
            format!("target = \"{target}\"\nallow-unsnapshotted-writes = true\n{more}\n"),
        )
    };
    write(&mirror.url(), "")?;
    let args = ["--config", text(&config)?];
    let agent = Agent::observe(&network, 8080, &args, Profile::Debug, &scratch)?;
    let url = format!("{}/orders", production.url());

    post(&network, &url)?;
    agent.wait_settled(1, LIMIT)?;
    let status = agent.status()?;
    assert_eq!(
        status["ledger"]["outcomes"]["filtered: method"], 1,
        "{status:#}"
    );

    write(&mirror.url(), "allow = [\"POST /orders\"]")?;
    let (code, shown) = agent.tell(&["reload"])?;
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("changed     allow\n"), "{shown}");
    post(&network, &url)?;
    agent.wait_settled(2, LIMIT)?;
    let status = agent.status()?;
    assert_eq!(status["ledger"]["outcomes"]["differed"], 1, "{status:#}");

    // The rule for `/new` would change, the target cannot: neither does.
    let both = "ignore = [\"/new\"]\nconcurrency = 3";
    write("http://10.77.0.3:1", both)?;
    let (code, shown) = agent.tell(&["reload"])?;
    assert_eq!(code, 2, "{shown}");
    for word in ["nothing was changed", "target", "concurrency"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(!shown.contains("ignore"), "{shown}");
    post(&network, &url)?;
    agent.wait_settled(3, LIMIT)?;
    let status = agent.status()?;
    assert_eq!(status["ledger"]["outcomes"]["differed"], 2, "{status:#}");

    write(
        &mirror.url(),
        "ignore = [\"/new\"]\nallow = [\"POST /orders\"]",
    )?;
    let (code, shown) = agent.tell(&["reload", "--json"])?;
    assert_eq!(code, 0, "{shown}");
    let answer: serde_json::Value = serde_json::from_str(&shown)?;
    assert_eq!(
        answer["changed"],
        serde_json::json!(["ignore"]),
        "{answer:#}"
    );
    post(&network, &url)?;
    agent.wait_settled(4, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(report.outcome("matched"), 1, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    Ok(())
}

/// A run is not silent, and a second signal ends its draining with a ledger that adds up.
#[needs(root)]
fn a_second_interrupt_ends_at_once_with_the_ledger() -> Result<()> {
    const REQUESTS: u64 = 20;
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let args = ["--replay-timeout", "10m", "--drain-timeout", "10m"];
    let args = [&args[..], &["--concurrency", "4"]].concat();
    let target = mirror.url();
    let mut agent = Agent::start(&network, 8080, &target, &args, Profile::Debug, &scratch)?;
    mirror.freeze()?;
    for n in 0..REQUESTS {
        let url = format!("{}/{n}", production.url());
        assert_eq!(http::get(&network, Host::Client, &url)?.0, 200);
    }
    mirror_tests::wait_until("all to be seen", LIMIT, || {
        agent
            .status()
            .is_ok_and(|status| status["ledger"]["seen"] == REQUESTS)
    })?;
    let line = format!("{REQUESTS} seen, 0 ended, 0 differ, {REQUESTS} in flight");
    agent.wait_log(&line, 2 * LIMIT)?;

    agent.signal(Signal::INT)?;
    let draining = format!("draining: {REQUESTS} in flight");
    agent.wait_log(&draining, LIMIT)?;
    // Who asks it to stop is told too.
    let mut stopping = agent.stopping(&scratch)?;
    stopping.wait_ready(&draining, LIMIT, |stopping| {
        stopping.log().contains(&draining)
    })?;
    let finished = agent.end(Signal::INT, LIMIT)?;
    stopping.wait(LIMIT)?;
    let told = stopping.log();
    assert!(told.contains("interrupted"), "{told}");
    let report = &finished.report;
    assert_eq!(report.seen, REQUESTS, "{:#}", report.json);
    assert_eq!(report.outcome("interrupted"), REQUESTS, "{:#}", report.json);
    assert!(finished.output.contains("at once"), "{}", finished.output);
    Ok(())
}

const PASSWORD: &str = "hunter2";

fn silent_about_it(what: &str, printed: &str) {
    assert!(!printed.contains(PASSWORD), "{what}:\n{printed}");
}

fn all(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// In every option that takes a URL, well formed or not, by every way, and in every command that reads it.
#[needs(nothing)]
fn a_password_is_never_printed() -> Result<()> {
    let scratch = Scratch::new()?;
    let agent = binary("mirror-agent", Profile::Debug)?;
    let config = scratch.join("agent.toml");
    let places = [
        "127.0.0.1:1",
        "127.0.0.1:none",
        "@127.0.0.1:1",
        "/127.0.0.1:1",
        "127.0.0.1:1/x/y?speed=1",
        "",
    ];
    for (key, env, scheme) in [
        ("redis", "MIRROR_REDIS", "redis"),
        ("mirror-redis", "MIRROR_TARGET_REDIS", "redis+sentinel"),
        ("replica", "MIRROR_REPLICA", "postgres"),
        ("target", "MIRROR_TARGET", "http"),
        ("redis", "MIRROR_REDIS", "no scheme"),
        ("admin", "MIRROR_ADMIN", "http"),
    ] {
        for place in places {
            let url = format!("{scheme}://user:{PASSWORD}@{place}");
            std::fs::write(&config, format!("{key} = \"{url}\"\n"))?;
            let flag = ["--interface=lo", "--port=8080", &format!("--{key}={url}")];
            let file = ["--interface=lo", "--port=8080", "--config", text(&config)?];
            for (command, args, variable) in [
                ("run", &flag[..], ""),
                ("run", &file[..], ""),
                ("run", &file[..2], &*url),
                ("doctor", &file[..], ""),
                ("start", &flag[..], ""),
            ] {
                let mut process = std::process::Command::new(&agent);
                process.arg(command).args(args);
                process.arg("--socket").arg(scratch.join("agent.sock"));
                // Nothing may be started here.
                process.args(["--hook", "tcx", "--pid", "4194304"]);
                if !variable.is_empty() {
                    process.env(env, variable);
                }
                let output = process.env("MIRROR_LOG", "trace").output()?;
                assert_eq!(output.status.code(), Some(2), "{output:?}");
                silent_about_it(&format!("{command} {key} {place}"), &all(&output));
            }
            let misplaced = std::process::Command::new(&agent)
                .args(["run", &url])
                .output()?;
            silent_about_it("a URL in the wrong place", &all(&misplaced));
        }
    }
    Ok(())
}

/// A whole run whose stores cannot be reached: log, status, report.
#[needs(root)]
fn a_run_with_passwords_shows_none() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let config = scratch.join("agent.toml");
    let (store, replica) = ("10.77.0.3:1", "10.77.0.3:1/postgres");
    std::fs::write(
        &config,
        format!(
            "redis = \"redis://user:{PASSWORD}@{store}\"\nmirror-redis = \"redis://:{PASSWORD}@{store}\"\n\
             replica = \"postgres://user:{PASSWORD}@{replica}\"\n"
        ),
    )?;
    let args = ["--config", text(&config)?];
    let target = mirror.url();
    let agent = Agent::start(&network, 8080, &target, &args, Profile::Debug, &scratch)?;
    let url = production.url();
    assert_eq!(http::get(&network, Host::Client, &url)?.0, 200);
    agent.wait_settled(1, LIMIT)?;
    silent_about_it("status", &agent.tell(&["status"])?.1);
    silent_about_it("status --json", &agent.status()?.to_string());
    let directory = agent.report_dir().to_owned();
    let finished = agent.stop()?;
    silent_about_it("the log", &finished.output);
    for file in std::fs::read_dir(&directory)? {
        let path = file?.path();
        silent_about_it(text(&path)?, &std::fs::read_to_string(&path)?);
    }
    Ok(())
}

/// What a terminal could take for a command: ESC, BEL and the C1 controls.
fn commands(printed: &str) -> String {
    let obeyed = |c: &char| c.is_control() && !['\n', '\t'].contains(c);
    printed.chars().filter(obeyed).collect()
}

/// A client, production and the mirror all try to speak to the terminal.
#[needs(root)]
fn nothing_from_traffic_reaches_the_terminal_unescaped() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let ours = "\u{1b}[31mred\u{1b}[0m";
    let theirs = "\u{1b}]0;title\u{7}\u{9b}2J";
    let _production = Nginx::start(&network, Host::Production, 8080, ours, &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, theirs, &scratch)?;
    let target = mirror.url();
    let agent = Agent::start(&network, 8080, &target, &[], Profile::Debug, &scratch)?;
    let address = SocketAddr::from((Host::Production.address(), 8080));
    for path in ["/a", "/\u{9b}2J/a"] {
        let line = format!("GET {path} HTTP/1.1");
        let answer = network.on(Host::Client, || exchange(address, &line))?;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    agent.wait_settled(2, LIMIT)?;
    let (_, status) = agent.tell(&["status"])?;
    assert_eq!(commands(&status), "");
    let (_, json) = agent.tell(&["status", "--json"])?;
    assert_eq!(commands(&json), "");
    let directory = agent.report_dir().to_owned();
    let finished = agent.stop()?;
    assert!(
        finished.report.outcome("differed") > 0,
        "{:#}",
        finished.report.json
    );
    assert!(finished.output.contains("title"), "{}", finished.output);
    assert_eq!(commands(&finished.output), "", "{}", finished.output);
    for args in [&["report"][..], &["report", "--json"]] {
        let mut command = std::process::Command::new(binary("mirror-agent", Profile::Debug)?);
        let output = command.args(args).arg(&directory).output()?;
        assert!(output.status.success(), "{output:?}");
        let shown = String::from_utf8(output.stdout)?;
        assert!(shown.contains("title"), "{shown}");
        assert_eq!(commands(&shown), "", "{shown}");
    }
    Ok(())
}

fn exchange(address: SocketAddr, line: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "{line}\r\nHost: shop\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    // Its end may already be known there.
    let _ = stream.shutdown(Shutdown::Both);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Colours on a terminal only, and not where `NO_COLOR` is set.
#[needs(root)]
fn colours_are_for_terminals() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let agent = binary("mirror-agent", Profile::Debug)?;
    let report = scratch.join("report");
    let run = |name: &str, on_terminal: bool, no_color: &str| -> Result<String> {
        let socket = scratch.join("agent.sock");
        let line = format!(
            "{} run --interface {INTERFACE} --port 8080 --socket {} --report {}",
            agent.display(),
            socket.display(),
            report.display()
        );
        let mut command =
            network.command(Host::Production, if on_terminal { "script" } else { "sh" });
        match on_terminal {
            true => command.args(["--quiet", "--return", "--command", &line, "/dev/null"]),
            false => command.args(["-c", &line]),
        };
        command.env("NO_COLOR", no_color).env("TERM", "xterm");
        let mut process = mirror_tests::process::Process::spawn(name, command, scratch.path())?;
        process.wait_ready("capture", LIMIT, |process| {
            process.log().contains("capturing on")
        })?;
        let stopped = std::process::Command::new(&agent)
            .args(["stop", "--socket", text(&socket)?])
            .output()?;
        assert_eq!(
            stopped.status.code(),
            Some(4),
            "nothing was seen: {stopped:?}"
        );
        process.wait(LIMIT)?;
        let log = process.log();
        assert!(log.contains("report written"), "{log}");
        Ok(log)
    };
    const COLOUR: &str = "\u{1b}[32m";
    assert!(run("terminal", true, "")?.contains(COLOUR));
    assert!(!run("plain", true, "1")?.contains(COLOUR));
    assert!(!run("file", false, "")?.contains('\u{1b}'));
    Ok(())
}
