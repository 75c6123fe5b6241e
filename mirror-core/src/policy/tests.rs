use super::*;
use bytes::Bytes;
use mirror_contract::{Candidates, IdRules, RequestId};

use crate::exchange::{Ambiguity, Body, Request, Response, Timing};
use crate::identity::Identifier;
use crate::options::FromText;
use crate::time::Timestamp;

/// An exchange with something in every member, as policy lets it out.
pub(crate) fn envelope() -> Envelope {
    let mut exchange = exchange("POST", "/orders?q=\u{e4}", &[("Host", "shop"), ("A", "b")]);
    exchange.connection = 7;
    exchange.index = 2;
    exchange.origin = 3;
    exchange.client = "[2001:db8::1]:40000".parse().unwrap();
    exchange.peer = "10.0.0.9:5000".parse().unwrap();
    exchange.timing = Timing {
        request_first: Timestamp(1_000_000),
        request_last: Timestamp(2_000_000),
        response_first: Some(Timestamp(3_000_000)),
        response_last: Some(Timestamp(4_000_000)),
    };
    exchange.request.body = Body::from(Bytes::from_static(b"{\"userId\":42}"));
    exchange.response = Some(Box::new(Response {
        headers: [("Content-Type", "text/plain")].into_iter().collect(),
        body: Body::from(Bytes::from_static(b"ok\xff")),
        trailers: [("Digest", "x")].into_iter().collect(),
        fault: Some(Fault::Ambiguous(Ambiguity::Chunk)),
        ..Response::new(200)
    }));
    let identity = Identity {
        candidates: Candidates {
            ids: ["a-1", "a-2"].map(|id| RequestId::new(id).unwrap()).into(),
            counted: true,
            bucket_seconds: 1,
        },
        ..Identifier::default().identify(&exchange)
    };
    let policy = Policy {
        allow: rules(&["POST /orders"]),
        ..Policy::default()
    };
    policy
        .admit(&"web-1".into(), exchange, |_| identity)
        .unwrap()
}

#[test]
fn a_method_that_a_field_asks_for_needs_what_it_needs_itself() {
    let check =
        |policy: &Policy, request: &str, fields: &[(&str, &str)], body: &'static str, expect| {
            let (method, target) = request.split_once(' ').unwrap();
            let mut sent = exchange(method, target, fields);
            sent.request.body = Body::from(Bytes::from_static(body.as_bytes()));
            let told = match policy.judge(&sent) {
                Ok(permission) => format!("{:?}", permission.access),
                Err(refusal) => format!(
                    "{}: {}",
                    refusal.outcome.name(),
                    refusal.reason.unwrap_or_default()
                ),
            };
            assert_eq!(told, expect, "{request} {fields:?} {body}");
        };
    let none = Policy::default();
    let asks = "X-HTTP-Method-Override";
    let refused = "filtered: method: x-http-method-override asks for DELETE";
    check(&none, "GET /a", &[(asks, "DELETE")], "", refused);
    check(&none, "GET /a", &[(asks, " delete")], "", refused);
    check(&none, "GET /a", &[(asks, "HEAD")], "", "Read");
    check(&none, "GET /a", &[(asks, "get")], "", "Read");
    check(
        &none,
        "GET /a",
        &[("X-HTTP-Method", "PUT")],
        "",
        "filtered: method: x-http-method asks for PUT",
    );
    check(
        &none,
        "GET /a?x&%5fmethod=put",
        &[],
        "",
        "filtered: method: _method asks for PUT",
    );
    let reads = Policy {
        reads: rules(&["POST /a"]),
        ..Policy::default()
    };
    check(&reads, "POST /a", &[], "{}", "Read");
    check(&reads, "POST /a", &[(asks, "DELETE")], "{}", refused);
    let posts = Policy {
        allow: rules(&["POST /a"]),
        ..Policy::default()
    };
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let parts = ("Content-Type", "multipart/form-data; boundary=x");
    let by_form = "filtered: method: _method asks for PATCH";
    check(&posts, "POST /a", &[form], "a=1", "Write");
    check(&posts, "POST /a", &[form], "a=1&_method=patch", by_form);
    check(
        &posts,
        "POST /a",
        &[parts],
        "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\npatch\r\n--x--",
        by_form,
    );
    let any = Policy {
        allow: rules(&["* /a"]),
        deny: rules(&["DELETE /a"]),
        ..Policy::default()
    };
    check(&any, "POST /a", &[(asks, "PATCH")], "", "Write");
    check(
        &any,
        "POST /a",
        &[(asks, "DELETE")],
        "",
        "filtered: rule: x-http-method-override asks for DELETE: --deny DELETE /a",
    );
    check(&any, "GET /a", &[(asks, "PUT")], "", "Write");
    check(
        &any,
        "delete /a",
        &[],
        "",
        "filtered: rule: --deny DELETE /a",
    );
}

