//! What is sent when: the order of a connection and of a session, pauses, a mirror in trouble, and the time of a capture file.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use mirror_tests::agent::Report;
use mirror_tests::capture_file::CaptureFile;
use mirror_tests::load::Call;
use mirror_tests::net::{Host, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::scratch::Scratch;
use mirror_tests::stage::{Actor, MIRROR_PORT, Stage};
use mirror_tests::wire::{self, Answering, Received};
use mirror_tests::workspace::{Profile, binary};
use mirror_tests::{needs, testing, wait_until};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    testing::main()
}

/// Answers `ok`.
fn fine(_: &Received) -> Vec<u8> {
    wire::answer("200 OK", "ok")
}

/// A register: PUT sets it, GET answers with it. A PUT takes `time`, in which what does not keep the order overtakes it.
fn register(time: Duration) -> Answering<impl Fn(&Received) -> Vec<u8> + Clone> {
    let value = Arc::new(Mutex::new(String::from("none")));
    Answering(move |request: &Received| {
        if request.line().starts_with(b"PUT") {
            sleep(time);
            *value.lock().unwrap() = String::from_utf8_lossy(&request.body).into_owned();
        }
        wire::answer("200 OK", &value.lock().unwrap())
    })
}

/// A client's connection, on which a request is sent when the one before it was answered.
struct Client(TcpStream);

impl Client {
    fn connect(network: &Network, to: SocketAddr) -> Result<Self> {
        network.on(Host::Client, || {
            let stream = TcpStream::connect_timeout(&to, LIMIT)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_nodelay(true)?;
            Ok(Self(stream))
        })
    }

