//! Whole runs, from answers to a judgement, of services of which the truth is known.

use bytes::Bytes;
use mirror_contract::{Effect, EffectsDocument, Written};

use super::super::Decision;
use super::super::decide::decide;
use super::super::judgement::Judgement;
use super::super::policy::VerdictPolicy;
use super::super::sample::Random;
use super::*;
use crate::compare::{CompareOptions, Comparison, Place, compare, compare_effects};
use crate::exchange::Response;

mod places;

const ROUTE: &str = "GET /orders/{id}";
const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_790_000_000 * SECOND;

/// What a run has beside production and the candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Help {
    Repeats,
    Control,
}

/// What is new in version 2.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    None,
    /// A price that is wrong in one of 25 requests.
    Price,
    /// A token that has two characters more.
    Token,
    /// Of the tier B, which one of ten orders had, more than half.
    Tier,
    /// A member that is gone now and then, whatever the request.
    Missing,
    /// The answer is right, and in one of 25 requests another price is booked.
    Booked,
    /// In one of 25 requests a row is read twice.
    RowMore,
}

/// What one side did for a request: what it answered, and what it read and wrote.
struct Done {
    answer: Response,
    effects: EffectsDocument,
}

impl Done {
    fn new(random: &mut Random, request: u64, at: Timestamp, change: Change) -> Self {
        Self {
            answer: answer(random, request, at.0, change),
            effects: effects(random, request, at.0, change),
        }
    }

    fn compared(&self, other: &Self) -> Comparison {
        let options = CompareOptions::default();
        let mut comparison = compare(&options, &self.answer, &other.answer);
        let effects = compare_effects(&options, None, &self.effects, &other.effects);
        comparison.add_effects(effects.unwrap());
        comparison
    }
}

/// A clock and a random id in a write, a write that comes and goes, reads in any order.
fn effects(random: &mut Random, request: u64, at: u64, change: Change) -> EffectsDocument {
    let is_hit = Random::new(request).chance(0.04);
    let mut rows = vec!["product", "stock"];
    random.shuffle(&mut rows);
    if change == Change::RowMore && is_hit {
        rows.push("stock");
    }
    let mut document = EffectsDocument::default();
    for row in rows {
        document.push(Effect::Read {
            name: row.into(),
            key: (request % 97).to_string(),
        });
    }
    let price = 1_000 + request % 97 + u64::from(change == Change::Booked && is_hit);
    let order = format!(
        r#"{{"price":{price},"at":{},"trace":"{:016x}"}}"#,
        at / 1_000_000,
        random.next()
    );
    let mut write = |name: &str, json: &str| {
        document.push(Effect::Write {
            name: name.into(),
            key: request.to_string(),
            written: Written::of_json(json),
        });
    };
    write("order", &order);
    if random.chance(0.1) {
        write("audit", "\"sampled\"");
    }
    document
}

/// An ordinary service: a clock, random ids, a measured number, few values, a shuffled list.
fn answer(random: &mut Random, request: u64, at: u64, change: Change) -> Response {
    let is_hit = Random::new(request).chance(0.04);
    let price = 1_000 + request % 97 + u64::from(change == Change::Price && is_hit);
    let tier_b = if change == Change::Tier { 0.6 } else { 0.1 };
    let tier = if random.chance(tier_b) { "B" } else { "A" };
    let mut tags = ["new", "paid", "gift", "fast"];
    random.shuffle(&mut tags);
    let note = match change == Change::Missing && random.chance(0.1) {
        true => "",
        false => r#""note":"as agreed","#,
    };
    let tail = if change == Change::Token { "ff" } else { "" };
    let body = format!(
        r#"{{"id":{request},"price":{price},{note}"token":"{:016x}{tail}","at":{},"load":{:.3},"tier":"{tier}","tags":{tags:?}}}"#,
        random.next(),
        at / 1_000_000,
        0.5 + 0.1 * random.normal(),
    );
    let mut answer = Response::new(200);
    answer.headers.append("content-type", b"application/json");
    answer.body = Bytes::from(body).into();
    answer
}

