use super::super::cache::CacheHits;
use super::super::evidence::Side;
use super::super::latency::AnswerDurations;
use super::super::representative::Request;
use super::super::sample::Random;
use super::super::trial::{Control, Differences, Repeat, Trial};
use std::time::Duration;

use super::*;
use crate::compare::{CompareOptions, CompareRule, Kind, Observation, Place, RuleTally, compare};
use crate::exchange::Response;
use crate::options::{FromText, Given, Options, Origin};

mod caches;
mod values;

const SECOND: u64 = 1_000_000_000;

fn policy(options: &[(&str, &str)]) -> VerdictPolicy {
    let mut given = Given::default();
    for (key, text) in options {
        given.set(key, vec![(*text).into()], Origin::Flag);
    }
    VerdictPolicy::read(&given).unwrap()
}

fn observation(place: &str, kind: Kind, mirror: &str) -> Observation {
    Observation {
        place: Place::Json(place.into()),
        kind,
        count: 1,
        production: "old".into(),
        mirror: mirror.into(),
    }
}

/// What the answers to a request came to.
#[derive(Clone, Default)]
struct Answers {
    candidate: Vec<Observation>,
    control: Option<Vec<Observation>>,
    /// The candidate's first answer to its second, and production's to it.
    repeat: Option<(Vec<Observation>, Vec<Observation>)>,
    status: Option<(u16, u16)>,
    /// The candidate's and the control's, in milliseconds; with a control that does not differ.
    times: Option<(f64, f64)>,
    cache: CacheHits,
}

impl Answers {
    fn differ(place: &str, kind: Kind) -> Self {
        Self {
            candidate: vec![observation(place, kind, "new")],
            ..Self::default()
        }
    }

    /// The repeat is like the candidate's first answer.
    fn and_again(self) -> Self {
        let again = self.candidate.clone();
        Self {
            repeat: Some((Vec::new(), again)),
            ..self
        }
    }

    /// The repeat is like production's.
    fn and_not_again(self) -> Self {
        let back = self.candidate.clone();
        Self {
            repeat: Some((back, Vec::new())),
            ..self
        }
    }
}

fn differences(left: &[Observation]) -> Differences<'_> {
    Differences {
        left,
        ..Differences::default()
    }
}

/// One judged request a second.
#[derive(Default)]
struct Run {
    evidence: Evidence,
    at: u64,
}

impl Run {
    fn request<'a>(&mut self, route: &'a str) -> Request<'a> {
        self.at += SECOND;
        let method = route.split(' ').next().unwrap_or_default();
        Request {
            route,
            method,
            size: 100,
            at: Timestamp(self.at),
        }
    }

    fn ends(&mut self, route: &str, outcome: Outcome, times: u64) -> &mut Self {
        for _ in 0..times {
            let request = self.request(route);
            self.evidence.ended(&request, outcome);
        }
        self
    }

    fn judge(&mut self, route: &str, answers: &Answers) {
        let request = self.request(route);
        self.evidence.ended(&request, Outcome::Matched);
        let (production_status, candidate_status) = answers.status.unwrap_or((200, 200));
        let control = answers.times.is_some().then(Vec::new);
        let control = answers.control.as_ref().or(control.as_ref());
        self.evidence.observe(&Trial {
            route,
            at: request.at,
            request: None,
            production_status,
            candidate_status,
            candidate: differences(&answers.candidate),
            control: control.map(|control| Control {
                status: production_status,
                differences: differences(control),
            }),
            repeat: answers
                .repeat
                .as_ref()
                .map(|(to_candidate, to_production)| Repeat {
                    to_candidate: differences(to_candidate),
                    to_production: differences(to_production),
                }),
            durations: answers.times.map_or_else(
                AnswerDurations::default,
                |(candidate, control)| AnswerDurations {
                    candidate: Some(Duration::from_secs_f64(candidate / 1_000.0)),
                    control: Some(Duration::from_secs_f64(control / 1_000.0)),
                    ..AnswerDurations::default()
                },
            ),
            cache: answers.cache,
        });
    }

    fn judges(&mut self, route: &str, times: u64, answers: &Answers) -> &mut Self {
        for _ in 0..times {
            self.judge(route, answers);
        }
        self
    }

    fn equal(&mut self, route: &str, times: u64) -> &mut Self {
        self.judges(route, times, &Answers::default())
    }

    fn decide(&self, options: &[(&str, &str)]) -> Judgement {
        decide(&self.evidence, &policy(options), Timestamp(self.at))
    }

    fn check(&self, decision: Decision, reason: &str) {
        let judgement = self.decide(&[]);
        assert_eq!(judgement.decision, decision, "{judgement:#?}");
        assert_eq!(judgement.reason, reason, "{judgement:#?}");
    }
}

const USERS: &str = "GET /users/{id}";
const ORDERS: &str = "POST /orders";

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
