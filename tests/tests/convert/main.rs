//! What `convert` writes, in the hands of the programs that it is for: a shell with curl, k6, GoReplay and a browser.

mod browser;
mod pinned;
mod recordings;

use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_tests::capture_file::CaptureFile;
use mirror_tests::peers::{GOREPLAY, K6, NEWMAN};
use mirror_tests::process::{Process, Signal};
use mirror_tests::scratch::Scratch;
use mirror_tests::witness::{Witness, Witnessed};
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing, wait_until};
use serde_json::Value;

fn main() -> ExitCode {
    testing::main()
}

const LIMIT: Duration = Duration::from_secs(60);

/// All bytes, and what a shell, a script or JSON might take for its own.
fn wild_body() -> Vec<u8> {
    let mut body: Vec<u8> = (0..=255).collect();
    body.extend(b"'\"\\$(id)`id`%s%%{{target}}</script>\n-n");
    body
}

const WILD_TARGET: &str = "/search/it's?q=a%20b&r=$(id)&s=\"x\"&t={1,2}[3]";

/// Requests on two connections, with production's answers.
fn capture(path: &Path) -> Result<()> {
    let mut file = CaptureFile::default();
    let millis = Duration::from_millis;
    let mut add = |at: u64, port: u16, head: &str, body: &[u8], status: &str| {
        let request = [head.as_bytes(), b"\r\n", body].concat();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
        file.exchange(millis(at), port, &request, answer.as_bytes(), millis(5));
    };
    let search = format!(
        "GET {WILD_TARGET} HTTP/1.1\r\nHost: shop.example\r\nX-Note: it's $HOME\r\nX-Note: two\r\n\
         X-Empty:\r\nAuthorization: Bearer hunter2\r\n"
    );
    add(0, 1001, &search, b"", "200 OK");
    let body = wild_body();
    let order = format!(
        "POST /orders HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/x-wild\r\nContent-Length: {}\r\n",
        body.len()
    );
    add(20, 1001, &order, &body, "201 Created");
    let chunked = "POST /orders HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n";
    add(30, 1002, chunked, b"3\r\na=1\r\n0\r\n\r\n", "201 Created");
    add(
        40,
        1002,
        "GET /missing HTTP/1.1\r\nHost: shop.example\r\n",
        b"",
        "404 Not Found",
    );
    add(
        50,
        1002,
        "DELETE /orders/1 HTTP/1.1\r\nHost: shop.example\r\n",
        b"",
        "204 No Content",
    );
    file.write(path)
}

fn answer(request: &Witnessed) -> (u16, &'static str, Vec<u8>) {
    let status = match (&*request.method, &*request.target) {
        ("POST", _) => 201,
        (_, "/missing") => 404,
        _ => 200,
    };
    (status, "application/json", b"{}".to_vec())
}

/// What a line of requests came to, without what programs add.
fn told(witnessed: &[Witnessed]) -> Vec<(&str, &str, &[u8])> {
    let told = witnessed.iter();
    told.map(|w| (&*w.method, &*w.target, &*w.body)).collect()
}

fn agent(args: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary("mirror-agent", Profile::Debug)?);
    command.args(args).output().context("running the agent")
}

/// `convert`, and what it says it did.
fn convert(from: &Path, to: &Path, more: &[&str]) -> Result<Value> {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    let output = agent(&[&["convert", &from, &to, "--json"], more].concat())?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).context("a summary in JSON")
}

const WRITES: [&str; 2] = ["--allow", "POST /orders"];

