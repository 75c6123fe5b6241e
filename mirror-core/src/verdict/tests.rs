use super::*;
use crate::compare::{CompareOptions, compare};
use crate::exchange::{Fault, Response};

fn findings(outcomes: &[(Outcome, u64)]) -> Findings {
    let named = |(outcome, count): &(Outcome, u64)| (outcome.name().to_owned(), *count);
    Findings {
        outcomes: outcomes.iter().map(named).collect(),
        ..Findings::default()
    }
}

#[test]
fn every_decision_has_its_exit_code_and_name() {
    let codes = Decision::ALL.map(|decision| (decision.name(), decision.exit_code()));
    let expect = [("PASS", 0), ("FAIL", 1), ("INVALID", 3), ("HOLD", 4)];
    assert_eq!(codes, expect);
    assert!(
        codes.iter().all(|(_, code)| *code != NOT_STARTED),
        "2 is for what never started"
    );
}

#[test]
fn the_same_data_on_both_sides_is_evidence_and_other_data_is_not() {
    for basis in [Basis::NotGated, Basis::Snapshot, Basis::Replica] {
        assert!(basis.is_evidence(), "{basis:?}");
    }
    for basis in [Basis::NotRequired, Basis::Missing] {
        assert!(!basis.is_evidence(), "{basis:?}");
    }
}

fn ends(basis: Basis, production: Response, mirror: Response, expect: Outcome) {
    let comparison = compare(&CompareOptions::default(), &production, &mirror);
    assert_eq!(outcome(basis, &comparison, None), expect, "{basis:?}");
}

#[test]
fn whole_answers_match_or_differ_and_say_whether_that_is_evidence() {
    let (ok, error) = (|| Response::new(200), || Response::new(500));
    ends(Basis::Snapshot, ok(), ok(), Outcome::Matched);
    ends(Basis::Snapshot, ok(), error(), Outcome::Differed);
    let without = Outcome::MatchedWithoutSnapshot;
    ends(Basis::Missing, ok(), ok(), without);
    let without = Outcome::DifferedWithoutSnapshot;
    ends(Basis::NotRequired, ok(), error(), without);
}

#[test]
fn an_answer_that_is_not_whole_is_never_compared() {
    let faulty = |fault| Response {
        fault: Some(fault),
        ..Response::new(200)
    };
    let ok = || Response::new(200);
    let production = Outcome::NotComparedProductionTooLarge;
    let cases = [
        (
            ok(),
            faulty(Fault::TooLarge),
            Outcome::NotComparedMirrorTooLarge,
        ),
        (faulty(Fault::TooLarge), ok(), production),
        (
            faulty(Fault::TooLarge),
            faulty(Fault::TooLarge),
            Outcome::NotComparedProductionTooLarge,
        ),
        (faulty(Fault::Gap), ok(), Outcome::ReplayedWithoutBaseline),
        (
            faulty(Fault::Truncated),
            ok(),
            Outcome::ReplayedWithoutBaseline,
        ),
    ];
    for (ours, theirs, expect) in cases {
        ends(Basis::Snapshot, ours.clone(), theirs.clone(), expect);
        // A difference of the heads does not make the bodies whole.
        let theirs = Response {
            status: 500,
            ..theirs
        };
        ends(Basis::Missing, ours, theirs, expect);
    }
}

#[test]
fn a_comparison_of_heads_alone_names_what_was_too_large() {
    let comparison = Comparison {
        extent: Extent::Head(NotWhole::DecodedTooLarge),
        ..Comparison::default()
    };
    assert_eq!(
        outcome(Basis::Snapshot, &comparison, None),
        Outcome::NotComparedDecodedTooLarge
    );
}

#[test]
fn only_a_control_that_differs_alike_excuses_a_difference() {
    let (production, mirror) = (Response::new(200), Response::new(404));
    let options = CompareOptions::default();
    let differs = compare(&options, &production, &mirror);
    let same = compare(&options, &production, &production);
    let check = |comparison, control, expect| {
        let got = outcome(Basis::Snapshot, comparison, Some(control));
        assert_eq!(got, expect, "{control:?}");
    };
    check(&differs, ControlFinding::Alike, Outcome::DifferedAsControl);
    check(&differs, ControlFinding::Apart, Outcome::Differed);
    check(&differs, ControlFinding::Equal, Outcome::Differed);
    check(&same, ControlFinding::Apart, Outcome::Matched);
}

fn decides(findings: &Findings, decision: Decision, reason: &str) {
    let verdict = decide(findings);
    assert_eq!(verdict.decision, decision, "{findings:?}");
    assert_eq!(verdict.reason, reason);
}

#[test]
fn a_run_of_which_more_was_interrupted_than_compared_is_no_pass() {
    let cut =
        |interrupted| findings(&[(Outcome::Matched, 40), (Outcome::Interrupted, interrupted)]);
    decides(
        &cut(40),
        Decision::Pass,
        "40 requests were compared, and none differed",
    );
    let reason =
        "40 requests were compared, and none differed, but 41 were interrupted: too few for a pass";
    decides(&cut(41), Decision::Hold, reason);
}

#[test]
fn equal_answers_pass() {
    let found = findings(&[
        (Outcome::Matched, 3),
        (Outcome::FilteredMethod, 9),
        (Outcome::DifferedWithoutSnapshot, 2),
    ]);
    let reason = "3 requests were compared, and none differed";
    decides(&found, Decision::Pass, reason);
}

#[test]
fn a_difference_that_is_evidence_fails_the_run() {
    let found = Findings {
        differences: 4,
        ..findings(&[(Outcome::Matched, 5), (Outcome::Differed, 2)])
    };
    let reason = "2 of 7 compared requests differed";
    decides(&found, Decision::Fail, reason);
    // The head of an answer that is not whole.
    let found = Findings {
        differences: 1,
        ..findings(&[(Outcome::NotComparedMirrorTooLarge, 1)])
    };
    let reason = "status or headers of answers that are not whole differed";
    decides(&found, Decision::Fail, reason);
}

#[test]
fn a_run_that_failed_is_invalid_whatever_it_found() {
    for (outcome, differences) in [(Outcome::Matched, 0), (Outcome::Differed, 1)] {
        let found = Findings {
            differences,
            failure: Some("capture ended".into()),
            ..findings(&[(outcome, 1)])
        };
        decides(&found, Decision::Invalid, "capture ended");
    }
}

#[test]
fn nothing_compared_is_never_a_pass() {
    let none = findings(&[]);
    let reason = "nothing was compared: no request was seen";
    decides(&none, Decision::Hold, reason);
    let dead = findings(&[
        (Outcome::ReplayConnectFailed, 7),
        (Outcome::MatchedWithoutSnapshot, 2),
        (Outcome::FilteredMethod, 1),
    ]);
    let reason = "nothing was compared that is evidence: 7 of 10 requests ended as `replay: connect failed`: no connection to the mirror: check that it runs, and that --target is right";
    decides(&dead, Decision::Hold, reason);
    let equal = findings(&[(Outcome::SnapshotMissing, 2), (Outcome::ReplayTimeout, 2)]);
    let reason = "nothing was compared that is evidence: 2 of 4 requests ended as `replay: timeout`: the mirror's answer did not come in time: see to the mirror, or raise --replay-timeout";
    decides(&equal, Decision::Hold, reason);
}
