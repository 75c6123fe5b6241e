//! What a report says: why each request was not compared, what was compared of answers that are not whole, and who may write where
//! it goes.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_tests::net::{Host, INTERFACE};
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Answering, Received, Server};
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(20);
/// Another user than any that runs tests.
const STRANGER: u32 = 54_321;

fn main() -> ExitCode {
    testing::main()
}

fn ask(stage: &Stage<Server, Server>, line: &str) -> Result<()> {
    let request = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let address = stage.production.address();
    wire::send(&stage.network, address, request.as_bytes())?;
    Ok(())
}

/// The details of an outcome in a report, or in a status.
fn outcome<'a>(json: &'a Value, name: &str) -> Result<&'a Value> {
    let outcomes = json["outcomes"].as_array().context("outcomes")?;
    let found = outcomes.iter().find(|outcome| outcome["outcome"] == name);
    found.with_context(|| format!("no {name}: {json:#}"))
}

#[needs(root)]
fn every_request_that_was_not_compared_has_its_reason_everywhere() -> Result<()> {
    let mirror = |request: &Received| match request.line() {
        // A space before the colon (RFC 9112 §5.1).
        line if line.starts_with(b"GET /broken/") => {
            b"HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        line if line.starts_with(b"GET /large") => wire::answer("500 Oops", &"z".repeat(2 << 20)),
        _ => wire::answer("200 OK", "ok"),
    };
    let stage = Stage::new()?
        .production(Answering(|_: &Received| wire::answer("200 OK", "ok")))?
        .mirror(Answering(mirror))?;
    let agent = stage.agent(&[])?;
    for line in [
        "GET /broken/1",
        "GET /broken/2",
        "POST /orders",
        "GET /large",
    ] {
        ask(&stage, line)?;
    }
    let status = agent.wait_settled(4, LIMIT)?;
    let directory = agent.report_dir().to_owned();
    let finished = agent.stop()?;
    let report = &finished.report.json;

    for json in [&status, report] {
        let failed = &outcome(json, "replay: failed")?["groups"][0];
        assert_eq!(failed["route"], "GET /broken/{id}", "{failed:#}");
        assert_eq!(failed["count"], 2, "{failed:#}");
        // Whichever ended first.
        let example = failed["examples"][0]["request"].as_str();
        assert!(
            matches!(example, Some("GET /broken/1" | "GET /broken/2")),
            "{example:?}"
        );
        let reason = failed["reason"].as_str().context("a reason")?;
        assert!(reason.contains("not a header field"), "{reason}");
        let filtered = &outcome(json, "filtered: method")?["groups"][0];
        assert_eq!(filtered["examples"][0]["request"], "POST /orders");
    }
    // A body over the cap is known by its digest.
    let places = finished.report.differences.iter();
    let places: Vec<_> = places
        .map(|d| (d.route.as_str(), d.place.as_str()))
        .collect();
    assert_eq!(
        places,
        [("GET /large", "status"), ("GET /large", "body")],
        "{report:#}"
    );
    assert_eq!(finished.exit, 1, "{}", finished.output);
    let page = fs::read_to_string(directory.join("report.html"))?;
    for text in [&finished.output, &page] {
        for part in [
            "not a header field",
            "GET /broken/{id}",
            "POST /orders",
            "--max-body",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
    Ok(())
}

#[needs(root)]
fn a_run_that_compared_nothing_is_on_hold() -> Result<()> {
    let ok = Answering(|_: &Received| wire::answer("200 OK", "ok"));
    let stage = Stage::new()?.production(ok)?.mirror(ok)?;
    let agent = stage.agent(&[])?;
    ask(&stage, "POST /orders")?;
    agent.wait_settled(1, LIMIT)?;
    let finished = agent.stop()?;
    assert_eq!(finished.exit, 4, "{}", finished.output);
    assert!(
        finished.output.contains("HOLD: nothing was compared"),
        "{}",
        finished.output
    );
    assert_eq!(finished.report.json["verdict"]["decision"], "hold");
    Ok(())
}

#[needs(root)]
fn a_report_is_not_written_where_another_user_may_write() -> Result<()> {
    let ok = Answering(|_: &Received| wire::answer("200 OK", "ok"));
    let stage = Stage::new()?.production(ok)?.mirror(ok)?;
    let (theirs, victim) = (stage.scratch.join("theirs"), stage.scratch.join("victim"));
    fs::create_dir(&theirs)?;
    fs::write(&victim, "untouched")?;
    symlink(&victim, theirs.join(".report.json.new"))?;
    chown(&theirs, Some(STRANGER), None)?;
    let open = stage.scratch.join("open");
    fs::create_dir(&open)?;
    fs::set_permissions(&open, Permissions::from_mode(0o777))?;
    for (directory, why) in [
        (&theirs, "belongs to user 54321"),
        (&open, "others may write"),
    ] {
        let output = stage
            .network
            .command(Host::Production, binary("mirror-agent", Profile::Debug)?)
            .args(["run", "--interface", INTERFACE, "--port", "8080"])
            .args(["--target", &stage.mirror.url()])
            .arg("--socket")
            .arg(stage.scratch.join("refused.sock"))
            .arg("--report")
            .arg(directory)
            .output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(why) && text.contains("--report"), "{text}");
    }
    assert_eq!(fs::read_to_string(&victim)?, "untouched");
    Ok(())
}

/// A few kilobytes that are 16 MB of JSON, with millions of values: as a tree they would take gigabytes.
fn bomb(last: &str) -> Result<Vec<u8>> {
    let mut json = "[".to_owned();
    json.push_str(&"[],".repeat((16 << 20) / 3 - 10));
    json.push_str(last);
    json.push(']');
    let mut gzip = Command::new("gzip")
        .arg("-9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting gzip")?;
    let mut into = gzip.stdin.take().context("gzip's standard input")?;
    let writing = std::thread::spawn(move || into.write_all(json.as_bytes()));
    let output = gzip.wait_with_output()?;
    ensure!(output.status.success(), "gzip failed");
    writing.join().expect("the writer does not panic")?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        output.stdout.len()
    );
    Ok([head.as_bytes(), &output.stdout].concat())
}

/// Kilobytes.
fn peak_memory(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("VmHWM")?.parse()?)
}

#[needs(root)]
fn answers_that_decode_to_millions_of_values_do_not_fill_the_memory() -> Result<()> {
    const MOST_KB: u64 = 400 << 10;
    let (ours, theirs) = (bomb("1")?, bomb("2")?);
    assert!(ours.len() < 32 << 10, "{} bytes", ours.len());
    let stage = Stage::new()?
        .production(Answering(move |_: &Received| ours.clone()))?
        .mirror(Answering(move |_: &Received| theirs.clone()))?;
    let agent = stage.agent(&[])?;
    std::thread::scope(|scope| -> Result<()> {
        let asking: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn({
                    let stage = &stage;
                    move || ask(stage, &format!("GET /{n}"))
                })
            })
            .collect();
        for one in asking {
            one.join().expect("the client does not panic")?;
        }
        Ok(())
    })?;
    agent.wait_settled(8, Duration::from_secs(120))?;
    let peak = peak_memory(agent.id())?;
    let report = agent.stop()?.report;
    assert_eq!(report.outcome("differed"), 8, "{:#}", report.json);
    let route = &report.json["routes"][0];
    assert_eq!(
        (&route["compared"], &route["streamed"]),
        (&8.into(), &8.into())
    );
    assert!(peak < MOST_KB, "{peak} KB at most");
    println!("peak memory: {peak} KB");
    Ok(())
}
