//! Real differences, those of nature, and what is undecided.

use super::*;

#[test]
fn a_real_difference_fails_the_run_though_most_is_missing() {
    let mut run = Run::default();
    run.equal(USERS, 600);
    run.judges(
        USERS,
        20,
        &Answers::differ("/name", Kind::Missing).and_again(),
    );
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Fail);
    let start =
        "20 answers really differ at GET /users/{id} body /name (missing, breaking): at least 1";
    assert!(judgement.reason.starts_with(start), "{}", judgement.reason);
    let finding = &judgement.findings[0];
    assert_eq!((finding.informative, finding.candidate_odd), (20, 20));
}

#[test]
fn a_difference_that_comes_too_rarely_is_undecided_and_never_hidden() {
    let mut run = Run::default();
    run.equal(USERS, 8_000);
    run.judges(USERS, 9, &Answers::differ("/name", Kind::Value).and_again());
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Hold);
    assert!(judgement.findings.is_empty());
    assert_eq!(judgement.undecided[0].needed, Some(11));
    assert!(
        judgement
            .reason
            .contains("(9 differ, and the limit is 0.1 %)"),
        "{}",
        judgement.reason
    );
}

#[test]
fn values_fail_above_their_limit_only() {
    // Real for sure, and 0.05 % of the requests.
    let mut run = Run::default();
    run.equal(USERS, 60_000);
    run.judges(
        USERS,
        30,
        &Answers::differ("/name", Kind::Value).and_again(),
    );
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    assert_eq!(judgement.undecided.len(), 1);
    let strict = run.decide(&[("fail-on", "value > 0")]);
    assert_eq!(strict.decision, Decision::Fail);
}

#[test]
fn what_the_policy_does_not_fail_on_is_noted() {
    let mut run = Run::default();
    run.equal(USERS, 5_000);
    run.judges(
        USERS,
        100,
        &Answers::differ("/more", Kind::Added).and_again(),
    );
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    assert_eq!(judgement.noted[0].place, Place::Json("/more".into()));
    assert_eq!(
        run.decide(&[("fail-on", "added > 0")]).decision,
        Decision::Fail
    );
}

#[test]
fn a_place_that_varies_by_nature_does_not_stand_in_the_way() {
    let mut run = Run::default();
    run.equal(USERS, 4_000);
    let noise = Answers::differ("/flag", Kind::Value);
    for _ in 0..100 {
        run.judges(USERS, 1, &noise.clone().and_again());
        run.judges(USERS, 1, &noise.clone().and_not_again());
    }
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    assert_eq!(judgement.routes[0].varying, 1);
}

#[test]
fn a_fault_that_comes_and_goes_is_no_pass_without_a_control() {
    let mut run = Run::default();
    run.equal(USERS, 8_000);
    run.judges(
        USERS,
        40,
        &Answers::differ("/name", Kind::Missing).and_not_again(),
    );
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Hold);
    assert!(judgement.undecided[0].is_unsteady);
    assert!(
        judgement.reason.contains("comes and goes"),
        "{}",
        judgement.reason
    );
}

#[test]
fn a_control_that_differs_alike_takes_the_blame_off_the_candidate() {
    let mut run = Run::default();
    run.judges(
        USERS,
        4_000,
        &Answers {
            control: Some(Vec::new()),
            ..Answers::default()
        },
    );
    let alike = Answers::differ("/stock", Kind::Value);
    let alike = Answers {
        control: Some(alike.candidate.clone()),
        ..alike
    };
    run.judges(USERS, 500, &alike);
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    let odd = Answers {
        control: Some(Vec::new()),
        ..Answers::differ("/stock", Kind::Value)
    };
    run.judges(USERS, 40, &odd);
    assert_eq!(run.decide(&[]).decision, Decision::Fail);
}

#[test]
fn what_noise_explains_and_only_the_candidate_shows_is_undecided() {
    let found = [observation("/note", Kind::Value, "new")];
    let mut run = Run::default();
    run.equal(USERS, 9_000);
    let explained = |candidate: &'static [Observation], control: &'static [Observation]| {
        move |run: &mut Run| {
            let request = run.request(USERS);
            run.evidence.ended(&request, Outcome::Matched);
            let varying = |varying| Differences {
                varying,
                ..Differences::default()
            };
            run.evidence.observe(&Trial {
                route: USERS,
                at: request.at,
                request: None,
                production_status: 200,
                candidate_status: 200,
                candidate: varying(candidate),
                control: Some(Control {
                    status: 200,
                    differences: varying(control),
                }),
                repeat: None,
                durations: AnswerDurations::default(),
                cache: CacheHits::default(),
            });
        }
    };
    let found: &'static [Observation] = Vec::from(found).leak();
    explained(&[], found)(&mut run);
    (0..18).for_each(|_| explained(found, &[])(&mut run));
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Hold, "{}", judgement.reason);
    assert_eq!(judgement.undecided[0].differed, 18);
}
