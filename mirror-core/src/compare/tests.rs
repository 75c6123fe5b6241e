use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use super::found::MAX_OBSERVATIONS;
use super::*;
use crate::exchange::Body;
use crate::options::FromText;

fn response(status: u16, body: &str) -> Response {
    Response {
        body: Bytes::copy_from_slice(body.as_bytes()).into(),
        ..Response::new(status)
    }
}

fn ignored(pointer: &str) -> IgnoredPointer {
    IgnoredPointer::from_text(pointer).unwrap()
}

fn gzip(body: &[u8]) -> Response {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    coded("gzip", &encoder.finish().unwrap())
}

fn coded(coding: &str, body: &[u8]) -> Response {
    Response {
        headers: [("content-encoding", coding)].into_iter().collect(),
        body: Bytes::copy_from_slice(body).into(),
        ..Response::new(200)
    }
}

/// What differs; what is merely written in another way is left out.
fn lines(comparison: &Comparison) -> Vec<String> {
    let line = |o: &Observation| {
        let kind = o.kind.name();
        format!(
            "{} × {} {kind}: {} | {}",
            o.count, o.place, o.production, o.mirror
        )
    };
    let all = comparison.observations.iter();
    all.filter(|o| o.kind != Kind::Cosmetic).map(line).collect()
}

fn check(ours: &str, theirs: &str, ignore: &[&str], expect: &[&str]) {
    let options = CompareOptions {
        ignore: ignore.iter().map(|pointer| ignored(pointer)).collect(),
        ..CompareOptions::default()
    };
    let comparison = compare(&options, &response(200, ours), &response(200, theirs));
    assert_eq!(lines(&comparison), expect, "{ours} and {theirs}");
    assert_eq!(comparison.differs(), !expect.is_empty());
    assert_eq!(comparison.extent, Extent::Whole);
}

