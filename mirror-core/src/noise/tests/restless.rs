//! Places that vary in many answers, numbers that each instance has of its own, and what goes on with the time.

use super::*;

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
