//! Errors, times and caches.

use super::*;

#[test]
fn errors_that_the_candidate_adds_fail_the_run() {
    let mut run = Run::default();
    run.equal(USERS, 3_000);
    let error = Answers {
        status: Some((200, 503)),
        ..Answers::default()
    };
    run.judges(USERS, 120, &error);
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Fail, "{}", judgement.reason);
    assert_eq!(judgement.rules_met[0].rule, "error-rate > +0.5%");
    assert!(judgement.reason.contains("3.85 %"), "{}", judgement.reason);
}

#[test]
fn a_candidate_that_does_not_answer_is_no_pass_and_fails_when_it_is_often() {
    // All the time, as many in each minute.
    let run = |times: u64, answered| {
        let mut run = Run::default();
        for _ in 0..times {
            run.equal(USERS, answered)
                .ends(USERS, Outcome::ReplayFailed, 1);
        }
        run.decide(&[])
    };
    let some = run(9, 1_000);
    assert_eq!(some.decision, Decision::Hold, "{}", some.reason);
    assert!(some.reason.contains("have no answer"), "{}", some.reason);
    let many = run(300, 30);
    assert_eq!(many.decision, Decision::Fail, "{}", many.reason);
    assert!(many.reason.contains("5xx or missing"), "{}", many.reason);
    // A mirror that is not there says nothing of the new version.
    let mut gone = Run::default();
    gone.ends(USERS, Outcome::ReplayFailed, 300);
    assert_eq!(gone.decide(&[]).decision, Decision::Hold);
}

#[test]
fn times_and_caches_fail_the_run_only_where_a_rule_says_so() {
    let mut random = Random::new(8);
    let mut run = Run::default();
    for _ in 0..5_000 {
        let control = 10.0 * (0.3 * random.normal()).exp();
        let candidate = 14.0 * (0.3 * random.normal()).exp();
        let cache = CacheHits {
            candidate: Some(random.chance(0.6)),
            control: Some(random.chance(0.8)),
            production: None,
        };
        run.judges(
            USERS,
            1,
            &Answers {
                times: Some((candidate, control)),
                cache,
                ..Answers::default()
            },
        );
    }
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    let advice = judgement.advice.join("\n");
    for part in ["half of the answers", "the p95 of", "come from a cache"] {
        assert!(advice.contains(part), "{advice}");
    }
    let check = |rule: &str, part: &str| {
        let judgement = run.decide(&[("fail-on", rule)]);
        assert_eq!(
            judgement.decision,
            Decision::Fail,
            "{rule}: {}",
            judgement.reason
        );
        assert!(
            judgement.reason.contains(part),
            "{rule}: {}",
            judgement.reason
        );
    };
    check(
        "p50 > +5%",
        "half of the answers on GET /users/{id} take at least 3",
    );
    check("p95 > +10%", "the p95 of GET /users/{id} is 2");
    check("cache-hit < -5%", "come from a cache, and 8");
    let open = run.decide(&[("fail-on", "p99 > +40%")]);
    assert_eq!(open.decision, Decision::Hold);
    assert_eq!(
        open.reason,
        "`p99 > +40%` is not ruled out on GET /users/{id} by 5,000 requests"
    );
    assert_eq!(
        run.decide(&[("fail-on", "p50 > +60%")]).decision,
        Decision::Pass
    );
    let mut alone = Run::default();
    let reason = alone
        .equal(USERS, 5_000)
        .decide(&[("fail-on", "p99 > +10%")])
        .reason;
    assert_eq!(
        reason,
        "`p99 > +10%` on GET /users/{id}: it takes a control"
    );
}
