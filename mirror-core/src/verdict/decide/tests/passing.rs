//! What a PASS has to show, and what it says.

use super::*;

#[test]
fn enough_equal_answers_pass_and_say_what_would_have_been_found() {
    let mut run = Run::default();
    run.equal(USERS, 4_103).check(
        Decision::Hold,
        "4,103 of 4,104 needed on GET /users/{id}, about 1 second more",
    );
    run.equal(USERS, 1).check(
        Decision::Pass,
        "4,104 requests were judged: a change hitting more than 0.1 % of GET /users/{id} would have been found with 95 %",
    );
}

#[test]
fn a_route_that_lacks_requests_is_named_with_how_many_and_how_long() {
    let mut run = Run::default();
    run.equal(USERS, 5_000).equal(ORDERS, 1_912);
    run.check(
        Decision::Hold,
        "1,912 of 4,104 needed on POST /orders, about 3 hours more",
    );
    let missing = &run.decide(&[]).missing[0];
    assert_eq!((missing.have, missing.needed), (1_912, Some(4_104)));
}

#[test]
fn small_routes_are_judged_together_and_a_named_one_alone() {
    let mut run = Run::default();
    run.equal(USERS, 50_000);
    for index in 0..10 {
        run.equal(&format!("GET /rare/{index}"), 450);
    }
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    let scopes: Vec<_> = judgement
        .routes
        .iter()
        .map(|route| route.scope.as_str())
        .collect();
    assert_eq!(scopes, [USERS, "the other routes"]);
    let named = run.decide(&[("fail-on", "GET /rare/3 => value > 0.2%")]);
    assert_eq!(named.decision, Decision::Hold);
    assert!(named.reason.starts_with("450 of "), "{}", named.reason);
    assert!(named.reason.contains("GET /rare/3"), "{}", named.reason);
}

#[test]
fn a_quick_look_ends_by_what_was_seen_and_promises_nothing() {
    let mut run = Run::default();
    run.equal(USERS, 300);
    let quick = [("quick", "true")];
    let judgement = run.decide(&quick);
    assert_eq!(judgement.decision, Decision::Pass);
    assert_eq!(
        judgement.reason,
        "a quick look, which promises nothing: no difference in 300 requests"
    );
    run.judges(USERS, 1, &Answers::differ("/name", Kind::Value));
    assert_eq!(run.decide(&quick).decision, Decision::Fail);
    assert_eq!(run.decide(&[]).decision, Decision::Hold);
}

#[test]
fn without_a_control_the_two_cures_are_named() {
    let mut run = Run::default();
    run.equal(USERS, 5_000);
    let advice = run.decide(&[]).advice;
    assert!(
        advice[0].contains("snapshots") && advice[0].contains("--control"),
        "{advice:?}"
    );
    let mut run = Run::default();
    run.judges(
        USERS,
        5_000,
        &Answers {
            control: Some(Vec::new()),
            ..Answers::default()
        },
    );
    assert!(run.decide(&[]).advice.is_empty());
}