fn run(seed: u64, requests: u64, change: Change, help: Help) -> Judgement {
    let mut random = Random::new(seed);
    let mut judge = Judge::default();
    for number in 0..requests {
        let at = START + number * SECOND / 10;
        let times = [at, at + SECOND / 50, at + SECOND / 25].map(Timestamp);
        let production = Done::new(&mut random, number, times[0], Change::None);
        let candidate = Done::new(&mut random, number, times[1], change);
        let pair = production.compared(&candidate);
        let answered = AnswerTimes {
            production: times[0],
            mirror: times[1],
        };
        let source = match help {
            Help::Repeats => judge.wants_repeat(ROUTE, answered, &pair),
            Help::Control => None,
        };
        let repeat = source.map(|source| {
            let again = Done::new(&mut random, number, times[2], change);
            let to_candidate = candidate.compared(&again);
            (source, to_candidate, production.compared(&again))
        });
        let control = (help == Help::Control).then(|| {
            let control = Done::new(&mut random, number, times[1], Change::None);
            production.compared(&control)
        });
        judge.judge(&ComparedAnswers {
            route: ROUTE,
            at: times[0],
            request: Some(number),
            production_status: 200,
            candidate_status: 200,
            answered,
            candidate: &pair,
            control: control.as_ref().map(|comparison| ComparedControl {
                status: 200,
                at: times[1],
                comparison,
            }),
            repeat: repeat
                .as_ref()
                .map(|(source, to_candidate, to_production)| ComparedRepeat {
                    at: times[2],
                    source: *source,
                    to_candidate,
                    to_production,
                }),
            durations: AnswerDurations::default(),
            cache: CacheHits::default(),
        });
        let request = Request {
            route: ROUTE,
            method: "GET",
            size: 200,
            at: times[0],
        };
        judge.ended(&request, Some(200), Outcome::Matched);
    }
    let end = Timestamp(START + requests * SECOND / 10);
    decide(judge.evidence(), &VerdictPolicy::default(), end)
}

#[test]
fn the_same_version_of_an_ordinary_service_passes() {
    for help in [Help::Repeats, Help::Control] {
        for seed in 0..3 {
            let judgement = run(seed, 8_000, Change::None, help);
            let reason = &judgement.reason;
            assert_eq!(
                judgement.decision,
                Decision::Pass,
                "{help:?} {seed}: {reason}\n{:#?}",
                judgement.undecided
            );
        }
    }
}

#[test]
fn a_change_amid_noise_fails_the_run_and_is_all_that_is_found() {
    let check = |change: Change, help: Help, place: &str| {
        let judgement = run(7, 2_000, change, help);
        let found: Vec<_> = judgement
            .findings
            .iter()
            .map(|one| one.place.to_string())
            .collect();
        assert_eq!(
            judgement.decision,
            Decision::Fail,
            "{change:?} {help:?}: {}\n{:#?}",
            judgement.reason,
            judgement.undecided
        );
        assert!(
            found.iter().all(|found| found == place),
            "{change:?} {help:?}: {found:?}"
        );
    };
    for help in [Help::Repeats, Help::Control] {
        check(Change::Price, help, "body /price");
        check(Change::Token, help, "body /token");
        check(Change::Booked, help, "effects /writes/order/*/price");
        check(Change::RowMore, help, "effects /reads/stock/*");
    }
    check(Change::Tier, Help::Control, "body /tier");
    check(Change::Missing, Help::Control, "body /note");
}

#[test]
fn a_fault_that_comes_and_goes_is_no_pass_without_a_control() {
    let judgement = run(7, 8_000, Change::Missing, Help::Repeats);
    assert_ne!(judgement.decision, Decision::Pass, "{}", judgement.reason);
}

fn judge_with_control(
    judge: &mut Judge,
    number: u64,
    pair: &Comparison,
    to_control: &Comparison,
) -> Explained {
    judge.judge(&ComparedAnswers {
        route: ROUTE,
        at: Timestamp(START),
        request: Some(number),
        production_status: 200,
        candidate_status: 200,
        answered: AnswerTimes::default(),
        candidate: pair,
        control: Some(ComparedControl {
            status: 200,
            at: Timestamp::default(),
            comparison: to_control,
        }),
        repeat: None,
        durations: AnswerDurations::default(),
        cache: CacheHits::default(),
    })
}

