//! Runs in real directories, written and read as a run does it.

mod answers;
mod folder;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mirror_core::compare::{CompareOptions, IgnoredPointer};
use mirror_core::ledger::Outcome;
use mirror_core::options::FromText;
use mirror_core::verdict::VerdictPolicy;

use super::super::directory::PrivateDir;
use super::super::files::tests::Scratch;
use super::super::options::{ReportOptions, RunsPlace};
use super::super::request::tests::label;
use super::super::{CaptureCounters, Recorder};
use super::super::{End, ReportData, RunInfo};
use super::head::RunHead;
use super::names::JOURNAL;
use super::*;
use answers::differs;

fn options(folder: &Path) -> ReportOptions {
    ReportOptions {
        runs: Some(RunsPlace::Folder(folder.to_owned())),
        ..ReportOptions::default()
    }
}

fn recorder(name: &str) -> Arc<Recorder> {
    Arc::new(Recorder::new(RunInfo::default()).named(name, "host-a"))
}

fn begun(folder: &Path, recorder: &Arc<Recorder>) -> Keeper {
    let new = NewRun::make(&options(folder), recorder).unwrap().unwrap();
    new.keep(recorder, Default::default).unwrap()
}

fn ended(recorder: &Recorder) {
    recorder.saw();
    let end = End::because(Outcome::ReplayFailed, "reset");
    recorder.ended(&label("GET", "/a"), None, &end);
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn only_run(folder: &Path) -> PathBuf {
    let names = RunsFolder::new(folder.to_owned()).runs().unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    folder.join(&names[0])
}

fn read_run(run: &Path) -> ReportData {
    read(&RunPath(run.to_owned())).unwrap()
}

fn seen(run: &Path) -> u64 {
    read_run(run).results.ledger.seen
}

#[test]
fn a_run_can_be_read_while_it_goes_on_after_a_crash_and_when_it_has_ended() {
    let scratch = Scratch::new();
    let folder = scratch.join("runs");
    let recorder = recorder("shop");
    let keeper = begun(&folder, &recorder);
    let run = only_run(&folder);
    ended(&recorder);
    wait_until("the request is kept", || seen(&run) == 1);
    let report = read_run(&run);
    let unfinished = report.unfinished.unwrap();
    assert!(
        unfinished.starts_with("goes on; this is how it stood at "),
        "{unfinished}"
    );
    assert_eq!(
        (report.name.as_str(), report.hosts),
        ("shop", vec!["host-a".to_owned()])
    );
    for file in fs::read_dir(&run).unwrap() {
        let mode = file.unwrap().metadata().unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
    assert_eq!(fs::metadata(&run).unwrap().mode() & 0o7777, 0o700);

    // What a crash leaves is what is there at some moment.
    let crashed = folder.join("20200101T000000Z-crashed");
    fs::create_dir(&crashed).unwrap();
    for file in ["run.json", JOURNAL] {
        fs::copy(run.join(file), crashed.join(file)).unwrap();
    }
    let report = read_run(&crashed);
    assert!(
        report
            .unfinished
            .unwrap()
            .starts_with("ended without its end at ")
    );
    assert_eq!(report.results.ledger.seen, 1);

    ended(&recorder);
    let directory = keeper.finish().unwrap();
    assert_eq!(
        read_run(&run).unfinished,
        None,
        "before its report is written"
    );
    assert_eq!(seen(&run), 2);
    directory
        .write(&recorder.finish(CaptureCounters::default()), &[])
        .unwrap();
    let report = read_run(&run);
    assert_eq!((report.unfinished, report.kept), (None, None));
    assert_eq!(report.results.ledger.seen, 2);
}

#[test]
fn a_run_that_does_not_begin_leaves_nothing_and_twins_have_names_of_their_own() {
    let scratch = Scratch::new();
    let folder = scratch.join("runs");
    let recorder = recorder("shop");
    let runs = || RunsFolder::new(folder.clone()).runs().unwrap();
    assert!(runs().is_empty(), "without a folder");
    drop(NewRun::make(&options(&folder), &recorder).unwrap());
    assert!(runs().is_empty());
    let first = begun(&folder, &recorder);
    let second = begun(&folder, &recorder);
    let names = runs();
    assert_eq!(names[1], format!("{}.2", names[0]));
    drop((first.finish().unwrap(), second.finish().unwrap()));
    let nowhere = ReportOptions {
        runs: Some(RunsPlace::Nowhere),
        ..ReportOptions::default()
    };
    assert!(NewRun::make(&nowhere, &recorder).unwrap().is_none());
}

#[test]
fn a_directory_that_is_taken_away_is_made_again_with_all_that_was_counted() {
    let scratch = Scratch::new();
    let folder = scratch.join("runs");
    let recorder = recorder("shop");
    let keeper = begun(&folder, &recorder);
    let run = only_run(&folder);
    ended(&recorder);
    wait_until("the request is kept", || seen(&run) == 1);
    assert!(differs(&recorder, 1, r#"{"a":2}"#));
    let stored = |number| answers(&RunPath(run.clone()), number).unwrap().is_some();
    wait_until("its answers are stored", || stored(0));
    fs::remove_dir_all(&folder).unwrap();
    wait_until("it is made again", || run.join(JOURNAL).exists());
    assert!(differs(&recorder, 2, r#"{"b":2}"#));
    wait_until("answers are stored again", || stored(1));
    assert!(!stored(0));
    wait_until("it is kept again", || seen(&run) == 3);
    let kept = recorder.kept().unwrap();
    assert!(
        kept.contains("(its directory was removed); all that was counted is kept again"),
        "{kept}"
    );
    let report = keeper.finish().unwrap();
    report
        .write(&recorder.finish(CaptureCounters::default()), &[])
        .unwrap();
    assert_eq!(read_run(&run).kept.as_deref(), Some(&*kept));
}

#[test]
fn nobody_finds_a_run_in_progress_without_its_lock() {
    let scratch = Scratch::new();
    let directory = PrivateDir::open(&scratch.join("run")).unwrap();
    let path = scratch.join("run/run.json");
    let head = RunHead::new(&recorder("shop"));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut found = 0;
            while !is_done.load(Ordering::Relaxed) {
                let Ok(file) = fs::File::open(&path) else {
                    continue;
                };
                let is_free = file.try_lock_shared().is_ok();
                assert!(!is_free, "after {found} that were locked");
                found += 1;
            }
            found
        });
        // The locks are held to the end, those of replaced files too.
        let locks: Vec<_> = (0..100).map(|_| head.write(&directory)).collect();
        std::thread::sleep(Duration::from_millis(20));
        is_done.store(true, Ordering::Relaxed);
        assert!(looking.join().unwrap() > 0);
        assert!(locks.iter().all(Result::is_ok));
    });
    assert_eq!(directory.names().unwrap(), ["run.json"]);
}

#[test]
fn a_directory_that_is_taken_away_just_before_the_end_is_made_again() {
    let scratch = Scratch::new();
    let folder = scratch.join("runs");
    let recorder = recorder("shop");
    let keeper = begun(&folder, &recorder);
    let run = only_run(&folder);
    for number in 1..=2 {
        ended(&recorder);
        wait_until("the request is kept", || seen(&run) == number);
    }
    ended(&recorder);
    fs::remove_dir_all(&folder).unwrap();
    keeper.finish().unwrap();
    let report = read_run(&run);
    assert_eq!((report.unfinished, report.results.ledger.seen), (None, 3));
    assert_eq!(report.kept, recorder.kept());
    let kept = report.kept.unwrap();
    assert!(
        kept.ends_with("(its directory was removed); all that was counted is kept again"),
        "{kept}"
    );
}

#[test]
fn links_in_the_place_of_files_are_not_followed() {
    let scratch = Scratch::new();
    let folder = scratch.join("runs");
    let recorder = recorder("shop");
    let victim = scratch.join("victim");
    fs::write(&victim, "untouched").unwrap();
    let keeper = begun(&folder, &recorder);
    let run = only_run(&folder);
    for name in [
        ".journal.new",
        "report.json",
        ".report.json.new",
        "noise.json",
    ] {
        symlink(&victim, run.join(name)).unwrap();
    }
    fs::remove_file(run.join(JOURNAL)).unwrap();
    wait_until("the journal is written anew", || run.join(JOURNAL).exists());
    let directory = keeper.finish().unwrap();
    directory
        .write(&recorder.finish(CaptureCounters::default()), &[])
        .unwrap();
    directory.write_noise("{}").unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert_eq!(read_run(&run).kept, recorder.kept());

    fs::remove_file(run.join("run.json")).unwrap();
    fs::remove_file(run.join("report.json")).unwrap();
    symlink(&victim, run.join("run.json")).unwrap();
    let error = read(&RunPath(run)).unwrap_err();
    assert!(format!("{error:#}").contains("run.json"), "{error:#}");
}

/// A run of one request, which has ended.
fn finished(folder: &Path, name: &str) -> PathBuf {
    let recorder = recorder(name);
    let keeper = begun(folder, &recorder);
    ended(&recorder);
    let directory = keeper.finish().unwrap();
    let report = recorder.finish(CaptureCounters::default());
    let written = directory.write(&report, &[]).unwrap();
    written.json.parent().unwrap().to_owned()
}

#[test]
fn runs_of_several_hosts_are_one_and_what_cannot_be_is_refused() {
    let scratch = Scratch::new();
    let (a, b) = (scratch.join("a"), scratch.join("b"));
    let [first, second] = [finished(&a, "shop"), finished(&b, "shop-canary")].map(RunPath);
    let report = merge(&[first.clone(), second.clone()]).unwrap();
    assert_eq!(report.results.ledger.seen, 2);
    assert_eq!(report.name, "shop + shop-canary");
    assert_eq!((report.unfinished, report.kept), (None, None));
    let refused = |runs: &[RunPath], why: &str| {
        let error = format!("{:#}", merge(runs).unwrap_err());
        assert!(error.contains(why), "{error}");
    };
    refused(&[first.clone(), first.clone()], "is there twice");
    let kept = |folder: &str, recorder: &Arc<Recorder>| {
        begun(&scratch.join(folder), recorder).finish().unwrap();
        RunPath(only_run(&scratch.join(folder)))
    };
    let decided = |folder: &str, policy: &VerdictPolicy, compare: &CompareOptions| {
        let other = recorder("other");
        other.decide_by(policy, compare);
        kept(folder, &other)
    };
    let quick = VerdictPolicy {
        quick: true,
        ..VerdictPolicy::default()
    };
    let quick = decided("quick", &quick, &CompareOptions::default());
    refused(&[first.clone(), quick], "judged by different rules");
    let ignoring = CompareOptions {
        ignore: vec![IgnoredPointer::from_text("/a").unwrap()],
        ..CompareOptions::default()
    };
    let ignoring = decided("ignoring", &VerdictPolicy::default(), &ignoring);
    refused(&[first.clone(), ignoring], "compared by different rules");
    let of_file = |folder: &str| {
        let info = RunInfo {
            file: Some("traffic.pcap".into()),
            ..RunInfo::default()
        };
        let name = folder.to_owned();
        kept(folder, &Arc::new(Recorder::new(info).named(&name, "host")))
    };
    refused(&[of_file("one"), of_file("two")], "replayed the same file");
    fs::remove_file(second.path().join(JOURNAL)).unwrap();
    refused(&[first, second], "journal");
}