    fn send(&mut self, line: &str, headers: &str, body: &str) -> Result<()> {
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: shop\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while !is_whole(&answer) {
            let read = self.0.read(&mut part)?;
            anyhow::ensure!(read > 0, "production closed the connection");
            answer.extend_from_slice(&part[..read]);
        }
        Ok(())
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    length.is_some_and(|length| length.parse() == Ok(body.len()))
}

#[needs(root)]
fn a_put_is_never_overtaken_by_the_get_after_it() -> Result<()> {
    const PAIRS: usize = 1000;
    let stage = Stage::new()?
        .production(register(Duration::ZERO))?
        .mirror(register(Duration::from_millis(1)))?;
    let agent = stage.agent(&["--allow", "PUT /register", "--allow-unsnapshotted-writes"])?;
    let mut client = Client::connect(&stage.network, stage.production.address())?;
    for n in 0..PAIRS {
        client.send("PUT /register", "", &n.to_string())?;
        client.send(&format!("GET /register?{n}"), "", "")?;
    }
    agent.wait_settled(2 * PAIRS as u64, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(
        report.outcome("matched"),
        2 * PAIRS as u64,
        "{:#}",
        report.json
    );
    assert!(report.is_balanced(), "{:#}", report.json);
    assert_eq!(stage.mirror.lines(), stage.production.lines());
    Ok(())
}

/// Each request of the session comes on a connection of its own.
#[needs(root)]
fn a_session_keeps_its_order_over_its_connections() -> Result<()> {
    const PAIRS: usize = 100;
    let stage = Stage::new()?
        .production(register(Duration::ZERO))?
        .mirror(register(Duration::from_millis(20)))?;
    let order = [
        "--order",
        "session:cookie:sid",
        "--allow",
        "PUT /register",
        "--allow-unsnapshotted-writes",
    ];
    let agent = stage.agent(&order)?;
    for n in 0..PAIRS {
        for line in ["PUT /register".into(), format!("GET /register?{n}")] {
            let mut client = Client::connect(&stage.network, stage.production.address())?;
            client.send(&line, "Cookie: a=b; sid=7\r\n", &n.to_string())?;
        }
    }
    agent.wait_settled(2 * PAIRS as u64, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(
        report.outcome("matched"),
        2 * PAIRS as u64,
        "{:#}",
        report.json
    );
    // The cookie is a secret: it made the lane and never came to the mirror.
    let received = stage.mirror.received();
    assert!(
        received
            .iter()
            .all(|request| request.header("cookie").is_none())
    );
    assert_eq!(stage.mirror.lines(), stage.production.lines());
    Ok(())
}

/// Every other request waits half a second for a snapshot that never comes. All of them wait at once: a lane is held up for as long
/// as one of them, and not for their sum.
#[needs(root)]
fn a_request_that_waits_for_its_data_is_not_overtaken() -> Result<()> {
    const PAIRS: u64 = 30;
    let stage = Stage::new()?
        .redis()?
        .production(Answering(fine))?
        .mirror(Answering(fine))?;
    let agent = stage.agent(&["--snapshot-wait", "500ms", "--on-missing", "replay"])?;
    let mut client = Client::connect(&stage.network, stage.production.address())?;
    for n in 0..PAIRS {
        let id = format!("X-Request-Id: wait-{n}\r\n");
        client.send(&format!("GET /{n}/waits"), &id, "")?;
        client.send(&format!("GET /{n}/goes"), "", "")?;
    }
    let sent = Instant::now();
    agent.wait_settled(2 * PAIRS, LIMIT)?;
    let took = sent.elapsed();
    let report = agent.stop()?.report;
    let outcome = "matched without snapshot";
    assert_eq!(report.outcome(outcome), 2 * PAIRS, "{:#}", report.json);
    assert_eq!(stage.mirror.lines(), stage.production.lines());
    assert!(took < Duration::from_secs(10), "{took:?}");
    Ok(())
}

#[needs(root)]
fn what_comes_in_a_pause_is_not_replayed_and_is_counted() -> Result<()> {
    let stage = Stage::new()?
        .production(Answering(fine))?
        .mirror(Answering(fine))?;
    let agent = stage.agent(&[])?;
    let good = |order: &str| -> Result<String> {
        let (code, text) = agent.tell(&[order])?;
        assert_eq!(code, 0, "{order}: {text}");
        Ok(text)
    };
    stage.get(20)?;
    agent.wait_settled(20, LIMIT)?;
    assert!(good("pause")?.contains("mirror-agent resume"));
    stage.get(30)?;
    let status = agent.wait_settled(50, LIMIT)?;
    assert_eq!(status["schedule"]["paused"], true, "{status:#}");
    assert!(good("status")?.contains("paused"));
    good("resume")?;
    stage.get(40)?;
    agent.wait_settled(90, LIMIT)?;
    let report = agent.stop()?.report;
    assert_eq!(report.seen, 90, "capture goes on: {:#}", report.json);
    assert_eq!(report.outcome("filtered: paused"), 30, "{:#}", report.json);
    assert_eq!(report.outcome("matched"), 60, "{:#}", report.json);
    assert_eq!(stage.mirror.lines().len(), 60);
    Ok(())
}

#[needs(root)]
fn what_comes_outside_of_the_schedule_is_filtered() -> Result<()> {
    let stage = Stage::new()?
        .production(Answering(fine))?
        .mirror(Answering(fine))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let hour = |later: u64| (now / 3600 + later) % 24;
    // From an hour before to two after; from three after to four after.
    let (open, closed) = (
        format!("{:02}:00-{:02}:00 UTC", hour(23), hour(2)),
        format!("{:02}:00-{:02}:00 UTC", hour(3), hour(4)),
    );
    for (window, outcome) in [(open, "matched"), (closed, "filtered: schedule")] {
        let agent = stage.agent(&["--schedule", &window])?;
        stage.get(20)?;
        agent.wait_settled(20, LIMIT)?;
        let report = agent.stop()?.report;
        assert_eq!(report.outcome(outcome), 20, "{window}: {:#}", report.json);
    }
    Ok(())
}

#[needs(root)]
fn a_run_ends_with_its_verdict_after_so_many_requests() -> Result<()> {
    let stage = Stage::new()?
        .production(Answering(fine))?
        .mirror(Answering(fine))?;
    let mut agent = stage.agent(&["--requests", "25"])?;
    stage.get(40)?;
    wait_until("the end of the run", LIMIT, || !agent.is_running())?;
    let report = Report::read(&agent.report_dir().join("report.json"))?;
    assert!(report.is_balanced(), "{:#}", report.json);
    assert_eq!(report.outcome("matched"), 25, "{:#}", report.json);
    assert_eq!(report.json["verdict"]["decision"], "pass");
    assert_eq!(stage.mirror.lines().len(), 25);
    Ok(())
}

/// The mirror goes away and comes back: meanwhile it is left alone, but for one request now and then.
#[needs(root)]
fn a_mirror_that_is_gone_is_left_alone_until_it_is_back() -> Result<()> {
    let mut stage = Stage::new()?
        .production(Answering(fine))?
        .mirror(Nginx::answering("ok"))?;
    let agent = stage.agent(&["--breaker-failures", "5", "--breaker-pause", "500ms"])?;
    stage.mirror.kill();
    stage.get(200)?;
    let status = agent.wait_settled(200, LIMIT)?;
    let count = |status: &Value, outcome: &str| {
        let outcomes = &status["ledger"]["outcomes"];
        outcomes[outcome].as_u64().unwrap_or_default()
    };
    let failed = count(&status, "replay: connect failed");
    // Five until it opens, and one each half second of the 0.4 s that the load takes, and longer where the machine is busy.
    assert!((5..100).contains(&failed), "{status:#}");
    assert_eq!(count(&status, "shed: breaker"), 200 - failed, "{status:#}");
    assert_ne!(
        status["schedule"]["breakers"][0]["state"], "closed",
        "{status:#}"
    );
    let reason = &status["schedule"]["breakers"][0]["reason"];
    assert!(
        reason.as_str().is_some_and(|why| why.contains("5 times")),
        "{reason}"
    );

    let network = &stage.network;
    let _back = Nginx::start(network, Host::Mirror, MIRROR_PORT, "ok", &Scratch::new()?)?;
    let mut sent = 200;
    wait_until("a closed breaker", LIMIT, || {
        sent += 1;
        let settled = stage.get(1).and_then(|()| agent.wait_settled(sent, LIMIT));
        settled.is_ok_and(|status| status["schedule"]["breakers"][0]["state"] == "closed")
    })?;
    stage.get(50)?;
    let report = agent.stop()?.report;
    assert!(report.is_balanced(), "{:#}", report.json);
    assert_eq!(report.seen, sent + 50);
    // The body is the same, and so is all that is compared of the heads.
    let compared = report.outcome("matched") + report.outcome("differed");
    assert!(compared > 50, "{:#}", report.json);
    Ok(())
}

/// While the mirror stands still, what is held for it stays bounded.
#[needs(root)]
fn memory_stays_flat_while_the_mirror_stands_still() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let timeouts = ["--replay-timeout", "500ms", "--breaker-failures", "5"];
    let agent = stage.agent(&timeouts)?;
    let load = |requests: usize| {
        let call = |n| Call::get(format!("{}/{n}", stage.production.url()));
        stage.send(&(0..requests).map(call).collect::<Vec<_>>(), 1000)
    };
    load(3000)?;
    let before = resident_kib(agent.id())?;
    stage.mirror.freeze()?;
    load(6000)?;
    let after = resident_kib(agent.id())?;
    let report = agent.stop()?.report;
    assert!(report.is_balanced(), "{:#}", report.json);
    assert!(report.outcome("shed: breaker") > 1000, "{:#}", report.json);
    assert!(after < before + before / 10, "{before} KiB -> {after} KiB");
    Ok(())
}

fn resident_kib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.context("VmRSS")
}

/// A second apart: two connections whose requests come in turn, and one whose answer took long.
fn six_seconds(path: &Path) -> Result<()> {
    let mut file = CaptureFile::default();
    let answer = wire::answer("200 OK", "ok");
    for n in 0..61_u16 {
        let at = Duration::from_millis(100) * u32::from(n);
        let request = format!("GET /{n} HTTP/1.1\r\nHost: shop\r\n\r\n");
        let took = Duration::from_millis(if n % 20 == 0 { 2000 } else { 5 });
        // A request whose answer takes long has its connection to itself.
        let port = if n % 20 == 0 { 5000 + n } else { 4000 + n % 2 };
        file.exchange(at, port, request.as_bytes(), &answer, took);
    }
    file.write(path)
}

/// `mirror-agent replay` by a user without rights.
fn replay(scratch: &Scratch, target: &str, args: &[&str]) -> Result<(Duration, Report, String)> {
    let file = scratch.join("traffic.pcap");
    six_seconds(&file)?;
    let mut command = Command::new(binary("mirror-agent", Profile::Debug)?);
    command
        .arg("replay")
        .arg(&file)
        .args(["--json", "--quick", "--no-repeats", "--target", target])
        .args(args);
    let begun = Instant::now();
    let output = command.output().context("running mirror-agent")?;
    let took = begun.elapsed();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{log}");
    Ok((
        took,
        Report::parse(&String::from_utf8(output.stdout)?)?,
        log,
    ))
}

#[needs(nothing)]
fn a_capture_file_is_replayed_in_its_own_time() -> Result<()> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&times);
    let mirror = wire::Server::on(TcpListener::bind("127.0.0.1:0")?, move |request| {
        noted.lock().unwrap().push(Instant::now());
        fine(request)
    })?;
    let (took, report, log) = replay(&Scratch::new()?, &mirror.url(), &[])?;
    assert!(log.contains("in its own time"), "{log}");
    assert_eq!(report.outcome("matched"), 61, "{:#}", report.json);
    // In the order in which they were sent, not in the order of their answers.
    let lines: Vec<_> = (0..61).map(|n| format!("GET /{n} HTTP/1.1")).collect();
    assert_eq!(mirror.lines(), lines);
    let times = times.lock().unwrap();
    let lasted = times[60].duration_since(times[0]).as_secs_f64();
    assert!((5.94..6.06).contains(&lasted), "{lasted} s");
    assert!(took < Duration::from_secs(12), "{took:?}");
    let lag = &report.json["timing"]["send_lag_ms"];
    assert_eq!(lag["count"], 61, "{lag:#}");
    assert!(lag["p50"].as_f64().is_some_and(|lag| lag < 50.0), "{lag:#}");
    Ok(())
}

