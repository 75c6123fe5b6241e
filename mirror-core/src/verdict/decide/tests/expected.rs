//! Intended changes, and rules that matched nothing.

use super::*;

/// What a run comes to whose answers were compared by these rules, `compared` times.
fn ruled(run: &mut Run, rules: &[&str], compared: u64, candidate: &str) {
    let given = CompareOptions {
        rules: rules
            .iter()
            .map(|rule| CompareRule::from_text(rule).unwrap())
            .collect(),
        ..CompareOptions::default()
    };
    run.evidence.set_rules(&given);
    let answer = |body: &str| Response {
        body: bytes::Bytes::copy_from_slice(body.as_bytes()).into(),
        ..Response::new(200)
    };
    let comparison = compare(&given, &answer(r#"{"a":1}"#), &answer(candidate));
    for _ in 0..compared {
        let mut used = RuleTally::default();
        used.count(&given, &comparison);
        run.evidence.used_rules(&used);
    }
}

#[test]
fn an_intended_change_that_is_absent_fails_the_run() {
    let rule = "expect added /currency";
    let check = |compared, candidate: &str, decision, reason: &str| {
        let mut run = Run::default();
        run.equal(USERS, 5_000);
        ruled(&mut run, &[rule], compared, candidate);
        let judgement = run.decide(&[]);
        assert_eq!(judgement.decision, decision, "{judgement:#?}");
        assert!(judgement.reason.starts_with(reason), "{}", judgement.reason);
        judgement
    };
    let (old, new) = (r#"{"a":1}"#, r#"{"a":1,"currency":"EUR"}"#);
    let failed = check(
        20,
        old,
        Decision::Fail,
        "the intended change `expect added /currency` was in none of 20 compared answers",
    );
    assert_eq!(failed.rules_met[0].scope, "all routes");
    let held = check(
        19,
        old,
        Decision::Hold,
        "the intended change `expect added /currency` was in none of 19 compared answers: 20 are needed",
    );
    assert_eq!(held.missing[0].needed, Some(20));
    let unseen = "no answer was compared that may have the intended change";
    check(0, old, Decision::Hold, unseen);
    check(1, new, Decision::Pass, "5,000 requests were judged");
}

#[test]
fn a_quick_look_fails_by_one_answer_without_an_intended_change() {
    let mut run = Run::default();
    run.equal(USERS, 1);
    ruled(&mut run, &["expect added /currency"], 1, r#"{"a":1}"#);
    let judgement = run.decide(&[("quick", "true")]);
    assert_eq!(judgement.decision, Decision::Fail);
    assert!(judgement.reason.ends_with("none of 1 compared answer"));
}

#[test]
fn rules_that_matched_nothing_are_named_and_their_evidence_adds_up() {
    let rules = ["ignore /b", "ignore /a"];
    let mut run = Run::default();
    run.equal(USERS, 5_000);
    ruled(&mut run, &rules, 3, r#"{"a":2}"#);
    let unused = |judgement: &Judgement| {
        let mut advice = judgement.advice.iter();
        advice
            .find(|line| line.contains("matched nothing"))
            .cloned()
    };
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    let line = unused(&judgement).unwrap();
    assert!(line.ends_with(": `ignore /b`"), "{line}");
    let mut other = Run::default();
    ruled(&mut other, &rules, 1, r#"{"a":1}"#);
    ruled(&mut other, &rules, 1, r#"{"a":1,"b":2}"#);
    run.evidence += &other.evidence;
    assert_eq!(unused(&run.decide(&[])), None);
    let pairs: Vec<u64> = run
        .evidence
        .rules()
        .iter()
        .map(|(_, count)| count.pairs)
        .collect();
    assert_eq!(pairs, [5, 5]);
}
