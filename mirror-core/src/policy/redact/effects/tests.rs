use bytes::Bytes;
use mirror_contract::{Effect, EffectsDocument, Written};
use serde_json::json;

use super::super::tests::{redactor, request, token};
use super::*;
use crate::compare::{CompareOptions, compare_effects};
use crate::exchange::{Body, Request, Response};

#[test]
fn effects_lose_what_a_body_loses_on_both_sides() {
    let effects = |email: &str, page: &str| {
        let write = |key: &str, value: serde_json::Value| Effect::Write {
            name: "user".into(),
            key: key.into(),
            written: Written::of(&value),
        };
        let mut document = EffectsDocument::default();
        document.push(Effect::Read {
            name: "user".into(),
            key: email.into(),
        });
        document.push(write(
            email,
            json!({ "email": email, "pin": 1234, "age": 7 }),
        ));
        document.push(write("7", json!(email)));
        document.push(write("8", json!(page)));
        document
    };
    let rules = ["json:/pin => remove", "detect:email => token"];
    let redactor = redactor(&rules, &[]);
    let page = |secret: &str| format!("{}{secret}", "x".repeat(5000));
    let mut ours = effects("ann@example.org", &page("a"));
    let hidden = HiddenValues::default();
    redactor.redact_effects(&mut ours, &hidden);
    // The mirror was sent a token in the place of the address, and wrote that.
    let mut theirs = effects(&token("ann@example.org"), &page("b"));
    redactor.redact_effects(&mut theirs, &hidden);
    let shown = format!("{ours:?}");
    assert!(
        !shown.contains("ann@") && !shown.contains("1234"),
        "{shown}"
    );
    assert!(shown.contains("\\\"age\\\":7"), "{shown}");
    let compared = compare_effects(&CompareOptions::default(), None, &ours, &theirs).unwrap();
    assert_eq!(compared.observations, []);
    let mut plain = effects("ann@example.org", "");
    let as_it_was = plain.clone();
    Redactor::new(&[], &[], None, false).redact_effects(&mut plain, &hidden);
    assert_eq!(plain, as_it_was);
}

