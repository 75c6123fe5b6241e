//! A service that knows nothing of us: capture, replay and compare without snapshots.

use anyhow::Result;
use mirror_tests::agent::Agent;
use mirror_tests::load::{Answers, Call, Load};
use mirror_tests::net::{Host, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::Profile;

const BODY: &str = r#"{"hello":"world"}"#;

/// 200 requests on keep-alive connections to production at 8080, mirrored to `mirror_port`.
fn check(mirror_port: u16) -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, BODY, &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, mirror_port, BODY, &scratch)?;
    let agent = Agent::start(&network, 8080, &mirror.url(), &[], Profile::Debug, &scratch)?;

    let calls: Vec<Call> = (0..200)
        .map(|n| {
            Call::get(format!("{}/items/{n}?page=2", production.url()))
                .header(format!("x-request-id: r-{n}"))
        })
        .collect();
    let answers = Load::start(&network, &calls, 500, &scratch)?.finish()?;
    let finished = agent.stop()?;

    assert_eq!(answers, Answers { ok: 200, failed: 0 });
    let (served, replayed) = (production.finish()?, mirror.finish()?);
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

#[test]
fn every_request_of_an_unknowing_service_is_mirrored_once() -> Result<()> {
    if mirror_tests::runs_as_root("mirror") {
        check(9090)?;
    }
    Ok(())
}

/// The replays leave production's host to the captured port; they must not be taken for traffic.
#[test]
fn a_mirror_on_the_same_port_is_not_captured_again() -> Result<()> {
    if mirror_tests::runs_as_root("mirror on the same port") {
        check(8080)?;
    }
    Ok(())
}
