//! Rules as people write them, and bodies that are redacted.

use bytes::Bytes;
use mirror_core::exchange::{Exchange, Request};
use mirror_core::identity::Identity;
use mirror_core::options::FromText;
use mirror_core::policy::{Policy, RedactKey, RedactRule, ReplayShare, Rule};

use crate::input::Input;

const PLANTED: &str = "planted-secret";
const MODES: [&str; 3] = ["remove", "mask", "token"];
const TYPES: [&str; 4] = [
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=B",
    "application/x-www-form-urlencoded",
];

/// Any text is a rule or an error, any body is judged by rules that look into it, and no planted secret gets out.
pub fn policy(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mode = input.pick(&MODES);
    let kind = input.pick(&TYPES);
    let rule = String::from_utf8_lossy(input.piece()).into_owned();
    let target = input.piece();
    let rest = input.rest();
    let _ = ReplayShare::from_text(&rule);
    let _ = RedactRule::from_text(&rule);
    let mut policy = Policy::allowing(Vec::new());
    policy.deny.extend(Rule::from_text(&rule).ok());
    policy.reads = [
        "where graphql = query",
        "where json:pin ~ '^p' and form:pin",
    ]
    .map(rule_of)
    .into();
    policy.redact = ["json:pin", "form:pin", "query:pin", "detect:all"]
        .map(|place| redact_rule(place, mode))
        .into();
    policy.key = RedactKey::new(b"0123456789abcdef").ok();
    assert_eq!(policy.check(), Ok(()));

    let body = [format!("{{\"pin\":\"{PLANTED}\",\"x\":").as_bytes(), rest].concat();
    let form = [format!("pin={PLANTED}&").as_bytes(), rest].concat();
    for body in [body, form] {
        let is_form = body.starts_with(b"pin");
        let kind = if is_form { TYPES[3] } else { kind };
        if !is_form && kind != TYPES[0] && kind != TYPES[1] {
            continue;
        }
        check(&policy, target, kind, body, !rest_holds(target, rest));
    }
}

fn check(policy: &Policy, target: &[u8], kind: &str, body: Vec<u8>, is_planted_once: bool) {
    let target = [format!("/?pin={PLANTED}&").as_bytes(), target].concat();
    let was_json = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
    let request = Request {
        headers: [("Content-Type", kind)].into_iter().collect(),
        body: Bytes::from(body).into(),
        ..Request::new("GET", target)
    };
    let address = "127.0.0.1:80".parse().expect("an address");
    let exchange = Exchange::new(address, address, request);
    let Ok(envelope) = policy.admit(&"h".into(), exchange, |_| Identity::default()) else {
        return;
    };
    let request = &envelope.exchange().request;
    let is_in = |bytes: &[u8]| {
        bytes
            .windows(PLANTED.len())
            .any(|window| window == PLANTED.as_bytes())
    };
    if is_planted_once {
        assert!(!is_in(&request.body), "{:?}", request.body);
        assert!(!is_in(request.target.as_bytes()), "{}", request.target);
    }
    if was_json {
        assert!(
            serde_json::from_slice::<serde_json::Value>(&request.body).is_ok(),
            "{:?}",
            request.body
        );
    }
}

/// The fuzzer may plant it at a place that no rule names.
fn rest_holds(target: &[u8], rest: &[u8]) -> bool {
    let word = &PLANTED.as_bytes()[..4];
    [target, rest]
        .into_iter()
        .any(|text| text.windows(word.len()).any(|window| window == word))
}

fn rule_of(text: &str) -> Rule {
    Rule::from_text(text).expect("a rule")
}

fn redact_rule(place: &str, mode: &str) -> RedactRule {
    RedactRule::from_text(&format!("{place} => {mode}")).expect("a rule")
}
