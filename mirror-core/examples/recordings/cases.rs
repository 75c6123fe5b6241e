//! Recordings of version 1: one that was ended, one whose writer was killed, one that is torn, one with damage in the middle.

use bytes::Bytes;
use mirror_contract::{Candidates, RequestId};
use mirror_core::exchange::{Body, Exchange, Request, Response};
use mirror_core::identity::{Identifier, Identity};
use mirror_core::options::FromText;
use mirror_core::policy::{Envelope, Policy, Rule};
use mirror_core::recording::{
    BlockHead, ExtraPart, RecordingLedger, RecordingMetadata, RecordingWriter, WriterOptions,
};
use mirror_core::schedule::LaneKey;
use mirror_core::time::Timestamp;

/// 2026-11-27, 14:00 UTC.
const BEGAN: u64 = 1_795_788_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

pub(crate) fn all() -> [(&'static str, Vec<u8>); 4] {
    let ended = ended();
    let ends = ends(&ended);
    let killed = ended[..ends[3]].to_vec();
    let torn = ended[..ends[3] - 1].to_vec();
    let mut damaged = ended.clone();
    damaged[ends[2] - 1] ^= 0xff;
    [
        ("v1-ended", ended),
        ("v1-killed", killed),
        ("v1-torn", torn),
        ("v1-damaged", damaged),
    ]
}

/// Where each block ends.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut at = 16;
    let mut ends = vec![at];
    while let Some(head) = BlockHead::read(&bytes[at..]) {
        at += BlockHead::LENGTH + head.length as usize;
        ends.push(at);
    }
    ends
}

fn ended() -> Vec<u8> {
    let metadata = RecordingMetadata {
        host: "web-1".into(),
        agent: "0.1.0".into(),
        build: "0123456789ab".into(),
        config_digest: "9f86d081884c7d65".into(),
        redaction: vec!["json:/user/email => mask".into()],
        series: "20261127T140000Z-web-1".into(),
        part: 0,
        started_at: Timestamp(BEGAN),
        with_snapshots: true,
    };
    let options = WriterOptions {
        block_bytes: 1200,
        ..WriterOptions::default()
    };
    let mut writer = RecordingWriter::new(Vec::new(), options, &metadata).expect("a vector grows");
    for number in 0..6 {
        let parts: &[ExtraPart] = match number {
            1 => &[ExtraPart {
                tag: 200,
                bytes: Bytes::from_static(b"of a later release"),
            }],
            _ => &[],
        };
        writer
            .push(&envelope(number), parts)
            .expect("a vector grows");
    }
    writer.flush().expect("a vector grows");
    let ledger = RecordingLedger {
        at: Timestamp(BEGAN + 9 * SECOND),
        seen: 8,
        outcomes: [("recorded", 6), ("filtered: method", 2)]
            .map(|(outcome, count)| (outcome.to_owned(), count))
            .into(),
    };
    writer.write_ledger(&ledger).expect("a vector grows");
    writer.end().expect("a vector grows")
}

fn envelope(number: u64) -> Envelope {
    let request = match number % 2 {
        0 => Request::new("GET", format!("/orders/{number}?page=1")),
        _ => Request {
            headers: [
                ("Host", "shop.example"),
                ("Content-Type", "application/json"),
            ]
            .into_iter()
            .collect(),
            body: Body::from(Bytes::from(format!(
                "{{\"item\":{number},\"note\":\"\u{e4}\"}}"
            ))),
            ..Request::new("POST", "/orders")
        },
    };
    let client = ([10, 0, 0, 2], 40_000 + number as u16).into();
    let mut exchange = Exchange::new(client, ([10, 0, 0, 1], 8080).into(), request);
    exchange.connection = number / 2;
    exchange.index = (number % 2) as u32;
    let at = BEGAN + number * SECOND;
    exchange.timing.request_first = Timestamp(at);
    exchange.timing.request_last = Timestamp(at + 1000);
    exchange.timing.response_first = Some(Timestamp(at + 2_000_000));
    exchange.timing.response_last = Some(Timestamp(at + 3_000_000));
    exchange.response = Some(Box::new(Response {
        headers: [("Content-Type", "application/json")].into_iter().collect(),
        body: Body::from(Bytes::from(format!("{{\"order\":{number}}}"))),
        ..Response::new(if number == 5 { 503 } else { 200 })
    }));
    let identity = Identity {
        candidates: Candidates {
            ids: RequestId::new(&format!("req-{number}"))
                .into_iter()
                .collect(),
            ..Candidates::default()
        },
        ..Identifier::default().identify(&exchange)
    };
    let policy = Policy::allowing(Rule::from_text("POST /orders").into_iter().collect());
    let admitted = policy.admit(&"web-1".into(), exchange, |_| identity);
    let envelope = admitted.expect("policy lets it out");
    let envelope = envelope.in_lane(Some(LaneKey(number / 2)));
    match number {
        3 => envelope.with_snapshot(Bytes::from_static(b"{\"mirror\":1,\"reads\":[]}")),
        _ => envelope,
    }
}
