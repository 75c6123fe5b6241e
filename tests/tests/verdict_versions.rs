//! What a run decides of a database that was migrated, of another version of an API, and of a build that is replaced midway.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::agent::Finished;
use mirror_tests::load::Call;
use mirror_tests::net::Host;
use mirror_tests::orders::Options;
use mirror_tests::stage::{Actor, MIRROR_PORT, Stage};
use mirror_tests::wire::{Answering, Received, Server, answer};
use mirror_tests::{needs, testing, wait_until};
use rusqlite::Connection;
use serde_json::{Value, json};

fn main() -> ExitCode {
    testing::main()
}

const PER_SECOND: u32 = 400;
/// 409 requests of a route without a difference show 1 %.
const LIMIT: [&str; 4] = ["--max-mismatch", "1%", "--fail-on", "value > 1%"];

fn verdict(finished: &Finished) -> &Value {
    &finished.report.json["verdict"]
}

/// Route and place of what a run fails on.
fn findings(finished: &Finished) -> Vec<(String, String)> {
    let found = verdict(finished)["findings"].as_array().cloned();
    let named = |one: &Value| {
        let place = one["place"]["json"].as_str().unwrap_or_default();
        (
            one["route"].as_str().unwrap_or_default().into(),
            place.into(),
        )
    };
    found.unwrap_or_default().iter().map(named).collect()
}

/// Routes and places that differ in what they say, whatever the run fails on. Members that were moved are in another order.
fn differing(finished: &Finished) -> Vec<(&str, &str)> {
    let all = finished.report.json["differences"].as_array();
    let all = all.map_or(&[][..], Vec::as_slice).iter();
    all.filter(|one| one["kind"] != "cosmetic")
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default();
            (text("route"), text("place"))
        })
        .collect()
}

/// A shop's tables, as they are before or after a migration.
const TABLES: &str = "
    CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, price_cents INTEGER, stock INTEGER);
    CREATE TABLE placed (id TEXT PRIMARY KEY, user INTEGER, product INTEGER, quantity INTEGER, receipt TEXT, placed_at INTEGER);
    CREATE INDEX placed_by ON placed (user);";

/// Moves production's data to another database by `columns`, as a migration does. Names were `VARCHAR(9)` there for a while.
fn migrate(stage: &Stage<impl Actor>, columns: &str) -> Result<()> {
    let old = stage.scratch.join("orders-production-8080.db");
    let new = stage.scratch.join("orders-mirror-9090.db");
    let connection = Connection::open(&new).context("opening the new database")?;
    connection.execute_batch(TABLES)?;
    connection.execute("ATTACH ? AS old", [old.to_string_lossy()])?;
    let moved = connection.execute(
        &format!("INSERT INTO product SELECT {columns} FROM old.product"),
        [],
    )?;
    assert_eq!(moved, 50, "all products are moved");
    Ok(())
}

/// The order service beside itself, on a database that was filled by `columns`; its data is at rest.
fn migrated(columns: &str) -> Result<Finished> {
    let service = Options {
        churn_ms: 0,
        snapshots: false,
        ..Options::production()
    };
    let stage = Stage::new()?.production(service)?;
    migrate(&stage, columns)?;
    let stage = stage.mirror(service)?;
    let agent = stage.agent(&LIMIT)?;
    let calls: Vec<Call> = (0..1_000)
        .map(|n| {
            let (base, product, user) = (stage.production.url(), n / 2 % 50 + 1, n % 90 + 1);
            Call::get(match n % 2 {
                0 => format!("{base}/products/{product}?userId={user}"),
                _ => format!("{base}/cart/{user}/total?productId={product}&qty={}", n % 4),
            })
        })
        .collect();
    stage.send(&calls, PER_SECOND)?;
    let finished = agent.stop()?;
    assert!(finished.report.is_balanced(), "{}", finished.output);
    Ok(finished)
}

