use mirror_core::compare::{CompareRule, RuleTally, compare};
use mirror_core::exchange::Response;
use mirror_core::options::FromText;
use mirror_core::verdict::{Basis, Decision, MirrorAnswer};

use mirror_core::ledger::Outcome;
use mirror_core::session::{CarryPlace, Replaced};

use super::counts::MAX_STATES;
use super::*;
use crate::report::pair::SaidOfRun;
use crate::report::pair::tests::pair;
use crate::report::request::tests::label;
use crate::report::{Extent, OTHER, report_text};

/// One that decides by what it sees, however little.
fn recorder() -> Recorder {
    let recorder = Recorder::new(RunInfo::default());
    let policy = VerdictPolicy {
        quick: true,
        ..VerdictPolicy::default()
    };
    recorder.decide_by(&policy, &CompareOptions::default());
    recorder
}

fn json(status: u16, body: String) -> Response {
    Response {
        body: bytes::Bytes::from(body).into(),
        ..Response::new(status)
    }
}

fn ended(recorder: &Recorder, path: &str, end: End) {
    recorder.saw();
    recorder.ended(&label("GET", path), None, &end);
}

fn judged(recorder: &Recorder, path: &str, production: &Response, mirror: &Response) {
    let comparison = compare(&CompareOptions::default(), production, mirror);
    let pair = pair(Basis::Snapshot, comparison);
    ended(recorder, path, End::judged(pair));
}

#[test]
fn every_outcome_has_its_count_route_and_example() {
    let recorder = recorder();
    for outcome in Outcome::ALL {
        ended(&recorder, "/users/7", (*outcome).into());
    }
    let results = recorder.results(CaptureCounters::default());
    assert_eq!(results.outcomes.len(), Outcome::ALL.len());
    for outcome in &results.outcomes {
        assert_eq!(outcome.count, 1, "{outcome:?}");
        assert!(!outcome.meaning.is_empty(), "{outcome:?}");
        let group = &outcome.groups[0];
        assert_eq!((group.route.as_str(), group.count), ("GET /users/{id}", 1));
        assert_eq!(group.examples[0].request.request, "GET /users/7");
    }
}