#[test]
fn redaction_breaks_neither_the_id_nor_the_owner() {
    let identifier = Identifier {
        rules: IdRules::parse(&["md5(\"{header:authorization}\")"]).unwrap(),
        ..Identifier::default()
    };
    let sent = exchange("GET", "/", &[("Authorization", "Bearer x")]);
    let before = identifier.identify(&sent);
    let identify = |exchange: &Exchange| identifier.identify(exchange);
    let envelope = Policy::default()
        .admit(&"host".into(), sent, identify)
        .unwrap();
    assert_eq!(envelope.identity(), &before);
    assert_eq!(before.candidates.ids.len(), 1);
    assert!(envelope.exchange().request.headers.is_empty());
}

fn exchange(method: &str, target: &str, headers: &[(&str, &str)]) -> Exchange {
    let address = "127.0.0.1:80".parse().unwrap();
    let request = Request {
        headers: headers.iter().copied().collect(),
        ..Request::new(method, target.to_owned())
    };
    Exchange::new(address, address, request)
}

pub(crate) fn rules(texts: &[&str]) -> Vec<Rule> {
    let rule = |text: &&str| Rule::from_text(text).unwrap();
    texts.iter().map(rule).collect()
}

fn judged(policy: &Policy, exchange: &Exchange) -> Result<(), Outcome> {
    let judged = policy.judge(exchange);
    judged.map(|_| ()).map_err(|refusal| refusal.outcome)
}

fn check(allow: &[&str], method: &str, target: &str, expect: Result<(), Outcome>) {
    let policy = Policy {
        allow: rules(allow),
        ..Policy::default()
    };
    let got = judged(&policy, &exchange(method, target, &[]));
    assert_eq!(got, expect, "{method} {target} with {allow:?}");
}

#[test]
fn only_safe_methods_pass_unless_a_route_is_allowed() {
    check(&[], "GET", "/", Ok(()));
    check(&[], "HEAD", "/", Ok(()));
    check(&[], "POST", "/orders", Err(Outcome::FilteredMethod));
    check(&[], "TRACE", "/", Err(Outcome::FilteredMethod));
    check(&["POST /orders"], "POST", "/orders?x=1", Ok(()));
    check(
        &["POST /orders"],
        "POST",
        "/orders/7",
        Err(Outcome::FilteredMethod),
    );
    check(&["POST /orders/*"], "POST", "/orders/7", Ok(()));
    check(
        &["POST /orders"],
        "PUT",
        "/orders",
        Err(Outcome::FilteredMethod),
    );
}

#[test]
fn a_request_that_carries_the_mark_is_never_replayed() {
    let got = judged(
        &Policy::default(),
        &exchange("GET", "/", &[(HEADER_REPLAY, "1")]),
    );
    assert_eq!(got, Err(Outcome::FilteredReplayed));
}

#[test]
fn a_protocol_switch_is_never_replayed() {
    let check = |upgrade: &str, status: Option<u16>, expect| {
        let fields = [("Connection", "upgrade"), ("Upgrade", upgrade)];
        let mut switch = exchange("GET", "/ws", &fields);
        switch.response = status.map(Response::new).map(Box::new);
        let got = judged(&Policy::default(), &switch);
        assert_eq!(got, expect, "{upgrade}, answered {status:?}");
    };
    let upgrade = Err(Outcome::NotReplayedUpgrade);
    check("websocket", Some(101), upgrade);
    check("h2c", Some(101), upgrade);
    check("h2c, WebSocket", Some(400), upgrade);
    check("websocket", None, upgrade);
    check("h2c", Some(200), Ok(()));
    check("h2c", None, Ok(()));
    check("websockets", Some(200), Ok(()));
}

