//! With snapshots the mirror answers from the data that production read: what differs is the code.

use std::process::ExitCode;

use anyhow::Result;
use mirror_tests::agent::Finished;
use mirror_tests::load::{Call, orders_mix};
use mirror_tests::orders::{Options, PLANTED};
use mirror_tests::stage::Stage;
use mirror_tests::{needs, testing};

fn main() -> ExitCode {
    testing::main()
}

const REQUESTS: usize = 120;
const HEADER_RULE: &str = "header:x-request-id";
const DIGEST_RULE: &str = r#"md5("{json:userId}:{json:productId}:{time:s}")"#;

/// Production's data changes every 10 ms, while the mirror's stays as it was at the start.
fn mirror_orders(
    mirror_version: u8,
    rule: &str,
    calls: impl FnOnce(&str) -> Vec<Call>,
) -> Result<Finished> {
    let mirror = Options {
        api_version: mirror_version,
        ..Options::mirror()
    };
    let stage = Stage::new()?
        .redis()?
        .production(Options::production())?
        .mirror(mirror)?;
    let agent = stage.agent(&["--rule", rule, "--allow", "POST /orders"])?;
    stage.send(&calls(&stage.production.url()), 60)?;
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

#[needs(root)]
fn the_same_version_answers_alike_though_the_data_moves() -> Result<()> {
    let finished = mirror_orders(1, HEADER_RULE, all_routes)?;
    assert_eq!(
        finished.report.outcome("matched"),
        REQUESTS as u64,
        "{:#}",
        finished.report.json
    );
    assert_eq!(finished.exit, 0);
    Ok(())
}

#[needs(root)]
fn version_2_differs_in_the_planted_place_only() -> Result<()> {
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
    Ok(())
}

/// The requests carry no id: production and agent both compute it from the body and the clock.
#[needs(root)]
fn a_digest_of_body_and_time_names_the_same_request_on_all_sides() -> Result<()> {
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
