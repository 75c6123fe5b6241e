use std::time::Duration;

use mirror_core::compare::{CompareOptions, compare};
use mirror_core::exchange::Response;
use mirror_core::journal::{Frame, FrameKind, Journal};
use mirror_core::ledger::Outcome;
use mirror_core::time::Timestamp;
use mirror_core::verdict::{Basis, Decision, VerdictPolicy};
use serde_json::Value;

use super::super::{Recorder, results_of};
use super::*;
use crate::report::pair::tests::pair;
use crate::report::request::tests::label_at;
use crate::report::status::{LedgerData, Results, RunInfo};
use crate::report::{CaptureCounters, End, RequestLabel};

/// 2026-11-27, in seconds.
const START: u64 = 1_795_756_701;

/// xorshift64*, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % most
    }
}

/// A request of some time, and how it ends.
fn request(random: &mut Random, millis: u64) -> (RequestLabel, End) {
    let path = match random.below(4) {
        0 => format!("/users/{}", random.below(1_000)),
        1 => format!("/products/shoe-{}-x", random.below(200)),
        2 => "/cart".to_owned(),
        _ => format!("/days/2026-11-{:02}/menu", 1 + random.below(28)),
    };
    let method = if random.below(9) == 0 { "POST" } else { "GET" };
    let at = Timestamp::default().after(Duration::from_millis(START * 1000 + millis));
    let end = match random.below(10) {
        0 => End::because(
            Outcome::ReplayFailed,
            format!("10.0.0.1:{}: reset", millis % 60_000),
        ),
        1 => Outcome::FilteredMethod.into(),
        _ => End::judged(judged(random, at)),
    };
    (label_at(method, &path, at), end)
}

