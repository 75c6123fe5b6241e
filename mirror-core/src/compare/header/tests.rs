use super::*;
use crate::compare::{Asked, CompareOptions, Comparison, Place, compare_full};
use crate::exchange::Request;

fn answer(fields: &[(&str, &str)]) -> Response {
    Response {
        headers: fields.iter().copied().collect(),
        ..Response::new(200)
    }
}

fn compared(names: &[&str], ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> Comparison {
    let options = CompareOptions {
        headers: names.iter().map(|name| (*name).to_owned()).collect(),
        ..CompareOptions::default()
    };
    let mut request = Request::new("GET", "/orders");
    request.headers.append("Host", b"shop.example");
    let asked = Asked {
        request: Some(&request),
        mirror_authority: Some("mirror:8080"),
    };
    compare_full(&options, asked, &answer(ours), &answer(theirs))
}

fn lines(comparison: &Comparison) -> Vec<String> {
    let line = |o: &crate::compare::Observation| {
        format!(
            "{} {}: {} | {}",
            o.place,
            o.kind.name(),
            o.production,
            o.mirror
        )
    };
    comparison.observations.iter().map(line).collect()
}

fn check(ours: &[(&str, &str)], theirs: &[(&str, &str)], expect: &[&str]) {
    assert_eq!(
        lines(&compared(&["all"], ours, theirs)),
        expect,
        "{ours:?} {theirs:?}"
    );
}

/// One field with two values that mean the same, or not.
fn check_values(name: &str, ours: &str, theirs: &str, is_same: bool) {
    let comparison = compared(&["all"], &[(name, ours)], &[(name, theirs)]);
    assert_eq!(!comparison.differs(), is_same, "{name}: {ours} | {theirs}");
    let comparison = compared(&["all"], &[(name, theirs)], &[(name, ours)]);
    let is_symmetric = !matches!(name, "location");
    assert!(
        !is_symmetric || comparison.differs() != is_same,
        "{name}: {theirs} | {ours}"
    );
}

#[test]
fn the_tables_of_names_are_in_order() {
    assert!(
        LEFT_OUT.windows(2).all(|both| both[0] < both[1]),
        "{LEFT_OUT:?}"
    );
    assert!(SETS.windows(2).all(|both| both[0] < both[1]));
    assert!(
        LEFT_OUT_PREFIXES
            .iter()
            .all(|prefix| prefix.starts_with(['c', 'x']))
    );
    assert!(
        LEFT_OUT
            .iter()
            .all(|name| is_left_out(name) && is_left_out(&name.to_uppercase()))
    );
    for name in ["age", "x-vercel-id", "Date", "CF-Ray", "x-b3-traceid"] {
        assert!(is_left_out(name), "{name}");
    }
    for name in ["content-type", "x-request", "x-b", "location"] {
        assert!(!is_left_out(name), "{name}");
    }
}

#[test]
fn all_fields_are_compared_but_those_that_differ_by_nature() {
    check(
        &[
            ("X-Kind", "a"),
            ("Date", "1"),
            ("ETag", "x"),
            ("X-Request-Id", "1"),
            ("Server", "nginx"),
        ],
        &[
            ("x-kind", "b"),
            ("Date", "2"),
            ("ETag", "y"),
            ("X-Request-Id", "2"),
        ],
        &["header x-kind value: a | b"],
    );
    check(
        &[("X-Old", "1")],
        &[("X-New", "2")],
        &[
            "header x-new added: (absent) | 2",
            "header x-old missing: 1 | (absent)",
        ],
    );
    check(
        &[("Connection", "x-hop"), ("X-Hop", "1")],
        &[("X-Hop", "2")],
        &[],
    );
    check(&[("Traceparent", "1"), ("X-B3-TraceId", "2")], &[], &[]);
}

#[test]
fn names_restrict_what_is_compared_and_add_to_all() {
    let fields = |etag, kind| [("ETag", etag), ("X-Kind", kind)];
    let differ =
        |names: &[&str]| lines(&compared(names, &fields("x", "a"), &fields("y", "b"))).len();
    assert_eq!(differ(&["all"]), 1);
    assert_eq!(differ(&["all", "ETag"]), 2);
    assert_eq!(differ(&["ETag"]), 1);
    assert_eq!(differ(&["x-kind", "etag"]), 2);
    assert_eq!(differ(&[]), 0);
}

#[test]
fn lists_are_compared_by_element() {
    check_values("Vary", "Accept, Origin", "origin,accept", true);
    check_values("Vary", "Accept", "Accept, Origin", false);
    check_values(
        "Cache-Control",
        "max-age=60, private",
        "private,Max-Age=60",
        true,
    );
    check_values("Cache-Control", "max-age=60", "max-age=61", false);
    check_values("Allow", "GET, POST", "POST, GET", true);
    check_values("Allow", "GET", "get", false);
    check_values("X-List", "a, b", "a,b", true);
    check_values("X-List", "a, b", "b, a", false);
    check_values("X-List", "\"a,b\"", "\"a\", \"b\"", false);
    check_values(
        "Link",
        "</a>; rel=next, </b>; rel=prev",
        "</b>; rel=prev, </a>; rel=next",
        true,
    );
}

#[test]
fn lines_of_one_name_are_one_list() {
    check(
        &[("Vary", "Accept"), ("Vary", "Origin")],
        &[("Vary", "Accept, Origin")],
        &[],
    );
    check(
        &[("X-A", "1"), ("X-A", "2")],
        &[("X-A", "1")],
        &["header x-a value: 1, 2 | 1"],
    );
    check(
        &[("X-A", "1")],
        &[("X-A", "1"), ("X-A", "2")],
        &["header x-a value: 1 | 1, 2"],
    );
}

#[test]
fn another_media_type_is_another_type_and_another_parameter_is_not() {
    check(
        &[("Content-Type", "application/json")],
        &[("Content-Type", "text/html")],
        &["header content-type type: application/json | text/html"],
    );
    check(
        &[("Content-Type", "text/html; charset=utf-8")],
        &[("Content-Type", "text/html")],
        &["header content-type value: text/html; charset=utf-8 | text/html"],
    );
    check_values(
        "Content-Type",
        "text/html;charset=UTF-8",
        "Text/HTML; charset=\"utf-8\"",
        true,
    );
}

#[test]
fn another_coding_is_cosmetic() {
    let comparison = compared(&["all"], &[("Content-Encoding", "identity")], &[]);
    assert_eq!(lines(&comparison), [""; 0]);
    let comparison = compared(&["all"], &[("Content-Encoding", "gzip")], &[]);
    assert_eq!(
        lines(&comparison),
        ["header content-encoding cosmetic: gzip | (absent)"]
    );
    assert!(!comparison.differs());
}

#[test]
fn a_location_is_compared_without_the_answers_own_host() {
    let check = |ours, theirs, is_same| check_values("location", ours, theirs, is_same);
    check("https://shop.example/a?b", "http://mirror:8080/a?b", true);
    check("https://shop.example/a", "https://SHOP.example/a", true);
    check("https://shop.example:443/a", "/a", true);
    check("https://shop.example", "http://mirror:8080/", true);
    check("https://shop.example/a", "http://mirror:8080/b", false);
    check("https://shop.example/a", "https://other.example/a", false);
    check("https://other.example/a", "https://other.example/a", true);
    // The mirror's host is not production's own.
    check("http://mirror:8080/a", "/a", false);
    check("/a", "/b", false);
    check("/a?u=http://mirror:8080/", "/a?u=http://mirror:8080/", true);
}

#[test]
fn a_cookie_is_a_place_of_its_own_and_its_value_is_not_shown() {
    check(
        &[
            ("Set-Cookie", "sid=one; Path=/; HttpOnly"),
            ("Set-Cookie", "a=1"),
        ],
        &[("Set-Cookie", "a=2"), ("Set-Cookie", "sid=two; Path=/")],
        &["header set-cookie sid value: (a value); httponly; path=/ | (a value); path=/"],
    );
    check(
        &[("Set-Cookie", "sid=one")],
        &[],
        &["header set-cookie sid missing: (a value) | (absent)"],
    );
    check(
        &[("Set-Cookie", "a=1; Domain=shop.example")],
        &[("Set-Cookie", "a=1; Domain=mirror")],
        &[],
    );
    let rule = "ignore header:set-cookie";
    let options = CompareOptions {
        rules: vec![crate::options::FromText::from_text(rule).unwrap()],
        ..CompareOptions::default()
    };
    let comparison = compare_full(
        &options,
        Asked::default(),
        &answer(&[("Set-Cookie", "sid=one")]),
        &answer(&[]),
    );
    assert!(!comparison.differs());
}

#[test]
fn a_time_of_expiry_is_compared_by_its_distance() {
    let fields = |date, expires| [("Date", date), ("Expires", expires)];
    let (ten, eleven, noon) = (
        "Thu, 26 Nov 2026 10:00:00 GMT",
        "Thu, 26 Nov 2026 11:00:00 GMT",
        "Thu, 26 Nov 2026 12:00:00 GMT",
    );
    check(&fields(ten, eleven), &fields(eleven, noon), &[]);
    assert!(compared(&["all"], &fields(ten, eleven), &fields(ten, noon)).differs());
    check(
        &fields(ten, "0"),
        &fields(ten, "Thu, 01 Jan 1970 00:00:00 GMT"),
        &[],
    );
    assert!(compared(&["all"], &fields(ten, "-1"), &fields(ten, noon)).differs());
}

#[test]
fn secrets_are_not_shown() {
    let comparison = compared(&["authorization"], &[("Authorization", "Bearer a")], &[]);
    assert_eq!(
        lines(&comparison),
        ["header authorization missing: (not shown) | (absent)"]
    );
    assert_eq!(
        comparison.observations[0].place,
        Place::Header("authorization".into())
    );
}
