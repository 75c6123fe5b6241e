//! The test vectors of the contract, which a second implementation made (`vectors/generate.py`).

#![allow(clippy::disallowed_methods, reason = "the vectors are files")]

use std::{fs, net::IpAddr, path::Path};

use base64::Engine;
use mirror_contract::{
    CapturedTime, Document, Effect, EffectsDocument, Encoding, Fields, Filed, Fit, HostOffset,
    IdRules, Keys, ListEntry, OffsetRange, RequestId, RequestTarget, SendId, SnapshotNumber, Stamp,
    TargetForm, Written, request_hash,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

fn vectors<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdVector {
    name: String,
    rules: Vec<String>,
    request: Message,
    response: Option<Message>,
    seconds: u64,
    skew: u64,
    ids: Vec<String>,
    counted: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    method: String,
    #[serde(default)]
    target: String,
    /// Instead of `target`, where that is not text.
    target_base64: Option<String>,
    /// A character for each byte of a value.
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    client: Option<IpAddr>,
}

/// A message in the form that rules read.
struct View<'a> {
    message: &'a Message,
    target: RequestTarget,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

impl<'a> View<'a> {
    fn new(message: &'a Message) -> Self {
        let bytes = |text: &String| text.chars().map(|c| c as u8).collect();
        let headers = message.headers.iter();
        let raw = message.target_base64.as_ref().map(decoded);
        let target = raw.unwrap_or_else(|| message.target.clone().into_bytes());
        Self {
            message,
            target: RequestTarget::parse(&message.method, target),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), bytes(value)))
                .collect(),
            body: message
                .body
                .clone()
                .map(String::into_bytes)
                .or_else(|| message.body_base64.as_ref().map(decoded)),
        }
    }
}

fn decoded(text: &String) -> Vec<u8> {
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}

impl Fields for View<'_> {
    fn method(&self) -> &str {
        &self.message.method
    }
    fn target(&self) -> Option<&RequestTarget> {
        Some(&self.target)
    }
    fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        let mut lines = self.headers.iter().filter(|(n, _)| n == name);
        lines.nth(nth).map(|(_, value)| value.as_slice())
    }
    fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }
    fn client(&self) -> Option<IpAddr> {
        self.message.client
    }
}

