//! Neither order nor parts of the evidence change a judgement.

use super::*;

/// Requests with all that a run may see, in some order.
fn mixed(random: &mut Random, n: usize) -> Vec<(&'static str, Answers)> {
    let routes = [USERS, ORDERS, "GET /items"];
    let kinds = [Kind::Value, Kind::Missing, Kind::Added, Kind::Type];
    (0..n)
        .map(|_| {
            let route = routes[(random.next() % 3) as usize];
            let place = format!("/{}", random.next() % 6);
            let answers = Answers::differ(&place, kinds[(random.next() % 4) as usize]);
            let answers = match random.next() % 6 {
                0 => answers.and_again(),
                1 => answers.and_not_again(),
                2 => Answers {
                    control: Some(answers.candidate.clone()),
                    ..answers
                },
                3 => Answers {
                    control: Some(Vec::new()),
                    ..answers
                },
                _ => Answers::default(),
            };
            (route, answers)
        })
        .collect()
}

#[test]
fn neither_order_nor_parts_change_the_judgement() {
    let mut random = Random::new(9);
    let mut requests: Vec<_> = mixed(&mut random, 3_000).into_iter().enumerate().collect();
    let observe = |requests: &[(usize, (&str, Answers))]| {
        let mut run = Run::default();
        for (index, (route, answers)) in requests {
            run.at = *index as u64 * SECOND;
            run.judge(route, answers);
        }
        run.evidence
    };
    let expect = observe(&requests);
    let end = Timestamp(3_000 * SECOND);
    let judgement = decide(&expect, &policy(&[]), end);
    for _ in 0..3 {
        random.shuffle(&mut requests);
        let (first, second) = requests.split_at(requests.len() / 3);
        let mut sum = observe(first);
        sum += &observe(second);
        assert_eq!(sum, expect);
        assert_eq!(observe(&requests), expect);
        assert_eq!(decide(&sum, &policy(&[]), end), judgement);
    }
}

#[test]
fn evidence_that_was_written_and_read_decides_alike() {
    let mut run = Run::default();
    let mut random = Random::new(4);
    for (route, answers) in mixed(&mut random, 500) {
        run.judge(route, &answers);
    }
    let text = serde_json::to_string(&run.evidence).unwrap();
    let read: Evidence = serde_json::from_str(&text).unwrap();
    assert_eq!(read, run.evidence);
    let judgement = run.decide(&[]);
    let text = serde_json::to_string(&judgement).unwrap();
    assert_eq!(
        serde_json::from_str::<Judgement>(&text).unwrap().reason,
        judgement.reason
    );
}

#[test]
fn noise_on_the_same_scale_fails_no_run_and_leaves_a_change_to_be_found() {
    // One version: at each place, an answer is another one now and then, whoever gives it.
    let mut random = Random::new(21);
    let mut failed = 0;
    let (mut found, mut wrong) = (0, 0);
    for index in 0..60 {
        let is_changed = index % 2 == 1;
        let mut run = Run::default();
        for request in 0..600_u32 {
            let mut answers = Answers {
                control: Some(Vec::new()),
                ..Answers::default()
            };
            for place in 0..20 {
                let p = 0.02 * f64::from(place);
                let place = format!("/{place}");
                // What production says now and then, both others see as a difference.
                let [production, candidate, control] = [(); 3].map(|()| random.chance(p));
                let seen = |other: bool| {
                    (production != other).then(|| observation(&place, Kind::Value, "new"))
                };
                answers.candidate.extend(seen(candidate));
                answers.control.as_mut().unwrap().extend(seen(control));
            }
            if is_changed && request % 20 == 0 {
                answers
                    .candidate
                    .push(observation("/real", Kind::Value, "new"));
            }
            run.judge(USERS, &answers);
        }
        let judgement = run.decide(&[("max-noise", "100%")]);
        let is_real = |finding: &&Finding| finding.place == Place::Json("/real".into());
        let real = judgement.findings.iter().filter(is_real).count();
        wrong += judgement.findings.len() - real;
        found += real;
        failed += usize::from(judgement.decision == Decision::Fail && !is_changed);
    }
    assert_eq!((found, wrong, failed), (30, 0, 0));
}
