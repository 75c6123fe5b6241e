//! The gate's outcomes with a real service: collisions, occurrences, routes' own rules, other stores.

use anyhow::Result;
use mirror_tests::agent::{Agent, Finished};
use mirror_tests::load::{Answers, Call, Load};
use mirror_tests::net::{Host, Network};
use mirror_tests::orders::{Options, Orders};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::Profile;

const HEADER: &str = "header:x-request-id";

/// How a story differs from the usual one.
struct Story<'a> {
    /// Of services and agent.
    rule: &'a str,
    agent: &'a [&'a str],
    /// Whether production files snapshots.
    files: bool,
    /// Where the mirror reads.
    mirror_store: Option<String>,
}

impl Default for Story<'_> {
    fn default() -> Self {
        Self {
            rule: HEADER,
            agent: &[],
            files: true,
            mirror_store: None,
        }
    }
}

/// Production's data changes every 10 ms; the mirror has the same code.
fn run(story: &Story<'_>, calls: impl FnOnce(&str) -> Vec<Call>) -> Result<Finished> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let _redis = Redis::start(&network, &scratch)?;
    let _other = Redis::on_port(&network, &scratch, 6380, &[])?;
    let options = Options {
        host: Host::Production,
        port: 8080,
        api_version: 1,
        churn_ms: 10,
        snapshots: story.files,
        build: Profile::Debug,
    };
    let production = Orders::start_with(&network, options, &scratch, &["--rule", story.rule])?;
    let options = Options {
        host: Host::Mirror,
        port: 9090,
        churn_ms: 0,
        snapshots: true,
        ..options
    };
    let store: Vec<&str> = story
        .mirror_store
        .iter()
        .flat_map(|url| ["--redis", url])
        .collect();
    let mirror = Orders::start_with(&network, options, &scratch, &store)?;
    let url = Redis::url();
    let args = [&["--redis", &url, "--rule", story.rule], story.agent].concat();
    let agent = Agent::start(
        &network,
        8080,
        &mirror.url(),
        &args,
        Profile::Debug,
        &scratch,
    )?;
    let calls = calls(&production.url());
    let answers = Load::start(&network, &calls, 60, &scratch)?.finish()?;
    assert_eq!(
        answers,
        Answers {
            ok: calls.len(),
            failed: 0
        }
    );
    let finished = agent.stop()?;
    assert_eq!(
        finished.report.seen,
        calls.len() as u64,
        "{:#}",
        finished.report.json
    );
    assert!(finished.report.is_balanced(), "{:#}", finished.report.json);
    Ok(finished)
}

fn products(base: &str, count: usize, id: impl Fn(usize) -> String) -> Vec<Call> {
    let call = |n| {
        Call::get(format!("{base}/products/{}", n % 5 + 1))
            .header(format!("x-request-id: {}", id(n)))
    };
    (0..count).map(call).collect()
}

#[test]
fn two_requests_with_one_id_are_no_evidence() -> Result<()> {
    if !mirror_tests::runs_as_root("gate: collisions") {
        return Ok(());
    }
    // Every id twice, next to each other, for different products; then 20 that are alone.
    let finished = run(&Story::default(), |base| {
        products(base, 60, |n| {
            format!("id-{}", if n < 40 { n / 2 } else { n })
        })
    })?;
    assert_eq!(
        finished.report.outcome("snapshot: collided"),
        40,
        "{:#}",
        finished.report.json
    );
    assert_eq!(
        finished.report.outcome("matched"),
        20,
        "{:#}",
        finished.report.json
    );
    assert_eq!(finished.exit, 0);
    assert!(
        finished.output.contains("tells them apart"),
        "{}",
        finished.output
    );
    Ok(())
}

#[test]
fn identical_requests_are_told_apart_by_their_order() -> Result<()> {
    if !mirror_tests::runs_as_root("gate: occurrences") {
        return Ok(());
    }
    let story = Story {
        rule: r#"md5("{path}:{time:s}") #n"#,
        ..Story::default()
    };
    let finished = run(&story, |base| {
        (0..60)
            .map(|_| Call::get(format!("{base}/products/1")))
            .collect()
    })?;
    assert_eq!(
        finished.report.outcome("matched"),
        60,
        "{:#}",
        finished.report.json
    );
    Ok(())
}

#[test]
fn a_route_says_what_is_done_without_a_snapshot() -> Result<()> {
    if !mirror_tests::runs_as_root("gate: missing") {
        return Ok(());
    }
    let story = Story {
        agent: &[
            "--on-missing",
            "GET /products/1 => replay",
            "--no-snapshot",
            "GET /healthz",
        ],
        files: false,
        // The mirror reads its own database then.
        ..Story::default()
    };
    let finished = run(&story, |base| {
        let mut calls = products(base, 10, |n| format!("id-{n}"));
        calls.extend((0..5).map(|_| Call::get(format!("{base}/healthz"))));
        calls
    })?;
    let outcome = |name| finished.report.outcome(name);
    assert_eq!(
        outcome("snapshot: missing"),
        8,
        "{:#}",
        finished.report.json
    );
    // The mirror itself finds no snapshot either, and says so.
    assert_eq!(
        outcome("mirror: no snapshot"),
        2,
        "{:#}",
        finished.report.json
    );
    assert_eq!(
        outcome("matched without snapshot"),
        5,
        "{:#}",
        finished.report.json
    );
    assert_eq!(finished.exit, 0);
    Ok(())
}

#[test]
fn a_run_may_fail_for_a_missing_snapshot() -> Result<()> {
    if !mirror_tests::runs_as_root("gate: fail") {
        return Ok(());
    }
    let story = Story {
        agent: &["--on-missing", "fail"],
        files: false,
        ..Story::default()
    };
    let finished = run(&story, |base| products(base, 1, |_| "one".into()));
    // It may have ended before it was stopped.
    match finished {
        Ok(finished) => {
            assert_eq!(finished.exit, 3);
            assert!(
                finished.report.json["failed"]
                    .as_str()
                    .is_some_and(|why| why.contains("/products/1"))
            );
        }
        Err(error) => panic!("{error:#}"),
    }
    Ok(())
}

#[test]
fn a_mirror_that_cannot_reach_productions_store_gets_copies() -> Result<()> {
    if !mirror_tests::runs_as_root("gate: second store") {
        return Ok(());
    }
    let other = format!("redis://{}:6380", Host::Mirror.address());
    let story = Story {
        agent: &["--mirror-redis", &other],
        mirror_store: Some(other.clone()),
        ..Story::default()
    };
    let finished = run(&story, |base| products(base, 30, |n| format!("id-{n}")))?;
    assert_eq!(
        finished.report.outcome("matched"),
        30,
        "{:#}",
        finished.report.json
    );
    Ok(())
}