fn judged(random: &mut Random, at: Timestamp) -> crate::report::JudgedPair {
    let body = |price: u64| format!(r#"{{"name":"a","price":{price},"tags":[1,2]}}"#);
    let (status, price) = match random.below(40) {
        0 => (500, 1),
        1..=5 => (200, 2 + random.below(3)),
        _ => (200, 1),
    };
    let answer = |status: u16, text: String| Response {
        body: bytes::Bytes::from(text).into(),
        ..Response::new(status)
    };
    let (ours, theirs) = (answer(200, body(1)), answer(status, body(price)));
    let mut pair = pair(
        Basis::Snapshot,
        compare(&CompareOptions::default(), &ours, &theirs),
    );
    (pair.production.asked_at, pair.production.at) = (at, at);
    pair.production.latency = Some(Duration::from_micros(500 + random.below(9_000)));
    pair.mirror.latency = Duration::from_micros(700 + random.below(90_000));
    pair.mirror.at = at;
    pair
}

fn ended(recorder: &Recorder, (label, end): &(RequestLabel, End)) {
    recorder.saw();
    recorder.ended(label, None, end);
}

fn recorder() -> Recorder {
    let recorder = Recorder::new(RunInfo::default());
    let policy = VerdictPolicy {
        quick: true,
        ..VerdictPolicy::default()
    };
    recorder.decide_by(&policy, &CompareOptions::default());
    recorder
}

fn frame(recorder: &Recorder, all: bool) -> Vec<u8> {
    let changes = recorder.changes(KeptBeside::default(), all);
    let kind = match changes.is_whole {
        true => FrameKind::Whole,
        false => FrameKind::Changes,
    };
    Frame {
        kind,
        number: 0,
        at: Timestamp(START),
        payload: &changes.batch().unwrap().encode().unwrap(),
    }
    .encode()
}

fn kept(journal: &[u8]) -> KeptRun {
    KeptRun::of(&Journal::read(journal)).unwrap()
}

/// What does not depend on the time at which it is asked for.
fn shown(mut results: Results) -> Value {
    for missing in &mut results.verdict.missing {
        missing.seconds = None;
        missing.what = String::new();
    }
    serde_json::to_value(results).unwrap()
}

#[test]
fn what_is_kept_second_by_second_is_what_was_found() {
    for seed in 1..=2 {
        let mut random = Random(seed);
        let recorder = recorder();
        let mut journal = frame(&recorder, true);
        let mut is_whole = Vec::new();
        for number in 0..2_500 {
            ended(&recorder, &request(&mut random, number * 37));
            if number % 250 == 249 {
                let next = frame(&recorder, false);
                is_whole.push(next[4] == 1);
                journal.extend(next);
                let at = Timestamp(START);
                let read = results_of(vec![kept(&journal)], RunInfo::default(), at);
                let live = recorder.results(CaptureCounters::default());
                assert_eq!(shown(read), shown(live), "seed {seed}, request {number}");
            }
        }
        let whole = is_whole.iter().filter(|is_whole| **is_whole).count();
        assert!((1..4).contains(&whole), "routes were folded: {is_whole:?}");
        let data = recorder.results(CaptureCounters::default());
        assert_eq!(data.verdict.decision, Decision::Fail);
        let routes: Vec<_> = data.routes.iter().map(|route| &*route.route).collect();
        assert!(routes.contains(&"GET /products/{slug}"), "{routes:?}");
    }
}

#[test]
fn a_run_without_a_record_is_one_that_saw_nothing() {
    let results = results_of(vec![kept(b"")], RunInfo::default(), Timestamp(START));
    assert_eq!(results.ledger, LedgerData::default());
    assert_eq!(results.verdict.decision, Decision::Hold);
}

#[test]
fn a_record_that_is_not_understood_is_named() {
    for (key, value) in [
        ("run", "{"),
        ("counts GET /", "7"),
        ("trend 1 GET /", "{}"),
        ("other GET /", "{}"),
        ("else", "{}"),
    ] {
        let mut journal = Journal::default();
        journal
            .records
            .insert(key.into(), value.as_bytes().to_vec());
        let error = KeptRun::of(&journal).err().unwrap().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn requests_without_an_outcome_are_in_flight_and_the_ledger_adds_up() {
    let recorder = recorder();
    let mut random = Random(7);
    for number in 0..50 {
        ended(&recorder, &request(&mut random, number * 37));
        recorder.saw();
    }
    recorder.lost(3);
    let kept = kept(&frame(&recorder, true));
    let results = results_of(vec![kept], RunInfo::default(), Timestamp(START));
    assert_eq!(results.ledger.seen, 103);
    assert_eq!(results.ledger.in_flight(), 50);
    assert_eq!(results.ledger.outcomes["lost: ring full"], 3);
    for outcome in results.outcomes {
        let groups: u64 = outcome.groups.iter().map(|group| group.count).sum();
        let is_lost = outcome.outcome == "lost: ring full";
        assert!(groups == outcome.count || is_lost, "{outcome:?}");
    }
}

/// The first seconds are cold for each agent that sees some of them, and so they are for one that sees all.
fn at(number: u64) -> u64 {
    match number {
        0..20 => number,
        _ => 20_000 + number * 37,
    }
}

/// Without examples, of which each agent has its own.
fn without_examples(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("examples");
            members.values_mut().for_each(without_examples);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_examples),
        _ => {}
    }
}

#[test]
fn agents_on_several_hosts_say_together_what_one_would_have_said() {
    for seed in 1..=6 {
        let mut random = Random(seed);
        let hosts: Vec<Recorder> = (0..2 + random.below(3)).map(|_| recorder()).collect();
        let one = recorder();
        for number in 0..1_500 {
            let request = || request(&mut Random(seed * 10_000 + number + 1), at(number));
            let host = match number {
                0..20 => number % hosts.len() as u64,
                _ => random.below(hosts.len() as u64),
            };
            ended(&one, &request());
            ended(&hosts[host as usize], &request());
        }
        let read = |recorders: &[Recorder]| {
            let runs = recorders
                .iter()
                .map(|recorder| kept(&frame(recorder, true)));
            let results = results_of(runs.collect(), RunInfo::default(), Timestamp(START));
            let mut shown = shown(results);
            without_examples(&mut shown);
            shown
        };
        let (together, alone) = (read(&hosts), read(&[one]));
        assert_eq!(together["ledger"]["seen"], 1_500);
        assert_eq!(together, alone, "seed {seed}, {} hosts", hosts.len());
    }
}

#[test]
fn requests_that_were_handed_over_are_counted_once() {
    let (capturing, replaying) = (recorder(), recorder());
    let label = || label_at("GET", "/a", Timestamp(START));
    for number in 0..5 {
        capturing.saw();
        capturing.ended(&label(), None, &Outcome::HandedOver.into());
        if number < 3 {
            replaying.took_over();
            replaying.ended(&label(), None, &Outcome::ReplayTimeout.into());
        }
    }
    let runs = [&capturing, &replaying].map(|recorder| kept(&frame(recorder, true)));
    let results = results_of(runs.into(), RunInfo::default(), Timestamp(START));
    assert_eq!(results.ledger.seen, 5);
    let outcomes: Vec<_> = results.ledger.outcomes.into_iter().collect();
    let expect = [
        ("handed over".to_owned(), 2),
        ("replay: timeout".to_owned(), 3),
    ];
    assert_eq!(outcomes, expect);
}
