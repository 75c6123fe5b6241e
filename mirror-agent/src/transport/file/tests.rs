use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use mirror_core::exchange::{Exchange, Request};
use mirror_core::identity::Identity;
use mirror_core::policy::{Envelope, Policy};
use mirror_core::recording::{RecordingLedger, RecordingMetadata, Tail};
use mirror_core::time::Timestamp;

use super::*;

/// A directory of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mirror-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Began in this second, and took so many seconds. Bodies cannot be compressed.
fn envelope(second: u64, took: u64) -> Envelope {
    static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
    let address = ([127, 0, 0, 1], 80).into();
    let mut request = Request::new("GET", format!("/{second}"));
    let mut random = second | 1;
    let noise = (0..1000).map(|_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as u8
    });
    request.body = Bytes::from(noise.collect::<Vec<_>>()).into();
    let mut exchange = Exchange::new(address, address, request);
    exchange.timing.request_first = Timestamp(second * 1_000_000_000);
    exchange.timing.request_last = exchange.timing.request_first;
    exchange.timing.response_last = Some(Timestamp((second + took) * 1_000_000_000));
    POLICY
        .admit(&"host".into(), exchange, |_| Identity::default())
        .unwrap()
}

fn limits(size: u64, total: Option<u64>) -> FileLimits {
    FileLimits {
        size,
        every: None,
        total,
        age: None,
    }
}

fn begin(place: &Path, limits: FileLimits) -> RecordingFiles<u64> {
    let metadata = RecordingMetadata {
        series: "20261127T140000Z-host".into(),
        ..RecordingMetadata::default()
    };
    let place = RecordingPlace::of(place).unwrap();
    RecordingFiles::begin(place, limits, RecordingKeys::default(), metadata).unwrap()
}

fn seconds(paths: &[PathBuf]) -> Vec<u64> {
    let merged = MergedRecordings::open(paths, RecordingKeys::default()).unwrap();
    merged.map(|exchange| exchange.at().as_secs()).collect()
}

#[test]
fn a_file_is_its_owners_alone_and_replaces_no_other() {
    let folder = Folder::new("one");
    let path = folder.0.join("a.mrec");
    let mut files = begin(&path, limits(1, None));
    for second in 0..9 {
        files.push(&envelope(second, 0), second);
        files.flush();
    }
    let counts = files.end(&RecordingLedger::default());
    assert_eq!((counts.files, counts.exchanges, counts.lost), (1, 9, 0));
    assert_eq!(counts.bytes, fs::metadata(&path).unwrap().len());
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        seconds(std::slice::from_ref(&path)),
        (0..9).collect::<Vec<_>>()
    );
    let again = RecordingFiles::<u64>::begin(
        RecordingPlace::of(&path).unwrap(),
        limits(1, None),
        RecordingKeys::default(),
        RecordingMetadata::default(),
    );
    assert!(again.is_err());
}

#[test]
fn an_exchange_is_settled_when_its_block_is_written_and_each_once() {
    let folder = Folder::new("settled");
    let mut files = begin(&folder.0, limits(10 << 20, None));
    let mut settled = Vec::new();
    for number in 0..1000 {
        files.push(&envelope(number, 0), number);
        settled.extend(files.take_settled());
    }
    assert!(
        !settled.is_empty() && settled.len() < 1000,
        "{}",
        settled.len()
    );
    files.tick(&RecordingLedger::default());
    settled.extend(files.take_settled());
    files.end(&RecordingLedger::default());
    settled.extend(files.take_settled());
    let expect: Vec<_> = (0..1000).map(|number| (number, None)).collect();
    assert_eq!(settled, expect);
}

