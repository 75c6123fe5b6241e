//! Recordings: what is captured now and replayed later comes to the verdict of live mirroring.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::agent::Report;
use mirror_tests::load::{Call, orders_mix};
use mirror_tests::net::{Host, INTERFACE, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::orders::{Options, PLANTED};
use mirror_tests::process::{Process, Signal};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::{PRODUCTION_PORT, Stage};
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing};
use serde_json::Value;

fn main() -> ExitCode {
    testing::main()
}

const BODY: &str = r#"{"hello":"world"}"#;
const REQUESTS: usize = 120;
const LIMIT: Duration = Duration::from_secs(60);

/// A running `mirror-agent record` on production's interface.
struct Recorder(Process);

impl Recorder {
    fn start(network: &Network, scratch: &Scratch, to: &Path, args: &[&str]) -> Result<Self> {
        let mut command =
            network.command(Host::Production, binary("mirror-agent", Profile::Debug)?);
        command
            .args(["record", "--interface", INTERFACE, "--json"])
            .args(["--port", &PRODUCTION_PORT.to_string()])
            .args(["--max-cpu-when-busy", "100%"])
            .arg("--socket")
            .arg(scratch.join("record.sock"))
            .args(args)
            .arg(to);
        let mut process = Process::spawn("record", command, scratch.path())?;
        process.wait_ready("attached capture", LIMIT, |process| {
            process.log().contains("recording port")
        })?;
        Ok(Self(process))
    }

    /// Ends it as Ctrl-C does. Its exit code, and what it printed as JSON.
    fn end(mut self) -> Result<(Option<i32>, Value)> {
        self.0.signal(Signal::INT)?;
        let status = self.0.wait(LIMIT)?;
        let log = self.0.log();
        let json = log.find("\n{").map_or(log.as_str(), |at| &log[at..]);
        let report = serde_json::from_str(json).with_context(|| log.clone())?;
        Ok((status.code(), report))
    }
}

fn agent(args: &[&str], paths: &[&Path]) -> Result<Output> {
    let mut command = Command::new(binary("mirror-agent", Profile::Debug)?);
    let output = command.args(args).args(paths).output();
    output.context("running mirror-agent")
}

fn json(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Replays on the mirror's host, and returns the exit code with the report.
fn replay(
    network: &Network,
    scratch: &Scratch,
    recording: &Path,
    target: &str,
    args: &[&str],
) -> Result<(i32, Report)> {
    let mut command = network.command(Host::Production, binary("mirror-agent", Profile::Debug)?);
    command
        .arg("replay")
        .arg(recording)
        .args(["--target", target, "--json", "--quick", "--no-repeats"])
        .args(["--runs", "none", "--speed", "max"])
        .arg("--report")
        .arg(scratch.join("replayed"))
        .args(args);
    let output = command.output().context("running the replay")?;
    let code = output.status.code().context("it was ended by a signal")?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = Report::read(&scratch.join("replayed/report.json")).context(log)?;
    Ok((code, report))
}

fn count(report: &Value, outcome: &str) -> u64 {
    report["ledger"]["outcomes"][outcome].as_u64().unwrap_or(0)
}

/// Records to `name`, a file or a directory.
fn mirrored(name: &str, body: &str, expect: &str) -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering(BODY))?
        .mirror(Nginx::answering(body))?;
    let recording = stage.scratch.join(name);
    let live = stage.agent(&[])?;
    let recorder = Recorder::start(&stage.network, &stage.scratch, &recording, &[])?;
    stage.get(200)?;
    let live = live.stop()?;
    let (exit, recorded) = recorder.end()?;
    assert_eq!(exit, Some(0), "{recorded:#}");
    assert_eq!(count(&recorded, "recorded"), 200, "{recorded:#}");
    assert_eq!(recorded["ledger"]["seen"], 200, "{recorded:#}");

    let checked = agent(&["verify", "--json"], &[&recording])?;
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    assert_eq!(json(&checked)?[0]["exchanges"], 200);
    let (code, report) = replay(
        &stage.network,
        &stage.scratch,
        &recording,
        &stage.mirror.url(),
        &[],
    )?;
    assert_eq!(report.seen, 200, "{:#}", report.json);
    assert!(report.is_balanced(), "{:#}", report.json);
    assert_eq!(
        report.json["verdict"]["decision"], expect,
        "{:#}",
        report.json
    );
    assert_eq!(live.decision()?, expect, "{:#}", live.report.json);
    assert_eq!(code, live.exit);
    assert_eq!(report.outcome("matched"), live.report.outcome("matched"));
    Ok(())
}

