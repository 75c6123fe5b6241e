//! What an answer does not show: the mirror files what a request read and would have written, and the agent compares it with
//! what production read and wrote.

mod by_hand;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use mirror_tests::agent::Finished;
use mirror_tests::load::Call;
use mirror_tests::net::Host;
use mirror_tests::orders::Options;
use mirror_tests::stage::{MIRROR_PORT, Role, Stage};
use mirror_tests::wire::{Answering, Received};
use mirror_tests::{needs, testing};
use serde_json::{Value, json};

fn main() -> ExitCode {
    testing::main()
}

const REQUESTS: usize = 120;
const PER_SECOND: u32 = 60;

/// Orders to version 1, mirrored to one that makes a mistake; the decision needs a bound of 5 %.
fn judged(mistake: &[&str], has_control: bool) -> Result<Finished> {
    let mirror = Options {
        args: mistake,
        ..Options::mirror()
    };
    let stage = Stage::new()?
        .redis()?
        .production(Options::production())?
        .mirror(mirror)?;
    let control = Options::mirror().start(
        &stage.network,
        &stage.scratch,
        Host::Mirror,
        MIRROR_PORT + 1,
    )?;
    let url = control.url();
    let mut options = vec!["--rule", "header:x-request-id", "--allow", "POST /orders"];
    options.extend(["--max-mismatch", "5%", "--fail-on", "value > 5%"]);
    options.extend(["--fail-on", "breaking > 0"]);
    if has_control {
        options.extend(["--control", &url]);
    }
    let agent = stage.agent(&options)?;
    let orders = |n: usize| {
        let (user, product, pieces) = (n % 7 + 1, n % 5 + 1, n % 3 + 1);
        let body = format!(r#"{{"userId":{user},"productId":{product},"quantity":{pieces}}}"#);
        let call = Call::post(format!("{}/orders", stage.production.url()), body);
        call.header(format!("x-request-id: order-{n}"))
    };
    let calls: Vec<Call> = (0..REQUESTS).map(orders).collect();
    stage.send(&calls, PER_SECOND)?;
    let finished = agent.stop()?;
    assert!(finished.report.is_balanced(), "{}", finished.output);
    let compared = &finished.report.json["effects"]["compared"];
    assert_eq!(*compared, REQUESTS, "{}", finished.output);
    Ok(finished)
}

/// The run fails by this difference, and by nothing else.
fn check_found(finished: &Finished, place: &str, kind: &str) {
    let verdict = &finished.report.json["verdict"];
    assert_eq!(verdict["decision"], "fail", "{}", finished.output);
    assert_eq!(finished.exit, 1);
    let findings = verdict["findings"].as_array().cloned().unwrap_or_default();
    let found: Vec<_> = findings
        .iter()
        .map(|one| (&one["route"], &one["place"], &one["kind"]))
        .collect();
    let expect = (
        Value::from("POST /orders"),
        serde_json::json!({ "effects": place }),
        Value::from(kind),
    );
    assert_eq!(
        found,
        [(&expect.0, &expect.1, &expect.2)],
        "{}",
        finished.output
    );
    // The answers show nothing.
    for group in &finished.report.differences {
        assert!(group.place.starts_with("effects "), "{}", group.place);
    }
}

#[needs(root)]
fn a_wrong_amount_that_is_booked_is_found() -> Result<()> {
    for has_control in [false, true] {
        let finished = judged(&["--mistake", "booked-amount"], has_control)?;
        check_found(&finished, "/writes/order/*/totalCents", "value");
        assert_eq!(finished.report.outcome("differed"), REQUESTS as u64);
    }
    Ok(())
}

#[needs(root)]
fn a_row_that_is_read_once_more_for_each_piece_is_found() -> Result<()> {
    let finished = judged(&["--mistake", "row-per-piece"], false)?;
    check_found(&finished, "/reads/product/*", "added");
    Ok(())
}

#[needs(root)]
fn the_same_version_does_the_same() -> Result<()> {
    for has_control in [false, true] {
        let finished = judged(&[], has_control)?;
        let report = &finished.report;
        assert_eq!(
            report.outcome("matched"),
            REQUESTS as u64,
            "{}",
            finished.output
        );
        assert!(report.differences.is_empty(), "{}", finished.output);
        assert_eq!(finished.exit, 0, "{}", finished.output);
    }
    Ok(())
}

/// A version that calls its SDK on one route only, and says less there than production does.
#[needs(root)]
fn a_mirror_that_says_less_than_production_does_not_pass() -> Result<()> {
    let stage = Stage::new()?
        .redis()?
        .production(Answering(|_: &Received| by_hand::answer("", "{}")))?
        .mirror(Answering(|request: &Received| {
            by_hand::mirrored(!request.line().starts_with(b"GET /quiet "), "", "{}")
        }))?;
    let agent = stage.agent(&["--rule", "header:x-request-id"])?;
    let written = by_hand::written(&json!({ "amount": 5 }));
    let done = json!([{ "name": "write:book", "key": "7", "value": null, "written": written }]);
    for (id, target) in [("a", "/book"), ("b", "/quiet"), ("c", "/book")] {
        by_hand::asked(&stage, id, target, "", &done)?;
    }
    by_hand::file_effects(&stage, 3, |_| json!([{ "write": "book", "key": "7" }]))?;
    agent.wait_settled(3, Duration::from_secs(20))?;
    let finished = agent.stop()?;
    let effects = &finished.report.json["effects"];
    assert_eq!(effects["compared"], 2, "{}", finished.output);
    assert_eq!(effects["not_announced"], 1, "{}", finished.output);
    assert!(
        finished.output.contains("x-mirror-effects"),
        "{}",
        finished.output
    );
    let [group] = &finished.report.differences[..] else {
        panic!("{}", finished.output);
    };
    assert_eq!(group.place, "effects /writes/book/*/amount");
    assert_eq!((group.count, finished.exit), (2, 1), "{}", finished.output);
    Ok(())
}
