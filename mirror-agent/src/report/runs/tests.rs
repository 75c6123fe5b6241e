//! Runs in real directories, written and read as a run does it.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mirror_core::compare::{CompareOptions, IgnoredPointer, compare};
use mirror_core::exchange::{Exchange, Request, Response};
use mirror_core::ledger::Outcome;
use mirror_core::options::FromText;
use mirror_core::time::Timestamp;
use mirror_core::verdict::{Basis, VerdictPolicy};

use super::super::answers::{StoredAnswers, StoredBody, StoredMessage, WholeAnswers};
use super::super::directory::PrivateDir;
use super::super::files::tests::Scratch;
use super::super::options::{ReportOptions, RunsPlace};
use super::super::pair::tests::pair;
use super::super::request::tests::{label, label_at};
use super::super::{CaptureCounters, Recorder};
use super::super::{End, ReportData, RunInfo};
use super::answers_file::{AnswersFile, AnswersLimits};
use super::head::RunHead;
use super::names::JOURNAL;
use super::*;

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

/// A run of that directory and name that began so many seconds after the epoch.
fn begun_at(folder: &Path, directory: &str, name: &str, started_at: u64) {
    let head = RunHead {
        started_at,
        name: name.to_owned(),
        ..RunHead::new(&recorder(name))
    };
    let folder = PrivateDir::open(folder).unwrap();
    drop(head.write(&folder.make(directory).unwrap()).unwrap());
}

#[test]
fn runs_are_in_the_order_of_their_beginnings_whatever_their_directories_are_called() {
    let scratch = Scratch::new();
    let runs = RunsFolder::new(scratch.join("runs"));
    let begun_at = |directory, name, at| begun_at(runs.path(), directory, name, at);
    begun_at("19700101T000120Z-shop.10", "shop", 120);
    begun_at("19700101T000120Z-shop.2", "shop", 120);
    begun_at("19700101T000120Z-shop", "shop", 120);
    begun_at("before the release", "shop", 60);
    begun_at("1-last", "v1.2", 180);
    assert_eq!(
        runs.runs().unwrap(),
        [
            "before the release",
            "19700101T000120Z-shop",
            "19700101T000120Z-shop.2",
            "19700101T000120Z-shop.10",
            "1-last",
        ]
    );
    assert_eq!(runs.older_than(4).unwrap(), ["before the release"]);
}

