use bytes::Bytes;

use super::*;
use crate::compare::{Asked, CompareOptions, Comparison, compare_full};
use crate::exchange::{Request, Response};

fn options(rules: &[&str]) -> CompareOptions {
    let rule = |text: &&str| CompareRule::from_text(text).unwrap();
    CompareOptions {
        rules: rules.iter().map(rule).collect(),
        ..CompareOptions::default()
    }
}

fn answer(body: &str) -> Response {
    Response {
        body: Bytes::copy_from_slice(body.as_bytes()).into(),
        ..Response::new(200)
    }
}

fn compared(rules: &[&str], ours: &str, theirs: &str) -> Comparison {
    let request = Request::new("GET", "/orders/7");
    let asked = Asked {
        request: Some(&request),
        mirror_authority: None,
    };
    compare_full(&options(rules), asked, &answer(ours), &answer(theirs))
}

fn lines(observations: &[crate::compare::Observation]) -> Vec<String> {
    let line =
        |o: &crate::compare::Observation| format!("{} × {} {}", o.count, o.place, o.kind.name());
    let differences = observations.iter().filter(|o| o.kind != Kind::Cosmetic);
    differences.map(line).collect()
}

/// What is left with a rule, and how often the rule matched.
fn check(rule: &str, ours: &str, theirs: &str, left: &[&str], hits: u64) {
    let comparison = compared(&[rule], ours, theirs);
    assert_eq!(
        lines(&comparison.observations),
        left,
        "{rule}: {ours} {theirs}"
    );
    assert_eq!(
        comparison.rules,
        [RuleUse { rule: 0, hits }],
        "{rule}: {ours} {theirs}"
    );
    // Nothing is covered where nothing differs.
    for same in [ours, theirs] {
        let comparison = compared(&[rule], same, same);
        assert!(
            !comparison.differs() && comparison.expected.is_empty(),
            "{rule}: {same}"
        );
    }
}

