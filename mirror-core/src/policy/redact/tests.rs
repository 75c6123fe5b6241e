use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use super::message::Unreadable;
use super::*;
use crate::exchange::{Body, Fault, Request, Response};
use crate::options::FromText;

pub(super) fn redactor(rules: &[&str], kept: &[&str]) -> Redactor {
    let rules: Vec<_> = rules
        .iter()
        .map(|text| RedactRule::from_text(text).unwrap_or_else(|error| panic!("{text}: {error}")))
        .collect();
    let kept: Vec<_> = kept.iter().map(|name| (*name).to_owned()).collect();
    let key = RedactKey::new(b"0123456789abcdef").unwrap();
    Redactor::new(&rules, &kept, Some(key), false)
}

pub(super) fn request(target: &str, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Request {
    Request {
        headers: fields.iter().copied().collect(),
        body: Body::from(body.into()),
        ..Request::new("POST", target.to_owned())
    }
}

fn redacted(redactor: &Redactor, mut request: Request) -> Request {
    redactor
        .redact_request(&mut request, &mut Trace::default())
        .unwrap();
    request
}

pub(super) fn token(value: &str) -> String {
    RedactKey::new(b"0123456789abcdef").unwrap().token(value)
}

/// A JSON body under some rules.
fn check_json(rules: &[&str], body: &str, expect: &str) {
    let before = request(
        "/",
        &[("Content-Type", "application/json")],
        body.to_owned(),
    );
    let after = redacted(&redactor(rules, &[]), before);
    assert_eq!(
        String::from_utf8_lossy(&after.body),
        expect,
        "{rules:?} {body}"
    );
}

#[test]
fn fields_of_json_are_hidden_and_no_other_byte_changes() {
    let mask = |rule: &str, body: &str, expect: &str| {
        check_json(&[&format!("{rule} => mask")], body, expect)
    };
    mask(
        "json:/a",
        r#"{ "a" : "x" , "n":1.50,"b":[1e9, 2]}"#,
        r#"{ "a" : "***" , "n":1.50,"b":[1e9, 2]}"#,
    );
    mask(
        "json:/items/*/price",
        r#"{"items":[{"price":9.90},{"price":"x"}]}"#,
        r#"{"items":[{"price":0},{"price":"***"}]}"#,
    );
    mask(
        "json:/a~1b/0",
        r#"{"a/b":["x","y"]}"#,
        r#"{"a/b":["***","y"]}"#,
    );
    mask(
        "json:pin",
        r#"[{"pin":1,"x":{"pin":[true,null,"",{"y":"z"}]}}]"#,
        r#"[{"pin":0,"x":{"pin":[false,null,"",{"y":"***"}]}}]"#,
    );
    mask(
        "json:/a",
        r#"{"\u0061":"x","b":"a"}"#,
        r#"{"\u0061":"***","b":"a"}"#,
    );
    mask(
        "json:/a",
        r#"{"a":"x","a":"y"}"#,
        r#"{"a":"***","a":"***"}"#,
    );
    mask(
        "json:*token*",
        r#"{"access_token":"x","tok":"y"}"#,
        r#"{"access_token":"***","tok":"y"}"#,
    );
    mask(
        "json:/a",
        "\u{feff}{\"a\":\"x\"}",
        "\u{feff}{\"a\":\"***\"}",
    );
    mask("json:/b", r#"{"a":"x"}"#, r#"{"a":"x"}"#);
}

#[test]
fn members_are_removed_with_their_commas_and_elements_keep_their_places() {
    let remove = |rule: &str, body: &str, expect: &str| {
        check_json(&[&format!("{rule} => remove")], body, expect)
    };
    remove("json:/b", r#"{"a":1, "b":2, "c":3}"#, r#"{"a":1,  "c":3}"#);
    remove("json:/a", r#"{"a":1,"b":2}"#, r#"{"b":2}"#);
    remove("json:/b", r#"{"a":1,"b":2}"#, r#"{"a":1}"#);
    remove("json:/a", r#"{"a":{"b":"c"}}"#, "{}");
    remove("json:x*", r#"{"x1":1,"x2":2}"#, "{}");
    remove("json:x*", r#"{"a":0,"x1":1,"x2":2}"#, r#"{"a":0}"#);
    remove(
        "json:x*",
        r#"{"x1":1,"a":0,"x2":2,"b":3,"x3":4}"#,
        r#"{"a":0,"b":3}"#,
    );
    remove("json:/*/1", r#"{"a":[1,2,3]}"#, r#"{"a":[1,null,3]}"#);
}

#[test]
fn tokens_stay_valid_where_they_stand_and_are_equal_everywhere() {
    let rules = [
        "json:/id => token",
        "json:/n => token",
        "query:id => token",
        "form:id => token",
        "header:x-id => token",
        "cookie:id => token",
    ];
    let redactor = redactor(&rules, &["cookie"]);
    let value = "a b&c=\u{e9}\"";
    let json = serde_json::json!({"id": value, "n": 42, "o": "42"}).to_string();
    let sent = request(
        "/?id=a%20b%26c=%C3%A9%22&x=1",
        &[("X-Id", value), ("Cookie", "id=42; b=2")],
        json,
    );
    let sent = redacted(&redactor, sent);
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["id"], token(value));
    assert_eq!(body["n"].to_string(), token("42"));
    assert_eq!(body["o"], "42");
    assert_eq!(sent.target.text(), format!("/?id={}&x=1", token(value)));
    assert_eq!(sent.headers.first("x-id"), Some(token(value).as_bytes()));
    assert_eq!(
        sent.headers.first("cookie"),
        Some(format!("id={}; b=2", token("42")).as_bytes())
    );
    let form = request(
        "/",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        "id=a+b%26c%3D%C3%A9%22&x=+",
    );
    let form = redacted(&redactor, form);
    assert_eq!(
        &form.body[..],
        format!("id={}&x=+", token(value)).as_bytes()
    );
    // Numbers that are equal are equal as tokens, and so are those that are not whole.
    for (one, other) in [("1.0", "1"), ("1.5", "1.5"), ("-3", "-3")] {
        let hide = |number: &str| redactor.number_token(number);
        assert_eq!(hide(one), hide(other));
        assert_eq!(hide(&hide(one)), hide(one));
        assert!(hide(one).parse::<u64>().unwrap() < 1 << 53);
    }
}

#[test]
fn headers_that_carry_credentials_go_unless_kept_and_are_never_shown() {
    let fields = [
        ("Authorization", "Bearer x"),
        ("COOKIE", "a=b"),
        ("X-Api-Key", "k"),
        ("Accept", "*/*"),
    ];
    let names = |request: &Request| {
        request
            .headers
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>()
    };
    let sent = redacted(&redactor(&[], &[]), request("/", &fields, ""));
    assert_eq!(names(&sent), ["Accept"]);
    let keeps = redactor(&["detect:all => mask"], &["Authorization"]);
    let sent = redacted(&keeps, request("/", &fields, ""));
    assert_eq!(names(&sent), ["Authorization", "Accept"]);
    assert_eq!(sent.headers.first("authorization"), Some(&b"Bearer x"[..]));
    let shown = keeps.shown_headers(&sent.headers);
    assert_eq!(shown.first("authorization"), Some(&b"***"[..]));
    assert_eq!(shown.first("accept"), Some(&b"*/*"[..]));
    // A rule for the header decides before the default.
    let token_rule = redactor(
        &["header:authorization => token", "header:x-*-key => mask"],
        &[],
    );
    let sent = redacted(&token_rule, request("/", &fields, ""));
    let expect = format!("Bearer {}", token("x"));
    assert_eq!(sent.headers.first("authorization"), Some(expect.as_bytes()));
    assert_eq!(sent.headers.first("x-api-key"), Some(&b"***"[..]));
}

#[test]
fn a_web_token_crosses_without_its_signature_where_it_is_signed_anew() {
    let claims = Redactor::new(&[], &[], None, true);
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    let sent = redacted(
        &claims,
        request("/", &[("Authorization", &format!("Bearer {jwt}"))], ""),
    );
    let expect = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.";
    assert_eq!(sent.headers.first("authorization"), Some(expect.as_bytes()));
    assert_eq!(&**claims.kept(), ["authorization".into()]);
    let opaque = redacted(
        &claims,
        request("/", &[("Authorization", "Basic dTpw")], ""),
    );
    assert!(opaque.headers.is_empty());
}

#[test]
fn detectors_find_secrets_in_every_place() {
    let card = "4111111111111111";
    let mail = "a@shop.example";
    let redactor = redactor(&["detect:card => mask", "detect:email => token"], &[]);
    let fields = [
        ("X-Note", "card 4111 1111 1111 1111"),
        ("Referer", "http://h/?m=a%40shop.example#c=4111111111111111"),
    ];
    let body = format!(
        r#"{{"{mail}":1,"t":"pay {card}","n":{card},"e":"a\u0040shop.example","m":9007199254740993}}"#
    );
    let sent = redacted(
        &redactor,
        request(
            "/u/a%40shop.example/c?x=1&c=4111111111111111&a@shop.example",
            &fields,
            body,
        ),
    );
    let mail_token = token(mail);
    assert_eq!(sent.target.text(), format!("/u/{mail_token}/c?x=1&c=***"));
    assert_eq!(sent.headers.first("x-note"), Some(&b"card ***"[..]));
    assert_eq!(
        sent.headers.first("referer"),
        Some(format!("http://h/?m={mail_token}#c=***").as_bytes())
    );
    let expect = format!(
        r#"{{"{mail_token}":1,"t":"pay ***","n":0,"e":"{mail_token}","m":9007199254740993}}"#
    );
    assert_eq!(String::from_utf8_lossy(&sent.body), expect);
}

#[test]
fn what_is_not_json_as_a_whole_loses_its_named_fields_too() {
    let check = |body: &str, expect: &str| {
        let before = request("/", &[], body.to_owned());
        let after = redacted(
            &redactor(
                &[
                    "json:/user/pin => mask",
                    "json:tok => remove",
                    "detect:card => mask",
                ],
                &[],
            ),
            before,
        );
        assert_eq!(String::from_utf8_lossy(&after.body), expect, "{body}");
    };
    check(
        "{\"user\":{\"pin\":\"1\"}}\n{\"user\":{\"pin\":22}}\n",
        "{\"user\":{\"pin\":\"***\"}}\n{\"user\":{\"pin\":0}}\n",
    );
    check("{\"user\":{\"pin\":\"123", "{\"user\":{\"pin\":\"***\"");
    check(
        "{\"pin\" : 12, \"tok\":{\"a\":[\"}\"]},",
        "{\"pin\" : 0, \"tok\":null,",
    );
    check(
        "cb({\"pin\":\"1\",\"c\":\"4111111111111111\"});",
        "cb({\"pin\":\"***\",\"c\":\"***\"});",
    );
    check(
        "data: {\"pin\":true}\n\ndata: [1",
        "data: {\"pin\":null}\n\ndata: [1",
    );
    check("{\"pin\":\"1\\", "{\"pin\":\"***\"");
    check("no json, 4111111111111111", "no json, ***");
}

#[test]
fn parts_of_a_form_with_files_are_hidden_in_place() {
    let body = |pin: &str, note: &str| {
        format!(
            "--B\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n{pin}\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n{note}\r\n--B--\r\n"
        )
    };
    let fields = [
        ("Content-Type", "multipart/form-data; boundary=B"),
        ("Content-Length", "999"),
    ];
    let redactor = redactor(&["form:pin => mask", "detect:card => mask"], &[]);
    let sent = redacted(
        &redactor,
        request("/", &fields, body("1234", "4111111111111111")),
    );
    let expect = body("***", "***");
    assert_eq!(String::from_utf8_lossy(&sent.body), expect);
    assert_eq!(
        sent.headers.first("content-length"),
        Some(expect.len().to_string().as_bytes())
    );
}

#[test]
fn a_coding_is_undone_where_the_body_changes_and_the_fields_follow() {
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        Bytes::from(encoder.finish().unwrap())
    };
    let fields = [
        ("Content-Encoding", "gzip"),
        ("Content-Length", "77"),
        ("Content-MD5", "x"),
        ("A", "b"),
    ];
    let redactor = redactor(&["json:pin => mask"], &[]);
    let sent = redacted(&redactor, request("/", &fields, gzip(r#"{"pin":"1"}"#)));
    assert_eq!(&sent.body[..], br#"{"pin":"***"}"#);
    let left: Vec<_> = sent
        .headers
        .iter()
        .map(|(name, value)| (name, value.to_vec()))
        .collect();
    assert_eq!(
        left,
        [("Content-Length", b"13".to_vec()), ("A", b"b".to_vec())]
    );
    let same = request("/", &fields, gzip(r#"{"pan":"1"}"#));
    assert_eq!(redacted(&redactor, same.clone()), same);
}

#[test]
fn what_cannot_be_read_does_not_go_on() {
    let reading = redactor(&["json:pin => mask"], &[]);
    for (coding, body) in [
        ("aes128gcm", &b"x"[..]),
        ("gzip", b"not gzip"),
        ("identity", b"\xff\xfe{\0\"\0"),
        ("identity", b"{\0\"\0"),
    ] {
        let fields = [("Content-Encoding", coding), ("Content-Type", "text/plain")];
        let mut unreadable = request("/", &fields, Bytes::from_static(body));
        assert!(
            reading
                .redact_request(&mut unreadable, &mut Trace::default())
                .is_err(),
            "{coding}"
        );
        let mut answer = Response {
            headers: fields.iter().copied().collect(),
            body: Body::from(Bytes::from_static(body)),
            ..Response::new(200)
        };
        reading.redact_response(&mut answer);
        assert!(
            answer.body.is_empty() && answer.fault == Some(Fault::TooLarge),
            "{coding}"
        );
    }
    // Without rules for bodies nothing needs to be found.
    let fields = [("Content-Encoding", "aes128gcm")];
    let sent = request("/", &fields, "x");
    assert_eq!(
        redacted(&redactor(&["query:a => mask"], &[]), sent.clone()),
        sent
    );
}

#[test]
fn binary_bodies_stay_or_go_by_rule() {
    let image = Bytes::from_static(b"\x89PNG\0\xff 4111111111111111 ");
    let fields = [("Content-Type", "image/png"), ("Content-Length", "26")];
    let stays = redacted(
        &redactor(&["detect:card => mask", "json:x => mask"], &[]),
        request("/", &fields, image.clone()),
    );
    assert_eq!(&stays.body[..], &image[..]);
    let gone = redacted(
        &redactor(&["body:image/* => remove"], &[]),
        request("/", &fields, image),
    );
    assert!(gone.body.is_empty());
    assert_eq!(gone.headers.first("content-length"), Some(&b"0"[..]));
}

#[test]
fn a_user_before_a_host_and_removed_pairs_leave_the_target() {
    let redactor = redactor(&["query:gone => remove"], &[]);
    let target = |before: &str| {
        redacted(&redactor, request(before, &[], ""))
            .target
            .text()
            .into_owned()
    };
    assert_eq!(target("http://u:p@shop/a?x=1&gone=2"), "http://shop/a?x=1");
    assert_eq!(target("/a?gone=2"), "/a");
    assert_eq!(target("/a?gone=2#gone=3"), "/a");
    assert_eq!(target("/a?b=%7b"), "/a?b=%7b");
    assert_eq!(target("*"), "*");
}

#[test]
fn a_target_is_shown_without_what_is_known_to_be_secret() {
    let redactor = redactor(&[], &[]);
    let shown = |target: &str| {
        redactor
            .shown_target(&request(target, &[], ""))
            .path_text()
            .into_owned()
    };
    assert_eq!(
        shown("/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),
        "/reset/***"
    );
    assert_eq!(shown("/pay/4111%20111111111111"), "/pay/***");
    assert_eq!(shown("/a%20b?x"), "/a%20b");
}

#[test]
fn both_sides_are_hidden_alike_and_a_second_time_changes_nothing() {
    for mode in ["remove", "mask", "token"] {
        let rules = [
            "json:email",
            "header:location",
            "detect:all",
            "query:q",
            "form:f",
        ]
        .map(|place| format!("{place} => {mode}"));
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let redactor = redactor(&rules, &[]);
        let answer = |spaces: &str| Response {
            headers: [
                ("Location", "/u/7"),
                ("Set-Cookie", "sid=1"),
                ("X", "mail a@b.example"),
            ]
            .into_iter()
            .collect(),
            body: Body::from(Bytes::from(format!(
                "{{\"email\":{spaces}\"a@b.example\",\"n\":1,\"t\":\"4111111111111111\",\"k\":[42]}}"
            ))),
            ..Response::new(200)
        };
        let (mut ours, mut theirs) = (answer(""), answer(""));
        redactor.redact_response(&mut ours);
        redactor.redact_response(&mut theirs);
        assert_eq!(ours, theirs, "{mode}");
        let once = ours.clone();
        redactor.redact_response(&mut ours);
        assert_eq!(ours, once, "{mode}");
    }
}

/// Random numbers from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.next(from.len())]
    }

    /// Some JSON with `secret` as the value of every member `pin`.
    fn json(&mut self, secret: &str, depth: usize) -> String {
        let scalar = [
            "1.50",
            "true",
            "null",
            "\"a \\\" b\"",
            "\"\\u00e9\"",
            "-0",
            "\"\"",
        ];
        match self.next(if depth > 3 { 1 } else { 4 }) {
            0 => self.pick(&scalar).to_owned(),
            1 => {
                let items: Vec<_> = (0..self.next(4))
                    .map(|_| self.json(secret, depth + 1))
                    .collect();
                format!("[{}]", items.join(self.pick(&[",", " , "])))
            }
            _ => {
                let members: Vec<_> = (0..self.next(5))
                    .map(|_| match self.next(3) {
                        0 => format!("\"pin\": \"{secret}\""),
                        1 => format!("\"p\\u0069n\":[\"{secret}\",{{\"x\":\"{secret}\"}}]"),
                        _ => format!("\"n{}\":{}", self.next(9), self.json(secret, depth + 1)),
                    })
                    .collect();
                format!("{{{}}}", members.join(self.pick(&[",", ",\n  "])))
            }
        }
    }
}

#[test]
fn a_planted_secret_never_appears_and_equal_stays_equal() {
    let secret = "hunter2SECRET";
    for seed in 1..150_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let json = format!("{{\"root\":{}}}", random.json(secret, 0));
        for mode in ["remove", "mask", "token"] {
            let rules = [
                format!("json:pin => {mode}"),
                format!("query:pin => {mode}"),
                format!("header:x-pin => {mode}"),
            ];
            let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
            let redactor = redactor(&rules, &[]);
            let fields = [
                ("X-Pin", secret),
                ("Cookie", secret),
                ("Referer", "/?pin=hunter2SECRET&a=1"),
            ];
            let target = format!("/a?a=1&pin={secret}&%70in={secret}#pin={secret}");
            let before = request(&target, &fields, json.clone());
            let after = redacted(&redactor, before.clone());
            let all = format!("{after:?}");
            assert!(!all.contains("hunter2"), "seed {seed}: {all}");
            let parsed: serde_json::Value = serde_json::from_slice(&after.body)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}: {:?} of {json}", after.body));
            if mode == "token" {
                let tokens = parsed.to_string().matches(&token(secret)).count();
                let planted = json.matches(secret).count();
                // Of two members with one name a parser keeps one.
                let sent = String::from_utf8_lossy(&after.body)
                    .matches(&token(secret))
                    .count();
                assert_eq!(sent, planted, "seed {seed}");
                assert!(tokens <= planted);
                let back = sent_back(&after.body, secret);
                assert_eq!(back, json, "seed {seed}: no other byte changes");
            }
            // Cut anywhere, nothing of it is left.
            let cut = random.next(json.len());
            let cut = request("/", &[], json.get(..cut).unwrap_or_default().to_owned());
            let cut = redacted(&redactor, cut);
            assert!(
                !format!("{cut:?}").contains("hunter2"),
                "seed {seed}: {cut:?}"
            );
        }
    }
}

/// The body with the tokens turned back.
fn sent_back(body: &[u8], secret: &str) -> String {
    String::from_utf8_lossy(body).replace(&token(secret), secret)
}

#[test]
fn secrets_are_found_where_several_forms_meet() {
    let rules = ["json:pin => mask", "form:pin => mask", "query:pin => mask"];
    let check = |kind: &str, body: &str, expect: &str| {
        let before = request("/", &[("Content-Type", kind)], body.to_owned());
        let after = redacted(&redactor(&rules, &[]), before);
        assert_eq!(
            String::from_utf8_lossy(&after.body),
            expect,
            "{kind} {body}"
        );
    };
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    // A document in a text of a document.
    check(
        json,
        r#"{"a":"{\"pin\":\"7\"}"}"#,
        r#"{"a":"{\"pin\":\"***\"}"}"#,
    );
    check(
        json,
        r#"{"a":"{\"b\":\"{\\\"pin\\\":7}\"}"}"#,
        r#"{"a":"{\"b\":\"{\\\"pin\\\":0}\"}"}"#,
    );
    check(json, r#"{"a":"[pin]"}"#, r#"{"a":"[pin]"}"#);
    // A form that begins like JSON, and JSON that is called a form.
    check(
        form,
        "[a]=1&pin=7",
        "[a]=1&pin=%2A%2A%2A".replace("%2A", "*").as_str(),
    );
    check(form, r#"{"pin":7}"#, r#"{"pin":0}"#);
    check(form, r#"{"pin":7"#, r#"{"pin":0"#);
    check(form, "a=%7B%22pin%22%3A7%7D", "a=%7B%22pin%22%3A0%7D");
    let part = |head: &str, content: &str| {
        format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n--x--\r\n")
    };
    let parts = "multipart/form-data; boundary=x";
    for head in [
        "name=pin",
        "filename=\"a;name=b\"; name=\"pin\"",
        "\r\n name=\"pin\"",
    ] {
        check(parts, &part(head, "7"), &part(head, "***"));
    }
    let lines = |text: String| text.replace("\r\n", "\n");
    check(
        parts,
        &lines(part("name=pin", "7")),
        &lines(part("name=pin", "***")),
    );
    check(
        parts,
        &part("name=a", r#"{"pin":7}"#),
        &part("name=a", r#"{"pin":0}"#),
    );
    let quoted = part("name=pin", "7").replace("--x", "--x;y");
    check(
        "multipart/form-data; boundary=\"x;y\"",
        &quoted,
        &quoted.replace("\n7", "\n***"),
    );
    let url = [("X-Forwarded-Url", "/a?pin=7")];
    let after = redacted(&redactor(&rules, &[]), request("/", &url, ""));
    assert_eq!(
        after.headers.first("x-forwarded-url"),
        Some(&b"/a?pin=***"[..])
    );
}

#[test]
fn a_body_of_wide_characters_does_not_go_on() {
    for body in [" \0{\0", "\0\0\0{", "\"\0a\0"] {
        let mut sent = request("/", &[("Content-Type", "application/json")], body);
        let result =
            redactor(&["json:pin => mask"], &[]).redact_request(&mut sent, &mut Trace::default());
        assert_eq!(result, Err(Unreadable::Charset), "{body:?}");
    }
}

#[test]
fn documents_in_documents_do_not_exhaust_the_stack() {
    let mut text = String::from("{\"pin\":7}");
    for _ in 0..16 {
        let quoted = serde_json::Value::from(text).to_string();
        text = format!("{}{quoted}{}", "[".repeat(100), "]".repeat(100));
    }
    redacted(
        &redactor(&["json:pin => mask"], &[]),
        request("/", &[("Content-Type", "application/json")], text),
    );
}
