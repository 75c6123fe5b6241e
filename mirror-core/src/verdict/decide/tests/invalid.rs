//! Runs that cannot be relied on, whatever they found.

use super::*;

#[test]
fn what_was_lost_on_one_route_makes_the_run_invalid() {
    let mut run = Run::default();
    for _ in 0..500 {
        run.equal(USERS, 10)
            .equal(ORDERS, 5)
            .ends(ORDERS, Outcome::ReplayTimeout, 5);
    }
    let judgement = run.decide(&[]);
    assert_eq!(
        judgement.decision,
        Decision::Invalid,
        "{}",
        judgement.reason
    );
    assert!(
        judgement.reason.contains("50 % of 5,000 requests with"),
        "{}",
        judgement.reason
    );
    assert!(judgement.reason.contains("POST"), "{}", judgement.reason);
    assert!(!judgement.uneven.is_empty());
}

#[test]
fn a_run_that_cannot_be_relied_on_is_invalid_whatever_it_found() {
    let check = |spoil: &dyn Fn(&mut Evidence), part: &str| {
        let mut run = Run::default();
        run.equal(USERS, 5_000);
        run.judges(
            USERS,
            30,
            &Answers::differ("/name", Kind::Missing).and_again(),
        );
        spoil(&mut run.evidence);
        let judgement = run.decide(&[]);
        assert_eq!(judgement.decision, Decision::Invalid, "{part}");
        assert!(judgement.reason.contains(part), "{}", judgement.reason);
        assert_eq!(judgement.findings.len(), 1, "what was found is still shown");
    };
    check(&|evidence| evidence.fail("capture ended"), "capture ended");
    check(
        &|evidence| {
            evidence.runs(Side::Production, "v1");
            evidence.runs(Side::Production, "v1.1");
        },
        "production ran several builds during the run: `v1`, `v1.1`",
    );
    check(
        &|evidence| {
            evidence.runs(Side::Candidate, "v2");
            evidence.runs(Side::Candidate, "v2-hotfix");
        },
        "the candidate ran several builds during the run: `v2`, `v2-hotfix`",
    );
    check(
        &|evidence| {
            evidence.runs(Side::Control, "v1");
            evidence.runs(Side::Control, "v2");
        },
        "the control ran several builds during the run: `v1`, `v2`",
    );
    check(
        &|evidence| {
            (0..100).for_each(|i| evidence.production_answered(if i < 6 { 500 } else { 200 }))
        },
        "production itself failed: 6 % of its answers were 5xx",
    );
}

#[test]
fn a_version_that_differs_from_itself_too_often_makes_the_run_invalid() {
    let mut run = Run::default();
    run.equal(USERS, 60);
    run.judges(
        USERS,
        60,
        &Answers::differ("/flag", Kind::Value).and_not_again(),
    );
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Invalid);
    assert!(
        judgement
            .reason
            .starts_with("60 of 120 answers of the same version"),
        "{}",
        judgement.reason
    );
}

#[test]
fn a_build_that_the_user_names_counts_where_no_answer_says_it() {
    let mut run = Run::default();
    run.equal(USERS, 5_000);
    run.evidence.is_said_to_run(Side::Candidate, "release 2");
    run.evidence.is_said_to_run(Side::Production, "release 1");
    run.evidence.runs(Side::Production, "1.0.7");
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    let builds = judgement.builds;
    assert_eq!(builds.candidate.first().unwrap(), "release 2");
    assert_eq!(builds.production.first().unwrap(), "1.0.7");
    assert!(builds.control.is_empty());
}