#[needs(root)]
fn a_recording_of_an_equal_version_passes_as_live_mirroring_does() -> Result<()> {
    mirrored("afternoon.mrec", BODY, "pass")
}

#[needs(root)]
fn a_recording_of_another_version_fails_as_live_mirroring_does() -> Result<()> {
    mirrored("afternoon", r#"{"hello":"moon"}"#, "fail")
}

/// Production's snapshots are gone when the recording is replayed, and its data has moved on.
#[needs(root)]
fn a_recording_with_snapshots_is_replayed_when_they_are_gone() -> Result<()> {
    let stage = Stage::new()?
        .redis()?
        .production(Options::production())?
        .mirror(Options {
            api_version: 2,
            ..Options::mirror()
        })?;
    let key = key_file(&stage.scratch)?;
    let key = key.to_str().context("a path")?;
    let rules = ["--rule", "header:x-request-id", "--allow", "POST /orders"];
    let url = Redis::url();
    let recording = stage.scratch.join("with.mrec");
    let plain = stage.scratch.join("without.mrec");
    let with = [
        "--with-snapshots",
        "--redis",
        &url,
        "--recording-key-file",
        key,
    ];
    let recorder = Recorder::start(
        &stage.network,
        &stage.scratch,
        &recording,
        &[&rules[..], &with].concat(),
    )?;
    let other = Scratch::new()?;
    let without = Recorder::start(&stage.network, &other, &plain, &rules)?;
    stage.send(&orders_mix(&stage.production.url(), REQUESTS, "e2e"), 60)?;
    let (exit, recorded) = recorder.end()?;
    assert_eq!(exit, Some(0), "{recorded:#}");
    assert_eq!(
        count(&recorded, "recorded"),
        REQUESTS as u64,
        "{recorded:#}"
    );
    without.end()?;
    Redis::ask(&stage.network, 6379, &["FLUSHALL"])?;

    // What is in it cannot be seen without the key, nor replayed.
    let info = json(&agent(&["info", "--json"], &[&recording])?)?;
    assert_eq!(info[0]["encrypted"], true, "{info:#}");
    assert_eq!(info[0]["metadata"]["with_snapshots"], true, "{info:#}");
    let bytes = std::fs::read(&recording).context("reading the recording")?;
    assert!(!String::from_utf8_lossy(&bytes).contains("productId"));

    let run = |recording: &Path, args: &[&str]| {
        let args = [&rules[..], &["--redis", &url], args].concat();
        replay(
            &stage.network,
            &stage.scratch,
            recording,
            &stage.mirror.url(),
            &args,
        )
    };
    let (code, report) = run(&recording, &["--recording-key-file", key])?;
    assert_eq!(report.seen, REQUESTS as u64);
    assert_eq!(
        report.outcome("matched") + report.outcome("differed"),
        report.seen,
        "{:#}",
        report.json
    );
    for difference in &report.differences {
        assert_eq!(
            (difference.route.as_str(), difference.place.as_str()),
            (PLANTED.route, PLANTED.place)
        );
    }
    assert_eq!(code, 1, "{:#}", report.json);

    // Without them, the gate says so.
    let (_, report) = run(&plain, &["--snapshot-wait", "100ms"])?;
    let missing = report.outcome("snapshot: missing") + report.outcome("snapshot: expired");
    assert_eq!(missing, REQUESTS as u64, "{:#}", report.json);
    // What was allowed when it was recorded is not sent unless it is allowed now.
    let (_, report) = replay(
        &stage.network,
        &stage.scratch,
        &plain,
        &stage.mirror.url(),
        &["--deny", "GET /**"],
    )?;
    assert_eq!(
        report.outcome("filtered: method"),
        REQUESTS as u64 / 4,
        "{:#}",
        report.json
    );
    Ok(())
}

/// A key of age, made for this test: AGE-SECRET-KEY-1 and 58 characters.
fn key_file(scratch: &Scratch) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    const KEY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let path = scratch.join("age.key");
    std::fs::write(&path, KEY).context("writing a key")?;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, mode).context("making the key private")?;
    Ok(path)
}

