//! With snapshots the mirror answers from the data that production read: what differs is the code.

use anyhow::Result;
use mirror_tests::agent::{Agent, Finished};
use mirror_tests::load::{Answers, Call, Load, orders_mix};
use mirror_tests::net::{Host, Network};
use mirror_tests::orders::{Options, Orders, PLANTED};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace::Profile;

const REQUESTS: usize = 120;
const HEADER_RULE: &str = "header:x-request-id";
const DIGEST_RULE: &str = r#"md5("{json:userId}:{json:productId}:{time:s}")"#;

/// Production's data changes every 10 ms, while the mirror's stays as it was at the start.
fn mirror_orders(
    mirror_version: u8,
    rule: &str,
    calls: impl FnOnce(&str) -> Vec<Call>,
) -> Result<Finished> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let _redis = Redis::start(&network, &scratch)?;
    let options = Options {
        host: Host::Production,
        port: 8080,
        api_version: 1,
        churn_ms: 10,
        snapshots: true,
        build: Profile::Debug,
    };
    let production = Orders::start(&network, options, &scratch)?;
    let options = Options {
        host: Host::Mirror,
        port: 9090,
        api_version: mirror_version,
        churn_ms: 0,
        ..options
    };
    let mirror = Orders::start(&network, options, &scratch)?;
    let store = Redis::url();
    let args = ["--redis", &store, "--rule", rule, "--allow", "POST /orders"];
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
            ok: REQUESTS,
            failed: 0
        }
    );
    let finished = agent.stop()?;
    assert_eq!(
        finished.report.seen, REQUESTS as u64,
        "{:#}",
        finished.report.json
    );
    assert!(finished.report.is_balanced(), "{:#}", finished.report.json);
    Ok(finished)
}

fn all_routes(base: &str) -> Vec<Call> {
    orders_mix(base, REQUESTS, "e2e")
}

#[test]
fn the_same_version_answers_alike_though_the_data_moves() -> Result<()> {
    if mirror_tests::runs_as_root("snapshots, same version") {
        let finished = mirror_orders(1, HEADER_RULE, all_routes)?;
        assert_eq!(
            finished.report.outcome("matched"),
            REQUESTS as u64,
            "{:#}",
            finished.report.json
        );
        assert_eq!(finished.exit, 0);
    }
    Ok(())
}

#[test]
fn version_2_differs_in_the_planted_place_only() -> Result<()> {
    if mirror_tests::runs_as_root("snapshots, version 2") {
        let finished = mirror_orders(2, HEADER_RULE, all_routes)?;
        let report = &finished.report;
        assert_eq!(
            report.outcome("matched") + report.outcome("differed"),
            report.seen,
            "{:#}",
            report.json
        );
        assert!(report.outcome("differed") > 0, "{:#}", report.json);
        for difference in &report.differences {
            assert_eq!(
                (difference.route.as_str(), difference.place.as_str()),
                (PLANTED.route, PLANTED.place)
            );
        }
        assert_eq!(finished.exit, 1);
    }
    Ok(())
}

/// The requests carry no id: production and agent both compute it from the body and the clock.
#[test]
fn a_digest_of_body_and_time_names_the_same_request_on_all_sides() -> Result<()> {
    if !mirror_tests::runs_as_root("snapshots, digest") {
        return Ok(());
    }
    let orders = |base: &str| -> Vec<Call> {
        (0..REQUESTS)
            .map(|n| {
                let body = format!(r#"{{"userId":{n},"productId":{},"quantity":2}}"#, n % 5 + 1);
                Call::post(format!("{base}/orders"), body)
            })
            .collect()
    };
    let report = mirror_orders(1, DIGEST_RULE, orders)?.report;
    assert_eq!(
        report.outcome("matched"),
        REQUESTS as u64,
        "{:#}",
        report.json
    );
    Ok(())
}
