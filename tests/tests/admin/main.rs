//! A running agent as others see it: people, monitoring, rollouts, pipelines, collectors.

mod metrics;
mod monitoring;
mod otlp;
mod rollouts;
mod top;
mod wait;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::admin::{GIVE_TOKEN, token_file};
use mirror_tests::http;
use mirror_tests::net::{Host, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::stage::Stage;
use mirror_tests::{needs, testing, wait_until};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(20);
const REQUESTS: u64 = 50;
const PORT: u16 = 9464;

fn main() -> ExitCode {
    testing::main()
}

/// Where other hosts reach the agent of production's host.
fn address() -> String {
    format!("{}:{PORT}", Host::Production.address())
}

/// What a client with the token gets.
fn get(network: &Network, path: &str) -> Result<(u16, String)> {
    ask(network, &[], path)
}

fn ask(network: &Network, options: &[&str], path: &str) -> Result<(u16, String)> {
    let options = [&GIVE_TOKEN[..], options].concat();
    let url = format!("http://{}{path}", address());
    http::ask(network, Host::Client, &options, &url)
}

#[needs(root)]
fn people_and_probes_of_other_hosts_are_answered() -> Result<()> {
    let stage = Stage::new()?.production(Nginx::answering("{}"))?;
    let (address, token) = (address(), token_file(&stage.scratch)?);
    let mut agent = stage.observer(&["--admin", &address, "--admin-token-file", &token])?;
    agent.wait_log("has no TLS", LIMIT)?;
    stage.get(REQUESTS as usize)?;
    agent.wait_settled(REQUESTS, LIMIT)?;

    for (path, expect) in [
        ("healthz", 200),
        ("readyz", 200),
        ("", 401),
        ("metrics", 401),
    ] {
        let url = format!("http://{address}/{path}");
        let (status, text) = http::get(&stage.network, Host::Client, &url)?;
        assert_eq!(status, expect, "{path}: {text}");
    }
    let (status, page) = get(&stage.network, "/")?;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("data-live=\"control\""), "{page}");

    let output = stage
        .network
        .command(Host::Client, "curl")
        .args(["--silent", "--no-buffer", "--max-time", "3"])
        .args(GIVE_TOKEN)
        .arg(format!("http://{address}/events"))
        .output()?;
    let events = String::from_utf8(output.stdout)?;
    let first = events.lines().find_map(|line| line.strip_prefix("data: "));
    let state: Value = serde_json::from_str(first.context("an event")?)?;
    assert_eq!(state["seen"], REQUESTS, "{state:#}");
    agent.stop()?;
    Ok(())
}

/// Both answers of a difference, from the run's own files.
#[needs(root)]
fn a_difference_leads_to_both_answers_in_full() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering(r#"{"a":1,"b":"same"}"#))?
        .mirror(Nginx::answering(r#"{"a":2,"b":"same"}"#))?;
    let (address, token) = (address(), token_file(&stage.scratch)?);
    let agent = stage.agent(&["--admin", &address, "--admin-token-file", &token])?;
    stage.get(3)?;
    agent.wait_settled(3, LIMIT)?;
    let mut stored = Value::Null;
    // They are stored every second.
    wait_until("both answers", LIMIT, || {
        let number = || -> Result<u64> {
            let status = agent.status()?;
            let number = &status["differences"][0]["examples"][0]["answers"];
            number.as_u64().context("a number")
        };
        let asked = number().and_then(|number| get(&stage.network, &format!("/answers/{number}")));
        match asked {
            Ok((200, text)) => {
                stored = serde_json::from_str(&text).unwrap_or_default();
                true
            }
            _ => false,
        }
    })?;
    assert_eq!(
        stored["production"]["body"]["text"],
        r#"{"a":1,"b":"same"}"#
    );
    assert_eq!(stored["mirror"]["body"]["text"], r#"{"a":2,"b":"same"}"#);
    assert_eq!(get(&stage.network, "/answers/999999")?.0, 404);
    agent.stop()?;
    Ok(())
}

#[needs(root)]
fn pausing_from_afar_is_pausing() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let (address, token) = (address(), token_file(&stage.scratch)?);
    let agent = stage.agent(&["--admin", &address, "--admin-token-file", &token])?;
    let order = |path: &str| ask(&stage.network, &["--request", "POST"], path);
    assert_eq!(order("/pause")?, (200, "{\"paused\":true}\n".into()));
    stage.get(10)?;
    agent.wait_settled(10, LIMIT)?;
    assert_eq!(order("/resume")?, (200, "{\"paused\":false}\n".into()));
    stage.get(5)?;
    let status = agent.wait_settled(15, LIMIT)?;
    let outcomes = &status["ledger"]["outcomes"];
    assert_eq!(outcomes["filtered: paused"], 10, "{outcomes:#}");
    assert_eq!(outcomes["matched"], 5, "{outcomes:#}");
    agent.stop()?;
    Ok(())
}