#[test]
fn json_is_compared_as_data() {
    check(r#"{"a":1,"b":2}"#, r#"{ "b": 2.0, "a": 1 }"#, &[], &[]);
    check(
        r#"{"a":[1,2]}"#,
        r#"{"a":[1,3]}"#,
        &[],
        &["1 × body /a/* value: 2 | 3"],
    );
    check(
        r#"{"a":1}"#,
        r#"{"b":1}"#,
        &[],
        &[
            "1 × body /a missing: 1 | (absent)",
            "1 × body /b added: (absent) | 1",
        ],
    );
    check(
        r#"{"a":"1"}"#,
        r#"{"a":1}"#,
        &[],
        &["1 × body /a type: \"1\" | 1"],
    );
    check(r#"{"a":"é"}"#, r#"{"a":"\u00e9"}"#, &[], &[]);
    check(
        "[1]",
        "[1,null]",
        &[],
        &["1 × body /* added: (absent) | null"],
    );
    check("[]", "{}", &[], &["1 × body  type: [] | {}"]);
    check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#, &[], &[]);
}

#[test]
fn no_digit_of_a_number_is_lost() {
    check(
        "[9007199254740993]",
        "[9007199254740992.0]",
        &[],
        &["1 × body /* value: 9007199254740993 | 9007199254740992.0"],
    );
    check(
        r#"{"wei":1000000000000000000001}"#,
        r#"{"wei":1000000000000000000000}"#,
        &[],
        &["1 × body /wei value: 1000000000000000000001 | 1000000000000000000000"],
    );
}

#[test]
fn the_elements_of_a_list_are_one_place() {
    let list = |side: &str| {
        let items: Vec<String> = (0..100)
            .map(|n| format!(r#"{{"id":{n},"trace":"{side}{n}"}}"#))
            .collect();
        format!(r#"{{"items":[{}]}}"#, items.join(","))
    };
    check(
        &list("p"),
        &list("m"),
        &[],
        &["100 × body /items/*/trace value: \"p0\" | \"m0\""],
    );
}

#[test]
fn members_named_by_ids_are_one_place() {
    check(
        r#"{"prices":{"4711":1,"4712":1}}"#,
        r#"{"prices":{"4711":2,"4712":2}}"#,
        &[],
        &["2 × body /prices/{*} value: 1 | 2"],
    );
}

#[test]
fn ignored_places_do_not_count() {
    check(
        r#"{"i":[{"t":1},{"t":2}]}"#,
        r#"{"i":[{"t":3},{}]}"#,
        &["/i/*/t"],
        &[],
    );
    check("[1,2]", "[3,4]", &["/1"], &["1 × body /* value: 1 | 3"]);
}

#[test]
fn other_bodies_are_compared_as_bytes() {
    check("abc", "abc", &[], &[]);
    let expect = r#"1 × body bytes: 3 bytes, from byte 0: "abc" | 3 bytes, from byte 0: "abd""#;
    check("abc", "abd", &[], &[expect]);
    let expect = r#"1 × body bytes: 3 bytes, from byte 0: "[1]" | 2 bytes, from byte 0: "[1""#;
    check("[1]", "[1", &[], &[expect]);
}

#[test]
fn what_was_the_same_is_counted_too() {
    let options = CompareOptions::default();
    let ours = response(200, r#"{"a":1,"b":[1,2,{}],"c":null}"#);
    let theirs = response(500, r#"{"a":1,"b":[1,3,{}],"c":"x","d":0}"#);
    let comparison = compare(&options, &ours, &theirs);
    let same = PlaceTotals {
        json: 3,
        ..PlaceTotals::default()
    };
    let different = PlaceTotals {
        status: 1,
        json: 3,
        ..PlaceTotals::default()
    };
    assert_eq!((comparison.same, comparison.different), (same, different));
    let comparison = compare(&options, &ours, &ours);
    let same = PlaceTotals {
        status: 1,
        bodies: 1,
        ..PlaceTotals::default()
    };
    assert_eq!((comparison.same, comparison.same.total()), (same, 2));
}

#[test]
fn status_and_chosen_headers_count() {
    let mut mirror = response(500, "");
    mirror.headers = [("Content-Type", "text/plain")].into_iter().collect();
    let comparison = compare(&CompareOptions::default(), &response(200, ""), &mirror);
    let expect = [
        "1 × status status-class: 200 | 500",
        "1 × header content-type added: (absent) | text/plain",
    ];
    assert_eq!(lines(&comparison), expect);
}

#[test]
fn only_a_content_type_is_compared_as_one() {
    let typed = |name: &str, value: &str| Response {
        headers: [(name, value)].into_iter().collect(),
        ..Response::new(200)
    };
    let options = CompareOptions {
        headers: vec!["Content-Type".into(), "X-Kind".into()],
        ..CompareOptions::default()
    };
    let differs =
        |name, ours, theirs| compare(&options, &typed(name, ours), &typed(name, theirs)).differs();
    assert!(!differs(
        "content-type",
        "text/html; charset=UTF-8",
        "text/html;charset=utf-8"
    ));
    assert!(differs("content-type", "text/html", "text/plain"));
    assert!(differs("x-kind", "A", "a"));
    assert!(!differs("x-kind", "A", " A"));
}

#[test]
fn more_places_than_are_told_apart_are_counted() {
    let body = |value: u32| {
        let members: Vec<String> = (0..150).map(|n| format!("\"m{n}x\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let options = CompareOptions::default();
    let comparison = compare(&options, &response(200, &body(1)), &response(500, &body(2)));
    assert_eq!(comparison.observations.len(), MAX_OBSERVATIONS);
    assert_eq!(comparison.observations[0].place, Place::Status);
    assert_eq!(comparison.untold, 51);
    assert_eq!(comparison.different.total(), 151);
}

#[test]
fn bodies_that_are_not_whole_are_not_compared_but_their_heads_are() {
    let options = CompareOptions::default();
    let faulty = Response {
        fault: Some(Fault::TooLarge),
        ..response(500, "")
    };
    let comparison = compare(&options, &response(200, "{}"), &faulty);
    assert_eq!(comparison.extent, Extent::Head(NotWhole::MirrorTooLarge));
    assert_eq!(lines(&comparison), ["1 × status status-class: 200 | 500"]);
    let same = (comparison.same.headers, comparison.same.total());
    assert_eq!(same, (0, 0));
}

#[test]
fn bodies_over_the_cap_are_compared_by_length_and_digest() {
    let options = CompareOptions::default();
    let large = |all: &str| {
        let mut large = response(200, &all[..2]);
        large.fault = Some(Fault::TooLarge);
        let all = Bytes::copy_from_slice(all.as_bytes());
        large.body.set_digest(Body::from(all).digester().finish());
        large
    };
    let check = |ours: &Response, theirs: &Response, extent, lines_seen: &[&str]| {
        let comparison = compare(&options, ours, theirs);
        assert_eq!(comparison.extent, extent);
        let seen = lines(&comparison);
        assert_eq!(seen.len(), lines_seen.len(), "{seen:?}");
        for (seen, expect) in seen.iter().zip(lines_seen) {
            assert!(seen.starts_with(expect), "{seen}");
        }
        assert_eq!(
            compare_light(&options, Asked::default(), ours, theirs).map(|light| light.extent),
            Some(extent)
        );
    };
    check(&large("abcdef"), &large("abcdef"), Extent::Digest, &[]);
    let differ = "1 × body bytes: 6 bytes, too large to be kept";
    check(
        &large("abcdef"),
        &large("abcdeX"),
        Extent::Digest,
        &[differ],
    );
    check(
        &large("abcdef"),
        &response(200, "ab"),
        Extent::Digest,
        &[differ],
    );
    let shorter = "1 × body bytes: 2 bytes, too large";
    check(
        &response(200, "ab"),
        &large("abcdef"),
        Extent::Digest,
        &[shorter],
    );
    // Other bytes may be the same data.
    let mut coded = large("abcdef");
    coded.headers.append("Content-Encoding", b"gzip");
    let not_whole = Extent::Head(NotWhole::ProductionTooLarge);
    check(&large("abcdeX"), &coded, not_whole, &[]);
    let mut unknown = response(200, "ab");
    unknown.fault = Some(Fault::TooLarge);
    check(&unknown, &large("abcdef"), not_whole, &[]);
}

#[test]
fn content_codings_are_no_difference() {
    let options = CompareOptions {
        headers: Vec::new(),
        ..CompareOptions::default()
    };
    // "abc" and "abd" as one uncompressed meta-block of Brotli each.
    let (abc, abd) = (b"\x0b\x01\x80abc\x03", b"\x0b\x01\x80abd\x03");
    let differs = |ours: &Response, theirs: &Response| compare(&options, ours, theirs).differs();
    assert!(!differs(&coded("br", abc), &response(200, "abc")));
    assert!(differs(&coded("br", abc), &coded("br", abd)));
    assert!(!differs(&coded("none", abc), &coded("none", abc)));
    // The same bytes that mean other data.
    assert!(differs(&coded("br", abc), &coded("identity", abc)));
    assert!(!differs(&gzip(b"[1, 2]"), &response(200, "[1,2]")));
    // One that is damaged is compared as it was sent.
    assert!(differs(
        &coded("gzip", b"\x1f\x8bxx"),
        &response(200, "[1]")
    ));
}

const TINY: BodyLimits = BodyLimits {
    bytes: 10_000,
    nodes: 100,
    stream_bytes: 50_000,
};

/// What is compared of two answers within the tiny limits, and whether they differ.
fn within(ours: &Response, theirs: &Response) -> (Extent, bool) {
    let options = CompareOptions {
        headers: Vec::new(),
        ..CompareOptions::default()
    };
    let comparison = Comparer::new(&options, Asked::default()).compare(ours, theirs, TINY);
    (comparison.extent, comparison.differs())
}

#[test]
fn what_is_too_large_when_decoded_is_read_as_a_stream() {
    let zeros = |count: usize| vec![b'0'; count];
    let ending = |last: &[u8]| gzip(&[&zeros(20_000), last].concat());
    assert_eq!(within(&ending(b"1"), &ending(b"2")), (Extent::Stream, true));
    // Other bytes on the wire, and the same data.
    let plain = response(200, &"0".repeat(20_000));
    assert_eq!(within(&ending(b""), &plain), (Extent::Stream, false));
    // One ends before the other.
    assert_eq!(within(&ending(b"0"), &plain), (Extent::Stream, true));
    assert_eq!(within(&plain, &ending(b"0")), (Extent::Stream, true));
    assert_eq!(
        within(&ending(b"0"), &response(200, "x")),
        (Extent::Stream, true)
    );
    // One coding over the other does not hold what is between them.
    let twice = |last: &[u8]| {
        let inner = ending(last).body.bytes().clone();
        let outer = gzip(&inner).body.bytes().clone();
        coded("gzip, gzip", &outer)
    };
    assert_eq!(within(&twice(b"1"), &twice(b"2")), (Extent::Stream, true));
}

#[test]
fn a_bomb_beyond_the_stream_limit_ends_unjudged() {
    let bomb = |last: u8| gzip(&[&vec![0; 60_000][..], &[last]].concat());
    let too_large = Extent::Head(NotWhole::DecodedTooLarge);
    assert_eq!(within(&bomb(1), &bomb(2)), (too_large, false));
    assert_eq!(within(&bomb(1), &bomb(1)), (Extent::Whole, false));
}

#[test]
fn a_document_of_too_many_values_is_compared_as_bytes() {
    let many = |last: &str| response(200, &format!("[{}{last}]", "1,".repeat(TINY.nodes)));
    assert_eq!(within(&many("1"), &many("1.0")), (Extent::Stream, true));
    let large = |last: &str| response(200, &format!("[\"{}{last}\"]", "1".repeat(TINY.bytes)));
    assert_eq!(within(&large("1"), &large("2")), (Extent::Stream, true));
}

#[test]
fn what_is_over_the_light_limits_needs_the_full_ones() {
    let options = CompareOptions::default();
    let many = |last: &str| {
        let body = format!("[{}{last}]", "1,".repeat(BodyLimits::LIGHT.nodes));
        (response(200, &body), gzip(body.as_bytes()))
    };
    let ((ours, _), (theirs, coded)) = (many("1"), many("1.0"));
    for theirs in [&theirs, &coded] {
        assert_eq!(
            compare_light(&options, Asked::default(), &ours, theirs),
            None
        );
        let full = compare(&options, &ours, theirs);
        assert_eq!((full.extent, full.differs()), (Extent::Whole, false));
    }
}

#[test]
fn small_pairs_need_the_light_limits_only() {
    let options = CompareOptions::default();
    let pairs = [
        (response(200, r#"{"a":1}"#), response(500, r#"{"a":2}"#)),
        (gzip(b"[1]"), gzip(b"[2]")),
        (response(200, "abc"), response(200, "abd")),
    ];
    for (ours, theirs) in pairs {
        let light = compare_light(&options, Asked::default(), &ours, &theirs).unwrap();
        assert_eq!(light, compare(&options, &ours, &theirs));
    }
    let large = response(200, &"x".repeat(BodyLimits::LIGHT.bytes + 1));
    assert!(
        compare_light(&options, Asked::default(), &large, &large).is_some(),
        "equal bytes cost nothing"
    );
}

#[test]
fn a_pointer_that_is_none_would_leave_out_everything() {
    for good in ["/id", "/items/*/price", "/", "/a~1b", "/**/trace"] {
        assert!(IgnoredPointer::from_text(good).is_ok(), "{good}");
    }
    for bad in ["id", "$.took", "", "/a**"] {
        let error = IgnoredPointer::from_text(bad).unwrap_err();
        assert!(error.contains("'/items/*/price'"), "{error}");
    }
}

#[test]
fn what_is_written_in_another_way_is_cosmetic() {
    let told = |ours: &str, theirs: &str| {
        let options = CompareOptions::default();
        let comparison = compare(&options, &response(200, ours), &response(200, theirs));
        assert!(!comparison.differs(), "{ours} {theirs}");
        let shown = |o: &Observation| format!("{} {}: {}", o.place, o.kind.name(), o.mirror);
        comparison
            .observations
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
    };
    assert_eq!(told("[1]", "[1]"), [""; 0]);
    assert_eq!(
        told("[1]", "[ 1 ]"),
        ["body cosmetic: the same data in other bytes"]
    );
    assert_eq!(
        told(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
        ["body cosmetic: the same members in another order"]
    );
    assert_eq!(
        told("[\"caf\u{e9}\"]", "[\"cafe\u{301}\"]"),
        [
            "body /* cosmetic: \"cafe\u{301}\"",
            "body cosmetic: the same data in other bytes"
        ]
    );
}

#[test]
fn an_element_more_is_one_difference_and_no_shift() {
    let list = |numbers: &[u32]| {
        let items = numbers
            .iter()
            .map(|n| format!(r#"{{"n":{n},"name":"x{n}"}}"#));
        format!(r#"{{"items":[{}]}}"#, items.collect::<Vec<_>>().join(","))
    };
    let first = r#"{"n":1,"name":"x1"}"#;
    check(
        &list(&[1, 2, 3, 4]),
        &list(&[2, 3, 4]),
        &[],
        &[&format!("1 × body /items/* missing: {first} | (absent)")],
    );
    check(
        &list(&[2, 3, 4]),
        &list(&[2, 1, 3, 4]),
        &[],
        &[&format!("1 × body /items/* added: (absent) | {first}")],
    );
    check(
        "[1,2,3]",
        "[0,1,2,3]",
        &[],
        &["1 × body /* added: (absent) | 0"],
    );
}

#[test]
fn another_order_is_one_difference() {
    check(
        "[1,2,3,4]",
        "[4,3,2,1]",
        &[],
        &["1 × body  order: 1, 2, 3, 4 | 4, 3, 2, 1"],
    );
    check(
        r#"{"l":[{"id":1,"v":1},{"id":2,"v":2},{"id":3,"v":3}]}"#,
        r#"{"l":[{"id":3,"v":3},{"id":1,"v":9},{"id":2,"v":2}]}"#,
        &[],
        &[
            "1 × body /l order: id: 1, 2, 3 | id: 3, 1, 2",
            "1 × body /l/*/v value: 1 | 9",
        ],
    );
}

#[test]
fn what_is_a_key_is_told_by_all_elements_and_not_by_those_between_equal_ends() {
    let item = |shelf: u32, n: u32| format!(r#"{{"shelf":"s-{shelf}","n":{n}}}"#);
    let list = |items: [String; 4]| format!("[{}]", items.join(","));
    check(
        &list([item(0, 7), item(1, 4), item(2, 5), item(3, 7)]),
        &list([item(0, 7), item(2, 5), item(1, 9), item(3, 7)]),
        &[],
        &[
            r#"1 × body  order: shelf: "s-1", "s-2" | shelf: "s-2", "s-1""#,
            "1 × body /*/n value: 4 | 9",
        ],
    );
}

#[test]
fn elements_with_noise_and_no_key_belong_together_by_what_they_share() {
    let item = |n: u32, at: &str| format!(r#"{{"a":"x{}","b":{},"at":"{at}{n}"}}"#, n % 3, n % 5);
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    let ours = list((0..30).map(|n| item(n, "p")).collect());
    let mut theirs: Vec<String> = (0..30).map(|n| item(n, "m")).collect();
    theirs.insert(7, r#"{"a":"new","b":77,"at":"m"}"#.into());
    check(
        &ours,
        &list(theirs),
        &[],
        &[
            r#"1 × body /* added: (absent) | {"a":"new","b":77,"at":"m"}"#,
            r#"30 × body /*/at value: "p0" | "m0""#,
        ],
    );
}

#[test]
fn an_element_whose_key_changed_is_the_same_element() {
    check(
        r#"[{"id":1,"a":1,"b":2},{"id":2,"a":3,"b":4},{"id":3,"a":5,"b":6}]"#,
        r#"[{"id":1,"a":1,"b":3},{"id":7,"a":3,"b":4},{"id":3,"a":5,"b":7}]"#,
        &[],
        &["2 × body /*/b value: 2 | 3", "1 × body /*/id value: 2 | 7"],
    );
}

#[test]
fn members_that_are_data_are_one_place() {
    let map = |from: u32| {
        let members = (from..from + 6).map(|n| format!(r#""user-{n}x":{{"score":{n}}}"#));
        format!(
            r#"{{"users":{{{}}}}}"#,
            members.collect::<Vec<_>>().join(",")
        )
    };
    check(
        &map(0),
        &map(5),
        &[],
        &[
            r#"5 × body /users/{*} missing: {"score":0} | (absent)"#,
            r#"5 × body /users/{*} added: (absent) | {"score":10}"#,
        ],
    );
    // Members that have names of their own stay apart.
    check(
        r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}"#,
        r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"g":6}"#,
        &[],
        &[
            "1 × body /f missing: 6 | (absent)",
            "1 × body /g added: (absent) | 6",
        ],
    );
}

#[test]
fn null_is_a_value_and_not_nothing() {
    check(
        r#"{"a":null}"#,
        "{}",
        &[],
        &["1 × body /a missing: null | (absent)"],
    );
    check(
        r#"{"a":null}"#,
        r#"{"a":1}"#,
        &[],
        &["1 × body /a type: null | 1"],
    );
    check(r#"{"a":null}"#, r#"{"a":null}"#, &[], &[]);
}

#[test]
fn json_is_read_leniently_and_alike_on_both_sides() {
    check("\u{feff}[1]", "[1]", &[], &[]);
    check(
        "[NaN,-Infinity]",
        "[NaN,1]",
        &[],
        &["1 × body /* value: -Infinity | 1"],
    );
    let typed = |body: &str| {
        let mut answer = response(200, body);
        answer
            .headers
            .append("Content-Type", b"application/problem+json");
        answer
    };
    let options = CompareOptions::default();
    let alone = compare(&options, &typed("1"), &typed(" 1.0"));
    assert_eq!(lines(&alone), [""; 0]);
    let alone = compare(&options, &typed("\"a\""), &typed("\"b\""));
    assert_eq!(lines(&alone), [r#"1 × body  value: "a" | "b""#]);
}

#[test]
fn more_severe_differences_push_out_less_severe_ones() {
    let body = |value: u32| {
        let members: Vec<String> = (0..150).map(|n| format!("\"m{n}x\":{value}")).collect();
        members.join(",")
    };
    let (ours, theirs) = (
        format!("{{{},\"z\":1}}", body(1)),
        format!("{{{}}}", body(2)),
    );
    let options = CompareOptions::default();
    let comparison = compare(&options, &response(200, &ours), &response(200, &theirs));
    assert_eq!(comparison.observations.len(), MAX_OBSERVATIONS);
    let told: u64 = comparison.observations.iter().map(|o| o.count).sum();
    assert_eq!(told + comparison.untold, comparison.different.total());
    assert!(
        comparison
            .observations
            .iter()
            .any(|o| o.kind == Kind::Missing)
    );
}
