//! What is kept of a run that ends in any way: killed at random moments, on a disk that is full, in a directory that is taken away.
//!
//! `MIRROR_KILLS` is how many agents are killed, 3 unless given.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mirror_tests::agent::{Agent, Report};
use mirror_tests::capture_file::CaptureFile;
use mirror_tests::load::{Call, Load};
use mirror_tests::net::{Host, INTERFACE};
use mirror_tests::nginx::Nginx;
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Received, Server};
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing, wait_until};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(20);
/// Requests a second of the load.
const RATE: u32 = 400;

fn main() -> ExitCode {
    testing::main()
}

fn mirror_agent(args: &[&str]) -> Result<Output> {
    Command::new(binary("mirror-agent", Profile::Debug)?)
        .args(args)
        .output()
        .context("running mirror-agent")
}

fn json(args: &[&str]) -> Result<Value> {
    let output = mirror_agent(args)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.stdout.is_empty(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{args:?}"))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path in plain letters")
}

fn read(run: &Path) -> Result<Report> {
    let output = mirror_agent(&["report", text(run)?, "--json"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", run.display());
    Report::parse(&String::from_utf8(output.stdout)?)
}

/// The ledger and the outcomes' groups of what is there add up.
fn adds_up(report: &Report) {
    let ended: u64 = report.outcomes.values().sum();
    assert!(ended <= report.seen, "{:#}", report.json["ledger"]);
    for outcome in report.json["outcomes"].as_array().into_iter().flatten() {
        let groups = outcome["groups"].as_array().into_iter().flatten();
        let sum: u64 = groups.filter_map(|group| group["count"].as_u64()).sum();
        assert_eq!(outcome["count"], sum, "{outcome:#}");
    }
    let routes = report.json["routes"].as_array().into_iter().flatten();
    for route in routes {
        let trend = route["trend"].as_array().into_iter().flatten();
        let judged: u64 = trend.filter_map(|point| point["judged"].as_u64()).sum();
        assert_eq!(route["compared"], judged, "{route:#}");
    }
}

fn only_run(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    let first = entries.next().context("there is no run")??;
    ensure!(entries.next().is_none(), "there are several runs");
    Ok(first.path())
}

/// Two versions of which one answers `/3…` otherwise.
type Versions = Stage<Nginx, Nginx>;

fn versions() -> Result<Versions> {
    Stage::new()?
        .production(Nginx::answering(r#"{"price":1}"#))?
        .mirror(Nginx::answering(r#"{"price":2}"#))
}

/// More than any test waits for.
fn load(stage: &Versions) -> Result<Load> {
    let url = stage.production.url();
    let routes = ["items", "users", "carts"];
    let call = |n: usize| Call::get(format!("{url}/{}/{n}", routes[n % routes.len()]));
    let calls: Vec<Call> = (0..60_000).map(call).collect();
    Load::start(&stage.network, &calls, RATE, &stage.scratch)
}

fn seen(status: &Value) -> u64 {
    status["ledger"]["seen"].as_u64().unwrap_or(0)
}

/// A pause of some length up to a second, another one for each number.
fn pause(number: u64) {
    let mixed = number.wrapping_add(11).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    sleep(Duration::from_millis(mixed));
}

#[needs(root)]
fn a_run_can_be_read_as_it_is_at_any_moment() -> Result<()> {
    let stage = versions()?;
    let agent = stage.agent(&["--name", "shop"])?;
    let run = only_run(&stage.scratch.join("runs"))?;
    let _load = load(&stage)?;
    let copy = stage.scratch.join("copy");
    let mut last = 0;
    for moment in 0..20 {
        pause(moment);
        fs::create_dir(&copy)?;
        for file in ["run.json", "journal"] {
            fs::copy(run.join(file), copy.join(file))?;
        }
        let report = read(&copy)?;
        adds_up(&report);
        assert!(report.seen >= last, "{} after {last}", report.seen);
        let unfinished = report.json["unfinished"].as_str().context("unfinished")?;
        assert!(
            unfinished.starts_with("ended without its end at "),
            "{unfinished}"
        );
        last = report.seen;
        fs::remove_dir_all(&copy)?;
    }
    assert!(last > 0);
    let list = json(&[
        "runs",
        "--json",
        "--runs",
        text(&stage.scratch.join("runs"))?,
    ])?;
    let said = list[0]["unfinished"].as_str().context("it goes on")?;
    assert!(said.starts_with("goes on"), "{said}");
    assert_eq!(list[0]["name"], "shop");
    let finished = agent.stop()?;
    let kept = read(&run)?;
    assert_eq!(kept.json, finished.report.json);
    let example = &kept.json["differences"][0]["examples"][0];
    assert!(example["answers"].is_u64(), "{example:#}");
    let page = mirror_agent(&["report", text(&run)?, "--format", "html"])?;
    let page = String::from_utf8(page.stdout)?;
    assert_eq!(page, fs::read_to_string(run.join("report.html"))?);
    // Both answers of the first example, whole.
    assert!(
        page.contains("HTTP/1.1 200 OK"),
        "stored answers are in the page"
    );
    Ok(())
}

fn kills() -> u64 {
    let given = std::env::var("MIRROR_KILLS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// What was seen, and when.
fn watched(agent: &Agent, number: u64) -> Result<Vec<(Instant, u64)>> {
    let begin = Instant::now();
    let mut seen_at = Vec::new();
    while begin.elapsed() < Duration::from_millis(1_200 + number * 37 % 2_000) {
        let at = Instant::now();
        seen_at.push((at, seen(&agent.status()?)));
        sleep(Duration::from_millis(50));
    }
    pause(number);
    Ok(seen_at)
}

#[needs(root)]
fn what_was_counted_a_second_before_a_kill_is_kept() -> Result<()> {
    let stage = versions()?;
    let _load = load(&stage)?;
    let folder = stage.scratch.join("runs");
    let mut oldest = Duration::ZERO;
    for number in 0..kills() {
        let mut agent = stage.agent(&[])?;
        let seen_at = watched(&agent, number)?;
        agent.kill();
        let killed = Instant::now();
        drop(agent);
        let run = only_run(&folder)?;
        let report = read(&run)?;
        adds_up(&report);
        let unfinished = report.json["unfinished"].as_str().context("unfinished")?;
        assert!(
            unfinished.starts_with("ended without its end at "),
            "{unfinished}"
        );
        let lost = seen_at.iter().find(|(_, seen)| *seen > report.seen);
        let lost = lost.map_or(Duration::ZERO, |(at, _)| killed - *at);
        oldest = oldest.max(lost);
        fs::remove_dir_all(&run)?;
    }
    println!(
        "{} kills; the oldest that was lost was counted {oldest:?} before its kill",
        kills()
    );
    // It is kept each second; the rest is how long this machine takes for a look and for a kill.
    assert!(oldest < Duration::from_secs(5), "{oldest:?}");
    Ok(())
}

/// A file system of its own, which goes away with this.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(path: PathBuf, options: &str) -> Result<Self> {
        fs::create_dir(&path)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&path)
            .status()?;
        ensure!(mounted.success(), "mounting a tmpfs");
        Ok(Self(path))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn wait_kept(agent: &Agent, what: &str) -> Result<()> {
    let mut last = Value::Null;
    let told = wait_until(what, LIMIT, || {
        last = agent.status().unwrap_or(Value::Null);
        last["kept"]
            .as_str()
            .is_some_and(|kept| kept.contains(what))
    });
    told.with_context(|| format!("{:#}", last["kept"]))
}

#[needs(root)]
fn a_full_disk_ends_nothing_and_all_is_kept_when_there_is_room_again() -> Result<()> {
    let stage = versions()?;
    let small = Tmpfs::mount(stage.scratch.join("small"), "size=512k,mode=700")?;
    let folder = small.0.join("runs");
    let agent = stage.agent(&["--runs", text(&folder)?])?;
    stage.get(50)?;
    agent.wait_settled(50, LIMIT)?;
    let run = only_run(&folder)?;
    let everything = vec![7; 1 << 20];
    let full = fs::write(small.0.join("full"), &everything);
    assert!(full.is_err(), "it is small");
    stage.get(300)?;
    agent.wait_settled(350, LIMIT)?;
    wait_kept(&agent, "No space left on device")?;
    let (code, said) = agent.tell(&["status"])?;
    assert!(code == 0 && said.contains("No space left"), "{said}");
    adds_up(&read(&run)?);

    fs::remove_file(small.0.join("full"))?;
    wait_kept(&agent, "all that was counted is kept again")?;
    assert_eq!(read(&run)?.seen, 350);
    fs::write(small.0.join("full"), &everything).err();
    let finished = agent.stop()?;
    assert_eq!(finished.report.seen, 350);
    assert!(finished.report.is_balanced());
    let kept = finished.report.json["kept"].as_str().context("kept")?;
    assert!(kept.contains("the report could not be written"), "{kept}");
    assert!(
        finished.output.contains("No space left"),
        "{}",
        finished.output
    );
    // Without its report.json it is read from its journal.
    adds_up(&read(&run)?);
    assert!(!run.join("report.json").exists());
    Ok(())
}

#[needs(root)]
fn a_directory_that_is_taken_away_ends_nothing() -> Result<()> {
    let stage = versions()?;
    let agent = stage.agent(&[])?;
    let folder = stage.scratch.join("runs");
    stage.get(50)?;
    agent.wait_settled(50, LIMIT)?;
    fs::remove_dir_all(&folder)?;
    wait_kept(&agent, "its directory was removed")?;
    stage.get(50)?;
    agent.wait_settled(100, LIMIT)?;
    let finished = agent.stop()?;
    assert_eq!(finished.report.seen, 100);
    let kept = read(&only_run(&folder)?)?;
    assert_eq!(kept.json, finished.report.json);
    Ok(())
}

#[needs(root)]
fn a_folder_that_cannot_be_written_is_refused_before_anything_starts() -> Result<()> {
    let stage = versions()?;
    let fixed = Tmpfs::mount(stage.scratch.join("fixed"), "ro,mode=700")?;
    let full = Tmpfs::mount(stage.scratch.join("full"), "size=64k,mode=700")?;
    let written = fs::write(full.0.join("everything"), vec![7; 1 << 20]);
    assert!(written.is_err(), "it is small");
    for (option, path, why) in [
        ("--runs", fixed.0.clone(), "Read-only file system"),
        ("--report", fixed.0.clone(), "Read-only file system"),
        ("--runs", full.0.join("runs"), "No space left on device"),
        ("--runs", "/proc/x".into(), "No such file or directory"),
        ("--report", "/proc/x".into(), "No such file or directory"),
    ] {
        let output = stage
            .network
            .command(Host::Production, binary("mirror-agent", Profile::Debug)?)
            .args(["run", "--interface", INTERFACE, "--port", "8080"])
            .args(["--target", &stage.mirror.url()])
            .arg("--socket")
            .arg(stage.scratch.join("refused.sock"))
            .arg(option)
            .arg(&path)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why) && said.contains(option), "{said}");
    }
    let left = fs::read_dir(full.0.join("runs"))?.count();
    assert_eq!(left, 0, "half a run");
    Ok(())
}

#[needs(root)]
fn runs_of_two_agents_are_compared_merged_and_removed() -> Result<()> {
    let stage = versions()?;
    let folder = stage.scratch.join("runs");
    let places = [Scratch::new()?, Scratch::new()?];
    for (place, (name, requests)) in places.iter().zip([("first", 40), ("second", 60)]) {
        let agent = stage.agent_in(&["--name", name, "--runs", text(&folder)?], place)?;
        stage.get(requests)?;
        agent.wait_settled(requests as u64, LIMIT)?;
        agent.stop()?;
    }
    let runs = ["--runs", text(&folder)?];
    let merged = ["report", "--merge", "first", "second", "--json"];
    let merged = json(&[&merged[..], &runs].concat())?;
    assert_eq!(merged["ledger"]["seen"], 100, "{:#}", merged["ledger"]);
    assert_eq!(merged["differences"][0]["count"], 100);
    assert_eq!(merged["name"], "first + second");
    let exit = mirror_agent(&[&["report", "--merge", "first", "second"][..], &runs].concat())?;
    assert_eq!(exit.status.code(), Some(1), "{exit:?}");
    let compared = ["report", "--compare", "first", "second", "--json"];
    let compared = json(&[&compared[..], &runs].concat())?;
    let same = &compared["same"][0];
    assert_eq!(
        (&same["a"]["count"], &same["b"]["count"]),
        (&40.into(), &60.into())
    );
    let removed = mirror_agent(&[&["runs", "rm", "--keep", "1"][..], &runs].concat())?;
    assert!(removed.status.success(), "{removed:?}");
    assert!(text(&only_run(&folder)?)?.ends_with("-second"));
    Ok(())
}

/// The run of a capture file of which a mirror answers one request otherwise; then the mirror is mended.
#[needs(nothing)]
fn a_difference_can_be_seen_again_until_it_is_mended() -> Result<()> {
    let scratch = Scratch::new()?;
    let (file, runs) = (scratch.join("traffic.pcap"), scratch.join("runs"));
    let mut captured = CaptureFile::default();
    let request =
        b"GET /price/7?cur=EUR HTTP/1.1\r\nHost: shop\r\nAccept: application/json\r\n\r\n";
    let answer = wire::answer("200 OK", r#"{"price":1,"cur":"EUR"}"#);
    captured.exchange(
        Duration::ZERO,
        4000,
        request,
        &answer,
        Duration::from_millis(5),
    );
    captured.write(&file)?;
    let price = Arc::new(AtomicU32::new(2));
    let asked = Arc::clone(&price);
    let mirror = Server::on(TcpListener::bind("127.0.0.1:0")?, move |_: &Received| {
        // Long enough for a program that does not wait.
        sleep(Duration::from_millis(100));
        let price = asked.load(Relaxed);
        wire::answer("200 OK", &format!(r#"{{"price":{price},"cur":"EUR"}}"#))
    })?;
    let (runs, url) = (text(&runs)?, mirror.url());
    let replay = ["replay", text(&file)?, "--target", &url, "--runs", runs];
    mirror_agent(&replay)?;
    let reproduce = |more: &[&str]| -> Result<(Option<i32>, String)> {
        let args = [&["reproduce", "last"], more, &["--runs", runs]].concat();
        let output = mirror_agent(&args)?;
        let printed = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8(printed)?))
    };
    let (_, list) = reproduce(&[])?;
    assert!(
        list.contains("GET /price/{id} body /price (value)"),
        "{list}"
    );
    let group = json(&["reproduce", "last", "1", "--json", "--runs", runs])?;
    assert_eq!(group["example"]["production"], "1", "{group:#}");
    let candidate = group["candidate"].as_str().context("a command")?;
    assert!(
        candidate.contains(&format!("'{url}/price/7?cur=EUR'")),
        "{candidate}"
    );
    assert!(
        candidate.contains("-H 'Accept: application/json'"),
        "{candidate}"
    );
    assert!(
        group["production"]
            .as_str()
            .is_some_and(|c| c.contains("'http://shop/price/7"))
    );
    let (code, differs) = reproduce(&["1", "--send"])?;
    assert_eq!(code, Some(1), "{differs}");
    assert!(
        differs.contains("  body /price (value)\n    - 1\n    + 2\n"),
        "{differs}"
    );
    price.store(1, Relaxed);
    let (code, mended) = reproduce(&["1", "--send"])?;
    assert_eq!(code, Some(0), "{mended}");
    assert!(
        mended.contains("the answer is as production's was"),
        "{mended}"
    );
    let (code, none) = reproduce(&["9"])?;
    assert!(
        code == Some(2) && none.contains("there is no group 9"),
        "{none}"
    );
    Ok(())
}
