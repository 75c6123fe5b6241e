use super::*;
use crate::compare::{CompareOptions, compare};
use crate::exchange::{Fault, Response};

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
    let differs = comparison.differs();
    let got = outcome(basis, comparison.extent, differs, None);
    assert_eq!(got, expect, "{basis:?}");
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
    let extent = Extent::Head(NotWhole::DecodedTooLarge);
    let got = outcome(Basis::Snapshot, extent, false, None);
    assert_eq!(got, Outcome::NotComparedDecodedTooLarge);
}

#[test]
fn only_a_control_that_differs_alike_excuses_a_difference() {
    let check = |differs, control, expect| {
        let got = outcome(Basis::Snapshot, Extent::Whole, differs, Some(control));
        assert_eq!(got, expect, "{control:?}");
    };
    check(true, ControlFinding::Alike, Outcome::DifferedAsControl);
    check(true, ControlFinding::Apart, Outcome::Differed);
    check(true, ControlFinding::Equal, Outcome::Differed);
    check(false, ControlFinding::Apart, Outcome::Matched);
}
