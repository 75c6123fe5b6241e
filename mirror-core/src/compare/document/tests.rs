use super::*;
use crate::compare::{CompareOptions, compare};

fn read(media_type: &str, body: &[u8]) -> Result<String, NotRead> {
    let media_type = Some(media_type.as_bytes()).filter(|media_type| !media_type.is_empty());
    let (_, text) = read_one(&Content { media_type, body }, BodyLimits::FULL)?;
    let value = Value::parse(text.as_bytes(), BodyLimits::FULL.nodes);
    assert!(value.is_ok(), "{value:?}: {text}");
    // Deeper texts are beyond what serde_json reads.
    let standard = serde_json::from_str::<serde_json::Value>(&text);
    assert!(standard.is_ok(), "{standard:?}: {text}");
    Ok(text)
}

/// Checks what a body is compared as.
pub(super) fn check(media_type: &str, body: impl AsRef<[u8]>, expect: &str) {
    let body = body.as_ref();
    let found = read(media_type, body);
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]);
    assert_eq!(found.as_deref(), Ok(expect), "{media_type}: {shown}");
}

/// Checks that a body is read, whatever it becomes.
pub(super) fn check_read(media_type: &str, body: impl AsRef<[u8]>) {
    let body = body.as_ref();
    let found = read(media_type, body).map(|_| ());
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]);
    assert_eq!(found, Ok(()), "{shown}");
}

/// Checks that a body is compared as bytes.
pub(super) fn check_bytes(media_type: &str, body: &[u8]) {
    let shown = &body[..body.len().min(200)];
    assert_eq!(read(media_type, body), Err(NotRead::NotJson), "{shown:?}");
}

/// Checks that a body becomes more than the limits allow, though it is not over them itself.
pub(super) fn check_not_read(media_type: &str, body: impl AsRef<[u8]>) {
    let body = body.as_ref();
    assert!(body.len() <= BodyLimits::LIGHT.bytes);
    let media_type = Some(media_type.as_bytes());
    let found = read_one(&Content { media_type, body }, BodyLimits::LIGHT);
    assert_eq!(found, Err(NotRead::TooLarge));
}

/// Checks what two bodies, each with its type, are compared as.
pub(super) fn check_pair(ours: (&str, &str), theirs: (&str, &str), expect: Option<(&str, &str)>) {
    let pair = ContentPair::new(content(ours), content(theirs), BodyLimits::FULL);
    let shown = |value: &Value<'_>| value.shown(usize::MAX);
    let found = match pair.read() {
        Ok(
            ReadPair::Documents(ours, theirs)
            | ReadPair::Lines(ours, theirs)
            | ReadPair::Records(ours, theirs),
        ) => Some((shown(&ours), shown(&theirs))),
        _ => None,
    };
    let found = found.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
    assert_eq!(found, expect, "{ours:?} {theirs:?}");
}

fn content<'b>((media_type, body): (&'b str, &'b str)) -> Content<'b> {
    Content {
        media_type: Some(media_type.as_bytes()).filter(|media_type| !media_type.is_empty()),
        body: body.as_bytes(),
    }
}

#[test]
fn json_is_read_as_it_was_sent_whatever_its_type() {
    let json = "{\"a\":  1.50}";
    let expect = Some(("{\"a\":1.50}", "{\"a\":1.50}"));
    for media_type in [
        "",
        "application/json",
        "text/html",
        "application/octet-stream",
    ] {
        check_pair((media_type, json), ("text/plain", json), expect);
    }
}

