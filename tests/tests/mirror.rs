//! A service that knows nothing of us: capture, replay and compare without snapshots.

use std::process::ExitCode;

use anyhow::Result;
use mirror_tests::load::Call;
use mirror_tests::nginx::Nginx;
use mirror_tests::stage::Stage;
use mirror_tests::{needs, testing};

fn main() -> ExitCode {
    testing::main()
}

const BODY: &str = r#"{"hello":"world"}"#;

/// 200 requests on keep-alive connections to production at 8080, mirrored to `mirror_port`.
fn check(mirror_port: u16) -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering(BODY))?
        .mirror_on(mirror_port, Nginx::answering(BODY))?;
    let agent = stage.agent(&[])?;
    let calls: Vec<Call> = (0..200)
        .map(|n| {
            Call::get(format!("{}/items/{n}?page=2", stage.production.url()))
                .header(format!("x-request-id: r-{n}"))
        })
        .collect();
    stage.send(&calls, 500)?;
    let finished = agent.stop()?;

    let (served, replayed) = (stage.production.finish()?, stage.mirror.finish()?);
    let report = finished.report;
    assert_eq!(report.seen, served.len() as u64, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    assert_eq!(report.outcome("matched"), 200, "{:#}", report.json);
    assert_eq!(finished.exit, 0, "{}", finished.output);
    assert_eq!(replayed.len(), 200);
    for line in &replayed {
        assert!(
            line.contains("replay=1") && !line.ends_with("id=-"),
            "not marked as a replay: {line}"
        );
    }
    assert!(
        served.iter().all(|line| line.contains("replay=-")),
        "production got a replay"
    );
    Ok(())
}

#[needs(root)]
fn every_request_of_an_unknowing_service_is_mirrored_once() -> Result<()> {
    check(9090)
}

/// The replays leave production's host to the captured port; they must not be taken for traffic.
#[needs(root)]
fn a_mirror_on_the_same_port_is_not_captured_again() -> Result<()> {
    check(8080)
}
