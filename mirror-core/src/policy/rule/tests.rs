use bytes::Bytes;

use super::*;
use crate::exchange::{Body, Exchange, Request, Response};

fn exchange(request: &str, fields: &[(&str, &str)], body: &'static str) -> Exchange {
    let (method, target) = request.split_once(' ').unwrap();
    let request = Request {
        headers: fields.iter().copied().collect(),
        body: Body::from(Bytes::from_static(body.as_bytes())),
        ..Request::new(method, target.to_owned())
    };
    let mut exchange = Exchange::new(
        "10.1.2.3:4".parse().unwrap(),
        "10.0.0.9:80".parse().unwrap(),
        request,
    );
    exchange.response = Some(Response::new(404).into());
    exchange
}

fn fit(rule: &str, exchange: &Exchange) -> [bool; 2] {
    let rule = Rule::from_text(rule).unwrap_or_else(|error| panic!("{rule}: {error}"));
    let view = View::new(exchange);
    [Sense::KeepOut, Sense::LetIn].map(|sense| rule.fits(&view, sense))
}

/// The same in both senses.
fn check(rule: &str, exchange: &Exchange, expect: bool) {
    assert_eq!(fit(rule, exchange), [expect; 2], "{rule}");
}

#[test]
fn every_subject_is_read() {
    let fields = [
        ("Host", "Shop.example:8080"),
        ("X-Tenant", "acme"),
        ("Cookie", "a=1; sid=s1"),
        ("Content-Type", "application/json"),
    ];
    let exchange = exchange(
        "POST /a/b.php?debug=1&e&q=c%20d",
        &fields,
        r#"{"op":"Find","user":{"ids":[1,2.50]}}"#,
    );
    for (condition, expect) in [
        ("host = shop.example", true),
        ("host = *.example", true),
        ("host = other", false),
        ("host != other", true),
        ("host != shop.example", false),
        ("host = shop.example:8080", true),
        ("host = shop.example:80", false),
        ("path = /a/*", true),
        ("path ~ '\\.php$'", true),
        ("path !~ '^/b'", true),
        ("header:x-tenant ~ '^ac'", true),
        ("header:X-TENANT = acme", true),
        ("header:x-none", false),
        ("not header:x-none", true),
        ("header:x-none != a", true),
        ("header:x-none !~ a", true),
        ("cookie:sid = s1", true),
        ("cookie:sid = s2", false),
        ("query:debug", true),
        ("query:e", true),
        ("query:f", false),
        ("query:q = 'c d'", true),
        ("body > 10", true),
        ("body > 1KiB", false),
        ("body <= 37", true),
        ("status = 404", true),
        ("status = 4xx", true),
        ("status = 500-599", false),
        ("status != 5xx", true),
        ("status = none", false),
        ("client in 10.0.0.0/8", true),
        ("client in 192.168.0.0/16,10.1.2.3", true),
        ("client not in 10.0.0.0/8", false),
        ("json:op = Find", true),
        ("json:user.ids.1 = 2.50", true),
        ("json:/user/ids/* ~ '^[12]'", true),
        ("json:user.name", false),
        ("path=/a/b.php and status=404 and query:debug=1", true),
        ("path = /a/* and status = 200", false),
    ] {
        check(&format!("POST /a/* where {condition}"), &exchange, expect);
        check(&format!("where {condition}"), &exchange, expect);
        check(&format!("PUT /a/* where {condition}"), &exchange, false);
    }
}

#[test]
fn a_form_and_a_coded_body_are_looked_into() {
    let fields = [("Content-Type", "application/x-www-form-urlencoded")];
    let form = exchange("POST /f", &fields, "a=1&pin=12+34");
    check("where form:pin = '12 34'", &form, true);
    check("where form:pin = 12", &form, false);
    let coded = exchange("POST /f", &[("Content-Encoding", "gzip")], "{\"a\":1}");
    check("where json:a = 1", &coded, false);
}