#[test]
fn a_place_and_what_stands_in_it_is_ignored() {
    let (ours, theirs) = (r#"{"a":{"t":1},"b":1}"#, r#"{"a":{"t":2,"u":3},"b":2}"#);
    check("ignore /a", ours, theirs, &["1 × body /b value"], 2);
    check(
        "ignore /**/t",
        ours,
        theirs,
        &["1 × body /a/u added", "1 × body /b value"],
        1,
    );
    check("ignore body", ours, theirs, &[], 3);
    check(
        "GET /orders/{id} => ignore /a",
        ours,
        theirs,
        &["1 × body /b value"],
        2,
    );
    check("ignore status", ours, ours, &[], 0);
}

#[test]
fn what_a_rule_covers_is_not_called_the_same_data() {
    let comparison = compared(&["ignore /a"], r#"{"a":1}"#, r#"{"a":2}"#);
    assert_eq!(comparison.observations, []);
    let comparison = compared(&["ignore /a"], r#"{"a":1}"#, r#"{ "a":1}"#);
    assert_eq!(comparison.observations[0].kind, Kind::Cosmetic);
}

#[test]
fn a_rule_of_another_route_is_none() {
    let comparison = compared(&["POST /orders/* => ignore /a"], r#"{"a":1}"#, r#"{"a":2}"#);
    assert!(comparison.differs());
    assert_eq!(comparison.rules, []);
}

#[test]
fn values_may_be_apart() {
    check(
        "tolerance 0.01 /p",
        r#"{"p":1.00}"#,
        r#"{"p":1.01}"#,
        &[],
        1,
    );
    check(
        "tolerance 0.01 /p",
        r#"{"p":1.00}"#,
        r#"{"p":1.02}"#,
        &["1 × body /p value"],
        0,
    );
    check(
        "tolerance 0.01 /p",
        r#"{"p":1.00}"#,
        r#"{"p":"1.00"}"#,
        &["1 × body /p type"],
        0,
    );
    check(
        "tolerance 0.01 /p",
        r#"{"p":1.00}"#,
        "{}",
        &["1 × body /p missing"],
        0,
    );
    check(
        "tolerance 1% /**/p",
        r#"[{"p":100}]"#,
        r#"[{"p":101}]"#,
        &[],
        1,
    );
    check(
        "tolerance 2s /at",
        r#"{"at":"2026-11-26T10:00:00Z"}"#,
        r#"{"at":"2026-11-26T10:00:01Z"}"#,
        &[],
        1,
    );
}

#[test]
fn both_values_have_a_form_as_a_whole() {
    let rule = "pattern [0-9a-f]{4} /id";
    check(rule, r#"{"id":"00ff"}"#, r#"{"id":"ab12"}"#, &[], 1);
    check(
        rule,
        r#"{"id":"00ff"}"#,
        r#"{"id":"ab123"}"#,
        &["1 × body /id value"],
        0,
    );
    check(
        "pattern a b+ /id",
        r#"{"id":"a b"}"#,
        r#"{"id":"a bb"}"#,
        &[],
        1,
    );
}

#[test]
fn values_are_equal_after_a_substitution() {
    let rule = "normalise s/-[0-9]+$// /id";
    check(rule, r#"{"id":"a-1"}"#, r#"{"id":"a-2"}"#, &[], 1);
    check(
        rule,
        r#"{"id":"a-1"}"#,
        r#"{"id":"b-2"}"#,
        &["1 × body /id value"],
        1,
    );
    check(
        "normalise s#/v[12]/#/#g /u",
        r#"{"u":"/v1/a/v1/"}"#,
        r#"{"u":"/v2/a/v2/"}"#,
        &[],
        1,
    );
    check(
        r"normalise s/\/v[12]// /u",
        r#"{"u":"/v1/a"}"#,
        r#"{"u":"/v2/a"}"#,
        &[],
        1,
    );
}

#[test]
fn the_order_of_a_list_may_mean_nothing() {
    check(
        "unordered /l",
        r#"{"l":[1,2,3]}"#,
        r#"{"l":[3,1,2]}"#,
        &[],
        1,
    );
    check(
        "unordered /l",
        r#"{"l":[1,2,3]}"#,
        r#"{"l":[3,1,4]}"#,
        &["1 × body /l/* value"],
        1,
    );
    check(
        "unordered /l",
        r#"{"l":[{"a":1,"b":2,"t":0},{"a":3,"b":4,"t":0}]}"#,
        r#"{"l":[{"a":3,"b":4,"t":1},{"a":1,"b":2,"t":1}]}"#,
        &["2 × body /l/*/t value"],
        0,
    );
}

#[test]
fn elements_belong_together_by_a_named_member() {
    let ours = r#"{"l":[{"k":1,"v":1},{"k":2,"v":2}]}"#;
    let theirs = r#"{"l":[{"k":2,"v":9},{"k":1,"v":1}]}"#;
    check(
        "key k /l",
        ours,
        theirs,
        &["1 × body /l order", "1 × body /l/*/v value"],
        1,
    );
    check(
        "unordered by k /l",
        ours,
        theirs,
        &["1 × body /l/*/v value"],
        2,
    );
}

#[test]
fn the_members_of_a_map_are_one_place() {
    let (ours, theirs) = (r#"{"p":{"EUR":1,"USD":1}}"#, r#"{"p":{"EUR":2,"USD":3}}"#);
    check("map /p", ours, theirs, &["2 × body /p/{*} value"], 1);
    check("ignore /p/{*}", ours, theirs, &[], 2);
}

#[test]
fn an_intended_change_is_counted_apart_and_its_absence_is_known() {
    let (old, new) = (r#"{"a":1}"#, r#"{"a":1,"currency":"EUR"}"#);
    let rule = "expect added /currency";
    let comparison = compared(&[rule], old, new);
    assert_eq!(
        (comparison.differs(), comparison.different.total()),
        (false, 0)
    );
    assert_eq!(lines(&comparison.expected), ["1 × body /currency added"]);
    // Another kind of change at this place is not intended.
    let comparison = compared(&[rule], new, old);
    assert_eq!(
        lines(&comparison.observations),
        ["1 × body /currency missing"]
    );

    // Another normal form is no change.
    let comparison = compared(&["expect /a"], "{\"a\":\"\u{e9}\"}", "{\"a\":\"e\u{301}\"}");
    assert_eq!(comparison.expected, []);

    let options = options(&[rule, "POST /a => expect /b", "ignore /t"]);
    let mut tally = RuleTally::new(&options);
    tally.count(&options, &compared(&[rule], old, old));
    let absent: Vec<_> = tally.absent().collect();
    assert_eq!(absent, [("POST /a => expect /b", 0), (rule, 1)]);
    assert_eq!(tally.unmatched().count(), 3);
    let mut other = RuleTally::default();
    other.count(&options, &compared(&[rule], old, new));
    tally += other;
    assert_eq!(tally.absent().count(), 1);
    assert_eq!(
        tally.unmatched().collect::<Vec<_>>(),
        ["POST /a => expect /b", "ignore /t"]
    );
}

#[test]
fn rules_that_are_taken_back_are_forgotten() {
    let (old, new) = (r#"{"a":1}"#, r#"{"a":2}"#);
    let counted = |rules: &[&str]| {
        let mut tally = RuleTally::default();
        tally.count(&options(rules), &compared(rules, old, new));
        tally
    };
    let mut tally = RuleTally::default();
    tally.set_rules(&options(&["expect /a", "expect /b"]));
    tally.count_known(&counted(&["expect /a", "expect /b"]));
    tally.set_rules(&options(&["expect /a", "ignore /c"]));
    // One that was compared by the former rules.
    tally.count_known(&counted(&["expect /a", "expect /b"]));
    let rules: Vec<_> = tally
        .iter()
        .map(|(rule, count)| (rule, count.pairs))
        .collect();
    assert_eq!(rules, [("expect /a", 2), ("ignore /c", 0)]);
    assert_eq!(tally.absent().count(), 0);
}

#[test]
fn two_versions_of_an_api_compare_by_meaning() {
    let (old, new) = (
        r#"{"id":1,"price":5}"#,
        r#"{"id":1,"pricing":{"amount":5}}"#,
    );
    let rule = "rename /price -> /pricing/amount";
    check(rule, old, new, &[], 1);
    check(
        rule,
        old,
        r#"{"id":1,"price":5,"x":1}"#,
        &["1 × body /x added"],
        0,
    );
    check(
        rule,
        old,
        r#"{"id":1,"pricing":{"amount":6}}"#,
        &["1 × body /pricing/amount value"],
        1,
    );
    check(
        "rename /**/sum -> /**/total",
        r#"[{"sum":1},{"sum":2}]"#,
        r#"[{"total":1},{"total":3}]"#,
        &["1 × body /*/total value"],
        2,
    );
}

#[test]
fn what_a_rule_makes_equal_tells_no_elements_apart() {
    let list = |side: &str, first: &str| {
        let items = (0..20).map(|n| format!(r#"{{"a":"x{}","t":"{side}{n}"}}"#, n % 7));
        format!("[{first}{}]", items.collect::<Vec<_>>().join(","))
    };
    let more = r#"{"a":"new","t":"0"},"#;
    for rule in [
        "ignore /*/t",
        "pattern [pm][0-9]+ /*/t",
        "normalise s/[pm][0-9]+// /*/t",
    ] {
        let comparison = compared(&[rule], &list("p", ""), &list("m", more));
        assert_eq!(
            lines(&comparison.observations),
            ["1 × body /* added"],
            "{rule}"
        );
    }
}

#[test]
fn what_is_no_rule_says_how_to_write_one() {
    let check = |text: &str, expect: &str| {
        let error = CompareRule::from_text(text).unwrap_err();
        assert!(error.contains(expect), "{text}: {error}");
    };
    check(
        "",
        "for example 'GET /orders/{id} => ignore /items/*/updated_at'",
    );
    check("forget /a", "where a rule is one of");
    check("get /a => ignore /a", "not a route");
    check("GET /a => forget /a", "where a rule is one of");
    check("ignore a", "a pointer begins with `/`");
    check("ignore /a~2", "`~` must be followed by 0 or 1");
    check("tolerance /a", "0.01, 0.1% or 2s");
    check("tolerance 0 /a", "use a number above 0");
    check("tolerance 1 status", "has no value");
    check("pattern ( /a", "unclosed group");
    check("pattern a body", "has no value");
    check("normalise s/a/b /a", "write s/REGEX/NEW/");
    check("normalise s/a/b/x /a", "write s/REGEX/NEW/");
    check("unordered header:vary", "has no members");
    check("key /a /b", "the name of a member");
    check("map status", "has no members");
    check("expect gone /a", "use one of");
    check("expect missing status", "is never found there");
    check("expect cosmetic /a", "is never found there");
    check("expect clock /a", "is never found there");
    check("rename /a", "/pricing/amount");
}

#[test]
fn a_rule_that_can_never_match_is_an_error() {
    let check = |rules: &[&str], expect: Option<&str>| {
        let result = options(rules).check();
        match expect {
            None => assert_eq!(result, Ok(()), "{rules:?}"),
            Some(expect) => {
                let error = result.unwrap_err();
                assert!(error.contains(expect), "{rules:?}: {error}");
                assert!(error.contains("can never match"), "{error}");
            }
        }
    };
    check(&["ignore /a", "tolerance 1 /b"], None);
    check(
        &["ignore /a", "tolerance 1 /a/b"],
        Some("`tolerance 1 /a/b` can never"),
    );
    check(
        &["tolerance 1 /a/b", "ignore /**/b"],
        Some("`tolerance 1 /a/b` can never"),
    );
    check(&["ignore /a", "ignore /a"], Some("`ignore /a`"));
    check(&["GET /x => ignore /a", "expect /a"], None);
    check(
        &["GET /x => ignore /a", "GET /x => expect /a"],
        Some("expect /a"),
    );
    check(&["ignore /a", "GET /x => expect /a"], Some("expect /a"));
    check(&["ignore header:etag"], Some("--compare-header etag"));
    check(&["ignore header:connection"], Some("not compared"));
    check(&["ignore header:x-build"], None);
    let mut ignoring = options(&["tolerance 1 /a/b"]);
    ignoring.ignore = vec![IgnoredPointer::from_text("/a").unwrap()];
    assert!(ignoring.check().unwrap_err().contains("`ignore /a`"));
}

#[test]
fn a_rule_is_shown_as_it_was_written() {
    let text = "GET /orders/{id} => ignore /items/*/updated_at";
    assert_eq!(
        CompareRule::from_text(&format!(" {text} "))
            .unwrap()
            .to_string(),
        text
    );
}