#[test]
fn files_follow_one_another_and_the_oldest_gives_way() {
    let folder = Folder::new("rotated");
    let mut files = begin(&folder.0, limits(20_000, Some(100_000)));
    for second in 0..300 {
        files.push(&envelope(second, 0), second);
        if second % 10 == 9 {
            files.tick(&RecordingLedger::default());
        }
    }
    let counts = files.end(&RecordingLedger::default());
    assert_eq!((counts.exchanges, counts.lost), (300, 0));
    assert!(counts.files > 5 && counts.given_way_files > 2, "{counts:?}");
    let paths = recordings_in(std::slice::from_ref(&folder.0)).unwrap();
    let bytes: u64 = paths
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert!(bytes <= 100_000, "{bytes}");
    let left = seconds(&paths);
    assert_eq!(left.len() as u64, 300 - counts.given_way_exchanges);
    let first = counts.given_way_exchanges;
    assert_eq!(left, (first..300).collect::<Vec<_>>());
    for path in &paths {
        let mut reader = open(path, &RecordingKeys::default()).unwrap();
        while reader.next().is_some() {}
        assert_eq!(reader.tail(), Some(Tail::Ended), "{}", path.display());
    }
}

#[test]
fn what_was_kept_before_gives_way_first() {
    let folder = Folder::new("adopted");
    let mut before = begin(&folder.0, limits(1 << 20, None));
    before.push(&envelope(1, 0), 0);
    before.end(&RecordingLedger::default());
    let metadata = RecordingMetadata {
        series: "20261127T150000Z-host".into(),
        ..RecordingMetadata::default()
    };
    let mut files = RecordingFiles::begin(
        RecordingPlace::of(&folder.0).unwrap(),
        limits(1 << 20, Some(2500)),
        RecordingKeys::default(),
        metadata,
    )
    .unwrap();
    files.adopt().unwrap();
    files.push(&envelope(2, 0), 0);
    files.end(&RecordingLedger::default());
    assert_eq!(
        seconds(&recordings_in(std::slice::from_ref(&folder.0)).unwrap()),
        [2]
    );
}

#[test]
fn recordings_are_merged_by_when_requests_began() {
    let folder = Folder::new("merged");
    let paths = ["b.mrec", "a.mrec"].map(|name| folder.0.join(name));
    for (number, path) in paths.iter().enumerate() {
        let mut files = begin(path, limits(1 << 20, None));
        // Answered in another order than they began in.
        for second in [3, 1, 5, 40, 38] {
            files.push(&envelope(2 * second + number as u64, 20), 0);
        }
        files.end(&RecordingLedger::default());
    }
    let merged = seconds(&paths);
    assert_eq!(merged, [2, 3, 6, 7, 10, 11, 76, 77, 80, 81]);
}

#[test]
fn a_directory_without_recordings_and_another_file_are_errors_that_say_so() {
    let folder = Folder::new("none");
    let error = recordings_in(std::slice::from_ref(&folder.0)).unwrap_err();
    assert!(
        error.to_string().contains("there is no recording"),
        "{error}"
    );
    let path = folder.0.join("a.mrec");
    fs::write(&path, "not one").unwrap();
    assert!(!is_recording(&path));
    let error = open(&path, &RecordingKeys::default()).err().unwrap();
    assert!(
        format!("{error:#}").contains("not a recording"),
        "{error:#}"
    );
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let folder = Folder::new("open");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
    let error = RecordingPlace::of(&folder.0).err().unwrap();
    assert!(format!("{error:#}").contains("chmod go-w"), "{error:#}");
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let check = |change: fn(&mut RecordingOptions), word: &str| {
        let mut options = RecordingOptions::default();
        change(&mut options);
        let error = options.check().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    check(|options| options.with_snapshots = true, "unredacted");
    check(
        |options| {
            options.rotate_size = Some(mirror_core::options::ByteSize::mib(2));
            options.total = Some(mirror_core::options::ByteSize::mib(3));
        },
        "at most half",
    );
    let mut options = RecordingOptions::default();
    assert!(options.check().is_ok());
    options.with_snapshots = true;
    options.key_file = Some("/a".into());
    assert!(options.check().is_ok());
    options.total = Some(mirror_core::options::ByteSize::mib(80));
    assert_eq!(options.limits().size, 10 << 20);
    assert_eq!(options.rotate_every, None::<Duration>);
}
