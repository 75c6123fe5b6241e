//! Two answers and a rule by which they are compared, and what their bodies are compared as.

use bytes::Bytes;
use mirror_core::compare::{
    BodyLimits, CompareOptions, CompareRule, IgnoredPointer, body_as_json, compare as judge,
};
use mirror_core::exchange::Response;
use mirror_core::http::{Kind, Message};
use mirror_core::options::FromText;

use crate::http::parse;
use crate::input::Input;

/// An answer is like itself under every rule, and whether two are alike does not depend on which comes first.
pub fn compare(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (first, second) = (response(input.piece()), response(input.piece()));
    let rule = std::str::from_utf8(input.piece());
    let rule = rule.ok().and_then(|text| CompareRule::from_text(text).ok());
    let options = CompareOptions {
        ignore: IgnoredPointer::from_text("/a/*/b").into_iter().collect(),
        rules: rule.into_iter().collect(),
        ..CompareOptions::default()
    };
    let alike = |a: &Response, b: &Response| !judge(&options, a, b).differs();
    for one in [&first, &second].into_iter().flatten() {
        assert!(alike(one, one));
    }
    if let (Some(first), Some(second)) = (&first, &second) {
        let (there, back) = (alike(first, second), alike(second, first));
        // A change may be intended in one direction only.
        assert!(there == back || options.rules.iter().any(CompareRule::is_expectation));
    }
}

/// Media types of every kind that is read.
pub(crate) const MEDIA_TYPES: [&str; 14] = [
    "",
    "application/json",
    "application/x-ndjson",
    "text/event-stream",
    "application/x-www-form-urlencoded",
    "multipart/mixed; boundary=x",
    "application/xml",
    "text/html",
    "text/csv; charset=latin1",
    "application/x-protobuf",
    "application/grpc",
    "image/png",
    "application/json; charset=utf-16",
    "text/html; charset=utf-16be",
];

/// A body always becomes the same document, which is JSON; and whether two bodies are alike does not depend on which comes
/// first.
pub fn content(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let media_type = input.pick(&MEDIA_TYPES);
    let (first, second) = (input.piece(), input.rest());
    let media_type_bytes = Some(media_type.as_bytes()).filter(|bytes| !bytes.is_empty());
    for body in [first, second] {
        let read = body_as_json(media_type_bytes, body, BodyLimits::LIGHT);
        let again = body_as_json(media_type_bytes, body, BodyLimits::LIGHT);
        assert_eq!(read, again);
        if let Some((_, text)) = read {
            let parsed = serde_json::from_str::<serde_json::Value>(&text);
            assert!(is_json(&parsed), "{parsed:?}: {text}");
        }
    }
    let answer = |body: &[u8]| {
        let mut answer = Response::new(200);
        if let Some(media_type) = media_type_bytes {
            answer.headers.append("content-type", media_type);
        }
        answer.body = Bytes::copy_from_slice(body).into();
        answer
    };
    let (first, second) = (answer(first), answer(second));
    let options = CompareOptions::default();
    assert_eq!(
        judge(&options, &first, &second).differs(),
        judge(&options, &second, &first).differs()
    );
}

/// Numbers may be larger than serde_json's.
fn is_json(parsed: &serde_json::Result<serde_json::Value>) -> bool {
    match parsed {
        Ok(_) => true,
        Err(error) => error.to_string().starts_with("number out of range"),
    }
}

fn response(bytes: &[u8]) -> Option<Response> {
    let messages = parse(Kind::Response, bytes, bytes.len().max(1));
    match messages.into_iter().next()? {
        Some(Message::Response(response)) => Some(*response),
        _ => None,
    }
}