#[test]
fn one_noisy_field_in_lists_is_one_group_and_a_status_comes_first() {
    let recorder = recorder();
    let list = |side: &str| {
        let item = |n| format!(r#"{{"id":{n},"trace":"{side}{n}"}}"#);
        let items: Vec<String> = (0..100).map(item).collect();
        json(200, format!(r#"{{"items":[{}]}}"#, items.join(",")))
    };
    for n in 0..50 {
        judged(&recorder, &format!("/list/l{n}x"), &list("p"), &list("m"));
    }
    let (ok, error) = (json(200, "{}".into()), json(500, "{}".into()));
    judged(&recorder, "/regression", &ok, &error);
    let results = recorder.results(CaptureCounters::default());
    let first = &results.differences[0];
    assert_eq!(
        (first.route.as_str(), first.place.as_str()),
        ("GET /regression", "status")
    );
    assert_eq!(first.count, 1);
    let noisy: Vec<_> = results.differences[1..].iter().collect();
    assert!(
        noisy
            .iter()
            .all(|group| group.place == "body /items/*/trace")
    );
    assert_eq!(noisy.iter().map(|group| group.count).sum::<u64>(), 50);
    assert_eq!(results.verdict.decision, Decision::Fail);
    assert_eq!(results.differences_dropped, 0);
}

#[test]
fn routes_with_names_in_their_paths_become_one() {
    let recorder = recorder();
    for n in 0..620 {
        let mirror = json(200, if n > 600 { "b" } else { "a" }.into());
        let path = format!("/products/shoe-{n}-x");
        judged(&recorder, &path, &json(200, "a".into()), &mirror);
    }
    let results = recorder.results(CaptureCounters::default());
    assert_eq!(results.routes.len(), 1, "{:#?}", results.routes);
    let route = &results.routes[0];
    assert_eq!(route.route, "GET /products/{slug}");
    assert_eq!((route.compared, route.differed), (620, 19));
    assert_eq!((route.same.bodies, route.different.bodies), (601, 19));
    assert_eq!(route.mirror_ms.count, 620);
    assert_eq!(route.mirror_cache.hits, 620);
    assert_eq!(results.differences.len(), 1);
    assert_eq!(results.differences[0].count, 19);
    let matched = &results.outcomes[0];
    assert_eq!((matched.groups.len(), matched.groups[0].count), (1, 601));
}

#[test]
fn what_is_no_evidence_decides_nothing() {
    let recorder = recorder();
    let (ok, error) = (json(200, "{}".into()), json(500, "{}".into()));
    let comparison = compare(&CompareOptions::default(), &ok, &error);
    let end = End::judged(pair(Basis::Missing, comparison));
    ended(&recorder, "/a", end);
    let results = recorder.results(CaptureCounters::default());
    assert_eq!(results.verdict.decision, Decision::Hold);
    assert!(!results.differences[0].is_evidence);
}

#[test]
fn clients_that_are_not_logged_in_are_the_headline() {
    let recorder = recorder();
    let (ok, refused) = (json(200, "{}".into()), json(401, "{}".into()));
    for n in 0..5 {
        let comparison = compare(&CompareOptions::default(), &ok, &refused);
        let mut pair = pair(Basis::NotGated, comparison);
        pair.mirror_answer = MirrorAnswer::of(&refused);
        ended(&recorder, "/me", End::judged(pair));
        let headline = recorder.results(CaptureCounters::default()).headline;
        assert_eq!(headline.is_some(), n == 4, "{headline:?}");
    }
    let report = recorder.finish(CaptureCounters::default());
    let first = report_text(&report, Extent::Screen, None);
    assert!(
        first.starts_with("production's clients are not logged in"),
        "{first}"
    );
}

#[test]
fn replacements_are_counted_by_their_place() {
    let recorder = recorder();
    let replaced = |n: usize| Replaced {
        place: CarryPlace::Cookie(format!("c{n}")),
        from: "‹9 characters›".into(),
        to: "‹7 characters›".into(),
        learnt_from: "POST /login cookie:c".into(),
    };
    for n in 0..MAX_STATES + 3 {
        recorder.replaced(&[replaced(n), replaced(0)]);
    }
    let places = recorder.results(CaptureCounters::default()).carried.places;
    assert_eq!(
        places["cookie:c0 from POST /login cookie:c"],
        MAX_STATES as u64 + 4
    );
    assert_eq!(places[OTHER], 3);
}

#[test]
fn a_failed_run_is_invalid_for_its_first_reason() {
    let recorder = recorder();
    recorder.fail("first".into());
    recorder.fail("second".into());
    let report = recorder.finish(CaptureCounters::default());
    assert_eq!(report.results.failed.as_deref(), Some("first"));
    assert_eq!(report.results.verdict.decision, Decision::Invalid);
}

#[test]
fn a_build_that_changes_and_an_intended_change_that_is_absent_decide_the_run() {
    let options = CompareOptions {
        rules: vec![CompareRule::from_text("expect added /currency").unwrap()],
        ..CompareOptions::default()
    };
    let recorder = recorder();
    let policy = VerdictPolicy {
        quick: true,
        ..VerdictPolicy::default()
    };
    recorder.decide_by(&policy, &options);
    let judged = |build: &str| {
        let answer = json(200, "{}".into());
        let comparison = compare(&options, &answer, &answer);
        let mut rules = RuleTally::default();
        rules.count(&options, &comparison);
        let said = SaidOfRun {
            rules,
            builds: vec![(Side::Candidate, build.into())],
        };
        let pair = pair(Basis::Snapshot, comparison).saying(said);
        ended(&recorder, "/a", End::judged(pair));
        recorder.results(CaptureCounters::default())
    };
    let results = judged("v2");
    assert_eq!(results.verdict.decision, Decision::Fail);
    assert!(results.verdict.reason.contains("`expect added /currency`"));
    let unused: Vec<_> = results.rules.unmatched().collect();
    assert_eq!(unused, ["expect added /currency"]);
    let results = judged("v3");
    assert_eq!(results.verdict.decision, Decision::Invalid);
    assert!(results.verdict.reason.contains("`v2`, `v3`"));
    // The rule is taken back.
    recorder.decide_by(&policy, &CompareOptions::default());
    let results = recorder.results(CaptureCounters::default());
    assert_eq!(results.verdict.rules_met, []);
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let recorder = recorder();
    let (ok, error) = (json(200, "{}".into()), json(500, "{}".into()));
    judged(&recorder, "/a", &ok, &error);
    ended(
        &recorder,
        "/b",
        End::because(Outcome::ReplayFailed, "reset"),
    );
    let mut counters = CaptureCounters::default();
    counters.dissect.http.tls_ports.add(443);
    counters.capture.insert("copied".into(), 7);
    let report = recorder.finish(counters);
    let text = serde_json::to_string(&report).unwrap();
    let read: ReportData = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
}

#[test]
fn names_that_are_data_are_no_rows_of_their_own() {
    let recorder = recorder();
    let scores = |number: usize, points: usize| {
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        let name: String = [letter(number), letter(number / 26), 'x'].iter().collect();
        json(200, format!(r#"{{"scores":{{"{name}":{points}}}}}"#))
    };
    for number in 0..200 {
        let (ours, theirs) = (scores(number, 1), scores(number, 2));
        judged(&recorder, "/scores", &ours, &theirs);
    }
    let results = recorder.results(CaptureCounters::default());
    let rows: Vec<_> = results
        .differences
        .iter()
        .map(|row| (&*row.place, row.count))
        .collect();
    assert_eq!(rows, [("body /scores/{*}", 200)]);
}
