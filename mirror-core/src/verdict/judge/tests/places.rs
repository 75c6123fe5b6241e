//! One place that varies, of equal versions and of others: how often a test that is looked at after each request is wrong.

use super::*;
use crate::compare::{Kind, Observation};

/// A false alarm in at most so many runs of equal versions.
const ALPHA: f64 = 0.01;
const RUNS: u64 = 300;
const REQUESTS: u64 = 250;

/// What production, the candidate, the control or the candidate's repeat shows at a request and a time in milliseconds.
type Shows = fn(&mut Random, Side, u64, u64) -> String;

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Production,
    Candidate,
    Control,
}

fn pair(ours: &str, theirs: &str) -> Comparison {
    let mut pair = Comparison::default();
    if ours != theirs {
        pair.observations.push(Observation {
            place: Place::Json("/value".into()),
            kind: Kind::Value,
            count: 1,
            production: ours.into(),
            mirror: theirs.into(),
        });
        pair.different.json = 1;
    }
    pair
}

/// Whether any group of a run had an e-value above 1/α at any look.
fn alarms(shows: Shows, help: Help, seed: u64) -> bool {
    let mut alarm = false;
    run_of(shows, help, seed, |is_alarm| alarm |= is_alarm);
    alarm
}

/// The same at the last look: what was found before it showed that the time decides is taken back.
fn alarms_at_the_end(shows: Shows) -> bool {
    let mut alarm = false;
    run_of(shows, Help::Repeats, 7, |is_alarm| alarm = is_alarm);
    alarm
}

/// Looks after each request.
fn run_of(shows: Shows, help: Help, seed: u64, mut look: impl FnMut(bool)) {
    let (mut random, mut judge) = (Random::new(seed), Judge::default());
    for number in 0..REQUESTS {
        let at = |later: u64| Timestamp(START + (number * 100 + later) * SECOND / 1_000);
        let mut value = |side, later| shows(&mut random, side, number, number * 100 + later);
        let (production, candidate) = (value(Side::Production, 0), value(Side::Candidate, 30));
        let found = pair(&production, &candidate);
        let answered = AnswerTimes {
            production: at(0),
            mirror: at(30),
        };
        let control = (help == Help::Control).then(|| value(Side::Control, 31));
        let source = match help {
            Help::Repeats => judge.wants_repeat(ROUTE, answered, &found),
            Help::Control => None,
        };
        let repeat = source.map(|source| (source, value(Side::Candidate, 60)));
        let control = control.map(|control| pair(&production, &control));
        let repeat = repeat.map(|(source, repeat)| {
            let (first, second) = (pair(&candidate, &repeat), pair(&production, &repeat));
            (source, first, second)
        });
        judge.judge(&ComparedAnswers {
            route: ROUTE,
            at: at(0),
            request: Some(number % 3),
            production_status: 200,
            candidate_status: 200,
            answered,
            candidate: &found,
            control: control.as_ref().map(|comparison| ComparedControl {
                status: 200,
                at: at(31),
                comparison,
            }),
            repeat: repeat
                .as_ref()
                .map(|(source, first, second)| ComparedRepeat {
                    at: at(60),
                    source: *source,
                    to_candidate: first,
                    to_production: second,
                }),
            durations: AnswerDurations::default(),
            cache: CacheHits::default(),
        });
        let route = &judge.evidence().routes()[ROUTE];
        let mut groups = route.groups.iter();
        look(groups.any(|(_, group)| group.ln_e() >= -ALPHA.ln()));
    }
}

fn count(shows: Shows, help: Help) -> u64 {
    let runs = (0..RUNS).filter(|seed| alarms(shows, help, 7_000 + seed));
    runs.count() as u64
}

/// At most as many as α says, and what chance adds to it in so few runs (three standard deviations).
fn never_more_than_alpha(shows: Shows) {
    for help in [Help::Repeats, Help::Control] {
        let alarms = count(shows, help);
        assert!(alarms <= 8, "{help:?}: {alarms}");
    }
}

const WORDS: [&str; 8] = [
    "paid", "sent", "open", "late", "held", "gone", "new", "done",
];

/// A word of eight, each half as often as the one before it, with a number.
fn word(random: &mut Random) -> String {
    let word = (0..7).find(|_| random.chance(0.5)).unwrap_or(7);
    format!("\"{} {}\"", WORDS[word], random.next() % 900)
}

#[test]
fn a_text_that_comes_up_for_the_first_time_is_as_often_productions() {
    never_more_than_alpha(|random, _, _, _| word(random));
}

#[test]
fn a_text_that_only_the_candidate_shows_is_found_in_thirty_requests_of_hundred() {
    let shows: Shows = |random, side, number, _| match side == Side::Candidate && number % 3 == 1 {
        true => format!("\"lost {}\"", random.next() % 900),
        false => word(random),
    };
    for help in [Help::Repeats, Help::Control] {
        let found = count(shows, help);
        assert!(found >= RUNS * 98 / 100, "{help:?}: {found}");
    }
}

/// A stored number of each request, and a few on top of it.
fn stepping(random: &mut Random, number: u64) -> u64 {
    1_000 + 37 * (number % 60) + random.next() % 3
}

#[test]
fn a_number_that_varies_by_few_steps_is_as_often_the_larger_one() {
    never_more_than_alpha(|random, _, number, _| stepping(random, number).to_string());
}

#[test]
fn a_number_that_varies_by_few_steps_and_grew_by_two_is_found_beside_a_control() {
    let shows: Shows = |random, side, number, _| {
        let grown = if side == Side::Candidate { 2 } else { 0 };
        (stepping(random, number) + grown).to_string()
    };
    assert_eq!(count(shows, Help::Control), RUNS);
}

#[test]
fn what_each_process_keeps_for_a_while_is_no_evidence_without_a_control() {
    // Each side fills its cache every two seconds, at another time.
    let shows: Shows = |_, side, _, millis| {
        let phase = [0, 700, 1_300][side as usize];
        let filled = (millis + phase) / 2_000;
        format!("\"entry {}\"", WORDS[filled as usize % 8])
    };
    assert!(!alarms_at_the_end(shows));
}
