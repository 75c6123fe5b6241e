//! Snapshots and effects, filed by a test in the place of the services that answer.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use mirror_contract::{
    HEADER_EFFECTS, HEADER_REQUEST_ID, HEADER_SEND, RequestTarget, Written, request_hash,
};
use mirror_tests::net::Network;
use mirror_tests::redis::Redis;
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Received, Server};
use serde_json::{Value, json};

const STORE: u16 = 6379;
const LIMIT: Duration = Duration::from_secs(20);
/// Tells the test when a service received the request, in milliseconds. No comparison looks at it.
const RECEIVED_AT: &str = "Server-Timing";

/// Production's answer, which says when the request was received.
pub(crate) fn answer(fields: &str, body: &str) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let at = now.unwrap_or_default().as_millis();
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\n{RECEIVED_AT}: {at}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The mirror's answer; `announces` that its effects are filed.
pub(crate) fn mirrored(announces: bool, fields: &str, body: &str) -> Vec<u8> {
    let effects = match announces {
        true => format!("{HEADER_EFFECTS}: 1\r\n"),
        false => String::new(),
    };
    answer(&format!("{effects}{fields}"), body)
}

/// Sends `GET target` to production with these fields, and files that it did these `reads`.
pub(crate) fn asked(
    stage: &Stage<Server, Server>,
    id: &str,
    target: &str,
    fields: &str,
    reads: &Value,
) -> Result<()> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: shop.example\r\nX-Request-Id: {id}\r\n{fields}Connection: close\r\n\r\n"
    );
    let to = stage.production.address();
    let answer = wire::send(&stage.network, to, request.as_bytes())?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let told = answer
        .lines()
        .find_map(|line| line.strip_prefix(RECEIVED_AT)?.strip_prefix(": "));
    let at: u64 = told.unwrap_or_default().parse()?;
    let request = request_hash("GET", Some(&RequestTarget::parse("GET", target.to_owned())));
    let document = json!({ "mirror": 1, "at": at, "request": request, "reads": reads });
    set(&stage.network, &format!("snapshot:{id}"), &document)
}

/// Files what the mirror did for each sending that it gets, until so many came.
pub(crate) fn file_effects(
    stage: &Stage<Server, Server>,
    count: usize,
    mut effects: impl FnMut(&Received) -> Value,
) -> Result<()> {
    let mut filed = HashSet::new();
    let until = Instant::now() + LIMIT;
    while filed.len() < count {
        for request in stage.mirror.received() {
            let named = |name: &str| request.header(name).unwrap_or_default();
            let (send, id) = (named(HEADER_SEND), named(HEADER_REQUEST_ID));
            ensure!(
                !send.is_empty(),
                "the request has no name for its sending: {request:?}"
            );
            if filed.insert(send.clone()) {
                let document = json!({ "mirror": 1, "effects": effects(&request) });
                set(&stage.network, &format!("effects/{send}:{id}"), &document)?;
            }
        }
        ensure!(
            Instant::now() < until,
            "only {} of {count} came",
            filed.len()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// What a document says of a value that is written.
pub(crate) fn written(value: &Value) -> Value {
    let written = Written::of(value);
    written.map_or(
        Value::Null,
        |written| json!({ "digest": written.digest, "value": value }),
    )
}

fn set(network: &Network, key: &str, document: &Value) -> Result<()> {
    let told = Redis::ask(
        network,
        STORE,
        &["SET", key, &document.to_string(), "PX", "300000"],
    )?;
    ensure!(told == "OK", "SET {key}: {told}");
    Ok(())
}