#[test]
fn a_request_that_is_not_whole_is_never_replayed() {
    let mut broken = exchange("GET", "/", &[]);
    broken.request.fault = Some(Fault::Gap);
    assert_eq!(
        judged(&Policy::default(), &broken),
        Err(Outcome::DroppedGap)
    );
}

#[test]
fn a_request_that_nobody_is_known_to_have_received_is_never_replayed() {
    let mut forged = exchange("GET", "/", &[]);
    forged.one_sided = true;
    assert_eq!(
        judged(&Policy::default(), &forged),
        Err(Outcome::DroppedOneSide)
    );
}

#[test]
fn secrets_leave_only_when_kept_by_name() {
    let headers = [("Authorization", "Bearer x"), ("Cookie", "a=b"), ("A", "b")];
    let policy = Policy {
        keep_headers: vec!["cookie".into()],
        ..Policy::default()
    };
    let admitted = policy
        .admit(&"host".into(), exchange("GET", "/", &headers), |_| {
            Identity::default()
        })
        .unwrap();
    let names: Vec<_> = admitted
        .exchange
        .request
        .headers
        .iter()
        .map(|(n, _)| n)
        .collect();
    assert_eq!(names, ["Cookie", "A"]);
}

/// What a request ends with under some rules, and why.
fn ends(policy: &Policy, method: &str, target: &str) -> (Option<Outcome>, String) {
    match policy.judge(&exchange(method, target, &[])) {
        Ok(permission) => (None, permission.rule.unwrap_or_default()),
        Err(refusal) => (Some(refusal.outcome), refusal.reason.unwrap_or_default()),
    }
}

#[test]
fn deny_wins_then_the_first_rule_that_fits_decides() {
    let policy = Policy {
        deny: rules(&["GET /logout", "GET /**/delete", "POST /orders/9"]),
        allow: rules(&["POST /orders/*", "POST /**"]),
        reads: rules(&["POST /_search"]),
        ..Policy::default()
    };
    let check = |method: &str, target: &str, outcome: Option<Outcome>, why: &str| {
        let expect = (outcome, why.to_owned());
        assert_eq!(ends(&policy, method, target), expect, "{method} {target}");
    };
    let denied = Some(Outcome::FilteredRule);
    check("GET", "/logout", denied, "--deny GET /logout");
    check("GET", "/%6cogout?x", denied, "--deny GET /logout");
    check("GET", "/a/b/delete", denied, "--deny GET /**/delete");
    check("GET", "/a", None, "");
    check("POST", "/orders/9", denied, "--deny POST /orders/9");
    check("POST", "/orders/7", None, "--allow POST /orders/*");
    check("POST", "/other", None, "--allow POST /**");
    check("POST", "/_search", None, "--reads POST /_search");
    check("PUT", "/other", Some(Outcome::FilteredMethod), "");
}

#[test]
fn a_method_that_is_allowed_by_name_is_replayed_there_only() {
    let policy = Policy {
        allow: rules(&["GET /api/**", "* /search"]),
        ..Policy::default()
    };
    let ends = |method: &str, target: &str| ends(&policy, method, target).0;
    assert_eq!(ends("GET", "/api/a"), None);
    assert_eq!(ends("GET", "/other"), Some(Outcome::FilteredRule));
    assert_eq!(ends("GET", "/search"), None);
    assert_eq!(ends("HEAD", "/other"), None, "no rule names it");
    assert_eq!(ends("POST", "/search"), None);
    assert_eq!(ends("POST", "/api/a"), Some(Outcome::FilteredMethod));
}

#[test]
fn rules_that_decide_nothing_are_refused() {
    let key = || RedactKey::new(b"0123456789abcdef").ok();
    let redact = |text: &str| vec![RedactRule::from_text(text).unwrap()];
    let check = |policy: Policy, word: &str| {
        let error = policy.check().unwrap_err();
        assert!(error.contains(word), "{error}");
    };
    let default = Policy::default;
    check(
        Policy {
            allow: rules(&["POST /a"]),
            deny: rules(&["* /**"]),
            ..default()
        },
        "wins over it",
    );
    check(
        Policy {
            reads: rules(&["POST /a where query:x"]),
            deny: rules(&["POST /a"]),
            ..default()
        },
        "wins over it",
    );
    check(
        Policy {
            reads: rules(&["GET /a"]),
            ..default()
        },
        "changes nothing",
    );
    check(
        Policy {
            redact: redact("json:a => token"),
            ..default()
        },
        "--redact-key-file",
    );
    check(
        Policy {
            redact: redact("header:x-* => mask"),
            keep_headers: vec!["X-Api-Key".into()],
            ..default()
        },
        "contradict",
    );
    let fine = Policy {
        allow: rules(&["POST /a"]),
        deny: rules(&["POST /a where query:dry-run", "POST /a/b"]),
        redact: redact("json:a => token"),
        key: key(),
        ..default()
    };
    assert_eq!(fine.check(), Ok(()));
}

