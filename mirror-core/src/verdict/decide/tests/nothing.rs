//! Runs that say little or nothing are never a PASS.

use super::*;

#[test]
fn nothing_compared_all_refused_and_all_errors_are_never_a_pass() {
    let mut run = Run::default();
    run.check(Decision::Hold, "nothing was compared: no request was seen");
    run.ends(USERS, Outcome::SnapshotMissing, 9_000);
    run.check(
        Decision::Hold,
        "nothing was compared that is evidence: 9,000 of 9,000 requests ended as `snapshot: missing`: production filed no snapshot for it in time: check that the service files snapshots for this route, raise --snapshot-wait, or name the route with --no-snapshot",
    );
    assert_eq!(run.decide(&[("quick", "true")]).decision, Decision::Hold);
    for (status, word) in [((401, 401), "401"), ((404, 404), "error")] {
        let mut run = Run::default();
        run.judges(
            USERS,
            9_000,
            &Answers {
                status: Some(status),
                ..Answers::default()
            },
        );
        let judgement = run.decide(&[]);
        assert_eq!(judgement.decision, Decision::Hold);
        assert!(judgement.reason.contains(word), "{}", judgement.reason);
    }
}

#[test]
fn more_interrupted_than_judged_is_no_pass() {
    let mut run = Run::default();
    run.equal(USERS, 5_000)
        .ends(USERS, Outcome::Interrupted, 5_001);
    run.check(
        Decision::Hold,
        "5,001 requests were interrupted, and 5,000 judged",
    );
}

#[test]
fn an_admitted_route_without_a_judged_request_holds_and_a_filtered_one_is_named() {
    let mut run = Run::default();
    run.equal(USERS, 5_000)
        .ends("DELETE /users/{id}", Outcome::FilteredMethod, 5_000);
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    let uncovered = &judgement.coverage[0];
    assert_eq!(
        (uncovered.route.as_str(), uncovered.traffic),
        ("DELETE /users/{id}", 0.5)
    );
    assert_eq!(uncovered.outcome, "filtered: method");
    let named = run.decide(&[("fail-on", "DELETE /users/* => value > 1%")]);
    assert_eq!(named.decision, Decision::Hold);
    assert!(
        named.reason.contains("nothing was judged of DELETE"),
        "{}",
        named.reason
    );
}

#[test]
fn routes_that_need_no_snapshot_are_no_losses() {
    let mut run = Run::default();
    run.equal(USERS, 9_000)
        .ends("GET /static/{slug}", Outcome::MatchedWithoutSnapshot, 500)
        .ends(USERS, Outcome::NotComparedNotModified, 500);
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    assert_eq!(judgement.coverage[0].route, "GET /static/{slug}");
}

#[test]
fn a_quick_look_at_refusals_is_no_pass() {
    let mut run = Run::default();
    let refused = Answers {
        status: Some((401, 401)),
        ..Answers::default()
    };
    run.judges(USERS, 300, &refused);
    let judgement = run.decide(&[("quick", "true")]);
    assert_eq!(judgement.decision, Decision::Hold, "{}", judgement.reason);
}
