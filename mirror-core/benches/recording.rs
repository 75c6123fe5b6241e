//! What a recording costs, on one core and in memory: envelopes lie ready, blocks come out, and go back into envelopes.
//!
//! `cargo xtask bench transport` runs it, and prints one JSON object. A number says how many exchanges.

#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads how long it has run"
)]

use bytes::Bytes;
use mirror_contract::{Candidates, RequestId};
use mirror_core::exchange::{Body, Exchange, Request, Response};
use mirror_core::identity::{Identifier, Identity};
use mirror_core::policy::{Envelope, Policy};
use mirror_core::recording::{RecordingMetadata, RecordingReader, RecordingWriter, WriterOptions};
use mirror_core::time::Timestamp;
use serde_json::json;

/// A measurement on a shared machine counts by its best round.
const ROUNDS: usize = 5;
const EXCHANGES: usize = 200_000;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let count = args.next().and_then(|count| count.parse().ok());
    let envelopes: Vec<Envelope> = (0..count.unwrap_or(EXCHANGES) as u64)
        .map(envelope)
        .collect();
    let raw: usize = envelopes.iter().map(raw_bytes).sum();
    let mut best = [f64::INFINITY; 2];
    let mut recording = Vec::new();
    for _ in 0..ROUNDS {
        let begun = cpu_seconds();
        recording = written(&envelopes);
        best[0] = best[0].min(cpu_seconds() - begun);
        let begun = cpu_seconds();
        assert_eq!(read(&recording), envelopes.len());
        best[1] = best[1].min(cpu_seconds() - begun);
    }
    let per_second = |seconds: f64| (envelopes.len() as f64 / seconds).round();
    let figures = json!({
        "exchanges": envelopes.len(),
        "raw_bytes_each": raw / envelopes.len(),
        "written_per_second": per_second(best[0]),
        "read_per_second": per_second(best[1]),
        "percent_of_raw": (1000.0 * recording.len() as f64 / raw as f64).round() / 10.0,
    });
    println!("{figures}");
}

/// Time that this thread has had a core, so that others on the machine count as little as possible.
fn cpu_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told
        .split(' ')
        .next()
        .and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.expect("the kernel tells how long a thread has run") / 1e9
}

fn written(envelopes: &[Envelope]) -> Vec<u8> {
    let metadata = RecordingMetadata::default();
    let options = WriterOptions::default();
    let mut writer = RecordingWriter::new(Vec::new(), options, &metadata).expect("a vector grows");
    for envelope in envelopes {
        writer.push(envelope, &[]).expect("a vector grows");
    }
    writer.end().expect("a vector grows")
}

fn read(recording: &[u8]) -> usize {
    let mut reader = RecordingReader::new(recording, None).expect("a reader");
    let mut count = 0;
    while let Some(exchange) = reader.next() {
        count += usize::from(exchange.is_ok());
    }
    count
}

/// Bytes of the two messages as they went over the wire.
fn raw_bytes(envelope: &Envelope) -> usize {
    let request = &envelope.exchange().request;
    let head = |headers: &mirror_core::exchange::Headers| -> usize {
        headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum()
    };
    let answer = envelope.exchange().response.as_ref();
    let line = request.method.as_str().len() + request.target.as_bytes().len() + 14;
    let answer = answer.map_or(0, |answer| 19 + head(&answer.headers) + answer.body.len());
    line + head(&request.headers) + request.body.len() + answer
}

/// An order of a shop, as a browser's page asks for it.
fn envelope(number: u64) -> Envelope {
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ 0x5bd1_e995;
    let id = format!("{random:016x}-{number}");
    let mut request = Request::new(
        "GET",
        format!("/users/{}/orders/{number}?page=1", random % 5000),
    );
    request.headers = [
        ("Host", "shop.example"),
        (
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("X-Request-Id", &id),
    ]
    .into_iter()
    .collect();
    let body = format!(
        r#"{{"order":{number},"user":{},"total":"{}.{:02}","currency":"EUR","items":[{{"sku":"A-{}","quantity":{},"price":"{}.99"}},{{"sku":"B-{}","quantity":1,"price":"4.50"}}],"placed":"2026-11-27T14:{:02}:{:02}Z","note":null}}"#,
        random % 5000,
        random % 400,
        random % 100,
        random % 9000,
        random % 7,
        random % 90,
        (random >> 9) % 9000,
        random % 60,
        (random >> 7) % 60,
    );
    let client = ([10, 0, (random % 250) as u8, 2], (random % 60_000) as u16).into();
    let mut exchange = Exchange::new(client, ([10, 0, 0, 1], 8080).into(), request);
    exchange.connection = number / 8;
    let at = 1_795_788_000_000_000_000 + number * 20_000 + random % 9000;
    exchange.timing.request_first = Timestamp(at);
    exchange.timing.request_last = Timestamp(at);
    exchange.timing.response_first = Some(Timestamp(at + 2_000_000));
    exchange.timing.response_last = Some(Timestamp(at + 2_100_000));
    exchange.response = Some(Box::new(Response {
        headers: [
            ("Content-Type", "application/json"),
            ("Content-Length", &body.len().to_string()),
            ("Date", "Fri, 27 Nov 2026 14:00:00 GMT"),
            ("Server", "nginx"),
        ]
        .into_iter()
        .collect(),
        body: Body::from(Bytes::from(body)),
        ..Response::new(200)
    }));
    let identity = Identity {
        candidates: Candidates {
            ids: RequestId::new(&id).into_iter().collect(),
            ..Candidates::default()
        },
        ..Identifier::default().identify(&exchange)
    };
    thread_local!(static POLICY: Policy = Policy::default());
    let admitted = POLICY.with(|policy| policy.admit(&"web-1".into(), exchange, |_| identity));
    let lane = mirror_core::schedule::LaneKey(number / 8 * 0x9e37_79b9);
    admitted.expect("policy lets a GET out").in_lane(Some(lane))
}
