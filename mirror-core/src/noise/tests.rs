use super::*;

mod kinds;
mod limits;
mod memory;
mod novel;
mod restless;
mod whole;

const ROUTE: &str = "GET /orders/{id}";
/// 2026-11-26 12:00:00 UTC.
const NOON: u64 = 1_795_694_400_000_000_000;

/// SplitMix64, so that each run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Judges a pair of production and the candidate, and takes production's values from it, as a run does.
fn judged(noise: &mut Noise, times: AnswerTimes, pair: &Comparison) -> Explained {
    let explained = noise.judge(ROUTE, times, pair);
    noise.note(ROUTE, times, pair);
    explained
}

fn place(pointer: &str) -> Place {
    Place::Json(pointer.into())
}

fn observation(pointer: &str, kind: Kind, ours: &str, theirs: &str) -> Observation {
    Observation {
        place: place(pointer),
        kind,
        count: 1,
        production: ours.into(),
        mirror: theirs.into(),
    }
}

fn comparison(observations: Vec<Observation>) -> Comparison {
    let mut pair = Comparison {
        observations,
        ..Comparison::default()
    };
    pair.different.json = pair.observations.len() as u64;
    pair
}

/// Two values of one place, as a comparison shows them.
fn pair(pointer: &str, ours: Option<&str>, theirs: Option<&str>) -> Comparison {
    let of = |shown: &str| {
        shown.as_bytes().first().map(|first| match first {
            b'0'..=b'9' | b'-' => b'0',
            b't' | b'f' => b'b',
            other => *other,
        })
    };
    let kind = match (ours, theirs) {
        // What is a credential is shown as one, and differs.
        (Some(a), Some(b)) if a == b && !a.contains("***") => return Comparison::default(),
        (None, None) => return Comparison::default(),
        (Some(a), Some(b)) if of(a) == of(b) => Kind::Value,
        (Some(_), Some(_)) => Kind::Type,
        (Some(_), None) => Kind::Missing,
        (None, Some(_)) => Kind::Added,
    };
    let shown = |value: Option<&str>| value.unwrap_or("(absent)").to_owned();
    comparison(vec![observation(
        pointer,
        kind,
        &shown(ours),
        &shown(theirs),
    )])
}

/// Answers of the exchange with this number: one in a second and a bit, the second answer a fifth of a second after the first.
fn times(number: u64) -> AnswerTimes {
    let production = NOON + number * 1_037_000_000;
    AnswerTimes {
        production: Timestamp(production),
        mirror: Timestamp(production + 200_000_000),
    }
}

fn uuid(n: u64) -> String {
    format!("\"550e8400-e29b-41d4-a716-{n:012x}\"")
}

#[test]
fn a_difference_that_no_equal_programs_show_is_never_learnt() {
    let mut noise = Noise::default();
    let changed = pair("/total", Some("10"), Some("11"));
    for number in 0..1_000 {
        let explained = judged(&mut noise, times(number), &changed);
        assert_eq!(explained.left, changed.observations);
        assert!(explained.varying.is_empty() && explained.against.is_empty());
        noise.learn(ROUTE, Source::Repeat, times(number), &Comparison::default());
    }
    assert!(!noise.is_varying(ROUTE, &place("/total")));
    assert_eq!(noise.pairs(ROUTE).0.repeat, 1_000);
}

#[test]
fn one_pair_of_equal_programs_is_enough_to_suspect() {
    for source in [
        Source::Repeat,
        Source::Recheck,
        Source::Control,
        Source::Production,
    ] {
        let mut noise = Noise::default();
        noise.learn(
            ROUTE,
            source,
            times(0),
            &pair("/id", Some(&uuid(1)), Some(&uuid(2))),
        );
        let found = pair("/id", Some(&uuid(3)), Some(&uuid(4)));
        let explained = judged(&mut noise, times(1), &found);
        assert_eq!(explained.varying, found.observations, "{source:?}");
        assert!(explained.left.is_empty());
        assert!(noise.is_varying(ROUTE, &place("/id")));
        assert!(!noise.is_varying("GET /other", &place("/id")));
        assert!(!noise.is_varying(ROUTE, &place("/other")));
    }
}

#[test]
fn values_of_the_candidate_never_widen_what_is_allowed() {
    let mut noise = Noise::default();
    noise.learn(
        ROUTE,
        Source::Control,
        times(0),
        &pair("/id", Some(&uuid(1)), Some(&uuid(2))),
    );
    for number in 1..500 {
        let repeat = pair("/id", Some("17"), Some("18"));
        noise.learn(ROUTE, Source::Repeat, times(number), &repeat);
        let found = pair("/id", Some(&uuid(number)), Some("17"));
        let explained = judged(&mut noise, times(number), &found);
        assert_eq!(explained.left.len(), 1, "{number}");
        assert_eq!(explained.left[0].kind, Kind::Type);
    }
}