#[needs(root)]
fn one_wrong_column_of_a_migrated_database_is_found_and_nothing_else() -> Result<()> {
    let finished = migrated("id, substr(name, 1, 9), price_cents, stock")?;
    assert_eq!(finished.decision()?, "fail", "{}", finished.output);
    let found = findings(&finished);
    assert_eq!(
        found,
        [("GET /products/{id}".into(), "/name".into())],
        "{}",
        finished.output
    );
    assert_eq!(differing(&finished), [("GET /products/{id}", "body /name")]);
    Ok(())
}

#[needs(root)]
fn a_database_that_was_migrated_well_passes() -> Result<()> {
    let finished = migrated("id, name, price_cents, stock")?;
    assert_eq!(finished.decision()?, "pass", "{}", finished.output);
    assert!(differing(&finished).is_empty());
    Ok(())
}

/// The number in `/v1/orders/17`, if the path is of this version.
fn number(request: &Received, version: &str) -> Option<u64> {
    let line = String::from_utf8_lossy(request.line()).into_owned();
    let path = line.split(' ').nth(1)?.strip_prefix(version)?;
    path.strip_prefix("/orders/")?.parse().ok()
}

fn answered(body: Option<Value>) -> Vec<u8> {
    let (status, body) = match body {
        Some(body) => ("200 OK", body.to_string()),
        None => ("404 Not Found", r#"{"error":"no such path"}"#.into()),
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Version 1 of an API.
fn first(request: &Received) -> Vec<u8> {
    answered(number(request, "/v1").map(|id| {
        json!({
            "id": id,
            "price": 100 + id,
            "tax": (100 + id) * 19 / 100,
            "customer": {"name": format!("customer {}", id % 7), "city": "Berlin"},
            "items": [{"sku": format!("a{id}"), "qty": 1}, {"sku": "b", "qty": 2}],
            "self": format!("/v1/orders/{id}"),
        })
    }))
}

/// Version 2: the price has moved, members have other names, links name the version, there is a currency. A tax that is rounded
/// up is not intended.
fn second(rounds_up: bool) -> impl Fn(&Received) -> Vec<u8> + Clone {
    move |request| {
        answered(number(request, "/v2").map(|id| {
            json!({
                "id": id,
                "pricing": {"amount": 100 + id},
                "tax": ((100 + id) * 19 + if rounds_up { 99 } else { 0 }) / 100,
                "customerName": format!("customer {}", id % 7),
                "customer": {"city": "Berlin"},
                "lines": [{"sku": format!("a{id}"), "quantity": 1}, {"sku": "b", "quantity": 2}],
                "self": format!("/v2/orders/{id}"),
                "currency": "EUR",
            })
        }))
    }
}

/// Every change that version 2 intends.
const INTENDED: [&str; 6] = [
    "rename /price -> /pricing/amount",
    "rename /customer/name -> /customerName",
    "rename /items -> /lines",
    "rename /lines/*/qty -> /lines/*/quantity",
    "normalise s/v[12]/v/ /self",
    "expect added /currency",
];

fn beside_version_2(rounds_up: bool, more_rules: &[&str]) -> Result<Finished> {
    let stage = Stage::new()?
        .production(Answering(first))?
        .mirror(Answering(second(rounds_up)))?;
    let rules: Vec<String> = INTENDED
        .iter()
        .chain(more_rules)
        .map(|rule| format!("GET /v1/orders/{{id}} => {rule}"))
        .collect();
    let mut options = LIMIT.to_vec();
    options.extend(["--rewrite", "* /v1/** => path prefix /v1 -> /v2"]);
    for rule in &rules {
        options.extend(["--compare-rule", rule]);
    }
    let agent = stage.agent(&options)?;
    let url = stage.production.url();
    let calls: Vec<Call> = (0..500)
        .map(|n| Call::get(format!("{url}/v1/orders/{n}")))
        .collect();
    stage.send(&calls, PER_SECOND)?;
    let finished = agent.stop()?;
    assert!(finished.report.is_balanced(), "{}", finished.output);
    Ok(finished)
}

#[needs(root)]
fn another_version_of_an_api_passes_where_rules_name_all_that_changed() -> Result<()> {
    let finished = beside_version_2(false, &[])?;
    assert_eq!(finished.decision()?, "pass", "{}", finished.output);
    assert!(differing(&finished).is_empty(), "{}", finished.output);
    Ok(())
}

#[needs(root)]
fn of_another_version_of_an_api_only_the_unintended_change_is_found() -> Result<()> {
    let finished = beside_version_2(true, &[])?;
    assert_eq!(finished.decision()?, "fail", "{}", finished.output);
    let found = findings(&finished);
    assert_eq!(
        found,
        [("GET /v1/orders/{id}".into(), "/tax".into())],
        "{}",
        finished.output
    );
    assert_eq!(differing(&finished), [("GET /v1/orders/{id}", "body /tax")]);
    Ok(())
}

#[needs(root)]
fn an_intended_change_that_never_comes_fails_the_run() -> Result<()> {
    let finished = beside_version_2(false, &["expect added /vatId"])?;
    assert_eq!(finished.decision()?, "fail", "{}", finished.output);
    let reason = verdict(&finished)["reason"].to_string();
    assert!(reason.contains("expect added /vatId"), "{reason}");
    assert!(findings(&finished).is_empty(), "{}", finished.output);
    Ok(())
}

/// What the candidate says of its build: another one from the third question on.
fn replaced(asked: &Arc<AtomicUsize>) -> impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static {
    let asked = Arc::clone(asked);
    move |_| match asked.fetch_add(1, Relaxed) {
        0 | 1 => answer("200 OK", r#"{"build":{"commit":"3f2a"}}"#),
        _ => answer("200 OK", r#"{"build":{"commit":"77c1"}}"#),
    }
}

#[needs(root)]
fn a_candidate_that_is_replaced_midway_makes_the_run_invalid_and_questions_are_not_captured()
-> Result<()> {
    let stage = Stage::new()?
        .production(Answering(first))?
        .mirror(Answering(first))?;
    let asked = Arc::default();
    let port = MIRROR_PORT + 1;
    let builds = Server::start(&stage.network, Host::Mirror, port, replaced(&asked))?;
    let production = format!("{}/v1/orders/4711#/id", stage.production.url());
    let candidate = format!("{}/info#/build/commit", builds.url());
    let agent = stage.agent(&[
        "--production-build-url",
        &production,
        "--candidate-build-url",
        &candidate,
        "--build-interval",
        "1s",
    ])?;
    let url = stage.production.url();
    let calls: Vec<Call> = (0..20)
        .map(|n| Call::get(format!("{url}/v1/orders/{n}")))
        .collect();
    stage.send(&calls, PER_SECOND)?;
    // The answer to the third one is there when the fourth is asked.
    wait_until("four questions", Duration::from_secs(20), || {
        asked.load(Relaxed) >= 4
    })?;
    let finished = agent.stop()?;
    assert_eq!(finished.decision()?, "invalid", "{}", finished.output);
    let reason = verdict(&finished)["reason"].to_string();
    assert!(reason.contains("`3f2a`, `77c1`"), "{reason}");
    let builds = &verdict(&finished)["builds"];
    assert_eq!(builds["production"], json!(["4711"]), "{builds}");
    assert_eq!(finished.report.seen, 20, "{}", finished.output);
    Ok(())
}

#[needs(root)]
fn a_build_that_cannot_be_asked_for_is_told_before_anything_starts() -> Result<()> {
    let stage = Stage::new()?
        .production(Answering(first))?
        .mirror(Answering(first))?;
    let url = format!("{}/nothing", stage.mirror.url());
    let error = stage.agent(&["--candidate-build-url", &url]).unwrap_err();
    let told = format!("{error:#}");
    assert!(
        told.contains("for its build") && told.contains("404"),
        "{told}"
    );
    Ok(())
}
