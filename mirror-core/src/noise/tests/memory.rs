//! What is kept: in any order, saved, bounded, folded.

use super::*;

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