#[test]
fn ids() {
    let mut wrong = Vec::new();
    for vector in vectors::<IdVector>("ids.json") {
        let rules = IdRules::parse(&vector.rules).unwrap();
        let request = View::new(&vector.request);
        let response = vector.response.as_ref().map(View::new);
        let response = response.as_ref().map(|r| r as &dyn Fields);
        let candidates = rules.candidates(&request, response, vector.seconds, vector.skew);
        let ids: Vec<_> = candidates.ids.iter().map(RequestId::as_str).collect();
        if ids != vector.ids || candidates.counted != vector.counted {
            wrong.push(format!(
                "{}: {:?} instead of {:?}",
                vector.name, ids, vector.ids
            ));
        }
        let derived = rules.derive(&request, response, vector.seconds);
        assert_eq!(
            derived.as_ref().map(|(id, _)| id.as_str()),
            ids.first().copied()
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_that_are_refused() {
    for text in vectors::<String>("rules.json") {
        let error = IdRules::parse(&[&text]).expect_err(&text).to_string();
        assert!(error.contains("response-header:NAME"), "{error}");
    }
}

#[test]
fn keys() {
    #[derive(Deserialize)]
    struct Vector {
        prefix: String,
        namespace: Option<String>,
        id: String,
        key: Option<String>,
    }
    for vector in vectors::<Vector>("keys.json") {
        let keys = Keys::new(&vector.prefix);
        let keys = match &vector.namespace {
            Some(namespace) => keys.within(namespace).ok(),
            None => Some(keys),
        };
        let id = RequestId::new(&vector.id).unwrap();
        assert_eq!(keys.map(|keys| keys.key(&id)), vector.key);
    }
}

#[test]
fn snapshots() {
    #[derive(Deserialize)]
    struct Vector {
        value: String,
        is: String,
        readable: bool,
        document: Option<Value>,
    }
    for vector in vectors::<Vector>("snapshots.json") {
        let bytes = vector.value.as_bytes();
        let is = match Filed::read(bytes) {
            Filed::Stamped(_) => "stamped",
            Filed::Collided => "collided",
            Filed::Bare => "bare",
        };
        assert_eq!(is, vector.is, "{}", vector.value);
        let document = Document::from_bytes(bytes);
        assert_eq!(document.is_ok(), vector.readable, "{}", vector.value);
        if let (Ok(document), Some(expect)) = (document, vector.document) {
            assert_eq!(document.stamp.at, expect["at"].as_u64().unwrap());
            for (read, expect) in document
                .reads
                .iter()
                .zip(expect["reads"].as_array().unwrap())
            {
                assert_eq!(read.name, expect["name"]);
                assert_eq!(read.key, expect["key"]);
                match &read.result {
                    Ok(value) => assert_eq!(
                        document.encoding.decode::<Value>(value).unwrap(),
                        expect["value"]
                    ),
                    Err(error) => assert_eq!(*error, expect["error"]),
                }
            }
            // Written again, it is the same document.
            let again = Document::from_bytes(&document.to_bytes().unwrap()).unwrap();
            assert_eq!(again, document);
        }
    }
}

#[test]
fn targets() {
    #[derive(Deserialize)]
    struct Vector {
        shown: String,
        method: String,
        target: String,
        form: String,
        path: String,
        query: Option<String>,
        authority: Option<String>,
        request: String,
    }
    for vector in vectors::<Vector>("targets.json") {
        let target = RequestTarget::parse(&vector.method, decoded(&vector.target));
        let form = match target.form() {
            TargetForm::Origin => "origin",
            TargetForm::Absolute => "absolute",
            TargetForm::Authority => "authority",
            TargetForm::Asterisk => "asterisk",
            TargetForm::Other => "other",
        };
        let shown = &vector.shown;
        assert_eq!(form, vector.form, "{shown}");
        assert_eq!(target.path(), decoded(&vector.path), "{shown}");
        let query = vector.query.as_ref().map(decoded);
        assert_eq!(target.query(), query.as_deref(), "{shown}");
        let authority = vector.authority.as_ref().map(decoded);
        assert_eq!(target.authority(), authority.as_deref(), "{shown}");
        let request = request_hash(&vector.method, Some(&target));
        assert_eq!(request, vector.request, "{shown}");
    }
}

#[test]
fn numbers() {
    #[derive(Deserialize)]
    struct Vector {
        prefix: String,
        derived: String,
        n: SnapshotNumber,
        document: Value,
        id: Option<String>,
        key: Option<String>,
        list: Option<String>,
        entry: Option<Value>,
    }
    for vector in vectors::<Vector>("numbers.json") {
        let document = Document::from_bytes(vector.document.to_string().as_bytes()).unwrap();
        let derived = RequestId::new(&vector.derived).unwrap();
        let id = derived.numbered(vector.n);
        assert_eq!(id.as_ref().map(RequestId::as_str), vector.id.as_deref());
        let Some(id) = id else { continue };
        let keys = Keys::new(&vector.prefix);
        assert_eq!(Some(keys.key(&id)), vector.key);
        let list = keys.list(&derived, document.stamp.minute());
        assert_eq!(Some(list), vector.list);
        let entry = ListEntry::new(vector.n, &document.stamp);
        let written: Value = serde_json::from_slice(&entry.to_bytes()).unwrap();
        let expect = vector.entry.unwrap();
        assert_eq!(written, expect);
        let read = ListEntry::from_bytes(expect.to_string().as_bytes());
        assert_eq!(read, Some(entry));
    }
}

#[test]
fn proofs() {
    #[derive(Deserialize)]
    struct Vector {
        first: u64,
        last: u64,
        at: u64,
        us: Option<u16>,
        low: i64,
        high: i64,
        learnt: bool,
        is: String,
    }
    for vector in vectors::<Vector>("proofs.json") {
        let host = HostOffset {
            range: OffsetRange {
                low: vector.low,
                high: vector.high,
            },
            is_learnt: vector.learnt,
        };
        let time = CapturedTime {
            first: vector.first,
            last: vector.last,
        };
        let stamp = Stamp {
            at: vector.at,
            us: vector.us,
            ..Stamp::default()
        };
        let is = match host.fit(time, &stamp) {
            Fit::No => "does not fit",
            Fit::Possible => "fits",
            Fit::Proven => "proven",
        };
        assert_eq!(is, vector.is, "{time:?} {stamp:?} {host:?}");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum EffectsVector {
    Key {
        prefix: String,
        send: String,
        id: String,
        key: Option<String>,
    },
    Written {
        json: String,
        canonical: Option<String>,
        written: Option<Value>,
    },
    Document {
        value: String,
        effects: Option<Vec<Value>>,
        dropped: u64,
    },
    Snapshot {
        value: String,
        written: Option<Value>,
    },
    Done {
        value: String,
        effects: Vec<Value>,
        dropped: u64,
    },
}

/// As a document has it.
fn written_value(written: &Written) -> Value {
    let mut value = serde_json::json!({ "digest": written.digest });
    if let Some(json) = &written.value {
        value["value"] = serde_json::from_str(json).unwrap();
    }
    value
}

fn effect_value(effect: &Effect) -> Value {
    match effect {
        Effect::Read { name, key } => serde_json::json!({ "read": name, "key": key }),
        Effect::Write { name, key, written } => {
            let mut value = serde_json::json!({ "write": name, "key": key });
            if let Some(written) = written {
                value["written"] = written_value(written);
            }
            value
        }
    }
}

#[test]
fn effects() {
    for vector in vectors::<EffectsVector>("effects.json") {
        match vector {
            EffectsVector::Key {
                prefix,
                send,
                id,
                key,
            } => {
                let id = RequestId::new(&id).unwrap();
                let made = SendId::new(&send).map(|send| Keys::new(&prefix).effects(&send, &id));
                assert_eq!(made, key);
            }
            EffectsVector::Written {
                json,
                canonical,
                written,
            } => {
                let made = Written::of_json(&json);
                assert_eq!(made.as_ref().map(written_value), written, "{json}");
                if let Some(value) = made.and_then(|made| made.value) {
                    assert_eq!(Some(value), canonical);
                }
            }
            EffectsVector::Document {
                value,
                effects,
                dropped,
            } => {
                let document = EffectsDocument::from_bytes(value.as_bytes());
                let read = |document: &EffectsDocument| -> Vec<Value> {
                    document.effects().iter().map(effect_value).collect()
                };
                assert_eq!(document.as_ref().ok().map(read), effects, "{value}");
                let Ok(document) = document else { continue };
                assert_eq!(document.dropped(), dropped, "{value}");
                // Written again, it is the same document.
                let again = document.to_bytes(Encoding::Json).unwrap();
                let again = EffectsDocument::from_bytes(&again).unwrap();
                assert_eq!(again, document, "{value}");
            }
            EffectsVector::Snapshot { value, written } => {
                let document = Document::from_bytes(value.as_bytes()).unwrap();
                let made = document.reads[0].written.as_ref().map(written_value);
                assert_eq!(made, written, "{value}");
                let again = Document::from_bytes(&document.to_bytes().unwrap()).unwrap();
                assert_eq!(again, document);
            }
            EffectsVector::Done {
                value,
                effects,
                dropped,
            } => {
                let done = EffectsDocument::of_snapshot(value.as_bytes()).unwrap();
                let listed: Vec<Value> = done.effects().iter().map(effect_value).collect();
                assert_eq!((listed, done.dropped()), (effects, dropped), "{value}");
                let document = Document::from_bytes(value.as_bytes()).unwrap();
                let again = document.to_bytes().unwrap();
                assert_eq!(EffectsDocument::of_snapshot(&again), Some(done), "{value}");
            }
        }
    }
}