#[needs(nothing)]
fn a_shell_sends_each_request_byte_for_byte() -> Result<()> {
    let scratch = Scratch::new()?;
    let (file, script) = (scratch.join("a.pcap"), scratch.join("a.sh"));
    capture(&file)?;
    let summary = convert(&file, &script, &WRITES)?;
    assert_eq!(summary["read"], 5);
    assert_eq!(summary["written"], 4);
    assert_eq!(summary["left_out"]["filtered: method"], 1);
    let witness = Witness::start(answer)?;
    let output = Command::new("sh")
        .arg(&script)
        .env("TARGET", witness.url())
        .output()?;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let seen = witness.take();
    let body = wild_body();
    let target = WILD_TARGET.replace('#', "%23");
    assert_eq!(
        told(&seen),
        [
            ("GET", &*target, &b""[..]),
            ("POST", "/orders", &body),
            ("POST", "/orders", b"a=1"),
            ("GET", "/missing", b""),
        ]
    );
    let fields: Vec<_> = seen[0].headers.iter().map(|(n, v)| (&**n, &**v)).collect();
    // The credential is not in the script.
    let expect = [
        ("Host", "shop.example"),
        ("X-Note", "it's $HOME"),
        ("X-Note", "two"),
        ("X-Empty", ""),
    ];
    assert_eq!(fields, expect);
    let untold = Command::new("sh")
        .arg(&script)
        .env_remove("TARGET")
        .output()?;
    assert!(
        !untold.status.success() && witness.count() == 0,
        "{untold:?}"
    );
    Ok(())
}

#[needs(k6)]
fn k6_sends_each_request_and_checks_its_status() -> Result<()> {
    let scratch = Scratch::new()?;
    let (file, script) = (scratch.join("a.pcap"), scratch.join("a.js"));
    capture(&file)?;
    let witness = Witness::start(answer)?;
    let target = ["--target", &witness.url()];
    convert(&file, &script, &[&WRITES[..], &target].concat())?;
    let run = |more: &[&str]| {
        let mut command = K6.command();
        command
            .args(["run", "--quiet", "--no-usage-report"])
            .args(more);
        command.arg(&script).output().context("running k6")
    };
    let output = run(&[])?;
    assert!(output.status.success(), "{output:?}");
    let mut seen = witness.take();
    // The order is kept on each connection.
    let places = |wanted: &str| {
        let all = seen.iter().enumerate();
        let found = all.filter(|(_, one)| one.target.starts_with(wanted));
        found.map(|(place, _)| place).collect::<Vec<_>>()
    };
    let (orders, search, missing) = (places("/orders"), places("/search"), places("/missing"));
    assert_eq!((orders.len(), search.len(), missing.len()), (2, 1, 1));
    let wild = seen.iter().position(|one| one.body == wild_body());
    assert!(wild > Some(search[0]), "{seen:?}");
    seen.retain(|one| one.body == b"a=1");
    assert_eq!(seen.len(), 1);
    let failing = Witness::start(|_| (500, "text/plain", Vec::new()))?;
    let output = run(&[
        "-e",
        &format!("TARGET={}", failing.url()),
        "-e",
        "SPEED=max",
    ])?;
    // What k6 says of thresholds that are crossed.
    assert_eq!(output.status.code(), Some(99), "{output:?}");
    assert_eq!((failing.count(), witness.count()), (4, 0));
    Ok(())
}

#[needs(newman)]
fn a_collection_sends_what_is_text_and_checks_its_status() -> Result<()> {
    let scratch = Scratch::new()?;
    let (file, collection) = (scratch.join("a.pcap"), scratch.join("a.json"));
    capture(&file)?;
    let summary = convert(&file, &collection, &WRITES)?;
    assert_eq!(summary["left_out"]["its body is not text"], 1);
    let witness = Witness::start(answer)?;
    let run = |to: &Witness| {
        let mut command = NEWMAN.command();
        command.args(["run", "--env-var", &format!("target={}", to.url())]);
        command.arg(&collection).output().context("running newman")
    };
    let output = run(&witness)?;
    assert!(output.status.success(), "{output:?}");
    let seen = witness.take();
    let first_segment = |one: &Witnessed| one.target.split('/').nth(1).map(str::to_owned);
    let paths: Vec<_> = seen.iter().filter_map(first_segment).collect();
    assert_eq!(paths, ["search", "orders", "missing"]);
    assert_eq!(seen[1].body, b"a=1");
    assert_eq!(seen[0].header("host"), Some("shop.example"));
    let failing = Witness::start(|_| (500, "text/plain", Vec::new()))?;
    assert!(!run(&failing)?.status.success());
    Ok(())
}

