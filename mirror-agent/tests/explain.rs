//! `mirror-agent explain` as a user runs it, over an archive and over captures.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn explain(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-agent"));
    let mut child = command
        .args(["explain", "-"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have refused its arguments before.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(args: &[&str], input: &str) -> String {
    let output = explain(args, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn lines(args: &[&str], input: &str) -> Vec<Value> {
    let text = text(&[args, &["--json"]].concat(), input);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

type Fields<'a> = &'a [(&'a str, &'a str)];

/// An archive of requests, each with its body and its fields.
fn archive(requests: &[(&str, &str, &str, Fields<'_>)]) -> String {
    let entry = |(method, path, body, fields): &(&str, &str, &str, Fields<'_>)| {
        let headers: Vec<_> = fields
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        json!({
            "request": {
                "method": method, "url": format!("http://shop.example{path}"),
                "headers": headers, "postData": { "text": body },
            },
            "response": { "status": 200, "headers": [], "content": { "text": "{\"pin\":\"hunter2\"}" } },
        })
    };
    let entries: Vec<_> = requests.iter().map(entry).collect();
    json!({ "log": { "entries": entries } }).to_string()
}

fn shop() -> String {
    let credentials = &[("Authorization", "Bearer hunter2"), ("Accept", "*/*")][..];
    archive(&[
        ("GET", "/a?token=hunter2&b=c", "", credentials),
        ("GET", "/logout", "", &[]),
        (
            "POST",
            "/orders",
            "{\"pin\": \"hunter2\", \"n\": 1.50}",
            credentials,
        ),
        ("POST", "/graphql", "{\"query\":\"{ a }\"}", &[]),
        ("POST", "/graphql", "{\"query\":\"mutation { a }\"}", &[]),
    ])
}

const RULES: [&str; 12] = [
    "--deny",
    "GET /logout",
    "--allow",
    "POST /orders",
    "--reads",
    "POST /graphql where graphql = query",
    "--redact",
    "json:pin => mask",
    "--redact",
    "query:token => mask",
    "--keep-header",
    "authorization",
];

#[test]
fn each_exchange_has_its_rule() {
    let explained = lines(&RULES, &shop());
    let decided: Vec<_> = explained
        .iter()
        .map(|line| {
            (
                line["outcome"].as_str().unwrap(),
                line["rule"].as_str(),
                line["access"].as_str(),
            )
        })
        .collect();
    let graphql = "--reads POST /graphql where graphql = query";
    assert_eq!(
        decided,
        [
            ("replayed", None, Some("read")),
            ("filtered: rule", Some("--deny GET /logout"), None),
            ("replayed", Some("--allow POST /orders"), Some("write")),
            ("replayed", Some(graphql), Some("read")),
            ("filtered: method", None, None),
        ]
    );
}

#[test]
fn a_write_is_said_to_need_its_snapshot_only_if_it_does() {
    let check = |more: &[&str], expect: &str| {
        let args = [&RULES[..], more].concat();
        let text = text(&args, &shop());
        assert!(text.lines().any(|line| line == expect), "{text}");
    };
    check(
        &[],
        "replayed as a write, if its snapshot is there: --allow POST /orders",
    );
    check(
        &["--allow-unsnapshotted-writes"],
        "replayed as a write, with or without a snapshot: --allow POST /orders",
    );
}

#[test]
fn what_would_be_sent_is_shown_without_secrets() {
    let explained = lines(&RULES, &shop());
    let sent = &explained[0]["sent"];
    assert_eq!(sent["target"], "/a?token=***&b=c");
    assert_eq!(
        sent["headers"],
        json!([
            ["Host", "shop.example"],
            ["Authorization", "***"],
            ["Accept", "*/*"]
        ])
    );
    assert_eq!(sent["kept"], json!(["authorization"]));
    assert_eq!(
        explained[2]["sent"]["body"],
        "{\"pin\": \"***\", \"n\": 1.50}"
    );
    assert_eq!(explained[2]["answer"]["body"], "{\"pin\":\"***\"}");
    assert_eq!(
        explained[2]["hidden"],
        json!([{ "place": "body /pin", "mode": "mask" }])
    );
    assert_eq!(explained[1]["sent"], Value::Null);
    let people = text(&RULES, &shop());
    for shown in [
        "replayed: its method only reads",
        "filtered: rule: --deny GET /logout",
        "hidden: query token (mask)",
        "> Authorization: ***",
    ] {
        assert!(people.contains(shown), "{shown}: {people}");
    }
    assert!(!people.contains("hunter2"), "{people}");
}

#[test]
fn a_summary_counts_what_each_rule_decides() {
    let summary = text(&[&RULES[..], &["--summary"]].concat(), &shop());
    assert!(
        summary.contains("       1  filtered: rule: --deny GET /logout\n"),
        "{summary}"
    );
    assert_eq!(summary.lines().count(), 5, "{summary}");
}

#[test]
fn wrong_rules_are_refused_with_the_remedy() {
    let check = |args: &[&str], word: &str| {
        let output = explain(args, &shop());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(word), "{args:?}: {error}");
    };
    check(&["--deny", "/logout"], "as in 'POST /orders'");
    check(&["--redact", "pin => mask"], "json:MEMBER");
    check(&["--redact", "json:pin => token"], "--redact-key-file");
    check(&["--allow", "POST /a", "--deny", "* /**"], "wins over it");
}

#[test]
fn a_key_is_read_from_a_file_that_others_cannot_read() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("explain.key");
    std::fs::write(&path, "a-key-that-is-long-enough").unwrap();
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    let args = [
        "--redact",
        "query:token => token",
        "--redact-key-file",
        path.to_str().unwrap(),
    ];
    mode(0o644);
    let output = explain(&args, &shop());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("chmod 600"), "{error}");
    mode(0o600);
    let explained = lines(&args, &shop());
    let target = explained[0]["sent"]["target"].as_str().unwrap();
    assert!(target.starts_with("/a?token=t_"), "{target}");
}

#[test]
fn a_capture_is_read_as_inspect_reads_it() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/expect-continue/input.pcap"
    );
    let run = |verb: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-agent"));
        let output = command.args([verb, file]).args(more).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert!(run("explain", &["--json"]) > 0);
    assert_eq!(
        run("explain", &["--json"]),
        run("inspect", &["--format", "json"])
    );
}
