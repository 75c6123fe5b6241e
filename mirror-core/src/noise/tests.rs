use super::*;

mod kinds;
mod novel;
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

/// Pairs of some sources with all kinds of differences.
fn lessons(count: u64) -> Vec<(Source, AnswerTimes, Comparison)> {
    let mut random = Random(3);
    let sources = [
        Source::Repeat,
        Source::Recheck,
        Source::Control,
        Source::Production,
    ];
    (0..count)
        .map(|number| {
            let number_text = random.below(40).to_string();
            let word = ["\"A\"", "\"B\"", "null", "\"C 1\""][random.below(4) as usize];
            let found = vec![
                observation(
                    "/id",
                    Kind::Value,
                    &uuid(random.next() >> 20),
                    &uuid(number),
                ),
                observation(
                    "/n",
                    Kind::Value,
                    &number_text,
                    &random.below(9).to_string(),
                ),
                observation("/s", Kind::Value, word, "\"D\""),
                observation(
                    "/t",
                    Kind::Missing,
                    &format!("{}", 1_795_694_400 + number),
                    "",
                ),
                observation(&format!("/p{}", random.below(400)), Kind::Order, "[]", "[]"),
            ];
            let source = sources[random.below(4) as usize];
            (source, times(number), comparison(found))
        })
        .collect()
}

fn learnt(lessons: &[(Source, AnswerTimes, Comparison)]) -> Noise {
    let mut noise = Noise::default();
    for (source, times, pair) in lessons {
        noise.learn(ROUTE, *source, *times, pair);
    }
    noise
}

fn text(noise: &Noise) -> String {
    let mut noise = noise.clone();
    noise.dropped = NoiseDropped::default();
    save(&noise, &[]).expect("it can be written")
}

#[test]
fn what_is_learnt_does_not_depend_on_the_order() {
    let mut lessons = lessons(2_000);
    let expect = text(&learnt(&lessons));
    let mut random = Random(5);
    for _ in 0..3 {
        for at in (1..lessons.len()).rev() {
            lessons.swap(at, random.below(at as u64 + 1) as usize);
        }
        assert!(text(&learnt(&lessons)) == expect);
    }
    let (first, second) = lessons.split_at(700);
    let mut merged = learnt(second);
    merged.merge(&learnt(first));
    assert!(text(&merged) == expect);
}

#[test]
fn what_is_saved_is_read_again_and_holds_no_text() {
    let noise = learnt(&lessons(300));
    let origin = |n: u64| NoiseOrigin {
        build: format!("v{n}"),
        at: Timestamp(n),
    };
    let origins: Vec<_> = (0..20).map(origin).collect();
    let saved = save(&noise, &origins).expect("it can be written");
    let (read, from) = load(&saved).expect("it can be read");
    assert!(text(&read) == text(&noise));
    assert_eq!(from, origins[4..]);
    assert!(!saved.contains("550e8400"), "values are not saved");
    let found = pair("/id", Some(&uuid(1)), Some("17"));
    assert_eq!(
        read.judge(ROUTE, times(1), &found),
        noise.judge(ROUTE, times(1), &found)
    );
}