/// As a live run is, by who asks for a socket.
#[needs(nothing)]
fn the_replay_of_a_file_can_be_asked_paused_and_stopped() -> Result<()> {
    let scratch = Scratch::new()?;
    let (file, socket) = (scratch.join("traffic.pcap"), scratch.join("replay.sock"));
    six_seconds(&file)?;
    let mirror = wire::Server::on(TcpListener::bind("127.0.0.1:0")?, fine)?;
    let program = binary("mirror-agent", Profile::Debug)?;
    let replaying = Command::new(&program)
        .arg("replay")
        .arg(&file)
        .args(["--json", "--runs", "none", "--target", &mirror.url()])
        .arg("--socket")
        .arg(&socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let ask = |args: &[&str]| -> Result<(bool, String)> {
        let mut command = Command::new(&program);
        let output = command.args(args).arg("--socket").arg(&socket).output()?;
        let text = String::from_utf8([output.stdout, output.stderr].concat())?;
        Ok((output.status.success(), text))
    };
    let mut status = Value::Null;
    wait_until("the first answers", LIMIT, || {
        let (_, text) = ask(&["status", "--json"]).unwrap_or_default();
        status = serde_json::from_str(&text).unwrap_or_default();
        status["ledger"]["outcomes"]["matched"].as_u64() > Some(5)
    })?;
    assert_eq!(status["run"]["file"], file.to_str().unwrap(), "{status:#}");
    assert!(
        status["dissect"]["requests"].as_u64() > Some(5),
        "{status:#}"
    );
    let (is_ready, text) = ask(&["wait", "--for", "ready", "--timeout", "5s"])?;
    assert!(is_ready, "{text}");
    let (is_done, text) = ask(&["filter", "--port", "8080"])?;
    assert!(
        !is_done && text.contains("nothing is captured here"),
        "{text}"
    );
    let (is_done, text) = ask(&["pause"])?;
    assert!(is_done, "{text}");
    sleep(Duration::from_millis(500));
    let (_, text) = ask(&["stop", "--json"])?;
    let stopped = Report::parse(&text)?;
    let printed = Report::parse(&String::from_utf8(replaying.wait_with_output()?.stdout)?)?;
    assert_eq!(stopped.json, printed.json);
    assert!(
        stopped.is_balanced() && stopped.seen < 61,
        "{:#}",
        stopped.json
    );
    assert!(
        stopped.outcome("filtered: paused") > 0,
        "{:#}",
        stopped.json
    );
    Ok(())
}

#[needs(nothing)]
fn a_capture_file_is_replayed_faster_if_told_to() -> Result<()> {
    let mirror = wire::Server::on(TcpListener::bind("127.0.0.1:0")?, fine)?;
    let (twice, report, _) = replay(&Scratch::new()?, &mirror.url(), &["--speed", "2"])?;
    assert_eq!(report.outcome("matched"), 61, "{:#}", report.json);
    assert!(twice > Duration::from_secs(3), "{twice:?}");
    // A queue of one: it waits for the mirror, and sheds nothing.
    let max = ["--speed", "max", "--queue", "1"];
    let (_, report, _) = replay(&Scratch::new()?, &mirror.url(), &max)?;
    assert_eq!(report.outcome("matched"), 61, "{:#}", report.json);
    Ok(())
}

/// Three seconds of work for the mirror on each of two connections, and one second to drain: that limit is for what is in flight when a
/// run is stopped, and a file has its time.
#[needs(nothing)]
fn a_mirror_that_is_slower_than_the_drain_timeout_gets_the_whole_file() -> Result<()> {
    let mirror = wire::Server::on(TcpListener::bind("127.0.0.1:0")?, |request| {
        sleep(Duration::from_millis(100));
        fine(request)
    })?;
    let args = ["--speed", "max", "--drain-timeout", "1s"];
    let (_, report, _) = replay(&Scratch::new()?, &mirror.url(), &args)?;
    assert_eq!(report.outcome("matched"), 61, "{:#}", report.json);
    Ok(())
}
