//! Requests that ask to switch the protocol: what production switched is counted apart and not replayed, what it answered as a plain
//! request is one.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Answering, Server};
use mirror_tests::{needs, testing};

const LIMIT: Duration = Duration::from_secs(15);
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n\x02\x05hello";

fn main() -> ExitCode {
    testing::main()
}

/// Production as the first of these, and a mirror that switches nothing.
fn stage(
    production: impl Fn(&wire::Received) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> Result<Stage<Server, Server>> {
    let mirror = |request: &wire::Received| match request.line() {
        b"GET /plain HTTP/1.1" => wire::answer("200 OK", "plain"),
        _ => wire::answer("400 Bad Request", "Can \"Upgrade\" only to \"WebSocket\"."),
    };
    Stage::new()?
        .production(Answering(production))?
        .mirror(Answering(mirror))
}

/// Asks to switch, then speaks the new protocol, whatever the answer is.
fn ask(stage: &Stage<Server, Server>, target: &str, fields: &str, answer: &str) -> Result<()> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\x01\x05hello");
    let end = answer.as_bytes().to_vec();
    let is_enough = move |read: &[u8]| read.ends_with(&end);
    wire::send_until(
        &stage.network,
        stage.production.address(),
        request.as_bytes(),
        is_enough,
    )?;
    Ok(())
}

const WEBSOCKET: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const H2C: &str =
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";

#[needs(root)]
fn what_production_switched_is_not_replayed() -> Result<()> {
    let stage = stage(|_| SWITCHED.into())?;
    let agent = stage.agent(&[])?;
    for fields in [WEBSOCKET, WEBSOCKET, H2C] {
        ask(&stage, "/live", fields, "hello")?;
    }
    agent.wait_settled(3, LIMIT)?;
    let finished = agent.stop()?;
    let report = &finished.report;
    assert_eq!(
        report.outcome("not replayed: upgrade"),
        3,
        "{:#}",
        report.json
    );
    assert_eq!(report.seen, 3, "{:#}", report.json);
    assert!(report.differences.is_empty(), "{:#}", report.json);
    assert!(stage.mirror.received().is_empty());
    Ok(())
}

/// As Java's HTTP client asks with its first request to each host.
#[needs(root)]
fn a_wish_that_production_ignored_is_replayed_as_the_request_that_it_was() -> Result<()> {
    let stage = stage(|_| wire::answer("200 OK", "plain"))?;
    let agent = stage.agent(&[])?;
    let request = format!("GET /plain HTTP/1.1\r\nHost: a\r\n{H2C}\r\n");
    let is_enough = |read: &[u8]| read.ends_with(b"plain");
    let production = stage.production.address();
    wire::send_until(&stage.network, production, request.as_bytes(), is_enough)?;
    agent.wait_settled(1, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(report.outcome("matched"), 1, "{:#}", report.json);
    let received = stage.mirror.received();
    let head = String::from_utf8_lossy(&received[0].head).to_lowercase();
    for field in ["upgrade", "http2-settings", "connection"] {
        assert!(!head.contains(field), "{head}");
    }
    Ok(())
}

/// A WebSocket's request without its upgrade is another request: a mirror's answer to that says nothing.
#[needs(root)]
fn a_websocket_that_production_refused_is_not_replayed() -> Result<()> {
    let stage = stage(|_| wire::answer("403 Forbidden", "not here"))?;
    let agent = stage.agent(&[])?;
    let request = format!("GET /live HTTP/1.1\r\nHost: a\r\n{WEBSOCKET}\r\n");
    let is_enough = |read: &[u8]| read.ends_with(b"not here");
    let production = stage.production.address();
    wire::send_until(&stage.network, production, request.as_bytes(), is_enough)?;
    agent.wait_settled(1, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(
        report.outcome("not replayed: upgrade"),
        1,
        "{:#}",
        report.json
    );
    assert!(stage.mirror.received().is_empty());
    Ok(())
}