#[needs(goreplay)]
fn goreplay_replays_what_was_written_for_it() -> Result<()> {
    let scratch = Scratch::new()?;
    let (file, gor) = (scratch.join("a.pcap"), scratch.join("a.gor"));
    capture(&file)?;
    convert(&file, &gor, &WRITES)?;
    let witness = Witness::start(answer)?;
    let mut command = GOREPLAY.command();
    command.arg("--input-file").arg(&gor).args([
        "--output-http",
        &witness.url(),
        "--http-original-host",
    ]);
    let mut replay = Process::spawn("goreplay", command, scratch.path())?;
    wait_until("all requests", LIMIT, || witness.count() >= 4).with_context(|| replay.log())?;
    replay.kill();
    let mut seen = witness.take();
    seen.sort_by_key(|one| (one.target.clone(), one.body.len()));
    let body = wild_body();
    assert_eq!(
        told(&seen),
        [
            ("GET", "/missing", &b""[..]),
            ("POST", "/orders", b"a=1"),
            ("POST", "/orders", &body),
            ("GET", WILD_TARGET, b""),
        ]
    );
    assert!(
        seen.iter()
            .all(|one| one.header("host") == Some("shop.example"))
    );
    Ok(())
}

#[needs(root, goreplay)]
fn what_goreplay_has_written_is_read() -> Result<()> {
    let scratch = Scratch::new()?;
    let (gor, har) = (scratch.join("out.gor"), scratch.join("out.har"));
    let witness = Witness::start(answer)?;
    let mut command = GOREPLAY.command();
    command.args([
        "--input-raw",
        &witness.address().to_string(),
        "--input-raw-track-response",
        "--output-file-append",
        "--output-file",
    ]);
    command.arg(&gor);
    let mut recorder = Process::spawn("goreplay", command, scratch.path())?;
    // It says so before its socket is open, so requests are sent until the first one is in its file.
    let ask = |path: &str, more: &[&str]| {
        let url = format!("{}{path}", witness.url());
        Command::new("curl")
            .args(["-sS", "--output", "/dev/null"])
            .args(more)
            .arg(url)
            .status()
    };
    let has = |what: &str| {
        std::fs::read(&gor).is_ok_and(|file| String::from_utf8_lossy(&file).contains(what))
    };
    wait_until("its first record", LIMIT, || {
        ask("/ready", &[]).is_ok() && has("GET /ready")
    })?;
    ask("/products/17?a=b%20c", &["-H", "X-Note: one"])?;
    ask("/orders", &["-d", "a=1"])?;
    ask(
        "/orders",
        &["-H", "Transfer-Encoding: chunked", "-d", "b=22"],
    )?;
    ask("/missing", &[])?;
    // It writes when its buffer is full.
    wait_until("the last record", LIMIT, || {
        ask("/ready", &[]).is_ok() && has("HTTP/1.1 404")
    })?;
    recorder.signal(Signal::INT)?;
    recorder.wait(LIMIT)?;
    let summary = convert(&gor, &har, &WRITES)?;
    assert_eq!(summary["left_out"], serde_json::json!({}));
    let archive: Value = serde_json::from_slice(&std::fs::read(&har)?)?;
    let entries = archive["log"]["entries"].as_array().context("entries")?;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let (asked, answered) = (&entry["request"], &entry["response"]);
            let url = asked["url"].as_str().unwrap_or_default();
            let body = asked["postData"]["text"].as_str().unwrap_or_default();
            (
                url.replace(&witness.url(), ""),
                body,
                answered["status"].as_u64(),
            )
        })
        .filter(|(path, ..)| path != "/ready")
        .collect();
    let expect = [
        ("/products/17?a=b%20c", "", Some(200)),
        ("/orders", "a=1", Some(201)),
        ("/orders", "b=22", Some(201)),
        ("/missing", "", Some(404)),
    ];
    let expect = expect.map(|(path, body, status)| (path.to_owned(), body, status));
    assert_eq!(told, expect);
    Ok(())
}
