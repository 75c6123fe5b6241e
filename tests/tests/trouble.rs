//! The mirror, the store or the agent itself dies: production goes on, and the ledger says why.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aya::programs::{SchedClassifier, TcAttachType};
use mirror_tests::http;
use mirror_tests::load::orders_mix;
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::orders::{Options, Orders};
use mirror_tests::stage::Stage;
use mirror_tests::{needs, testing, wait_until};

const LIMIT: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn a_dead_mirror_costs_production_nothing() -> Result<()> {
    let mut stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let agent = stage.agent(&[])?;
    stage.mirror.kill();

    stage.get(100)?;
    let finished = agent.stop()?;
    let report = &finished.report;
    assert_eq!(report.seen, 100, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    assert_eq!(
        report.outcome("replay: connect failed"),
        100,
        "{:#}",
        report.json
    );
    assert_eq!(finished.exit, 0, "{}", finished.output);
    Ok(())
}

#[needs(root)]
fn a_mirror_that_hangs_fills_the_queue_and_no_more() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let config = stage.scratch.join("agent.toml");
    std::fs::write(
        &config,
        "queue = 20\nconcurrency = 4\nreplay-timeout-ms = 2000\n",
    )?;
    let config = config.to_str().context("a path in plain letters")?;
    let agent = stage.agent(&["--config", config])?;
    stage.mirror.freeze()?;
    stage.get(200)?;
    let report = agent.stop()?.report;
    assert_eq!(report.seen, 200, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    // The queue holds 20, and they stay for the two seconds until the first time-out.
    assert!(
        report.outcome("shed: queue full") > 100,
        "{:#}",
        report.json
    );
    assert!(report.outcome("replay: timeout") > 0, "{:#}", report.json);
    Ok(())
}

#[needs(root)]
fn a_store_that_goes_and_comes_back_is_in_the_ledger() -> Result<()> {
    let mut stage = Stage::new()?
        .redis()?
        .production(Options::production())?
        .mirror(Options::mirror())?;
    let agent = stage.agent(&["--rule", "header:x-request-id", "--allow", "POST /orders"])?;
    let mut sent = 0;
    let mut send = |stage: &Stage<Orders, Orders>, label: &str| -> Result<serde_json::Value> {
        stage.send(&orders_mix(&stage.production.url(), 20, label), 100)?;
        sent += 20;
        agent.wait_settled(sent, LIMIT)
    };
    let count = |status: &serde_json::Value, name: &str| {
        status["ledger"]["outcomes"][name].as_u64().unwrap_or(0)
    };

    let before = send(&stage, "before")?;
    assert_eq!(count(&before, "matched"), 20, "{before:#}");
    stage.redis = None;
    let during = send(&stage, "during")?;
    assert_eq!(
        count(&during, "snapshot: store unavailable"),
        20,
        "{during:#}"
    );
    stage = stage.redis()?;
    // Both sides find it again by themselves; the first batch may still be early.
    let mut matched = count(&during, "matched");
    for batch in 0..10 {
        let after = send(&stage, &format!("after{batch}"))?;
        if count(&after, "matched") == matched + 20 {
            assert!(agent.stop()?.report.is_balanced());
            return Ok(());
        }
        matched = count(&after, "matched");
    }
    bail!(
        "no batch matched after the store came back: {:#}",
        agent.status()?
    )
}

#[needs(root, tcx)]
fn a_killed_agent_leaves_no_program_behind() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let mut agent = stage.agent(&[])?;
    assert_eq!(agent.status()?["hook"], "tcx");
    assert_eq!(
        attached(&stage.network)?,
        ["mirror_egress", "mirror_ingress"]
    );
    agent.kill();
    // The kernel frees a link a moment after its last descriptor.
    wait_until("an interface without programs", LIMIT, || {
        attached(&stage.network).is_ok_and(|names| names.is_empty())
    })?;
    let url = stage.production.url();
    assert_eq!(http::get(&stage.network, Host::Client, &url)?.0, 200);
    Ok(())
}

/// The names of the TCX programs on production's interface, as the kernel tells them, sorted.
fn attached(network: &Network) -> Result<Vec<String>> {
    network.on(Host::Production, || {
        let mut names = Vec::new();
        for direction in [TcAttachType::Ingress, TcAttachType::Egress] {
            let (_, programs) = SchedClassifier::query_tcx(INTERFACE, direction)
                .context("asking for TCX programs")?;
            names.extend(
                programs
                    .iter()
                    .filter_map(|program| program.name_as_str().map(str::to_owned)),
            );
        }
        names.sort();
        Ok(names)
    })
}