#[test]
fn a_run_is_meant_by_its_name_its_beginning_or_what_it_is_called() {
    let scratch = Scratch::new();
    let runs = RunsFolder::new(scratch.join("runs"));
    begun_at(runs.path(), "20261126T101010Z-shop", "shop", 60);
    begun_at(runs.path(), "20261127T051821Z-shop", "shop", 120);
    begun_at(runs.path(), "20261127T051821Z-shop.2", "shop", 120);
    begun_at(runs.path(), "20261127T061821Z-v1.2", "v1.2", 180);
    let find = |wanted: &str| runs.find(Some(wanted)).map(|run| run.name());
    let check = |wanted: &str, expect: &str| assert_eq!(find(wanted).unwrap(), expect, "{wanted}");
    check("shop", "20261127T051821Z-shop.2");
    check("20261126", "20261126T101010Z-shop");
    check("20261126T101010Z-shop", "20261126T101010Z-shop");
    check("v1.2", "20261127T061821Z-v1.2");
    for wanted in ["sho", "v1"] {
        let error = find(wanted).unwrap_err().to_string();
        assert!(error.contains("there is no run"), "{error}");
    }
    let error = find("20261127").unwrap_err().to_string();
    assert!(error.contains("give more of the name"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_by_its_name() {
    let scratch = Scratch::new();
    let file = scratch.join("file");
    fs::write(&file, "").unwrap();
    for path in ["/proc/x".into(), file] {
        let error = NewRun::make(&options(&path), &recorder("shop"))
            .err()
            .unwrap();
        let error = format!("{error:#}");
        let begins = format!("--runs {}: ", path.display());
        assert!(error.starts_with(&begins), "{error}");
    }
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
fn answers_that_are_removed_are_stored_again_and_nothing_else_is_in_trouble() {
    let scratch = Scratch::new();
    let folder = scratch.join("runs");
    let recorder = recorder("shop");
    let keeper = begun(&folder, &recorder);
    let run = only_run(&folder);
    let stored = |number| answers(&RunPath(run.clone()), number).unwrap().is_some();
    let kept = || recorder.kept().unwrap_or_default();
    // No file can be made there.
    fs::create_dir(run.join("answers")).unwrap();
    assert!(differs(&recorder, 1, r#"{"a":2}"#));
    wait_until("answers are in trouble", || recorder.kept().is_some());
    let begins = "answers of examples have not been stored since ";
    assert!(kept().starts_with(begins), "{}", kept());
    ended(&recorder);
    wait_until("the rest is kept", || seen(&run) == 2);
    fs::remove_dir(run.join("answers")).unwrap();
    assert!(differs(&recorder, 2, r#"{"b":2}"#));
    wait_until("answers are stored", || stored(1));
    wait_until("that is said", || {
        kept().ends_with("those of later examples are stored")
    });
    let before = kept();
    fs::remove_file(run.join("answers")).unwrap();
    assert!(differs(&recorder, 3, r#"{"c":2}"#));
    wait_until("answers are stored again", || stored(2));
    keeper.finish().unwrap();
    assert_eq!(kept(), before);
    assert_eq!(seen(&run), 4);
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
fn runs_are_listed_and_removed_but_for_those_that_go_on() {
    let scratch = Scratch::new();
    let path = scratch.join("runs");
    let folder = RunsFolder::named(Some(&path)).unwrap();
    assert_eq!(folder.list().unwrap(), []);
    let recorder = recorder("b-goes-on");
    let keeper = begun(&path, &recorder);
    let done = finished(&path, "a-done");
    let (old, broken) = (
        path.join("20200101T000000Z-old"),
        path.join("20200102T000000Z-bad"),
    );
    for (name, files) in [(&old, &["run.json", JOURNAL][..]), (&broken, &["run.json"])] {
        fs::create_dir(name).unwrap();
        for file in files {
            fs::copy(done.join(file), name.join(file)).unwrap();
        }
    }
    fs::create_dir(path.join("lost+found")).unwrap();

    let list = folder.list().unwrap();
    let mut shown: Vec<_> = list
        .iter()
        .map(|run| {
            let (_, name) = run.run.split_once('-').unwrap();
            let known = run.known.as_ref();
            (
                name,
                known.map(|known| (known.seen, known.unfinished.is_none())),
            )
        })
        .collect();
    // Names say the second: these two begin in the same one, or not.
    shown[..2].sort_by(|one, other| other.cmp(one));
    let expect = [
        ("b-goes-on", Some((0, false))),
        ("a-done", Some((1, true))),
        ("bad", None),
        ("old", Some((1, true))),
    ];
    assert_eq!(shown, expect);
    let text = list_text(&list, None);
    for part in [
        "HOLD",
        "goes on; this is how it stood at",
        "reading",
        "host-a",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let json = serde_json::to_string(&list).unwrap();
    let read: Vec<RunSummary> = serde_json::from_str(&json).unwrap();
    assert_eq!(read, list);

    let going = &folder.chosen(&["b-goes-on".into()]).unwrap()[0];
    let error = folder.remove_run(going).unwrap_err().to_string();
    assert!(error.contains("goes on: end it first"), "{error}");
    assert!(folder.chosen(&["nothing".into()]).is_err());
    let older = folder.older_than(2).unwrap();
    assert_eq!(older, ["20200101T000000Z-old", "20200102T000000Z-bad"]);
    for name in older {
        folder.remove_run(&name).unwrap();
    }
    keeper.finish().unwrap();
    folder.remove_run(going).unwrap();
    assert_eq!(
        folder.runs().unwrap(),
        [done.file_name().unwrap().to_str().unwrap()]
    );
    assert_eq!(folder.find(None).unwrap().path(), done);
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

/// A judged request whose answers differ and are to be stored, if there is a place for them.
fn differs(recorder: &Recorder, at: u64, mirror: &str) -> bool {
    let answer = |text: &str| Response {
        body: bytes::Bytes::from(text.to_owned()).into(),
        ..Response::new(200)
    };
    let (ours, theirs) = (answer(r#"{"a":1}"#), answer(mirror));
    let compared = compare(&CompareOptions::default(), &ours, &theirs);
    let at = Timestamp::default().after(Duration::from_secs(1_800_000_000 + at));
    let label = label_at("GET", "/a", at);
    let address = "127.0.0.1:80".parse().unwrap();
    let mut exchange = Exchange::new(address, address, Request::new("GET", "/a?b=c".to_owned()));
    exchange.response = Some(ours.into());
    let (route, place) = recorder.place_for_answers(&label, None, &compared);
    let has_place = place.is_some();
    let policy = mirror_core::policy::Policy::default();
    let redactor = policy.redactor();
    let whole = place.and_then(|place| WholeAnswers::new(place, redactor, &exchange, &theirs));
    let pair = pair(Basis::Snapshot, compared).with_answers(whole);
    recorder.saw();
    recorder.ended(&label, route, &End::judged(pair));
    has_place
}

#[test]
fn examples_have_their_answers_in_full_and_only_they() {
    let scratch = Scratch::new();
    let folder = scratch.join("runs");
    let recorder = recorder("shop");
    assert!(!differs(&recorder, 50, r#"{"a":2}"#), "nobody stores them");
    let keeper = begun(&folder, &recorder);
    let run = RunPath(only_run(&folder));
    let example = |recorder: &Recorder| {
        let results = recorder.results(CaptureCounters::default());
        results.differences[0].examples.clone()
    };
    assert_eq!(example(&recorder)[0].answers, None);
    assert!(!differs(&recorder, 60, r#"{"a":2}"#), "no example");
    assert!(differs(&recorder, 40, r#"{"a":2}"#), "it is earlier");
    assert!(differs(&recorder, 70, r#"{"a":3}"#), "it is rarer");
    let numbers: Vec<_> = example(&recorder).iter().map(|one| one.answers).collect();
    assert_eq!(numbers, [Some(0), Some(1)]);
    wait_until("they are stored", || answers(&run, 1).unwrap().is_some());
    let stored = answers(&run, 0).unwrap().unwrap();
    assert_eq!(stored.request.first_line, "GET /a?b=c HTTP/1.1");
    assert_eq!(stored.production.first_line, "HTTP/1.1 200 OK");
    assert_eq!(stored.mirror.body.text.as_deref(), Some(r#"{"a":2}"#));
    assert_eq!(answers(&run, 2).unwrap(), None);
    let report = recorder.finish(CaptureCounters::default());
    let shown = answers_of(&run, &report).unwrap();
    assert_eq!(
        shown.iter().map(|one| one.number).collect::<Vec<_>>(),
        [0, 1]
    );

    let directory = keeper.finish().unwrap();
    directory.write(&report, &shown).unwrap();
    let page = fs::read_to_string(run.path().join("report.html")).unwrap();
    assert!(page.contains("/a?b=c"));
    let second = finished(&scratch.join("other"), "other");
    let merged = merge(&[run, RunPath(second)]).unwrap();
    let examples = &merged.results.differences[0].examples;
    assert!(
        examples.iter().all(|one| one.answers.is_none()),
        "of which run?"
    );
}

#[test]
fn stored_answers_stay_within_their_room_and_their_time() {
    let scratch = Scratch::new();
    let directory = PrivateDir::open(&scratch.join("run")).unwrap();
    let run = RunPath(scratch.join("run"));
    let limits = AnswersLimits {
        bytes: 4_000,
        age: Duration::from_secs(3600),
    };
    let mut file = AnswersFile::new(limits);
    let size = || fs::metadata(scratch.join("run/answers")).unwrap().len();
    for number in 0..50 {
        // The last two are named.
        let named = || [number, number.max(1) - 1].into();
        file.add(&directory, &stored(number), named).unwrap();
        assert!(size() <= 4_000, "{}", size());
    }
    let known = |number| answers(&run, number).unwrap().is_some();
    assert!(known(49) && !known(0), "what no example names gave way");
    for number in 50..100 {
        file.add(&directory, &stored(number), || (0..100).collect())
            .unwrap();
    }
    assert!(
        size() <= 4_000 && known(49) && !known(99),
        "there is no room"
    );

    let short = AnswersLimits {
        age: Duration::ZERO,
        ..limits
    };
    let mut file = AnswersFile::new(short);
    file.add(&directory, &stored(7), || [7].into()).unwrap();
    assert!(known(7));
    file.age(&directory, || [7].into()).unwrap();
    assert!(!known(7), "it is too old");
}

#[test]
fn a_file_of_answers_that_is_removed_is_an_empty_one() {
    let scratch = Scratch::new();
    let directory = PrivateDir::open(&scratch.join("run")).unwrap();
    let (path, run) = (scratch.join("run/answers"), RunPath(scratch.join("run")));
    let known = |number| answers(&run, number).unwrap().is_some();
    let limits = AnswersLimits {
        bytes: 4_000,
        age: Duration::from_secs(3600),
    };
    let mut file = AnswersFile::new(limits);
    for number in 0..50 {
        file.add(&directory, &stored(number), || (0..50).collect())
            .unwrap();
    }
    assert!(!known(49), "there is no room");
    fs::remove_file(&path).unwrap();
    file.add(&directory, &stored(50), || (0..51).collect())
        .unwrap();
    assert!(known(50), "there is room again");

    let short = AnswersLimits {
        age: Duration::ZERO,
        ..limits
    };
    let mut file = AnswersFile::new(short);
    file.add(&directory, &stored(7), || [7].into()).unwrap();
    fs::remove_file(&path).unwrap();
    file.age(&directory, || [7].into()).unwrap();
    assert!(!path.exists());
    file.add(&directory, &stored(8), || [8].into()).unwrap();
    assert!(known(8));
    // The directory is held open: its name may be another's by now.
    fs::rename(run.path(), scratch.join("moved")).unwrap();
    file.age(&directory, || [8].into()).unwrap();
    let moved = RunPath(scratch.join("moved"));
    assert!(answers(&moved, 8).unwrap().is_none(), "it is too old");
}

fn stored(number: u64) -> StoredAnswers {
    let message = |length: usize| StoredMessage {
        first_line: "GET / HTTP/1.1".into(),
        status: None,
        headers: Vec::new(),
        body: StoredBody {
            // Not to be compressed.
            text: Some(
                (0..length)
                    .map(|n| char::from(33 + (n * n * 7 % 89) as u8))
                    .collect(),
            ),
            base64: None,
            bytes: 1,
            is_cut: false,
            sha256: String::new(),
        },
    };
    StoredAnswers {
        number,
        request: message(10),
        production: message(2_000),
        mirror: message(2_000),
    }
}

#[test]
fn answers_of_runs_that_ended_long_ago_are_taken_away() {
    let scratch = Scratch::new();
    let folder = scratch.join("runs");
    let [old, new] = ["old", "new"].map(|name| finished(&folder, name).join("answers"));
    for file in [&old, &new] {
        fs::write(file, "").unwrap();
    }
    let week = Duration::from_secs(8 * 86_400);
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(std::time::SystemTime::now() - week)
        .unwrap();
    finished(&folder, "next");
    assert!(!old.exists() && new.exists());
    assert!(old.with_file_name("report.json").exists());
}
