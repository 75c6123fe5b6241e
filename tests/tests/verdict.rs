//! A run's decision, on an ordinary service: clocks, random ids, lists in any order, no snapshots.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use mirror_tests::agent::Finished;
use mirror_tests::load::Call;
use mirror_tests::net::Host;
use mirror_tests::stage::{Actor, MIRROR_PORT, Stage};
use mirror_tests::wire::{Answering, Received, Server};
use mirror_tests::{needs, testing};
use serde_json::Value;

fn main() -> ExitCode {
    testing::main()
}

const CONTROL_PORT: u16 = MIRROR_PORT + 1;
const PER_SECOND: u32 = 500;

/// It looks random, and a failure can be repeated: SplitMix64.
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An item with much in it that no two answers share. Version 2 charges more.
fn item(version: u32) -> impl Fn(&Received) -> Vec<u8> + Clone {
    move |request| {
        static ANSWERS: AtomicU64 = AtomicU64::new(0);
        let number = ANSWERS.fetch_add(1, Relaxed);
        let random = mixed(number);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = now.map_or(0, |now| now.as_millis());
        let line = String::from_utf8_lossy(request.line());
        let path = line.split(' ').nth(1).unwrap_or_default();
        let id: u64 = path.trim_start_matches("/items/").parse().unwrap_or(0);
        let price = 10 * id + u64::from(version);
        let tags = match random >> 63 {
            0 => r#"["new","sale"]"#,
            _ => r#"["sale","new"]"#,
        };
        let body = format!(
            r#"{{"id":{id},"price":{price},"at":{millis},"trace":"{random:016x}","host":"web-{}","tags":{tags}}}"#,
            random >> 62
        );
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: {random:x}"
        );
        format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }
}

/// Requests to version 1, mirrored to `version`; the decision needs a bound of 2 %, for which 204 requests do.
fn judged(version: u32, requests: usize, has_control: bool) -> Result<Finished> {
    let stage = Stage::new()?
        .production(Answering(item(1)))?
        .mirror(Answering(item(version)))?;
    let control = Server::start(&stage.network, Host::Mirror, CONTROL_PORT, item(1))?;
    let url = control.url();
    let mut options = vec!["--max-mismatch", "2%", "--fail-on", "value > 2%"];
    if has_control {
        options.extend(["--control", &url]);
    }
    let agent = stage.agent(&options)?;
    let calls: Vec<Call> = (0..requests)
        .map(|n| Call::get(format!("{}/items/{n}", stage.production.url())))
        .collect();
    stage.send(&calls, PER_SECOND)?;
    let finished = agent.stop()?;
    assert!(finished.report.is_balanced(), "{}", finished.output);
    Ok(finished)
}

fn verdict(finished: &Finished) -> &Value {
    &finished.report.json["verdict"]
}

fn places(verdict: &Value, list: &str) -> Vec<String> {
    let found = verdict[list].as_array().cloned().unwrap_or_default();
    found.iter().map(|one| one["place"].to_string()).collect()
}

fn is_never_failed(has_control: bool) -> Result<()> {
    let finished = judged(1, 1_200, has_control)?;
    let report = &finished.report;
    // Only until it is known what varies.
    let differed = report.outcome("differed");
    assert!(differed <= 60, "{differed}: {}", finished.output);
    let found = places(verdict(&finished), "findings");
    assert!(found.is_empty(), "{:#}", verdict(&finished));
    assert!(
        matches!(finished.exit, 0 | 4),
        "{}: {}",
        finished.exit,
        finished.output
    );
    Ok(())
}

#[needs(root)]
fn a_noisy_service_beside_itself_is_not_failed() -> Result<()> {
    is_never_failed(false)
}

#[needs(root)]
fn a_noisy_service_beside_itself_and_a_control_is_not_failed() -> Result<()> {
    is_never_failed(true)
}

fn is_found(has_control: bool) -> Result<()> {
    let finished = judged(2, 400, has_control)?;
    let verdict = verdict(&finished);
    assert_eq!(verdict["decision"], "fail", "{}", finished.output);
    assert_eq!(finished.exit, 1);
    let found = places(verdict, "findings");
    assert_eq!(found, [r#"{"json":"/price"}"#], "{}", finished.output);
    Ok(())
}

#[needs(root)]
fn one_change_amid_noise_is_found_and_nothing_else() -> Result<()> {
    is_found(false)
}

#[needs(root)]
fn one_change_amid_noise_is_found_with_a_control() -> Result<()> {
    is_found(true)
}

#[needs(root)]
fn equal_answers_pass_when_there_are_enough_and_are_on_hold_before() -> Result<()> {
    let body = |_: &Received| {
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
            .to_vec()
    };
    for (requests, decision, exit, told) in [
        (100, "hold", 4, "of 204 needed on GET /items/{id}"),
        (1_100, "pass", 0, "a change hitting more than 2 %"),
    ] {
        let stage = Stage::new()?
            .production(Answering(body))?
            .mirror(Answering(body))?;
        let agent = stage.agent(&["--max-mismatch", "2%"])?;
        let calls: Vec<Call> = (0..requests)
            .map(|n| Call::get(format!("{}/items/{n}", stage.production.url())))
            .collect();
        stage.send(&calls, PER_SECOND)?;
        let finished = agent.stop()?;
        let verdict = verdict(&finished);
        assert_eq!(verdict["decision"], decision, "{}", finished.output);
        assert_eq!(finished.exit, exit);
        let reason = verdict["reason"].to_string();
        assert!(reason.contains(told), "{reason}");
    }
    Ok(())
}

/// An answer that is too large for a light comparison.
fn large(version: u32) -> impl Fn(&Received) -> Vec<u8> + Clone {
    move |_| {
        let body = format!(r#"{{"pad":"{}","total":{version}}}"#, "x".repeat(300 << 10));
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    }
}

#[needs(root)]
fn a_change_in_large_answers_is_found_without_a_control() -> Result<()> {
    let stage = Stage::new()?
        .production(Answering(large(1)))?
        .mirror(Answering(large(2)))?;
    let agent = stage.agent(&["--max-mismatch", "2%", "--drain-timeout", "25s"])?;
    let calls: Vec<Call> = (0..40)
        .map(|n| Call::get(format!("{}/items/{n}", stage.production.url())))
        .collect();
    stage.send(&calls, 20)?;
    let finished = agent.stop()?;
    assert_eq!(finished.decision()?, "fail", "{}", finished.output);
    let found = places(verdict(&finished), "findings");
    assert_eq!(found, [r#"{"json":"/total"}"#], "{}", finished.output);
    Ok(())
}
