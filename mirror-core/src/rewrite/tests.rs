//! Rules as a user writes them, and what is sent.

use bytes::Bytes;

use super::*;
use crate::options::FromText;

fn rewrite(rules: &[&str]) -> Rewrite {
    let rules = rules
        .iter()
        .map(|rule| RewriteRule::from_text(rule).unwrap());
    Rewrite {
        rules: rules.collect(),
    }
}

/// The target that a request for `sent` goes to.
fn check_target(change: &str, sent: &'static str, expect: &str) {
    let mut request = Request::new("GET", sent);
    let done = rewrite(&[&format!("* /** => {change}")]).apply(&mut request, "mirror:80");
    assert_eq!(request.target.text(), expect, "{change} of {sent}");
    assert_eq!(done.is_empty(), sent == expect, "{done:?}");
}

#[test]
fn paths_change_by_prefix_of_whole_segments() {
    let change = "path prefix /api -> /v2/";
    check_target(change, "/api/a?b#c", "/v2/a?b#c");
    check_target(change, "/api", "/v2");
    check_target(change, "/apis", "/apis");
    check_target(change, "http://shop/api/a", "/v2/a");
    check_target("path prefix /a -> /", "/a/b", "/b");
    check_target("path prefix /a -> /", "/a", "/");
    check_target("path prefix / -> /v1", "/a/b", "/v1/a/b");
}

#[test]
fn paths_change_by_pattern_with_groups() {
    check_target(
        "path regex ^/u/(\\d+)/(.*)$ -> /$2/${1}x",
        "/u/7/a/b?c=d",
        "/a/b/7x?c=d",
    );
    check_target("path regex ^/u -> /v", "/w", "/w");
    check_target("path regex a -> b", "/aa", "/ba");
    check_target("path regex ^/ -> x", "/a", "/xa");
    check_target("path regex ^/(?<n>.*)$ -> /n/$n", "/\u{e4}", "/n/\u{e4}");
}

#[test]
fn query_parameters_are_set_removed_and_renamed_and_others_keep_their_bytes() {
    check_target("query set a=1", "/x?b=%zz&a=2&a=3&c", "/x?b=%zz&a=1&c");
    check_target("query set a=1 &", "/x", "/x?a=1%20%26");
    check_target("query set a=1", "/x?", "/x?a=1");
    check_target("query set a=1", "/x?b#f", "/x?b&a=1#f");
    check_target("query remove a", "/x?a=1&b=%2f&a", "/x?b=%2f");
    check_target("query remove a", "/x?a=1", "/x");
    check_target("query remove a", "/x?b=1", "/x?b=1");
    check_target("query remove a b", "/x?a+b=1&a%20b&c", "/x?c");
    check_target("query rename a -> z", "/x?b&a=%41&a", "/x?b&z=%41&z");
    check_target("query rename a -> z", "/x", "/x");
}

#[test]
fn headers_and_host_change_in_their_place() {
    let check = |changes: &[&str], expect: &[(&str, &str)]| {
        let mut request = Request::new("GET", "/a");
        let sent = [("HOST", "shop"), ("X-A", "1"), ("B", "2"), ("x-a", "3")];
        request.headers = sent.into_iter().collect();
        let rules: Vec<String> = changes.iter().map(|c| format!("GET /a => {c}")).collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        rewrite(&rules).apply(&mut request, "mirror:8080");
        assert_eq!(
            request.headers,
            expect.iter().copied().collect(),
            "{changes:?}"
        );
    };
    let rest = [("X-A", "1"), ("B", "2"), ("x-a", "3")];
    let with_host = |host| [&[("HOST", host)], &rest[..]].concat();
    check(&[], &with_host("shop"));
    check(&["host target"], &with_host("mirror:8080"));
    check(&["host other.test"], &with_host("other.test"));
    check(
        &["header set x-a: 9"],
        &[("HOST", "shop"), ("X-A", "9"), ("B", "2")],
    );
    check(&["header remove x-a"], &[("HOST", "shop"), ("B", "2")]);
    let appended = [&with_host("shop")[..], &[("b", "4")]].concat();
    check(&["header append b: 4"], &appended);
}

#[test]
fn a_changed_body_has_its_length() {
    let mut request = Request::new("POST", "/orders");
    request.headers = [("content-length", "9")].into_iter().collect();
    request.body = Bytes::from_static(b"{\"n\": 7 }").into();
    let rules = [
        "POST /orders => json set /dry_run true",
        "POST /orders => json rename /n -> m",
    ];
    let done = rewrite(&rules).apply(&mut request, "m");
    assert_eq!(&request.body[..], b"{\"m\": 7,\"dry_run\":true }");
    assert_eq!(request.headers.first("content-length"), Some(&b"24"[..]));
    assert_eq!(
        done,
        [
            "POST /orders => json set /dry_run",
            "POST /orders => json rename /n"
        ]
    );
    // A coded one is not read.
    request.headers.append("content-encoding", b"gzip");
    assert!(rewrite(&rules).apply(&mut request, "m").is_empty());
}

#[test]
fn rules_are_of_the_route_that_was_captured() {
    let mut request = Request::new("GET", "/a/1");
    let rules = [
        "GET /a/* => path prefix /a -> /b",
        "GET /b/* => header set x: wrong",
        "POST /a/* => header set x: wrong",
        "GET /a/* => path prefix /b -> /c",
    ];
    let done = rewrite(&rules).apply(&mut request, "m");
    assert_eq!(request.target.text(), "/c/1");
    assert_eq!(done.len(), 2);
    assert!(request.headers.is_empty());
}