#[test]
fn a_file_of_another_format_is_refused() {
    let check = |text: &str, expect: &str| {
        let error = load(text).expect_err("it is refused").to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(
        r#"{"noise_format":2,"rest":[]}"#,
        "format 2, and this build reads format 1",
    );
    check(r#"{"noise_format":1}"#, "not a noise file");
    check("{}", "not a noise file");
    check("", "not a noise file");
}

#[test]
fn places_of_a_route_are_bounded_and_the_same_ones_are_kept_in_any_order() {
    let lesson = |n: u64| comparison(vec![observation(&format!("/p{n}"), Kind::Value, "1", "2")]);
    let mut noise = Noise::default();
    let mut reversed = Noise::default();
    for n in 0..600 {
        noise.learn(ROUTE, Source::Control, times(n), &lesson(n));
        reversed.learn(ROUTE, Source::Control, times(n), &lesson(599 - n));
    }
    assert_eq!(noise.places(ROUTE).len(), MAX_PLACES);
    assert!(text(&noise) == text(&reversed));
    assert!(noise.dropped().observations > 0);
}

#[test]
fn two_thousand_routes_of_two_hundred_places_are_bounded() {
    let lesson = |route: u64| {
        let found = |n| observation(&format!("/r{route}/p{n}"), Kind::Value, "1", "2");
        comparison((0..200).map(found).collect())
    };
    let mut noise = Noise::default();
    for route in 0..2_000 {
        noise.learn(
            &format!("GET /{route}"),
            Source::Control,
            times(route),
            &lesson(route),
        );
    }
    let kept: usize = noise
        .routes()
        .iter()
        .map(|route| noise.places(route).len())
        .sum();
    assert_eq!(kept, noise.places);
    assert!(
        kept <= MAX_ALL_PLACES && kept > MAX_ALL_PLACES / 3,
        "{kept}"
    );
    for route in 2_000..4_200 {
        noise.learn(
            &format!("GET /{route}"),
            Source::Control,
            times(route),
            &lesson(0),
        );
    }
    assert_eq!(noise.routes().len(), MAX_ROUTES);
    assert!(noise.places <= MAX_ALL_PLACES);
    assert_eq!(noise.dropped().comparisons, 4_200 - MAX_ROUTES as u64);
}

#[test]
fn folded_routes_are_known_by_the_new_name() {
    let mut noise = Noise::default();
    let lesson = |pointer| pair(pointer, Some("1"), Some("2"));
    noise.learn("GET /a", Source::Control, times(0), &lesson("/x"));
    noise.learn("GET /b", Source::Control, times(0), &lesson("/x"));
    noise.learn("GET /b", Source::Control, times(0), &lesson("/y"));
    noise.fold("GET /a", "GET /{slug}");
    noise.fold("GET /b", "GET /{slug}");
    noise.fold("GET /{slug}", "GET /{slug}");
    assert_eq!(noise.routes(), ["GET /{slug}"]);
    assert_eq!(noise.pairs("GET /{slug}").0.control, 3);
    assert!(noise.is_varying("GET /{slug}", &place("/y")));
    let places = noise.places("GET /{slug}");
    assert_eq!(places[0].1.differed.control, 2);
    assert_eq!(places[0].1.describe(), "integer, from 1 to 2");
    assert_eq!(noise.places, 2);
}

#[test]
fn any_text_is_explained_without_harm() {
    let parts = [
        "\"",
        "from character 3: \"",
        "é",
        "…",
        "2026-11-26",
        "T12:0",
        ":03",
        "Z",
        "+0",
        "9",
        "-",
        ".",
        "e",
        "{",
        "[",
        "null",
        "550e8400-e29b-41d4-a716-446655440000",
        "eyJ",
        "***",
        "http://",
        "@",
        "a.b",
        "v1.",
        "999999999999999999999",
        "1795694400",
        "Thu, 26 Nov 2026 12:00:00 GMT",
        "=",
        "/",
        " ",
        "\u{0}",
        "😀",
    ];
    let mut random = Random(11);
    let mut noise = Noise::default();
    let mut shown = || {
        let count = random.below(6);
        let part = |_| parts[random.below(parts.len() as u64) as usize];
        (0..count).map(part).collect::<String>()
    };
    for number in 0..5_000 {
        let lesson = observation("/a", Kind::Value, &shown(), &shown());
        noise.learn(
            ROUTE,
            Source::Control,
            times(number),
            &comparison(vec![lesson]),
        );
        let found = comparison(vec![observation("/a", Kind::Value, &shown(), &shown())]);
        let explained = judged(&mut noise, times(number), &found);
        let is_clock = clocks::is_same_clock(times(number), &found.observations[0], true);
        assert!(is_clock || explained.varying == found.observations || explained.left.len() == 1);
    }
    let saved = save(&noise, &[]).expect("it can be written");
    let (read, _) = load(&saved).expect("it can be read");
    assert!(text(&read) == text(&noise));
}

#[test]
fn a_value_that_was_allowed_once_is_never_odd() {
    let values = [
        "17",
        "1.5",
        "null",
        "true",
        "\"A\"",
        "\"order 4711 at 12:03\"",
        "\"2026-11-26T12:00:00Z\"",
        "\"d41d8cd98f00b204\"",
        "\"2026-11-26\"",
        "[1]",
        "{}",
        "\"\"",
        "1795694400",
        "\"jo@example.org\"",
        "\"10.0.0.1\"",
    ];
    for (index, value) in values.iter().enumerate() {
        let mut noise = Noise::default();
        let other = values[(index + 1) % values.len()];
        for number in 0..50 {
            let lesson = observation("/a", Kind::Value, value, other);
            noise.learn(ROUTE, Source::Control, times(0), &comparison(vec![lesson]));
            let found = observation("/a", Kind::Value, value, other);
            let explained = noise.judge(ROUTE, times(0), &comparison(vec![found]));
            let odd = explained
                .either_way()
                .find(|o| o.kind != Kind::Distribution);
            assert_eq!(odd, None, "{value} {other} {number}");
        }
    }
}

/// Kinds of what is left and against, after `lessons` pairs of each two neighbours of these values.
fn kinds_after(values: &[&str], lessons: usize, ours: &str, theirs: &str) -> [Vec<Kind>; 2] {
    let mut noise = Noise::default();
    for number in 0..lessons {
        let (a, b) = (number % values.len(), (number + 1) % values.len());
        let lesson = observation("/a", Kind::Value, values[a], values[b]);
        noise.learn(ROUTE, Source::Control, times(0), &comparison(vec![lesson]));
    }
    let found = observation("/a", Kind::Value, ours, theirs);
    let explained = noise.judge(ROUTE, times(0), &comparison(vec![found]));
    let kinds = |found: &[Observation]| {
        let kinds = found.iter().map(|one| one.kind);
        kinds.filter(|kind| *kind != Kind::Distribution).collect()
    };
    [kinds(&explained.left), kinds(&explained.against)]
}

#[test]
fn a_number_may_lie_outside_of_its_range_by_the_width_of_it() {
    let check = |lessons, ours: &str, theirs: &str, expect: [&[Kind]; 2]| {
        let kinds = kinds_after(&["100", "110", "104"], lessons, ours, theirs);
        assert_eq!(kinds, expect, "{lessons} {ours} {theirs}");
    };
    let range: &[Kind] = &[Kind::Range];
    check(10, "101", "90", [&[], &[]]);
    check(10, "101", "120", [&[], &[]]);
    check(10, "101", "89", [range, &[]]);
    check(10, "101", "121", [range, &[]]);
    check(10, "101", "-105", [range, &[]]);
    check(10, "89", "101", [&[], range]);
    check(10, "89", "121", [&[], &[]]);
    check(9, "101", "9000", [&[], &[]]);
}

#[test]
fn a_time_may_lie_five_seconds_from_those_that_are_known() {
    // Whole seconds of the first answer, which is given at noon.
    let at = |offset: i64| (1_795_694_400 + offset).to_string();
    let check = |lessons, offset, expect: &[Kind]| {
        let values = [at(60), at(61)];
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let [left, against] = kinds_after(&values, lessons, &at(60), &at(offset));
        assert_eq!(
            (&left[..], &against[..]),
            (expect, &[][..]),
            "{lessons} {offset}"
        );
    };
    check(4, 64, &[]);
    check(4, 56, &[]);
    check(4, 68, &[Kind::Clock]);
    check(4, 53, &[Kind::Clock]);
    check(3, 500, &[]);
}

#[test]
fn a_weak_form_is_expected_after_eight_values_and_a_strong_one_at_once() {
    let check = |value: &str, lessons, theirs: &str, expect: &[Kind]| {
        let [left, _] = kinds_after(&[value], lessons, value, theirs);
        assert_eq!(left, expect, "{value} {lessons} {theirs}");
    };
    check("\"00471100\"", 3, "\"a name\"", &[]);
    check("\"00471100\"", 4, "\"a name\"", &[Kind::Format]);
    check("\"2026-11-26\"", 1, "\"a name\"", &[Kind::Format]);
    check("\"2026-11-26\"", 1, "17", &[Kind::Type]);
    check("\"d41d8cd98f00b204\"", 4, "\"1234123412341234\"", &[]);
    check(
        "\"1234123412341234\"",
        4,
        "\"d41d8cd98f00b204\"",
        &[Kind::Format],
    );
}

#[test]
fn a_place_that_varies_in_many_answers_is_restless_and_one_that_hardly_does_is_not() {
    let is_restless = |one_of: u64| {
        let mut noise = Noise::default();
        for number in 0..40 {
            let differs = number % one_of == 0;
            let (ours, theirs) = (uuid(2 * number), uuid(2 * number + u64::from(differs)));
            let pair = pair("/trace", Some(&ours), Some(&theirs));
            noise.learn(ROUTE, Source::Repeat, times(number), &pair);
        }
        let found = pair("/trace", Some(&uuid(1)), Some(&uuid(2)));
        let explained = noise.judge(ROUTE, times(41), &found);
        assert_eq!(explained.varying, found.observations);
        explained.restless == [(place("/trace"), Kind::Value)]
    };
    assert!(is_restless(2) && is_restless(4) && !is_restless(5));
}

/// How production's numbers and the candidate's differ in shares, when the candidate's are larger.
fn shares(source: Source, number: impl Fn(&mut Random) -> u64, candidates: &str) -> usize {
    let (mut noise, mut random) = (Noise::default(), Random(5));
    let mut told = 0;
    for index in 0..400 {
        let [a, b] = [(); 2].map(|()| number(&mut random).to_string());
        let ours = pair("/queue", Some(&a), Some(&b));
        noise.learn(ROUTE, source, times(index), &ours);
        let found = pair("/queue", Some(&a), Some(candidates));
        let left = judged(&mut noise, times(index), &found).left;
        told += left
            .iter()
            .filter(|one| one.kind == Kind::Distribution)
            .count();
    }
    told
}

#[test]
fn shares_of_numbers_count_only_beside_a_control() {
    let few = |random: &mut Random| 3 + random.below(3);
    let many = |random: &mut Random| 1_000 + random.below(900);
    assert!(shares(Source::Control, few, "5") > 100);
    assert!(shares(Source::Control, many, "1899") > 100);
    for source in [Source::Repeat, Source::Production] {
        assert_eq!(
            (shares(source, few, "5"), shares(source, many, "1899")),
            (0, 0)
        );
    }
}

#[test]
fn two_instances_that_stay_as_far_apart_as_they_are_say_nothing_of_the_code() {
    let mut noise = Noise::default();
    let mut told = 0;
    for index in 0..400 {
        // Ages of what is cached for twenty seconds: the control's is nine ahead, the candidate's fourteen.
        let age = |ahead: u64| ((index + ahead) % 20).to_string();
        let found = pair("/age", Some(&age(0)), Some(&age(14)));
        let left = judged(&mut noise, times(index), &found).left;
        if index > 20 {
            told += left.len();
        }
        let pair = pair("/age", Some(&age(0)), Some(&age(9)));
        noise.learn(ROUTE, Source::Control, times(index), &pair);
    }
    assert_eq!(told, 0);
}

#[test]
fn productions_own_repeats_say_nothing_of_the_range_of_another_instances_counter() {
    for has_repeats in [true, false] {
        assert_eq!(ranges_of_a_counter(has_repeats), 0);
    }
}

fn ranges_of_a_counter(has_repeats: bool) -> usize {
    let mut noise = Noise::default();
    let mut told = 0;
    for index in 0..400 {
        let (production, candidate) = (1_204_331 + 2 * index, 17 + 2 * index);
        let pair_of =
            |a: u64, b: u64| pair("/answered", Some(&a.to_string()), Some(&b.to_string()));
        let found = pair_of(production, candidate);
        let left = judged(&mut noise, times(index), &found).left;
        if index > 20 {
            told += left.len();
        }
        let own = pair_of(production, production + 1);
        noise.learn(ROUTE, Source::Production, times(index), &own);
        let again = pair_of(candidate, candidate + 1);
        if has_repeats {
            noise.learn(ROUTE, Source::Repeat, times(index), &again);
        }
    }
    told
}

#[test]
fn what_ticks_as_a_clock_tosses_no_coin() {
    let mut noise = Noise::default();
    let age = |seconds: u64| Some(seconds.to_string());
    let seen = |ours: u64, theirs: u64| pair("/age", age(ours).as_deref(), age(theirs).as_deref());
    // One of thirty pairs has a new second between its answers. One alone may be a stock that was filled up.
    for number in 0..60 {
        let pair = seen(number % 20, number % 20 + u64::from(number % 30 == 7));
        noise.learn(ROUTE, Source::Repeat, times(number), &pair);
        let explained = noise.judge(ROUTE, times(number), &seen(4, 5));
        assert_eq!(explained.restless.len(), usize::from(number >= 37));
    }
    let explained = noise.judge(ROUTE, times(61), &seen(4, 5));
    assert_eq!(explained.restless, [(place("/age"), Kind::Value)]);
    // What changes by more now and then is no clock.
    for number in 0..8 {
        noise.learn(
            ROUTE,
            Source::Repeat,
            times(number),
            &seen(number, number + 7),
        );
    }
    let explained = noise.judge(ROUTE, times(61), &seen(4, 5));
    assert!(explained.restless.is_empty() && explained.varying.len() == 1);
}
