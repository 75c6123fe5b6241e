//! The mirror, the store or the agent itself dies: production goes on, and the ledger says why.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aya::programs::{SchedClassifier, TcAttachType};
use mirror_tests::agent::Agent;
use mirror_tests::http;
use mirror_tests::load::{Answers, Call, Load, orders_mix};
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::orders::{Options, Orders};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::wait_until;
use mirror_tests::workspace::Profile;

const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn a_dead_mirror_costs_production_nothing() -> Result<()> {
    if !mirror_tests::runs_as_root("dead mirror") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mut mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let agent = Agent::start(&network, 8080, &mirror.url(), &[], Profile::Debug, &scratch)?;
    mirror.kill();

    let calls: Vec<Call> = (0..100)
        .map(|n| Call::get(format!("{}/{n}", production.url())))
        .collect();
    let answers = Load::start(&network, &calls, 500, &scratch)?.finish()?;
    assert_eq!(answers, Answers { ok: 100, failed: 0 });
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

#[test]
fn a_mirror_that_hangs_fills_the_queue_and_no_more() -> Result<()> {
    if !mirror_tests::runs_as_root("hanging mirror") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let config = scratch.join("agent.toml");
    std::fs::write(
        &config,
        "queue = 20\nconcurrency = 4\nreplay-timeout = \"2s\"\n",
    )?;
    let config = config.to_str().context("a path in plain letters")?;
    let args = ["--config", config];
    let agent = Agent::start(
        &network,
        8080,
        &mirror.url(),
        &args,
        Profile::Debug,
        &scratch,
    )?;
    mirror.freeze()?;

    let calls: Vec<Call> = (0..200)
        .map(|n| Call::get(format!("{}/{n}", production.url())))
        .collect();
    let answers = Load::start(&network, &calls, 500, &scratch)?.finish()?;
    assert_eq!(answers, Answers { ok: 200, failed: 0 });
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

#[test]
fn a_store_that_goes_and_comes_back_is_in_the_ledger() -> Result<()> {
    if !mirror_tests::runs_as_root("dead store") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let mut redis = Redis::start(&network, &scratch)?;
    let options = Options {
        host: Host::Production,
        port: 8080,
        api_version: 1,
        churn_ms: 10,
        snapshots: true,
        build: Profile::Debug,
    };
    let production = Orders::start(&network, options, &scratch)?;
    let mirror = Orders::start(
        &network,
        Options {
            host: Host::Mirror,
            port: 9090,
            churn_ms: 0,
            ..options
        },
        &scratch,
    )?;
    let store = Redis::url();
    let args = [
        "--redis",
        &store,
        "--rule",
        "header:x-request-id",
        "--allow",
        "POST /orders",
    ];
    let agent = Agent::start(
        &network,
        8080,
        &mirror.url(),
        &args,
        Profile::Debug,
        &scratch,
    )?;
    let mut sent = 0;
    let mut send = |label: &str| -> Result<serde_json::Value> {
        let calls = orders_mix(&production.url(), 20, label);
        let answers = Load::start(&network, &calls, 100, &scratch)?.finish()?;
        assert_eq!(answers, Answers { ok: 20, failed: 0 }, "production noticed");
        sent += 20;
        agent.wait_settled(sent, LIMIT)
    };
    let count = |status: &serde_json::Value, name: &str| {
        status["ledger"]["outcomes"][name].as_u64().unwrap_or(0)
    };

    let before = send("before")?;
    assert_eq!(count(&before, "matched"), 20, "{before:#}");
    redis.kill();
    let during = send("during")?;
    assert_eq!(
        count(&during, "snapshot: store unavailable"),
        20,
        "{during:#}"
    );
    let _redis = Redis::start(&network, &scratch)?;
    // Both sides find it again by themselves; the first batch may still be early.
    let mut matched = count(&during, "matched");
    for batch in 0..10 {
        let after = send(&format!("after{batch}"))?;
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

#[test]
fn a_killed_agent_leaves_no_program_behind() -> Result<()> {
    if !mirror_tests::runs_as_root("killed agent") {
        return Ok(());
    }
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let production = Nginx::start(&network, Host::Production, 8080, "{}", &scratch)?;
    let mirror = Nginx::start(&network, Host::Mirror, 9090, "{}", &scratch)?;
    let mut agent = Agent::start(&network, 8080, &mirror.url(), &[], Profile::Debug, &scratch)?;
    if agent.status()?["hook"] != "tcx" {
        mirror_tests::skip("killed agent", "needs TCX (Linux 6.6)");
        return Ok(());
    }
    assert_eq!(attached(&network)?, ["mirror_egress", "mirror_ingress"]);
    agent.kill();
    // The kernel frees a link a moment after its last descriptor.
    wait_until("an interface without programs", LIMIT, || {
        attached(&network).is_ok_and(|names| names.is_empty())
    })?;
    assert_eq!(http::get(&network, Host::Client, &production.url())?.0, 200);
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
