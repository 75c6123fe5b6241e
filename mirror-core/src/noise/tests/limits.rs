//! How far a value may lie from those that are known.

use super::*;

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