#[needs(root)]
fn what_the_disk_does_not_take_is_counted_and_production_is_served() -> Result<()> {
    let stage = Stage::new()?.production(Nginx::answering(BODY))?;
    let disk = Disk::mount(&stage.scratch, "512k")?;
    let recording = disk.0.join("full.mrec");
    let recorder = Recorder::start(&stage.network, &stage.scratch, &recording, &[])?;
    let mut random = 7_u64;
    let calls: Vec<Call> = (0..600)
        .map(|n| {
            let mut header = format!("x-noise: {n}-");
            for _ in 0..150 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                header += &format!("{random:x}");
            }
            Call::get(format!("{}/{n}", stage.production.url())).header(header)
        })
        .collect();
    stage.send(&calls, 300)?;
    let (exit, report) = recorder.end()?;
    let (recorded, lost) = (
        count(&report, "recorded"),
        count(&report, "lost: not written"),
    );
    assert_eq!(exit, Some(3), "{report:#}");
    assert_eq!(recorded + lost, 600, "{report:#}");
    assert!(recorded > 0 && lost > 0, "{report:#}");
    let lost = report["outcomes"].as_array().into_iter().flatten();
    let mut lost = lost.filter(|outcome| outcome["outcome"] == "lost: not written");
    let reason = lost
        .next()
        .map(|outcome| outcome["groups"][0]["reason"].to_string());
    assert!(
        reason.is_some_and(|reason| reason.contains("No space")),
        "{report:#}"
    );
    let checked = agent(&["verify", "--json"], &[&recording])?;
    assert_eq!(json(&checked)?[0]["exchanges"], recorded, "{checked:?}");
    Ok(())
}

/// A writer that is killed at the very beginning leaves a file with nothing in it.
#[needs(nothing)]
fn a_file_that_was_only_begun_is_told_to_be_torn() -> Result<()> {
    let scratch = Scratch::new()?;
    let path = scratch.join("begun.mrec");
    for begun in [&b""[..], b"\x89MREC\r\n"] {
        std::fs::write(&path, begun).context("writing a file")?;
        let checked = agent(&["verify", "--json"], &[&path])?;
        assert_eq!(checked.status.code(), Some(3), "{checked:?}");
        let told = json(&checked)?;
        assert_eq!(told[0]["ends"], "torn", "{told:#}");
        assert_eq!(told[0]["torn_bytes"], begun.len(), "{told:#}");
    }
    std::fs::write(&path, "GET / HTTP/1.1").context("writing a file")?;
    let checked = agent(&["verify"], &[&path])?;
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    Ok(())
}

/// A small disk of its own.
struct Disk(PathBuf);

impl Disk {
    fn mount(scratch: &Scratch, size: &str) -> Result<Self> {
        let path = scratch.join("disk");
        std::fs::create_dir(&path).context("making a place for a disk")?;
        let status = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=700"),
                "tmpfs",
            ])
            .arg(&path)
            .status()
            .context("mounting a disk")?;
        anyhow::ensure!(status.success(), "mounting a disk: {status}");
        Ok(Self(path))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[needs(root)]
fn a_run_that_keeps_is_looked_back_at() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering(BODY))?
        .mirror(Nginx::answering(BODY))?;
    let kept = stage.scratch.join("kept");
    let kept_text = kept.to_str().context("a path")?;
    let run = stage.agent(&["--keep", "10m", "--keep-in", kept_text])?;
    stage.get(100)?;
    run.wait_settled(100, LIMIT)?;
    // What was captured is on the disk after a second.
    std::thread::sleep(Duration::from_secs(3));
    let back = stage.scratch.join("back.mrec");
    let args = ["record", "--json", "--keep", "10m", "--keep-in", kept_text];
    let taken = agent(&[&args[..], &["--since", "5m"]].concat(), &[&back])?;
    assert_eq!(json(&taken)?["exchanges"], 100, "{taken:?}");
    let some = stage.scratch.join("some.mrec");
    let routes = ["--since", "5m", "--route", "GET /1*"];
    let taken = agent(&[&args[..], &routes].concat(), &[&some])?;
    // 1 and 10 to 19.
    assert_eq!(json(&taken)?["exchanges"], 11, "{taken:?}");
    assert_eq!(json(&taken)?["looked_at"], 100, "{taken:?}");
    run.stop()?;
    Ok(())
}
