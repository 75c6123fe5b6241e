//! More than one place to replay to: targets that share the requests, and a control beside them.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use mirror_tests::agent::Finished;
use mirror_tests::net::Host;
use mirror_tests::stage::{Actor, MIRROR_PORT, Stage};
use mirror_tests::wire::{self, Answering, Received, Server};
use mirror_tests::{needs, testing};

fn main() -> ExitCode {
    testing::main()
}

const CONTROL_PORT: u16 = MIRROR_PORT + 1;
const LIMIT: Duration = Duration::from_secs(30);

/// A price, and a number that no two answers share.
fn priced(price: u32) -> impl Fn(&Received) -> Vec<u8> + Clone {
    move |_| {
        static ANSWERS: AtomicU64 = AtomicU64::new(0);
        let at = ANSWERS.fetch_add(1, Relaxed);
        let body = format!(r#"{{"price":{price},"at":{at}}}"#);
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
        format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }
}

/// Each request comes on a connection of its own.
fn send(stage: &Stage<Server, Server>, requests: usize) -> Result<()> {
    for n in 0..requests {
        let request = format!("GET /items/{n} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
        wire::send(
            &stage.network,
            stage.production.address(),
            request.as_bytes(),
        )?;
    }
    Ok(())
}

/// Fifty requests to production and its mirror, with a control.
fn beside_control(
    mirror: u32,
    control: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static,
) -> Result<(Finished, Vec<String>, Vec<String>)> {
    let stage = Stage::new()?
        .production(Answering(priced(5)))?
        .mirror(Answering(priced(mirror)))?;
    let control = Server::start(&stage.network, Host::Mirror, CONTROL_PORT, control)?;
    let agent = stage.agent(&["--control", &control.url()])?;
    send(&stage, 50)?;
    agent.wait_settled(50, LIMIT)?;
    let finished = agent.stop()?;
    assert!(finished.report.is_balanced(), "{}", finished.output);
    Ok((finished, stage.mirror.lines(), control.lines()))
}

#[needs(root)]
fn what_differs_in_the_control_too_is_not_the_new_versions() -> Result<()> {
    let (finished, mirror, control) = beside_control(5, priced(5))?;
    let report = &finished.report;
    // Once the control has shown that the place varies, it explains the others.
    assert!(report.outcome("differed as the control") > 0);
    assert_eq!(report.outcome("differed"), 0, "{}", finished.output);
    assert_eq!(report.json["control"]["alike"], 50);
    assert_eq!(finished.exit, 0, "{}", finished.output);
    assert_eq!(
        sorted(mirror),
        sorted(control),
        "both get each request once"
    );
    Ok(())
}

#[needs(root)]
fn what_differs_beside_an_old_version_that_does_not_is_the_new_versions() -> Result<()> {
    let (finished, _, _) = beside_control(6, priced(5))?;
    let report = &finished.report;
    assert_eq!(report.outcome("differed"), 50, "{}", finished.output);
    assert_eq!(report.json["control"]["apart"], 50);
    assert_eq!(finished.exit, 1);
    Ok(())
}

#[needs(root)]
fn a_control_that_does_not_answer_is_told_and_decides_nothing() -> Result<()> {
    let nonsense = |_: &Received| b"no HTTP at all\r\n\r\n".to_vec();
    let (finished, _, _) = beside_control(6, nonsense)?;
    let report = &finished.report;
    assert_eq!(report.outcome("differed"), 50, "{}", finished.output);
    assert_eq!(report.json["control"]["failed"], 50);
    assert!(
        finished
            .output
            .contains("control: 50 requests were not answered"),
        "{}",
        finished.output
    );
    Ok(())
}

#[needs(root)]
fn a_write_without_a_snapshot_goes_to_the_target_alone() -> Result<()> {
    let fine = |_: &Received| wire::answer("200 OK", "ok");
    let stage = Stage::new()?
        .production(Answering(fine))?
        .mirror(Answering(fine))?;
    let control = Server::start(&stage.network, Host::Mirror, CONTROL_PORT, fine)?;
    let url = control.url();
    let options = ["--allow", "POST /orders", "--allow-unsnapshotted-writes"];
    let agent = stage.agent(&[&["--control", &url][..], &options].concat())?;
    let production = stage.production.address();
    for line in ["POST /orders", "GET /orders"] {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        wire::send(&stage.network, production, request.as_bytes())?;
    }
    agent.wait_settled(2, LIMIT)?;
    let finished = agent.stop()?;
    assert_eq!(finished.report.outcome("matched"), 2, "{}", finished.output);
    assert_eq!(stage.mirror.lines().len(), 2);
    assert_eq!(control.lines(), ["GET /orders HTTP/1.1"]);
    Ok(())
}

#[needs(root)]
fn targets_share_the_requests_by_their_weights() -> Result<()> {
    let fine = |_: &Received| wire::answer("200 OK", "ok");
    let stage = Stage::new()?
        .production(Answering(fine))?
        .mirror(Answering(fine))?;
    let second = Server::start(&stage.network, Host::Mirror, CONTROL_PORT, fine)?;
    let heavy = format!("{} weight=3", second.url());
    let agent = stage.agent(&["--target", &heavy])?;
    send(&stage, 200)?;
    agent.wait_settled(200, LIMIT)?;
    let finished = agent.stop()?;
    assert_eq!(
        finished.report.outcome("matched"),
        200,
        "{}",
        finished.output
    );
    let (one, three) = (stage.mirror.lines().len(), second.lines().len());
    assert_eq!(one + three, 200, "each request goes to one of them");
    // 50 and 150 are expected; by chance alone less than 1 in 10,000 runs would fail, and the hash is always the same.
    assert!((25..=75).contains(&one), "{one} and {three}");
    Ok(())
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}
