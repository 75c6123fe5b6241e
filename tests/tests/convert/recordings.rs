//! Captures as recordings, recordings as archives and files of GoReplay, and what is cut and merged: exactly so many, in order.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirror_tests::capture_file::CaptureFile;
use mirror_tests::needs;
use mirror_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::{WRITES, agent, convert};

/// Two clients, each of which logs in, looks at three products and orders; a second apart.
fn shop(path: &Path, first_port: u16, begin: u64) -> Result<()> {
    let mut file = CaptureFile::default();
    for client in 0..2 {
        let port = first_port + client;
        let mut at = Duration::from_secs(begin + u64::from(client));
        let mut add = |line: &str, body: &str, answer: &str| {
            let request = format!(
                "{line} HTTP/1.1\r\nHost: shop\r\nX-Request-Id: {port}-{}\r\nContent-Length: {}\r\n\r\n{body}",
                at.as_secs(),
                body.len()
            );
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
            file.exchange(
                at,
                port,
                request.as_bytes(),
                answer.as_bytes(),
                Duration::from_millis(5),
            );
            at += Duration::from_secs(2);
        };
        for product in 1..4 {
            let answer = match product {
                3 => r#"{"stock":7,"sale":true}"#.to_owned(),
                _ => format!(r#"{{"stock":{product}}}"#),
            };
            add(&format!("GET /products/{product}"), "", &answer);
        }
        add("POST /orders", r#"{"product":1}"#, r#"{"id":1}"#);
        add("DELETE /orders/1", "", "{}");
    }
    file.write(path)
}

fn run(args: &[&str]) -> Result<Value> {
    let output = agent(args)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).context("a summary in JSON")
}

/// The exchanges of a file, as `inspect` tells them.
fn inspect(file: &Path) -> Result<Vec<Value>> {
    let output = agent(&["inspect", &file.display().to_string(), "--format", "json"])?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

fn lines(exchanges: &[Value]) -> Vec<String> {
    let line = |one: &Value| {
        let part = |pointer: &str| one.pointer(pointer).cloned().unwrap_or_default();
        let (method, target) = (part("/request/method"), part("/request/target"));
        format!(
            "{} {}",
            method.as_str().unwrap_or("-"),
            target.as_str().unwrap_or("-")
        )
    };
    exchanges.iter().map(line).collect()
}

struct Recordings {
    scratch: Scratch,
    whole: PathBuf,
}

impl Recordings {
    fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        let (capture, whole) = (scratch.join("a.pcap"), scratch.join("a.mrec"));
        shop(&capture, 1001, 0)?;
        let summary = convert(&capture, &whole, &WRITES)?;
        assert_eq!(summary["written"], 8);
        assert_eq!(summary["left_out"], json!({ "filtered: method": 2 }));
        Ok(Self { scratch, whole })
    }

    /// What `cut` takes, and why it leaves out the rest; all of it adds up.
    fn cut(&self, args: &[&str]) -> Result<(Vec<String>, Value)> {
        let out = self.scratch.join("cut.mrec");
        let _ = std::fs::remove_file(&out);
        let (from, to) = (self.whole.display().to_string(), out.display().to_string());
        let summary = run(&[&["cut", &from, &to, "--json"], args].concat())?;
        let taken = lines(&inspect(&out)?);
        assert_eq!(summary["written"], taken.len(), "{args:?}");
        let left_out = summary["left_out"].as_object().context("left_out")?;
        let left_out: u64 = left_out.values().filter_map(Value::as_u64).sum();
        assert_eq!(summary["read"], taken.len() as u64 + left_out, "{args:?}");
        Ok((taken, summary["left_out"].clone()))
    }
}

#[needs(nothing)]
fn a_recording_becomes_what_its_capture_would_have_become() -> Result<()> {
    let recordings = Recordings::new()?;
    let file = |name: &str| recordings.scratch.join(name);
    let (archive, gor) = (file("a.har"), file("a.gor.gz"));
    // Writes are allowed anew: what is made of a recording is sent by somebody.
    let summary = convert(&recordings.whole, &file("safe.har"), &[])?;
    assert_eq!(summary["left_out"], json!({ "filtered: method": 2 }));
    convert(&recordings.whole, &archive, &WRITES)?;
    convert(&recordings.whole, &gor, &WRITES)?;
    let whole = inspect(&recordings.whole)?;
    assert_eq!(whole.len(), 8);
    let same = [
        "/captured_at",
        "/request/method",
        "/request/target",
        "/request/body_bytes",
        "/response/status",
        "/response/body_bytes",
        "/id",
    ];
    for (name, back) in [(&archive, "har.mrec"), (&gor, "gor.mrec")] {
        let back = file(back);
        convert(name, &back, &WRITES)?;
        let back = inspect(&back)?;
        assert_eq!(back.len(), whole.len());
        for (one, other) in whole.iter().zip(&back) {
            for pointer in same {
                assert_eq!(
                    one.pointer(pointer),
                    other.pointer(pointer),
                    "{name:?} {pointer}"
                );
            }
        }
    }
    // An archive says whose connection it was, too.
    let lanes = |exchanges: &[Value]| {
        exchanges
            .iter()
            .map(|one| one["connection"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(lanes(&inspect(&file("har.mrec"))?), lanes(&whole));
    Ok(())
}

#[needs(nothing)]
fn a_cut_takes_what_is_wanted_and_counts_the_rest() -> Result<()> {
    let recordings = Recordings::new()?;
    let all = lines(&inspect(&recordings.whole)?);
    let products = [
        "GET /products/1",
        "GET /products/1",
        "GET /products/2",
        "GET /products/2",
        "GET /products/3",
        "GET /products/3",
    ];
    let orders = ["POST /orders", "POST /orders"];
    assert_eq!(all, [&products[..], &orders].concat());
    let check = |args: &[&str], expect: &[&str], why: &str| -> Result<()> {
        let (taken, left_out) = recordings.cut(args)?;
        assert_eq!(taken, expect, "{args:?}");
        let reasons: Vec<_> = left_out.as_object().context("left_out")?.keys().collect();
        assert!(
            reasons.iter().any(|reason| reason.contains(why)) || why.is_empty(),
            "{reasons:?}"
        );
        Ok(())
    };
    check(&[], &[&products[..], &orders].concat(), "")?;
    check(&["--route", "POST /orders"], &orders, "no --route")?;
    check(&["--without", "GET /products/*"], &orders, "--without")?;
    check(
        &["--from", "+2s", "--until", "+4s"],
        &products[2..4],
        "another time",
    )?;
    check(
        &["--until", "2023-11-14T22:13:21Z"],
        &products[..1],
        "another time",
    )?;
    check(&["--id", "1002-3"], &["GET /products/2"], "another id")?;
    check(
        &["--first", "1"],
        &["GET /products/1", "POST /orders"],
        "enough of its route",
    )?;
    let shapes = ["GET /products/1", "GET /products/3", "POST /orders"];
    check(&["--distinct"], &shapes, "of its shape")?;
    let lane = inspect(&recordings.whole)?[0]["lane"].clone();
    let one = [
        "GET /products/1",
        "GET /products/2",
        "GET /products/3",
        "POST /orders",
    ];
    check(
        &["--session", lane.as_str().context("a lane")?],
        &one,
        "another session",
    )?;
    let by_id = recordings.cut(&["--share", "50%"])?;
    assert_eq!(
        by_id,
        recordings.cut(&["--share", "50%"])?,
        "a share is always the same"
    );
    assert!((1..8).contains(&by_id.0.len()), "{by_id:?}");
    Ok(())
}

#[needs(nothing)]
fn merged_recordings_are_in_the_order_of_time_and_have_nothing_twice() -> Result<()> {
    let scratch = Scratch::new()?;
    let file = |name: &str| scratch.join(name).display().to_string();
    shop(&scratch.join("a.pcap"), 1001, 0)?;
    shop(&scratch.join("b.pcap"), 2001, 1)?;
    let (a, b, out) = (file("a.pcap"), file("b.pcap"), file("out.mrec"));
    let summary = run(&[&["merge", &a, &b, &out, "--json"], &WRITES[..]].concat())?;
    assert_eq!(
        (&summary["read"], &summary["written"]),
        (&json!(20), &json!(16))
    );
    let times: Vec<_> = inspect(&scratch.join("out.mrec"))?
        .iter()
        .map(|one| one["captured_at"].as_u64())
        .collect();
    assert!(times.is_sorted() && times.len() == 16, "{times:?}");
    // Parts that overlap.
    let (early, late, again) = (file("early.mrec"), file("late.mrec"), file("again.mrec"));
    run(&["cut", &out, &early, "--until", "+4s", "--json"])?;
    run(&["cut", &out, &late, "--from", "+2s", "--json"])?;
    let summary = run(&["merge", &early, &late, &again, "--json"])?;
    assert_eq!(summary["written"], 16);
    let twice = summary["left_out"]["it is in several of the recordings"].as_u64();
    assert_eq!(summary["read"].as_u64(), twice.map(|twice| twice + 16));
    assert!(twice > Some(0));
    assert_eq!(
        lines(&inspect(&scratch.join("again.mrec"))?),
        lines(&inspect(&scratch.join("out.mrec"))?)
    );
    Ok(())
}

#[needs(nothing)]
fn what_is_there_is_not_written_over_and_what_fails_leaves_nothing() -> Result<()> {
    let recordings = Recordings::new()?;
    let whole = recordings.whole.display().to_string();
    let before = std::fs::read(&recordings.whole)?;
    let output = agent(&["cut", &whole, &whole])?;
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("is there already"),
        "{output:?}"
    );
    assert_eq!(std::fs::read(&recordings.whole)?, before);
    // The last block is torn: all before it is taken.
    let torn = recordings.scratch.join("torn.mrec");
    std::fs::write(&torn, &before[..before.len() - 10])?;
    let out = recordings.scratch.join("out.mrec");
    let out = out.display().to_string();
    let summary = run(&["cut", &torn.display().to_string(), &out, "--json"])?;
    assert_eq!(summary["written"], 8);
    assert!(
        summary["not_read"]["torn_bytes"].as_u64() > Some(0),
        "{summary}"
    );
    Ok(())
}

/// Of the documentation of age.
const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n";

#[needs(nothing)]
fn an_encrypted_recording_is_cut_with_its_key_and_stays_encrypted() -> Result<()> {
    let recordings = Recordings::new()?;
    let file = |name: &str| recordings.scratch.join(name);
    let (key, sealed, cut) = (file("key"), file("sealed.mrec"), file("sealed-cut.mrec"));
    std::fs::write(&key, KEY)?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
    let key = key.display().to_string();
    let with_key = ["--recording-key-file", &*key];
    convert(
        &recordings.whole,
        &sealed,
        &[&WRITES[..], &with_key].concat(),
    )?;
    let (from, to) = (sealed.display().to_string(), cut.display().to_string());
    let summary = run(&[
        &["cut", &from, &to, "--route", "POST /orders", "--json"],
        &with_key[..],
    ]
    .concat())?;
    assert_eq!(summary["written"], 2);
    for (name, exchanges) in [(&from, 8), (&to, 2)] {
        let shown = agent(&[&["inspect", name, "--format", "json"], &with_key[..]].concat())?;
        assert!(shown.status.success(), "{shown:?}");
        assert_eq!(String::from_utf8(shown.stdout)?.lines().count(), exchanges);
        let locked = agent(&["inspect", name, "--format", "json"])?;
        assert_eq!(locked.status.code(), Some(3), "{locked:?}");
        assert!(locked.stdout.is_empty());
        assert!(
            String::from_utf8_lossy(&locked.stderr).contains("encrypted"),
            "{locked:?}"
        );
    }
    Ok(())
}