#[test]
fn a_write_needs_the_snapshot_of_the_very_request() {
    let policy = |unsnapshotted| Policy {
        allow: rules(&["POST /orders"]),
        reads: rules(&["POST /_search"]),
        allow_unsnapshotted_writes: unsnapshotted,
        ..Policy::default()
    };
    let may = |unsnapshotted, method: &str, target: &str, basis| {
        let policy = policy(unsnapshotted);
        let admitted = policy.admit(&"h".into(), exchange(method, target, &[]), |_| {
            Identity::default()
        });
        policy.may_write(&admitted.unwrap(), basis)
    };
    for basis in [
        Basis::NotGated,
        Basis::Replica,
        Basis::NotRequired,
        Basis::Missing,
    ] {
        assert_eq!(
            may(false, "POST", "/orders", basis),
            Err(Outcome::FilteredWrite)
        );
        assert_eq!(may(true, "POST", "/orders", basis), Ok(()));
        assert_eq!(may(false, "POST", "/_search", basis), Ok(()));
        assert_eq!(may(false, "GET", "/orders", basis), Ok(()));
    }
    assert_eq!(may(false, "POST", "/orders", Basis::Snapshot), Ok(()));
}

#[test]
fn only_reads_and_writes_with_their_snapshot_go_to_a_second_target() {
    let policy = Policy {
        allow_unsnapshotted_writes: true,
        ..Policy::allowing(rules(&["POST /orders"]))
    };
    let may = |method: &str, basis| {
        let admitted = policy.admit(&"h".into(), exchange(method, "/orders", &[]), |_| {
            Identity::default()
        });
        Policy::may_send_beside(&admitted.unwrap(), basis)
    };
    assert!(may("GET", Basis::NotGated) && may("POST", Basis::Snapshot));
    assert!(!may("POST", Basis::NotGated) && !may("POST", Basis::Missing));
}

#[test]
fn what_is_over_the_rate_is_shed_and_rare_routes_keep_their_share() {
    let policy = Policy {
        rate: Some(20),
        ..Policy::default()
    };
    let mut taken = std::collections::BTreeMap::new();
    for n in 0..4000_u64 {
        let target = if n % 40 == 0 { "/rare/7" } else { "/busy/7" };
        let mut exchange = exchange("GET", &target.replace('7', &n.to_string()), &[]);
        // 400 a second.
        exchange.timing.request_first = Timestamp(1_000_000_000 + n * 2_500_000);
        match policy.admit(&"h".into(), exchange, |_| Identity::default()) {
            Ok(_) => *taken.entry(target).or_insert(0) += 1,
            Err(refusal) => assert_eq!(refusal.outcome, Outcome::ShedRate),
        }
    }
    let (rare, busy) = (taken["/rare/7"], taken["/busy/7"]);
    assert!((180..=230).contains(&(rare + busy)), "{taken:?}");
    assert!((3..=8).contains(&rare), "{taken:?}");
}

#[test]
fn what_is_not_in_the_share_is_filtered() {
    let policy = Policy {
        shares: vec![ReplayShare::from_text("GET /a => 0%").unwrap()],
        ..Policy::default()
    };
    let admitted = |target| {
        policy.admit(&"h".into(), exchange("GET", target, &[]), |_| {
            Identity::default()
        })
    };
    let refusal = admitted("/a").unwrap_err();
    assert_eq!(refusal.outcome, Outcome::FilteredSample);
    assert_eq!(
        refusal.reason.as_deref(),
        Some("--replay-share GET /a => 0%")
    );
    assert!(admitted("/b").is_ok());
}