/// Points of three players, whose names are data and like no id.
fn scores(random: &mut Random, number: u64) -> Response {
    let letter = |n: u64| char::from(b'a' + (n % 26) as u8);
    let members = (0..3).map(|player| {
        let n = number * 3 + player;
        let name: String = [letter(n), letter(n / 26), letter(n / 676 + 7)]
            .iter()
            .collect();
        format!(r#""{name}":{{"points":{}}}"#, random.next() % 1_000)
    });
    let body = format!(
        r#"{{"scores":{{{}}}}}"#,
        members.collect::<Vec<_>>().join(",")
    );
    let mut answer = Response::new(200);
    answer.headers.append("content-type", b"application/json");
    answer.body = Bytes::from(body).into();
    answer
}

#[test]
fn members_whose_names_are_data_are_one_place_in_evidence_and_in_what_is_known_of_noise() {
    let (mut random, options) = (Random::new(3), CompareOptions::default());
    let mut judge = Judge::default();
    let mut judge_one = |judge: &mut Judge, number: u64| {
        let mut answer = || scores(&mut random, number);
        let (production, candidate, control) = (answer(), answer(), answer());
        let pair = compare(&options, &production, &candidate);
        let to_control = compare(&options, &production, &control);
        judge_with_control(judge, number, &pair, &to_control)
    };
    let mut explained = Explained::default();
    for number in 0..400 {
        explained = judge_one(&mut judge, number);
    }
    let place = Place::Json("/scores/{*}/points".into());
    let found = explained.varying.iter().chain(&explained.left);
    assert!(
        found.map(|one| &one.place).all(|found| *found == place),
        "{explained:?}"
    );
    let groups = judge.evidence().routes()[ROUTE].groups.iter();
    let groups: Vec<_> = groups.map(|((place, _), _)| place).collect();
    assert!(groups.iter().all(|found| **found == place), "{groups:?}");
    let known: Vec<_> = judge
        .noise()
        .places(ROUTE)
        .into_iter()
        .map(|(place, _)| place)
        .collect();
    assert_eq!(known, [&place]);
    assert_eq!(judge.map_folds(), 1);
    // The next run knows it from the first request.
    let mut next = Judge::new(judge.noise().clone());
    let explained = judge_one(&mut next, 9_999);
    let mut found = explained.varying.iter().chain(&explained.left);
    assert!(found.all(|found| found.place == place), "{explained:?}");
}

/// Forty prices whose names are data, all scaled by one rate that each instance keeps for a while.
fn prices(number: u64, rate: u64) -> Response {
    let members = (0..40).map(|n| {
        let name = number * 40 + n;
        let letter = |n: u64| char::from(b'a' + (n % 26) as u8);
        let name: String = [1, 26, 676].iter().map(|of| letter(name / of)).collect();
        format!(r#""{name}":{}"#, 100 * rate + n)
    });
    let body = format!(
        r#"{{"prices":{{{}}}}}"#,
        members.collect::<Vec<_>>().join(",")
    );
    let mut answer = Response::new(200);
    answer.headers.append("content-type", b"application/json");
    answer.body = Bytes::from(body).into();
    answer
}

#[test]
fn many_members_of_one_answer_are_not_many_tosses_when_they_become_one_place() {
    let (mut judge, options) = (Judge::default(), CompareOptions::default());
    for number in 0..80 {
        // One of five has the candidate's rate renewed, and one of five the control's: each answer is odd in forty places.
        let (candidate, control) = (
            1 + u64::from(number % 5 == 0),
            1 + u64::from(number % 5 == 1),
        );
        let pair = compare(&options, &prices(number, 1), &prices(number, candidate));
        let to_control = compare(&options, &prices(number, 1), &prices(number, control));
        judge_with_control(&mut judge, number, &pair, &to_control);
    }
    assert!(judge.map_folds() > 0, "the names are data");
    let groups = judge.evidence().routes()[ROUTE].groups.iter();
    for (key, group) in groups {
        // Sixteen exchanges have the candidate as the odd one, and sixteen the control.
        assert!(group.coin().n <= 32, "{key:?}: {group:?}");
    }
}