#[test]
fn what_can_be_read_in_two_ways_is_kept_out_and_not_let_in() {
    let twice = exchange(
        "POST /?d=0&d=1",
        &[("X", "a"), ("x", "b")],
        r#"{"o":"a","o":"b"}"#,
    );
    for condition in ["query:d = 1", "header:x = a", "header:x != a", "json:o = b"] {
        assert_eq!(
            fit(&format!("where {condition}"), &twice),
            [true, false],
            "{condition}"
        );
    }
}

#[test]
fn graphql_is_judged_by_its_operation() {
    let read = exchange("POST /graphql", &[], r#"{"query":"{ a }"}"#);
    check("POST /graphql where graphql = query", &read, true);
    check("POST /graphql where graphql != query", &read, false);
    check("POST /graphql where json:query ~ '^query'", &read, false);
    let write = exchange("POST /graphql", &[], r#"{"query":"mutation { a }"}"#);
    check("POST /graphql where graphql = query", &write, false);
    check("POST /graphql where graphql = mutation", &write, true);
    let hidden = exchange("POST /graphql", &[], r#"{"id":"abc"}"#);
    check("POST /graphql where graphql = query", &hidden, false);
    check("POST /graphql where graphql != query", &hidden, true);
    let get = exchange("GET /graphql?query=mutation%7Ba%7D", &[], "");
    check("GET /graphql where graphql != query", &get, true);
    let raw = exchange(
        "POST /graphql",
        &[("Content-Type", "application/graphql")],
        "query { a }",
    );
    check("where graphql = query", &raw, true);
    let both = exchange(
        "POST /graphql?query=mutation%7Ba%7D",
        &[],
        r#"{"query":"{ a }"}"#,
    );
    check("where graphql = query", &both, false);
}

#[test]
fn what_is_wrong_says_what_to_write() {
    let check = |rule: &str, word: &str| {
        let error = Rule::from_text(rule).unwrap_err();
        assert!(error.contains(word), "{rule}: {error}");
    };
    check("", "METHOD /path");
    check("GET /a where", "METHOD /path");
    check("GET /a where ", "METHOD /path");
    check("GET /a where colour = red", "write SUBJECT = VALUE");
    check("GET /a where header = x", "header:NAME");
    check("GET /a where json = x", "json:FIELD");
    check("GET /a where host ? x", "is not understood");
    check("GET /a where host =", "a value is missing");
    check("GET /a where host = a b", "in quotes");
    check("GET /a where path ~ '('", "regular expression");
    check("GET /a where path ~ 'x{1000}{1000}'", "too large");
    check("GET /a where body > big", "64MiB");
    check("GET /a where body ~ 1", ">, >=");
    check("GET /a where status = 7xx", "404, 5xx");
    check("GET /a where status > 400", "= or !=");
    check("GET /a where client in here", "10.0.0.0/8");
    check("GET /a where graphql = read", "mutation");
    check("GET /a where host > a", "=, !=, ~ or !~");
    check(
        "GET /a where query:a and and query:b",
        "a condition is missing",
    );
}

#[test]
fn what_can_never_match_is_refused() {
    let check = |conditions: &str| {
        let error = Rule::from_text(&format!("GET /a where {conditions}")).unwrap_err();
        assert!(error.contains("never match"), "{conditions}: {error}");
    };
    check("body > 10 and body < 5");
    check("body = 1 and body = 2");
    check("status = 404 and status = 5xx");
    check("status = none and status = 200");
    check("host = a and host = b");
    check("query:x = 1 and query:x = 2");
    assert!(
        Rule::from_text("GET /a where body > 10 and body < 50 and status = 4xx and status = 404")
            .is_ok()
    );
    let below = Rule::from_text("GET /a where body < 0").unwrap_err();
    assert!(below.contains("smaller than nothing"), "{below}");
}

#[test]
fn words_in_quotes_are_values() {
    let odd = exchange("GET /a?q=x%20and%20y%20where%20z", &[], "");
    check("GET /a where query:q = 'x and y where z'", &odd, true);
}