/// Places of a request and of an answer that a rule names, or that are hidden by default, each with a secret.
fn with_secrets() -> (Request, Response) {
    let fields = [
        ("Host", "shop"),
        ("Authorization", "Bearer planted-bearer"),
        ("Proxy-Authorization", "Basic dXNlcjpwbGFudGVkLWJhc2lj"),
        ("Cookie", "sid=planted-cookie; pin=4711; lang=de"),
        ("X-User", "planted-header"),
        ("Content-Type", "application/json"),
    ];
    let body = r#"{"pin":"planted-json","n":471147114711,"in":{"secret":["planted-list",12.50]},"mail":"planted@shop.example"}"#;
    let request = request("/a?token=planted%20query&x=1", &fields, body);
    let mut response = Response::new(200);
    response.headers = [
        ("Set-Cookie", "sid=planted-set; Path=/"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ]
    .into_iter()
    .collect();
    response.body = Body::from(Bytes::from_static(b"pin=planted-form&a=1"));
    (request, response)
}

const SECRETS_OF_EXCHANGE: [&str; 14] = [
    "planted-bearer",
    "planted-basic",
    "user:planted-basic",
    "planted-cookie",
    "4711",
    "planted-header",
    "planted-json",
    "471147114711",
    "planted-list",
    "12.5",
    "planted@shop.example",
    "planted query",
    "planted-set",
    "planted-form",
];

fn remembered(redactor: &Redactor) -> HiddenValues {
    let (mut request, mut response) = with_secrets();
    let mut trace = Trace::remembering();
    redactor.redact_request(&mut request, &mut trace).unwrap();
    let mut hidden = trace.take_values().unwrap();
    hidden.extend(redactor.redact_response_remembering(&mut response));
    hidden
}

fn rules_of(mode: &str) -> Vec<String> {
    let places = [
        "header:x-user",
        "query:token",
        "json:pin",
        "json:n",
        "json:in",
        "form:pin",
        "detect:email",
    ];
    places.map(|place| format!("{place} => {mode}")).into()
}

#[test]
fn what_was_hidden_in_an_exchange_is_hidden_in_its_effects() {
    for mode in ["remove", "mask", "token"] {
        let rules = rules_of(mode);
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        for kept in [&[][..], &["authorization", "cookie"]] {
            let redactor = redactor(&rules, kept);
            let hidden = remembered(&redactor);
            assert!(!hidden.is_partial());
            for secret in SECRETS_OF_EXCHANGE {
                let mut document = EffectsDocument::default();
                document.push(Effect::Read {
                    name: "session".into(),
                    key: format!("a/{secret}"),
                });
                for value in [
                    json!({ "of": secret, secret: [1, format!("<{secret}>")] }),
                    json!(secret),
                ] {
                    document.push(Effect::Write {
                        name: "session".into(),
                        key: json!([secret, 1]).to_string(),
                        written: Written::of(&value),
                    });
                }
                let number = secret
                    .parse::<f64>()
                    .ok()
                    .map(|number| json!({ "n": number }));
                document.push(Effect::Write {
                    name: "number".into(),
                    key: String::new(),
                    written: number.as_ref().and_then(Written::of),
                });
                redactor.redact_effects(&mut document, &hidden);
                let shown: String = document
                    .effects()
                    .iter()
                    .map(|effect| match effect {
                        Effect::Read { name, key } => format!("{name} {key}\n"),
                        Effect::Write { name, key, written } => {
                            let value = written.as_ref().and_then(|one| one.value.as_deref());
                            format!("{name} {key} {}\n", value.unwrap_or_default())
                        }
                    })
                    .collect();
                assert!(
                    !shown.contains(secret),
                    "{mode} {kept:?}: {secret} in {shown}"
                );
                assert!(shown.contains("[1,"), "{mode} {kept:?}: {shown}");
            }
        }
    }
}

#[test]
fn a_key_that_a_mirror_makes_of_a_token_stays_equal_to_production_s() {
    let session = |key: &str| {
        let mut document = EffectsDocument::default();
        document.push(Effect::Write {
            name: "session".into(),
            key: format!("s:{key}"),
            written: Written::of(&json!({ "of": key })),
        });
        document
    };
    let check = |rule: &str, kept: &[&str], at_the_mirror: &str, expect: &str| {
        let redactor = redactor(&[rule], kept);
        let (request, _) = with_secrets();
        let hidden = redactor.hidden_in(&request);
        let mut ours = session("planted-cookie");
        redactor.redact_effects(&mut ours, &hidden);
        let mut theirs = session(at_the_mirror);
        redactor.redact_effects(&mut theirs, &hidden);
        let compared = compare_effects(&CompareOptions::default(), None, &ours, &theirs).unwrap();
        assert_eq!(compared.observations, [], "{rule}");
        let [Effect::Write { key, .. }] = ours.effects() else {
            panic!("{ours:?}")
        };
        assert_eq!(key, expect, "{rule}");
    };
    let own = token("planted-cookie");
    check(
        "cookie:sid => token",
        &["cookie"],
        &own,
        &format!("s:{own}"),
    );
    check("cookie:sid => mask", &["cookie"], "***", "s:***");
    let label = "s:(cookie sid)";
    check("cookie:other => mask", &["cookie"], "planted-cookie", label);
    check("query:other => mask", &[], "planted-cookie", label);
}

#[test]
fn where_it_is_not_known_what_was_hidden_no_key_is_shown() {
    let document = || {
        let mut document = EffectsDocument::default();
        document.push(Effect::Read {
            name: "session".into(),
            key: "planted-key".into(),
        });
        document.push(Effect::Write {
            name: "session".into(),
            key: "planted-key".into(),
            written: Written::of(&json!({ "of": "planted-key" })),
        });
        document
    };
    let check = |redactor: &Redactor, expect: &str| {
        let mut covered = document();
        redactor.redact_effects(&mut covered, &HiddenValues::unknown());
        let shown = format!("{covered:?}");
        assert!(!shown.contains("planted"), "{shown}");
        assert!(shown.contains(expect), "{shown}");
    };
    check(&redactor(&[], &[]), &token("planted-key"));
    check(&Redactor::new(&[], &[], None, false), "***");
    // A body of which it is not known what was in it.
    let redactor = redactor(&["body:text/plain => remove"], &[]);
    let sent = request("/", &[("Content-Type", "text/plain")], "planted-key");
    assert!(redactor.hidden_in(&sent).is_partial());
    let wide = request("/", &[("Content-Type", "application/json")], "\0{\0");
    assert!(
        self::redactor(&["json:pin => mask"], &[])
            .hidden_in(&wide)
            .is_partial()
    );
}
