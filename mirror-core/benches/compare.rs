//! What a comparison costs, on one core and from memory: two answers lie ready, observations come out.
//!
//! `cargo xtask bench compare` runs it. One scenario by name prints one JSON object; a number after it is how many pairs are
//! compared, once, for those who count instructions.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use mirror_core::compare::{Asked, CompareOptions, compare_full};
use mirror_core::exchange::{Request, Response};
use serde_json::{Value, json};

/// A measurement on a shared machine counts by its best round.
const ROUNDS: usize = 7;
/// Pairs of a round.
const SMALL: usize = 100_000;
const LARGE: usize = 10;
/// Elements of a large body, of some 130 bytes each.
const ELEMENTS: usize = 15_000;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let scenario = args.next().unwrap_or_default();
    let count: Option<usize> = args.next().and_then(|count| count.parse().ok());
    let rounds = if count.is_some() { 1 } else { ROUNDS };
    let small = |pair: (String, String)| measured(count.unwrap_or(SMALL), rounds, pair);
    let large = |pair: (String, String)| measured(count.unwrap_or(LARGE), rounds, pair);
    let figures = match scenario.as_str() {
        "byte-equal" => small((order(0, ""), order(0, ""))),
        "equal" => small((order(0, ""), order(0, " "))),
        "differing" => small((order(0, ""), order(1, " "))),
        "large-equal" => large((orders(0, ""), orders(0, " "))),
        "large-one-differs" => large((orders(0, ""), one_differs())),
        "large-differing" => large((orders(0, ""), orders(1, " "))),
        "large-shuffled" => large((orders(0, ""), shuffled())),
        other => panic!(
            "no scenario {other:?}: byte-equal, equal, differing, large-equal, large-one-differs, large-differing, large-shuffled"
        ),
    };
    println!("{figures}");
}

/// A small order with `changed` values that are not those of the others.
fn order(changed: u32, space: &str) -> String {
    format!(
        r#"{{"id":4711,{space}"status":"paid","customer":{{"id":12,"name":"Ada Lovelace","country":"GB"}},{space}"items":[{{"sku":"a-1","quantity":2,"price":{}.95}},{{"sku":"b-2","quantity":1,"price":7.5}}],"total":{}.40,"created":"2026-11-26T10:00:0{changed}Z"}}"#,
        9 + changed,
        27 + changed
    )
}

fn element(n: usize, changed: u32, space: &str) -> String {
    format!(
        r#"{{"id":{n},{space}"sku":"sku-{}","name":"A thing of some kind","price":{}.25,"in_stock":{},"updated":"2026-11-26T10:00:0{changed}Z"}}"#,
        n * 7,
        n % 1000,
        n.is_multiple_of(3)
    )
}

fn orders(changed: u32, space: &str) -> String {
    let elements: Vec<String> = (0..ELEMENTS).map(|n| element(n, changed, space)).collect();
    format!(r#"{{"orders":[{}]}}"#, elements.join(","))
}

/// One element of a hundred has another value.
fn one_differs() -> String {
    let changed = |n: usize| u32::from(n % 100 == 50);
    let elements: Vec<String> = (0..ELEMENTS).map(|n| element(n, changed(n), " ")).collect();
    format!(r#"{{"orders":[{}]}}"#, elements.join(","))
}

fn shuffled() -> String {
    let place = |n: usize| n * 7919 % ELEMENTS;
    let elements: Vec<String> = (0..ELEMENTS).map(|n| element(place(n), 0, "")).collect();
    format!(r#"{{"orders":[{}]}}"#, elements.join(","))
}

fn answer(body: String, date: &str) -> Response {
    let fields = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "max-age=60, private"),
        ("Vary", "Accept, Origin"),
        ("X-Request-Id", date),
        ("Date", date),
        ("Content-Language", "en"),
        ("X-Frame-Options", "DENY"),
        ("Strict-Transport-Security", "max-age=31536000"),
    ];
    Response {
        headers: fields.into_iter().collect(),
        body: Bytes::from(body).into(),
        ..Response::new(200)
    }
}

fn measured(pairs: usize, rounds: usize, (ours, theirs): (String, String)) -> Value {
    let bytes = ours.len();
    let ours = answer(ours, "Thu, 26 Nov 2026 10:00:00 GMT");
    let theirs = answer(theirs, "Thu, 26 Nov 2026 10:00:01 GMT");
    let mut request = Request::new("GET", "/orders/4711");
    request.headers.append("Host", b"shop.example");
    let options = CompareOptions::default();
    let asked = Asked {
        request: Some(&request),
        mirror_authority: Some("mirror:8080"),
    };
    let round = || {
        let begin = Instant::now();
        for _ in 0..pairs {
            black_box(compare_full(
                &options,
                asked,
                black_box(&ours),
                black_box(&theirs),
            ));
        }
        begin.elapsed().as_secs_f64()
    };
    let seconds = (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min);
    let comparison = compare_full(&options, asked, &ours, &theirs);
    json!({
        "bytes_of_one_body": bytes,
        "differences": comparison.different.total(),
        "pairs_per_second": (pairs as f64 / seconds).round(),
        "megabytes_of_one_side_per_second": (pairs as f64 / seconds * bytes as f64 / 1e6).round(),
    })
}