#[test]
fn what_only_the_candidate_varies_in_is_a_difference() {
    let mut noise = Noise::default();
    let found = pair("/total", Some("10"), Some("13"));
    for number in 0..20 {
        let repeat = pair("/total", Some("13"), Some(&format!("{number}")));
        noise.learn(ROUTE, Source::Repeat, times(number), &repeat);
    }
    assert!(
        noise.is_varying(ROUTE, &place("/total")),
        "nothing speaks against it"
    );
    for number in 0..10 {
        noise.learn(
            ROUTE,
            Source::Production,
            times(number),
            &Comparison::default(),
        );
    }
    assert!(!noise.is_varying(ROUTE, &place("/total")));
    assert_eq!(
        judged(&mut noise, times(1), &found).left,
        found.observations
    );
    let varied = pair("/total", Some("10"), Some("12"));
    noise.learn(ROUTE, Source::Production, times(99), &varied);
    assert!(
        noise.is_varying(ROUTE, &place("/total")),
        "production varies too"
    );
}

#[test]
fn a_place_that_varies_in_one_manner_is_compared_in_the_others() {
    let check = |learnt: Observation, found: Observation, is_left: bool| {
        let mut noise = Noise::default();
        noise.learn(ROUTE, Source::Control, times(0), &comparison(vec![learnt]));
        let found = comparison(vec![found]);
        let explained = noise.judge(ROUTE, times(1), &found);
        assert_eq!(explained.left == found.observations, is_left, "{found:?}");
        assert_eq!(
            explained.varying == found.observations,
            !is_left,
            "{found:?}"
        );
    };
    let value = || observation("/a", Kind::Value, "1", "2");
    let missing = || observation("/a", Kind::Missing, "1", "(absent)");
    let added = || observation("/a", Kind::Added, "(absent)", "1");
    let order = || observation("/a", Kind::Order, "[1,2]", "[2,1]");
    let bytes = || observation("/a", Kind::Bytes, "5 bytes", "6 bytes");
    check(value(), value(), false);
    check(value(), missing(), true);
    check(value(), order(), true);
    check(missing(), value(), true);
    check(missing(), added(), false);
    check(order(), order(), false);
    check(order(), value(), true);
    check(bytes(), bytes(), false);
    check(bytes(), order(), true);
    let element = |kind| observation("/list/*", kind, "\"a 1\"", "\"a 2\"");
    check(element(Kind::Value), element(Kind::Missing), false);
    check(element(Kind::Added), element(Kind::Value), false);
}

#[test]
fn a_member_that_is_new_to_a_varying_place_is_a_toss_for_one_side() {
    let mut noise = Noise::default();
    noise.learn(
        ROUTE,
        Source::Control,
        times(0),
        &pair("/id", Some(&uuid(1)), Some(&uuid(2))),
    );
    let missing = noise.judge(ROUTE, times(1), &pair("/id", Some(&uuid(3)), None));
    let kinds = |found: &[Observation]| found.iter().map(|o| o.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&missing.left), [Kind::Missing]);
    assert_eq!(kinds(&missing.against), [Kind::Added]);
}

#[test]
fn production_is_judged_by_the_same_rules() {
    let mut noise = Noise::default();
    for number in 0..10 {
        let learnt = pair("/id", Some(&uuid(number)), Some(&uuid(number + 100)));
        noise.learn(ROUTE, Source::Control, times(number), &learnt);
    }
    let hex = "\"d41d8cd98f00b204e9800998ecf8427e\"";
    let candidate = noise.judge(ROUTE, times(1), &pair("/id", Some(&uuid(3)), Some(hex)));
    assert_eq!((candidate.left.len(), candidate.against.len()), (1, 0));
    assert_eq!(candidate.left[0].kind, Kind::Format);
    let production = noise.judge(ROUTE, times(1), &pair("/id", Some(hex), Some(&uuid(3))));
    assert_eq!((production.left.len(), production.against.len()), (0, 1));
    assert_eq!(production.against[0].kind, Kind::Format);
    let both = noise.judge(
        ROUTE,
        times(1),
        &pair("/id", Some(hex), Some(&hex.replace('4', "5"))),
    );
    assert_eq!(
        (both.left.len(), both.against.len(), both.varying.len()),
        (0, 0, 1)
    );
}

#[test]
fn what_each_instance_counts_for_itself_has_no_range_without_a_control() {
    let count = |noise: &mut Noise, source: Source| {
        for number in 0..40 {
            let (first, second) = (format!("{}", 5 + number), format!("{}", 6 + number));
            noise.learn(
                ROUTE,
                source,
                times(number),
                &pair("/n", Some(&first), Some(&second)),
            );
            let production = format!("{}", 1_000_000 + number);
            noise.note(
                ROUTE,
                times(number),
                &pair("/n", Some(&production), Some(&first)),
            );
        }
        let found = pair("/n", Some("1000041"), Some("9000000000"));
        noise.judge(ROUTE, times(41), &found).left.len()
    };
    assert_eq!(count(&mut Noise::default(), Source::Repeat), 0);
    assert_eq!(count(&mut Noise::default(), Source::Control), 1);
}
