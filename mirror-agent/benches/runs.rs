//! What it costs to keep a run: the processor time of the thread that does it, and the bytes that it writes, while requests of some routes
//! end at a steady rate. Of one request in twenty the answers differ.
//!
//! `cargo bench -p mirror-agent --bench runs -- RATE ROUTES SECONDS` prints one JSON object; without numbers 10,000 requests a second on 30 routes
//! for 10 seconds.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mirror_agent::report::{
    End, JudgedAnswer, JudgedPair, NewRun, ProductionAnswer, Recorder, ReportOptions, RunInfo,
    RunsPlace, Ticket,
};
use mirror_core::compare::{CompareOptions, compare};
use mirror_core::exchange::{Exchange, Request, Response, Timing};
use mirror_core::policy::Policy;
use mirror_core::time::Timestamp;
use mirror_core::verdict::{Basis, CacheOptions, MirrorAnswer};
use serde_json::json;

/// Requests between two looks at the clock.
const BATCH: u64 = 100;
/// Of the kernel, for times in /proc.
const TICKS_PER_SECOND: f64 = 100.0;
/// 2026-11-27, in nanoseconds.
const START: u64 = 1_795_756_701_000_000_000;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse().ok());
    let mut number = |usual: u64| numbers.next().unwrap_or(usual);
    let (rate, routes, seconds) = (number(10_000), number(30), number(10));
    let folder = std::env::temp_dir().join(format!("mirror-runs-{}", std::process::id()));
    let options = ReportOptions {
        runs: Some(RunsPlace::Folder(folder.clone())),
        ..ReportOptions::default()
    };
    let recorder = Arc::new(Recorder::new(RunInfo::default()).named("bench", "host"));
    let new = NewRun::make(&options, &recorder).expect("the folder can be used");
    let new = new.expect("a run is kept");
    let keeper = new.keep(&recorder, Default::default);
    let keeper = keeper.expect("a thread can be started");
    let policy = Policy::default();
    let mut numbers = 0..rate * seconds;
    let begin = Instant::now();
    while let Some(first) = numbers.next() {
        end(&recorder, &policy, first, routes);
        (1..BATCH).for_each(|_| {
            if let Some(number) = numbers.next() {
                end(&recorder, &policy, number, routes);
            }
        });
        let due = Duration::from_secs_f64(numbers.start as f64 / rate as f64);
        sleep(due.saturating_sub(begin.elapsed()));
    }
    let took = begin.elapsed().as_secs_f64();
    let (busy, written) = thread_named("runs");
    keeper.finish().expect("the run is kept");
    println!(
        "{}",
        json!({
            "requests_per_second": (rate * seconds) as f64 / took,
            "routes": routes,
            "share_of_a_processor": busy / took,
            "bytes_written_per_second": (written as f64 / took) as u64,
        })
    );
    fs::remove_dir_all(&folder).expect("the folder can be removed");
}

fn end(recorder: &Arc<Recorder>, policy: &Policy, number: u64, routes: u64) {
    let at = Timestamp(START).after(Duration::from_micros(number * 100));
    let address = "127.0.0.1:80".parse().expect("an address");
    let path = format!("/api/kind{}/{number}", number % routes);
    let mut exchange = Exchange::new(address, address, Request::new("GET", path));
    let answer = |price: u64| Response {
        body: bytes::Bytes::from(format!(r#"{{"name":"a","price":{price}}}"#)).into(),
        ..Response::new(200)
    };
    let (ours, theirs) = (
        answer(1),
        answer(if number.is_multiple_of(20) { 2 } else { 1 }),
    );
    let latency = |most: u64| Duration::from_micros(500 + number * 7_919 % most);
    exchange.timing = Timing {
        request_first: at,
        request_last: at,
        response_last: Some(at.after(latency(9_000))),
        ..exchange.timing
    };
    let production = ProductionAnswer::new(&exchange, &ours, &CacheOptions::default());
    let mirror = JudgedAnswer {
        at,
        status: 200,
        latency: latency(90_000),
        is_cached: None,
        comparison: compare(&CompareOptions::default(), &ours, &theirs),
    };
    let basis = Basis::NotGated;
    let pair = JudgedPair::new(
        &exchange,
        None,
        production,
        (mirror, MirrorAnswer::Other),
        basis,
    );
    Ticket::new(recorder, policy.redactor(), &exchange).end(End::judged(pair));
}

/// Seconds of processor time of a thread of this process, and bytes that it has written.
fn thread_named(name: &str) -> (f64, u64) {
    let tasks = fs::read_dir("/proc/self/task").expect("/proc is mounted");
    let mut tasks = tasks.flatten().map(|task| task.path());
    let is_it = |task: &Path| {
        let known = fs::read_to_string(task.join("comm"));
        known.is_ok_and(|known| known.trim() == name)
    };
    let task = tasks.find(|task| is_it(task)).expect("the thread runs");
    let stat = fs::read_to_string(task.join("stat")).expect("its times");
    let (_, fields) = stat.rsplit_once(") ").expect("its name is in brackets");
    let times = fields.split(' ').skip(11).take(2);
    let ticks: u64 = times.filter_map(|time| time.parse::<u64>().ok()).sum();
    let io = fs::read_to_string(task.join("io")).unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    let written = written.and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    (ticks as f64 / TICKS_PER_SECOND, written)
}
