//! Places with values only: candidate and control each have one of their own, and no toss says which of them is the odd one.

use super::*;

/// Production, candidate and control have these values at a place that is known to vary.
fn judge_values(run: &mut Run, kind: Kind, values: [&str; 3], has_control: bool) {
    let [candidate, control] = [values[1], values[2]].map(|mirror| {
        let pair = [values[0], mirror];
        (mirror != values[0]).then_some(pair)
    });
    judge(run, kind, candidate, has_control.then_some(control));
}

/// Candidate and control, each beside production.
fn judge_pairs(run: &mut Run, kind: Kind, [candidate, control]: [Option<[&str; 2]>; 2]) {
    judge(run, kind, candidate, Some(control));
}

fn judge(
    run: &mut Run,
    kind: Kind,
    candidate: Option<[&str; 2]>,
    control: Option<Option<[&str; 2]>>,
) {
    let request = run.request(USERS);
    run.evidence.ended(&request, Outcome::Matched);
    let found = |pair: Option<[&str; 2]>| -> Vec<Observation> {
        let one = pair.map(|[production, mirror]| Observation {
            production: production.into(),
            ..observation("/value", kind, mirror)
        });
        Vec::from_iter(one)
    };
    let has_control = control.is_some();
    let (candidate, control) = (found(candidate), found(control.flatten()));
    let explained = |list| match kind {
        Kind::Value => Differences {
            varying: list,
            ..Differences::default()
        },
        _ => differences(list),
    };
    run.evidence.observe(&Trial {
        route: USERS,
        at: request.at,
        request: None,
        production_status: 200,
        candidate_status: 200,
        candidate: explained(&candidate),
        control: has_control.then(|| Control {
            status: 200,
            differences: explained(&control),
        }),
        repeat: None,
        durations: AnswerDurations::default(),
        cache: CacheHits::default(),
    });
}

/// How noise names production's number and another one, where a place has many.
fn ranked(production: f64, other: f64) -> [&'static str; 2] {
    use crate::noise::{HIGHER, LOWER};
    match production < other {
        true => [LOWER, HIGHER],
        false => [HIGHER, LOWER],
    }
}

#[test]
fn a_hosts_name_and_a_counter_of_each_process_fail_and_hold_no_run_with_a_control() {
    let mut run = Run::default();
    for n in 0..9_000 {
        judge_values(&mut run, Kind::Value, ["web-1", "web-2", "web-3"], true);
        // The control was started last, and production first.
        let counts = [9_000 + n, 500 + n, n].map(|count| count.to_string());
        let counts = [&*counts[0], &*counts[1], &*counts[2]];
        judge_values(&mut run, Kind::Value, counts, true);
    }
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
}

#[test]
fn numbers_that_grew_fail_the_run_with_a_control_and_the_same_numbers_do_not() {
    let mut random = Random::new(41);
    for (shift, decision) in [(0.5, Decision::Fail), (0.0, Decision::Pass)] {
        let mut run = Run::default();
        for _ in 0..9_000 {
            let [production, candidate, control] =
                [0.0, shift, 0.0].map(|shift| random.normal() + shift);
            let sides = [candidate, control].map(|number| ranked(production, number));
            judge_pairs(&mut run, Kind::Distribution, sides.map(Some));
        }
        let judgement = run.decide(&[]);
        assert_eq!(judgement.decision, decision, "{}", judgement.reason);
        for finding in &judgement.findings {
            // With a shift of half a deviation the candidate is above production in 64 %, and the control in 50 %.
            assert!((0.08..0.14).contains(&finding.at_least), "{finding:?}");
        }
    }
}

#[test]
fn without_a_control_other_shares_of_few_values_fail_the_run() {
    let mut random = Random::new(42);
    let mut run = Run::default();
    let tier = |is_b| if is_b { "B" } else { "A" };
    for _ in 0..9_000 {
        let values = [0.1, 0.6].map(|share| tier(random.chance(share)));
        judge_values(
            &mut run,
            Kind::Distribution,
            [values[0], values[1], ""],
            false,
        );
    }
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Fail, "{}", judgement.reason);
    let at_least = judgement.findings[0].at_least;
    assert!((0.4..=0.5).contains(&at_least), "{at_least}");
}

#[test]
fn without_a_control_other_numbers_are_noted_and_neither_fail_nor_hold_the_run() {
    let mut run = Run::default();
    for n in 0..9_000 {
        // The mirror's machine is slower in two of three requests.
        let (lower, higher) = (crate::noise::LOWER, crate::noise::HIGHER);
        let values = match n % 3 {
            0 => [higher, lower, ""],
            _ => [lower, higher, ""],
        };
        judge_values(&mut run, Kind::Distribution, values, false);
    }
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Pass, "{}", judgement.reason);
    let noted = &judgement.noted[0];
    assert_eq!(noted.kind, Kind::Distribution);
    assert!((0.2..=0.34).contains(&noted.at_least), "{noted:?}");
    assert!(noted.e_value > 1e6, "{noted:?}");
    assert!(judgement.undecided.is_empty());
}
