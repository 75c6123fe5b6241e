//! A cache in each process, of which each entry lives for a while: equal versions whose answers part for a minute at a time.

use super::super::super::recent::Recent;
use super::*;

const PLACE: &str = "/rate";
/// Between two requests for one target.
const PAUSE: u64 = SECOND / 5;

/// What one process has for one target.
#[derive(Clone, Copy, Default)]
struct Entry {
    version: u64,
    until: u64,
}

impl Entry {
    /// The version of the data that is answered; an entry lives for 20 to 60 seconds.
    fn read(&mut self, random: &mut Random, now: u64, current: u64) -> u64 {
        if now >= self.until {
            let seconds = 20.0 + 40.0 * random.unit();
            *self = Self {
                version: current,
                until: now + (seconds * SECOND as f64) as u64,
            };
        }
        self.version
    }
}

/// Twenty minutes of requests for so many targets, in each of which the data changes every two minutes or so.
fn evidence(random: &mut Random, targets: u64, is_told_apart: bool) -> Evidence {
    let (mut evidence, mut recent) = (Evidence::default(), Recent::default());
    let mut data: Vec<(u64, [Entry; 3])> = vec![Default::default(); targets as usize];
    for at in (0..1_200 * SECOND).step_by(PAUSE as usize) {
        for (target, (current, entries)) in data.iter_mut().enumerate() {
            *current += u64::from(random.chance(PAUSE as f64 / (120 * SECOND) as f64));
            let [production, candidate, control] = entries
                .each_mut()
                .map(|entry| entry.read(random, at, *current));
            let found = |other: u64| {
                Vec::from_iter(
                    (other != production).then(|| observation(PLACE, Kind::Value, "new")),
                )
            };
            let (candidate, control) = (found(candidate), found(control));
            let trial = Trial {
                route: USERS,
                at: Timestamp(at),
                request: is_told_apart.then_some(target as u64),
                production_status: 200,
                candidate_status: 200,
                candidate: differences(&candidate),
                control: Some(Control {
                    status: 200,
                    differences: differences(&control),
                }),
                repeat: None,
                durations: AnswerDurations::default(),
                cache: CacheHits::default(),
            };
            evidence.observe_after(&trial, &mut recent);
        }
    }
    evidence
}

/// How many of so many runs have a real difference by their coin, with the usual α.
fn alarms(runs: u64, targets: u64, is_told_apart: bool) -> u64 {
    let mut random = Random::new(43 + targets);
    let policy = policy(&[]);
    let is_alarm = |random: &mut Random| {
        let evidence = evidence(random, targets, is_told_apart);
        !decide(&evidence, &policy, Timestamp(1_200 * SECOND))
            .findings
            .is_empty()
    };
    (0..runs).map(|_| u64::from(is_alarm(&mut random))).sum()
}

#[test]
fn caches_of_equal_versions_fail_no_run_where_requests_are_told_apart() {
    for targets in [1, 5] {
        let runs = 60;
        let together = alarms(runs, targets, false);
        assert!(together > runs / 5, "each toss counted: {together}");
        let apart = alarms(runs, targets, true);
        assert_eq!(apart, 0, "{targets} targets");
    }
}

#[test]
fn a_change_is_found_in_forty_requests_for_one_target_within_a_second() {
    let mut run = Run::default();
    let changed = [observation("/price", Kind::Missing, "new")];
    let mut recent = Recent::default();
    for _ in 0..40 {
        let request = run.request(USERS);
        run.evidence.ended(&request, Outcome::Matched);
        let trial = Trial {
            route: USERS,
            at: Timestamp(SECOND),
            request: Some(7),
            production_status: 200,
            candidate_status: 200,
            candidate: differences(&changed),
            control: Some(Control {
                status: 200,
                differences: differences(&[]),
            }),
            repeat: None,
            durations: AnswerDurations::default(),
            cache: CacheHits::default(),
        };
        run.evidence.observe_after(&trial, &mut recent);
    }
    let judgement = run.decide(&[]);
    assert_eq!(judgement.decision, Decision::Fail, "{}", judgement.reason);
}
