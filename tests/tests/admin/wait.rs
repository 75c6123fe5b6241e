//! `mirror-agent wait`, as a pipeline runs it.

use std::process::{Command, Output};

use anyhow::{Context, Result};
use mirror_tests::admin::{TOKEN, token_file};
use mirror_tests::needs;
use mirror_tests::net::Host;
use mirror_tests::nginx::Nginx;
use mirror_tests::process::Process;
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::Stage;
use mirror_tests::workspace::{Profile, binary};
use serde_json::Value;

use super::{LIMIT, address};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[needs(root)]
fn it_ends_with_the_exit_code_of_the_decision() -> Result<()> {
    for (answer, exit, name) in [(r#"{"a":1}"#, 0, "PASS"), (r#"{"a":2}"#, 1, "FAIL")] {
        let stage = Stage::new()?
            .production(Nginx::answering(r#"{"a":1}"#))?
            .mirror(Nginx::answering(answer))?;
        let (address, token) = (address(), token_file(&stage.scratch)?);
        let agent = stage.agent(&["--admin", &address, "--admin-token-file", &token])?;
        let (code, told) = agent.tell(&["wait", "--timeout", "1s"])?;
        assert_eq!(code, 4, "{told}");
        assert!(told.contains("HOLD: "), "{told}");

        // On this host by the socket, and on another one by the admin side.
        let program = binary("mirror-agent", Profile::Debug)?;
        let socket = stage.scratch.join("agent.sock");
        let mut here = Command::new(&program);
        here.args(["wait", "--timeout", "1m", "--socket"])
            .arg(&socket);
        let mut there = stage.network.command(Host::Client, &program);
        there.args(["wait", "--timeout", "1m", "--json", "--admin"]);
        there.arg(format!("http://{address}"));
        there.args(["--admin-token-file", &token]);
        let scratches = [Scratch::new()?, Scratch::new()?];
        let mut waiting = Vec::new();
        for (command, scratch) in [here, there].into_iter().zip(&scratches) {
            waiting.push(Process::spawn("wait", command, scratch.path())?);
        }
        for one in &mut waiting {
            one.wait_ready("it waits", LIMIT, |one| one.log().contains("HOLD: "))?;
        }
        stage.get(20)?;
        for one in &mut waiting {
            let ended = one.wait(LIMIT)?;
            assert_eq!(ended.code(), Some(exit), "{}", one.log());
            assert!(!one.log().contains(TOKEN), "{}", one.log());
        }
        assert!(waiting[0].log().contains(&format!("{name}: ")));
        let log = waiting[1].log();
        let json = log.find("{\n").context("JSON")?;
        let answer: Value = serde_json::from_str(&log[json..])?;
        assert_eq!(answer["exit_code"], exit, "{answer:#}");
        agent.stop()?;
    }
    Ok(())
}

#[needs(root)]
fn it_waits_for_an_agent_that_captures() -> Result<()> {
    let stage = Stage::new()?.production(Nginx::answering("{}"))?;
    let program = binary("mirror-agent", Profile::Debug)?;
    let socket = stage.scratch.join("agent.sock");
    let mut command = Command::new(&program);
    command.args(["wait", "--for", "ready", "--timeout", "1m", "--socket"]);
    command.arg(&socket);
    let own = Scratch::new()?;
    let mut waiting = Process::spawn("wait", command, own.path())?;
    let agent = stage.observer(&[])?;
    assert_eq!(waiting.wait(LIMIT)?.code(), Some(0), "{}", waiting.log());
    agent.stop()?;
    Ok(())
}

#[needs(nothing)]
fn without_an_agent_it_says_so_at_the_timeout() -> Result<()> {
    let program = binary("mirror-agent", Profile::Debug)?;
    let scratch = Scratch::new()?;
    let (token, socket) = (token_file(&scratch)?, scratch.join("agent.sock"));
    for (what, at) in [
        (
            "verdict",
            vec!["--socket", socket.to_str().context("a path")?],
        ),
        (
            "ready",
            vec!["--socket", socket.to_str().context("a path")?],
        ),
        (
            "verdict",
            vec![
                "--admin",
                "http://127.0.0.1:1",
                "--admin-token-file",
                &token,
            ],
        ),
        ("ready", vec!["--admin", "http://127.0.0.1:1"]),
    ] {
        let mut command = Command::new(&program);
        command
            .args(["wait", "--for", what, "--timeout", "0s"])
            .args(&at);
        let output = command.output()?;
        assert_eq!(output.status.code(), Some(2), "{at:?}: {}", text(&output));
        assert!(text(&output).contains("within 0s"), "{}", text(&output));
        assert!(!text(&output).contains(TOKEN));
    }
    Ok(())
}
