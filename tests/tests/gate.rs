//! The gate's outcomes with a real service: collisions, occurrences, routes' own rules, other stores.

use std::process::ExitCode;

use anyhow::Result;
use mirror_tests::agent::Finished;
use mirror_tests::load::Call;
use mirror_tests::net::Host;
use mirror_tests::orders::Options;
use mirror_tests::redis::Redis;
use mirror_tests::stage::Stage;
use mirror_tests::{needs, testing};

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
    let production = Options {
        snapshots: story.files,
        args: &["--rule", story.rule],
        ..Options::production()
    };
    let store: Vec<&str> = story
        .mirror_store
        .iter()
        .flat_map(|url| ["--redis", url])
        .collect();
    let mirror = Options {
        args: &store,
        ..Options::mirror()
    };
    let stage = Stage::new()?.redis()?;
    let _other = Redis::on_port(&stage.network, &stage.scratch, 6380, &[])?;
    let stage = stage.production(production)?.mirror(mirror)?;
    let agent = stage.agent(&[&["--rule", story.rule], story.agent].concat())?;
    let calls = calls(&stage.production.url());
    stage.send(&calls, 60)?;
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

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn two_requests_with_one_id_are_no_evidence() -> Result<()> {
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

#[needs(root)]
fn identical_requests_are_told_apart() -> Result<()> {
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

#[needs(root)]
fn a_route_says_what_is_done_without_a_snapshot() -> Result<()> {
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
    // Nothing of it is evidence.
    assert_eq!(finished.exit, 4);
    Ok(())
}

#[needs(root)]
fn a_run_may_fail_for_a_missing_snapshot() -> Result<()> {
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

#[needs(root)]
fn a_mirror_that_cannot_reach_productions_store_gets_copies() -> Result<()> {
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