#[test]
fn bodies_of_two_formats_are_bytes() {
    check_pair(("text/html", "<p>"), ("text/plain", "<p>"), None);
    check_pair(("application/json", "{}"), ("text/html", "<html>"), None);
    check_pair(("", "abc"), ("", "abd"), None);
    let html = Some((r#"{"html":"a"}"#, r#"{"html":"b"}"#));
    check_pair(
        ("application/json", "<html>a"),
        ("text/html", "<html>b"),
        html,
    );
}

#[test]
fn what_has_no_structure_is_known_by_its_digest() {
    let png = |body| Content {
        media_type: Some(b"image/png"),
        body,
    };
    let pair = ContentPair::new(png(b"\x89PNG1"), png(b"\x89PNG"), BodyLimits::FULL);
    let Ok(ReadPair::Digests(ours, theirs)) = pair.read() else {
        panic!("two pictures");
    };
    assert_eq!((ours.len, theirs.len), (5, 4));
    assert_ne!(ours.hash, theirs.hash);
}

#[test]
fn markup_may_name_its_charset() {
    check(
        "application/xml",
        b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>",
        r#"{"a":"é"}"#,
    );
    check(
        "text/html",
        b"<meta charset=latin1><p>\xe9",
        r#"{"meta":{"@charset":"latin1"},"p":"é"}"#,
    );
    check(
        "text/html; charset=utf-8",
        b"<meta charset=latin1><p>\xe9",
        r#"{"meta":{"@charset":"latin1"},"p":"�E9"}"#,
    );
    check("application/json; charset=utf-16le", b"[\x001\0]\0", "[1]");
}

#[test]
fn large_bodies_are_over_the_limits() {
    let body = vec![b' '; BodyLimits::FULL.bytes + 1];
    for media_type in ["text/plain", "text/html", "application/xml", "image/png"] {
        assert_eq!(read(media_type, &body), Err(NotRead::TooLarge));
    }
}

#[test]
fn differences_have_places_within_bodies_of_every_format() {
    let check = |media_type: &str, ours: &str, theirs: &str, expect: &[&str]| {
        let answer = |body: &str| Response {
            headers: [("content-type", media_type)].into_iter().collect(),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()).into(),
            ..Response::new(200)
        };
        let comparison = compare(&CompareOptions::default(), &answer(ours), &answer(theirs));
        let seen = comparison.observations.iter();
        let seen = seen.map(|o| format!("{} {}", o.place, o.kind.name()));
        assert_eq!(seen.collect::<Vec<_>>(), expect, "{media_type}");
    };
    check(
        "application/xml",
        "<order id='1'><item><price>1</price></item><item><price>2</price></item></order>",
        "<order id='2'><item><price>1</price></item><item><price>3</price></item></order>",
        &["body /order/@id value", "body /order/item/*/price value"],
    );
    check(
        "text/html",
        "<html><body><div><p>One</p></div><div><p>Two</p></div>",
        "<html><body><div><p>One</p></div><div><p>2</p></div>",
        &["body /html/body/div/*/p value"],
    );
    check(
        "application/x-www-form-urlencoded",
        "a=1&b=2",
        "b=2&a=3",
        &["body /a value"],
    );
    check(
        "application/x-ndjson",
        "{\"type\":\"entry\",\"id\":1,\"cents\":5}",
        "{\"type\":\"note\",\"by\":\"b\",\"at\":2}",
        &["body /*[entry] missing", "body /*[note] added"],
    );
    check(
        "text/csv",
        "a,b\n1,2\n",
        "a,b\n1,3\n",
        &["body /*[{*}] value"],
    );
    check(
        "text/event-stream",
        "data: {\"price\":1}\n\n",
        "data: {\"price\":2}\n\n",
        &["body /*/data/price value"],
    );
    check(
        "application/x-protobuf",
        "\u{8}\u{1}",
        "\u{8}\u{2}",
        &["body /f1 value"],
    );
    check("image/gif", "GIF8", "GIF9", &["body bytes"]);
    check(
        "application/xml",
        "<order><item><id>1</id></item><total>1</total></order>",
        "<order><item><id>1</id></item><item><id>2</id></item></order>",
        &["body /order/item/* added", "body /order/total missing"],
    );
    check(
        "text/html",
        "<body><h1>a</h1><p>b</p></body>",
        "<body><p>b</p><h1>a</h1></body>",
        &["body /body/#order order"],
    );
}
