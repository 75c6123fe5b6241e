//! `mirror-agent top` on a real terminal.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::needs;
use mirror_tests::nginx::Nginx;
use mirror_tests::pty::OnTerminal;
use mirror_tests::stage::Stage;
use mirror_tests::wait_until;
use mirror_tests::workspace::{Profile, binary};
use serde_json::Value;

use super::LIMIT;

/// Ends what a full-screen program does: the other screen, and a hidden cursor.
const LEFT: [&str; 2] = ["\x1b[?1049l", "\x1b[?25h"];

fn top<P, M>(stage: &Stage<P, M>, args: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary("mirror-agent", Profile::Debug)?);
    command
        .args(["top", "--socket"])
        .arg(stage.scratch.join("agent.sock"));
    command.args(args).env("TERM", "xterm-256color");
    Ok(command)
}

/// What stands on a terminal that had this size all the time.
fn screen(terminal: &OnTerminal, (columns, lines): (u16, u16)) -> String {
    let mut parser = vt100::Parser::new(lines, columns, 0);
    parser.process(&terminal.written());
    parser.screen().contents()
}

#[needs(root)]
fn it_shows_a_run_and_leaves_the_terminal_in_order() -> Result<()> {
    const SIZE: (u16, u16) = (100, 30);
    let stage = Stage::new()?
        .production(Nginx::answering(r#"{"a":1}"#))?
        .mirror(Nginx::answering(r#"{"a":2}"#))?;
    let agent = stage.agent(&[])?;
    let mut terminal = OnTerminal::start(top(&stage, &[])?, SIZE)?;
    wait_until("the first screen", LIMIT, || {
        screen(&terminal, SIZE).contains("HOLD")
    })?;
    assert!(!terminal.is_in_order()?, "keys are read one by one");
    stage.get(30)?;
    wait_until("what was found", LIMIT, || {
        let screen = screen(&terminal, SIZE);
        let all = [
            "FAIL",
            "seen 30",
            "judged 30",
            "GET /{id}",
            "differed",
            "body /a",
            "q leaves",
        ];
        all.iter().all(|word| screen.contains(word))
    })
    .with_context(|| screen(&terminal, SIZE))?;

    // What is drawn for the new size fits into it: no line is longer, or the terminal would show two.
    const NARROW: (u16, u16) = (40, 12);
    let before = terminal.written().len();
    terminal.resize(NARROW)?;
    wait_until("the narrow screen", LIMIT, || {
        let mut parser = vt100::Parser::new(NARROW.1, NARROW.0, 0);
        parser.process(&terminal.written()[before..]);
        let screen = parser.screen().contents();
        ["FAIL", "seen 30", "q leaves"]
            .iter()
            .all(|word| screen.contains(word))
    })?;

    terminal.press("q")?;
    assert_eq!(terminal.wait(LIMIT)?.code(), Some(0));
    assert!(terminal.is_in_order()?);
    let written = String::from_utf8(terminal.written())?;
    assert!(LEFT.iter().all(|end| written.contains(end)), "{written:?}");
    agent.stop()?;
    Ok(())
}

#[needs(root)]
fn an_agent_that_ends_and_a_signal_leave_the_terminal_in_order_too() -> Result<()> {
    let stage = Stage::new()?.production(Nginx::answering("{}"))?;
    let agent = stage.observer(&[])?;
    let size = (80, 24);
    let mut ended = OnTerminal::start(top(&stage, &[])?, size)?;
    let mut told = OnTerminal::start(top(&stage, &[])?, size)?;
    for terminal in [&ended, &told] {
        wait_until("its screen", LIMIT, || {
            screen(terminal, size).contains("HOLD")
        })?;
    }
    told.signal(mirror_tests::process::Signal::TERM)?;
    assert_eq!(told.wait(LIMIT)?.code(), Some(0));
    agent.stop()?;
    assert_eq!(ended.wait(LIMIT)?.code(), Some(0));
    for terminal in [&ended, &told] {
        assert!(terminal.is_in_order()?);
        let written = String::from_utf8(terminal.written())?;
        assert!(LEFT.iter().all(|end| written.contains(end)), "{written:?}");
    }
    assert!(String::from_utf8(ended.written())?.contains("no agent answers"));
    Ok(())
}

#[needs(root)]
fn programs_get_lines_of_json() -> Result<()> {
    let stage = Stage::new()?.production(Nginx::answering("{}"))?;
    let agent = stage.observer(&[])?;
    stage.get(5)?;
    agent.wait_settled(5, LIMIT)?;
    let mut command = top(&stage, &["--json"])?;
    let mut child = command.stdout(std::process::Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_millis(2500));
    agent.stop()?;
    // It ends with the agent.
    let status = child.wait()?;
    assert_eq!(status.code(), Some(0));
    let text = std::io::read_to_string(child.stdout.take().context("its output")?)?;
    let lines: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert!(lines.len() >= 2, "{text}");
    assert_eq!(lines[0]["seen"], 5, "{text}");
    assert_eq!(lines[0]["decision"], "hold", "{text}");
    Ok(())
}

#[needs(root)]
fn without_a_terminal_it_names_the_other_commands() -> Result<()> {
    let stage = Stage::new()?.production(Nginx::answering("{}"))?;
    let agent = stage.observer(&[])?;
    let output = top(&stage, &[])?.output()?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("mirror-agent status"), "{said}");
    assert!(output.stdout.is_empty());
    agent.stop()?;
    Ok(())
}
