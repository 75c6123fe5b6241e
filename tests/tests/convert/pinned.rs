//! A pinned set: what production answered is what each build has to answer, request by request, with an exit code.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::capture_file::CaptureFile;
use mirror_tests::needs;
use mirror_tests::scratch::Scratch;
use mirror_tests::witness::{Witness, Witnessed};
use serde_json::{Value, json};

use super::agent;

/// Production: two products, an order and a clock.
fn capture(path: &Path) -> Result<()> {
    let mut file = CaptureFile::default();
    let mut add = |at: u64, line: &str, body: &str, answer: &str| {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: shop\r\nX-Request-Id: r-{at}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        let at = Duration::from_millis(at);
        file.exchange(
            at,
            1001,
            request.as_bytes(),
            answer.as_bytes(),
            Duration::from_millis(2),
        );
    };
    add(
        0,
        "GET /products/1",
        "",
        r#"{"price":100,"at":"2023-11-14T10:00:00Z"}"#,
    );
    add(
        10,
        "GET /products/2",
        "",
        r#"{"price":200,"at":"2023-11-14T10:00:01Z"}"#,
    );
    add(20, "POST /orders", r#"{"product":1}"#, r#"{"total":100}"#);
    file.write(path)
}

fn as_production(request: &Witnessed) -> (u16, &'static str, Vec<u8>) {
    let body = match &*request.target {
        "/products/1" => r#"{"at":"2026-01-01T00:00:00Z","price":100}"#,
        "/products/2" => r#"{"price":200,"at":"2026-01-01T00:00:00Z"}"#,
        _ => r#"{"total":100}"#,
    };
    (200, "application/json", body.into())
}

/// The second product costs more.
fn with_a_regression(request: &Witnessed) -> (u16, &'static str, Vec<u8>) {
    match &*request.target {
        "/products/2" => {
            let body = r#"{"price":201,"at":"2026-01-01T00:00:00Z"}"#;
            (200, "application/json", body.into())
        }
        _ => as_production(request),
    }
}

struct Pinned {
    scratch: Scratch,
    set: PathBuf,
}

const WRITES: [&str; 3] = ["--allow", "POST /orders", "--allow-unsnapshotted-writes"];

impl Pinned {
    fn new(more: &[&str]) -> Result<Self> {
        let scratch = Scratch::new()?;
        let (file, set) = (scratch.join("a.pcap"), scratch.join("set.mrec"));
        capture(&file)?;
        let (from, to) = (file.display().to_string(), set.display().to_string());
        let output = agent(
            &[
                &[
                    "cut",
                    &from,
                    &to,
                    "--pin",
                    "--json",
                    "--allow",
                    "POST /orders",
                ],
                more,
            ]
            .concat(),
        )?;
        assert!(output.status.success(), "{output:?}");
        Ok(Self { scratch, set })
    }

    fn replay(&self, mirror: &Witness, more: &[&str]) -> Result<Output> {
        let set = self.set.display().to_string();
        agent(&[&["replay", &set, "--target", &mirror.url()], more].concat())
    }

    fn json(&self, mirror: &Witness, more: &[&str], code: i32) -> Result<Value> {
        let output = self.replay(mirror, &[&["--json"], more].concat())?;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        serde_json::from_slice(&output.stdout).context("a report in JSON")
    }
}

const CLOCK: [&str; 4] = [
    "--pin-rule",
    "GET /products/* => ignore /at",
    "--pin-name",
    "POST /orders => an order is taken",
];

#[needs(nothing)]
fn a_build_that_answers_as_production_passes() -> Result<()> {
    let pinned = Pinned::new(&CLOCK)?;
    let mirror = Witness::start(as_production)?;
    let report = pinned.json(&mirror, &WRITES, 0)?;
    assert_eq!(report["decision"], "pass");
    assert_eq!(
        [&report["passed"], &report["failed"], &report["skipped"]],
        [3, 0, 0]
    );
    assert_eq!(report["cases"][2]["name"], "an order is taken");
    // Each was sent once, in the order of its connection, and says what it is.
    let seen = mirror.take();
    let sent: Vec<_> = seen.iter().map(|one| &*one.target).collect();
    assert_eq!(sent, ["/products/1", "/products/2", "/orders"]);
    assert_eq!(seen[2].body, br#"{"product":1}"#);
    assert!(
        seen.iter()
            .all(|one| one.header("x-mirror-replay").is_some()),
        "{seen:?}"
    );
    Ok(())
}

#[needs(nothing)]
fn a_regression_fails_its_request_and_no_other() -> Result<()> {
    let pinned = Pinned::new(&CLOCK)?;
    let mirror = Witness::start(with_a_regression)?;
    let xml = pinned.scratch.join("set.xml");
    let junit = ["--junit", &xml.display().to_string()];
    let report = pinned.json(&mirror, &[&WRITES[..], &junit].concat(), 1)?;
    assert_eq!(report["decision"], "fail");
    let outcomes: Vec<_> = (0..3)
        .map(|n| report["cases"][n]["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["passed", "failed", "passed"]);
    let [difference] = &report["cases"][1]["differences"]
        .as_array()
        .context("differences")?[..]
    else {
        panic!("{report:#}");
    };
    assert_eq!(
        (&difference["expected"], &difference["answered"]),
        (&json!("200"), &json!("201"))
    );
    let xml = std::fs::read_to_string(&xml)?;
    for part in [
        "tests=\"3\"",
        "failures=\"1\"",
        "GET /products/2 (r-10)",
        "an order is taken",
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
    let text = String::from_utf8(pinned.replay(&mirror, &WRITES)?.stdout)?;
    assert!(text.contains("FAILED  GET /products/2 (r-10)"), "{text}");
    assert!(
        text.contains("FAIL (exit code 1): 1 of 3 requests"),
        "{text}"
    );
    Ok(())
}

#[needs(nothing)]
fn what_varies_fails_unless_a_rule_says_so() -> Result<()> {
    let pinned = Pinned::new(&[])?;
    let mirror = Witness::start(as_production)?;
    let report = pinned.json(&mirror, &WRITES, 1)?;
    assert_eq!([&report["passed"], &report["failed"]], [1, 2]);
    // A rule of the replay does as well.
    let rule = ["--compare-rule", "GET /products/* => ignore /at"];
    let report = pinned.json(&mirror, &[&WRITES[..], &rule].concat(), 0)?;
    assert_eq!(report["passed"], 3);
    Ok(())
}

/// A set is a recording all the same, and a directory of recordings is no set.
#[needs(nothing)]
fn a_directory_with_a_set_is_replayed_as_recordings_are() -> Result<()> {
    let pinned = Pinned::new(&CLOCK)?;
    let folder = pinned.scratch.join("recordings");
    std::fs::create_dir(&folder)?;
    std::fs::copy(&pinned.set, folder.join("set.mrec"))?;
    let mirror = Witness::start(as_production)?;
    let folder = folder.display().to_string();
    let output = agent(&[
        "replay",
        &folder,
        "--target",
        &mirror.url(),
        "--speed",
        "max",
        "--json",
    ])?;
    let report: Value =
        serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
    assert_eq!(report["ledger"]["seen"], 3);
    Ok(())
}

#[needs(nothing)]
fn what_is_not_allowed_is_skipped_and_a_mirror_that_is_silent_fails() -> Result<()> {
    let pinned = Pinned::new(&CLOCK)?;
    let mirror = Witness::start(as_production)?;
    let report = pinned.json(&mirror, &[], 0)?;
    assert_eq!([&report["passed"], &report["skipped"]], [2, 1]);
    let reason = report["cases"][2]["reason"].as_str().context("a reason")?;
    assert!(reason.starts_with("filtered: method"), "{reason}");
    assert_eq!(mirror.take().len(), 2);
    let report = pinned.json(&mirror, &["--deny", "GET /**"], 4)?;
    assert_eq!(report["decision"], "hold");
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let set = pinned.set.display().to_string();
    let output = agent(&["replay", &set, "--target", &format!("http://{closed}")])?;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    Ok(())
}

/// Each answer has an id of its own.
fn with_ids(request: &Witnessed) -> (u16, &'static str, Vec<u8>) {
    static NEXT: AtomicU32 = AtomicU32::new(0x1000_0000);
    let id = NEXT.fetch_add(0x0123_4567, Relaxed);
    let body = format!(
        r#"{{"path":"{}","trace":"{id:08x}-0000-4000-8000-{id:012x}"}}"#,
        request.target
    );
    (200, "application/json", body.into())
}

#[needs(nothing)]
fn what_a_run_knows_to_vary_is_pinned_as_rules() -> Result<()> {
    let scratch = Scratch::new()?;
    let file = |name: &str| scratch.join(name).display().to_string();
    let mut capture = CaptureFile::default();
    for n in 0..60_u64 {
        let request = format!("GET /carts/{n} HTTP/1.1\r\nHost: shop\r\n\r\n");
        let body = format!(r#"{{"path":"/carts/{n}","trace":"f{n:07x}-0000-4000-8000-{n:012x}"}}"#);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let took = Duration::from_millis(2);
        capture.exchange(
            Duration::from_millis(10 * n),
            1001,
            request.as_bytes(),
            answer.as_bytes(),
            took,
        );
    }
    capture.write(&scratch.join("a.pcap"))?;
    let mirror = Witness::start(with_ids)?;
    let (from, set, report) = (file("a.pcap"), file("set.mrec"), file("report"));
    let output = agent(&[
        "replay",
        &from,
        "--target",
        &mirror.url(),
        "--speed",
        "max",
        "--quick",
        "--report",
        &report,
    ])?;
    assert!(Path::new(&report).join("noise.json").exists(), "{output:?}");
    let output = agent(&[
        "cut",
        &from,
        &set,
        "--first",
        "5",
        "--pin",
        "--pin-noise",
        &report,
        "--json",
    ])?;
    assert!(output.status.success(), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout)?;
    let rules = summary["pinned_rules"].to_string();
    assert!(rules.contains("/trace"), "{rules}");
    let output = agent(&["replay", &set, "--target", &mirror.url(), "--json"])?;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(report["passed"], 5);
    // Without them each of its requests would fail.
    let bare = file("bare.mrec");
    agent(&["cut", &from, &bare, "--first", "5", "--pin"])?;
    let output = agent(&["replay", &bare, "--target", &mirror.url()])?;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    Ok(())
}
