//! A writer of recordings that is killed at any moment: what it said to be recorded is read, each exchange once, in its order.
//!
//! `MIRROR_KILLS=500` kills so many; a few dozen otherwise.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mirror_agent::transport::file::{
    FileLimits, MergedRecordings, RecordingFiles, RecordingKeys, RecordingPlace, recordings_in,
};
use mirror_core::exchange::{Exchange, Request};
use mirror_core::identity::Identity;
use mirror_core::policy::{Envelope, Policy};
use mirror_core::recording::{RecordingLedger, RecordingMetadata};
use mirror_core::time::Timestamp;

/// Where the writer writes, which is this program again.
const FOLDER: &str = "MIRROR_KILLED_WRITER";
const KILLS: &str = "MIRROR_KILLS";
const USUAL_KILLS: u64 = 40;
/// Latest moment of a kill, after the first exchange was recorded.
const LATEST: u64 = 60;
/// What a writer records that nobody kills.
const ALL: u64 = 2000;

fn envelope(policy: &Policy, number: u64) -> Envelope {
    let address = ([127, 0, 0, 1], 80).into();
    let mut request = Request::new("GET", format!("/orders/{number}"));
    let mut random = number | 1;
    let noise = (0..number % 3000).map(|_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as u8
    });
    request.body = Bytes::from(noise.collect::<Vec<_>>()).into();
    let mut exchange = Exchange::new(address, address, request);
    exchange.timing.request_first = Timestamp(number * 1_000_000);
    exchange.timing.request_last = exchange.timing.request_first;
    policy
        .admit(&"host".into(), exchange, |_| Identity::default())
        .unwrap()
}

/// Records exchanges as fast as it can, and tells how many are recorded.
fn write(folder: &Path, most: u64, mut told: impl Write) {
    let limits = FileLimits {
        size: 2 << 20,
        every: None,
        total: None,
        age: None,
    };
    let metadata = RecordingMetadata {
        series: "series".into(),
        ..RecordingMetadata::default()
    };
    let place = RecordingPlace::of(folder).unwrap();
    let keys = RecordingKeys::default();
    let mut files = RecordingFiles::begin(place, limits, keys, metadata).unwrap();
    let policy = Policy::default();
    let (mut recorded, mut ticked) = (0_u64, Instant::now());
    for number in 0..most {
        files.push(&envelope(&policy, number), number);
        if ticked.elapsed() > Duration::from_millis(7) {
            files.tick(&RecordingLedger::default());
            ticked = Instant::now();
        }
        for (settled, lost) in files.take_settled() {
            assert_eq!((settled, lost), (recorded, None));
            recorded += 1;
        }
        // Whoever kills may be gone already.
        let _ = writeln!(told, "{recorded}");
    }
    files.end(&RecordingLedger::default());
}

/// The numbers of all exchanges that can be read.
fn read(folder: &Path) -> Vec<u64> {
    let paths = recordings_in(&[folder.to_owned()]).unwrap();
    let mut merged = MergedRecordings::open(&paths, RecordingKeys::default()).unwrap();
    let numbers = merged.by_ref().map(|exchange| exchange.at().0 / 1_000_000);
    let numbers = numbers.collect();
    assert_eq!(merged.damages(), 0);
    numbers
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("mirror-killed-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[test]
fn a_writer_that_nobody_kills_records_everything() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write(Path::new(&folder), u64::MAX, std::io::stderr());
    }
    let folder = folder("whole");
    write(&folder, ALL, std::io::sink());
    assert_eq!(read(&folder), (0..ALL).collect::<Vec<_>>());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_a_killed_writer_had_recorded_is_read() {
    let kills = std::env::var(KILLS)
        .ok()
        .and_then(|kills| kills.parse().ok());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for kill in 0..kills.unwrap_or(USUAL_KILLS) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let micros = random % (LATEST * 1000);
        let folder = folder("one");
        let recorded = killed_after(&folder, Duration::from_micros(micros));
        let numbers = read(&folder);
        let least = numbers.len() as u64;
        assert!(
            least >= recorded,
            "kill {kill} after {micros} µs: {recorded} were recorded, {least} are read"
        );
        assert_eq!(numbers, (0..least).collect::<Vec<_>>(), "kill {kill}");
        fs::remove_dir_all(folder).unwrap();
    }
}

/// How many exchanges the writer said to be recorded before it was killed.
fn killed_after(folder: &Path, time: Duration) -> u64 {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_writer_that_nobody_kills_records_everything"])
        .arg("--nocapture")
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(writer.stderr.take().unwrap());
    let (begun, begins) = std::sync::mpsc::sync_channel(1);
    let reading = thread::spawn(move || {
        let mut recorded = 0;
        for line in told.lines().map_while(Result::ok) {
            recorded = line.parse().unwrap_or(recorded);
            if recorded > 0 {
                let _ = begun.try_send(());
            }
        }
        recorded
    });
    let _ = begins.recv_timeout(Duration::from_secs(20));
    thread::sleep(time);
    writer.kill().unwrap();
    writer.wait().unwrap();
    reading.join().unwrap()
}
