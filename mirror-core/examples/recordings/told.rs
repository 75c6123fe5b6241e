//! What is read of a recording.

use std::io::Cursor;

use mirror_core::recording::{RecordedExchange, RecordingIndex, RecordingReader};
use mirror_core::schedule::LaneKey;
use serde_json::{Value, json};

pub(crate) fn told(bytes: &[u8]) -> Value {
    let mut reader = RecordingReader::new(Cursor::new(bytes), None).expect("a reader can be made");
    let metadata = serde_json::to_value(reader.metadata().ok().flatten());
    let mut exchanges = Vec::new();
    while let Some(read) = reader.next() {
        exchanges.push(match read {
            Ok(exchange) => one(&exchange),
            Err(error) => json!({ "error": error.to_string() }),
        });
    }
    let ledger = serde_json::to_value(reader.ledger());
    let tail = format!("{:?}", reader.tail());
    let index = RecordingIndex::read(&mut reader).expect("an index can be found");
    let blocks = index.blocks.iter().map(
        |block| json!({ "at": block.at, "exchanges": block.exchanges, "routes": block.routes }),
    );
    json!({
        "metadata": metadata.unwrap_or_default(),
        "exchanges": exchanges,
        "ledger": ledger.unwrap_or_default(),
        "tail": tail,
        "index": blocks.collect::<Vec<_>>(),
    })
}

fn one(exchange: &RecordedExchange) -> Value {
    let envelope = &exchange.envelope;
    let request = &envelope.exchange().request;
    let response = envelope.exchange().response.as_ref();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ids = envelope.identity().candidates.ids.iter();
    json!({
        "at": exchange.at().0,
        "host": **envelope.host(),
        "client": envelope.exchange().client,
        "connection": envelope.exchange().connection,
        "lane": envelope.lane().map(|LaneKey(lane)| lane),
        "method": request.method.as_str(),
        "target": text(request.target.as_bytes()),
        "headers": request.headers.iter().map(|(name, value)| (name, text(value))).collect::<Vec<_>>(),
        "body": text(&request.body),
        "status": response.map(|response| response.status),
        "answer": response.map(|response| text(&response.body)),
        "ids": ids.map(|id| id.as_str()).collect::<Vec<_>>(),
        "snapshot": envelope.snapshot().map(|bytes| text(bytes)),
        "parts": exchange.parts.iter().map(|part| (part.tag, text(&part.bytes))).collect::<Vec<_>>(),
    })
}
