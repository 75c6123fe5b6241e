//! Answers in full: when they are stored, for how long, and where they are taken away.

use std::fs;
use std::path::Path;
use std::time::Duration;

use mirror_core::compare::{CompareOptions, compare};
use mirror_core::exchange::{Exchange, Request, Response};
use mirror_core::time::Timestamp;
use mirror_core::verdict::Basis;

use super::super::answers_file::{AnswersFile, AnswersLimits};
use super::*;
use crate::report::answers::{StoredAnswers, StoredBody, StoredMessage, WholeAnswers};
use crate::report::pair::tests::pair;
use crate::report::request::tests::label_at;

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

/// A judged request whose answers differ and are to be stored, if there is a place for them.
pub(super) fn differs(recorder: &Recorder, at: u64, mirror: &str) -> bool {
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
        headers_cut: 0,
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
    let page = |answers: &Path| answers.with_file_name("report.html");
    for file in [&old, &new] {
        fs::write(file, "").unwrap();
        fs::write(page(file), "an answer in full").unwrap();
    }
    let week = Duration::from_secs(8 * 86_400);
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(std::time::SystemTime::now() - week)
        .unwrap();
    finished(&folder, "next");
    assert!(!old.exists() && new.exists());
    assert!(old.with_file_name("report.json").exists());
    let shows_answer = |answers: &Path| {
        let page = fs::read_to_string(page(answers)).unwrap();
        page.contains("an answer in full")
    };
    assert!(!shows_answer(&old) && shows_answer(&new));
}
